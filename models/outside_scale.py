"""What the numbers of an outside file are: probabilities, their logarithms, or logits."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from scipy.special import log_softmax, logsumexp

from study.errors import StudyError, check_one_of

Scale = Literal["probability", "log", "logit"]
SCALES: tuple[Scale, ...] = ("probability", "log", "logit")

# Probabilities of half precision that are added up over hundreds of classes.
SUM_TOLERANCE = 0.02


def log_probabilities(path: Path, field: str, values: np.ndarray, scale: Scale) -> np.ndarray:
    """Check that numbers are on the scale that they are said to be; return log-probabilities.

    A probability of zero is one too small for its precision: it counts as half the smallest number
    of that precision, so that one frame cannot rule an action out for the whole clip.

    Parameters
    ----------
    path : Path
    field : str
        What the numbers are called in the file, for the message.
    values : ndarray
        (N, C).
    scale : {"probability", "log", "logit"}
        Of the values; log: natural logarithms of probabilities; logit: anything that a softmax
        turns into probabilities.

    Returns
    -------
    ndarray of float64
        (N, C).

    Raises
    ------
    StudyError
        When a number is missing or infinite, and when the rows are on another scale; the message
        says which scale they look like.
    """
    check_one_of("--scale", scale, SCALES)
    numbers = values.astype(np.float64)
    if numbers.size == 0:
        raise StudyError(f"{path}: {field}: expected at least one row and class, found none")
    # The logarithm of a probability of zero is a number that may be expected.
    wrong = np.isnan(numbers) | (np.isposinf(numbers) if scale == "log" else np.isinf(numbers))
    _refuse(path, field, wrong.any(axis=1), numbers, "numbers", "NaN or an infinite number")
    if scale == "probability":
        wrong = ~_sums_to_one(numbers) | (numbers < 0).any(axis=1)
        _refuse(path, field, wrong, numbers, "probabilities that sum to 1")
        return _log(numbers, values.dtype)
    if scale == "log":
        wrong = np.abs(np.expm1(logsumexp(numbers, axis=1))) > SUM_TOLERANCE
        _refuse(path, field, wrong, numbers, "log-probabilities, whose exponentials sum to 1")
        return np.maximum(numbers, _log_of_zero(values.dtype))
    # One row of logits may look like probabilities by chance; all of them do not.
    wrong = _sums_to_one(numbers) & (numbers >= 0).all(axis=1)
    _refuse(path, field, np.full(len(wrong), wrong.all()), numbers, "logits")
    return log_softmax(numbers, axis=1)


def _refuse(
    path: Path, field: str, wrong: np.ndarray, values: np.ndarray, expected: str, found: str = ""
) -> None:
    if not wrong.any():
        return
    row = int(wrong.argmax())
    found = found or (
        f"the sum {values[row].sum():.4g} and the smallest {values[row].min():.4g}"
        f"{_looks_like(values)}"
    )
    raise StudyError(
        f"{path}: {field}, row {row}: expected {expected}, found {found} "
        f"({int(wrong.sum())} of {len(wrong)} rows)"
    )


def _looks_like(values: np.ndarray) -> str:
    """Say on which scale most rows seem to be."""
    if np.mean(_sums_to_one(values) & (values >= 0).all(axis=1)) > 0.5:
        return "; these look like probabilities: give --scale probability"
    if np.mean(np.abs(np.expm1(logsumexp(values, axis=1))) <= SUM_TOLERANCE) > 0.5:
        return "; these look like log-probabilities: give --scale log"
    if np.mean(values.min(axis=1) < 0) > 0.5 or np.mean(values.max(axis=1) > 1) > 0.5:
        return "; if these are logits, give --scale logit"
    return ""


def _sums_to_one(values: np.ndarray) -> np.ndarray:
    return np.abs(values.sum(axis=1) - 1) <= SUM_TOLERANCE


def _log(probabilities: np.ndarray, kind: np.dtype) -> np.ndarray:
    floor = np.full(probabilities.shape, _log_of_zero(kind))
    return np.log(probabilities, where=probabilities > 0, out=floor)


def _log_of_zero(kind: np.dtype) -> float:
    kind = kind if kind.kind == "f" else np.dtype(np.float64)
    return float(np.log(float(np.finfo(kind).smallest_subnormal)) - np.log(2))
