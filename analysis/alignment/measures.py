"""Measures of how alike two groups answer, each for weighted observers and items.

All take two sides with weights for their observers, and weights for the items, and return a value
per version and draw. The same function therefore compares a network with people, a half of the
people with the other half, and one observer with the rest: measure and noise ceiling cannot drift
apart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from analysis.alignment.pairs import MIN_SHARED, kappa_draws
from analysis.alignment.panel import Side

Evaluate = Callable[[Side, np.ndarray, Side, np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Measure:
    """A measure of likeness.

    Attributes
    ----------
    name : str
    evaluate : callable
        (side, weights, other side, weights, item weights) -> (n_conditions, n_draws); weights are
        (n_draws, n_units) or (1, n_units). One row only where `mass` is None: a measure of the
        whole pattern.
    mass : callable or None
        (side, other side) -> (n_conditions,): how much each version counts in the mean of all.
    higher_is_closer : bool
    is_correlation : bool
        Whether it is attenuated by unreliable means, so that Spearman's and Brown's formulas hold.
    limits : tuple of float
        What it can be.
    has_test : bool
        Whether differences between networks are tested: not where resampling was found not to keep
        to the level, or where values are few and discrete (docs/alignment.md).
    """

    name: str
    evaluate: Evaluate
    mass: Callable[[Side, Side], np.ndarray] | None
    higher_is_closer: bool = True
    is_correlation: bool = False
    limits: tuple[float, float] = (-1.0, 1.0)
    has_test: bool = True

    def rows(
        self, a: Side, w_a: np.ndarray, b: Side, w_b: np.ndarray, w_items: np.ndarray
    ) -> np.ndarray:
        """Return a row per version and one of all, shape (n_conditions + 1, n_draws).

        The last row is the mean over versions weighted by `mass`, those without a value left out.
        """
        values = self.evaluate(a, w_a, b, w_b, w_items)
        if self.mass is None:
            return values
        mass = np.where(np.isnan(values), 0.0, self.mass(a, b)[:, None])
        with np.errstate(invalid="ignore", divide="ignore"):
            pooled = (np.nan_to_num(values) * mass).sum(axis=0) / mass.sum(axis=0)
        return np.vstack([values, pooled])


def mean_kappa(
    a: Side, w_a: np.ndarray, b: Side, w_b: np.ndarray, w_items: np.ndarray
) -> np.ndarray:
    """Return the mean error consistency over pairs of an observer of each side.

    Pairs that share fewer than `MIN_SHARED` items, an observer with itself, and pairs whose kappa
    is 0 / 0 (in the draw) are left out.
    """
    every = np.indices((a.n, b.n)).reshape(2, -1).T
    pairs = every[every[:, 0] != every[:, 1]] if a is b else every
    counts = w_a.T[pairs[:, 0]] * w_b.T[pairs[:, 1]]  # (n_pairs, n_draws)
    shift = pairs + np.array([0, a.n])
    n_draws = max(len(w_a), len(w_b), len(w_items))
    found = np.full((len(a.answers.conditions), n_draws), np.nan)
    for c in range(len(found)):
        right = np.vstack([a.answers.right[c], b.answers.right[c]])
        seen = np.vstack([a.answers.seen[c], b.answers.seen[c]])
        enough = (seen[shift[:, 0]] * seen[shift[:, 1]]).sum(axis=1) >= MIN_SHARED
        if not enough.any():
            continue
        kappa = kappa_draws(right, seen, shift[enough], w_items)
        weight = np.where(np.isnan(kappa), 0.0, counts[enough])
        with np.errstate(invalid="ignore", divide="ignore"):
            found[c] = (np.nan_to_num(kappa) * weight).sum(axis=0) / weight.sum(axis=0)
    return found


def shared_trials(a: Side, b: Side) -> np.ndarray:
    """Return per version how many answers of the one meet an answer of the other."""
    return np.einsum("ci,ci->c", a.answers.seen.sum(axis=1), b.answers.seen.sum(axis=1))


def item_correlation(
    a: Side, w_a: np.ndarray, b: Side, w_b: np.ndarray, w_items: np.ndarray
) -> np.ndarray:
    """Return Pearson's correlation over items of the shares correct."""
    parts = zip(a.answers.right, a.answers.seen, b.answers.right, b.answers.seen, strict=True)
    rows = []
    for right_a, seen_a, right_b, seen_b in parts:
        x, has_x = unit_means(w_a, right_a, seen_a)
        y, has_y = unit_means(w_b, right_b, seen_b)
        rows.append(weighted_correlation(x, y, w_items * has_x * has_y))
    return _same_length(rows)


