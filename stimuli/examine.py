"""The first look at a clip: what it is, and where the person is in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stimuli.masks import PersonMasks, find_mask_file, read_mask_file, read_masks, write_masks
from stimuli.segment import at_frame_size, segmenter
from stimuli.track import main_person
from stimuli.video import Timing, iter_frames, read_timing
from study.fields import Masks
from study.files import key_of, sha256_of

# These fields judge what was found, or say how to compute; they change no mask.
NO_MASK_CHANGE = {"persons", "min_visible", "device", "batch_size", "path"}
YOLO_ONLY = {"weights", "confidence", "image_size"}

# Raised when the same settings give other masks than before, so that clips are examined anew.
REVISION = 1


@dataclass(frozen=True)
class ExamineJob:
    """A clip to look at.

    Attributes
    ----------
    video : Path
        The video or photograph.
    action, stem : str
        Where its mask file lies, if there is one.
    target : Path
        Where the masks go.
    masks : Masks
        Settings; for true masks `path` is their folder.
    fps, max_seconds : float
        As in the settings of the versions.
    weights_sha256 : str
        Of the segmenter, for the provenance; empty without one.
    threads : int
        CPU threads of the segmenter.
    """

    video: Path
    action: str
    stem: str
    target: Path
    masks: Masks
    fps: float | None
    max_seconds: float
    weights_sha256: str = ""
    threads: int = 1


@dataclass(frozen=True)
class Examined:
    """What is known of a clip.

    Attributes
    ----------
    n_frames, fps, width, height
        Frames used and their rate; size of the source.
    n_persons_max : int
        Most persons in one frame, -1 where the masks do not tell.
    n_one_person : int
        Frames with exactly one person (all of them where the masks do not tell).
    n_found : int
        Frames in which the main person was found.
    person_share : float
        Mean share of the picture that is person.
    mask_sha256 : str
        Of the mask file.
    """

    n_frames: int
    fps: float
    width: int
    height: int
    n_persons_max: int
    n_one_person: int
    n_found: int
    person_share: float
    mask_sha256: str


def mask_settings(masks: Masks, weights_sha256: str) -> dict[str, Any]:
    """Return the settings that change a mask, the weights by their content."""
    dropped = NO_MASK_CHANGE | (set() if masks.source == "yolo" else YOLO_ONLY)
    settings = masks.model_dump(mode="json", exclude=dropped)
    if masks.source == "yolo":
        settings["weights"] = {"file": masks.weights.name, "sha256": weights_sha256}
    return settings


def examine_key(job: ExamineJob, source_sha256: str) -> str:
    """Return a key that changes when the clip would look different from before."""
    mask_files = []
    if job.masks.path is not None and job.masks.source != "yolo":
        base = job.masks.path / job.action / job.stem
        mask_files = [_stamp(base.with_name(base.name + end)) for end in (".npz", ".png", "")]
    settings = mask_settings(job.masks, job.weights_sha256)
    return key_of(REVISION, source_sha256, settings, job.fps, job.max_seconds, mask_files)


def examine(job: ExamineJob) -> dict[str, Any]:
    """Find the person and write the masks; return `Examined` as plain data.

    Raises
    ------
    StudyError
        When clip or mask file is unreadable, truncated or does not fit.
    """
    timing = read_timing(job.video, job.fps, job.max_seconds)
    masks = MASK_SOURCES[job.masks.source](job, timing)
    write_masks(job.target, masks)
    width, height = timing.size_wh
    n_one_person = int(((masks.n_persons == 1) | (masks.n_persons < 0)).sum())
    examined = Examined(
        n_frames=len(timing.shown_s),
        fps=float(timing.fps),
        width=width,
        height=height,
        n_persons_max=int(masks.n_persons.max()),
        n_one_person=n_one_person,
        n_found=int(masks.found.sum()),
        person_share=float(masks.masks_thw.mean()),
        mask_sha256=sha256_of(job.target),
    )
    return asdict(examined)


def _from_truth(job: ExamineJob, timing: Timing) -> PersonMasks:
    truth = read_masks(job.masks.path / job.action / f"{job.stem}.npz")
    shown = timing.shown_index
    return PersonMasks(truth.masks_thw[shown], truth.n_persons[shown], truth.provenance)


def _from_files(job: ExamineJob, timing: Timing) -> PersonMasks:
    return read_mask_file(find_mask_file(job.masks.path, job.action, job.stem), timing)


def _from_yolo(job: ExamineJob, timing: Timing) -> PersonMasks:
    network = segmenter(job.masks.model_dump_json(), job.threads)
    persons = list(network.persons(iter_frames(job.video, timing)))
    masks = np.zeros((len(persons), *timing.size_wh[::-1]), bool)
    for number, instance in enumerate(main_person([frame.instances for frame in persons])):
        if instance is not None:
            inner = instance.in_frame(persons[number].size_wh)
            masks[number] = at_frame_size(inner, timing.size_wh)
    n_persons = np.array([len(frame.instances) for frame in persons])
    return PersonMasks(masks, n_persons, mask_settings(job.masks, job.weights_sha256))


MASK_SOURCES: dict[str, Callable[[ExamineJob, Timing], PersonMasks]] = {
    "truth": _from_truth,
    "files": _from_files,
    "yolo": _from_yolo,
}


def _stamp(path: Path) -> list[Any]:
    """Return what tells a changed mask file, or folder of them, from an unchanged one."""
    files = sorted(path.glob("*.png")) if path.is_dir() else [path] if path.is_file() else []
    stats = ((file.name, file.stat()) for file in files)
    return [[name, stat.st_size, stat.st_mtime_ns] for name, stat in stats]
