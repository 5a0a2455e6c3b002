"""Probes: can the action be told from these numbers? Cross-validated, beside permuted labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from stimuli.audit.features import Features, plain_features
from stimuli.audit.folds import folds_of, permuted_labels
from stimuli.audit.logistic import log_odds

# A feature that varies less than this is constant but for rounding.
LEAST_SD = 1e-6


@dataclass(frozen=True)
class ProbeResult:
    """What one probe found.

    Attributes
    ----------
    predicted : ndarray of int
        (clips,): the action chosen for every clip when it was held out.
    accuracy : float
        Balanced: the mean over actions of the share of their clips that were right.
    permuted : ndarray of float
        The same with permuted labels, one per permutation.
    n_folds : int
    """

    predicted: np.ndarray
    accuracy: float
    permuted: np.ndarray
    n_folds: int

    @property
    def p(self) -> float:
        """Share of labellings at least as accurate as the true one, which is counted among them."""
        as_good = int((self.permuted >= self.accuracy - 1e-9).sum())
        return (1 + as_good) / (1 + len(self.permuted))


def probe(
    features: Features,
    actions: np.ndarray,
    groups: Sequence[str],
    n_folds: int = 5,
    n_permutations: int = 0,
    seed: int = 0,
) -> ProbeResult:
    """Predict every clip's action from the other clips (of other sessions, where these are known).

    Parameters
    ----------
    features : Features
        Of the clips; the moments of a clip are rows of their own, and vote.
    actions : ndarray of int
        (clips,): number of the action.
    groups : sequence of str
        (clips,): recording session, empty where unknown.
    n_folds, n_permutations, seed : int
    """
    folds = folds_of(actions, groups, n_folds, seed)
    labels = permuted_labels(actions, groups, n_permutations, seed)
    n_actions = int(actions.max()) + 1
    predicted = np.empty(labels.shape, int)
    # Threads change the last digits of products, and with them ties.
    with threadpool_limits(1):
        for held_out in np.unique(folds):
            test = folds == held_out
            predicted[:, test] = _predicted(features, test, labels[:, ~test], n_actions)
    accuracies = balanced_accuracy(predicted, labels, n_actions)
    return ProbeResult(predicted[0], float(accuracies[0]), accuracies[1:], len(np.unique(folds)))


def probe_accuracy(
    pictures_nhwc: np.ndarray | Sequence[np.ndarray],
    labels: Sequence[str],
    groups: Sequence[str] | None = None,
    n_folds: int = 5,
) -> float:
    """Return the plain probe's balanced accuracy on one picture per clip; chance is 1 / actions."""
    _, actions = np.unique(np.asarray(labels), return_inverse=True)
    sessions = [""] * len(actions) if groups is None else groups
    return probe(plain_features(pictures_nhwc), actions, sessions, n_folds).accuracy


def balanced_accuracy(
    predicted_pn: np.ndarray, labels_pn: np.ndarray, n_actions: int
) -> np.ndarray:
    """Return the mean over actions of the share right, for every row of labels."""
    shares = []
    for action in range(n_actions):
        of_action = labels_pn == action
        n_right = ((predicted_pn == action) & of_action).sum(axis=1)
        with np.errstate(invalid="ignore"):
            shares.append(n_right / of_action.sum(axis=1))
    # Whole sessions that exchange labels may leave an action without a clip.
    return np.nanmean(shares, axis=0)


def _predicted(
    features: Features, test: np.ndarray, labels_pn: np.ndarray, n_actions: int
) -> np.ndarray:
    """Return the actions chosen for the test clips, (labellings, clips)."""
    n_moments, width = features.values.shape[1:]
    scaled = scaled_by(features, ~test)
    odds = log_odds(
        scaled[~test].reshape(-1, width),
        scaled[test].reshape(-1, width),
        np.repeat(labels_pn, n_moments, axis=1),
        n_actions,
    )
    votes = odds.reshape(len(labels_pn), -1, n_moments, n_actions).sum(axis=2)
    return votes.argmax(axis=-1)


def scaled_by(features: Features, train: np.ndarray) -> np.ndarray:
    """Centre and scale by the training clips; unknown values get the mean of those.

    All features of a clip together have variance 1, every kind the same part of it.
    """
    values, blocks = features.values, features.blocks
    known = values[train].reshape(-1, values.shape[2]).astype(np.float64)
    n = np.maximum((~np.isnan(known)).sum(axis=0), 1)
    mean = np.nansum(known, axis=0) / n
    sd = np.sqrt(np.nansum(np.square(known - mean), axis=0) / n)
    share = np.repeat([1 / np.sqrt(width * len(blocks)) for width in blocks], blocks)
    scale = np.divide(share, sd, out=np.zeros_like(share), where=sd > LEAST_SD)
    return np.nan_to_num((values - mean) * scale).astype(np.float32)
