"""Files of frames are read from copies on the node's own disk, where BODYSCENE_SCRATCH names one.

A network reads its frames again in every epoch, in an order that a shared disk does not like. All
processes of a user on a node share one copy of a file. Each has a hard link of its own to it:

    SCRATCH/bodyscene-USER-NODE/FRAMES-KEY.PROCESS-RANDOM.npy

So the file system itself counts who needs the copy, and its bytes go when the last process deletes
its link: at its end, or when it opens other frames after it has let go of these. Links of processes
that were killed are deleted by the next one. Taking away somebody's link (a cleaner of old files,
say) takes nothing from who has mapped it. Where a copy cannot be had, the shared file is read: the
same bytes.
"""

from __future__ import annotations

import atexit
import contextlib
import glob
import logging
import os
import platform
import re
import shutil
import uuid
import weakref
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO

import numpy as np
import psutil

from study.claim import Claim
from study.errors import StudyError
from study.files import PARTIAL_MARK, force_to_disk, key_of, stamp_of, sweep_partial_files
from study.machine import user_name
from study.progress import progress
from study.writers import done_by_one

log = logging.getLogger("bodyscene")

SCRATCH = "BODYSCENE_SCRATCH"
FROM_AFAR = "is read from where it lies"
LINK = re.compile(r".+\.(?P<process>\d+)-[0-9a-f]{8}\.npy")
CHUNK = 16 << 20
# A node's disk is not filled to the brim: others write to it too.
LEAST_LEFT_FREE = 1 << 30
MIB = 1 << 20
# This process's links, and those of them whose frames it let go: the next network reads them again.
_held: set[Path] = set()
_idle: set[Path] = set()
atexit.register(lambda: _delete(list(_held)))


def map_nearby(paths: Iterable[Path]) -> dict[Path, np.ndarray]:
    """Map files of frames into memory, from copies on this node's own disk where they can be had.

    Parameters
    ----------
    paths : iterable of Path
        Of arrays, as `numpy.save` writes them.

    Returns
    -------
    dict of Path to ndarray
        By the paths given; read-only. The copies last at least as long.
    """
    scratch = os.environ.get(SCRATCH)
    if not scratch:
        return {path: _mapped(path) for path in paths}
    try:
        folder = _own_folder(scratch)
    except (OSError, StudyError) as error:
        log.warning(
            "every file of frames %s, not from %s=%s: %s", FROM_AFAR, SCRATCH, scratch, error
        )
        return {path: _mapped(path) for path in paths}
    _delete_left_links(folder)
    copies = [_Copy(path, folder) for path in paths]
    _held.update(copy.link for copy in copies)
    # First keep what is here, then make room, then copy.
    for copy in copies:
        copy.link_if_there()
    _delete(list(_idle))
    return {copy.source: copy.mapped() for copy in copies}


def _mapped(path: Path) -> np.ndarray:
    # Without numpy's own class of mapped arrays, whose rows cost more to take.
    return np.asarray(np.load(path, mmap_mode="r"))


def _own_folder(scratch: str) -> Path:
    """Return this user's folder on this node; a job's variables ($TMPDIR) are known only here.

    Raises
    ------
    StudyError
        When a variable is not set here, or the folder is another user's.
    """
    expanded = Path(os.path.expandvars(scratch))
    if "$" in str(expanded) or not expanded.is_absolute():
        raise StudyError(
            f"expected the full path of a folder, of variables that are set here; found {expanded}"
        )
    folder = expanded / f"bodyscene-{user_name()}-{platform.node()}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.name != "nt" and folder.stat().st_uid != os.getuid():
        raise StudyError(f"{folder} belongs to another user")
    return folder


class _Copy:
    """This process's link to a copy of a file."""

    def __init__(self, source: Path, folder: Path) -> None:
        self.source = source
        self.folder = folder
        self.n_bytes = source.stat().st_size
        # Another results folder's frames, or those made anew, are another file.
        key = key_of(str(source.resolve()), stamp_of(source))
        self.name = f"{source.stem}-{key}"
        self.link = folder / f"{self.name}.{os.getpid()}-{uuid.uuid4().hex[:8]}.npy"

    def mapped(self) -> np.ndarray:
        """Map the copy; the shared file where there is none."""
        what = f"{self.folder}: this folder of copies"
        try:
            done_by_one(self.folder, what, self.link_if_there, self._make)
            frames = _mapped(self.link)
        except (OSError, ValueError, StudyError) as error:
            _delete([self.link])
            log.warning("%s %s, not from %s: %s", self.source, FROM_AFAR, SCRATCH, error)
            return _mapped(self.source)
        weakref.finalize(frames, _idle.add, self.link).atexit = False
        return frames

    def link_if_there(self) -> bool:
        """Link to the copy, if any process has one."""
        if self.link.exists():
            return True
        for other in self.folder.glob(f"{glob.escape(self.name)}.*.npy"):
            # It may be gone by now; where links are unknown, the copy itself has our name.
            with contextlib.suppress(OSError):
                if other.stat().st_size == self.n_bytes:
                    self.link.hardlink_to(other)
                    return True
        return False

    def _make(self, claim: Claim) -> None:
        # Nobody else copies here: what is left of a killed process goes.
        sweep_partial_files(self.folder)
        free = shutil.disk_usage(self.folder).free
        if free < self.n_bytes + LEAST_LEFT_FREE:
            raise StudyError(
                f"it has {self.n_bytes / 1e9:.1f} GB, and {LEAST_LEFT_FREE / 1e9:.1f} GB are to "
                f"stay free, but {self.folder} has {free / 1e9:.1f} GB left"
            )
        partial = self.folder / f"{PARTIAL_MARK}{self.link.name}"
        try:
            _copy_checked(self.source, partial)
            partial.rename(self.link)
            log.info("%s is read from its copy in %s", self.source.name, self.folder)
        finally:
            partial.unlink(missing_ok=True)


def _copy_checked(source: Path, target: Path) -> None:
    """Copy a file and read the copy again; compare sums of all bytes."""
    n_mib = 2 * source.stat().st_size // MIB
    with progress(f"copying {source.name} to {target.parent}", n_mib, "MiB") as advance:
        with source.open("rb") as read, target.open("wb") as written:
            given = _sum_of(read, advance, written.write)
            written.flush()
            force_to_disk(written.fileno())
        with target.open("rb") as read:
            found = _sum_of(read, advance)
    if given != found:
        raise StudyError(f"{target.parent} does not give back what was written to it")


def _sum_of(
    file: BinaryIO, advance: Callable[..., None], use: Callable[[bytes], object] = len
) -> int:
    """Return a check sum of a file, using its bytes on the way."""
    total = 0
    while chunk := file.read(CHUNK):
        use(chunk)
        total = zlib.crc32(chunk, total)
        advance(len(chunk) // MIB)
    return total


def _delete(links: Iterable[Path]) -> None:
    """Delete links of this process."""
    for link in links:
        with contextlib.suppress(OSError):
            link.unlink(missing_ok=True)
        _held.discard(link)
        _idle.discard(link)


def _delete_left_links(folder: Path) -> None:
    """Delete the links of processes of this node that ended without doing so."""
    for link in folder.glob("*.npy"):
        found = LINK.fullmatch(link.name)
        if found is not None and not psutil.pid_exists(int(found["process"])):
            with contextlib.suppress(OSError):
                link.unlink()
