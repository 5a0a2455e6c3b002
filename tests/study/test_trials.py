"""Choice sets and lists: balance over people, within people, and positions."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from study.balance import check_balance
from study.conditions import MAIN_CONDITIONS
from study.errors import StudyError
from study.fields import Trials
from study.tables import choice_columns
from study.trials import draw_choice_sets, draw_lists

SIZES = [(80, 1, 28), (12, 3, 28), (5, 1, 7), (15, 4, 30)]
DESIGNS = ["latin_square", "blocked", "between"]


def manifest_rows(n_actions: int, clips: int) -> pd.DataFrame:
    rows = [
        {
            "stimulus_id": f"a{a:02d}_{c}__{condition}",
            "clip_id": f"a{a:02d}_{c}",
            "action": f"a{a:02d}",
            "condition": condition,
        }
        for condition in MAIN_CONDITIONS
        for a in range(n_actions)
        for c in range(clips)
    ]
    return pd.DataFrame(rows)


def lists(n_actions: int, clips: int, settings: Trials, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    stimuli = manifest_rows(n_actions, clips)
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
