"""Files are whole or absent; a results folder has one writer."""

from __future__ import annotations

import errno
import subprocess
import sys
import time
from pathlib import Path

import pytest

from study.errors import StudyError
from study.files import (
    PARTIAL_MARK,
    key_of,
    only_writer,
    sweep_partial_files,
    whole_file,
    write_if_changed,
    write_text,
)


def test_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    write_text(path, "old")
    with pytest.raises(RuntimeError), whole_file(path) as partial:
        partial.write_text("half of the ne")
        raise RuntimeError
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["table.csv"]


def test_full_disk_is_said_in_words(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    with pytest.raises(StudyError, match="disk is full"), whole_file(path) as partial:
        partial.write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert list(tmp_path.iterdir()) == []


def test_killed_writer_leaves_only_a_partial_file_that_is_swept(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; from study.files import whole_file\n"
        "with whole_file(Path(sys.argv[1])) as partial:\n"
        "    partial.write_text('half'); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    target = tmp_path / "video.mkv"
    subprocess.run([sys.executable, "-c", code, str(target)], check=False)
    assert not target.exists()
    left = list(tmp_path.iterdir())
    assert len(left) == 1
    assert left[0].name.startswith(PARTIAL_MARK)
    assert sweep_partial_files(tmp_path) == 1
    assert list(tmp_path.iterdir()) == []


def test_unchanged_text_keeps_its_time(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    assert write_if_changed(path, "a")
    before = path.stat().st_mtime_ns
    assert not write_if_changed(path, "a")
    assert path.stat().st_mtime_ns == before
    assert write_if_changed(path, "b")


def test_keys_change_with_their_parts_only() -> None:
    assert key_of({"a": 1, "b": 2}) == key_of({"b": 2, "a": 1})
    assert key_of({"a": 1}) != key_of({"a": 2})


HOLD = (
    "import sys, time; from pathlib import Path; from study.files import only_writer\n"
    "with only_writer(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)\n"
)


def test_second_writer_is_refused_and_a_dead_one_forgotten(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline().strip() == "held"
        with pytest.raises(StudyError, match=f"process {holder.pid}"), only_writer(tmp_path):
            pass
    finally:
        holder.kill()
        holder.wait()
    start = time.monotonic()
    with only_writer(tmp_path):
        assert time.monotonic() - start < 5


def test_writer_within_the_writer_is_let_in(tmp_path: Path) -> None:
    with only_writer(tmp_path), only_writer(tmp_path):
        assert True
    with only_writer(tmp_path):
        assert (tmp_path / ".bodyscene.lock").is_file()
