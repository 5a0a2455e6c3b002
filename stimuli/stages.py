"""The stages from clips to stimuli; each does what is missing or changed and keeps the rest."""

from __future__ import annotations

import logging
from collections.abc import Container, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from stimuli.bundles import examine_all
from stimuli.contact_sheet import SheetJob, draw_sheet
from stimuli.datasets import Source
from stimuli.examine import Examined, ExamineJob, examine_key
from stimuli.index import Index, is_lasting
from stimuli.make import (
    ClipFiles,
)
from stimuli.parallel import Failed, outcomes
from stimuli.point_light import keypoint_file
from stimuli.segmentation.weights import find_weights
from stimuli.segmentation.yolo import choose_device
from stimuli.synthetic import render, render_jobs
from stimuli.video import is_photo
from study.config import Study
from study.errors import StudyError
from study.files import key_of, names_in, sha256_of, stamp_of
from study.machine import usable_cores
from study.results import Results

log = logging.getLogger("bodyscene")


@dataclass
class Batch:
    """One run over one data set.

    Attributes
    ----------
    study, results, processes, index
        What to make, where, with how many processes, and what is there already.
    failures : dict of str to str
        Clip id to why it failed, filled by the stages.
    cannot_lend : dict of str to str
        Clip id to why its background cannot take the place of another's.
    made : set of (str, str)
        Clip id and condition of the versions made.
    blank_if_all_hidden : bool
        See `stimuli.make.MakeJob`.
    is_shard : bool
        Others make the other clips, and read in the index how each of these ended: failures that
        need not come again are recorded too.
    """

    study: Study
    results: Results
    processes: int
    index: Index
    failures: dict[str, str] = field(default_factory=dict)
    cannot_lend: dict[str, str] = field(default_factory=dict)
    made: set[tuple[str, str]] = field(default_factory=set)
    blank_if_all_hidden: bool = False
    is_shard: bool = False

    def masks_of(self, source: Source) -> Path:
        """Where the masks of a clip lie."""
        return self.results.masks / source.action / f"{source.clip_id}.npz"

    def files_of(self, source: Source, examined: Examined, source_sha256: str) -> ClipFiles:
        """Return a clip as the files that versions are made of."""
        return ClipFiles(
            clip_id=source.clip_id,
            action=source.action,
            video=source.path,
            masks=self.masks_of(source),
            source_wh=(examined.width, examined.height),
            source_sha256=source_sha256,
            mask_sha256=examined.mask_sha256,
            keypoints=self._keypoints_of(source),
        )

    def stimulus_of(self, clip: ClipFiles | Source, condition: str) -> Path:
        """Where a version of a clip lies: a photograph stays one."""
        video = clip.path if isinstance(clip, Source) else clip.video
        suffix = ".png" if is_photo(video) else ".mp4"
        return self.results.stimuli / condition / clip.action / f"{clip.clip_id}{suffix}"

    def _keypoints_of(self, source: Source) -> Path | None:
        folder = self.study.masks.keypoints
        if folder is None and self.study.dataset.kind == "synthetic":
            folder = self.results.sources / "keypoints"
        return keypoint_file(folder, source.action, source.path.stem) if folder else None


def render_synthetic(batch: Batch, among: Container[str] | None = None) -> set[Path]:
    """Render the clips of a synthetic study that are missing; return the files of all.

    With `among`, only clips of these ids.
    """
    if batch.study.dataset.kind != "synthetic":
        return set()
    jobs = render_jobs(batch.study, batch.results)
    if among is not None:
        jobs = {name: job for name, job in jobs.items() if name in among}
    keys = {name: key_of(asdict(job.recipe)) for name, job in jobs.items()}
    missing = {
        name: job
        for name, job in jobs.items()
        if batch.index.get("render", name, keys[name]) is None
        or not all(path.is_file() for path in job.files.all())
    }
    for name, outcome in outcomes(render, missing, batch.processes, "rendering"):
        if isinstance(outcome, Failed):
            raise StudyError(f"{name} of the synthetic world: {outcome.reason}")
        batch.index.put("render", name, keys[name])
    return {path for job in jobs.values() for path in job.files.all()}


def hash_files(batch: Batch, paths: Mapping[str, Path]) -> dict[str, str]:
    """Return the SHA-256 of files by name, from the index where size and time are the same."""
    stamps = {name: stamp_of(path) for name, path in paths.items()}
    known = _recorded_hashes(batch, stamps)
    missing = [name for name in paths if name not in known]
    with ThreadPoolExecutor(batch.processes) as threads:
        hashes = threads.map(_sha256_or_nothing, (paths[name] for name in missing))
        for name, sha256 in zip(missing, hashes, strict=True):
            batch.index.put("hash", name, stamps[name], sha256=sha256)
            known[name] = sha256
    return known


def recall_hashes(batch: Batch, paths: Mapping[str, Path]) -> dict[str, str]:
    """Return the SHA-256 of those files that the index knows as they are now."""
    return _recorded_hashes(batch, {name: stamp_of(path) for name, path in paths.items()})


