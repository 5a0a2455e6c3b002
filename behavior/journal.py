"""A session's journal: one checked line per event, on the disk before the next trial begins.

A line is a JSON object that ends with ``"sum"``, a checksum of the line and of the sum before it,
so a line that was torn, changed, lost or moved is recognised. The file is opened for every line:
a share that went away and came back is the same file again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from behavior.stage import SessionStopped
from study.errors import StudyError
from study.files import force_to_disk, sync_folder

LINE = re.compile(r'(?s)(.*),"sum":"([0-9a-f]{16})"\}')
FIRST_SUM = "0" * 16
# Between two attempts to write a line that the disk did not take.
RETRY_S = 0.2

Event = dict[str, Any]


class Record(Protocol):
    """Where a session writes down what happens."""

    events: list[Event]

    def note(self, name: str, **facts: Any) -> None:
        """Take an event down at once and let it reach the disk meanwhile."""
        ...

    def write(self, name: str, **facts: Any) -> None:
        """Take an event down and return when it and all before it are on the disk."""
        ...


@dataclass
class Memory:
    """A record that is kept in memory only, for observers that are simulated by the thousand."""

    events: list[Event] = field(default_factory=list)

    def note(self, name: str, **facts: Any) -> None:
        """Keep an event."""
        self.events.append({"event": name, **facts})

    write = note


@dataclass(frozen=True)
class Content:
    """What a journal's file holds.

    Attributes
    ----------
    events : list of dict
        Of the whole lines.
    n_bytes : int
        Up to the end of the last whole line.
    last_sum : str
        The checksum of that line.
    torn : bytes
        What follows: a last line that a power cut tore. Empty otherwise.
    """

    events: list[Event]
    n_bytes: int
    last_sum: str
    torn: bytes


def read_journal(path: Path) -> Content:
    """Read and check a journal without changing it; no file is an empty journal.

    Raises
    ------
    StudyError
        When a line before the last is damaged; the message has its number.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return Content([], 0, FIRST_SUM, b"")
    events: list[Event] = []
    n_bytes, last_sum = 0, FIRST_SUM
    lines = data.split(b"\n")
    for number, line in enumerate(lines[:-1], start=1):
        event = _checked(line, last_sum)
        if event is None:
            # All lines before the last were on the disk before it was begun.
            if any(lines[number:]):
                raise StudyError(
                    f"{path}: line {number} is damaged: its checksum is wrong. Nothing was "
                    "changed. Put the file back from a copy, or ask for help."
                )
            break
        last_sum = event.pop("sum")
        events.append(event)
        n_bytes += len(line) + 1
    return Content(events, n_bytes, last_sum, data[n_bytes:])


def _checked(line: bytes, last_sum: str) -> Event | None:
    """Return the event of a line, or None where the line is not as it was written."""
    try:
        match = LINE.fullmatch(line.decode("utf-8"))
    except UnicodeDecodeError:
        return None
    if match is None or _sum(last_sum, match[1] + "}") != match[2]:
        return None
    return json.loads(line)


def _sum(last_sum: str, body: str) -> str:
    return hashlib.sha256((last_sum + body).encode()).hexdigest()[:16]


