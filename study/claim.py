"""One process at a time holds something, on one computer of several that share a folder.

Locks of the kernel are emulated, off, or known to one machine only on many shared file systems. So
each taking makes the next claim file, ``claim-001.json``, ``claim-002.json``, ...: the newest one
holds. A file that must not exist yet is made by exactly one of two computers, on a shared folder
too. Only its own holder changes a claim file: it renews its time of change every few seconds, and
notes in it that it is over. So nothing is taken away from a holder that lives, and a holder whose
claim was taken over sees the newer file and stops.

Claims of long ago are deleted by later holders, never the newest one, so the highest number in the
folder never falls. Whoever slept for so long between looking and making that its number was deleted
meanwhile makes a file below the newest one, sees that when it looks again, and starts anew.

A laptop that sleeps renews nothing. Where nobody else came, its holder wakes and goes on. Where
another computer took over meanwhile, the holder learns it at its next `Claim.check`; what it writes
before that, it writes beside the other. The same holds for a process that was halted by Ctrl-Z and
a machine whose shared disk hung.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from study.claim_files import (
    age_of,
    facts_of,
    forget_old,
    is_dead_here,
    is_renewed,
    is_seen_here,
    make_claim,
    newest_claim,
    number_of,
    path_of,
    who_is,
)
from study.errors import StudyError
from study.files import write_json

log = logging.getLogger("bodyscene")
# Where names are not as they were listed: other processes come and go just now.
LOOK_AGAIN_S, TRIES = 0.02, 250


@dataclass(frozen=True)
class Beat:
    """How often a claim is renewed, and when it counts as dead.

    Attributes
    ----------
    every_s : float
        Seconds between renewals.
    stale_s : float
        A claim renewed less than so many seconds ago is held.
    watch_s : float
        An older one is watched for so long before it is taken over: clocks of two computers
        differ, a renewal is seen by any clock.
    """

    every_s: float = 5.0
    stale_s: float = 30.0
    watch_s: float = 12.0


BEAT = Beat()


class HeldElsewhere(StudyError):
    """A living process holds it.

    Attributes
    ----------
    holder : str
        Says only who does; the message has advice, too.
    """

    def __init__(self, holder: str, advice: str) -> None:
        super().__init__(f"{holder} {advice}")
        self.holder = holder


class Claim:
    """A claim that this process holds, or that holds for it.

    Parameters
    ----------
    path : Path
        The claim file.
    what : str
        What is held, for messages.
    """

    def __init__(self, path: Path, what: str) -> None:
        self.path = path
        self.what = what

    def check(self) -> None:
        """Raise where another process took over.

        Raises
        ------
        StudyError
        """
        try:
            newest = newest_claim(self.path.parent)
        except OSError:
            # As for `renew`: a share that is away tells nothing.
            return
        if newest is not None and number_of(newest) > number_of(self.path):
            raise StudyError(
                f"{self.what} was taken over by {who_is(facts_of(newest))}, because this computer "
                f"gave no sign of life ({newest}). It goes on there; here it stops."
            )

    def renew(self) -> None:
        """Show that the holder lives."""
        # A share that is away for a moment must not end what is held.
        with contextlib.suppress(OSError):
            os.utime(self.path)

    def release(self) -> None:
        """Note that it is over."""
        facts = facts_of(self.path)
        if not facts:
            # Somebody deleted it, perhaps with the whole folder: that is not made again.
            return
        try:
            write_json(self.path, {**facts, "released": True})
        except (OSError, StudyError) as error:
            log.warning("%s could not be released: %s", self.path, error)


@contextlib.contextmanager
def claimed(
    folder: Path, what: str, beat: Beat = BEAT, advice: str = "Stop it there first."
) -> Iterator[Claim]:
    """Hold something for this process and renew the claim meanwhile.

    Parameters
    ----------
    folder : Path
        Of the claim files; made where it is missing.
    what : str
        What is held, as messages begin with: "participant 07: the session".
    beat : Beat
        The same for all who may want to hold it.
    advice : str
        What to do where another process holds it; ends with a full stop.

    Raises
    ------
    HeldElsewhere
        When a living process holds it: names process, computer, user and since when.
    StudyError
        When the folder cannot be written.
    """
    try:
        claim = _take(folder, what, beat, advice)
    except OSError as error:
        raise StudyError(f"{what} cannot be begun in {folder}: {error}") from error
    is_over = threading.Event()

    def renew() -> None:
        while not is_over.wait(beat.every_s):
            claim.renew()

    thread = threading.Thread(target=renew, name="claim", daemon=True)
    thread.start()
    try:
        yield claim
    finally:
        is_over.set()
        thread.join()
        claim.release()


def holder(folder: Path, beat: Beat = BEAT) -> dict[str, Any] | None:
    """Return who holds what is claimed in a folder, as far as a look tells, or None.

    Returns
    -------
    dict or None
        machine, process, user, since_utc; empty where it has just begun.
    """
    newest = newest_claim(folder)
    if newest is None:
        return None
    facts = facts_of(newest)
    if facts.get("released") or is_dead_here(facts) or age_of(newest) > beat.stale_s:
        return None
    return facts


def _take(folder: Path, what: str, beat: Beat, advice: str) -> Claim:
    tries_left = TRIES
    # A name that is taken, listed or not: shares may list names from a cache for seconds.
    met = 0
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        highest = max(met, _highest_number(folder))
        path = path_of(folder, highest + 1)
        try:
            if highest:
                _check_free(path_of(folder, highest), what, beat, advice)
            make_claim(path)
        except (FileExistsError, FileNotFoundError) as error:
            # Another process was faster; the loop looks at its claim.
            met = highest + 1 if isinstance(error, FileExistsError) else 0
            tries_left -= 1
            if not tries_left:
                raise
            time.sleep(LOOK_AGAIN_S)
            continue
        if _highest_number(folder) <= number_of(path):
            forget_old(path)
            return Claim(path, what)
        path.unlink(missing_ok=True)


def _highest_number(folder: Path) -> int:
    """Return the number of the newest claim, as far as it is listed; 0 without any."""
    newest = newest_claim(folder)
    return 0 if newest is None else number_of(newest)


def _check_free(path: Path, what: str, beat: Beat, advice: str) -> None:
    """Return if the claim is over or its holder dead, else refuse."""
    facts = facts_of(path)
    if facts.get("released"):
        return
    if is_dead_here(facts):
        log.warning("%s: %s ended without a word; it is taken over.", what, who_is(facts))
        return
    age_s = age_of(path)
    if age_s > beat.stale_s:
        log.warning(
            "%s: waiting %.0f s for a sign of life of %s.", what, beat.watch_s, who_is(facts)
        )
    if age_s <= beat.stale_s or is_renewed(path, beat.watch_s):
        if not is_seen_here(facts):
            advice += f" If it died, or that computer is off, wait {beat.stale_s:.0f} s and repeat."
        raise HeldElsewhere(f"{what} is being held by {who_is(facts)}.", advice)
    log.warning(
        "%s: %s gave no sign of life for %.0f s; it is taken over.", what, who_is(facts), age_s
    )
