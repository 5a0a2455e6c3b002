"""One bad clip does not stop the others; what all would meet does."""

from __future__ import annotations

import errno
import os

import pytest

from stimuli.parallel import BatchError, Failed, outcomes
from study.errors import StudyError


def _work(job: str) -> str:
    if job == "mendable":
        raise StudyError("clip.mp4: truncated")
    if job == "unexpected":
        raise ZeroDivisionError("by zero")
    if job == "dies":
        os._exit(9)
    if job == "full":
        cause = OSError(errno.ENOSPC, "no space")
        raise StudyError("the disk is full") from cause
    return job.upper()


@pytest.mark.parametrize("processes", [1, 2])
def test_failures_are_results(processes: int) -> None:
    jobs = {name: name for name in ("a", "mendable", "b", "unexpected", "c")}
    found = dict(outcomes(_work, jobs, processes, "testing"))
    assert [found[name] for name in "abc"] == ["A", "B", "C"]
    assert found["mendable"] == Failed("clip.mp4: truncated", lasting=True)
    assert not found["unexpected"].lasting
    assert "ZeroDivisionError in _work: by zero" in found["unexpected"].reason


def test_death_of_a_process_is_the_failure_of_its_clip() -> None:
    jobs = {name: name for name in ("a", "b", "dies", "c", "d", "e")}
    found = dict(outcomes(_work, jobs, 2, "testing"))
    assert "ended abruptly" in found.pop("dies").reason
    assert sorted(found.values()) == ["A", "B", "C", "D", "E"]


@pytest.mark.parametrize("processes", [1, 2])
def test_full_disk_stops_the_batch(processes: int) -> None:
    jobs = {name: name for name in ("full", "a", "b")}
    with pytest.raises(BatchError, match="the disk is full"):
        list(outcomes(_work, jobs, processes, "testing"))
