"""Error consistency: whether two observers err on the same items, beyond their accuracies.

Two observers with accuracies p and q agree (both right or both wrong) on a share
``e = p q + (1 - p)(1 - q)`` of the items by accuracy alone. With the observed share o, error
consistency is Cohen's ``kappa = (o - e) / (1 - e)`` (Geirhos, Meding & Wichmann, 2020, NeurIPS,
arXiv:2006.16736). Where e = 1, both were always right or both always wrong, kappa is 0 / 0: nothing
can be said, and nothing is unless the caller names a value.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from study.errors import StudyError

NAN = float("nan")


@dataclass(frozen=True)
class ErrorConsistency:
    """How consistently two observers err.

    Attributes
    ----------
    kappa : float
        1: the same items; 0: as independent observers of these accuracies; below: other items.
    observed, expected : float
        Share of shared items on which both were right or both wrong, and the share that the two
        accuracies alone predict.
    kappa_min, kappa_max : float
        What kappa can reach with these two accuracies; see `consistency_bounds`.
    n_shared : int
        Items that both answered.
    n_dropped : int
        Items that one or both did not answer.
    is_defined : bool
        False where kappa is 0 / 0 and was replaced by the caller's value, or nothing was shared.
    """

    kappa: float
    observed: float
    expected: float
    kappa_min: float
    kappa_max: float
    n_shared: int
    n_dropped: int
    is_defined: bool

    def __float__(self) -> float:
        return self.kappa


def error_consistency(
    correct_a: ArrayLike, correct_b: ArrayLike, *, undefined: float = NAN
) -> ErrorConsistency:
    """Return the error consistency of two observers.

    Parameters
    ----------
    correct_a, correct_b : array of shape (n_items,)
        1 (right), 0 (wrong) or NaN (not answered), in the same order of items.
    undefined : float
        Kappa of two observers who were both always right, or both always wrong. The default, NaN,
        leaves such a pair out of means. The toolbox model-vs-human (Geirhos et al., 2021) gives 1
        to any pair that agrees on all items; pass 1.0 for that.

    Returns
    -------
    ErrorConsistency

    Raises
    ------
    StudyError
        When the arrays differ in shape or hold anything but 0, 1 and NaN.

    Examples
    --------
    >>> error_consistency([1, 1, 0, 0], [1, 0, 0, 0]).kappa
    0.5
    """
    a, b = _answers(correct_a, "correct_a"), _answers(correct_b, "correct_b")
    if a.shape != b.shape:
        raise StudyError(
            f"correct_a has {len(a)} items and correct_b {len(b)}; expected the same items in the "
            "same order"
        )
    shared = ~(np.isnan(a) | np.isnan(b))
    n = int(shared.sum())
    if not n:
        return ErrorConsistency(undefined, NAN, NAN, NAN, NAN, 0, len(a), False)
    # Counts, not shares: that both were always right is then an exact comparison.
    counts = (n, float((a * b)[shared].sum()), float(a[shared].sum()), float(b[shared].sum()))
    kappa, observed, expected = kappa_of_counts(*(np.array(count, float) for count in counts))
    low, high = consistency_bounds(counts[2] / n, counts[3] / n)
    is_defined = not np.isnan(kappa)
    return ErrorConsistency(
        kappa=float(kappa) if is_defined else undefined,
        observed=float(observed),
        expected=float(expected),
        kappa_min=low,
        kappa_max=high,
        n_shared=n,
        n_dropped=len(a) - n,
        is_defined=is_defined,
    )


def kappa_of_counts(
    n: np.ndarray, both: np.ndarray, right_a: np.ndarray, right_b: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return kappa, observed and expected agreement from (weighted) counts of shared items.

    Parameters
    ----------
    n : ndarray
        Shared items.
    both, right_a, right_b : ndarray
        Of these, right by both, by the one, by the other.

    Returns
    -------
    kappa, observed, expected : ndarray
        Kappa is NaN where it is 0 / 0; all are NaN where nothing is shared.
    """
    # n^2 (1 - e) = a (n - b) + b (n - a), and n^2 (o - e) = 2 (n both - a b): exact for counts.
    disagree = right_a * (n - right_b) + right_b * (n - right_a)
    with np.errstate(divide="ignore", invalid="ignore"):
        kappa = 2.0 * (n * both - right_a * right_b) / disagree
        observed = 1.0 - (right_a + right_b - 2.0 * both) / n
        expected = 1.0 - disagree / (n * n)
    return kappa, observed, expected


def consistency_bounds(accuracy_a: float, accuracy_b: float) -> tuple[float, float]:
    """Return the smallest and the largest kappa that two accuracies allow.

    Agreement lies between ``|p + q - 1|`` and ``1 - |p - q|``: the errors overlap as little, or as
    much, as they can. The bounds of Geirhos et al. (2020) are for all p, q with one expected
    agreement, and wider. NaN, NaN where kappa is undefined.
    """
    p, q = accuracy_a, accuracy_b
    disagree = p * (1.0 - q) + q * (1.0 - p)
    if disagree == 0.0:
        return NAN, NAN
    expected = 1.0 - disagree
    low, high = abs(p + q - 1.0), 1.0 - abs(p - q)
    return (low - expected) / disagree, (high - expected) / disagree


def _answers(values: ArrayLike, name: str) -> np.ndarray:
    try:
        found = np.asarray(values, dtype=float)
    except (TypeError, ValueError) as error:
        raise StudyError(f"{name} is not numeric: {error}; expected 0, 1 or NaN") from error
    if found.ndim != 1:
        raise StudyError(f"{name} has shape {found.shape}; expected one axis, the items")
    wrong = ~(np.isnan(found) | (found == 0) | (found == 1))
    if wrong.any():
        place = int(wrong.argmax())
        raise StudyError(f"{name}[{place}] is {found[place]:g}; expected 0, 1 or NaN")
    return found
