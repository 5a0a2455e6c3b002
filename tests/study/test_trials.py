"""Choice sets and lists: balance over people, within people, and positions."""

from __future__ import annotations

import itertools
import time
from collections import Counter

import numpy as np
import pandas as pd
import pytest

from study.balance import check_balance
from study.conditions import CONDITION_NAMES, MAIN_CONDITIONS
from study.errors import StudyError
from study.fields import Trials
from study.tables import choice_columns
from study.trials import draw_choice_sets, draw_lists

SIZES = [(80, 1, 28), (12, 3, 28), (5, 1, 7), (15, 4, 30), (6, 2, 1), (30, 2, 200)]
DESIGNS = ["latin_square", "blocked", "between"]


def manifest_rows(
    n_actions: int, clips: int, conditions: tuple[str, ...] = MAIN_CONDITIONS
) -> pd.DataFrame:
    rows = [
        {
            "stimulus_id": f"a{a:02d}_{c}__{condition}",
            "clip_id": f"a{a:02d}_{c}",
            "action": f"a{a:02d}",
            "condition": condition,
        }
        for condition in conditions
        for a in range(n_actions)
        for c in range(clips)
    ]
    return pd.DataFrame(rows)


def lists(
    n_actions: int,
    clips: int,
    settings: Trials,
    seed: int = 0,
    conditions: tuple[str, ...] = MAIN_CONDITIONS,
) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    stimuli = manifest_rows(n_actions, clips, conditions)
    choices = draw_choice_sets(sorted(set(stimuli["action"])), settings.n_choices, rng)
    return draw_lists(stimuli, choices, settings, rng)


@pytest.mark.parametrize("n_actions", [5, 6, 12, 80])
def test_choice_sets_hold_the_action_and_balanced_foils(n_actions: int) -> None:
    actions = [f"a{a}" for a in range(n_actions)]
    table = draw_choice_sets(actions, 5, np.random.default_rng(0))
    labels = table[choice_columns(table)]
    assert table["action"].tolist() == actions
    assert (labels["choice_1"] == table["action"]).all()
    assert (labels.nunique(axis=1) == 5).all()
    foils = labels.drop(columns="choice_1").stack().value_counts()
    assert (foils == 4).all(), "every action is a foil equally often"


def test_too_few_actions_for_the_choices() -> None:
    with pytest.raises(StudyError, match="only 3 actions"):
        draw_choice_sets(["a", "b", "c"], 5, np.random.default_rng(0))


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize(("n_actions", "clips", "n"), SIZES)
def test_lists_are_balanced(n_actions: int, clips: int, n: int, design: str) -> None:
    settings = Trials(n_participants=n, design=design)
    trials = lists(n_actions, clips, settings)
    seen = pd.crosstab(trials["clip_id"], trials["condition"])
    assert (seen.max(axis=1) - seen.min(axis=1)).max() <= 1
    times = trials.groupby(["participant", "clip_id"]).size()
    assert (times == (3 if design == "blocked" else 1)).all()
    right = (trials[choice_columns(trials)].to_numpy() == trials["action"].to_numpy()[:, None]).sum(
        axis=1
    )
    assert (right == 1).all()
    assert check_balance(trials, settings).problems == []


def test_latin_square_versions_within_people_and_runs() -> None:
    trials = lists(80, 1, Trials())
    per_person = pd.crosstab(trials["participant"], trials["condition"])
    assert set(per_person.to_numpy().ravel()) <= {26, 27}
    for _, one in trials.groupby("participant"):
        versions = one.sort_values("trial")["condition"].tolist()
        triples = zip(versions, versions[1:], versions[2:], strict=False)
        assert not any(a == b == c for a, b, c in triples)


@pytest.mark.parametrize("n_versions", [2, 3, 4, 5, 6, 7, 8])
@pytest.mark.parametrize(("clips", "n"), [(1, 7), (2, 30), (3, 29), (5, 16)])
def test_actions_and_versions_over_people(n_versions: int, clips: int, n: int) -> None:
    settings = Trials(n_participants=n)
    trials = lists(15, clips, settings, conditions=CONDITION_NAMES[:n_versions])
    for item in ("clip_id", "action", "participant"):
        seen = pd.crosstab(trials[item], trials["condition"])
        assert (seen.max(axis=1) - seen.min(axis=1)).max() <= 1, item
    assert check_balance(trials, settings).problems == []


def follow(versions: list[str]) -> Counter:
    return Counter(itertools.pairwise(versions))


