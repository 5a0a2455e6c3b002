"""Patterns of accuracy over versions: distance, correlation and order."""

from __future__ import annotations

import numpy as np

from analysis.alignment.measures import Measure, weighted_correlation
from analysis.alignment.panel import Side
from analysis.patterns import pattern_distance


def accuracies(side: Side, weights: np.ndarray, w_items: np.ndarray) -> np.ndarray:
    """Return the share correct per version, shape (n_conditions, n_draws); NaN without trials."""
    right = ((weights @ side.answers.right) * w_items).sum(axis=-1)
    seen = ((weights @ side.answers.seen) * w_items).sum(axis=-1)
    return np.divide(right, seen, out=np.full_like(seen, np.nan), where=seen > 0)


def differences(
    a: Side, w_a: np.ndarray, b: Side, w_b: np.ndarray, w_items: np.ndarray
) -> np.ndarray:
    """Return side a's accuracies minus side b's, (n_conditions, n_draws)."""
    return accuracies(a, w_a, w_items) - accuracies(b, w_b, w_items)


def distance(a: Side, w_a: np.ndarray, b: Side, w_b: np.ndarray, w_items: np.ndarray) -> np.ndarray:
    """Return the root mean square difference over versions that both answered, (1, n_draws)."""
    both = a.answers.seen.any(axis=(1, 2)) & b.answers.seen.any(axis=(1, 2))
    first, second = accuracies(a, w_a, w_items)[both], accuracies(b, w_b, w_items)[both]
    n_draws = max(first.shape[1], second.shape[1])
    if not both.any():
        return np.full((1, n_draws), np.nan)
    return np.broadcast_to(pattern_distance(first, second), (1, n_draws))


def correlation(
    a: Side, w_a: np.ndarray, b: Side, w_b: np.ndarray, w_items: np.ndarray
) -> np.ndarray:
    """Return Pearson's correlation over versions, (1, n_draws)."""
    x, y = np.broadcast_arrays(accuracies(a, w_a, w_items), accuracies(b, w_b, w_items))
    known = ~(np.isnan(x) | np.isnan(y))
    r = weighted_correlation(np.nan_to_num(x.T), np.nan_to_num(y.T), known.T.astype(float))
    # Through two points there is always a line.
    return np.where(known.sum(axis=0) > 2, r, np.nan)[None]


def rank_agreement(
    a: Side, w_a: np.ndarray, b: Side, w_b: np.ndarray, w_items: np.ndarray
) -> np.ndarray:
    """Return Kendall's tau (a) over versions, (1, n_draws): 1 where the order is the same."""
    x, y = np.broadcast_arrays(accuracies(a, w_a, w_items), accuracies(b, w_b, w_items))
    first, second = np.triu_indices(len(x), 1)
    signs = np.sign(x[first] - x[second]) * np.sign(y[first] - y[second])
    known = ~np.isnan(signs)
    n = known.sum(axis=0)
    total = np.nan_to_num(signs).sum(axis=0)
    return np.divide(total, n, out=np.full(len(n), np.nan), where=n > 0)[None]


PATTERN_DISTANCE = Measure(
    "pattern_distance", distance, None, higher_is_closer=False, limits=(0.0, 100.0)
)
PATTERN_CORRELATION = Measure("pattern_correlation", correlation, None)
RANK_AGREEMENT = Measure("rank_agreement", rank_agreement, None, has_test=False)
