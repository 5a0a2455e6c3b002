"""Several journals about the same clips: the later record is true, and nothing is lost."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from stimuli.index import Index
from stimuli.journals import INDEX_NAME, gather_journals, open_beside


def test_the_later_record_is_true_in_whatever_file_it_stands(tmp_path: Path) -> None:
    Index(tmp_path / INDEX_NAME).put("render", "clip", "oldest")
    open_beside(tmp_path, "masks-2of3").put("render", "clip", "older")
    open_beside(tmp_path, "masks-1of4").put("render", "clip", "newest")
    for name in ("masks-2of3", "masks-1of4", "versions-1of1"):
        index = open_beside(tmp_path, name)
        assert index.get("render", "clip", "older") is None
        assert index.get("render", "clip", "newest") == {"key": "newest"}
    open_beside(tmp_path, "masks-2of3").put("render", "clip", "older")
    assert open_beside(tmp_path, "masks-1of4").get("render", "clip", "newest") is None


def test_a_machine_whose_clock_is_behind_is_heard_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_beside(tmp_path, "masks-1of2").put("render", "clip", "older")
    now = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: now - 3600 * 10**9)
    slow = open_beside(tmp_path, "masks-1of3")
    slow.put("render", "clip", "between")
    slow.put("render", "clip", "newest")
    for name in ("masks-1of2", "masks-1of3", "versions-1of1"):
        assert open_beside(tmp_path, name).get("render", "clip", "newest") is not None
    gather_journals(tmp_path)
    assert Index(tmp_path / INDEX_NAME).get("render", "clip", "newest") is not None


def test_gathered_journals_are_as_if_one_process_had_written(tmp_path: Path) -> None:
    alone = Index(tmp_path / "alone" / INDEX_NAME)
    parts = tmp_path / "parts"
    for number in range(6):
        record = ("hash", f"clip {number}", "key")
        alone.put(*record, sha256=f"{number:x}" * 64)
        shard = open_beside(parts, f"masks-{number % 3 + 1}of3")
        shard.put(*record, sha256=f"{number:x}" * 64)
    shard.put("failure", "examine clip 0", "key", reason="no memory", lasting=False)
    gather_journals(parts)
    alone.compact()
    assert [path.name for path in parts.iterdir()] == [INDEX_NAME]
    assert (parts / INDEX_NAME).read_bytes() == (tmp_path / "alone" / INDEX_NAME).read_bytes()


def test_a_torn_line_of_another_costs_that_line_alone(tmp_path: Path) -> None:
    mine, other = open_beside(tmp_path, "masks-1of2"), open_beside(tmp_path, "masks-2of2")
    mine.put("render", "a", "k")
    other.put("render", "b", "k")
    for path in (mine.path, other.path):
        with path.open("a") as journal:
            journal.write('{"kind": "render", "na')
    again = open_beside(tmp_path, "masks-1of2")
    assert all(again.get("render", name, "k") for name in "ab")
    again.put("render", "c", "k")
    assert json.loads(mine.path.read_text().splitlines()[-1])["name"] == "c"
    assert other.path.read_text().endswith('"na')
    gather_journals(tmp_path)
    gathered = Index(tmp_path / INDEX_NAME)
    assert all(gathered.get("render", name, "k") for name in "abc")


def test_nothing_is_gathered_where_no_shard_worked(tmp_path: Path) -> None:
    index = Index(tmp_path / INDEX_NAME)
    index.put("render", "b", "k")
    index.put("render", "a", "k")
    before = index.path.stat().st_mtime_ns, index.path.read_bytes()
    gather_journals(tmp_path)
    assert (index.path.stat().st_mtime_ns, index.path.read_bytes()) == before
