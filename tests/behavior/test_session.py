"""A session from the first page to the last, and the rows that it leaves."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from behavior.contents import remark_of
from behavior.flow import PageStep, session_steps
from behavior.pages import read_texts
from behavior.replacements import replace_participant
from behavior.responses import response_row
from behavior.stage import Contents, PageReply, Question
from behavior.stimuli_shown import clips_to_show, still_of
from behavior.trial import Answer, Trial, trials_of
from stimuli.video import Clip, write_clip
from study.config import Study
from study.errors import StudyError
from study.fields.session import Confidence, Flow, Session, Timing
from study.results import Results
from study.tables import read_table
from tests.behavior.lab import (
    LABELS,
    ScriptedStage,
    clips,
    details_of,
    events_of,
    hold,
    planned,
    rows_of,
)

Lab = tuple[Study, Results]
TRIAL = Trial("01", 1, 1, 1, "run-1", "run", "run", "body_only", ("hop", "run", "sit"))


def test_a_whole_session_shows_the_plan_and_writes_its_answers(lab: Lab):
    stage = ScriptedStage("02")
    outcome = hold(lab, stage)
    plan = planned(lab, "02")
    assert clips(stage) == plan["stimulus_id"].tolist()
    asked = [line.removeprefix("ask ") for line in stage.asked if line.startswith("ask ")]
    labels = plan[["choice_1", "choice_2", "choice_3"]].agg("|".join, axis=1)
    assert asked == labels.tolist()
    main = plan[plan["kind"] != "practice"]
    rows = rows_of(lab, "02")
    assert rows["trial"].tolist() == main["trial"].tolist()
    assert rows["choices"].tolist() == labels[main.index].tolist()
    assert set(rows["group"]) == {"human"}
    assert (rows["correct"] == (rows["response"] == rows["action"])).all()
    assert outcome.phase == "done"
    assert outcome.sentence() == "The session is complete: 10 trials."
    assert not stage.is_open


def test_the_parts_come_in_order_and_the_next_clip_is_prepared_before_the_answer(lab: Lab):
    stage = ScriptedStage("01")
    hold(lab, stage, Session(flow=Flow(break_every=4)))
    kinds = [line.split()[1] for line in stage.asked if line.startswith("page ")]
    assert kinds == [
        "consent",
        "instructions",
        *["familiarisation"] * 4,
        "practice",
        "instructions",
        "break",
        "break",
        "debrief",
    ]
    first, second = planned(lab, "01")["stimulus_id"][:2]
    assert stage.asked[0] == f"prepare {first}"
    place = stage.asked.index(f"clip {first}")
    assert stage.asked[place + 1] == f"prepare {second}"
    assert stage.asked[place + 2].startswith("ask ")
    assert stage.asked[place + 3].startswith("feedback ")
    shares = [page.progress for page in stage.pages if page.kind == "break"]
    assert shares == [0.4, 0.8]
    assert "4 of 10" in stage.pages[-3].text
    # Only practice is told right or wrong.
    assert sum(line.startswith("feedback") for line in stage.asked) == 2
    still = next(page for page in stage.pages if page.picture is not None)
    assert still.text == LABELS[0]
    assert still.picture is not None
    assert still.picture.is_file()


def test_all_that_may_be_shown_is_rehearsed_before_anything_is_on_record(lab: Lab):
    stage = ScriptedStage("01")
    settings = Session(
        flow=Flow(break_every=4, attention_page_after=1), confidence=Confidence(ask=True)
    )
    hold(lab, stage, settings)
    contents = stage.rehearsed
    assert contents is not None
    texts = [page.text for page in contents.pages]
    assert {page.text for page in stage.pages} <= set(texts)
    assert sum(text.startswith("# Welcome back") for text in texts) == 1
    assert sum(text.startswith("# Please call the assistant") for text in texts) == 1
    assert {label for question in contents.questions for label in question.labels} == set(LABELS)
    assert [len(scale.labels) for scale in contents.scales] == [4]
    said = {line.removeprefix("feedback ") for line in stage.asked if line.startswith("feedback ")}
    assert said <= set(contents.remarks)


def test_what_cannot_be_shown_is_said_before_the_session_begins(lab: Lab):
    stage = ScriptedStage("01")

    def refuse(contents: Contents) -> None:
        raise StudyError("a text is too long for the screen")

    stage.rehearse = refuse  # type: ignore[method-assign]
    with pytest.raises(StudyError, match="too long"):
        hold(lab, stage)
    assert not stage.is_open
    assert events_of(lab, "01") == []


def test_names_of_actions_are_shown_without_underscores(lab: Lab):
    steps = session_steps(
        Session(), read_texts(), [replace(TRIAL, kind="practice")], [("brushing_teeth", Path("x"))]
    )
    still = next(step.page for step in steps if isinstance(step, PageStep) and step.page.picture)
    assert still.text == "brushing teeth"
    assert remark_of(read_texts(), "brushing_teeth") == "Wrong. It was: brushing teeth"


def test_a_keyboard_that_falls_silent_is_on_record(lab: Lab):
    stage = ScriptedStage("01")

    def fall_silent(name: str) -> None:
        if name == "ask" and stage.n_shown == 3:
            stage.changed = {"keyboard_backend": "window"}

    stage.before = fall_silent
    hold(lab, stage)
    changes = [event for event in events_of(lab, "01") if event["event"] == "stage changed"]
    assert [event["keyboard_backend"] for event in changes] == ["window"]
    following = events_of(lab, "01")[changes[0]["n"]]
    assert (following["event"], following["trial"]) == ("answered", 3)


def test_the_assistant_reads_how_far_it_is(lab: Lab):
    stage = ScriptedStage("02")
    hold(lab, stage)
    said = [line for line in stage.asked if line.startswith("progress")]
    assert said[0] == "progress 02: 1 of 10 trials done; last answer: 0.2 s"
    # The check is the fifth; this participant gets it wrong.
    assert said[4].endswith("attention checks right: 0 of 1")
    assert len(said) == 10


def test_parts_can_be_switched_off(lab: Lab):
    flow = Flow(consent=False, familiarisation=False, practice=False, break_every=0)
    stage = ScriptedStage("01")
    hold(lab, stage, Session(flow=flow))
    kinds = [page.kind for page in stage.pages]
    assert kinds == ["instructions", "instructions", "debrief"]
    assert clips(stage) == planned(lab, "01")["stimulus_id"].tolist()[2:]
    assert len(rows_of(lab, "01")) == 10


def test_who_declines_is_shown_nothing(lab: Lab):
    class Declines(ScriptedStage):
        def show_page(self, page: Any) -> PageReply:
            super().show_page(page)
            return PageReply(page.kind != "consent", 1.0)

    stage = Declines("01")
    outcome = hold(lab, stage)
    assert outcome.phase == "declined"
    assert clips(stage) == []
    assert not (lab[1].root / "responses" / "sub-01.csv").exists()
    # The assistant pressed the wrong button: it begins with consent again.
    again = ScriptedStage("01")
    assert hold(lab, again).phase == "done"
    assert [page.kind for page in again.pages][:2] == ["consent", "instructions"]


def test_answers_that_came_too_late_are_no_responses(lab: Lab):
    class Slow(ScriptedStage):
        def choose(self, question: Question) -> int | None:
            assert question.limit_s == 3.0
            return None if self.n_shown % 4 == 0 else super().choose(question)

    settings = Session(timing=Timing(answer_limit_s=3.0))
    hold(lab, Slow("01"), settings)
    details = details_of(lab, "01")
    assert details["timed_out"].tolist() == [int(trial % 4 == 0) for trial in details["trial"]]
    late = [4, 8, 12]
    assert rows_of(lab, "01")["trial"].tolist() == [t for t in range(3, 13) if t not in late]
    assert details.set_index("trial").loc[late, "response"].isna().all()


def test_a_page_wakes_who_fails_attention_checks(lab: Lab):
    class Asleep(ScriptedStage):
        def choose(self, question: Question) -> int | None:
            trial = planned(lab, "01").iloc[self.n_shown - 1]
            right = list(question.labels).index(trial["action"])
            return (right + (trial["kind"] == "catch")) % 3

    stage = Asleep("01")
    hold(lab, stage, Session(flow=Flow(attention_page_after=1)))
    assert [page.kind for page in stage.pages].count("break") == 1
    assert "Are you still with us?" in next(p.text for p in stage.pages if p.kind == "break")


def test_a_replacement_does_the_list_of_the_one_it_replaces(lab: Lab):
    replace_participant(lab[1], "02b", "02", ["01", "02", "03"])
    stage = ScriptedStage("02b")
    hold(lab, stage)
    assert clips(stage) == planned(lab, "02")["stimulus_id"].tolist()
    assert set(rows_of(lab, "02b")["observer"]) == {"02b"}
    assert set(details_of(lab, "02b")["list"]) == {"02"}


def test_tables_are_there_at_each_break(lab: Lab):
    seen: list[int] = []

    def look(name: str) -> None:
        path = lab[1].root / "responses" / "sub-01.csv"
        if name == "show_page" and path.exists():
            seen.append(len(pd.read_csv(path)))

    hold(lab, ScriptedStage("01", look), Session(flow=Flow(break_every=3)))
    assert seen[:3] == [3, 6, 9]


def test_the_record_says_what_it_ran_on_and_no_name(lab: Lab):
    hold(lab, ScriptedStage("01"))
    started = events_of(lab, "01")[0]
    assert started["event"] == "started"
    assert started["stage"] == {"stage": "script"}
    assert {"machine", "system", "python", "packages", "time_utc", "frozen"} <= set(started)
    name = "clip00__body_background"
    manifest = read_table("manifest", lab[1].manifest).set_index("stimulus_id")
    assert started["frozen"][f"stimulus {name}"] == manifest.loc[name, "sha256"]


@pytest.mark.parametrize("position", [-1, 3])
def test_a_position_that_was_not_shown_is_refused(position: int):
    with pytest.raises(StudyError, match="expected 0 to 2"):
        response_row(TRIAL, Answer(position, 1.0), "human", "")


def test_a_label_with_the_separator_is_refused():
    trial = Trial("01", 1, 1, 1, "x", "x", "a|b", "body_only", ("a|b", "c"))
    with pytest.raises(StudyError, match="separates choices"):
        response_row(trial, Answer(0, 1.0), "human", "")


def test_trials_come_in_the_order_shown_with_their_labels_in_place():
    table = pd.DataFrame(
        {
            "participant": ["02", "01", "01"],
            "session": 1,
            "block": 1,
            "trial": [1, 2, 1],
            "kind": ["test", "test", "practice"],
            "stimulus_id": ["s", "t", "u"],
            "clip_id": "c",
            "action": ["a", "b", "c"],
            "condition": "body_only",
            **{f"choice_{k}": [f"{row}{k}" for row in "xyz"] for k in range(1, 11)},
        }
    )
    trials = trials_of(table, "01")
    assert [trial.stimulus_id for trial in trials] == ["u", "t"]
    assert [trial.kind for trial in trials] == ["practice", "test"]
    # choice_10 comes last, not after choice_1.
    assert trials[0].choices == tuple(f"z{k}" for k in range(1, 11))
    with pytest.raises(StudyError, match=r"'03' has no list; expected one of 01 \.\. 02"):
        trials_of(table, "03")
    assert {trial.participant for trial in trials_of(table, "01b", "01")} == {"01b"}


def test_videos_are_cut_and_stills_have_their_own_time(lab: Lab):
    manifest = read_table("manifest", lab[1].manifest).set_index("stimulus_id")
    name = "clip00__body_background"
    manifest.loc[name, ["path", "fps", "n_frames"]] = ["stimuli/x.mp4", 25.0, 500]
    shown = clips_to_show(lab[1], manifest, manifest.index, 2.5, 6.0)
    assert shown[name].n_frames == 150
    assert np.isclose(shown[name].duration_s, 6.0)
    assert shown["clip01__body_only"].duration_s == 2.5


def test_the_still_of_a_video_is_its_middle_frame_and_made_once(lab: Lab):
    frames = np.stack([np.full((16, 32, 3), 40 * number, np.uint8) for number in range(5)])
    path = lab[1].root / "stimuli" / "moving.mp4"
    write_clip(path, Clip(frames, Fraction(10)))
    manifest = read_table("manifest", lab[1].manifest).set_index("stimulus_id")
    name = "clip00__body_background"
    manifest.loc[name, "path"] = "stimuli/moving.mp4"
    still = still_of(lab[1], manifest, name)
    assert np.array_equal(np.asarray(Image.open(still)), frames[2])
    before = still.stat().st_mtime_ns
    assert still_of(lab[1], manifest, name).stat().st_mtime_ns == before
    # A photograph is its own still.
    other = still_of(lab[1], manifest, "clip01__body_only")
    assert other == lab[1].root / "stimuli" / "body_only" / "clip01.png"
