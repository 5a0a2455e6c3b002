"""The journal: what is written is there, whole, in order; what is not whole is recognised."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from behavior.journal import Journal, read_journal
from behavior.stage import SessionStopped
from study.errors import StudyError


def no_help(error: OSError) -> None:
    raise AssertionError(f"help was asked for: {error}")


def written(path: Path, n: int = 3) -> Path:
    journal = Journal(path, no_help)
    for number in range(n):
        journal.write(
            "answered",
            trial=number,
            label="走る \u0627\u0644\u062c\u0631\u064a",
            rt_s=0.1 + number / 3,
        )
    journal.close()
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sub-01" / "journal.jsonl"


def test_events_come_back_as_they_were_written_one_line_each(path: Path):
    written(path)
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["trial"] for line in lines] == [0, 1, 2]
    events = read_journal(path).events
    assert [event["rt_s"] for event in events] == [0.1, 0.1 + 1 / 3, 0.1 + 2 / 3]
    assert [event["n"] for event in events] == [1, 2, 3]
    assert events[0]["label"].startswith("走る")


def test_an_event_is_on_the_disk_when_write_returns(path: Path, monkeypatch: pytest.MonkeyPatch):
    synced: list[int] = []
    real = os.fsync

    def fsync(handle: int) -> None:
        real(handle)
        synced.append(path.stat().st_size)

    monkeypatch.setattr(os, "fsync", fsync)
    journal = Journal(path, no_help)
    assert synced, "the new file and its folder"
    journal.write("a")
    assert synced[-1] == path.stat().st_size > 0
    journal.note("b")
    journal.write("c")
    assert [event["event"] for event in read_journal(path).events] == ["a", "b", "c"]
    assert synced[-1] == path.stat().st_size
    journal.close()


def test_a_note_reaches_the_disk_without_a_write(path: Path):
    journal = Journal(path, no_help)
    journal.note("shown")
    journal.close()
    assert [event["event"] for event in read_journal(path).events] == ["shown"]


@pytest.mark.parametrize("n_bytes", [1, 20, -2])
def test_a_torn_last_line_is_set_aside(path: Path, n_bytes: int):
    whole = written(path).read_bytes()
    start = whole.rindex(b"\n", 0, -1) + 1
    torn = whole[start:][:n_bytes]
    path.write_bytes(whole[:start] + torn)
    journal = Journal(path, no_help)
    assert journal.torn is not None
    assert journal.torn.read_bytes() == torn
    assert len(journal.events) == 2
    journal.write("resumed")
    journal.close()
    assert [event["event"] for event in read_journal(path).events][-1] == "resumed"
    assert path.read_bytes().startswith(whole[:start])


def test_a_journal_cut_anywhere_keeps_its_whole_lines(path: Path):
    whole = written(path, 12).read_bytes()
    events = read_journal(path).events
    for n_bytes in range(len(whole)):
        path.write_bytes(whole[:n_bytes])
        content = read_journal(path)
        assert content.events == events[: whole[:n_bytes].count(b"\n")]
        assert content.n_bytes + len(content.torn) == n_bytes


def test_a_last_line_of_zeros_after_a_power_cut_is_set_aside(path: Path):
    whole = written(path).read_bytes()
    path.write_bytes(whole + bytes(300))
    journal = Journal(path, no_help)
    assert len(journal.events) == 3
    assert journal.torn is not None
    journal.close()


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda lines: [lines[0], lines[1].replace(b'"trial":1', b'"trial":7'), lines[2]], 2),
        (lambda lines: [lines[1], lines[0], lines[2]], 1),
        (lambda lines: [lines[0], lines[2], lines[2]], 2),
        (lambda lines: [lines[0][:-9] + b"\n", lines[1], lines[2]], 1),
        (lambda lines: [b"\xff\xfe\n", lines[1], lines[2]], 1),
    ],
    ids=["changed", "moved", "lost", "cut", "not text"],
)
def test_a_damaged_line_before_the_last_is_refused_with_its_number(
    path: Path, change: Callable, line: int
):
    damaged = b"".join(change(written(path).read_bytes().splitlines(keepends=True)))
    path.write_bytes(damaged)
    with pytest.raises(StudyError, match=rf"journal\.jsonl: line {line} is damaged"):
        Journal(path, no_help)
    assert path.read_bytes() == damaged


class FullDisk:
    """A disk that takes `n_good` more bytes of journals."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, n_good: int) -> None:
        self.n_good = n_good
        self.real_open = Path.open
        monkeypatch.setattr(Path, "open", lambda *args, **options: self.open(*args, **options))
        monkeypatch.setattr("behavior.journal.RETRY_S", 0.0)

    def open(self, path: Path, mode: str = "r", *args: Any, **options: Any) -> Any:
        file = self.real_open(path, mode, *args, **options)
        return _Filling(self, file) if options.get("buffering") == 0 else file


