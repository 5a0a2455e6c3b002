"""The k-way read-out among the choices."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from models.readout import read_out, response_rows
from study.errors import StudyError
from study.tables import check_table

CLASSES = ["run", "jump", "bow", "wave"]


def test_the_largest_among_the_choices_wins() -> None:
    scores = np.log([[0.1, 0.2, 0.3, 0.4], [0.7, 0.1, 0.15, 0.05]])
    choices = np.array([["run", "jump", "bow"], ["jump", "bow", "wave"]])
    assert list(read_out(scores, CLASSES, choices)) == ["bow", "bow"]


def test_ties_go_by_the_alphabet_not_to_the_right_label() -> None:
    even = np.zeros((2, 4))
    choices = np.array([["wave", "run", "jump"], ["run", "wave", "bow"]])
    assert list(read_out(even, CLASSES, choices)) == ["jump", "bow"]


def test_an_unknown_choice_is_named() -> None:
    with pytest.raises(StudyError, match="'fly' is not a class"):
        read_out(np.zeros((1, 4)), CLASSES, np.array([["run", "fly"]]))


def test_rows_are_those_of_people() -> None:
    stimuli = pd.DataFrame(
        {
            "stimulus_id": ["run_1-body_only", "bow_1-body_only", "wave_1-body_only"],
            "clip_id": ["run_1", "bow_1", "wave_1"],
            "action": ["run", "bow", "wave"],
            "condition": "body_only",
        }
    )
    choices = pd.DataFrame(
        {"action": ["wave", "run"], "choice_1": ["wave", "run"], "choice_2": ["bow", "jump"]}
    )
    scores = np.array([[2.0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 3, 1]])
    rows = response_rows(stimuli, scores, CLASSES, choices, "net-seed0", "net")
    check_table("responses", rows, path="rows")  # type: ignore[arg-type]
    assert list(rows["action"]) == ["run", "wave"], "bow has no choices"
    assert list(rows["choices"]) == ["run|jump", "wave|bow"]
    assert list(rows["response"]) == ["run", "bow"]
    assert list(rows["correct"]) == [1, 0]
    assert list(rows["trial"]) == [1, 2]
