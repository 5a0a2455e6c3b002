"""Why jobs failed, in words: what SLURM says, what the step said, and which field to change."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cluster.profile import Profile
from study.workflow_log import ENDED

# In the log of a job, by SLURM itself; clusters that count memory in other ways say other things.
OF_TIME = ("DUE TO TIME LIMIT",)
OF_MEMORY = ("oom-kill", "oom_kill", "exceeded memory limit", "Exceeded job memory limit")
# By the steps.
OF_STEP_MEMORY = ("MemoryError", "Cannot allocate memory")
STOPPED = re.compile(r"stopped by the cluster at step (\d+)")
OF_DISK = ("the disk is full", "Disk quota exceeded", "No space left on device")
LOST_NODE = ("NODE_FAIL", "BOOT_FAIL")
OWN_WORDS = re.compile(r"^error: (.*)", re.MULTILINE)
READ_BYTES = 200_000


@dataclass(frozen=True)
class Failure:
    """A job that failed at its last attempt.

    Attributes
    ----------
    step, title : str
        The step, and what its job is called.
    reason : str
        What the executor said.
    log : Path or None
        What the job printed, if it ever ran.
    """

    step: str
    title: str
    reason: str
    log: Path | None


def read_failures(events: Path) -> list[Failure]:
    """Return the jobs whose last event is a failure, in the order in which they failed."""
    last: dict[int, dict] = {}
    for line in events.read_text(encoding="utf-8").splitlines() if events.is_file() else ():
        try:
            event = json.loads(line)
        except ValueError:
            # Cut short, where the disk was full.
            continue
        if event["event"] == "sent" and event["job"] in last:
            # A further attempt that was cut short leaves the reason of the one before.
            continue
        last.pop(event["job"], None)
        last[event["job"]] = event
    failed = (event for event in last.values() if event["event"] == "failed")
    return [
        Failure(
            event["step"],
            event["title"] or event["step"],
            event["reason"],
            Path(event["logs"][-1]) if event["logs"] else None,
        )
        for event in failed
    ]


def explain_failures(events: Path, profile: Profile) -> str:
    """Say of every failed job why, and what to do.

    Parameters
    ----------
    events : Path
        See `study.workflow_log`.
    profile : Profile
    """
    failures = read_failures(events)
    explained = [f"- {failure.title}: {explain(failure, profile)}" for failure in failures]
    if not explained:
        explained = ["- Snakemake has said above why it stopped"]
    return "\n".join(
        [
            "some steps did not succeed; what was done is kept.",
            *explained,
            "Repeat the command when the cause is mended: only what is missing is done.",
        ]
    )


def explain(failure: Failure, profile: Profile) -> str:
    """Say in words why one job failed, and what to do."""
    return " ".join(_parts(failure, profile, _text_of(failure.log)))


def _parts(failure: Failure, profile: Profile, log: str) -> Iterator[str]:
    ended = ENDED.search(failure.reason)
    state = ended["state"] if ended else ""
    if state == "TIMEOUT" or _any(OF_TIME, log):
        yield (
            "it needed more time than it had asked for. Raise "
            f"{profile.field(failure.step, 'runtime')}."
        )
    elif state == "OUT_OF_MEMORY" or _any(OF_MEMORY + OF_STEP_MEMORY, log):
        yield (
            "it needed more memory than it had asked for. Raise "
            f"{profile.field(failure.step, 'mem_mb')}."
        )
    elif _any(OF_DISK, log):
        yield (
            "the disk is full, or the quota of your account is reached (see the commands quota or "
            "lfs quota). Free some space, or ask for more."
        )
    elif state in LOST_NODE:
        yield f"its node was lost ({state})."
    elif state == "CANCELLED":
        yield "it was cancelled, by somebody (scancel) or by the cluster."
    elif not ended:
        yield _of_submission(failure)
    else:
        yield f"SLURM says {state}."
    if stopped := STOPPED.findall(log):
        yield f"Its state is saved: it goes on from step {stopped[-1]}."
    if words := OWN_WORDS.findall(log):
        yield f"It said: {words[-1].strip()}"
    if failure.log is not None:
        yield f"Its log: {failure.log}"


def _of_submission(failure: Failure) -> str:
    """Say why SLURM did not take a job, or what else the executor says."""
    said = re.search(r"error message was '(.*?)'", failure.reason, re.DOTALL)
    words = " ".join((said[1] if said else failure.reason).split())
    if said or "submission failed" in words:
        return f"SLURM did not take the job: {words}."
    return words or "what it said stands above, and in the folder logs."


def _any(marks: tuple[str, ...], text: str) -> bool:
    return any(mark in text for mark in marks)


def _text_of(log: Path | None) -> str:
    if log is None or not log.is_file():
        return ""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - READ_BYTES))
        return file.read().decode("utf-8", errors="replace")
