"""The plan of a study: practice, catch trials and stills, from validation clips alone."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from study.config import Study
from study.errors import StudyError
from study.plan import check_plan, make_plan
from study.results import Results
from study.tables import choice_columns, read_table, write_table

CONDITIONS = ["body_background", "body_only", "background_only"]
Planned = tuple[Study, Results]


def manifest_of(n_tested: int, n_untested: int, n_validation: int = 1) -> pd.DataFrame:
    """Actions with one test clip each, further ones without, and validation clips of all."""
    rows = []
    for number in range(n_tested + n_untested):
        splits = ["validation"] * n_validation + ["test" if number < n_tested else "train"]
        for clip, split in enumerate(splits):
            for condition in CONDITIONS:
                clip_id = f"a{number:02d}_{clip}"
                rows.append((f"{clip_id}-{condition}", clip_id, f"a{number:02d}", condition, split))
    table = pd.DataFrame(rows, columns=["stimulus_id", "clip_id", "action", "condition", "split"])
    table["path"] = "stimuli/" + table["stimulus_id"] + ".mp4"
    numbers = {"body_fraction": 0.1, "hidden_fraction": 0.0, "luminance": 0.5, "contrast": 0.1}
    table = table.assign(n_frames=3, fps=10.0, width=8, height=8, background_of="", **numbers)
    return table.assign(sha256="0" * 64, source_sha256="0" * 64)


def a_study(n_validation: int = 1, **trials: Any) -> Study:
    content = {
        "name": "planned",
        "title": "",
        "seed": 5,
        "dataset": {"kind": "folder", "folders": [{"path": "clips"}]},
        "split": {"validation_clips": n_validation},
        "masks": {"source": "yolo", "weights": "weights.pt"},
        "trials": trials,
    }
    return Study.model_validate_json(json.dumps(content))


@pytest.fixture
def plan(tmp_path: Path) -> Callable[..., Planned]:
    """Write a manifest and make the plan."""

    def make(
        n_tested: int = 40, n_untested: int = 10, n_validation: int = 1, **trials: Any
    ) -> Planned:
        results = Results(tmp_path)
        table = manifest_of(n_tested, n_untested, n_validation)
        write_table("manifest", table, results.manifest)
        study = a_study(n_validation, **trials)
        make_plan(study, results)
        return study, results

    return make


def trials_of_kind(results: Results, kind: str) -> pd.DataFrame:
    trials = read_table("trials", results.trials)
    return trials[trials["kind"] == kind]


def test_the_published_design(plan: Callable[..., Planned]) -> None:
    """28 people, 80 of 121 actions, five choices, defaults for everything else."""
    _, results = plan(80, 41)
    trials = read_table("trials", results.trials)
    assert trials.groupby(["participant", "kind"]).size().unstack().drop_duplicates().to_dict(
        "records"
    ) == [{"catch": 4, "practice": 6, "test": 80}]
    assert trials["participant"].nunique() == 28
    for _, own in trials.groupby("participant"):
        assert own["trial"].tolist() == list(range(1, 91))
        assert (own["kind"].iloc[:6] == "practice").all()
        assert (own["block"] == [0] * 6 + [1] * 84).all()
    text = results.balance.read_text()
    assert text.endswith("Balanced.\n")
    assert "takes that participant's list" in text


def test_practice_is_of_actions_that_are_not_tested(plan: Callable[..., Planned]) -> None:
    _, results = plan(40, 10)
    practice = trials_of_kind(results, "practice")
    assert set(practice["action"]) == {f"a{n:02d}" for n in range(40, 50)}
    assert practice["clip_id"].str.endswith("_0").all(), "the validation clips of this manifest"
    for _, own in practice.groupby("participant"):
        assert own["clip_id"].is_unique
        assert own["condition"].value_counts().to_dict() == dict.fromkeys(CONDITIONS, 2)
    # Clips and versions take turns over people.
    assert practice["clip_id"].value_counts().agg(lambda n: n.max() - n.min()) <= 1
    shown = pd.crosstab(practice["clip_id"], practice["condition"])
    assert shown.to_numpy().min() >= 3


def test_practice_takes_tested_actions_where_there_are_no_others(
    plan: Callable[..., Planned],
) -> None:
    _, results = plan(10, 2)
    practice = trials_of_kind(results, "practice")
    per_person = practice.groupby("participant")["action"].agg(set)
    assert all({"a10", "a11"} <= actions for actions in per_person)
    assert set(practice["action"]) == {f"a{n:02d}" for n in range(12)}
    assert practice["clip_id"].str.endswith("_0").all()


def test_labels_of_practice_and_catch_trials(plan: Callable[..., Planned]) -> None:
    _, results = plan(40, 2)
    choices = read_table("choices", results.choices).set_index("action")
    for kind in ("practice", "catch"):
        trials = trials_of_kind(results, kind)
        labels = trials[choice_columns(trials)]
        assert (labels.nunique(axis=1) == 5).all()
        right = (labels.to_numpy() == trials["action"].to_numpy()[:, None]).argmax(axis=1)
        assert set(right) == {0, 1, 2, 3, 4}
        for action, *row in zip(trials["action"], *labels.to_numpy().T, strict=True):
            assert action in row
            if action in choices.index:
                assert set(row) == set(choices.loc[action]), "the fixed set of labels"


def test_catch_trials_look_like_the_others_and_are_spread(plan: Callable[..., Planned]) -> None:
    _, results = plan(80, 0, n_catch=5)
    trials = read_table("trials", results.trials)
    catch = trials[trials["kind"] == "catch"]
    assert (catch["condition"] == "body_background").all()
    assert catch["clip_id"].str.endswith("_0").all()
    tested = set(trials.loc[trials["kind"] == "test", "clip_id"])
    assert not tested & set(catch["clip_id"])
    places = catch["trial"].to_numpy().reshape(28, 5) - 6
    for k in range(5):
        # The stretches are of 16 test trials, and may borrow half of that from each other.
        assert places[:, k].min() > 16 * (k - 0.5)
        assert places[:, k].max() < 16 * (k + 1.5) + 5
        assert len(set(places[:, k])) > 6, "nobody can learn when they come"
    assert (places >= 2).all()
    assert (places < 85).all()
    for _, own in trials[trials["kind"] != "practice"].groupby("participant"):
        versions, actions = own["condition"].tolist(), own["action"].tolist()
        runs = [len(list(run)) for _, run in itertools.groupby(versions)]
        assert max(runs) <= 2
        assert not any(a == b for a, b in itertools.pairwise(actions))


def test_how_many_catch_trials(plan: Callable[..., Planned]) -> None:
    _, results = plan(5, 0)
    assert trials_of_kind(results, "catch").empty
    _, results = plan(36, 0)
    assert trials_of_kind(results, "catch").groupby("participant").size().unique() == [2]
    _, results = plan(36, 0, n_catch=0)
    assert trials_of_kind(results, "catch").empty


def test_catch_clips_may_be_named(plan: Callable[..., Planned]) -> None:
    _, results = plan(40, 0, n_catch=2, catch_clips=["a03_0", "a07_0", "a09_0"])
    assert set(trials_of_kind(results, "catch")["clip_id"]) == {"a03_0", "a07_0", "a09_0"}


def test_everybody_sees_a_still_of_every_action_in_an_own_order(
    plan: Callable[..., Planned],
) -> None:
    _, results = plan(40, 10)
    stills = read_table("familiarisation", results.familiarisation)
    orders = stills.groupby("participant")["action"].agg(tuple)
    assert len(orders) == 28
    assert all(sorted(order) == [f"a{n:02d}" for n in range(40)] for order in orders)
    assert orders.nunique() == 28
    assert (stills["stimulus_id"] == stills["action"] + "_0-body_background").all()
    assert (
        stills.groupby("participant")["place"].agg(list).map(lambda p: p == [*range(1, 41)]).all()
    )


def test_between_designs_practise_the_own_version(plan: Callable[..., Planned]) -> None:
    _, results = plan(40, 10, design="between")
    trials = read_table("trials", results.trials)
    own = trials[trials["kind"] != "catch"].groupby("participant")["condition"].nunique()
    assert (own == 1).all()


@pytest.mark.parametrize(
    ("switched_off", "said"),
    [
        ({}, "trials.n_practice = 0"),
        ({"n_practice": 0}, "trials.n_catch = 0"),
        ({"n_practice": 0, "n_catch": 0}, "trials.familiarisation = false"),
    ],
)
def test_without_validation_clips_it_says_how_to_do_without(
    plan: Callable[..., Planned], switched_off: dict[str, Any], said: str
) -> None:
    with pytest.raises(StudyError, match=f"(?s)validation_clips = 1.*{said}"):
        plan(40, 0, 0, **switched_off)


def test_all_of_it_can_be_switched_off(plan: Callable[..., Planned]) -> None:
    study, results = plan(40, 0, 0, n_practice=0, n_catch=0, familiarisation=False)
    assert set(read_table("trials", results.trials)["kind"]) == {"test"}
    assert read_table("familiarisation", results.familiarisation).empty
    assert not check_plan(study, results).problems


@pytest.mark.parametrize(
    ("trials", "said"),
    [
        ({"n_catch": 20}, r"trials\.n_catch = 20 in lists of 40 test trials; .*one in three, 13"),
        ({"catch_clips": ["a00_1"]}, r"catch_clips: \['a00_1'\] are not validation clips"),
        ({"n_catch": 3, "catch_clips": ["a00_0"]}, r"needs as many different .* found 1"),
    ],
)
def test_catch_trials_that_cannot_be(
    plan: Callable[..., Planned], trials: dict[str, Any], said: str
) -> None:
    with pytest.raises(StudyError, match=said):
        plan(40, 0, **trials)


def test_equal_studies_give_equal_bytes(plan: Callable[..., Planned]) -> None:
    names = ("choices.csv", "trials.csv", "familiarisation.csv", "balance.txt")
    _, results = plan()
    before = [(results.root / name).read_bytes() for name in names]
    plan()
    assert [(results.root / name).read_bytes() for name in names] == before


def test_more_lists_leave_the_first_ones_as_they_are(plan: Callable[..., Planned]) -> None:
    _, results = plan()
    before = read_table("trials", results.trials)
    _, results = plan(n_lists=33)
    after = read_table("trials", results.trials)
    assert after["participant"].nunique() == 33
    same = after[after["participant"] <= "28"].reset_index(drop=True)
    pd.testing.assert_frame_equal(same, before)


def swap_version(trials: pd.DataFrame, stills: pd.DataFrame) -> pd.DataFrame:
    row = trials.index[trials["kind"] == "test"][0]
    other = CONDITIONS[(CONDITIONS.index(trials.loc[row, "condition"]) + 1) % 3]
    trials.loc[row, "condition"] = other
    trials.loc[row, "stimulus_id"] = trials.loc[row, "clip_id"] + "-" + other
    return trials


def name_another_version(trials: pd.DataFrame, stills: pd.DataFrame) -> pd.DataFrame:
    trials.loc[0, "stimulus_id"] = trials.loc[1, "stimulus_id"]
    return trials


def practise_a_test_clip(trials: pd.DataFrame, stills: pd.DataFrame) -> pd.DataFrame:
    trials.loc[trials["kind"] == "practice", "clip_id"] = "a00_1"
    return trials


def lose_a_catch_trial(trials: pd.DataFrame, stills: pd.DataFrame) -> pd.DataFrame:
    return trials.drop(trials.index[trials["kind"] == "catch"][0])


def lose_a_participant(trials: pd.DataFrame, stills: pd.DataFrame) -> pd.DataFrame:
    return trials[trials["participant"] != "28"]


def repeat_a_still(trials: pd.DataFrame, stills: pd.DataFrame) -> pd.DataFrame:
    stills.loc[0, "action"] = stills.loc[1, "action"]
    return trials


def sort_by_version(trials: pd.DataFrame, stills: pd.DataFrame) -> pd.DataFrame:
    is_own = (trials["participant"] == "03") & (trials["kind"] == "test")
    own = trials[is_own].sort_values("condition")
    trials.loc[is_own, trials.columns[5:]] = own[trials.columns[5:]].to_numpy()
    return trials


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (swap_version, "participant 01: versions come"),
        (name_another_version, "participant 01, trial 1: .* is not"),
        (practise_a_test_clip, "practice trial are not of the validation split"),
        (lose_a_catch_trial, "1 to 2 catch trials"),
        (lose_a_participant, "27 participants have lists; 28 expected"),
        (repeat_a_still, "participant 01: 40 stills"),
        (sort_by_version, "trials of one version in a row; at most 2 expected"),
    ],
)
def test_the_check_names_what_is_wrong_on_disk(
    plan: Callable[..., Planned], spoil: Callable, said: str
) -> None:
    study, results = plan()
    assert not check_plan(study, results).problems
    trials = read_table("trials", results.trials)
    stills = read_table("familiarisation", results.familiarisation)
    write_table("trials", spoil(trials, stills), results.trials)
    write_table("familiarisation", stills, results.familiarisation)
    with pytest.raises(StudyError, match=f"(?s){said}.*NOT BALANCED"):
        check_plan(study, results)
