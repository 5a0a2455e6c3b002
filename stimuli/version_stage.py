"""The stage that makes versions of the chosen clips; what is finished is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from stimuli.index import is_lasting
from stimuli.make import (
    CannotLend,
    ClipFiles,
    MakeJob,
    lend_key,
    make,
    sidecar_of,
    version_key,
)
from stimuli.parallel import Failed, outcomes
from stimuli.stages import Batch, note_failure
from study.files import key_of

Records = dict[tuple[str, str], dict[str, Any]]


@dataclass(frozen=True)
class _Task:
    """The versions of a clip, and the keys of what they are made from, by condition."""

    job: MakeJob
    keys: Mapping[str, str]

    @property
    def failure_key(self) -> str:
        return key_of(self.keys)


def make_versions(
    batch: Batch,
    clips: Mapping[str, ClipFiles],
    lenders: Mapping[str, str],
    among: Mapping[str, ClipFiles] | None = None,
) -> Records:
    """Make the versions of the chosen clips; return the records by clip id and condition.

    Parameters
    ----------
    batch : Batch
    clips : mapping of str to ClipFiles
    lenders : mapping of str to str
        Clip id to the clip whose background takes the place of its own.
    among : mapping of str to ClipFiles, optional
        All clips that may lend, by default `clips`.

    Returns
    -------
    dict
        Lacks clips that failed, which `batch.failures` names, and those whose lender did, which
        `batch.cannot_lend` names; empty where these very clips were tried before and some failed.
    """
    tasks = {
        clip_id: _task(batch, clip, (among or clips).get(lenders.get(clip_id, "")))
        for clip_id, clip in clips.items()
    }
    # Of an attempt that failed nothing is kept but the failures.
    batch.index.let_go("version")
    everything = key_of({clip_id: task.keys for clip_id, task in tasks.items()})
    if _failed_before(batch, everything):
        return {}
    records, jobs = _recorded_versions(batch, tasks)
    are_lasting = True
    for clip_id, outcome in outcomes(make, jobs, batch.processes, "making versions"):
        records |= _noted(batch, tasks[clip_id], outcome)
        are_lasting &= not isinstance(outcome, Failed) or outcome.lasting
    if are_lasting and len(records) < sum(len(task.keys) for task in tasks.values()):
        _note_attempt(batch, everything, tasks)
    return records


def _task(batch: Batch, clip: ClipFiles, lender: ClipFiles | None) -> _Task:
    settings = batch.study.versions
    targets = {name: batch.stimulus_of(clip, name) for name in settings.conditions}
    keys = {name: version_key(name, clip, lender, settings) for name in targets}
    return _Task(MakeJob(clip, settings, targets, lender, batch.blank_if_all_hidden), keys)


def _recorded_versions(
    batch: Batch, tasks: Mapping[str, _Task]
) -> tuple[Records, dict[str, MakeJob]]:
    """Return the records of finished versions, and the jobs that make the others.

    A clip that failed before, or whose lender did, is not tried again.
    """
    records: Records = {}
    jobs = {}
    for clip_id, task in tasks.items():
        job, lender = task.job, task.job.lender
        failure = batch.index.get("failure", f"make {clip_id}", task.failure_key)
        refusal = lender and batch.index.get(
            "failure", f"lend {lender.clip_id}", lend_key(lender, job.settings)
        )
        if failure is not None and is_lasting(failure):
            batch.failures[clip_id] = failure["reason"]
        elif refusal:
            batch.cannot_lend[lender.clip_id] = refusal["reason"]
        else:
            finished = _finished_versions(batch, job, task.keys)
            records |= finished
            lacking = {n: path for n, path in job.targets.items() if (clip_id, n) not in finished}
            if lacking:
                jobs[clip_id] = replace(job, targets=lacking)
    return records, jobs


def _noted(
    batch: Batch, task: _Task, outcome: dict[str, dict[str, Any]] | Failed | CannotLend
) -> Records:
    """Record what came of a clip; return the records of its versions."""
    clip_id = task.job.clip.clip_id
    if isinstance(outcome, Failed):
        note_failure(batch, "make", clip_id, task.failure_key, outcome)
        return {}
    if isinstance(outcome, CannotLend):
        key = lend_key(task.job.lender, task.job.settings)
        batch.cannot_lend[outcome.lender] = outcome.reason
        batch.index.put("failure", f"lend {outcome.lender}", key, reason=outcome.reason)
        return {}
    batch.made |= {(clip_id, name) for name in outcome}
    return {
        (clip_id, name): batch.index.put("version", f"{clip_id}__{name}", task.keys[name], **record)
        for name, record in outcome.items()
    }


def _failed_before(batch: Batch, everything: str) -> bool:
    """Tell whether these very versions were tried, and recall which clips failed."""
    attempt = batch.index.get("failure", f"all {everything}", everything)
    if attempt is None:
        return False
    batch.failures |= attempt["failures"]
    batch.cannot_lend |= attempt["cannot_lend"]
    for stage, names in (("make", attempt["failures"]), ("lend", attempt["cannot_lend"])):
        for name in names:
            batch.index.keep("failure", f"{stage} {name}")
    return True


def _note_attempt(batch: Batch, everything: str, tasks: Mapping[str, _Task]) -> None:
    """Record which clips of a choice failed: a repeated run then goes to the next choice at once.

    It must not make the versions of this choice again, which that of the next one replaced.
    """
    if batch.is_shard:
        return
    lenders = {task.job.lender.clip_id for task in tasks.values() if task.job.lender}
    batch.index.put(
        "failure",
        f"all {everything}",
        everything,
        reason="some clips cannot be used",
        failures={name: why for name, why in batch.failures.items() if name in tasks},
        cannot_lend={name: why for name, why in batch.cannot_lend.items() if name in lenders},
    )


def _finished_versions(batch: Batch, job: MakeJob, keys: Mapping[str, str]) -> Records:
    """Return the records of versions that are as they should be, by size at least."""
    finished = {}
    for name, path in job.targets.items():
        record = batch.index.get("version", f"{job.clip.clip_id}__{name}", keys[name])
        if record is not None and _size(path) == record["size"] and sidecar_of(path).is_file():
            finished[job.clip.clip_id, name] = record
    return finished


def _size(path: Path) -> int:
    """Return the size of a file, -1 where there is none."""
    try:
        return path.stat().st_size
    except OSError:
        return -1
