"""Reading responses: what is wrong is named, what is left out is counted."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest

from analysis.responses import read_responses
from study.config import Study
from study.errors import StudyError
from study.results import Results

Made = tuple[Study, Results]


@pytest.fixture
def made(new_results: Callable[..., Made]) -> Made:
    return new_results(trials={"n_participants": 3})


def edit(results: Results, line: int, column: str, value: object) -> None:
    """Change one cell of the simulated observers' file, counted as in an editor."""
    path = results.simulated_responses
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    table.loc[line - 2, column] = value
    table.to_csv(path, index=False)


def test_all_files_come_together_and_nothing_is_lost(made: Made):
    study, results = made
    responses = read_responses(study, results)
    files = sorted(results.simulated_responses.parent.glob("*.csv"))
    n_rows = sum(len(pd.read_csv(path)) for path in files)
    assert len(files) == 7
    assert len(responses.table) == n_rows
    assert responses.notes == []
    assert set(responses.table["file"]) == {path.name for path in files}


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("stimulus_id", "of-another-study", r"line 5 \('of-another-study'\)"),
        ("action", "dancing", r"column 'action' is not what the manifest says.*line 5"),
        ("clip_id", "clip9", r"column 'clip_id' is not what the manifest says.*line 5"),
        ("condition", "upside_down", r"condition.*line 5.*upside_down"),
        ("choices", "a|b", r"column 'choices' does not hold trials\.n_choices = 5 labels: line 5"),
        ("response", "dancing", r"column 'response' was not among the choices: line 5"),
    ],
)
def test_a_row_that_contradicts_the_study_is_an_error(
    made: Made, column: str, value: str, said: str
):
    study, results = made
    edit(results, 5, column, value)
    with pytest.raises(StudyError, match=said) as raised:
        read_responses(study, results)
    assert "simulated.csv" in str(raised.value)


def test_a_wrong_correct_is_an_error(made: Made):
    study, results = made
    before = pd.read_csv(results.simulated_responses)["correct"].iloc[3]
    edit(results, 5, "correct", str(1 - before))
    with pytest.raises(StudyError, match=r"column 'correct' contradicts the response: line 5"):
        read_responses(study, results)


def test_a_version_that_the_study_does_not_show_is_an_error(made: Made):
    study, results = made
    shown = study.versions.model_copy(update={"conditions": ["body_only", "background_only"]})
    changed = study.model_copy(update={"versions": shown})
    with pytest.raises(StudyError, match="is not a version of this study"):
        read_responses(changed, results)


def test_a_trial_in_two_files_is_an_error_that_names_both(made: Made):
    study, results = made
    table = pd.read_csv(results.simulated_responses, dtype=str, keep_default_na=False)
    table.iloc[[10]].to_csv(results.simulated_responses.with_name("again.csv"), index=False)
    with pytest.raises(StudyError, match=r"again\.csv line 2 and simulated\.csv line 12"):
        read_responses(study, results)


def test_groups_and_seeds_that_the_study_does_not_name_are_left_out_and_counted(made: Made):
    study, results = made
    fewer = study.models[0].model_copy(update={"seeds": [0, 1]})
    changed = study.model_copy(update={"models": [fewer]})
    responses = read_responses(changed, results)
    assert set(responses.table["group"]) == {"simulated", "baseline"}
    assert responses.table.query("group == 'baseline'")["observer"].nunique() == 2
    left_out = "\n".join(responses.notes)
    assert "baseline-seed2.csv: all 108 rows left out: seed 2 is not one of" in left_out
    assert "domainnet-seed0.csv: 108 rows left out: 'domainnet' is not a group" in left_out
    assert "'domainnet_drop' is not a group" in left_out
    n_rows = sum(len(pd.read_csv(path)) for path in results.simulated_responses.parent.glob("*"))
    n_left_out = 108 + 3 * 216
    assert len(responses.table) == n_rows - n_left_out


def test_simulated_observers_that_were_switched_off_are_left_out(made: Made):
    study, results = made
    off = study.observers.model_copy(update={"simulate": False})
    responses = read_responses(study.model_copy(update={"observers": off}), results)
    assert "simulated" not in set(responses.table["group"])
    assert "simulated.csv: 108 rows left out: 'simulated' is not a group" in responses.notes[0]


def test_missing_trials_versions_and_times_are_noted(made: Made):
    study, results = made
    path = results.simulated_responses
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    table = table[(table["observer"] != "02") | (table["condition"] != "body_only")]
    table.loc[table.index[0], "rt_s"] = ""
    table.to_csv(path, index=False)
    notes = "\n".join(read_responses(study, results).notes)
    assert "simulated.csv: simulated 02 has no answer to body_only" in notes
    assert "simulated 02 answered 24 trials of a list of 36" in notes
    assert "1 answers of observers have no reaction time" in notes


def test_between_designs_miss_no_versions(new_results: Callable[..., Made]):
    study, results = new_results(trials={"n_participants": 6, "design": "between"})
    assert read_responses(study, results).notes == []


def test_half_written_files_are_no_responses(made: Made):
    study, results = made
    results.simulated_responses.with_name(".partial-1-x.csv").write_text("observer,gro")
    assert read_responses(study, results).notes == []


def test_no_responses_at_all(made: Made):
    study, results = made
    for path in results.simulated_responses.parent.glob("*.csv"):
        path.unlink()
    with pytest.raises(StudyError, match="no responses of people or networks"):
        read_responses(study, results)
