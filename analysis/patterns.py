"""How far a network's pattern of accuracies over versions is from the observers'."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from analysis.accuracy import AccuracyDraws
from analysis.bootstrap import percentile_interval

COLUMNS = ["kind", "group", "other", "reference", "value_pp", "ci_low", "ci_high", "n_conditions"]


def pattern_distance(accuracy: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Return the root mean square difference over versions, in percentage points.

    Parameters
    ----------
    accuracy, reference : ndarray of shape (n_conditions,) or (n_conditions, n_draws)
        Shares correct.
    """
    return 100.0 * np.sqrt(np.mean((accuracy - reference) ** 2, axis=0))


def pattern_table(
    accuracies: AccuracyDraws, models: Sequence[str], reference: str | None, confidence: float
) -> pd.DataFrame:
    """Return each network's distance from the observers, and how networks differ in it.

    Parameters
    ----------
    accuracies : AccuracyDraws
    models : sequence of str
        Groups of networks.
    reference : str or None
        The group of observers; without one the table is empty.
    confidence : float

    Returns
    -------
    DataFrame
        kind : "distance" (of `group` from `reference`) or "difference" (the distance of `group`
        minus that of `other`: negative where `group` is closer to the observers)
        value_pp, ci_low, ci_high : percentage points
        n_conditions : number of versions, those that all networks and the observers answered
    """
    if reference is None:
        return pd.DataFrame(columns=COLUMNS)
    names = [reference, *models]
    places = [accuracies.groups.index(name) for name in names]
    shared = ~np.isnan(accuracies.estimate[places]).any(axis=0)
    if not shared.any():
        return pd.DataFrame(columns=COLUMNS)
    people, *networks = accuracies.estimate[places][:, shared]
    people_drawn, *networks_drawn = accuracies.draws[places][:, shared]
    found = [float(pattern_distance(network, people)) for network in networks]
    drawn = [pattern_distance(network, people_drawn) for network in networks_drawn]

    rows = []
    for model, value, draws in zip(models, found, drawn, strict=True):
        interval = percentile_interval(draws, confidence)
        rows.append(("distance", model, reference, reference, value, *interval))
    for first, second in combinations(range(len(models)), 2):
        interval = percentile_interval(drawn[second] - drawn[first], confidence)
        pair = ("difference", models[second], models[first], reference)
        rows.append((*pair, found[second] - found[first], *interval))
    table = pd.DataFrame(rows, columns=COLUMNS[:-1])
    table["n_conditions"] = int(shared.sum())
    return table
