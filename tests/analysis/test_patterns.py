"""Distances of patterns from the observers'."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.accuracy import AccuracyDraws
from analysis.patterns import pattern_distance, pattern_table


def drawn(estimate: list[list[float]], noise: float = 0.02) -> AccuracyDraws:
    found = np.array(estimate)
    rng = np.random.default_rng(0)
    draws = found[:, :, None] + rng.normal(0, noise, (*found.shape, 4000))
    return AccuracyDraws(("human", "baseline", "domainnet"), ("a", "b", "c"), found, draws)


NEAR_AND_FAR = [[0.9, 0.8, 0.7], [0.8, 0.2, 0.7], [0.9, 0.6, 0.7]]


def test_distance_is_the_root_mean_square_in_points():
    assert pattern_distance(np.array([0.5, 0.7]), np.array([0.8, 0.3])) == pytest.approx(
        100 * np.sqrt((0.09 + 0.16) / 2)
    )


def test_distances_and_their_difference():
    table = pattern_table(drawn(NEAR_AND_FAR), ["baseline", "domainnet"], "human", 0.95)
    assert table["kind"].tolist() == ["distance", "distance", "difference"]
    far, near = 100 * np.sqrt((0.01 + 0.36) / 3), 100 * np.sqrt(0.04 / 3)
    assert table["value_pp"].tolist() == pytest.approx([far, near, near - far])
    assert table["group"].tolist() == ["baseline", "domainnet", "domainnet"]
    assert table["other"].tolist() == ["human", "human", "baseline"]
    assert (table["ci_low"] < table["value_pp"]).all()
    assert (table["value_pp"] < table["ci_high"]).all()
    # The observers' own noise is in both distances; the difference keeps them paired.
    # By the delta method: d(distance)/d(accuracy) is difference / (3 distance).
    gradient_human = (
        np.array([-0.1, -0.6, 0]) / (3 * far / 100),
        np.array([0, -0.2, 0]) / (3 * near / 100),
    )
    sd = 0.02 * np.sqrt(
        np.sum(gradient_human[0] ** 2)
        + np.sum(gradient_human[1] ** 2)
        + np.sum((gradient_human[1] - gradient_human[0]) ** 2)
    )
    width = (table["ci_high"] - table["ci_low"]).iloc[2] / 100
    assert width == pytest.approx(2 * 1.96 * sd, rel=0.06)


def test_only_versions_that_all_answered_count():
    some = [[0.9, 0.8, np.nan], [0.8, 0.2, 0.7], [0.9, 0.6, 0.7]]
    table = pattern_table(drawn(some), ["baseline", "domainnet"], "human", 0.95)
    assert set(table["n_conditions"]) == {2}
    assert table["value_pp"].iloc[0] == pytest.approx(100 * np.sqrt((0.01 + 0.36) / 2))


def test_without_observers_networks_or_shared_versions_there_is_nothing():
    assert pattern_table(drawn(NEAR_AND_FAR), ["baseline"], None, 0.95).empty
    assert pattern_table(drawn(NEAR_AND_FAR), [], "human", 0.95).empty
    apart = [[0.9, np.nan, np.nan], [np.nan, 0.2, 0.7], [0.9, 0.6, 0.7]]
    assert pattern_table(drawn(apart), ["baseline"], "human", 0.95).empty
