"""Files that are whole or absent, and hashes."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from study.errors import StudyError

if os.name != "nt":
    import fcntl

IS_WINDOWS = os.name == "nt"
PARTIAL_MARK = ".partial-"
DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
NO_SUCH_SYNC = (errno.EINVAL, errno.ENOTSUP)
# Windows replaces no file that somebody reads: a virus scanner is done soon, Excel is not.
REPLACE_TRIES, REPLACE_WAIT_S = 10, 0.1


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a temporary name beside `path`; rename it to `path` only if the block succeeds.

    The temporary name keeps the suffix, because writers choose their format by it. A crash
    leaves `path` as it was, so a file under its final name is always a whole one.

    Raises
    ------
    StudyError
        When the disk is full, or another program keeps the file open; the message names it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{PARTIAL_MARK}{uuid.uuid4().hex[:8]}-{path.name}")
    try:
        yield partial
        # Windows forces only files to the disk that are open for writing.
        with partial.open("r+b") as written:
            force_to_disk(written.fileno())
        _replace(partial, path)
    except OSError as error:
        if error.errno in DISK_FULL:
            raise StudyError(
                f"{path}: the disk is full ({error.strerror}). Nothing half-written was kept; "
                "free some space and repeat the command, it goes on where it stopped."
            ) from error
        raise
    finally:
        partial.unlink(missing_ok=True)


def force_to_disk(file: int) -> None:
    """Return when what was written to a file descriptor is on the disk, after a power cut too.

    On macOS fsync stops at the drive's own memory; F_FULLFSYNC goes on. Shares do not know it.
    """
    if sys.platform == "darwin" and os.name != "nt":
        with contextlib.suppress(OSError):
            fcntl.fcntl(file, fcntl.F_FULLFSYNC)
            return
    os.fsync(file)


def sync_folder(folder: Path) -> None:
    """Force a folder's list of names to the disk; Windows does it by itself, some shares cannot."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in NO_SUCH_SYNC:
            raise
    finally:
        os.close(handle)


def names_in(folder: Path) -> set[str]:
    """Return the names in a folder, as its server has them; none where there is no folder.

    NFS may go on saying for a minute that a file does not exist which another machine has made. It
    asks the server again when a folder is opened: so this is surer than to look at one name, and
    names that were looked at before are found from then on.
    """
    try:
        with os.scandir(folder) as entries:
            return {entry.name for entry in entries}
    except FileNotFoundError:
        return set()


def _replace(partial: Path, path: Path) -> None:
    """Rename a file to its final name; on Windows wait for whoever reads the old one."""
    for _ in range(REPLACE_TRIES):
        try:
            partial.replace(path)
            return
        except PermissionError as error:
            if not IS_WINDOWS or not path.is_file():
                raise
            refused = error
            time.sleep(REPLACE_WAIT_S)
    raise StudyError(
        f"{path}: cannot be replaced ({refused.strerror}); expected a file that no other program "
        "has open. Close the program that does (Excel, for instance) and repeat the command."
    ) from refused


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, whole or not at all; equal text gives equal bytes on every system."""
    with whole_file(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, content: Any) -> None:
    """Write `content` as readable JSON, whole or not at all."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, sort_keys=True) + "\n")


def write_if_changed(path: Path, text: str) -> bool:
    """Write `text` unless the file holds it already, so that its time tells of a real change."""
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return False
    write_text(path, text)
    return True


def sweep_partial_files(folder: Path, but: str | None = None) -> int:
    """Delete what a killed writer left under `folder`; return how many files that was.

    Parameters
    ----------
    folder : Path
    but : str, optional
        A folder in it in which others may be writing.
    """
    left = list(folder.rglob(f"{PARTIAL_MARK}*")) if folder.is_dir() else []
    left = [path for path in left if path.relative_to(folder).parts[0] != but]
    for path in left:
        path.unlink(missing_ok=True)
    return len(left)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hex digits."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def stamp_of(path: Path) -> str:
    """Return what tells a changed file from an unchanged one without reading it."""
    try:
        stat = path.stat()
    except OSError:
        return "unreadable"
    return f"{stat.st_size}-{stat.st_mtime_ns}"


def key_of(*parts: Any) -> str:
    """Return 16 hex digits that change when any of the (JSON-able) parts changes."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
