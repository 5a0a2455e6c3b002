"""One holder at a time: on one computer and on two that share a folder."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

import study.claim
from study.claim import Beat, Claim, HeldElsewhere, claimed, holder
from study.claim_files import KEPT
from study.errors import StudyError
from study.machine import machine_name, process_space

QUICK = Beat(every_s=0.05, stale_s=0.5, watch_s=0.3)
HOLD = (
    "import sys, time; from pathlib import Path; from study.claim import claimed\n"
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
        pytest.raises(StudyError, match=rf"07 is being held by process {other_process.pid} of "),
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
    of_another_computer(tmp_path, age_s=0.1, machine=machine_name())

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
    sleeper = Claim(path, "07")
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


def test_another_machine_is_told_of_when_it_is_off_and_this_one_is_not(tmp_path: Path):
    of_another_computer(tmp_path, age_s=0.1)
    with pytest.raises(HeldElsewhere, match="that computer is off, wait 30 s"):
        claimed(tmp_path, "07", Beat()).__enter__()
    of_another_computer(tmp_path, age_s=0.1, machine=machine_name())
    with pytest.raises(HeldElsewhere) as refused:
        claimed(tmp_path, "07", QUICK).__enter__()
    assert "is off" not in str(refused.value)


def test_a_container_on_the_same_computer_is_dead_only_when_it_is_silent(tmp_path: Path):
    # Its processes have numbers of their own: that ours lack one says nothing.
    gone = {"machine": machine_name(), "process": 2**22 + 1}
    of_another_computer(tmp_path, age_s=0.1, **gone, process_space="pid:[1]")
    assert holder(tmp_path) is not None
    with pytest.raises(HeldElsewhere, match="If it died"), claimed(tmp_path, "07", QUICK):
        pass
    of_another_computer(tmp_path, age_s=0.1, **gone, process_space=process_space())
    assert holder(tmp_path) is None
    with claimed(tmp_path, "07", QUICK) as claim:
        assert claim.path.name == "claim-002.json"


def test_many_short_holders_leave_few_files(tmp_path: Path):
    for _ in range(3 * KEPT):
        with claimed(tmp_path, "07", QUICK):
            pass
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [f"claim-{number:03d}.json" for number in range(2 * KEPT, 3 * KEPT + 1)]


def test_who_looked_before_old_claims_were_deleted_makes_none_below_the_newest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A process is slow between looking and making; its number was made and deleted meanwhile."""
    with claimed(tmp_path, "07", QUICK):
        pass
    real, made = study.claim.make_claim, []

    def make(path: Path) -> None:
        if not made:
            (tmp_path / "claim-001.json").rename(tmp_path / "claim-011.json")
        made.append(path.name)
        real(path)

    monkeypatch.setattr(study.claim, "make_claim", make)
    with claimed(tmp_path, "07", QUICK) as claim:
        assert claim.path.name == "claim-012.json"
    assert made == ["claim-002.json", "claim-012.json"]
    assert not (tmp_path / "claim-002.json").exists()


