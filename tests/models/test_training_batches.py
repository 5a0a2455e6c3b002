"""Batches: drawn from seed and step alone, the right pixels, labels, blanks and mixtures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from models.architectures import build_network
from models.batches import Batch, Batches, trained_views
from models.draws import Drawer, partners, parts_of
from models.frame_sources import DeviceFrames, HostFrames
from models.frames import FrameCache
from models.loss import IGNORED, loss_terms
from models.network import Network
from models.sampling import BalancedSampler
from models.views import BLANK
from study.fields import Model, Training

SIDE, N_CLIPS, N_FRAMES = 16, 6, 5
CLASSES = ["a", "b", "c"]
VERSIONS = ("body_background", "body_only", "background_only")
PLAIN = {"image_size": SIDE, "batch_size": 12, "color_jitter": 0.0, "blur": 0.0}


@pytest.fixture
def cache() -> FrameCache:
    """Frames of one gray each, which tells version and position; never black but the blank."""
    n = N_CLIPS * N_FRAMES
    clips = pd.DataFrame(
        {
            "clip_id": [f"clip{index}" for index in range(N_CLIPS)],
            "action": CLASSES * 2,
            "split": "train",
            "start": np.arange(N_CLIPS) * N_FRAMES,
            "n_frames": N_FRAMES,
        }
    )
    grays = {name: 10 + 80 * index + np.arange(n) for index, name in enumerate(VERSIONS)}
    frames = {
        name: np.broadcast_to(gray[:, None, None, None], (n, SIDE, SIDE, 3)).astype(np.uint8)
        for name, gray in grays.items()
    }
    frames[BLANK] = np.zeros((1, SIDE, SIDE, 3), np.uint8)
    return FrameCache(clips, frames, {BLANK: np.zeros(n, int)})


def _made(
    cache: FrameCache,
    architecture: str,
    rows: slice = slice(None),
    source: Any = HostFrames,
    steps: range = range(4),
    seed: int = 0,
    training: dict[str, Any] | None = None,
    n_frames: int = 1,
    **model: Any,
) -> tuple[list[Batch], Drawer, Network]:
    settings = Model(name="network", architecture=architecture, backbone="tiny", **model)
    in_force = Training(**PLAIN | (training or {}))
    network = build_network(settings, len(CLASSES), SIDE, 0)
    network.n_frames = n_frames
    sampler = BalancedSampler(cache.of_split("train"), CLASSES)
    drawer = Drawer(sampler, network, settings, in_force, seed)
    device = torch.device("cpu")
    if source is DeviceFrames:
        frames = DeviceFrames(cache, device, trained_views(network, drawer.blank_share > 0))
    else:
        frames = HostFrames(cache, device)
    batches = Batches(network, drawer, frames, rows, device)
    return list(batches.run(steps)), drawer, network


def _grays(frames: torch.Tensor) -> np.ndarray:
    """Return the gray (B,) of even frames, 0..255."""
    flat = frames.flatten(1)
    torch.testing.assert_close(flat.amax(1), flat.amin(1))
    return (flat.mean(dim=1) * 255).round().int().numpy()


def test_streams_see_the_same_moment_in_their_versions(cache: FrameCache) -> None:
    batches, drawer, _ = _made(cache, "domainnet")
    for batch in batches:
        draws = drawer.at(batch.step)
        assert np.array_equal(_grays(batch.frames["body"]), 90 + draws.positions)
        assert np.array_equal(_grays(batch.frames["background"]), 170 + draws.positions)
        assert np.array_equal(batch.labels["combined"], draws.positions // N_FRAMES % 3)
    assert len({tuple(drawer.at(step).positions) for step in range(4)}) == 4


@pytest.mark.parametrize("source", [HostFrames, DeviceFrames])
def test_readings_are_drawn_frame_by_frame(cache: FrameCache, source: Any) -> None:
    batches, drawer, _ = _made(cache, "domainnet_random", source=source)
    exchanged = []
    for batch in batches:
        draws = drawer.at(batch.step)
        body, background = (_grays(batch.frames[name]) for name in ("body", "background"))
        assert np.array_equal(body, np.where(draws.reading, 170, 90) + draws.positions)
        assert np.array_equal(background, np.where(draws.reading, 90, 170) + draws.positions)
        exchanged.append(draws.reading.mean())
    assert 0.2 < np.mean(exchanged) < 0.8


def test_a_batch_follows_from_seed_and_step_alone(cache: FrameCache) -> None:
    strong = {"color_jitter": 0.5, "blur": 0.5, "flip": True, "shift": 0.2, "mixup": 0.4}
    kind: dict[str, Any] = {"training": strong, "blank_share": 0.4}
    batches, _, _ = _made(cache, "domainnet", **kind)
    (later,), _, _ = _made(cache, "domainnet", steps=range(3, 4), **kind)
    (other,), _, _ = _made(cache, "domainnet", steps=range(3, 4), seed=1, **kind)
    for name, frames in batches[3].frames.items():
        assert torch.equal(frames, later.frames[name])
        assert not torch.equal(frames, other.frames[name])
    for name, labels in batches[3].labels.items():
        assert torch.equal(labels, later.labels[name])


def test_frames_lie_in_memory_as_convolutions_like_them(cache: FrameCache) -> None:
    strong = {"color_jitter": 0.5, "blur": 1.0, "flip": True, "shift": 0.2, "mixup": 0.4}
    for architecture in ("domainnet", "domainnet_random"):
        (batch,), _, _ = _made(
            cache, architecture, steps=range(1), training=strong, blank_share=0.5
        )
        for frames in batch.frames.values():
            assert frames.is_contiguous(memory_format=torch.channels_last)


def test_rows_of_all_processes_make_the_batch(cache: FrameCache) -> None:
    strong = {"color_jitter": 0.5, "flip": True, "shift": 0.2, "mixup": 0.4}
    kind: dict[str, Any] = {"training": strong, "blank_share": 0.4, "steps": range(2)}
    whole, _, _ = _made(cache, "domainnet", **kind)
    parts = [_made(cache, "domainnet", slice(*rows), **kind)[0] for rows in ((0, 4), (4, 12))]
    for batch, first, second in zip(whole, *parts, strict=True):
        assert first.share + second.share == pytest.approx(1)
        assert first.counted == second.counted == batch.counted
        for name, frames in batch.frames.items():
            joined = torch.cat([first.frames[name], second.frames[name]])
            torch.testing.assert_close(joined, frames)
        for name, labels in batch.labels.items():
            assert torch.equal(torch.cat([first.labels[name], second.labels[name]]), labels)


def test_of_a_share_of_frames_one_stream_sees_the_blank(cache: FrameCache) -> None:
    batches, _, _ = _made(cache, "domainnet", blank_share=0.5, steps=range(40))
    blank = {
        name: np.concatenate([_grays(batch.frames[name]) == 0 for batch in batches])
        for name in ("body", "background")
    }
    assert not (blank["body"] & blank["background"]).any()
    assert blank["body"].mean() == pytest.approx(0.25, abs=0.07)
    assert blank["background"].mean() == pytest.approx(0.25, abs=0.07)
    for name, seen in blank.items():
        labels = torch.cat([batch.labels[name] for batch in batches]).numpy()
        assert np.array_equal(labels == IGNORED, seen)
        counted = sum(batch.counted[name] for batch in batches)
        assert counted == (~seen).sum()
    assert all((batch.labels["combined"] != IGNORED).all() for batch in batches)


def test_streams_that_lack_a_part_together_are_blanked_together() -> None:
    class Four(Network):
        trained_on = ({"b": "body_only", "bf": "body_only", "s": "background_only"},)

        def readings(self, condition: str) -> dict[str, dict[str, str]]:
            if condition == "body_only":
                return {"blank": {"b": condition, "bf": condition, "s": BLANK}}
            if condition == "background_only":
                return {"blank": {"b": BLANK, "bf": BLANK, "s": condition}}
            return {}

    network = Four(Model(name="four", architecture="baseline"), 2, SIDE)
    assert set(parts_of(network)) == {frozenset(["s"]), frozenset(["b", "bf"])}


def test_frames_and_labels_are_mixed_in_pairs(cache: FrameCache) -> None:
    batches, drawer, _ = _made(cache, "baseline", training={"mixup": 0.5}, steps=range(3))
    assert partners(4).tolist() == [1, 0, 3, 2]
    for batch in batches:
        draws = drawer.at(batch.step)
        alone = 10.0 + draws.positions
        swapped = alone.reshape(-1, 2)[:, ::-1].ravel()
        expected = draws.share * alone + (1 - draws.share) * swapped
        np.testing.assert_allclose(_grays(batch.frames["whole"]), expected, atol=1)
        labels = batch.labels["combined"].numpy()
        np.testing.assert_allclose(labels.sum(axis=1), 1, rtol=1e-6)
        classes = np.eye(3)[draws.labels]
        other = classes.reshape(-1, 2, 3)[:, ::-1].reshape(-1, 3)
        mixed = draws.share * classes + (1 - draws.share) * other
        np.testing.assert_allclose(labels, mixed, atol=1e-6)


def test_networks_of_clips_get_frames_in_order(cache: FrameCache) -> None:
    strong = {"color_jitter": 0.3, "shift": 0.2, "flip": True}
    (plain, *_), drawer, _ = _made(cache, "domainnet", n_frames=3)
    assert plain.frames["body"].shape == (12, 3, 3, SIDE, SIDE)
    flat = _grays(plain.frames["body"].flatten(0, 1)).reshape(12, 3)
    assert np.array_equal(flat, 90 + drawer.at(0).positions)
    assert (np.diff(flat, axis=1) == 1).all()
    (changed, *_), _, _ = _made(cache, "domainnet", n_frames=3, training=strong)
    black = (changed.frames["body"] == 0).all(dim=2)
    # Shifted alike in all frames of a clip.
    assert black.any() and torch.equal(black[:, 0], black[:, 2])


def test_ignored_frames_are_left_out_of_a_term() -> None:
    scores = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    classes = torch.tensor([0, IGNORED, 2, IGNORED])
    log = torch.log_softmax(scores, dim=1)
    expected = -(log[0, 0] + log[2, 2]) / 2
    found = loss_terms({"body": scores}, {"body": classes, "combined": classes})["body"]
    torch.testing.assert_close(found, expected)
    shares = torch.zeros(4, 3)
    shares[0, 0] = shares[2, 2] = 1
    torch.testing.assert_close(loss_terms({"body": scores}, {"body": shares})["body"], expected)
    # With smoothing, a frame that is left out must not bring in the even part of the target.
    smoothed = -(0.9 * log[[0, 2], [0, 2]] + 0.1 * log[[0, 2]].mean(dim=1)).mean()
    for labels in (classes, shares):
        found = loss_terms({"body": scores}, {"body": labels}, label_smoothing=0.1)["body"]
        torch.testing.assert_close(found, smoothed)


def test_terms_of_parts_of_a_batch_add_up_to_those_of_the_batch() -> None:
    scores = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([0, 1, IGNORED, 2, 0, 1])
    whole = loss_terms({"combined": scores, "area": torch.tensor(3.0)}, {"combined": labels})
    halves = [
        loss_terms(
            {"combined": scores[rows], "area": torch.tensor(3.0)},
            {"combined": labels[rows]},
            counted={"combined": 5.0},
            share=share,
        )
        for rows, share in ((slice(0, 2), 1 / 3), (slice(2, 6), 2 / 3))
    ]
    for name, value in whole.items():
        torch.testing.assert_close(halves[0][name] + halves[1][name], value)


def test_errors_of_the_thread_arrive(cache: FrameCache, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise OSError("the disk is gone")

    monkeypatch.setattr(FrameCache, "take", broken)
    with pytest.raises(OSError, match="the disk is gone"):
        _made(cache, "baseline")