def speed_correlation(
    a: Side, w_a: np.ndarray, b: Side, w_b: np.ndarray, w_items: np.ndarray
) -> np.ndarray:
    """Return Spearman's correlation over items of speeds: log times with margins (see `Side`)."""
    rows = []
    for c in range(len(a.answers.conditions)):
        x, has_x = unit_means(w_a, a.speed[c], a.has_speed[c])
        y, has_y = unit_means(w_b, b.speed[c], b.has_speed[c])
        weights = w_items * has_x * has_y
        ranks = weighted_ranks(x, weights), weighted_ranks(y, weights)
        rows.append(weighted_correlation(*ranks, weights))
    return _same_length(rows)


def shared_items(a: Side, b: Side) -> np.ndarray:
    """Return per version how many items both sides answered."""
    return (a.answers.seen.any(axis=1) & b.answers.seen.any(axis=1)).sum(axis=1)


def shared_speeds(a: Side, b: Side) -> np.ndarray:
    """Return per version how many items have a time and a margin."""
    return (a.has_speed.any(axis=1) & b.has_speed.any(axis=1)).sum(axis=1)


def unit_means(
    weights: np.ndarray, values: np.ndarray, has: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return means over observers per item, and where there are any; both (n_draws, n_items).

    Parameters
    ----------
    weights : ndarray of shape (n_draws, n_observers)
    values, has : ndarray of shape (n_observers, n_items)
        `values` is zero where `has` is.
    """
    n = weights @ has
    mean = np.divide(weights @ values, n, out=np.zeros_like(n), where=n > 0)
    return mean, n > 0


def weighted_correlation(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return Pearson's correlation along the last axis, NaN where one side does not vary."""
    total = weights.sum(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        x = x - (weights * x).sum(axis=-1, keepdims=True) / total
        y = y - (weights * y).sum(axis=-1, keepdims=True) / total
        var_x = (weights * x * x).sum(axis=-1) / total[..., 0]
        var_y = (weights * y * y).sum(axis=-1) / total[..., 0]
        r = (weights * x * y).sum(axis=-1) / total[..., 0] / np.sqrt(var_x * var_y)
    # Equal values leave a variance of rounding errors, not of zero.
    return np.where((var_x > 1e-20) & (var_y > 1e-20), np.clip(r, -1.0, 1.0), np.nan)


def weighted_ranks(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return ranks along the last axis where a value counts `weights` times.

    The copies of a value share their mean rank. Different items with equal values keep their
    order: means of times and margins do not tie.
    """
    values, weights = np.broadcast_arrays(values, weights)
    order = np.argsort(values, axis=-1, kind="stable")
    sorted_weights = np.take_along_axis(weights, order, axis=-1)
    ranks = np.cumsum(sorted_weights, axis=-1) - (sorted_weights - 1.0) / 2.0
    found = np.empty_like(ranks)
    np.put_along_axis(found, order, ranks, axis=-1)
    return found


def _same_length(rows: list[np.ndarray]) -> np.ndarray:
    return np.stack(np.broadcast_arrays(*rows))


ERROR_CONSISTENCY = Measure("error_consistency", mean_kappa, shared_trials)
ITEM_CORRELATION = Measure("item_correlation", item_correlation, shared_items, is_correlation=True)
RT_MARGIN = Measure(
    "rt_margin", speed_correlation, shared_speeds, higher_is_closer=False, is_correlation=True
)
