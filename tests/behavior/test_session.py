"""The loop over trials and the rows that it leaves."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from behavior.responses import response_row
from behavior.session import run_session
from behavior.trial import Answer, Trial, trials_of
from study.errors import StudyError
from study.tables import check_table

TRIAL = Trial("01", 1, 1, 1, "run-1", "run", "run", "body_only", ("hop", "run", "sit"))


class Script:
    """Answers from a list, and says what has happened so far."""

    def __init__(self, answers: list[Answer], events: list[str]) -> None:
        self.answers = iter(answers)
        self.events = events

    def respond(self, trial: Trial) -> Answer:
        self.events.append(f"shown {trial.trial}")
        return next(self.answers)


def test_each_answer_is_recorded_before_the_next_trial_is_shown():
    events: list[str] = []
    trials = [TRIAL, Trial("01", 1, 1, 2, "hop-1", "hop", "hop", "body_only", TRIAL.choices)]
    script = Script([Answer(1, 0.5), Answer(2, 0.25)], events)
    rows: list[dict] = []

    def record(row: dict) -> None:
        events.append(f"recorded {row['trial']}")
        rows.append(row)

    run_session(trials, script, record, "human", lambda: "2030-01-02T03:04:05Z")
    assert events == ["shown 1", "recorded 1", "shown 2", "recorded 2"]
    assert [row["correct"] for row in rows] == [1, 0]
    assert [row["response"] for row in rows] == ["run", "sit"]
    assert rows[0]["choices"] == "hop|run|sit"
    assert rows[0]["time_utc"] == "2030-01-02T03:04:05Z"
    check_table("responses", pd.DataFrame(rows), Path("rows"))


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
            "stimulus_id": ["s", "t", "u"],
            "clip_id": "c",
            "action": ["a", "b", "c"],
            "condition": "body_only",
            **{f"choice_{k}": [f"{row}{k}" for row in "xyz"] for k in range(1, 11)},
        }
    )
    trials = trials_of(table, "01")
    assert [trial.stimulus_id for trial in trials] == ["u", "t"]
    # choice_10 comes last, not after choice_1.
    assert trials[0].choices == tuple(f"z{k}" for k in range(1, 11))
    with pytest.raises(StudyError, match=r"'03' has no list; expected one of 01 \.\. 02"):
        trials_of(table, "03")
