"""How good and how honest class probabilities are: numbers from arrays.

Everywhere (N, C) log-probabilities stand beside (N,) labels, positions of the right classes. Rows
that do not sum to 1, such as means of log-probabilities, are scaled until they do (the geometric
mean of distributions). Of classes that are equally probable the first one is the answer.
"""

from __future__ import annotations

import numpy as np
from scipy.special import log_softmax

TOP = 5


def classification_metrics(scores: np.ndarray, labels: np.ndarray, n_bins: int) -> dict[str, float]:
    """Return every metric of answers among all classes.

    Parameters
    ----------
    scores : ndarray
        (N, C) log-probabilities, N at least 1.
    labels : ndarray of int
        (N,).
    n_bins : int
        Of the calibration error.

    Returns
    -------
    dict of str to float
        top_1; top_5 (1 where there are no more than five classes); balanced_accuracy, precision,
        recall, f1 (see `macro_averages`); log_loss (natural logarithm); brier (see `brier`); ece
        (see `calibration_error`).
    """
    scaled = log_softmax(scores, axis=1)
    return {
        "top_1": top_accuracy(scores, labels, 1),
        "top_5": top_accuracy(scores, labels, TOP),
        **macro_averages(scores.argmax(axis=1), labels),
        "log_loss": float(-np.take_along_axis(scaled, labels[:, None], axis=1).mean()),
        "brier": brier(np.exp(scaled), labels),
        "ece": calibration_error(reliability_bins(scores, labels, n_bins)),
    }


def top_accuracy(scores: np.ndarray, labels: np.ndarray, k: int) -> float:
    """Return the share of rows whose right class is among the `k` most probable."""
    best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return float((best == labels[:, None]).any(axis=1).mean())


def macro_averages(answers: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Return precision, recall, F1 and balanced accuracy, each a mean over classes.

    The mean is over the classes that are shown (that occur among the labels), each counting the
    same. A class that is never answered has a precision, and so an F1, of 0. Answers of classes
    that are not shown count as misses of the class shown, and nowhere else. Balanced accuracy is
    the mean recall.
    """
    shown, n_shown = np.unique(labels, return_counts=True)
    hits = np.array([np.sum((answers == label) & (labels == label)) for label in shown])
    n_answered = np.array([np.sum(answers == label) for label in shown])
    precision = hits / np.maximum(n_answered, 1)
    recall = hits / n_shown
    both = precision + recall
    f1 = np.divide(2 * precision * recall, both, out=np.zeros(len(shown)), where=both > 0)
    return {
        "balanced_accuracy": float(recall.mean()),
        "precision": float(precision.mean()),
        "recall": float(recall.mean()),
        "f1": float(f1.mean()),
    }


def brier(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Return the mean squared distance from the right answer, 0 to 2 (Brier, 1950)."""
    distance = probabilities.copy()
    distance[np.arange(len(labels)), labels] -= 1
    return float((distance**2).sum(axis=1).mean())


def reliability_bins(scores: np.ndarray, labels: np.ndarray, n_bins: int) -> dict[str, np.ndarray]:
    """Sort answers by their probability into bins of equal width.

    Returns
    -------
    dict of str to ndarray
        (n_bins,) each: low, high (a bin holds what is above `low` and up to `high`), n,
        confidence (mean probability of the answers) and accuracy (share of them that is right);
        both NaN in an empty bin.
    """
    sure = np.exp(log_softmax(scores, axis=1).max(axis=1))
    right = scores.argmax(axis=1) == labels
    edges = np.linspace(0.0, 1.0, n_bins + 1)
    # The largest probability is above 0; rounding may put it above 1.
    place = np.clip(np.searchsorted(edges, sure, side="left") - 1, 0, n_bins - 1)
    n = np.bincount(place, minlength=n_bins)
    with np.errstate(invalid="ignore"):
        confidence = np.bincount(place, sure, n_bins) / n
        accuracy = np.bincount(place, right, n_bins) / n
    return {
        "low": edges[:-1], "high": edges[1:], "n": n, "confidence": confidence, "accuracy": accuracy
    }  # fmt: skip


def calibration_error(bins: dict[str, np.ndarray]) -> float:
    """Return the expected calibration error (ECE; Guo et al., 2017).

    Mean over answers of the distance, in their bin, between accuracy and confidence.
    """
    n = bins["n"]
    filled = n > 0
    distance = np.abs(bins["accuracy"] - bins["confidence"])[filled]
    return float((distance * n[filled]).sum() / n.sum())
