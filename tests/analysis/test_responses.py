"""Reading responses: what is wrong is named, what is left out is counted."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest

from analysis.exclusions import apply_exclusions
from analysis.responses import read_responses
from study.config import Study
from study.errors import StudyError
from study.results import Results

Made = tuple[Study, Results]


@pytest.fixture
def made(new_results: Callable[..., Made]) -> Made:
    return new_results(trials={"n_participants": 3, "n_catch": 0})


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
    assert responses.n_left_out == 0
    assert not [note for note in responses.notes if "left out" in note]
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
    assert responses.n_left_out == n_left_out


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
    table.loc[table.index[:7], "rt_s"] = ""
    table.to_csv(path, index=False)
    notes = "\n".join(read_responses(study, results).notes)
    assert "simulated.csv: simulated 02 has no answer to body_only" in notes
    assert "simulated 02 answered 24 trials of a list of 36" in notes
    untimed = "7 answers of observers have no reaction time: lines 2, 3, 4, 5, 6 and 2 more"
    assert f"simulated.csv: {untimed}" in notes


def test_catch_trials_of_people_are_kept_apart(new_results: Callable[..., Made]):
    study, results = new_results(trials={"n_participants": 3, "n_catch": 4})
    split = pd.read_csv(results.manifest).drop_duplicates("clip_id").set_index("clip_id")["split"]
    responses = read_responses(study, results)
    assert set(responses.table["clip_id"].map(split)) == {"test"}
    assert set(responses.catch["clip_id"].map(split)) == {"validation"}
    assert responses.catch.groupby("observer").size().to_dict() == {"01": 4, "02": 4, "03": 4}
    assert set(responses.catch["group"]) == {"simulated"}
    people = responses.table[responses.table["group"] == "simulated"]
    assert people.groupby("observer").size().to_dict() == {"01": 36, "02": 36, "03": 36}
    # Practice is planned but leaves no rows: nobody's list counts as short.
    assert not [note for note in responses.notes if "trials of a list" in note]


def test_catch_trials_that_nobody_answered_in_time_count_as_wrong(new_results: Callable[..., Made]):
    study, results = new_results(trials={"n_participants": 3, "n_catch": 4})
    plan = pd.read_csv(results.trials, dtype=str)
    checks = plan[(plan["kind"] == "catch") & (plan["participant"] == "02")]["trial"]
    path = results.simulated_responses
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    is_check = (table["observer"] == "02") & table["trial"].isin(checks)
    table = table[~is_check]
    # Somebody who stopped: what comes after the last answer was not shown.
    seen = int(plan[(plan["kind"] == "catch") & (plan["participant"] == "03")]["trial"].iloc[1])
    table = table[(table["observer"] != "03") | (table["trial"].astype(int) <= seen)]
    table.to_csv(path, index=False)
    responses = read_responses(study, results)
    missed = responses.catch[responses.catch["response"] == ""]
    assert missed["observer"].tolist() == ["02"] * 4
    assert missed["trial"].astype(str).tolist() == checks.tolist()
    assert missed["correct"].tolist() == [0] * 4
    assert (responses.catch["observer"] == "03").sum() == 2
    assert "simulated 02 answered 36 trials of a list of 40" in "\n".join(responses.notes)
    rules = study.exclusions.model_copy(update={"min_catch_accuracy": 0.01})
    judged = study.model_copy(update={"exclusions": rules})
    kept = apply_exclusions(judged, responses.table, responses.catch)
    assert "simulated:02 (0.000)" in kept.flow["who"].iloc[0]
    assert not kept.notes


def test_a_replacement_is_judged_by_the_list_that_it_does(new_results: Callable[..., Made]):
    study, results = new_results(trials={"n_participants": 3, "n_catch": 4})
    path = results.simulated_responses
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    table.loc[table["observer"] == "02", "observer"] = "02b"
    table.to_csv(path, index=False)
    notes = "\n".join(read_responses(study, results).notes)
    assert "simulated 02b answered 40 trials of a list of 0" in notes
    folder = results.root / "sessions"
    folder.mkdir()
    (folder / "participants.csv").write_text("participant,list,replaces\n02b,02,02\n")
    assert not [note for note in read_responses(study, results).notes if "of a list" in note]


def test_between_designs_miss_no_versions(new_results: Callable[..., Made]):
    study, results = new_results(trials={"n_participants": 6, "design": "between"})
    assert read_responses(study, results).notes == []


def test_half_written_files_are_no_responses(made: Made):
    study, results = made
    before = read_responses(study, results)
    results.simulated_responses.with_name(".partial-1-x.csv").write_text("observer,gro")
    after = read_responses(study, results)
    assert after.notes == before.notes
    assert after.table.equals(before.table)


def test_no_responses_at_all(made: Made):
    study, results = made
    for path in results.simulated_responses.parent.glob("*.csv"):
        path.unlink()
    with pytest.raises(StudyError, match="no responses of people or networks"):
        read_responses(study, results)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.drop(columns="choices"), r"column_in_dataframe \(found 'choices'\)"),
        (lambda t: t.assign(age="31"), r"column_in_schema \(found 'age'\)"),
        (
            lambda t: t.assign(rt_s="soon"),
            r"column 'rt_s', line 2: expected a number, found 'soon'",
        ),
        (
            lambda t: t.assign(rt_s="inf"),
            r"column 'rt_s' is not a finite number of seconds: line 2",
        ),
        (lambda t: t.assign(correct="2"), r"column 'correct', line 2.*found 2"),
        (
            lambda t: pd.concat([t, t.iloc[[3]]]),
            r"line 110 repeats \{'observer': '01'.*expected each once",
        ),
    ],
)
def test_tables_that_are_no_responses(
    made: Made, change: Callable[[pd.DataFrame], pd.DataFrame], said: str
):
    study, results = made
    path = results.simulated_responses
    change(pd.read_csv(path, dtype=str, keep_default_na=False)).to_csv(path, index=False)
    with pytest.raises(StudyError, match=said) as raised:
        read_responses(study, results)
    assert "simulated.csv" in str(raised.value)


def test_a_file_of_another_study_is_named_as_such(made: Made):
    study, results = made
    path = results.simulated_responses
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    other = table.assign(stimulus_id="other-" + table["stimulus_id"], session="2")
    other.to_csv(path.with_name("theirs.csv"), index=False)
    said = r"theirs\.csv: .*manifest \(108 of 108 rows: is the file of another study\?\): line 2"
    with pytest.raises(StudyError, match=said):
        read_responses(study, results)


def test_a_file_of_the_same_clips_with_other_choices_is_refused(made: Made):
    study, results = made
    path = results.simulated_responses
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    row = table.iloc[5]
    labels = row["choices"].split("|")
    actions = set(table["action"]) - set(labels)
    foil = next(
        k for k, label in enumerate(labels) if label not in (row["action"], row["response"])
    )
    labels[foil] = sorted(actions)[0]
    edit(results, 7, "choices", "|".join(labels))
    with pytest.raises(StudyError, match=r"'choices' is not the set of labels.*line 7") as raised:
        read_responses(study, results)
    assert "an older plan, or another study?" in str(raised.value)


def test_what_has_no_finite_estimate_or_does_not_vary_is_noted(made: Made):
    study, results = made
    for seed in (0, 1, 2):
        path = results.model_responses("baseline", seed)
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        table["response"], table["correct"] = table["action"], "1"
        table.to_csv(path, index=False)
    notes = read_responses(study, results).notes
    assert (
        "baseline: all 108 answers to body_only are right, so log odds have no finite estimate "
        "there; exact intervals are given instead"
    ) in notes
    assert (
        "baseline: its 3 observers or seeds have the same accuracy in every version, so they tell "
        "nothing of variation between them"
    ) in notes
    assert not [note for note in notes if note.startswith("domainnet:")]
