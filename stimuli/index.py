"""What has been done already: a journal that survives a crash at any moment."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from study.errors import StudyError
from study.files import write_text

Kind = Literal["hash", "render", "examined", "version", "failure", "sheet", "spoiled"]

Place = tuple[str, str]


class Index:
    """Records by kind and name, each with the key of what it was made from.

    Every record is appended to the file at once, so that a killed run loses at most the line it was
    writing; `compact` rewrites the file with the records that still matter.

    Parameters
    ----------
    path : Path
        The journal; this process alone writes it.
    beside : iterable of Path, optional
        Journals of others, which are read and never written. Records then carry the time at which
        they were made: of two about the same thing the later is true, in whatever file it stands.
        Without any, the journal is in order by itself.
    """

    def __init__(self, path: Path, beside: Iterable[Path] | None = None) -> None:
        self._path = path
        self._is_one_of_several = beside is not None
        self._records: dict[Place, dict[str, Any]] = {}
        self._times: dict[Place, int] = {}
        self._touched: set[Place] = set()
        for other in beside or ():
            self._read(other)
        # The last line of a run that was killed may lack its end.
        self._torn = self._read(path)

    @property
    def path(self) -> Path:
        """The journal."""
        return self._path

    def get(self, kind: Kind, name: str, key: str) -> dict[str, Any] | None:
        """Return what was recorded under this key, None if nothing or under another key."""
        self._touched.add((kind, name))
        record = self._records.get((kind, name))
        return record if record is not None and record["key"] == key else None

    def put(self, kind: Kind, name: str, key: str, **content: Any) -> dict[str, Any]:
        """Record what was done."""
        self._touched.add((kind, name))
        record = {"key": key, **content}
        self._records[kind, name] = record
        at = {"at": self._now((kind, name))} if self._is_one_of_several else {}
        self._append(("\n" if self._torn else "") + _line(kind, name, record | at))
        self._torn = False
        return record

    def _now(self, place: Place) -> int:
        """Return a time later than that of what is known, whose maker's clock may be ahead."""
        self._times[place] = max(time.time_ns(), self._times.get(place, 0) + 1)
        return self._times[place]

    def keep(self, kind: Kind, name: str) -> None:
        """Let a record survive `compact`."""
        self._touched.add((kind, name))

    def let_go(self, kind: Kind) -> None:
        """Let the records of a kind not survive `compact`, but for those asked for from now on."""
        self._touched = {place for place in self._touched if place[0] != kind}

    def compact(self) -> None:
        """Forget records that this run did not ask for, and rewrite the file in order."""
        kept = self._touched & set(self._records)
        self._records = {place: self._records[place] for place in kept}
        self.rewrite()

    def rewrite(self) -> None:
        """Write all records in order, those that were read beside the journal too."""
        text = "".join(_line(*place, self._records[place]) for place in sorted(self._records))
        if not self._path.is_file() or self._path.read_text(encoding="utf-8") != text:
            write_text(self._path, text)

    def drop_passing_failures(self) -> None:
        """Forget failures that need not come again, which a journal among several holds too."""
        passing = [place for place, record in self._records.items() if not is_lasting(record)]
        for place in passing:
            del self._records[place]

    def begin(self) -> None:
        """Make sure that the file exists, even if there is nothing to record."""
        self._append("")

    def _append(self, text: str) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as journal:
                journal.write(text)
        except OSError as error:
            raise StudyError(f"{self._path}: cannot be written: {error.strerror}") from error

    def _read(self, path: Path) -> bool:
        """Read a journal; tell whether a line of it is torn."""
        torn = False
        if path.is_file():
            with path.open(encoding="utf-8") as lines:
                for line in lines:
                    torn = not self._load(line) or torn
        return torn

    def _load(self, line: str) -> bool:
        try:
            content = json.loads(line)
        except ValueError:
            return False
        place = content.pop("kind"), content.pop("name")
        at = content.pop("at", 0)
        if at >= self._times.get(place, 0):
            self._records[place] = content
            if at:
                self._times[place] = at
        return True


def is_lasting(record: dict[str, Any]) -> bool:
    """Tell whether a recorded failure would come again; other records always last."""
    return record.get("lasting", True)


def _line(kind: str, name: str, record: dict[str, Any]) -> str:
    return json.dumps({"kind": kind, "name": name, **record}, sort_keys=True) + "\n"
