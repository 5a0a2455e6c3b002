"""The first look at a clip: what it is, where the person is, and how well that is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from stimuli.masks import (
    UNKNOWN,
    PersonMasks,
    find_mask_file,
    read_mask_file,
    read_masks,
    write_masks,
)
from stimuli.parallel import Failed
from stimuli.segmentation.clip import Found, follow
from stimuli.segmentation.own import masks_of_own_segmenter, segmenter_sha256
from stimuli.segmentation.person import Instance
from stimuli.segmentation.quality import Quality, area_jumps, edge_agreement, frames_to_look_at
from stimuli.segmentation.yolo import Segmenter, segmenter
from stimuli.video import Timing, iter_frames, read_timing
from study.errors import StudyError
from study.fields import Masks
from study.files import key_of, sha256_of

# Only these fields of the settings change a mask; the others judge what was found, or say how to
# compute. Mask files and the file of a callable enter by their content.
CHANGE_MASKS = {
    "truth": {"source"},
    "files": {"source"},
    "yolo": {"source", "confidence", "image_size", "fill_gaps", "smooth"},
    "callable": {"source", "segmenter"},
}

# Raised when the same settings give other masks than before, so that clips are examined anew.
REVISION = 2


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
        Frames with a mask of the main person, those filled in included.
    person_share : float
        Mean share of the picture that is person.
    mask_sha256 : str
        Of the mask file.
    mask_quality, mask_confidence, edge_agreement, area_jumps, share_filled : float
        How well the person was found, see `stimuli.segmentation.quality`; what is not known of
        masks counts as good (a confidence of 1, nothing filled).
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
    mask_quality: float = 1.0
    mask_confidence: float = 1.0
    edge_agreement: float = 1.0
    area_jumps: float = 0.0
    share_filled: float = 0.0


def mask_settings(masks: Masks, weights_sha256: str) -> dict[str, Any]:
    """Return the settings that change a mask, weights and code by their content."""
    settings = masks.model_dump(mode="json", include=CHANGE_MASKS[masks.source])
    if masks.source == "yolo":
        settings["weights"] = {"file": masks.weights.name, "sha256": weights_sha256}
    if masks.source == "callable":
        settings["segmenter_sha256"] = segmenter_sha256(masks.segmenter)
    return settings


def examine_key(job: ExamineJob, source_sha256: str) -> str:
    """Return a key that changes when the clip would look different from before."""
    mask_files = []
    if job.masks.path is not None and job.masks.source in ("truth", "files"):
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
    return _written(job, timing, *MASK_SOURCES[job.masks.source](job, timing))


def examine_together(jobs: Sequence[ExamineJob]) -> list[dict[str, Any] | Failed]:
    """Examine clips whose frames go through the network together, for photographs.

    Each clip comes out as it would alone. A clip that cannot be read is a `Failed` of its own.
    """
    network = _network(jobs[0])
    read = [_frames_or_failure(job, network) for job in jobs]
    frames = [one for clip in read if not isinstance(clip, Failed) for one in clip[1]]
    persons = iter(network.persons(frames))
    outcomes: list[dict[str, Any] | Failed] = []
    for job, clip in zip(jobs, read, strict=True):
        if isinstance(clip, Failed):
            outcomes.append(clip)
            continue
        timing, scaled = clip
        of_clip = [next(persons) for _ in scaled]
        outcomes.append(_written(job, timing, *_followed(job, timing, network, scaled, of_clip)))
    return outcomes


Looked = tuple[Found, Mapping[int, np.ndarray]]


def _written(
    job: ExamineJob, timing: Timing, found: Found, frames: Mapping[int, np.ndarray]
) -> dict[str, Any]:
    """Write the masks and say what is known of the clip, judged by a few of its frames."""
    masks = found.masks
    write_masks(job.target, masks)
    width, height = timing.size_wh
    quality = Quality(
        mask_confidence=found.confidence,
        edge_agreement=edge_agreement(masks.masks_thw, frames),
        area_jumps=area_jumps(masks.masks_thw),
        share_filled=found.share_filled,
        share_missing=float(1 - masks.found.mean()),
    )
    examined = Examined(
        n_frames=len(timing.shown_s),
        fps=float(timing.fps),
        width=width,
        height=height,
        n_persons_max=int(masks.n_persons.max()),
        n_one_person=int(((masks.n_persons == 1) | (masks.n_persons < 0)).sum()),
        n_found=int(masks.found.sum()),
        person_share=float(masks.masks_thw.mean()),
        mask_sha256=sha256_of(job.target),
        mask_quality=quality.mask_quality,
        mask_confidence=quality.mask_confidence,
        edge_agreement=quality.edge_agreement,
        area_jumps=quality.area_jumps,
        share_filled=quality.share_filled,
    )
    return asdict(examined)


def _from_truth(job: ExamineJob, timing: Timing) -> Looked:
    truth = read_masks(job.masks.path / job.action / f"{job.stem}.npz")
    shown = timing.shown_index
    masks = PersonMasks(truth.masks_thw[shown], truth.n_persons[shown], truth.provenance)
    return Found(masks), _frames_looked_at(job, timing, masks)


def _from_files(job: ExamineJob, timing: Timing) -> Looked:
    masks = read_mask_file(find_mask_file(job.masks.path, job.action, job.stem), timing)
    return Found(masks), _frames_looked_at(job, timing, masks)


def _from_callable(job: ExamineJob, timing: Timing) -> Looked:
    frames = np.stack(list(iter_frames(job.video, timing)))
    found = masks_of_own_segmenter(job.masks.segmenter, frames)
    provenance = mask_settings(job.masks, job.weights_sha256)
    masks = PersonMasks(found, np.full(len(found), UNKNOWN), provenance)
    return Found(masks), {number: frames[number] for number in frames_to_look_at(masks.found)}


def _from_yolo(job: ExamineJob, timing: Timing) -> Looked:
    network = _network(job)
    frames = [network.scaled(frame) for frame in iter_frames(job.video, timing)]
    return _followed(job, timing, network, frames, network.persons(frames))


def _followed(
    job: ExamineJob,
    timing: Timing,
    network: Segmenter,
    frames: Sequence[np.ndarray],
    persons: Sequence[list[Instance]],
) -> Looked:
    found = follow(network.persons, frames, persons, timing.size_wh, job.masks)
    provenance = mask_settings(job.masks, job.weights_sha256)
    found = replace(found, masks=replace(found.masks, provenance=provenance))
    looked_at = frames_to_look_at(found.masks.found)
    return found, {number: frames[number] for number in looked_at}


MASK_SOURCES: dict[str, Callable[[ExamineJob, Timing], Looked]] = {
    "truth": _from_truth,
    "files": _from_files,
    "yolo": _from_yolo,
    "callable": _from_callable,
}


def _network(job: ExamineJob) -> Segmenter:
    return segmenter(job.masks.model_dump_json(), job.threads)


def _frames_or_failure(
    job: ExamineJob, network: Segmenter
) -> tuple[Timing, list[np.ndarray]] | Failed:
    try:
        timing = read_timing(job.video, job.fps, job.max_seconds)
        return timing, [network.scaled(frame) for frame in iter_frames(job.video, timing)]
    except StudyError as error:
        return Failed(str(error), lasting=True)


def _frames_looked_at(job: ExamineJob, timing: Timing, masks: PersonMasks) -> dict[int, np.ndarray]:
    """Read the few frames by which masks from elsewhere are judged."""
    wanted = set(frames_to_look_at(masks.found))
    frames = enumerate(iter_frames(job.video, timing))
    return {number: frame for number, frame in frames if number in wanted}


def _stamp(path: Path) -> list[Any]:
    """Return what tells a changed mask file, or folder of them, from an unchanged one."""
    files = sorted(path.glob("*.png")) if path.is_dir() else [path] if path.is_file() else []
    stats = ((file.name, file.stat()) for file in files)
    return [[name, stat.st_size, stat.st_mtime_ns] for name, stat in stats]
