"""A results folder has one writer, and work that several processes want is done by one of them."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from study.claim import Beat, Claim, HeldElsewhere, claimed
from study.claim_files import facts_of
from study.errors import StudyError

log = logging.getLogger("bodyscene")

CLAIMS = ".claims"
# The claim of the run that started this command: the name of its file, and what only that holds.
CLAIM_HELD = "BODYSCENE_CLAIM_HELD"
# A login node may hang for a while with all its disks; a run of days is not lost to that.
RUN_BEAT = Beat(every_s=15.0, stale_s=180.0, watch_s=45.0)
FIRST_PAUSE_S, LONGEST_PAUSE_S, PAUSES_GROW_BY = 0.1, 5.0, 1.5


@contextlib.contextmanager
def only_writer(folder: Path, beat: Beat = RUN_BEAT) -> Iterator[Claim]:
    """Hold `folder` for this process: a second writer is refused, a dead one is taken over.

    Commands that a workflow starts, on this machine or another one that sees the folder, write for
    the workflow: they inherit its claim through the environment, wherever the folder is mounted.

    Yields
    ------
    Claim
        Whose `check` raises once another process took over, see `study.claim`.

    Raises
    ------
    HeldElsewhere
        When another process holds the folder; the message names it.
    StudyError
        When the run that started this command is over, or was taken over.
    """
    what = f"{folder}: this results folder"
    inherited = _inherited(folder / CLAIMS, what)
    if inherited is not None:
        yield inherited
        return
    advice = "Wait until it ends, or give another folder with --results."
    with claimed(folder / CLAIMS, what, beat, advice) as claim, _passed_on(claim):
        yield claim


def done_by_one(
    folder: Path,
    what: str,
    is_done: Callable[[], bool],
    work: Callable[[Claim], None],
    beat: Beat = RUN_BEAT,
) -> None:
    """Have work done by one of the processes that want it, while the others wait for it.

    Where the one dies, another goes on; where it fails, each of them tries.

    Parameters
    ----------
    folder : Path
        Whose work it is; the claims on it lie there.
    what : str
        Named in messages.
    is_done : callable
        Looks whether there is anything left to do.
    work : callable
        Is given the claim.
    beat : Beat

    Raises
    ------
    StudyError
        When the folder cannot be written, and what `work` raises.
    """
    pause_s = FIRST_PAUSE_S
    while not is_done():
        try:
            with claimed(folder / CLAIMS, what, beat) as claim:
                # Another one may have ended just before.
                if not is_done():
                    work(claim)
            return
        except HeldElsewhere as held:
            if pause_s == FIRST_PAUSE_S:
                log.info("waiting: %s", held.holder)
            time.sleep(pause_s)
            pause_s = min(pause_s * PAUSES_GROW_BY, LONGEST_PAUSE_S)


def _inherited(claims: Path, what: str) -> Claim | None:
    """Return the claim of the run that started this command, if it is on the same folder."""
    name, _, token = os.environ.get(CLAIM_HELD, "").partition(" ")
    facts = facts_of(claims / name) if token else {}
    if not token or facts.get("token") != token:
        return None
    if facts.get("released"):
        raise StudyError(f"{what}: the run that started this command has ended. Run it again.")
    claim = Claim(claims / name, what)
    claim.check()
    return claim


@contextlib.contextmanager
def _passed_on(claim: Claim) -> Iterator[None]:
    """Let the commands that this process starts write for it."""
    before = os.environ.get(CLAIM_HELD)
    os.environ[CLAIM_HELD] = f"{claim.path.name} {facts_of(claim.path).get('token', '')}"
    try:
        yield
    finally:
        if before is None:
            del os.environ[CLAIM_HELD]
        else:
            os.environ[CLAIM_HELD] = before
