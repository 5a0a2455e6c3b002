"""Multinomial logistic regression of many labellings of the same clips at once.

The Hessian of its loss has the bound 1/2 (I - 1/k) x X'X (Böhning, 1992, Annals of the Institute of
Statistical Mathematics 44:197). On principal components X'X is diagonal, so a step along the bound
is a division, and the true labels and all permuted ones share their matrix products.
"""

from __future__ import annotations

import numpy as np

N_COMPONENTS = 100
# The penalty on squared weights, where the features of a clip together have variance 1.
RIDGE = 0.05
N_STEPS = 40
# So many numbers of a step are held at once: they stay near the processor.
CHUNK = 400_000
NEVER = np.float32(-1e9)


def log_odds(
    train_nd: np.ndarray, test_nd: np.ndarray, labels_pn: np.ndarray, n_actions: int
) -> np.ndarray:
    """Fit every row of labels and return what the test rows say about each action.

    Parameters
    ----------
    train_nd, test_nd : ndarray
        Features, centred and scaled; rows are moments of clips.
    labels_pn : ndarray of int
        Labels of the training rows, a row per labelling.
    n_actions : int

    Returns
    -------
    ndarray of float32
        (labellings, test rows, actions): log-probabilities as if all actions were equally frequent;
        an action without a training row is never chosen.
    """
    train, test = principal_components(train_nd, test_nd)
    rows = max(1, CHUNK // (len(train) * n_actions))
    chunks = [labels_pn[start : start + rows] for start in range(0, len(labels_pn), rows)]
    return np.concatenate([_log_odds(train, test, chunk, n_actions) for chunk in chunks])


def principal_components(
    train_nd: np.ndarray, test_nd: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return both on the first principal components of the training rows, which need no labels."""
    if len(train_nd) < train_nd.shape[1]:
        squares, left = np.linalg.eigh(train_nd @ train_nd.T)
        kept = _largest(squares)
        directions = train_nd.T @ (left[:, kept] / np.sqrt(squares[kept]))
    else:
        squares, directions = np.linalg.eigh(train_nd.T @ train_nd)
        directions = directions[:, _largest(squares)]
    return (train_nd @ directions).astype(np.float32), (test_nd @ directions).astype(np.float32)


def _largest(squares: np.ndarray) -> np.ndarray:
    """Return the places of the largest eigenvalues, largest first, without those that are noise."""
    floor = 1e-6 * max(squares[-1], np.finfo(np.float32).tiny)
    return np.flatnonzero(squares > floor)[::-1][:N_COMPONENTS]


def _log_odds(
    train_nd: np.ndarray, test_nd: np.ndarray, labels_pn: np.ndarray, n_actions: int
) -> np.ndarray:
    targets = np.eye(n_actions, dtype=np.float32)[labels_pn.T]  # (rows, labellings, actions)
    weights, intercepts = fit(train_nd, targets)
    shares = targets.mean(axis=0)
    prior = np.log(np.maximum(shares, np.finfo(np.float32).tiny))
    logits = _products(test_nd, weights) + intercepts
    fair = logits - _log_sum_exp(logits) - prior
    return np.where(shares > 0, fair, NEVER).transpose(1, 0, 2)


def fit(train_nd: np.ndarray, targets_npk: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fit every labelling by steps along the bound of the Hessian, with Nesterov's acceleration.

    Parameters
    ----------
    train_nd : ndarray of float32
        Principal components: centred columns at right angles.
    targets_npk : ndarray of float32
        One-hot labels (rows, labellings, actions).

    Returns
    -------
    weights : ndarray
        (components, labellings, actions)
    intercepts : ndarray
        (labellings, actions)
    """
    n, width = targets_npk.shape[0], train_nd.shape[1]
    steps = (1 / (np.square(train_nd).sum(axis=0) / 2 + RIDGE))[:, np.newaxis, np.newaxis]
    weights = ahead = np.zeros((width, *targets_npk.shape[1:]), np.float32)
    intercepts = intercepts_ahead = np.zeros(targets_npk.shape[1:], np.float32)
    for step in range(N_STEPS):
        missed = targets_npk - _softmax(_products(train_nd, ahead) + intercepts_ahead)
        before, intercepts_before = weights, intercepts
        weights = ahead + steps * (_products(train_nd.T, missed) - np.float32(RIDGE) * ahead)
        intercepts = intercepts_ahead + missed.sum(axis=0) * np.float32(2 / n)
        momentum = np.float32(step / (step + 3))
        ahead = weights + momentum * (weights - before)
        intercepts_ahead = intercepts + momentum * (intercepts - intercepts_before)
    return weights, intercepts


def _products(matrix_ab: np.ndarray, values_bpk: np.ndarray) -> np.ndarray:
    """Multiply by a matrix, all labellings in one product."""
    n_labellings, n_actions = values_bpk.shape[1:]
    flat = matrix_ab @ values_bpk.reshape(len(values_bpk), n_labellings * n_actions)
    return flat.reshape(len(matrix_ab), n_labellings, n_actions)


def _softmax(logits: np.ndarray) -> np.ndarray:
    odds = np.exp(logits - logits.max(axis=-1, keepdims=True))
    odds /= odds.sum(axis=-1, keepdims=True)
    return odds


def _log_sum_exp(logits: np.ndarray) -> np.ndarray:
    most = logits.max(axis=-1, keepdims=True)
    return most + np.log(np.exp(logits - most).sum(axis=-1, keepdims=True))
