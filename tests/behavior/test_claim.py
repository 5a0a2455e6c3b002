"""One session, one holder: on one computer and on two that share a folder."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from behavior.claim import Beat, Claim, claimed, holder, machine
from study.errors import StudyError

QUICK = Beat(every_s=0.05, stale_s=0.5, watch_s=0.3)
HOLD = (
    "import sys, time; from pathlib import Path; from behavior.claim import claimed\n"
    "with claimed(Path(sys.argv[1]), '07'): print('held', flush=True); time.sleep(60)\n"
)


def of_another_computer(folder: Path, age_s: float, **facts: Any) -> Path:
    path = folder / "claim-001.json"
    content = {"machine": "lab-2", "process": os.getpid(), "user": "ada", "since_utc": "noon"}
    path.write_text(json.dumps(content | facts))
    old = time.time() - age_s
    os.utime(path, (old, old))
    return path


@pytest.fixture
def other_process(tmp_path: Path) -> subprocess.Popen:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "held"
    yield process
    process.kill()
    process.wait()


def test_a_second_process_is_refused_by_name_and_a_dead_one_is_taken_over(
    tmp_path: Path, other_process: subprocess.Popen, caplog: pytest.LogCaptureFixture
):
    with (
        pytest.raises(StudyError, match=rf"07: .* process {other_process.pid} of .* on "),
        claimed(tmp_path, "07", QUICK),
    ):
        pass
    assert holder(tmp_path)["process"] == other_process.pid
    other_process.send_signal(signal.SIGKILL)
    other_process.wait()
    assert holder(tmp_path) is None
    with claimed(tmp_path, "07", QUICK):
        assert holder(tmp_path)["process"] == os.getpid()
    assert f"process {other_process.pid}" in caplog.text
    assert "taken over" in caplog.text


def test_a_claim_that_was_released_is_free(tmp_path: Path):
    for _ in range(3):
        with claimed(tmp_path, "07", QUICK):
            pass
    assert holder(tmp_path) is None
    assert len(list(tmp_path.glob("claim-*.json"))) == 3


def test_copies_of_claims_are_no_claims(tmp_path: Path):
    with claimed(tmp_path, "07", QUICK):
        pass
    for name in ("claim-001 - Copy.json", "claim-009 (2).json"):
        (tmp_path / name).write_text("{}")
    with claimed(tmp_path, "07", QUICK) as claim:
        assert claim.path.name == "claim-002.json"


def test_the_same_process_is_refused_too(tmp_path: Path):
    with (
        claimed(tmp_path, "07", QUICK),
        pytest.raises(StudyError, match="is being held"),
        claimed(tmp_path, "07", QUICK),
    ):
        pass


def test_another_computer_that_gave_a_sign_of_life_is_refused_at_once(tmp_path: Path):
    of_another_computer(tmp_path, age_s=0.1)
    start = time.monotonic()
    with (
        pytest.raises(StudyError, match="of ada on lab-2"),
        claimed(tmp_path, "07", Beat(stale_s=30.0)),
    ):
        pass
    assert time.monotonic() - start < 1.0


def test_another_computer_that_is_silent_is_taken_over(tmp_path: Path):
    of_another_computer(tmp_path, age_s=60.0)
    with claimed(tmp_path, "07", QUICK) as claim:
        assert claim.path.name == "claim-002.json"


def test_a_dead_computer_whose_clock_was_an_hour_ahead_blocks_nobody(tmp_path: Path):
    of_another_computer(tmp_path, age_s=-3600.0)
    with claimed(tmp_path, "07", QUICK) as claim:
        assert claim.path.name == "claim-002.json"


def test_a_process_that_may_not_be_looked_at_is_not_taken_for_dead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    of_another_computer(tmp_path, age_s=0.1, machine=machine())

    def refuse(number: int) -> None:
        raise psutil.AccessDenied(number)

    monkeypatch.setattr(psutil, "Process", refuse)
    with pytest.raises(StudyError, match="is being held"), claimed(tmp_path, "07", QUICK):
        pass


def test_another_computer_whose_clock_is_wrong_but_lives_is_refused(tmp_path: Path):
    path = of_another_computer(tmp_path, age_s=3600.0)
    is_over = threading.Event()

    def live() -> None:
        # Its renewals carry its own clock, an hour behind.
        while not is_over.wait(0.05):
            os.utime(path, (time.time() - 3600, time.time() - 3600))

    thread = threading.Thread(target=live)
    thread.start()
    try:
        with (
            pytest.raises(StudyError, match="is being held"),
            claimed(tmp_path, "07", QUICK),
        ):
            pass
    finally:
        is_over.set()
        thread.join()


def test_a_holder_that_was_taken_over_sees_it(tmp_path: Path):
    path = of_another_computer(tmp_path, age_s=60.0)
    sleeper = Claim(path)
    sleeper.check()
    with claimed(tmp_path, "07", QUICK):
        with pytest.raises(StudyError, match="was taken over by process"):
            sleeper.check()
        # What the sleeper does to its own claim does not touch the newer one.
        sleeper.renew()
        sleeper.release()
        assert holder(tmp_path)["process"] == os.getpid()


def test_of_many_that_start_at_once_one_holds(tmp_path: Path):
    won, refused = [], []
    gate = threading.Barrier(8)
    all_tried = threading.Barrier(8)

    def start() -> None:
        gate.wait()
        try:
            with claimed(tmp_path, "07", QUICK) as claim:
                won.append(claim.path.name)
                all_tried.wait()
        except StudyError as error:
            refused.append(error)
            all_tried.wait()

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert won == ["claim-001.json"]
    assert len(refused) == 7


def test_a_claim_is_renewed_while_it_is_held(tmp_path: Path):
    with claimed(tmp_path, "07", QUICK) as claim:
        before = claim.path.stat().st_mtime_ns
        time.sleep(0.3)
        assert claim.path.stat().st_mtime_ns > before


def test_a_folder_that_cannot_be_written_is_said_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StudyError, match="No space left"), claimed(tmp_path, "07", QUICK):
        pass
    assert list(tmp_path.iterdir()) == []
