"""Whether two groups, where they err, choose the same wrong labels."""

from __future__ import annotations

import numpy as np

from analysis.alignment.measures import Measure, weighted_correlation
from analysis.alignment.panel import Side


def foil_shares(
    side: Side, w_side: np.ndarray, w_items: np.ndarray, actions: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return which foils are chosen when an action is not recognised.

    Returns
    -------
    shares : ndarray of shape (n_conditions, n_draws, n_actions, n_foils)
        They sum to one over foils; zero without errors.
    n_errors : ndarray of shape (n_conditions, n_draws, n_actions)
        For weights of mean one.
    """
    _, n, n_items, n_foils = side.chosen_foil.shape
    counts = []
    for chosen in side.chosen_foil:
        by_item = (w_side @ chosen.reshape(n, -1)).reshape(-1, n_items, n_foils)
        weighted = by_item * w_items[:, :, None]
        order = np.argsort(actions, kind="stable")
        starts = np.searchsorted(actions[order], np.arange(actions.max() + 1))
        counts.append(np.add.reduceat(weighted[:, order], starts, axis=1))
    found = np.stack(counts)
    n_errors = found.sum(axis=-1)
    scale = np.divide(1.0, n_errors, out=np.zeros_like(n_errors), where=n_errors > 0)
    # Weights are known up to a factor, which differs between sides.
    return found * scale[..., None], n_errors / w_side.mean(axis=1)[:, None]


def confusion_measures(actions: np.ndarray) -> tuple[Measure, Measure]:
    """Return correlation and Jensen-Shannon distance of the foils that two groups choose.

    Both compare the off-diagonal part of confusion matrices, rows made to sum to one. An action
    with n and m errors counts n m / (n + m), the precision of a difference of two shares; one
    without errors of either side does not count. The correlation is over all cells of action and
    foil, around equal use of the foils. The distance is the root of the mean divergence, in bits
    (0: the same shares; 1: no foil in common); it is larger the fewer the errors, so it is to be
    read beside its ceiling.

    Parameters
    ----------
    actions : ndarray of shape (n_items,)
        See `Panel`.
    """

    def parts(
        a: Side, w_a: np.ndarray, b: Side, w_b: np.ndarray, w_items: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        p, n = foil_shares(a, w_a, w_items, actions)
        q, m = foil_shares(b, w_b, w_items, actions)
        total = n + m
        weight = np.divide(n * m, total, out=np.zeros_like(total), where=total > 0)
        return *np.broadcast_arrays(p, q), weight

    def correlation(*arguments: np.ndarray) -> np.ndarray:
        p, q, weight = parts(*arguments)
        shape = (*p.shape[:2], -1)
        cells = np.broadcast_to(weight[..., None], p.shape).reshape(shape)
        return weighted_correlation(p.reshape(shape), q.reshape(shape), cells)

    def distance(*arguments: np.ndarray) -> np.ndarray:
        p, q, weight = parts(*arguments)
        middle = (p + q) / 2.0
        divergence = (_information(p, middle) + _information(q, middle)) / 2.0
        total = weight.sum(axis=-1)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = (divergence * weight).sum(axis=-1) / total
        return np.sqrt(np.clip(np.where(total > 0, mean, np.nan), 0.0, 1.0))

    return (
        Measure("confusion_correlation", correlation, shared_errors, is_correlation=True),
        Measure(
            "confusion_distance",
            distance,
            shared_errors,
            higher_is_closer=False,
            limits=(0.0, 1.0),
            has_test=False,
        ),
    )


def shared_errors(a: Side, b: Side) -> np.ndarray:
    """Return per version the errors of the side that has fewer."""
    n, m = (side.chosen_foil.sum(axis=(1, 2, 3)) for side in (a, b))
    return np.minimum(n, m)


def _information(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Return the Kullback-Leibler divergence over the last axis, bits."""
    ratio = np.divide(p, q, out=np.ones_like(p), where=p > 0)
    return (p * np.log2(ratio)).sum(axis=-1)
