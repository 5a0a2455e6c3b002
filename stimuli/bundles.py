"""Clips examined in bundles: photographs share batches of the network, videos fill their own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from stimuli.examine import ExamineJob, examine, examine_together
from stimuli.parallel import Failed, outcomes
from stimuli.segmentation.yolo import choose_device
from stimuli.video import is_photo

WHAT = "finding the person"
# Processes that share a GPU: while one computes there, the others read, follow and write.
PER_GPU = 4

Bundle = Mapping[str, ExamineJob]


def examine_all(jobs: Mapping[str, ExamineJob], processes: int) -> Iterator[tuple[str, Any]]:
    """Examine clips; yield (name, `Examined` as plain data or `Failed`) as they end.

    Masks do not depend on how clips are bundled. Where a bundle fails as a whole, its clips are
    examined one by one, so that a failure is that of one clip.

    Raises
    ------
    StudyError
        When the work cannot go on for any clip, for instance on a full disk.
    """
    processes = _processes(jobs, processes)
    bundles = {next(iter(bundle)): bundle for bundle in _bundles(jobs)}
    one_by_one: dict[str, ExamineJob] = {}
    for first, outcome in outcomes(_examine_bundle, bundles, processes, WHAT):
        bundle = bundles[first]
        if not isinstance(outcome, Failed):
            yield from outcome.items()
        elif len(bundle) == 1:
            yield first, outcome
        else:
            one_by_one |= bundle
    if one_by_one:
        yield from outcomes(examine, one_by_one, processes, WHAT)


def _examine_bundle(bundle: Bundle) -> dict[str, dict[str, Any] | Failed]:
    """Examine one bundle, in whatever process."""
    if not all(_shares_batches(job) for job in bundle.values()):
        return {name: examine(job) for name, job in bundle.items()}
    return dict(zip(bundle, examine_together(list(bundle.values())), strict=True))


def _bundles(jobs: Mapping[str, ExamineJob]) -> Iterator[Bundle]:
    """Yield photographs for the network by the batch, everything else alone."""
    waiting: dict[str, ExamineJob] = {}
    for name, job in jobs.items():
        if not _shares_batches(job):
            yield {name: job}
            continue
        waiting[name] = job
        if len(waiting) == job.masks.batch_size:
            yield waiting
            waiting = {}
    if waiting:
        yield waiting


def _shares_batches(job: ExamineJob) -> bool:
    return job.masks.source == "yolo" and is_photo(job.video)


def _processes(jobs: Mapping[str, ExamineJob], processes: int) -> int:
    """Return how many processes to use: as many as asked for, few where they share a GPU."""
    settings = next((job.masks for job in jobs.values() if job.masks.source == "yolo"), None)
    if settings is None or choose_device(settings.device) == "cpu":
        return processes
    return min(processes, PER_GPU)
