"""Exclusion rules: who and what they take, in which order, and that all of it is counted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from analysis.exclusions import FLOW, apply_exclusions
from study.config import Study
from study.errors import StudyError
from study.fields import Exclusions

CONDITIONS = ("body_background", "body_only", "background_only")


def answers() -> pd.DataFrame:
    """Four observers and a network, ten answers per version each, all right in a second."""
    rows = [
        (group, observer, f"clip{k}", condition, 1, 1.0 if group == "simulated" else np.nan)
        for group, observer in [
            *(("simulated", f"0{n}") for n in range(1, 5)),
            ("baseline", "baseline-seed0"),
        ]
        for condition in CONDITIONS
        for k in range(10)
    ]
    columns = ["group", "observer", "clip_id", "condition", "correct", "rt_s"]
    return pd.DataFrame(rows, columns=columns)


def ruled(study: Study, **rules: Any) -> Study:
    return study.model_copy(update={"exclusions": Exclusions(**rules)})


def rows_of(table: pd.DataFrame, observer: str, condition: str | None = None) -> pd.Series:
    is_own = table["observer"] == observer
    return is_own if condition is None else is_own & (table["condition"] == condition)


def test_without_rules_everything_stays(study: Study):
    kept = apply_exclusions(study, answers())
    pd.testing.assert_frame_equal(kept.table, answers())
    assert kept.left_out.empty
    assert kept.flow.empty
    assert list(kept.flow.columns) == FLOW
    assert kept.sentence == "No exclusion rule is in force: all 4 observers are analysed."


def test_accuracy_is_judged_on_the_originals_and_never_in_networks(study: Study):
    table = answers()
    for observer, n_wrong in (("01", 4), ("02", 5), ("baseline-seed0", 9)):
        wrong = table.index[rows_of(table, observer, "body_background")][:n_wrong]
        table.loc[wrong, "correct"] = 0
    # Bad on body only is no reason to go.
    table.loc[rows_of(table, "03", "body_only"), "correct"] = 0
    kept = apply_exclusions(ruled(study, min_accuracy=0.6), table)
    assert set(kept.table["observer"]) == {"01", "03", "04", "baseline-seed0"}
    assert len(kept.left_out) == 30
    assert set(kept.left_out["rule"]) == {"accuracy"}
    step = kept.flow.iloc[0]
    assert step["who"] == "simulated:02 (0.500)"
    assert step[FLOW[2:6]].tolist() == [4, 3, 120, 90]
    assert "1 by the rule on accuracy" in kept.sentence
    assert "90 of 120 answers are analysed" in kept.sentence


def test_fast_observers_go_then_single_fast_and_slow_answers(study: Study):
    table = answers()
    table.loc[table.index[rows_of(table, "01")][:16], "rt_s"] = 0.1
    table.loc[table.index[rows_of(table, "02")][:15], "rt_s"] = 0.1
    table.loc[table.index[rows_of(table, "03")][:2], "rt_s"] = 20.0
    table.loc[table.index[rows_of(table, "04")][0], "rt_s"] = np.nan
    rules = {"min_rt_s": 0.2, "max_rt_s": 10.0, "max_share_fast": 0.5}
    kept = apply_exclusions(ruled(study, **rules), table)
    assert kept.flow["step"].tolist() == ["fast answers", "too fast", "too slow"]
    assert kept.flow["n_observers_after"].tolist() == [3, 3, 3]
    assert kept.flow["n_trials_after"].tolist() == [90, 75, 73]
    assert kept.flow["who"].tolist() == [
        "simulated:01 (0.533)",
        "simulated:02 (15)",
        "simulated:03 (2)",
    ]
    assert kept.notes == ["exclusions: 1 answers of observers have no reaction time and are kept"]
    # Networks have no times and all of their answers.
    assert (kept.table["group"] == "baseline").sum() == 30
    assert len(kept.table) + len(kept.left_out) == len(table)


def test_by_hand_with_reason_and_each_rule_judges_who_is_left(study: Study):
    table = answers()
    table.loc[rows_of(table, "02"), "correct"] = 0
    rules = {"by_hand": {"02": "fell asleep"}, "min_accuracy": 0.5}
    kept = apply_exclusions(ruled(study, **rules), table)
    assert kept.flow["step"].tolist() == ["by hand", "accuracy"]
    assert kept.flow["who"].tolist() == ["simulated:02 (fell asleep)", ""]
    assert kept.flow["n_observers_before"].tolist() == [4, 3]
    assert "Of 4 observers, 1 was left out (1 by hand)" in kept.sentence


def planned_catch(**n_right: int) -> pd.DataFrame:
    """Four catch trials of each observer, so many of them right."""
    names = [f"0{n}" for n in range(1, 5)]
    right = [n_right.get(f"of_{name}", 4) > k for name in names for k in range(4)]
    observers = [name for name in names for _ in range(4)]
    table = pd.DataFrame({"group": "simulated", "observer": observers, "clip_id": "catch"})
    return table.assign(condition="body_background", correct=np.array(right, int), rt_s=1.0)


def judged_by_plan(study: Study, **rules: Any) -> Study:
    """Rules that name no catch clips of their own."""
    return study.model_copy(update={"exclusions": Exclusions().model_copy(update=rules)})


def test_the_plans_catch_trials_judge_and_are_never_counted(study: Study):
    table, catch = answers(), planned_catch(of_02=2, of_04=1)
    kept = apply_exclusions(judged_by_plan(study, min_catch_accuracy=0.5), table, catch)
    assert kept.flow["step"].tolist() == ["catch clips"]
    assert kept.flow["who"].tolist() == ["simulated:04 (0.250)"]
    assert kept.flow["n_trials_before"].tolist() == [120]
    assert set(kept.table["observer"]) == {"01", "02", "03", "baseline-seed0"}
    assert "catch" not in set(kept.table["clip_id"]) | set(kept.left_out["clip_id"])
    # Who is out already is judged no more.
    rules = {"by_hand": {"04": "fell asleep"}, "min_catch_accuracy": 0.6}
    kept = apply_exclusions(judged_by_plan(study, **rules), table, catch)
    assert kept.flow["who"].tolist() == ["simulated:04 (fell asleep)", "simulated:02 (0.500)"]


def test_a_rule_on_catch_trials_needs_answers_to_them(study: Study):
    with pytest.raises(
        StudyError, match=r"nobody answered a catch trial; expected trials\.n_catch"
    ):
        apply_exclusions(judged_by_plan(study, min_catch_accuracy=0.5), answers())


def test_without_the_rule_catch_trials_change_nothing(study: Study):
    kept = apply_exclusions(study, answers(), planned_catch(of_01=0))
    pd.testing.assert_frame_equal(kept.table, answers())
    assert kept.sentence == "No exclusion rule is in force: all 4 observers are analysed."


def test_catch_clips_judge_and_are_set_aside_for_everyone(study: Study):
    table = answers()
    is_catch = table["clip_id"].isin(["clip0", "clip1"])
    table.loc[is_catch & rows_of(table, "03"), "correct"] = [0, 1, 0, 1, 0, 0]
    rules = {"catch_clips": ["clip0", "clip1"], "min_catch_accuracy": 0.5}
    kept = apply_exclusions(ruled(study, **rules), table)
    assert kept.flow["step"].tolist() == ["catch clips", "catch clips set aside"]
    assert kept.flow["who"].iloc[0] == "simulated:03 (0.333)"
    assert kept.flow["n_trials_after"].tolist() == [90, 72]
    assert not kept.table["clip_id"].isin(["clip0", "clip1"]).any()
    assert (kept.table["group"] == "baseline").sum() == 24


def test_who_cannot_be_judged_stays_and_is_named(study: Study):
    table = answers()
    table = table[~rows_of(table, "01", "body_background")]
    kept = apply_exclusions(ruled(study, min_accuracy=0.5), table.reset_index(drop=True))
    assert "01" in set(kept.table["observer"])
    assert "simulated:01 answered no original" in kept.notes[0]


def test_networks_alone(study: Study):
    table = answers().query("group == 'baseline'").reset_index(drop=True)
    kept = apply_exclusions(ruled(study, min_accuracy=0.5), table)
    assert len(kept.table) == 30
    assert kept.sentence == "No exclusion rule applies: there are no observers."


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ({"by_hand": {"99": "late"}}, r"by_hand names \['99'\].*expected some of 01, 02, 03, 04"),
        ({"catch_clips": ["clip77"]}, r"catch_clips: \['clip77'\] are clips that nobody answered"),
        ({"max_rt_s": 0.5}, r"no answer of the 4 observers is left.*too slow: 4 observers, 120"),
    ],
)
def test_rules_that_cannot_be_meant(study: Study, rules: dict[str, Any], said: str):
    with pytest.raises(StudyError, match=said):
        apply_exclusions(ruled(study, **rules), answers())


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ({"min_rt_s": 1.0, "max_rt_s": 0.5}, "not above min_rt_s"),
        ({"max_share_fast": 0.1}, "needs min_rt_s"),
        ({"catch_clips": ["a", "a"]}, "names a clip twice"),
        ({"min_accuracy": 1.2}, "less than or equal to 1"),
    ],
)
def test_impossible_rules_are_refused_with_the_study_file(rules: dict[str, Any], said: str):
    with pytest.raises(ValidationError, match=said):
        Exclusions(**rules)
