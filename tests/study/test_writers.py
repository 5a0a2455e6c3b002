"""A results folder has one writer; work that several want is done by one of them."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from study.claim import Beat, Claim, HeldElsewhere
from study.errors import StudyError
from study.writers import CLAIM_HELD, CLAIMS, done_by_one, only_writer

QUICK = Beat(every_s=0.05, stale_s=0.5, watch_s=0.3)
HOLD = (
    "import sys, time; from pathlib import Path; from study.writers import only_writer\n"
    "with only_writer(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)\n"
)
# What a step of a run does on another machine: it writes, if it may.
STEP = (
    "import sys; from pathlib import Path; from study.writers import only_writer\n"
    "with only_writer(Path(sys.argv[1])) as claim: print(claim.path.name)\n"
)


def run_step(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", STEP, str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def on_another_login_node(folder: Path, age_s: float) -> Path:
    """Write the claim of a run that another machine holds, renewed so long ago."""
    path = folder / CLAIMS / "claim-001.json"
    path.parent.mkdir(parents=True)
    facts = {"machine": "login2", "process": 17, "user": "ada", "since_utc": "noon", "token": "x"}
    path.write_text(json.dumps(facts))
    os.utime(path, (time.time() - age_s,) * 2)
    return path


@pytest.fixture
def other(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "held"
    yield process
    process.kill()
    process.wait()


class TestOnlyWriter:
    """Who may write into a results folder."""

    def test_a_second_writer_is_refused_at_once(
        self, tmp_path: Path, other: subprocess.Popen[str]
    ) -> None:
        start = time.monotonic()
        said = rf"held by process {other.pid} of .* on .* \(since .*--results"
        with pytest.raises(HeldElsewhere, match=said), only_writer(tmp_path):
            pass
        assert time.monotonic() - start < 1

    @pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
    def test_however_the_holder_ends_the_folder_is_free_at_once(
        self, tmp_path: Path, other: subprocess.Popen[str], how: signal.Signals
    ) -> None:
        other.send_signal(how)
        other.wait()
        start = time.monotonic()
        with only_writer(tmp_path):
            assert time.monotonic() - start < 1

    def test_a_run_on_another_login_node_is_refused_and_a_dead_one_taken_over(
        self, tmp_path: Path
    ) -> None:
        path = on_another_login_node(tmp_path, age_s=100.0)
        with (
            pytest.raises(HeldElsewhere, match=r"17 of ada on login2 .* is off, wait 180 s"),
            only_writer(tmp_path),
        ):
            pass
        os.utime(path, (time.time() - 200,) * 2)
        with only_writer(tmp_path, QUICK) as claim:
            claim.check()
        assert claim.path.name == "claim-002.json"

    def test_a_writer_within_the_writer_is_let_in(self, tmp_path: Path) -> None:
        with only_writer(tmp_path) as outer:
            with only_writer(tmp_path) as inner:
                assert inner.path == outer.path
            # The inner one has not let go of what the outer one holds.
            assert run_step(tmp_path).stdout.strip() == outer.path.name
        assert CLAIM_HELD not in os.environ
        assert run_step(tmp_path).stdout.strip() == "claim-002.json"

    def test_another_folder_is_held_by_itself(self, tmp_path: Path) -> None:
        with only_writer(tmp_path / "a"):
            with only_writer(tmp_path / "b"):
                assert len(list((tmp_path / "b" / CLAIMS).iterdir())) == 1
            assert run_step(tmp_path / "a").returncode == 0

    def test_steps_write_wherever_their_machine_has_the_folder(self, tmp_path: Path) -> None:
        (tmp_path / "home").mkdir()
        (tmp_path / "mounted").symlink_to(tmp_path / "home")
        with only_writer(tmp_path / "home"):
            assert run_step(tmp_path / "mounted").stdout.strip() == "claim-001.json"

    def test_a_step_whose_run_is_over_or_was_taken_over_does_not_begin(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with only_writer(tmp_path) as claim:
            held = os.environ[CLAIM_HELD]
        monkeypatch.setenv(CLAIM_HELD, held)
        assert "the run that started this command has ended" in run_step(tmp_path).stderr
        facts = json.loads(claim.path.read_text())
        claim.path.write_text(json.dumps({**facts, "released": False}))
        assert run_step(tmp_path).returncode == 0, "as long as nobody else came"
        newer = {**facts, "machine": "login2", "token": "another", "released": False}
        claim.path.with_name("claim-002.json").write_text(json.dumps(newer))
        assert "taken over by process" in run_step(tmp_path).stderr

    def test_a_folder_that_cannot_be_written_is_said_in_words(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with (
            pytest.raises(StudyError, match="this results folder cannot be begun"),
            only_writer(tmp_path / "file"),
        ):
            pass


class TestDoneByOne:
    """Trainings that start together need the same frames."""

    def test_others_wait_and_say_so_once(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO, "bodyscene")
        made, done = [], threading.Event()

        def work(claim: Claim) -> None:
            time.sleep(0.6)
            made.append(claim.path.name)
            done.set()

        def want() -> None:
            done_by_one(tmp_path, "the frames", done.is_set, work, QUICK)
            assert done.is_set()

        threads = [threading.Thread(target=want) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert made == ["claim-001.json"]
        assert caplog.text.count("waiting: the frames is being held by process") == 2

    def test_what_a_killed_maker_left_another_one_makes(self, tmp_path: Path) -> None:
        code = (
            "import sys, time; from pathlib import Path; from study.writers import done_by_one\n"
            "def work(claim): print('begun', flush=True); time.sleep(60)\n"
            "done_by_one(Path(sys.argv[1]), 'the frames', lambda: False, work)\n"
        )
        maker = subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        assert maker.stdout is not None
        assert maker.stdout.readline().strip() == "begun"
        threading.Timer(0.5, maker.kill).start()
        made: list[Claim] = []
        try:
            done_by_one(tmp_path, "the frames", lambda: bool(made), made.append)
        finally:
            maker.kill()
            maker.wait()
        assert len(made) == 1

    def test_a_mistake_is_everyones(self, tmp_path: Path) -> None:
        def work(claim: Claim) -> None:
            raise StudyError("unreadable")

        for _ in range(2):
            with pytest.raises(StudyError, match="unreadable"):
                done_by_one(tmp_path, "the frames", lambda: False, work, QUICK)
