"""How sure an accuracy, and the difference of two, is: resampling of clips or whole sessions."""

from __future__ import annotations

import numpy as np

N_SWAPS = 4999
BOOTSTRAP_STREAM, SWAPS_STREAM = 403, 404


def drawn_weights(units: np.ndarray, n_draws: int, seed: int) -> np.ndarray:
    """Return how much each unit counts in each draw of a bootstrap, (draws, units).

    Of n units n - 1 are drawn, so that the spread is right for few of them too (Rao & Wu, 1988).
    """
    n = int(units.max()) + 1
    rng = np.random.default_rng([seed, BOOTSTRAP_STREAM])
    return rng.multinomial(max(n - 1, 1), np.full(n, 1 / n), size=n_draws).astype(float)


def accuracy_draws(
    right: np.ndarray, actions: np.ndarray, units: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Return the balanced accuracy in every draw; actions that a draw lacks do not count in it.

    Parameters
    ----------
    right : ndarray of bool
        (clips,)
    actions, units : ndarray of int
        (clips,): the action, and the clip or session that is drawn as one.
    weights : ndarray
        See `drawn_weights`.
    """
    shape = (int(units.max()) + 1, int(actions.max()) + 1)
    n_clips, n_right = np.zeros(shape), np.zeros(shape)
    np.add.at(n_clips, (units, actions), 1)
    np.add.at(n_right, (units, actions), right)
    drawn = weights @ n_clips
    shares = np.divide(weights @ n_right, drawn, out=np.full_like(drawn, np.nan), where=drawn > 0)
    return np.nanmean(shares, axis=1)


def interval(draws: np.ndarray, confidence: float) -> tuple[float, float]:
    """Return the percentile interval of draws."""
    low, high = np.quantile(draws, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def swap_p(
    right: np.ndarray, other_right: np.ndarray, actions: np.ndarray, units: np.ndarray, seed: int
) -> float:
    """Return the two-sided p of a difference of two balanced accuracies on the same clips.

    If two pictures say equally much, it does not matter which answer came from which: the answers
    of a clip (of a whole session) are swapped at random.
    """
    per_action = np.bincount(actions)
    gain = (right.astype(float) - other_right) / per_action[actions] / (per_action > 0).sum()
    sums = np.bincount(units, weights=gain)
    rng = np.random.default_rng([seed, SWAPS_STREAM])
    signs = rng.choice([-1.0, 1.0], size=(N_SWAPS, len(sums)))
    as_large = int((np.abs(signs @ sums) >= abs(sums.sum()) - 1e-9).sum())
    return (1 + as_large) / (1 + N_SWAPS)