class Journal:
    """The journal of a session that is being held by this process.

    Parameters
    ----------
    path : Path
        Made with its folder where it is missing. A torn last line is set aside into a file beside
        it, see `torn`.
    ask_for_help : callable
        Called with the error each time the disk did not take a line; returns when it is worth
        another try. No line is given up.
    check_ours : callable
        Raises where the session is not this process's any more.
    durable : bool
        Whether a line is forced to the disk; without it a kill loses nothing, a power cut may.

    Attributes
    ----------
    events : list of dict
        All events so far, those of earlier runs included.
    torn : Path or None
        Where a torn last line was put.

    Raises
    ------
    StudyError
        As `read_journal`; later, when another program wrote into the file.
    """

    def __init__(
        self,
        path: Path,
        ask_for_help: Callable[[OSError], None],
        check_ours: Callable[[], None] = lambda: None,
        durable: bool = True,
    ) -> None:
        self.path = path
        self._ask_for_help = ask_for_help
        self._check_ours = check_ours
        self._durable = durable
        self._lock = threading.Lock()
        self._worker = ThreadPoolExecutor(1, "journal")
        self._pending: list[bytes] = []
        self._is_half_written = False
        self._trouble = OSError()
        content = read_journal(path)
        self.events = content.events
        self._size, self._last_sum = content.n_bytes, content.last_sum
        self._create()
        self.torn = self._set_aside(content.torn) if content.torn else None

    def note(self, name: str, **facts: Any) -> None:
        """Take an event down at once; a second thread brings it to the disk meanwhile."""
        self._add({"event": name, **facts})
        self._worker.submit(self._flush_meanwhile)

    def write(self, name: str, **facts: Any) -> None:
        """Take an event down and return when it and all before it are on the disk.

        Raises
        ------
        SessionStopped
            When that was wished while help was asked for; the event is on the disk then.
        StudyError
            When the session is not this process's any more.
        """
        self._add({"event": name, **facts})
        wish: SessionStopped | None = None
        while not self._is_flushed():
            time.sleep(RETRY_S)
            try:
                self._ask_for_help(self._trouble)
            except SessionStopped as stop:
                # Not before the line is on the disk.
                wish = stop
        if wish is not None:
            raise wish

    def close(self) -> None:
        """Bring to the disk what is still under way, if it can be done."""
        self._worker.shutdown()
        self._flush_meanwhile()

    def _add(self, event: Event) -> None:
        numbered = {"n": len(self.events) + 1, **event}
        body = json.dumps(
            numbered, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=str
        )
        self._last_sum = _sum(self._last_sum, body)
        self.events.append(json.loads(body))
        line = f'{body[:-1]},"sum":"{self._last_sum}"}}\n'
        self._pending.append(line.encode())

    def _is_flushed(self) -> bool:
        try:
            self._flush()
        except OSError as error:
            self._trouble = error
            return False
        return True

    def _flush_meanwhile(self) -> None:
        # The next `write` tries again, asks for help, and says what is wrong.
        with contextlib.suppress(OSError, StudyError):
            self._flush()

    def _flush(self) -> None:
        """Write the pending lines, each on the disk before the next begins."""
        with self._lock:
            while self._pending:
                self._check_ours()
                self._write_line(self._pending[0])
                self._size += len(self._pending.pop(0))

    def _write_line(self, line: bytes) -> None:
        with self.path.open("r+b", buffering=0) as file:
            found = file.seek(0, os.SEEK_END)
            if found != self._size:
                if not self._is_half_written:
                    raise StudyError(
                        f"{self.path}: another program wrote into it: expected {self._size} "
                        f"bytes, found {found}. The session stops here; repeat the command."
                    )
                file.truncate(self._size)
                file.seek(self._size)
            self._is_half_written = True
            left = memoryview(line)
            while left:
                left = left[file.write(left) :]
            if self._durable:
                force_to_disk(file.fileno())
            self._is_half_written = False

    def _create(self) -> None:
        if self.path.exists():
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("xb") as file:
            force_to_disk(file.fileno())
        # The new names are on the disk only when their folders are.
        sync_folder(self.path.parent)
        sync_folder(self.path.parent.parent)

    def _set_aside(self, torn: bytes) -> Path:
        """Copy the torn end into a file of its own, then cut it off."""
        name = f"torn-{hashlib.sha256(torn).hexdigest()[:8]}.bin"
        aside = self.path.with_name(name)
        with aside.open("wb") as file:
            file.write(torn)
            file.flush()
            force_to_disk(file.fileno())
        with self.path.open("r+b") as file:
            file.truncate(self._size)
            force_to_disk(file.fileno())
        return aside
