"""Copies of frames on the node's own disk: one for all, same bytes, and never a reason to fail."""

from __future__ import annotations

import errno
import gc
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from models import staging
from models.frames import open_frames
from models.staging import LEAST_LEFT_FREE, SCRATCH, map_nearby
from models.train import train_model
from study.config import Study
from study.results import Results
from study.tables import read_table
from study.writers import done_by_one

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/maps").is_file(), reason="the kernel does not say which file is mapped"
)
ROOT = Path(__file__).parents[2]
# Maps a file, says from where, and then does what it is told until it is told nothing more.
USER = (
    "import sys, models.staging; from pathlib import Path\n"
    "from models.staging import map_nearby\n"
    "real = models.staging._mapped\n"
    "def mapped(path): print(path, flush=True); return real(path)\n"
    "models.staging._mapped = mapped\n"
    "frames = map_nearby([Path(sys.argv[1])])[Path(sys.argv[1])]\n"
    "print(int(frames.sum()), flush=True)\n"
    "for line in sys.stdin: print(int(frames.sum()), flush=True)\n"
)


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """A file of frames on the shared disk."""
    path = tmp_path / "shared" / "32px-body_only-0123456789abcdef.npy"
    path.parent.mkdir()
    np.save(path, np.random.default_rng(0).integers(0, 255, (40, 32, 32, 3), np.uint8))
    return path


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The node's own disk."""
    folder = tmp_path / "scratch"
    monkeypatch.setenv(SCRATCH, str(folder))
    return folder


def near(path: Path) -> np.ndarray:
    return map_nearby([path])[path]


def links(scratch: Path) -> list[Path]:
    return sorted(scratch.rglob("*.npy"))


def mapped_file(frames: np.ndarray) -> int:
    """Return the inode of the file that an array shows, as the kernel says."""
    address = frames.__array_interface__["data"][0]
    for line in Path("/proc/self/maps").read_text().splitlines():
        span, _, _, _, inode, *_ = line.split()
        first, last = (int(edge, 16) for edge in span.split("-"))
        if first <= address < last:
            return int(inode)
    raise AssertionError("not mapped")


