"""Sessions that are killed at random moments, inside writes too: nothing lost, nothing doubled."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import psutil
import pytest

from behavior.folders import detail_path, journal_path
from behavior.journal import read_journal
from behavior.state import state_of
from study.results import Results
from study.tables import read_table
from tests.behavior.lab import CONDITIONS, KINDS, LABELS, make_lab

PARTICIPANTS = ("01", "02")
LAB = Path(__file__).with_name("lab.py")


class Server:
    """Starts sessions in processes of their own."""

    def __init__(self, root: Path) -> None:
        root_of_project = LAB.parents[2]
        self.process = subprocess.Popen(
            [sys.executable, str(LAB), str(root)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(root_of_project), "OMP_NUM_THREADS": "1"},
        )
        assert self._line() == "ready"

    def start(self, participant: str, seed: int) -> int:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{participant} {seed}\n")
        self.process.stdin.flush()
        return int(self._line())

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[Server, Results]]:
    study, results = make_lab(tmp_path, len(PARTICIPANTS))
    (tmp_path / "lab.json").write_text(study.model_dump_json(), encoding="utf-8")
    started = Server(tmp_path)
    yield started, results
    started.process.kill()
    started.process.wait()


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def run_until(pid: int, seconds: float) -> bool:
    """Wait for a process, kill it after so many seconds; return whether it had to be killed."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not is_running(pid):
            return False
        time.sleep(0.002)
    os.kill(pid, signal.SIGKILL)
    while is_running(pid):
        time.sleep(0.001)
    return True


def is_done(results: Results, participant: str) -> bool:
    events = read_journal(journal_path(results, participant)).events
    return bool(events) and events[-1]["event"] == "finished"


def n_answered(results: Results, participant: str, planned: pd.DataFrame) -> int:
    """Count the answers on record; they are those to the first trials of the plan, each once."""
    events = read_journal(journal_path(results, participant)).events
    answered = [event["trial"] for event in events if event["event"] == "answered"]
    assert answered == planned["trial"].tolist()[: len(answered)]
    return len(answered)


def check_what_was_asked(results: Results, planned: pd.DataFrame, before: int, after: int) -> None:
    """Check what a participant saw in one run against the answers on record before and after."""
    diary = results.root / "asked.txt"
    lines = diary.read_text(encoding="utf-8").splitlines() if diary.exists() else []
    clips = [line.removeprefix("clip ") for line in lines if line.startswith("clip ")]
    assert clips == planned["stimulus_id"].tolist()[before : before + len(clips)]
    # A clip is shown only when the answer to the one before it is on record.
    assert after - before in (len(clips), max(0, len(clips) - 1))
    diary.unlink(missing_ok=True)


@pytest.mark.parametrize(
    ("n_kills", "seed"), [(25, 1), pytest.param(200, 2, marks=pytest.mark.slow)]
)
def test_killed_sessions_lose_and_double_nothing(
    server: tuple[Server, Results], n_kills: int, seed: int
):
    start, results = server[0].start, server[1]
    trials = read_table("trials", results.trials)
    draw = random.Random(seed)
    todo, n_killed, n_torn, rounds = list(PARTICIPANTS), 0, 0, 0
    while n_killed < n_kills or todo:
        participant = todo[0]
        planned = trials[trials["participant"] == participant]
        before = n_answered(results, participant, planned)
        seconds = draw.uniform(0.0, 0.4) if n_killed < n_kills else 60.0
        n_killed += run_until(start(participant, draw.randrange(10**6)), seconds)
        n_torn += bool(read_journal(journal_path(results, participant)).torn)
        after = n_answered(results, participant, planned)
        check_what_was_asked(results, planned, before, after)
        if is_done(results, participant):
            check_whole_session(results, participant, planned)
            todo.pop(0)
        if not todo and n_killed < n_kills:
            # More kills are wanted than these sessions took: begin anew in another folder.
            rounds += 1
            set_sessions_aside(results, rounds)
            todo = list(PARTICIPANTS)
    assert n_killed >= n_kills
    assert n_torn >= n_kills / 20, "some kills fall inside a write"


def set_sessions_aside(results: Results, number: int) -> None:
    (results.root / "sessions").rename(results.root / f"sessions-{number}")
    (results.root / "responses").rename(results.root / f"responses-{number}")


def check_whole_session(results: Results, participant: str, planned: pd.DataFrame) -> None:
    """Compare the tables with the plan and with what the scripted participant chooses."""
    rows = read_table("responses", results.root / "responses" / f"sub-{participant}.csv")
    main = planned[planned["kind"] != "practice"]
    for name in ("trial", "stimulus_id", "clip_id", "action", "condition"):
        assert rows[name].tolist() == main[name].tolist(), name
    chosen = [
        labels[(LABELS.index(labels[0]) + int(participant)) % 3]
        for labels in main[["choice_1", "choice_2", "choice_3"]].to_numpy().tolist()
    ]
    assert rows["response"].tolist() == chosen
    details = pd.read_csv(detail_path(results, participant), dtype={"participant": str})
    assert details["kind"].tolist() == KINDS
    events = read_journal(journal_path(results, participant)).events
    begun = pd.Series([e["trial"] for e in events if e["event"] == "trial"]).value_counts()
    expected = [begun[trial] - 1 for trial in details["trial"]]
    assert details["times_interrupted"].tolist() == expected
    marked = sum(event["event"] == "interrupted" for event in events)
    assert marked == sum(expected)
    assert set(rows["condition"]) <= set(CONDITIONS)
    assert state_of(events).phase == "done"
