"""Which clips are held out together, and which labels may be exchanged for a permutation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

# So many recording sessions are each held out by themselves; more are dealt out to the folds.
MOST_SESSIONS = 20

# Keep the streams of draws apart that come from one seed.
FOLDS_STREAM, PERMUTATIONS_STREAM = 401, 402


def units_of(groups: Sequence[str]) -> np.ndarray:
    """Return the number of every clip's recording session; a clip without one is its own."""
    names = [f"session {group}" if group else f"clip {row}" for row, group in enumerate(groups)]
    return np.unique(names, return_inverse=True)[1]


def folds_of(actions: np.ndarray, groups: Sequence[str], n_folds: int, seed: int) -> np.ndarray:
    """Return the fold of every clip.

    Parameters
    ----------
    actions : ndarray of int
        (clips,)
    groups : sequence of str
        (clips,): the recording session; empty where unknown.
    n_folds, seed : int

    Returns
    -------
    ndarray of int
        Where sessions are known, one is never on both sides: a fold per session, or sessions dealt
        out to `n_folds` where there are many. Else the clips of every action are dealt out.
    """
    rng = np.random.default_rng([seed, FOLDS_STREAM])
    units = units_of(groups)
    n_units = int(units.max()) + 1
    if not any(groups):
        return _dealt_by_action(actions, n_folds, rng)
    if n_units <= MOST_SESSIONS:
        return units
    shuffled = rng.permutation(n_units)
    # The largest first, so that folds are of about equal size.
    order = shuffled[np.argsort(-np.bincount(units)[shuffled], kind="stable")]
    fold_of_unit = np.empty(n_units, int)
    fold_of_unit[order] = np.arange(n_units) % n_folds
    return fold_of_unit[units]


def permuted_labels(
    actions: np.ndarray, groups: Sequence[str], n_permutations: int, seed: int
) -> np.ndarray:
    """Return the true labels and permuted ones, (1 + n_permutations, clips).

    Clips of a session look alike, so they exchange labels only among themselves; where most
    clips are in sessions of a single action, whole sessions exchange their labels instead.
    Without sessions all clips are exchanged.
    """
    rng = np.random.default_rng([seed, PERMUTATIONS_STREAM])
    if not any(groups):
        return np.stack([actions, *(rng.permutation(actions) for _ in range(n_permutations))])
    units = units_of(groups)
    members = [np.flatnonzero(units == unit) for unit in range(units.max() + 1)]
    n_mixed = sum(len(clips) for clips in members if len(np.unique(actions[clips])) > 1)
    exchange = _within if 2 * n_mixed > len(actions) else _between
    return np.stack([actions, *(exchange(actions, members, rng) for _ in range(n_permutations))])


def _dealt_by_action(actions: np.ndarray, n_folds: int, rng: np.random.Generator) -> np.ndarray:
    folds = np.empty(len(actions), int)
    n_dealt = 0
    for action in np.unique(actions):
        clips = rng.permutation(np.flatnonzero(actions == action))
        # Goes on where the last action ended, so that folds are of about equal size.
        folds[clips] = (n_dealt + np.arange(len(clips))) % n_folds
        n_dealt += len(clips)
    return folds


def _within(
    actions: np.ndarray, members: Sequence[np.ndarray], rng: np.random.Generator
) -> np.ndarray:
    labels = actions.copy()
    for clips in members:
        labels[clips] = rng.permutation(actions[clips])
    return labels


def _between(
    actions: np.ndarray, members: Sequence[np.ndarray], rng: np.random.Generator
) -> np.ndarray:
    """Give every session the labels of another, repeated where that one has fewer clips."""
    labels = actions.copy()
    for clips, lender in zip(members, rng.permutation(len(members)), strict=True):
        labels[clips] = np.resize(actions[members[lender]], len(clips))
    return labels