@pytest.fixture
def start(shared: Path) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Start processes that map the file; they are ended with the test."""
    started: list[subprocess.Popen[str]] = []

    def one() -> subprocess.Popen[str]:
        started.append(
            subprocess.Popen(
                [sys.executable, "-c", USER, str(shared)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                cwd=ROOT,
            )
        )
        return started[-1]

    yield one
    for process in started:
        process.kill()
        process.wait()


def test_without_scratch_the_shared_file_is_mapped(
    shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(SCRATCH, raising=False)
    assert mapped_file(near(shared)) == shared.stat().st_ino


def test_a_copy_lives_until_other_frames_are_opened(shared: Path, scratch: Path) -> None:
    frames = near(shared)
    (link,) = links(scratch)
    assert mapped_file(frames) == link.stat().st_ino != shared.stat().st_ino
    np.testing.assert_array_equal(frames, np.load(shared))
    other = shared.with_name("32px-masks-0123456789abcdef.npy")
    np.save(other, np.zeros((40, 32, 32, 1), np.uint8))
    both = map_nearby([shared, other])
    assert len(links(scratch)) == 3
    del frames, both[shared]
    gc.collect()
    # The next network reads the same frames: they are not copied again.
    inode = link.stat().st_ino
    again = near(shared)
    assert mapped_file(again) == inode
    assert len(links(scratch)) == 2
    del again
    gc.collect()
    map_nearby([])
    (left,) = links(scratch)
    assert mapped_file(both[other]) == left.stat().st_ino
    assert shared.is_file()


def test_processes_share_one_copy_and_the_last_one_deletes_it(
    shared: Path, scratch: Path, start: Callable[[], subprocess.Popen[str]]
) -> None:
    users = [start() for _ in range(3)]
    expected = str(int(np.load(shared).sum()))
    for user in users:
        where, total = user.stdout.readline().strip(), user.stdout.readline().strip()
        assert Path(where).is_relative_to(scratch)
        assert total == expected
    assert len(links(scratch)) == 3
    assert len({link.stat().st_ino for link in links(scratch)}) == 1
    for n_left in (2, 1, 0):
        users.pop().communicate(timeout=20)
        assert len(links(scratch)) == n_left
    assert not list(scratch.rglob(".partial-*"))


def test_what_a_killed_process_left_the_next_one_deletes(
    shared: Path, scratch: Path, start: Callable[[], subprocess.Popen[str]]
) -> None:
    killed = start()
    killed.stdout.readline(), killed.stdout.readline()
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    (left,) = links(scratch)
    frames = near(shared)
    (link,) = links(scratch)
    assert link.name != left.name
    np.testing.assert_array_equal(frames, np.load(shared))


def test_a_copier_that_was_killed_is_followed_by_another(shared: Path, scratch: Path) -> None:
    code = (
        "import os, signal, sys, models.staging as staging; from pathlib import Path\n"
        "def die(chunk): os.kill(os.getpid(), signal.SIGKILL)\n"
        "real = staging._sum_of\n"
        "staging._sum_of = lambda file, advance, use=len: real(file, advance, die)\n"
        "staging.map_nearby([Path(sys.argv[1])])\n"
    )
    subprocess.run([sys.executable, "-c", code, str(shared)], check=False, cwd=ROOT)
    assert len(list(scratch.rglob(".partial-*"))) == 1
    frames = near(shared)
    assert mapped_file(frames) == links(scratch)[0].stat().st_ino
    assert not list(scratch.rglob(".partial-*"))


def test_frames_that_were_made_anew_are_copied_anew(shared: Path, scratch: Path) -> None:
    before = near(shared)
    shared.unlink()
    np.save(shared, np.zeros((40, 32, 32, 3), np.uint8))
    os.utime(shared, ns=(0, 0))
    assert not near(shared).any()
    assert before.any()


def test_a_link_that_a_cleaner_took_away_takes_nothing_from_its_user(
    shared: Path, scratch: Path, start: Callable[[], subprocess.Popen[str]]
) -> None:
    user = start()
    expected = [user.stdout.readline(), user.stdout.readline()][1]
    for link in links(scratch):
        link.unlink()
    user.stdin.write("\n")
    user.stdin.flush()
    assert user.stdout.readline() == expected


class TestWhereNoCopyCanBeHad:
    """The shared file is read, and why is said."""

    @pytest.fixture(autouse=True)
    def _log(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.WARNING, "bodyscene")

    def check(self, shared: Path, caplog: pytest.LogCaptureFixture, said: str) -> None:
        assert mapped_file(near(shared)) == shared.stat().st_ino
        assert caplog.text.count("is read from where it lies, not from BODYSCENE_SCRATCH") == 1
        assert said in caplog.text
        folder = Path(os.environ[SCRATCH])
        assert not folder.is_dir() or not [*links(folder), *folder.rglob(".partial-*")]

    def test_too_little_room(
        self,
        shared: Path,
        scratch: Path,
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        usage = staging.shutil.disk_usage(shared)
        n_free = LEAST_LEFT_FREE + shared.stat().st_size - 1
        monkeypatch.setattr(staging.shutil, "disk_usage", lambda _: usage._replace(free=n_free))
        self.check(shared, caplog, "GB left")

    def test_the_disk_fills_up_meanwhile(
        self,
        shared: Path,
        scratch: Path,
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        def full(file: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(staging, "force_to_disk", full)
        self.check(shared, caplog, "No space left on device")

    def test_a_disk_that_gives_back_other_bytes(
        self,
        shared: Path,
        scratch: Path,
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        def flip(file: int) -> None:
            path = Path(f"/proc/self/fd/{file}").resolve()
            pixels = bytearray(path.read_bytes())
            pixels[5000] ^= 1
            path.write_bytes(pixels)

        monkeypatch.setattr(staging, "force_to_disk", flip)
        self.check(shared, caplog, "does not give back what was written")

    @pytest.mark.parametrize("where", ["$NO_SUCH_VARIABLE/x", "scratch", "/dev/null/scratch"])
    def test_no_such_folder(
        self,
        shared: Path,
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
        where: str,
    ) -> None:
        monkeypatch.setenv(SCRATCH, where)
        self.check(shared, caplog, where)

    def test_it_vanishes_before_it_is_mapped(
        self,
        shared: Path,
        scratch: Path,
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        def do_and_lose(folder: Path, *rest: object) -> None:
            done_by_one(folder, *rest)
            links(scratch)[0].unlink()

        monkeypatch.setattr(staging, "done_by_one", do_and_lose)
        self.check(shared, caplog, "No such file")


def test_variables_are_those_of_the_node(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOB_TMPDIR", str(tmp_path / "of_job"))
    monkeypatch.setenv(SCRATCH, "$JOB_TMPDIR/frames")
    frames = near(shared)
    (link,) = links(tmp_path / "of_job" / "frames")
    assert mapped_file(frames) == link.stat().st_ino


def test_a_network_learns_the_same_from_copies(
    results: Results,
    make_study: Callable[..., Study],
    scratch: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    study = make_study(epochs=1)
    manifest = read_table("manifest", results.manifest)
    near = open_frames(results, manifest, 32)
    assert len(links(scratch)) == 3
    from_copies = train_model(study, results, "parts", 0).read_bytes()
    results.checkpoint("parts", 0).unlink()
    monkeypatch.delenv(SCRATCH)
    far = open_frames(results, manifest, 32)
    assert near.frames.keys() == far.frames.keys()
    for view, frames in far.frames.items():
        np.testing.assert_array_equal(frames, near.frames[view])
    near.let_go()
    assert train_model(study, results, "parts", 0).read_bytes() == from_copies
