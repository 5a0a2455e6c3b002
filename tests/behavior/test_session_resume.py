"""Sessions that were stopped, crashed, torn or short of disk go on; nothing is lost."""

from __future__ import annotations

import errno
import logging
import os
from typing import Any

import pytest

import behavior.journal
from behavior.folders import journal_path, session_folder
from behavior.stage import PageReply, Question, Reply, SessionStopped
from study.config import Study
from study.errors import StudyError
from study.fields.session import Confidence, Flow, Session
from study.results import Results
from tests.behavior.lab import (
    KINDS,
    LABELS,
    ScriptedStage,
    Stops,
    clips,
    details_of,
    events_of,
    hold,
    planned,
    rows_of,
)

Lab = tuple[Study, Results]


@pytest.mark.parametrize("method", ["show_page", "show_clip", "ask"])
@pytest.mark.parametrize("n", [1, 3, 9])
@pytest.mark.parametrize("error", [SessionStopped(), RuntimeError("the screen broke")])
def test_a_session_that_was_stopped_goes_on_with_the_same_trial(
    lab: Lab, method: str, n: int, error: BaseException
):
    settings = Session(flow=Flow(break_every=3))
    first = Stops("03", method, n, error)
    if isinstance(error, SessionStopped):
        assert hold(lab, first, settings).phase == "stopped"
    else:
        with pytest.raises(RuntimeError, match="the screen broke"):
            hold(lab, first, settings)
    assert not first.is_open
    n_answered = sum(event["event"] == "answered" for event in events_of(lab, "03"))
    second = ScriptedStage("03")
    assert hold(lab, second, settings).phase == "done"
    whole = planned(lab, "03")["stimulus_id"].tolist()
    assert clips(second) == whole[n_answered:]
    rows = rows_of(lab, "03")
    assert rows["trial"].tolist() == list(range(3, 13))
    was_in_trial = method != "show_page"
    interrupted = details_of(lab, "03")["times_interrupted"]
    expected = [int(was_in_trial and place == n_answered) for place in range(len(KINDS))]
    assert interrupted.tolist() == expected
    # Pages that were read are not shown again; a short one says that it goes on.
    if n_answered:
        assert second.pages[0].kind == "break"
        assert "Welcome back" in second.pages[0].text
        assert "consent" not in [page.kind for page in second.pages]


def test_who_stopped_at_a_break_is_welcomed_back_to_the_next_trial(lab: Lab):
    settings = Session(flow=Flow(break_every=3))
    hold(lab, Stops("01", "show_page", 9, SessionStopped()), settings)
    assert events_of(lab, "01")[-2]["event"] == "answered"
    stage = ScriptedStage("01")
    hold(lab, stage, settings)
    place = stage.asked.index("page break")
    assert stage.asked[place + 1].startswith("clip ")


def test_an_interrupted_trial_says_whether_it_was_seen(lab: Lab):
    hold(lab, Stops("01", "show_clip", 4, SessionStopped()))
    hold(lab, Stops("01", "ask", 1, SessionStopped()))
    hold(lab, ScriptedStage("01"))
    marks = [event for event in events_of(lab, "01") if event["event"] == "interrupted"]
    assert [(mark["trial"], mark["was_shown"]) for mark in marks] == [(4, False), (4, True)]
    row = details_of(lab, "01").set_index("trial").loc[4]
    assert row["times_interrupted"] == 2
    assert row["run"] == 3


def test_an_interruption_is_marked_once_however_often_the_start_fails(lab: Lab):
    hold(lab, Stops("01", "ask", 4, SessionStopped()))
    for _ in range(2):
        with pytest.raises(RuntimeError):
            hold(lab, Stops("01", "show_page", 1, RuntimeError()))
    hold(lab, ScriptedStage("01"))
    assert [e["trial"] for e in events_of(lab, "01") if e["event"] == "interrupted"] == [4]
    assert details_of(lab, "01").set_index("trial").loc[4, "times_interrupted"] == 1


def test_a_stop_at_familiarisation_goes_on_with_the_next_still(lab: Lab):
    hold(lab, Stops("01", "show_page", 5, SessionStopped()))
    stage = ScriptedStage("01")
    hold(lab, stage)
    stills = [page.text for page in stage.pages if page.picture is not None]
    assert stills == LABELS[1:]


def test_confidence_is_asked_after_each_answer_and_survives_a_stop(lab: Lab):
    settings = Session(confidence=Confidence(ask=True, steps=4))
    hold(lab, Stops("01", "rate", 3, SessionStopped()), settings)
    stage = ScriptedStage("01")
    hold(lab, stage, settings)
    details = details_of(lab, "01")
    # The third answer was given before the stop; it is kept, without its rating.
    assert details["confidence"].isna().tolist() == [place == 2 for place in range(len(KINDS))]
    assert set(details["confidence"].dropna()) == {2}
    assert details["times_interrupted"].sum() == 0
    assert len(rows_of(lab, "01")) == 10


def test_a_torn_line_is_said_and_its_trial_shown_again(lab: Lab, caplog: pytest.LogCaptureFixture):
    with pytest.raises(RuntimeError):
        hold(lab, Stops("01", "show_clip", 6, RuntimeError()))
    path = journal_path(lab[1], "01")
    lines = path.read_bytes().splitlines(keepends=True)
    answers = [number for number, line in enumerate(lines) if b'"answered"' in line]
    path.write_bytes(b"".join(lines[: answers[-1]]) + lines[answers[-1]][:30])
    stage = ScriptedStage("01")
    with caplog.at_level(logging.WARNING):
        hold(lab, stage)
    assert "torn" in caplog.text
    assert clips(stage) == planned(lab, "01")["stimulus_id"].tolist()[4:]
    resumed = next(event for event in events_of(lab, "01") if event["event"] == "resumed")
    assert resumed["torn"].startswith("torn-")


def test_a_full_disk_is_said_on_the_stage_and_nothing_is_lost(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(behavior.journal, "RETRY_S", 0.0)
    full = {"is": False}
    real = os.fsync

    def fsync(handle: int) -> None:
        if full["is"]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)

    class Room(ScriptedStage):
        n_help = 0

        def ask(self, question: Question) -> Reply:
            full["is"] = self.n_shown in (4, 9)
            return super().ask(question)

        def show_page(self, page: Any) -> PageReply:
            if "could not be saved" in page.text:
                assert "No space left on device" in page.text
                self.n_help += 1
                # The assistant makes room at the third asking; the second time somebody wants out.
                full["is"] = self.n_help % 3 != 0
                if self.n_help == 5:
                    raise SessionStopped
            return super().show_page(page)

    stage = Room("01")
    outcome = hold(lab, stage, durable=True)
    assert outcome.phase == "stopped"
    assert outcome.n_done == 7  # the answer to trial 9 is saved, then it stops
    assert stage.n_help == 6
    assert hold(lab, ScriptedStage("01"), durable=True).phase == "done"
    assert rows_of(lab, "01")["trial"].tolist() == list(range(3, 13))
    assert details_of(lab, "01")["times_interrupted"].sum() == 0


def test_a_session_that_was_taken_over_stops_before_it_writes(lab: Lab):
    folder = session_folder(lab[1], "01")

    def take_over(name: str) -> None:
        if name == "ask":
            (folder / "claim-002.json").write_text("{}")

    with pytest.raises(StudyError, match="was taken over"):
        hold(lab, ScriptedStage("01", take_over))
    assert not any(event["event"] == "answered" for event in events_of(lab, "01"))
