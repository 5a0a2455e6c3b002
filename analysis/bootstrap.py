"""Resampling of observers and items together, on arrays.

Both the observers (or trainings) and the clips of a study are samples, so both are drawn anew in
every draw. Of n units, n - 1 are drawn with replacement and weighted by n / (n - 1): the variance
over draws is then right for small n too (Rao & Wu, 1988), which matters where a network has three
trainings. A single unit is kept as it is. Where observers and items cross, resampling both counts
the chance in single answers more than once (Owen, 2007); so the draws are pulled towards the
estimate until their variance is the two-way cluster-robust one (Cameron, Gelbach & Miller, 2011).
"""

from __future__ import annotations

import numpy as np
from scipy import stats


def unit_weights(n_units: int, n_draws: int, rng: np.random.Generator) -> np.ndarray:
    """Return how much each unit counts in each draw, shape (n_draws, n_units).

    Every row sums to `n_units`.
    """
    if n_units == 1:
        return np.ones((n_draws, 1))
    counts = rng.multinomial(n_units - 1, np.full(n_units, 1.0 / n_units), size=n_draws)
    return counts * (n_units / (n_units - 1.0))


def weighted_accuracy(
    n_correct: np.ndarray,
    n_trials: np.ndarray,
    observer_weights: np.ndarray,
    item_weights: np.ndarray,
) -> np.ndarray:
    """Return the share correct in every draw, shape (n_draws,).

    Parameters
    ----------
    n_correct, n_trials : ndarray of shape (n_observers, n_items)
        Counts per observer and item; zero trials where an observer did not see an item.
    observer_weights : ndarray of shape (n_draws, n_observers)
    item_weights : ndarray of shape (n_draws, n_items)

    Returns
    -------
    ndarray
        NaN in a draw without any trial.
    """
    correct = ((observer_weights @ n_correct) * item_weights).sum(axis=1)
    trials = ((observer_weights @ n_trials) * item_weights).sum(axis=1)
    return np.divide(correct, trials, out=np.full(len(trials), np.nan), where=trials > 0)


def two_way_variance(n_correct: np.ndarray, n_trials: np.ndarray) -> float:
    """Return the variance of the share correct when observers and items are both samples.

    Variance clustered by observers, plus that clustered by items, minus that of single cells
    (Cameron, Gelbach & Miller, 2011), and at least the larger of the first two. A single observer
    (or item) says nothing about others and adds nothing.

    Parameters
    ----------
    n_correct, n_trials : ndarray of shape (n_observers, n_items)
    """
    total = n_trials.sum()
    residual = (n_correct - n_correct.sum() / total * n_trials) / total
    by_observer = _clustered(residual.sum(axis=1)[n_trials.any(axis=1)])
    by_item = _clustered(residual.sum(axis=0)[n_trials.any(axis=0)])
    if by_observer == 0.0 or by_item == 0.0:
        return by_observer + by_item
    by_cell = _clustered(residual[n_trials > 0])
    return max(by_observer + by_item - by_cell, by_observer, by_item)


def with_variance(draws: np.ndarray, estimate: float, variance: float) -> np.ndarray:
    """Pull draws towards the estimate until they have no more than the given variance."""
    drawn = float(np.nanvar(draws))
    return draws if drawn <= variance else estimate + (draws - estimate) * np.sqrt(variance / drawn)


def percentile_interval(draws: np.ndarray, confidence: float) -> tuple[float, float]:
    """Return the percentile interval of the draws that are not NaN."""
    tail = (1.0 - confidence) / 2.0
    known = draws[~np.isnan(draws)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.quantile(known, [tail, 1.0 - tail])
    return float(low), float(high)


def exact_interval(n_correct: int, n: int, confidence: float) -> tuple[float, float]:
    """Return Clopper & Pearson's interval of a share."""
    tail = (1.0 - confidence) / 2.0
    low = 0.0 if n_correct == 0 else float(stats.beta.ppf(tail, n_correct, n - n_correct + 1))
    high = 1.0 if n_correct == n else float(stats.beta.ppf(1 - tail, n_correct + 1, n - n_correct))
    return low, high


def _clustered(sums: np.ndarray) -> float:
    """Return the variance of the sum of independent clusters, from their residual sums."""
    n = len(sums)
    return float((sums**2).sum() * n / (n - 1.0)) if n > 1 else 0.0
