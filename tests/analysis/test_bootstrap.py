"""Resampling of observers and items, against closed forms and other software."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from statsmodels.stats.proportion import proportion_confint

from analysis.bootstrap import (
    exact_interval,
    percentile_interval,
    two_way_variance,
    unit_weights,
    weighted_accuracy,
    with_variance,
)


def test_weights_keep_the_mean_and_give_its_unbiased_variance():
    values = np.array([0.1, 0.5, 0.9])
    weights = unit_weights(3, 200_000, np.random.default_rng(1))
    means = weights @ values / 3
    assert np.allclose(weights.sum(axis=1), 3)
    assert means.mean() == pytest.approx(values.mean(), abs=0.002)
    # s^2 / n, which resampling 3 of 3 would miss by a third.
    assert means.var() == pytest.approx(values.var(ddof=1) / 3, rel=0.01)


def test_a_single_unit_is_kept():
    assert np.array_equal(unit_weights(1, 4, np.random.default_rng(0)), np.ones((4, 1)))


def test_weighted_accuracy_is_the_weighted_share():
    n_correct = np.array([[1, 0, 1], [2, 1, 0]])
    n_trials = np.array([[1, 1, 2], [2, 2, 0]])
    observers, items = np.array([[1.0, 1.0], [2.0, 0.0]]), np.array([[1.0, 1.0, 1.0], [0.0, 1, 3]])
    found = weighted_accuracy(n_correct, n_trials, observers, items)
    assert found == pytest.approx([5 / 8, 2 * 3 / (2 * 7)])


def test_a_draw_without_trials_is_nan():
    n = np.array([[1.0, 0.0], [0.0, 1.0]])
    found = weighted_accuracy(n, n, np.array([[2.0, 0.0]]), np.array([[0.0, 2.0]]))
    assert np.isnan(found).all()


def test_two_way_variance_is_that_of_statsmodels():
    rng = np.random.default_rng(2)
    eta = rng.normal(0.5, 0, (20, 30)) + rng.normal(0, 1, (20, 1)) + rng.normal(0, 1, (1, 30))
    correct = (rng.random((20, 30)) < 1 / (1 + np.exp(-eta))).astype(float)
    observer, item = np.indices(correct.shape)
    clusters = np.column_stack([observer.ravel(), item.ravel()])
    model = sm.OLS(correct.ravel(), np.ones(correct.size))
    reference = model.fit(cov_type="cluster", cov_kwds={"groups": clusters})
    assert two_way_variance(correct, np.ones_like(correct)) == pytest.approx(
        reference.bse[0] ** 2, rel=1e-6
    )


def test_two_way_variance_of_one_observer_is_that_over_items():
    correct = np.array([[1.0, 0, 1, 1, 0, 1]])
    expected = correct.var(ddof=1) / 6
    assert two_way_variance(correct, np.ones_like(correct)) == pytest.approx(expected)


def test_draws_are_pulled_in_but_never_spread():
    draws = np.random.default_rng(0).normal(0.5, 0.2, 1000)
    assert with_variance(draws, 0.5, 0.01).std() == pytest.approx(0.1)
    assert with_variance(draws, 0.5, 1.0) is draws


def test_exact_interval_is_clopper_and_pearson():
    for hits, n in [(0, 12), (12, 12), (5, 12)]:
        reference = proportion_confint(hits, n, alpha=0.1, method="beta")
        assert exact_interval(hits, n, 0.9) == pytest.approx(reference, abs=1e-12)


def test_percentile_interval_passes_over_nan():
    draws = np.append(np.arange(101.0), [np.nan, np.nan])
    assert percentile_interval(draws, 0.9) == pytest.approx((5.0, 95.0))
    assert np.isnan(percentile_interval(np.array([np.nan]), 0.9)).all()