def examine_clips(
    batch: Batch, sources: Iterable[Source], hashes: Mapping[str, str]
) -> dict[str, Examined]:
    """Look at every clip and find the person in it; failures go to `batch.failures`."""
    jobs, keys = _examine_jobs(batch, sources, hashes)
    known = _recorded_clips(batch, jobs, keys)
    missing = {
        name: job for name, job in jobs.items() if name not in known and name not in batch.failures
    }
    if missing and batch.study.masks.source == "yolo":
        log.info("segmenting on %s", choose_device(batch.study.masks.device))
    for name, outcome in examine_all(missing, batch.processes):
        if isinstance(outcome, Failed):
            note_failure(batch, "examine", name, keys[name], outcome)
        else:
            batch.index.put("examined", name, keys[name], **outcome)
            known[name] = Examined(**outcome)
    return known


def recall_clips(
    batch: Batch, sources: Iterable[Source], hashes: Mapping[str, str]
) -> dict[str, Examined]:
    """Return what the index knows of clips that were examined; failures go to `batch.failures`."""
    jobs, keys = _examine_jobs(batch, sources, hashes)
    known = _recorded_clips(batch, jobs, keys)
    for name in jobs:
        failure = batch.index.get("failure", f"examine {name}", keys[name])
        if name not in known and failure is not None:
            batch.failures[name] = failure["reason"]
    return known


def draw_sheets(batch: Batch, jobs: Mapping[str, SheetJob], keys: Mapping[str, str]) -> None:
    """Draw the contact sheets whose clips changed."""
    missing = {
        name: job
        for name, job in jobs.items()
        if batch.index.get("sheet", name, keys[name]) is None or not job.target.is_file()
    }
    for name, outcome in outcomes(draw_sheet, missing, batch.processes, "contact sheets"):
        if isinstance(outcome, Failed):
            log.warning("no contact sheet of %s: %s", name, outcome.reason)
        else:
            batch.index.put("sheet", name, keys[name])


def _recorded_hashes(batch: Batch, stamps: Mapping[str, str]) -> dict[str, str]:
    found = {name: batch.index.get("hash", name, stamp) for name, stamp in stamps.items()}
    return {name: record["sha256"] for name, record in found.items() if record is not None}


def _examine_jobs(
    batch: Batch, sources: Iterable[Source], hashes: Mapping[str, str]
) -> tuple[dict[str, ExamineJob], dict[str, str]]:
    """Return the jobs and their keys, by clip id."""
    weights_sha256 = _weights_sha256(batch)
    jobs = {source.clip_id: _examine_job(batch, source, weights_sha256) for source in sources}
    return jobs, {name: examine_key(job, hashes[name]) for name, job in jobs.items()}


def _recorded_clips(
    batch: Batch, jobs: Mapping[str, ExamineJob], keys: Mapping[str, str]
) -> dict[str, Examined]:
    """Return clips that need not be looked at again; lasting failures go to `batch.failures`."""
    known = {}
    # One look at a folder costs a shared file system less than one at every file.
    masks = {folder: names_in(folder) for folder in {job.target.parent for job in jobs.values()}}
    for name, job in jobs.items():
        record = batch.index.get("examined", name, keys[name])
        failure = batch.index.get("failure", f"examine {name}", keys[name])
        if failure is not None and is_lasting(failure):
            batch.failures[name] = failure["reason"]
        elif record is not None and job.target.name in masks[job.target.parent]:
            known[name] = Examined(**_without_key(record))
    return known


def _examine_job(batch: Batch, source: Source, weights_sha256: str) -> ExamineJob:
    masks = batch.study.masks
    if masks.source == "truth":
        masks = masks.model_copy(update={"path": batch.results.sources / "masks"})
    return ExamineJob(
        video=source.path,
        action=source.action,
        stem=source.path.stem,
        target=batch.masks_of(source),
        masks=masks,
        fps=batch.study.versions.fps,
        max_seconds=batch.study.versions.max_seconds,
        weights_sha256=weights_sha256,
        threads=max(1, usable_cores() // batch.processes),
    )


def _weights_sha256(batch: Batch) -> str:
    if batch.study.masks.source != "yolo":
        return ""
    weights = {"weights of the segmenter": find_weights(batch.study.masks.weights)}
    return hash_files(batch, weights)["weights of the segmenter"]


def note_failure(batch: Batch, stage: str, name: str, key: str, failed: Failed) -> None:
    batch.failures[name] = failed.reason
    log.warning("%s is left out: %s", name, failed.reason)
    if failed.lasting:
        batch.index.put("failure", f"{stage} {name}", key, reason=failed.reason)
    elif batch.is_shard:
        batch.index.put("failure", f"{stage} {name}", key, reason=failed.reason, lasting=False)


def _sha256_or_nothing(path: Path) -> str:
    """Hash a file; what cannot be read is reported when it is examined."""
    try:
        return sha256_of(path)
    except OSError:
        return ""


def _without_key(record: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name != "key"}
