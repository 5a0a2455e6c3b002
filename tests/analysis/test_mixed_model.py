"""The study's mixed-effects model as tables, and words where there is none."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from analysis.groups import Group
from analysis.mixed_model import CONTRASTS, EFFECTS, fit_mixed_model

FORMULA = "correct ~ group * condition + (1 | observer) + (1 | item)"
CONDITIONS = ["body_background", "body_only", "background_only"]
PEOPLE = Group("human", "people", "observers", "black", "o")
NETWORK = Group("baseline", "baseline", "model", "black", "s")
SHARES = {"human": (0.9, 0.8, 0.6), "baseline": (0.8, 0.2, 0.7)}


def answers(n_observers: dict[str, int], n_items: int = 40) -> pd.DataFrame:
    """Answers without any effect of observer or item; numbers of observers repeat over groups."""
    rng = np.random.default_rng(11)
    rows = [
        (group, f"{observer:02d}", f"clip{item}", condition, int(rng.random() < share))
        for group, n in n_observers.items()
        for observer in range(n)
        for item in range(n_items)
        for condition, share in zip(CONDITIONS, SHARES[group], strict=True)
    ]
    columns = ["group", "observer", "clip_id", "condition", "correct"]
    return pd.DataFrame(rows, columns=columns)


def test_without_random_variation_effects_are_differences_of_log_odds():
    table = answers({"human": 20, "baseline": 5})
    found = fit_mixed_model(table, [PEOPLE, NETWORK], CONDITIONS, FORMULA, 0.9)
    share = table.groupby(["group", "condition"])["correct"].mean()
    log_odds = np.log(share / (1 - share))
    estimate = found.effects.set_index("term")["estimate"]
    people = log_odds["human"]
    # Small random variation is found by chance; it moves the estimates a little.
    assert estimate["(Intercept)"] == pytest.approx(people["body_background"], abs=0.08)
    expected = people["body_only"] - people["body_background"]
    assert estimate["conditionbody_only"] == pytest.approx(expected, abs=0.08)
    expected = log_odds["baseline", "body_background"] - people["body_background"]
    assert estimate["groupbaseline"] == pytest.approx(expected, abs=0.08)
    contrasts = found.contrasts.set_index(["group", "contrast"])["estimate"]
    expected = log_odds["baseline", "body_only"] - log_odds["baseline", "background_only"]
    assert contrasts["baseline", "body_only - background_only"] == pytest.approx(expected, abs=0.08)
    assert list(found.effects.columns) == EFFECTS
    assert list(found.contrasts.columns) == CONTRASTS
    assert "Laplace" in found.text


# 13 observers and 40 items: the smaller factor has 12 degrees of freedom.
@pytest.mark.parametrize(
    ("inference", "reference", "df"), [("t", stats.t(12), 12), ("z", stats.norm(), np.nan)]
)
def test_intervals_and_tests_are_by_the_distribution_asked_for(
    inference: str, reference: stats.rv_continuous, df: float
):
    table = answers({"human": 10, "baseline": 3})
    found = fit_mixed_model(table, [PEOPLE, NETWORK], CONDITIONS, FORMULA, 0.8, inference)
    for rows in (found.effects, found.contrasts):
        half = (rows["ci_high"] - rows["ci_low"]) / 2
        assert (half / rows["se"]).to_numpy() == pytest.approx(reference.ppf(0.9))
        np.testing.assert_array_equal(rows["df"], df)
    p = 2 * reference.sf(np.abs(found.effects["estimate"] / found.effects["se"]))
    assert found.effects["p"].to_numpy() == pytest.approx(p)
    assert ("12 degrees of freedom" in found.text) == (inference == "t")


def test_contrasts_are_adjusted_by_holm_within_each_group():
    table = answers({"human": 3, "baseline": 3}, n_items=15)
    contrasts = fit_mixed_model(table, [PEOPLE, NETWORK], CONDITIONS, FORMULA, 0.95).contrasts
    for _, rows in contrasts.groupby("group"):
        raw = 2 * stats.t.sf(np.abs(rows["estimate"] / rows["se"]), 5)
        expected = multipletests(raw, method="holm")[1]
        assert rows["p"].to_numpy() == pytest.approx(expected)
    assert contrasts.groupby("group").size().to_dict() == {"human": 3, "baseline": 3}


def test_one_group_alone_needs_no_other_formula():
    table = answers({"human": 10})
    found = fit_mixed_model(table, [PEOPLE], CONDITIONS, FORMULA, 0.95)
    terms = ["(Intercept)", "conditionbody_only", "conditionbackground_only"]
    assert found.effects["term"].tolist() == terms
    assert set(found.contrasts["group"]) == {"human"}


def test_a_group_that_is_always_right_is_left_out_in_words():
    table = answers({"human": 10, "baseline": 3})
    always = (table["group"] == "baseline") & (table["condition"] == "body_background")
    table.loc[always, "correct"] = 1
    found = fit_mixed_model(table, [PEOPLE, NETWORK], CONDITIONS, FORMULA, 0.95)
    assert set(found.contrasts["group"]) == {"human"}
    assert "baseline left out" in found.text
    assert "body_background all right" in found.text


@pytest.mark.parametrize(
    ("table", "formula", "reason"),
    [
        (answers({"human": 1}), FORMULA, "observer' has one level"),
        (answers({"human": 3}).assign(correct=1), FORMULA, "no group is left"),
        (answers({"human": 3}), "correct ~ condition * age + (1 | observer)", "age"),
        (answers({"human": 3}), "correct ~ condition", "no random term"),
    ],
)
def test_a_model_that_cannot_be_fitted_says_why(table: pd.DataFrame, formula: str, reason: str):
    found = fit_mixed_model(table, [PEOPLE], CONDITIONS, formula, 0.95)
    assert found.effects.empty
    assert found.contrasts.empty
    assert f"The model {formula} was not fitted" in found.text
    assert reason in found.text


def test_a_formula_without_group_or_version():
    table = answers({"human": 5, "baseline": 3})
    formula = "correct ~ group + (1 | item)"
    found = fit_mixed_model(table, [PEOPLE, NETWORK], CONDITIONS, formula, 0.95)
    assert found.effects["term"].tolist() == ["(Intercept)", "groupbaseline"]
    assert found.contrasts.empty
    formula = "correct ~ condition + (1 | item)"
    found = fit_mixed_model(table, [PEOPLE, NETWORK], CONDITIONS, formula, 0.95)
    assert set(found.contrasts["group"]) == {"all"}