class _Filling:
    def __init__(self, disk: FullDisk, file: Any) -> None:
        self.disk, self.file = disk, file

    def __enter__(self) -> _Filling:
        return self

    def __exit__(self, *error: object) -> None:
        self.file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)

    def write(self, data: bytes) -> int:
        if not self.disk.n_good:
            raise OSError(errno.ENOSPC, "No space left on device")
        n = min(len(data), self.disk.n_good)
        self.disk.n_good -= n
        return self.file.write(data[:n])


def test_a_full_disk_is_asked_again_until_it_takes_the_line(
    path: Path, monkeypatch: pytest.MonkeyPatch
):
    disk = FullDisk(monkeypatch, 150)
    asked: list[int | None] = []

    def ask_for_help(error: OSError) -> None:
        asked.append(error.errno)
        # Some room, but not enough: each attempt leaves another half of the line.
        disk.n_good = 30 if len(asked) < 4 else 10_000

    journal = Journal(path, ask_for_help)
    for number in range(5):
        journal.note("shown", trial=number)
        journal.write("answered", trial=number, text="x" * 60)
    journal.close()
    assert asked == [errno.ENOSPC] * 4
    found = [(e["event"], e["trial"]) for e in read_journal(path).events]
    assert found == [(name, n) for n in range(5) for name in ("shown", "answered")]
    assert read_journal(path).torn == b""


def test_who_wants_to_stop_at_a_full_disk_stops_when_the_line_is_saved(
    path: Path, monkeypatch: pytest.MonkeyPatch
):
    disk = FullDisk(monkeypatch, 10)
    asked = []

    def ask_for_help(error: OSError) -> None:
        asked.append(error)
        disk.n_good = 0 if len(asked) < 3 else 10_000
        raise SessionStopped

    journal = Journal(path, ask_for_help)
    with pytest.raises(SessionStopped):
        journal.write("answered", trial=1)
    assert len(asked) == 3
    assert read_journal(path).events[-1]["trial"] == 1
    journal.close()


def test_a_disk_that_is_away_for_a_moment_loses_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("behavior.journal.RETRY_S", 0.0)
    away = path.parent.with_name("away")

    def ask_for_help(error: OSError) -> None:
        assert error.errno == errno.ENOENT
        away.rename(path.parent)

    journal = Journal(path, ask_for_help)
    journal.write("a")
    path.parent.rename(away)
    journal.write("b")
    journal.close()
    assert [event["event"] for event in read_journal(path).events] == ["a", "b"]


def test_two_writers_of_one_file_are_noticed(path: Path):
    first, second = Journal(path, no_help), Journal(path, no_help)
    first.write("a")
    with pytest.raises(StudyError, match="another program wrote into it"):
        second.write("b")
    second.close()
    first.write("c")
    first.close()
    assert [event["event"] for event in read_journal(path).events] == ["a", "c"]


def test_a_session_that_is_not_ours_any_more_writes_nothing(path: Path):
    def taken_over() -> None:
        raise StudyError("taken over")

    journal = Journal(path, no_help, taken_over)
    journal.note("shown")
    with pytest.raises(StudyError, match="taken over"):
        journal.write("answered")
    journal.close()
    assert path.read_bytes() == b""