def test_processes_that_come_and_go_never_hold_at_once(tmp_path: Path):
    """Each adds one to a number that it reads, waits and writes: none is lost."""
    counter = tmp_path / "counter"
    counter.write_text("0")
    code = (
        "import sys, time; from pathlib import Path; from study.claim import *\n"
        "folder, done = Path(sys.argv[1]), 0\n"
        "while done < 25:\n"
        "    try:\n"
        "        with claimed(folder / 'claims', 'the number', Beat(0.05, 5.0, 1.0)):\n"
        "            n = int((folder / 'counter').read_text())\n"
        "            time.sleep(0.001)\n"
        "            (folder / 'counter').write_text(str(n + 1))\n"
        "            done += 1\n"
        "    except HeldElsewhere:\n"
        "        time.sleep(0.001)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    together = [subprocess.Popen(command) for _ in range(4)]
    assert [process.wait(timeout=60) for process in together] == [0] * 4
    assert counter.read_text() == "100"
    assert len(list((tmp_path / "claims").iterdir())) <= KEPT + 2


def test_a_folder_that_was_deleted_meanwhile_is_not_made_again(tmp_path: Path):
    folder = tmp_path / "claims"
    with claimed(folder, "07", QUICK):
        shutil.rmtree(folder)
    assert not folder.exists()


def test_a_holder_that_is_halted_goes_on_or_learns_that_it_was_taken_over(tmp_path: Path):
    """As a laptop that sleeps, or Ctrl-Z: nothing is renewed until it wakes."""
    code = (
        "import sys; from pathlib import Path; from study.claim import *\n"
        "with claimed(Path(sys.argv[1]), '07', Beat(0.05, 0.5, 0.3)) as claim:\n"
        "    for line in sys.stdin:\n"
        "        try: print(claim.check() or 'mine', flush=True)\n"
        "        except Exception as error: print(error, flush=True)\n"
    )
    sleeper = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip

    def ask() -> str:
        sleeper.stdin.write("\n")
        sleeper.stdin.flush()
        return sleeper.stdout.readline()

    try:
        assert ask() == "mine\n"
        sleeper.send_signal(signal.SIGSTOP)
        time.sleep(0.8)
        sleeper.send_signal(signal.SIGCONT)
        assert ask() == "mine\n"
        sleeper.send_signal(signal.SIGSTOP)
        time.sleep(0.8)
        with claimed(tmp_path, "07", QUICK):
            sleeper.send_signal(signal.SIGCONT)
            assert f"07 was taken over by process {os.getpid()} " in ask()
    finally:
        sleeper.kill()
        sleeper.wait()


class TestAShareThatListsNamesLate:
    """SMB on Windows lists a folder from a cache for ten seconds; NFS may, too."""

    def test_a_claim_that_is_not_listed_is_seen_when_its_name_is_taken(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        path = of_another_computer(tmp_path, age_s=0.1)
        monkeypatch.setattr(study.claim, "newest_claim", lambda folder: None)
        with pytest.raises(HeldElsewhere, match="of ada on lab-2"), claimed(tmp_path, "07", QUICK):
            pass
        path.write_text(json.dumps({**json.loads(path.read_text()), "released": True}))
        with claimed(tmp_path, "07", QUICK) as claim:
            assert claim.path.name == "claim-002.json"
            assert claim.path.is_file()

    def test_a_name_that_was_taken_for_a_moment_is_forgotten(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        real, made = study.claim.make_claim, []

        def make(path: Path) -> None:
            made.append(path.name)
            if len(made) == 1:
                raise FileExistsError(path)
            real(path)

        monkeypatch.setattr(study.claim, "make_claim", make)
        with claimed(tmp_path, "07", QUICK):
            pass
        assert made == ["claim-001.json", "claim-001.json"]


def test_a_share_that_is_away_for_a_moment_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def away(*_: object) -> None:
        raise OSError(errno.ESTALE, "Stale file handle")

    with claimed(tmp_path, "07", QUICK) as claim:
        with monkeypatch.context() as patch:
            patch.setattr(os, "scandir", away)
            patch.setattr(Path, "glob", away)
            claim.check()
        newer = {"machine": "lab-2", "process": 1, "user": "ada", "since_utc": "noon"}
        claim.path.with_name("claim-002.json").write_text(json.dumps(newer))
        with pytest.raises(StudyError, match="taken over by process 1 of ada"):
            claim.check()


def test_another_users_private_claim_locks_nobody_out_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Root reads everything, so the refusal is put in here."""
    private = of_another_computer(tmp_path, age_s=0.1)
    real = Path.open

    def refuse(path: Path, *args: Any, **options: Any) -> Any:
        if path == private:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path, *args, **options)

    monkeypatch.setattr(Path, "open", refuse)
    assert holder(tmp_path) == {}
    with pytest.raises(HeldElsewhere, match="is being held"), claimed(tmp_path, "07", QUICK):
        pass
    os.utime(private, (time.time() - 60,) * 2)
    assert holder(tmp_path) is None
    with claimed(tmp_path, "07", QUICK) as claim:
        assert claim.path.name == "claim-002.json"
