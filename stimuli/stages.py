"""The stages from clips to stimuli; each does what is missing or changed and keeps the rest."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from stimuli.bundles import examine_all
from stimuli.contact_sheet import SheetJob, draw_sheet
from stimuli.datasets import Source
from stimuli.examine import Examined, ExamineJob, examine_key
from stimuli.index import Index
from stimuli.make import ClipFiles, MakeJob, make, sidecar_of, version_key
from stimuli.parallel import Failed, outcomes
from stimuli.point_light import keypoint_file
from stimuli.segmentation.weights import find_weights
from stimuli.segmentation.yolo import choose_device
from stimuli.synthetic import render, render_jobs
from stimuli.video import is_photo
from study.config import Study
from study.errors import StudyError
from study.files import key_of, sha256_of, stamp_of
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
    made : int
        Versions made, counted as they end.
    blank_if_all_hidden : bool
        See `stimuli.make.MakeJob`.
    """

    study: Study
    results: Results
    processes: int
    index: Index
    failures: dict[str, str] = field(default_factory=dict)
    made: int = 0
    blank_if_all_hidden: bool = False

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


def render_synthetic(batch: Batch) -> set[Path]:
    """Render the clips of a synthetic study that are missing; return the files of all."""
    if batch.study.dataset.kind != "synthetic":
        return set()
    jobs = render_jobs(batch.study, batch.results)
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
    known = {name: batch.index.get("hash", name, stamps[name]) for name in paths}
    missing = [name for name in paths if known[name] is None]
    with ThreadPoolExecutor(batch.processes) as threads:
        hashes = threads.map(_sha256_or_nothing, (paths[name] for name in missing))
        for name, sha256 in zip(missing, hashes, strict=True):
            known[name] = batch.index.put("hash", name, stamps[name], sha256=sha256)
    return {name: record["sha256"] for name, record in known.items()}


def examine_clips(
    batch: Batch, sources: Iterable[Source], hashes: Mapping[str, str]
) -> dict[str, Examined]:
    """Look at every clip and find the person in it; failures go to `batch.failures`."""
    weights_sha256 = _weights_sha256(batch)
    jobs = {source.clip_id: _examine_job(batch, source, weights_sha256) for source in sources}
    keys = {name: examine_key(job, hashes[name]) for name, job in jobs.items()}
    known, missing = {}, {}
    for name, job in jobs.items():
        record = batch.index.get("examined", name, keys[name])
        reason = batch.index.get("failure", f"examine {name}", keys[name])
        if reason is not None:
            batch.failures[name] = reason["reason"]
        elif record is not None and job.target.is_file():
            known[name] = _without_key(record)
        else:
            missing[name] = job
    if missing and batch.study.masks.source == "yolo":
        log.info("segmenting on %s", choose_device(batch.study.masks.device))
    for name, outcome in examine_all(missing, batch.processes):
        if isinstance(outcome, Failed):
            _note_failure(batch, "examine", name, keys[name], outcome)
        else:
            batch.index.put("examined", name, keys[name], **outcome)
            known[name] = outcome
    return {name: Examined(**record) for name, record in known.items()}


def make_versions(
    batch: Batch, clips: Mapping[str, ClipFiles], lenders: Mapping[str, str]
) -> dict[tuple[str, str], dict[str, Any]]:
    """Make the versions of the chosen clips; return the records by clip id and condition.

    Parameters
    ----------
    batch : Batch
    clips : mapping of str to ClipFiles
    lenders : mapping of str to str
        Clip id to the clip whose background takes the place of its own.
    """
    records: dict[tuple[str, str], dict[str, Any]] = {}
    jobs: dict[str, MakeJob] = {}
    keys: dict[str, dict[str, str]] = {}
    for clip_id, clip in clips.items():
        job = _make_job(batch, clip, clips.get(lenders.get(clip_id, "")))
        keys[clip_id] = {
            name: version_key(name, clip, job.lender, job.settings) for name in job.targets
        }
        reason = batch.index.get("failure", f"make {clip_id}", key_of(keys[clip_id]))
        if reason is not None:
            batch.failures[clip_id] = reason["reason"]
            continue
        finished = _finished_versions(batch, job, keys[clip_id])
        records |= finished
        lacking = {n: path for n, path in job.targets.items() if (clip_id, n) not in finished}
        if lacking:
            jobs[clip_id] = replace(job, targets=lacking)
    for clip_id, outcome in outcomes(make, jobs, batch.processes, "making versions"):
        if isinstance(outcome, Failed):
            _note_failure(batch, "make", clip_id, key_of(keys[clip_id]), outcome)
            continue
        for name, record in outcome.items():
            place = f"{clip_id}__{name}"
            records[clip_id, name] = batch.index.put(
                "version", place, keys[clip_id][name], **record
            )
            batch.made += 1
    return records


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
        threads=max(1, (os.cpu_count() or 1) // batch.processes),
    )


def _make_job(batch: Batch, clip: ClipFiles, lender: ClipFiles | None) -> MakeJob:
    conditions = batch.study.versions.conditions
    targets = {name: batch.stimulus_of(clip, name) for name in conditions}
    return MakeJob(clip, batch.study.versions, targets, lender, batch.blank_if_all_hidden)


def _finished_versions(
    batch: Batch, job: MakeJob, keys: Mapping[str, str]
) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the records of versions that are as they should be, by size at least."""
    finished = {}
    for name, path in job.targets.items():
        record = batch.index.get("version", f"{job.clip.clip_id}__{name}", keys[name])
        if record is None or not path.is_file() or not sidecar_of(path).is_file():
            continue
        if path.stat().st_size == record["size"]:
            finished[job.clip.clip_id, name] = record
    return finished


def _weights_sha256(batch: Batch) -> str:
    if batch.study.masks.source != "yolo":
        return ""
    weights = {"weights of the segmenter": find_weights(batch.study.masks.weights)}
    return hash_files(batch, weights)["weights of the segmenter"]


def _note_failure(batch: Batch, stage: str, name: str, key: str, failed: Failed) -> None:
    batch.failures[name] = failed.reason
    log.warning("%s is left out: %s", name, failed.reason)
    if failed.lasting:
        batch.index.put("failure", f"{stage} {name}", key, reason=failed.reason)


def _sha256_or_nothing(path: Path) -> str:
    """Hash a file; what cannot be read is reported when it is examined."""
    try:
        return sha256_of(path)
    except OSError:
        return ""


def _without_key(record: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name != "key"}
