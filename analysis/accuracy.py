"""Accuracy by version and group, with intervals over observers and clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.bootstrap import (
    exact_interval,
    percentile_interval,
    two_way_variance,
    unit_weights,
    weighted_accuracy,
    with_variance,
)
from analysis.groups import Group

COLUMNS = [
    "group",
    "condition",
    "n_observers",
    "n_trials",
    "accuracy",
    "ci_low",
    "ci_high",
    "method",
]


@dataclass(frozen=True)
class AccuracyDraws:
    """Accuracies of all groups and versions, as found and in every bootstrap draw.

    Attributes
    ----------
    groups, conditions : tuple of str
        What the first two axes stand for.
    estimate : ndarray of shape (n_groups, n_conditions)
        NaN where a group has no trial in a version.
    draws : ndarray of shape (n_groups, n_conditions, n_draws)
        The clips of a draw are the same for all groups and versions, the observers of a draw the
        same for all versions, so that differences between any two entries are paired.
    """

    groups: tuple[str, ...]
    conditions: tuple[str, ...]
    estimate: np.ndarray
    draws: np.ndarray


def accuracy_by_observer(responses: pd.DataFrame) -> pd.DataFrame:
    """Return columns group, observer, condition, n_trials, accuracy."""
    keys = ["group", "observer", "condition"]
    cells = responses.groupby(keys, sort=True)["correct"].agg(["size", "mean"]).reset_index()
    return cells.rename(columns={"size": "n_trials", "mean": "accuracy"})


def draw_accuracies(
    responses: pd.DataFrame,
    groups: Sequence[str],
    conditions: Sequence[str],
    n_draws: int,
    rng: np.random.Generator,
) -> AccuracyDraws:
    """Bootstrap the accuracy of every group in every version over observers and clips together.

    Parameters
    ----------
    responses : DataFrame
        Columns group, observer, clip_id, condition, correct.
    groups, conditions : sequence of str
        The rows and columns of the result.
    n_draws : int
    rng : numpy.random.Generator
    """
    items = pd.Index(sorted(set(responses["clip_id"])))
    item_weights = unit_weights(len(items), n_draws, rng)
    estimate = np.full((len(groups), len(conditions)), np.nan)
    draws = np.full((len(groups), len(conditions), n_draws), np.nan)
    for g, group in enumerate(groups):
        rows = responses[responses["group"] == group]
        observers = pd.Index(sorted(set(rows["observer"])))
        observer_weights = unit_weights(len(observers), n_draws, rng)
        for c, condition in enumerate(conditions):
            cell = rows[rows["condition"] == condition]
            if cell.empty:
                continue
            place = (observers.get_indexer(cell["observer"]), items.get_indexer(cell["clip_id"]))
            n_correct, n_trials = np.zeros((2, len(observers), len(items)))
            np.add.at(n_correct, place, cell["correct"].to_numpy())
            np.add.at(n_trials, place, 1)
            estimate[g, c] = n_correct.sum() / n_trials.sum()
            drawn = weighted_accuracy(n_correct, n_trials, observer_weights, item_weights)
            variance = two_way_variance(n_correct, n_trials)
            draws[g, c] = with_variance(drawn, estimate[g, c], variance)
    return AccuracyDraws(tuple(groups), tuple(conditions), estimate, draws)


def accuracy_table(
    responses: pd.DataFrame, draws: AccuracyDraws, groups: Sequence[Group], confidence: float
) -> pd.DataFrame:
    """Return a row per group and version with the columns in `COLUMNS`.

    Accuracy is the share of trials answered right. Where every answer of a cell is right, or
    every one wrong, resampling cannot vary; there the interval is the exact binomial one with as
    many trials as clips.
    """
    rows = []
    for group in groups:
        for condition in draws.conditions:
            own = (responses["group"] == group.name) & (responses["condition"] == condition)
            cell = responses[own]
            if cell.empty:
                continue
            g, c = draws.groups.index(group.name), draws.conditions.index(condition)
            interval, method = _interval(cell, draws.draws[g, c], group, confidence)
            counts = (cell["observer"].nunique(), len(cell))
            rows.append((group.name, condition, *counts, draws.estimate[g, c], *interval, method))
    return pd.DataFrame(rows, columns=COLUMNS)


def _interval(
    cell: pd.DataFrame, draws: np.ndarray, group: Group, confidence: float
) -> tuple[tuple[float, float], str]:
    n_observers, n_items = cell["observer"].nunique(), cell["clip_id"].nunique()
    n_correct = int(cell["correct"].sum())
    if n_correct in (0, len(cell)):
        what = "right" if n_correct else "wrong"
        interval = exact_interval(n_items if n_correct else 0, n_items, confidence)
        return interval, f"exact binomial over {n_items} clips: every answer was {what}"
    interval = percentile_interval(draws, confidence)
    if n_observers == 1:
        return interval, (
            f"bootstrap over {n_items} clips; one {group.unit}, so variation between "
            f"{group.unit}s is not in the interval"
        )
    return interval, f"bootstrap over {n_observers} {group.unit}s and {n_items} clips"
