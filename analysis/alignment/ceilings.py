"""How alike people are among themselves: what a network could reach at best."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.alignment.measures import Measure
from analysis.alignment.panel import Side

N_SPLITS = 500


@dataclass(frozen=True)
class Ceiling:
    """The noise ceiling of a measure; arrays have a row per version and one of all.

    Attributes
    ----------
    split_half : ndarray
        Mean over random halves of the observers, one half against the other.
    split_low, split_high : ndarray
        Between these lie 95 % of the splits: how much the choice of halves matters.
    reliability : ndarray
        Of the mean of all observers: Spearman's and Brown's 2 r / (1 + r). Correlations only.
    loo_low, loo_high : ndarray
        Mean over observers, each against the mean of the others, or of all with itself among them:
        the bounds of Nili et al. (2014, PLoS Comput Biol 10, e1003553) for what the best model
        reaches against single observers (compare `single` of a network). For error consistency
        and for measures without a mean both are the comparison with the others.
    n_splits : int
    """

    split_half: np.ndarray
    split_low: np.ndarray
    split_high: np.ndarray
    reliability: np.ndarray
    loo_low: np.ndarray
    loo_high: np.ndarray
    n_splits: int


def ceiling_of(
    measure: Measure, people: Side, rng: np.random.Generator, n_splits: int = N_SPLITS
) -> Ceiling | None:
    """Compute the noise ceiling of a measure; None with fewer than two observers.

    Lists differ between observers, and a half may hold no answer to an item; the halves are then
    compared on the others.
    """
    if people.n < 2:
        return None
    first = half_weights(people.n, n_splits, rng)
    items = np.ones((1, len(people.answers.items)))
    splits = measure.rows(people, first, people, 1.0 - first, items)
    each, everyone = np.eye(people.n), np.ones((1, people.n))
    others = measure.rows(people, each, people, 1.0 - each, items)
    itself = measure.rows(people, each, people, everyone, items)
    half = nan_mean(splits)
    reliability = np.full_like(half, np.nan)
    if measure.is_correlation:
        # A negative split-half says that there is nothing reliable; the formula does not hold.
        np.divide(2.0 * half, 1.0 + half, out=reliability, where=half > 0)
    low, high = (np.array([_quantile(row, share) for row in splits]) for share in (0.025, 0.975))
    return Ceiling(half, low, high, reliability, nan_mean(others), nan_mean(itself), n_splits)


def against_single(measure: Measure, network: Side, people: Side) -> np.ndarray:
    """Return the mean over observers of a network's likeness to each alone, per row."""
    items = np.ones((1, len(people.answers.items)))
    rows = measure.rows(network, np.ones((1, network.n)), people, np.eye(people.n), items)
    return nan_mean(rows)


def half_weights(n: int, n_splits: int, rng: np.random.Generator) -> np.ndarray:
    """Draw halves: 1 for those in the first, shape (n_splits, n).

    Of an odd number, one half has one more.
    """
    chosen = np.argsort(rng.random((n_splits, n)), axis=1) < n // 2
    return chosen.astype(float)


def nan_mean(rows: np.ndarray) -> np.ndarray:
    """Return the mean along the last axis without NaN; NaN where there is nothing else."""
    known = ~np.isnan(rows)
    n = known.sum(axis=-1)
    total = np.where(known, rows, 0.0).sum(axis=-1)
    return np.divide(total, n, out=np.full(total.shape, np.nan), where=n > 0)


def _quantile(row: np.ndarray, share: float) -> float:
    known = row[~np.isnan(row)]
    return float(np.quantile(known, share)) if len(known) else float("nan")
