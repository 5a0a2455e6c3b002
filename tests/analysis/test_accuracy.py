"""Accuracy with intervals over observers and clips."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest

from analysis.accuracy import accuracy_by_observer, accuracy_table, draw_accuracies
from analysis.groups import Group

PEOPLE = Group("human", "people", "observers", "black", "o")
NETWORK = Group("baseline", "baseline", "model", "black", "o")


def answers(
    n_observers: int, n_items: int, rng: np.random.Generator, group: str = "human"
) -> pd.DataFrame:
    """Latin square answers in three versions with observer and item effects."""
    observer, item = np.indices((n_observers, n_items)).reshape(2, -1)
    condition = (observer + item) % 3
    eta = np.array([2.0, 1.0, 0.0])[condition]
    eta = eta + rng.normal(0, 0.5, n_observers)[observer] + rng.normal(0, 0.8, n_items)[item]
    return pd.DataFrame(
        {
            "observer": [f"{number:02d}" for number in observer],
            "group": group,
            "clip_id": [f"clip{number}" for number in item],
            "condition": np.array(["a", "b", "c"])[condition],
            "correct": (rng.random(len(eta)) < 1 / (1 + np.exp(-eta))).astype("int64"),
        }
    )


def test_estimates_are_the_shares_of_right_answers():
    table = answers(12, 30, np.random.default_rng(0))
    draws = draw_accuracies(table, ["human"], ["a", "b", "c"], 200, np.random.default_rng(0))
    expected = table.groupby("condition")["correct"].mean()
    assert draws.estimate[0] == pytest.approx(expected.to_numpy())
    assert draws.draws.shape == (1, 3, 200)
    assert np.nanmean(draws.draws[0], axis=1) == pytest.approx(draws.estimate[0], abs=0.02)


def test_intervals_hold_the_truth_as_often_as_they_say():
    # Integral of the logistic over both effects, by a fine sum over normal quantiles.
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    truth = np.sum(weights / (1 + np.exp(-(1.0 + np.hypot(0.5, 0.8) * nodes)))) / weights.sum()
    held = 0
    for seed in range(200):
        rng = np.random.default_rng([5, seed])
        table = answers(28, 36, rng)
        draws = draw_accuracies(table, ["human"], ["a", "b", "c"], 300, rng)
        row = accuracy_table(table, draws, [PEOPLE], 0.9).set_index("condition").loc["b"]
        held += row["ci_low"] <= truth <= row["ci_high"]
    # 90 % of 200 with three standard errors of 2.1 %.
    assert 0.835 < held / 200 < 0.965


def test_conditions_of_a_draw_share_their_clips():
    """Clips differ much and observers not at all: versions move together over draws."""
    rng = np.random.default_rng(1)
    easy = rng.random(40) < 0.5
    rows = [
        (f"{o}", "human", f"clip{i}", condition, int(easy[i]))
        for o in range(6)
        for i in range(40)
        for condition in "ab"
    ]
    columns = ["observer", "group", "clip_id", "condition", "correct"]
    draws = draw_accuracies(pd.DataFrame(rows, columns=columns), ["human"], ["a", "b"], 300, rng)
    assert np.corrcoef(draws.draws[0])[0, 1] > 0.99


def test_the_method_says_what_the_interval_covers():
    rng = np.random.default_rng(3)
    people = answers(6, 12, rng)
    network = answers(1, 12, rng, "baseline")
    network["correct"] = (network["condition"] == "a").astype("int64")
    network.loc[network.index[1], "correct"] = 1 - network.loc[network.index[1], "correct"]
    table = pd.concat([people, network])
    names = ["human", "baseline"]
    draws = draw_accuracies(table, names, ["a", "b", "c"], 200, rng)
    found = accuracy_table(table, draws, [PEOPLE, NETWORK], 0.95)
    method = found.set_index(["group", "condition"])["method"]
    assert method["human", "b"] == "bootstrap over 6 observers and 12 clips"
    assert "one seed, so variation between seeds is not" in method["baseline", "b"]
    assert method["baseline", "a"] == "exact binomial over 4 clips: every answer was right"
    exact = found.set_index(["group", "condition"]).loc[("baseline", "a")]
    assert (exact["ci_low"], exact["ci_high"]) == pytest.approx((0.025**0.25, 1.0))


def test_a_version_without_answers_has_no_row():
    table = answers(4, 9, np.random.default_rng(0))
    table = table[table["condition"] != "c"]
    draws = draw_accuracies(table, ["human"], ["a", "b", "c"], 100, np.random.default_rng(0))
    assert np.isnan(draws.estimate[0, 2])
    found = accuracy_table(table, draws, [PEOPLE], 0.95)
    assert found["condition"].tolist() == ["a", "b"]


def test_single_observers():
    table = answers(3, 9, np.random.default_rng(0))
    found = accuracy_by_observer(table)
    row = found[(found["observer"] == "01") & (found["condition"] == "b")].iloc[0]
    own = table[(table["observer"] == "01") & (table["condition"] == "b")]
    assert (row["n_trials"], row["accuracy"]) == (len(own), own["correct"].mean())
    assert len(found) == 9


def test_28_observers_80_items_2000_draws_are_fast():
    table = answers(28, 80, np.random.default_rng(0))
    start_s = time.perf_counter()
    draw_accuracies(table, ["human"], ["a", "b", "c"], 2000, np.random.default_rng(0))
    assert time.perf_counter() - start_s < 2.0