@pytest.mark.parametrize("max_run", [1, 2, 3])
@pytest.mark.parametrize("n_versions", [2, 3, 5, 8])
def test_each_version_follows_each_other_one_equally_often(n_versions: int, max_run: int) -> None:
    names = CONDITION_NAMES[:n_versions]
    trials = lists(80, 1, Trials(max_run=max_run), conditions=names)
    others = list(itertools.permutations(names, 2))
    total: Counter = Counter()
    for _, own in trials.groupby("participant"):
        versions = own["condition"].tolist()
        steps = follow(versions)
        of_others = [steps[pair] for pair in others]
        assert max(of_others) - min(of_others) <= 1
        assert max(len(list(run)) for _, run in itertools.groupby(versions)) <= max_run
        total += steps
    of_others = [total[pair] for pair in others]
    assert max(of_others) - min(of_others) <= 4
    first = trials[trials["trial"] == 1]["condition"].value_counts().reindex(names, fill_value=0)
    # With max_run = 1 only a version that comes once more than another may begin.
    assert first.max() - first.min() <= (1 if max_run > 1 else 4)


def test_runs_are_not_foreseeable() -> None:
    """Two versions in runs of up to two: not simply two of each in turn."""
    trials = lists(80, 1, Trials(), conditions=MAIN_CONDITIONS[:2])
    for _, own in trials.groupby("participant"):
        runs = [len(list(run)) for _, run in itertools.groupby(own["condition"])]
        assert 0.3 < np.mean(np.array(runs) == 1) < 0.7


@pytest.mark.parametrize("design", DESIGNS)
def test_no_action_beside_itself(design: str) -> None:
    trials = lists(6, 4, Trials(design=design))
    for _, own in trials.groupby("participant"):
        assert not any(a == b for a, b in itertools.pairwise(own["action"]))


def test_an_action_with_most_of_the_clips_is_not_refused() -> None:
    rng = np.random.default_rng(0)
    many = manifest_rows(1, 12)
    stimuli = pd.concat([many, manifest_rows(5, 1).query("action != 'a00'")])
    choices = draw_choice_sets(sorted(set(stimuli["action"])), 5, rng)
    trials = draw_lists(stimuli, choices, Trials(), rng)
    assert check_balance(trials, Trials()).problems == []


def test_blocks_come_in_balanced_orders() -> None:
    trials = lists(6, 1, Trials(n_participants=12, design="blocked"))
    blocks = trials.drop_duplicates(["participant", "block"])
    places = pd.crosstab(blocks["condition"], blocks["block"])
    assert (places.to_numpy() == 4).all()
    steps = sum((follow(own["condition"].tolist()) for _, own in blocks.groupby("participant")),
                Counter())  # fmt: skip
    assert set(steps.values()) == {4}
    assert len(steps) == 6
    # The right label of a clip stands elsewhere in every block.
    labels = trials[choice_columns(trials)].to_numpy()
    place = (labels == trials["action"].to_numpy()[:, None]).argmax(axis=1)
    assert (
        trials.assign(place=place).groupby(["participant", "clip_id"])["place"].nunique() == 3
    ).all()


def test_a_clip_that_lacks_a_version_is_named() -> None:
    stimuli = manifest_rows(6, 1)
    stimuli = stimuli[stimuli["stimulus_id"] != "a03_0__body_only"]
    choices = draw_choice_sets(sorted(set(stimuli["action"])), 5, np.random.default_rng(0))
    with pytest.raises(StudyError, match="a03_0 has no version body_only"):
        draw_lists(stimuli, choices, Trials(), np.random.default_rng(0))


def test_hundreds_of_actions_and_people_take_seconds() -> None:
    begin = time.perf_counter()
    trials = lists(500, 1, Trials(n_participants=200))
    assert len(trials) == 100_000
    # About one second alone on one core; far more is a mistake in the construction.
    assert time.perf_counter() - begin < 20


def test_orders_differ_between_people() -> None:
    trials = lists(80, 1, Trials())
    first = trials[trials["trial"] == 1]
    assert first["clip_id"].nunique() > 10


def test_same_seed_same_lists_other_seed_other_lists() -> None:
    one, same, other = (lists(12, 3, Trials(), seed) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(one, same)
    assert not one.equals(other)


def spoil_versions(trials: pd.DataFrame) -> None:
    trials["condition"] = MAIN_CONDITIONS[0]


def spoil_positions(trials: pd.DataFrame) -> None:
    trials["choice_1"] = trials["action"]


def spoil_repeats(trials: pd.DataFrame) -> None:
    trials.loc[1, ["clip_id", "condition"]] = trials.loc[0, ["clip_id", "condition"]].to_numpy()


@pytest.mark.parametrize("spoil", [spoil_versions, spoil_positions, spoil_repeats])
def test_check_finds_what_is_wrong(spoil) -> None:
    settings = Trials(n_participants=6)
    trials = lists(12, 1, settings)
    assert not check_balance(trials, settings).problems
    spoil(trials)
    assert check_balance(trials, settings).problems
    assert "NOT BALANCED" in check_balance(trials, settings).text()
