"""Files are whole or absent."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

import study.files
from study.errors import StudyError
from study.files import (
    PARTIAL_MARK,
    key_of,
    names_in,
    sweep_partial_files,
    sync_folder,
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


def test_text_has_the_same_bytes_on_every_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Where lines end otherwise, Python's own default would write these ends.
    monkeypatch.setattr(os, "linesep", "\r\n")
    seen: list[str | None] = []
    real = Path.write_text

    def write(self: Path, *args: str, newline: str | None = None, **more: str) -> int:
        seen.append(newline)
        return real(self, *args, newline=newline, **more)

    monkeypatch.setattr(Path, "write_text", write)
    write_text(tmp_path / "table.csv", "a\nb\n")
    assert seen == ["\n"]
    assert (tmp_path / "table.csv").read_bytes() == b"a\nb\n"


class TestOnWindows:
    """What Windows does differently, as far as it can be played."""

    @pytest.fixture
    def busy(self, monkeypatch: pytest.MonkeyPatch) -> list[int]:
        """Refuse to replace files as often as the list says."""
        left, real = [0], Path.replace

        def replace(self: Path, target: Path) -> Path:
            if left[0] > 0:
                left[0] -= 1
                raise PermissionError(errno.EACCES, "Access is denied")
            return real(self, target)

        monkeypatch.setattr(study.files, "REPLACE_WAIT_S", 0.0)
        monkeypatch.setattr(study.files, "IS_WINDOWS", True)
        monkeypatch.setattr(Path, "replace", replace)
        return left

    def test_a_file_that_a_virus_scanner_reads_is_replaced_when_it_is_done(
        self, tmp_path: Path, busy: list[int]
    ) -> None:
        path = tmp_path / "table.csv"
        write_text(path, "old")
        busy[0] = 3
        write_text(path, "new")
        assert path.read_text() == "new"

    def test_a_file_that_is_open_elsewhere_is_named(self, tmp_path: Path, busy: list[int]) -> None:
        path = tmp_path / "table.csv"
        write_text(path, "old")
        busy[0] = 1000
        with pytest.raises(StudyError, match=r"table\.csv: cannot be replaced .*Excel"):
            write_text(path, "new")
        assert path.read_text() == "old"
        assert [entry.name for entry in tmp_path.iterdir()] == ["table.csv"]


def test_on_macos_the_drive_itself_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(study.files.fcntl, "F_FULLFSYNC", 51, raising=False)
    monkeypatch.setattr(study.files.fcntl, "fcntl", lambda file, what: asked.append(what))
    write_text(tmp_path / "table.csv", "a")
    assert asked == [51]


def test_a_share_that_does_not_know_how_is_synced_as_usual(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(file: int, what: int) -> None:
        raise OSError(errno.ENOTSUP, "Operation not supported")

    synced: list[int] = []
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(study.files.fcntl, "F_FULLFSYNC", 51, raising=False)
    monkeypatch.setattr(study.files.fcntl, "fcntl", unknown)
    monkeypatch.setattr(os, "fsync", synced.append)
    write_text(tmp_path / "table.csv", "a")
    assert len(synced) == 1


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


def test_a_share_that_cannot_sync_folders_is_no_error_but_a_full_disk_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync_folder(tmp_path)
    for code in (errno.EINVAL, errno.ENOSPC):

        def refuse(handle: int, code: int = code) -> None:
            raise OSError(code, os.strerror(code))

        monkeypatch.setattr(os, "fsync", refuse)
        if code == errno.EINVAL:
            sync_folder(tmp_path)
        else:
            with pytest.raises(OSError, match="No space left"):
                sync_folder(tmp_path)


def test_names_are_read_from_the_folder_itself(tmp_path: Path) -> None:
    (tmp_path / "a.npy").touch()
    (tmp_path / "b").mkdir()
    assert names_in(tmp_path) == {"a.npy", "b"}
    assert names_in(tmp_path / "none") == set()
