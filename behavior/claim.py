"""One participant's session is held by one process at a time, on one computer of several.

Each start makes the next claim file, ``claim-001.json``, ``claim-002.json``, ...: the newest one
holds. A file that must not exist yet is made by exactly one of two computers, on a shared folder
too, where locks are not to be trusted. Only its own holder changes a claim file: it renews its time
of change every few seconds, and notes in it that the session is over. So nothing is taken away from
a session that lives, and a session whose claim was taken over sees the newer file and stops.
"""

from __future__ import annotations

import contextlib
import getpass
import json
import logging
import os
import platform
import re
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from behavior.journal import sync_folder
from study.errors import StudyError
from study.files import write_json

log = logging.getLogger("bodyscene")
NAME = re.compile(r"claim-\d+\.json")
# Set where the MAC address that names a computer is a random number.
RANDOM_NODE = 1 << 40


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


class Claim:
    """A claim that this process holds."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._next = _path_of(path.parent, _number(path) + 1)

    def check(self) -> None:
        """Raise where another process took the session over.

        Raises
        ------
        StudyError
        """
        if self._next.exists():
            raise StudyError(
                f"{self._next}: this session was taken over by {_who(_read(self._next))}, because "
                "this computer gave no sign of life. It goes on there; this window stops."
            )

    def renew(self) -> None:
        """Show that the session lives."""
        # A share that is away for a moment must not end the session.
        with contextlib.suppress(OSError):
            os.utime(self.path)

    def release(self) -> None:
        """Note that the session is over."""
        try:
            write_json(self.path, {**_read(self.path), "released": True})
        except (OSError, StudyError) as error:
            log.warning("%s could not be released: %s", self.path, error)


@contextlib.contextmanager
def claimed(folder: Path, participant: str, beat: Beat = BEAT) -> Iterator[Claim]:
    """Hold a participant's session for this process and renew the claim meanwhile.

    Parameters
    ----------
    folder : Path
        The participant's session folder.
    participant : str
        Named in messages.
    beat : Beat

    Raises
    ------
    StudyError
        When a living process holds it: names process, computer, user and since when; when the
        folder cannot be written.
    """
    try:
        claim = _take(folder, participant, beat)
    except OSError as error:
        raise StudyError(f"{folder}: no session can be begun here: {error}") from error
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
    """Return who holds a session now, as far as a look tells, or None."""
    newest = _newest(folder)
    if newest is None:
        return None
    facts = _read(newest)
    if facts.get("released") or _is_dead_here(facts) or _age_s(newest) > beat.stale_s:
        return None
    return facts


def machine() -> str:
    """Return a name of this computer that no second one has."""
    node = uuid.getnode()
    return platform.node() + ("" if node & RANDOM_NODE else f"-{node:012x}")


def _take(folder: Path, participant: str, beat: Beat) -> Claim:
    folder.mkdir(parents=True, exist_ok=True)
    while True:
        newest = _newest(folder)
        if newest is not None:
            _check_free(newest, participant, beat)
        path = _path_of(folder, 1 if newest is None else _number(newest) + 1)
        # Where another process was faster, the loop looks at its claim.
        with contextlib.suppress(FileExistsError):
            _make(path)
            return Claim(path)


def _make(path: Path) -> None:
    facts = {
        "machine": machine(),
        "process": os.getpid(),
        "user": _user(),
        "since_utc": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(json.dumps(facts))
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        raise
    except OSError:
        # A claim without a holder's name would look alive for a while. Closed by now: Windows
        # deletes no open file.
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def _check_free(path: Path, participant: str, beat: Beat) -> None:
    """Return if the claim is over or its holder dead, else refuse."""
    facts = _read(path)
    if facts.get("released"):
        return
    if _is_dead_here(facts):
        log.warning("Participant %s: %s ended without a word; its session is taken over.",
                    participant, _who(facts))  # fmt: skip
        return
    age_s = _age_s(path)
    if age_s > beat.stale_s:
        log.warning("Participant %s: waiting %.0f s for a sign of life of %s.",
                    participant, beat.watch_s, _who(facts))  # fmt: skip
    if age_s <= beat.stale_s or _is_renewed(path, beat.watch_s):
        raise StudyError(
            f"participant {participant}: the session is being held by {_who(facts)}. Stop it "
            f"there first. If that computer is off, wait {beat.stale_s:.0f} seconds and repeat."
        )
    log.warning("Participant %s: %s gave no sign of life for %.0f s; its session is taken over.",
                participant, _who(facts), age_s)  # fmt: skip


def _is_renewed(path: Path, seconds: float) -> bool:
    """Watch whether the holder renews its claim."""
    before = path.stat().st_mtime_ns
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(min(0.2, seconds))
        if path.stat().st_mtime_ns != before:
            return True
    return False


def _age_s(path: Path) -> float:
    """Return the seconds since a claim was renewed, by the clock of the disk that holds it.

    A time in the future tells as little as an old one: a clock was ahead, and nothing else.
    """
    probe = path.with_name(f".now-{uuid.uuid4().hex[:8]}")
    try:
        probe.touch()
        now = probe.stat().st_mtime
    except OSError:
        now = time.time()
    finally:
        with contextlib.suppress(OSError):
            probe.unlink(missing_ok=True)
    return abs(now - path.stat().st_mtime)


def _is_dead_here(facts: dict[str, Any]) -> bool:
    """Tell whether the holder was a process of this computer that is no more."""
    if facts.get("machine") != machine():
        return False
    try:
        return psutil.Process(int(facts["process"])).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied:
        # Somebody else's process, by now perhaps another one of the same number.
        return False


def _newest(folder: Path) -> Path | None:
    # Copies that people or cloud folders make ("claim-001 (2).json") are no claims.
    claims = [path for path in folder.glob("claim-*.json") if NAME.fullmatch(path.name)]
    return max(claims, key=_number, default=None)


def _number(path: Path) -> int:
    return int(path.stem.removeprefix("claim-"))


def _path_of(folder: Path, number: int) -> Path:
    return folder / f"claim-{number:03d}.json"


def _read(path: Path) -> dict[str, Any]:
    """Return what a claim says; one that is being written says nothing yet."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _who(facts: dict[str, Any]) -> str:
    if not facts:
        return "a process that has just begun"
    return (
        f"process {facts['process']} of {facts['user'] or 'somebody'} on {facts['machine']} "
        f"(since {facts['since_utc']})"
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""
