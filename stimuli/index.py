"""What has been done already: a journal that survives a crash at any moment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from study.errors import StudyError
from study.files import write_text

Kind = Literal["hash", "render", "examined", "version", "failure", "sheet", "spoiled"]


class Index:
    """Records by kind and name, each with the key of what it was made from.

    Every record is appended to the file at once, so that a killed run loses at most the line it was
    writing; `compact` rewrites the file with the records that still matter.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._records: dict[tuple[str, str], dict[str, Any]] = {}
        self._touched: set[tuple[str, str]] = set()
        self._torn = False
        for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
            self._load(line)

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
        self._append(("\n" if self._torn else "") + _line(kind, name, record))
        self._torn = False
        return record

    def compact(self) -> None:
        """Forget records that this run did not ask for, and rewrite the file in order."""
        kept = sorted(self._touched & set(self._records))
        self._records = {place: self._records[place] for place in kept}
        text = "".join(_line(*place, self._records[place]) for place in kept)
        if not self._path.is_file() or self._path.read_text(encoding="utf-8") != text:
            write_text(self._path, text)

    def _append(self, text: str) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as journal:
                journal.write(text)
        except OSError as error:
            raise StudyError(f"{self._path}: cannot be written: {error.strerror}") from error

    def _load(self, line: str) -> None:
        try:
            content = json.loads(line)
        except ValueError:
            # The last line of a run that was killed.
            self._torn = True
            return
        self._records[content.pop("kind"), content.pop("name")] = content


def _line(kind: str, name: str, record: dict[str, Any]) -> str:
    return json.dumps({"kind": kind, "name": name, **record}, sort_keys=True) + "\n"
