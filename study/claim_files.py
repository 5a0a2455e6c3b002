"""The files by which something is claimed: how they are named, made, read and dated.

See `study.claim` for what they mean.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
import uuid
from pathlib import Path
from typing import Any

import psutil

from study.files import PARTIAL_MARK, sync_folder
from study.machine import machine_name, process_space, user_name

NAME = re.compile(r"claim-\d{3,}\.json")
# Beside the newest one. Enough that a number is not made again by one who looked a moment ago.
KEPT = 8


def newest_claim(folder: Path) -> Path | None:
    """Return the claim that holds, whether its holder lives or not."""
    return max(_claims(folder), key=number_of, default=None)


def _claims(folder: Path) -> list[Path]:
    """List the claims; NFS asks its server for names when a folder is opened, else it may not."""
    # Copies that people or cloud folders make ("claim-001 (2).json") are no claims.
    return [path for path in folder.glob("claim-*.json") if NAME.fullmatch(path.name)]


def number_of(path: Path) -> int:
    """Return the number of a claim; the highest one holds."""
    return int(path.stem.removeprefix("claim-"))


def path_of(folder: Path, number: int) -> Path:
    """Return the name of a claim."""
    return folder / f"claim-{number:03d}.json"


def who_is(facts: dict[str, Any]) -> str:
    """Name a holder in words."""
    if not facts:
        return "a process that has just begun"
    return (
        f"process {facts['process']} of {facts['user'] or 'somebody'} on {facts['machine']} "
        f"(since {facts['since_utc']})"
    )


def facts_of(path: Path) -> dict[str, Any]:
    """Return what a claim file says; one that is being written or is gone says nothing."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def make_claim(path: Path) -> None:
    """Make a claim of this process, unless its name is taken.

    Raises
    ------
    FileExistsError
        When another process made it.
    OSError
        When the folder cannot be written; nothing is left then.
    """
    facts = {
        "machine": machine_name(),
        "process": os.getpid(),
        "process_space": process_space(),
        "user": user_name(),
        "since_utc": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "token": uuid.uuid4().hex,
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


def forget_old(path: Path) -> None:
    """Delete claims of long ago, so that many short holders leave few files."""
    for old in _claims(path.parent):
        if number_of(old) < number_of(path) - KEPT:
            with contextlib.suppress(OSError):
                old.unlink()


def is_renewed(path: Path, seconds: float) -> bool:
    """Watch whether the holder renews its claim."""
    before = _renewed_ns(path)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(min(0.2, seconds))
        if _renewed_ns(path) != before:
            return True
    return False


def _renewed_ns(path: Path) -> int:
    """Return when a claim was renewed, by the disk; NFS asks its server when a file is opened."""
    try:
        with path.open("rb") as file:
            return os.fstat(file.fileno()).st_mtime_ns
    except PermissionError:
        # Another user's, whose files are private: it must not lock everybody else out for ever.
        return path.stat().st_mtime_ns


def age_of(path: Path) -> float:
    """Return the seconds since a claim was renewed, by the clock of the disk that holds it.

    A time in the future tells as little as an old one: a clock was ahead, and nothing else.
    """
    # What a kill leaves of it is swept away with other half-written files.
    probe = path.with_name(f"{PARTIAL_MARK}now-{uuid.uuid4().hex[:8]}")
    try:
        probe.touch()
        now = probe.stat().st_mtime
    except OSError:
        now = time.time()
    finally:
        with contextlib.suppress(OSError):
            probe.unlink(missing_ok=True)
    return abs(now - _renewed_ns(path) / 1e9)


def is_seen_here(facts: dict[str, Any]) -> bool:
    """Tell whether the holder, if it lives, is among the processes that this one sees."""
    same_space = facts.get("process_space", process_space()) == process_space()
    return facts.get("machine") == machine_name() and same_space


def is_dead_here(facts: dict[str, Any]) -> bool:
    """Tell whether the holder was a process of this computer that is no more."""
    if not is_seen_here(facts):
        return False
    try:
        return psutil.Process(int(facts["process"])).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied:
        # Somebody else's process, by now perhaps another one of the same number.
        return False
