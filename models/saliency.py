"""Where the streams of a network look: Grad-CAM, and its share inside the body."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from models.inference import headline
from models.layers import as_map, last_map, outputs_of
from models.moments import evenly_spaced
from models.network import COMBINED
from models.trained import Trained, load_trained
from models.views import MASKS, Reading, is_flow, seen_by
from study.config import Study
from study.errors import StudyError
from study.files import whole_file, write_if_changed
from study.progress import progress
from study.results import Results

log = logging.getLogger("bodyscene")

COLUMNS = ["observer", "group", "condition", "stream", "clip_id", "action", "n_frames"]
COLUMNS += ["share_in_body", "body_share", "no_evidence"]


@dataclass
class _Picture:
    """One frame of the figure."""

    clip_id: str
    action: str
    condition: str
    stream: str
    frame: np.ndarray
    heat: np.ndarray
    mask: np.ndarray


def write_saliency(study: Study, results: Results, name: str, seed: int) -> Path:
    """Measure where one network looks on its test clips, version by version.

    The map of a stream is Grad-CAM (Selvaraju et al., 2017) at the last layer of its backbone that
    still has places: the channels' maps, weighted by the mean gradient of the class's score in the
    network's answer, summed, negative evidence cut off, and enlarged to the frame. The share inside
    the body is the share of the map's sum that falls on the person's mask. By itself it says
    little, since bodies are small: `body_share`, the body's share of the (square) picture, stands
    beside it.

    Parameters
    ----------
    study : Study
        `saliency` says which versions, how many frames, and evidence for which class.
    results : Results
        Gets a row per test clip, version and stream: observer, group, condition, stream, clip_id,
        action, n_frames, share_in_body (mean over frames with any evidence), body_share,
        no_evidence (share of frames without any); and the pictures of some clips.
    name : str
        A model of the study.
    seed : int

    Returns
    -------
    Path
        The table.

    Raises
    ------
    StudyError
        When the network is not trained, or `saliency.models` names it and its streams do not see
        single pictures (else its table has no rows).
    """
    trained = load_trained(study, results, name, seed, [MASKS])
    streams = trained.network.pictures()
    if not streams:
        _say_that_nothing_is_seen(trained, asked_for=study.saliency.models is not None)
    layers = {stream: last_map(trained.network, stream) for stream in streams}
    asked = study.saliency.conditions or trained.cache.conditions
    conditions = [name for name in asked if streams and trained.network.readings(name)]
    rows: list[dict[str, object]] = []
    pictures: list[_Picture] = []
    clips = trained.cache.of_split("test")
    shown = set(clips["clip_id"].iloc[evenly_spaced(len(clips), study.saliency.pictures)])
    with progress(
        f"saliency {name}, seed {seed}", len(clips) * len(conditions), "clips"
    ) as advance:
        for clip in clips.itertuples():
            places = evenly_spaced(clip.n_frames, study.saliency.frames_per_clip)
            for condition in conditions:
                found = _clip(trained, layers, condition, clip, clip.start + places, study)
                for row, picture in found:
                    rows.append(row)
                    if clip.clip_id in shown:
                        pictures.append(picture)
                advance()
    path = results.saliency(name, seed)
    table = pd.DataFrame(rows, columns=COLUMNS)
    write_if_changed(path, table.to_csv(index=False, lineterminator="\n", float_format="%.6g"))
    _write_pictures(results.saliency_pictures(name, seed), pictures)
    return path


def _say_that_nothing_is_seen(trained: Trained, asked_for: bool) -> None:
    text = (
        f"model {trained.model.name!r} ({trained.model.architecture}): its streams do not see "
        "single pictures, so there is no map of where they look"
    )
    if asked_for:
        raise StudyError(f"{text}; leave it out of saliency.models")
    log.info(text)


def _clip(
    trained: Trained,
    layers: dict[str, str],
    condition: str,
    clip: pd.Series,
    positions: np.ndarray,
    study: Study,
) -> Iterator[tuple[dict[str, object], _Picture]]:
    """Yield a row and a picture for every stream that sees something of this version."""
    reading = headline(trained.network.readings(condition), trained.model.absent_part)
    label = trained.classes.index(clip.action) if study.saliency.target == "right" else None
    heats = grad_cam(trained, reading, layers, positions, label)
    body = trained.cache.take(MASKS, positions)[..., 0] > 127  # (T, S, S)
    middle = len(positions) // 2
    for stream, heat in heats.items():
        share, without = share_inside(heat, body)
        row = {
            "observer": trained.observer,
            "group": trained.model.name,
            "condition": condition,
            "stream": stream,
            "clip_id": clip.clip_id,
            "action": clip.action,
            "n_frames": len(positions),
            "share_in_body": share,
            "body_share": float(body.mean()),
            "no_evidence": without,
        }
        frame = trained.cache.take(seen_by(reading, stream), positions[middle : middle + 1])[0]
        yield (
            row,
            _Picture(
                clip.clip_id,
                clip.action,
                condition,
                stream,
                frame,
                _to_one(heat[middle]),
                body[middle],
            ),
        )


def grad_cam(
    trained: Trained,
    reading: Reading,
    layers: dict[str, str],
    positions: np.ndarray,
    label: int | None,
) -> dict[str, np.ndarray]:
    """Return where each stream of a reading finds evidence for a class.

    Parameters
    ----------
    trained : Trained
    reading : dict
        What each stream sees; streams that see the blank frame or optical flow are left out.
    layers : dict of str to str
        The layer of each stream, see `models.layers.last_map`.
    positions : ndarray of int
        Frames in the cache, (T,).
    label : int, optional
        The class; by default the network's own answer to each frame.

    Returns
    -------
    dict of str to ndarray
        (T, S, S) float32 from 0 up, by stream.
    """
    network = trained.network
    frames = trained.frames(reading, positions)
    looked_at = [
        stream for stream in layers if (view := seen_by(reading, stream)) and not is_flow(view)
    ]
    for seen in frames.values():
        # Evidence is a gradient: it needs a path to the layer even where weights are frozen.
        seen.requires_grad_(True)
    wanted = [layers[stream] for stream in looked_at]
    with torch.enable_grad(), outputs_of(network, wanted) as outputs:
        scores = network(frames)[COMBINED]
        chosen = scores.argmax(dim=1) if label is None else torch.full((len(scores),), label)
        evidence = scores.gather(1, chosen.to(scores.device)[:, None]).sum()
        gradients = torch.autograd.grad(evidence, [outputs[layer] for layer in wanted])
    return {
        stream: _heat(outputs[layer], gradient, network.image_size)
        for stream, layer, gradient in zip(looked_at, wanted, gradients, strict=True)
    }


def _heat(output: Tensor, gradient: Tensor, side: int) -> np.ndarray:
    maps, slopes = as_map(output.detach()), as_map(gradient)
    weights = slopes.mean(dim=(2, 3), keepdim=True)  # (T, C, 1, 1)
    heat = torch.relu((weights * maps).sum(dim=1, keepdim=True))  # (T, 1, h, w)
    heat = torch.nn.functional.interpolate(
        heat.float(), size=(side, side), mode="bilinear", align_corners=False
    )
    return heat[:, 0].cpu().numpy()


def share_inside(heat_thw: np.ndarray, body_thw: np.ndarray) -> tuple[float, float]:
    """Return the mean share of the maps that falls on the body, and the share of empty maps.

    Parameters
    ----------
    heat_thw : ndarray of float
        (T, S, S), from 0 up.
    body_thw : ndarray of bool
        (T, S, S).

    Returns
    -------
    share_in_body : float
        Mean over the frames with any evidence; NaN where no frame has.
    no_evidence : float
        Share of frames whose map is zero everywhere.
    """
    total = heat_thw.sum(axis=(1, 2), dtype=np.float64)
    inside = (heat_thw * body_thw).sum(axis=(1, 2), dtype=np.float64)
    has = total > 0
    share = float((inside[has] / total[has]).mean()) if has.any() else float("nan")
    return share, float(1 - has.mean())


def _to_one(heat: np.ndarray) -> np.ndarray:
    """Scale a map to 0..1, for a picture; an empty one stays empty."""
    return heat / max(float(heat.max()), np.finfo(np.float32).tiny)


def _write_pictures(path: Path, pictures: list[_Picture]) -> None:
    with whole_file(path) as partial:
        np.savez_compressed(
            partial,
            clip_id=np.array([each.clip_id for each in pictures], dtype=str),
            action=np.array([each.action for each in pictures], dtype=str),
            condition=np.array([each.condition for each in pictures], dtype=str),
            stream=np.array([each.stream for each in pictures], dtype=str),
            frame=np.array([each.frame for each in pictures], dtype=np.uint8),
            heat=np.array([each.heat for each in pictures], dtype=np.float16),
            mask=np.array([each.mask for each in pictures], dtype=bool),
        )
