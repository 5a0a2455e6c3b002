"""A small study that is like the whole one: a few of its own clips, or such as can stand in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cluster.counts import Counts
from stimuli.datasets import Source, find_sources
from stimuli.masks import find_mask_file
from stimuli.segmentation.weights import find_weights
from study.config import Study
from study.errors import StudyError
from study.fields import FolderData, Masks, SourceFolder, Split, SyntheticData
from study.results import Results

ACTIONS, CLIPS_OF_ACTION = 3, 3
# Frames of a clip: enough that a frame's cost shows.
MOST_FRAMES = 40
# No clip is left out.
EVERY_CLIP: dict[str, Any] = {"persons": "main", "min_visible": 0.0, "min_quality": 0.0}


@dataclass(frozen=True)
class Sample:
    """What is measured on.

    Attributes
    ----------
    segmented : Study, optional
        Its clips get masks as the whole study's do; None where that cannot be done here.
    made : Study
        Its clips are made into versions; `segmented` itself, or clips with known masks.
    said : list of str
        What was taken, and why something is not measured.
    """

    segmented: Study | None
    made: Study
    said: list[str]


def sample_of(study: Study, results: Results, counts: Counts, folder: Path) -> Sample:
    """Take a few clips of a study.

    Parameters
    ----------
    study : Study
    results : Results
        Of the whole study.
    counts : Counts
        Of the whole study.
    folder : Path
        An empty one, in which links to the clips are made.
    """
    if isinstance(study.dataset, SyntheticData):
        small = _small(study, _world(study, counts), counts)
        return Sample(small, small, [f"measured on {ACTIONS * CLIPS_OF_ACTION} of its clips"])
    said = []
    try:
        small, n_clips = _linked(study, results, counts, folder)
        said.append(f"measured on {n_clips} of its clips")
    except StudyError as error:
        small = _small(study, _world(study, counts), counts)
        width, height = counts.probe.size_wh
        said.append(
            f"measured on drawn clips of {width} x {height} pixels, as the data set is not here "
            f"({str(error).splitlines()[0]})"
        )
    missing = _why_not_segmented(small)
    if missing:
        said.append(f"segmentation is not measured: {missing}")
    if small.dataset.kind == "synthetic" or missing:
        drawn = _small(study, _world(study, counts), counts)
        known = drawn.model_copy(update={"masks": Masks(source="truth")})
        return Sample(None if missing else small, known, said)
    return Sample(small, small, said)


def _world(study: Study, counts: Counts) -> SyntheticData:
    """Return drawn clips as many and as large as are measured."""
    width, height = counts.probe.size_wh
    fields = {
        "kind": "synthetic",
        "n_actions": ACTIONS,
        "clips_per_action": CLIPS_OF_ACTION,
        "width": int(np.clip(width, 64, 1280)),
        "height": int(np.clip(height, 36, 720)),
        "fps": min(60.0, study.versions.fps or 25.0),
        "n_frames": min(MOST_FRAMES, max(1, round(counts.probe.frames))),
    }
    if isinstance(study.dataset, SyntheticData):
        data = study.dataset
        fields |= {"fps": data.fps, "width": data.width, "height": data.height}
        fields |= {"scene_validity": data.scene_validity, "camera_motion": data.camera_motion}
    return SyntheticData(**fields)


def _small(study: Study, data: SyntheticData | FolderData, counts: Counts) -> Study:
    """Return the study on other data, of which long clips are cut."""
    rate = counts.probe.frames / counts.probe.seconds
    seconds = min(study.versions.max_seconds, MOST_FRAMES / rate)
    return study.model_copy(
        update={
            "dataset": data,
            "split": Split(),
            "masks": study.masks.model_copy(update=EVERY_CLIP),
            "versions": study.versions.model_copy(update={"max_seconds": seconds}),
        }
    )


def _linked(study: Study, results: Results, counts: Counts, folder: Path) -> tuple[Study, int]:
    """Link to clips of a few actions, and to their masks and key points where these are files."""
    chosen = _few(find_sources(study, results), study.seed)
    clips = folder / "clips"
    masks = study.masks
    for source in chosen:
        _link(source.path, clips / source.action / source.path.name)
        for name in ("path", "keypoints"):
            lies_in = getattr(masks, name)
            if lies_in is not None:
                found = find_mask_file(lies_in, source.action, source.path.stem)
                _link(found, folder / name / source.action / found.name)
    moved = {name: folder / name for name in ("path", "keypoints") if getattr(masks, name)}
    data = FolderData(kind="folder", folders=[SourceFolder(path=clips)], min_clips=1)
    small = _small(study, data, counts)
    return small.model_copy(update={"masks": small.masks.model_copy(update=moved)}), len(chosen)


def _few(sources: Sequence[Source], seed: int) -> list[Source]:
    """Draw some actions with enough clips, and the same number of clips of each."""
    by_action: dict[str, list[Source]] = defaultdict(list)
    for source in sources:
        by_action[source.action].append(source)
    large = [clips for clips in by_action.values() if len(clips) >= CLIPS_OF_ACTION]
    if not large:
        raise StudyError(f"no action has {CLIPS_OF_ACTION} clips")
    rng = np.random.default_rng([seed, len(sources)])
    actions = [large[place] for place in sorted(rng.permutation(len(large))[:ACTIONS])]
    return [
        clips[place]
        for clips in actions
        for place in sorted(rng.permutation(len(clips))[:CLIPS_OF_ACTION])
    ]


def _link(source: Path, link: Path) -> None:
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(source.resolve())


def _why_not_segmented(study: Study) -> str:
    """Return why the clips of a small study get no masks here, or nothing if they do."""
    masks = study.masks
    if masks.source == "files" and study.dataset.kind == "synthetic":
        return "its mask files are not here"
    if masks.source != "yolo":
        return ""
    try:
        find_weights(masks.weights)
    except StudyError as error:
        return str(error).splitlines()[0]
    return ""
