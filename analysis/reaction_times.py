"""Reaction times of right answers by version, with intervals over observers and clips."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from analysis.bootstrap import two_way_variance
from analysis.groups import Group

COLUMNS = ["group", "condition", "n_observers", "n_items", "n_times", "n_without_time", "rt_s"]
COLUMNS += ["ci_low", "ci_high"]
BY_OBSERVER = ["group", "observer", "condition", "n_times", "rt_s"]


def reaction_time_tables(
    responses: pd.DataFrame, groups: Sequence[Group], conditions: Sequence[str], confidence: float
) -> dict[str, pd.DataFrame]:
    """Return geometric mean times of right answers, seconds.

    Times are skewed, so means are those of logarithms. The interval is Student's t with the
    two-way cluster-robust variance of observers and clips (`analysis.bootstrap.two_way_variance`)
    and one degree of freedom less than the smaller of their numbers.

    Parameters
    ----------
    responses : DataFrame
        Columns group, observer, clip_id, condition, correct, rt_s.
    groups : sequence of Group
        Those without times, as networks, have no rows.
    conditions : sequence of str
    confidence : float

    Returns
    -------
    dict of str to DataFrame
        reaction_times : columns `COLUMNS`; n_without_time counts right answers without a time
        above zero, which are left out.
        reaction_times_by_observer : columns `BY_OBSERVER`.
    """
    rows, single = [], []
    for group in groups:
        for condition in conditions:
            own = responses[
                (responses["group"] == group.name)
                & (responses["condition"] == condition)
                & (responses["correct"] == 1)
            ]
            timed = own[own["rt_s"] > 0]
            if timed.empty:
                continue
            rows.append((group.name, condition, *_cell(timed, len(own) - len(timed), confidence)))
            logs = np.log(timed["rt_s"]).groupby(timed["observer"], sort=True)
            single += [
                (group.name, observer, condition, n, float(np.exp(mean)))
                for (observer, mean), n in zip(logs.mean().items(), logs.size(), strict=True)
            ]
    return {
        "reaction_times": pd.DataFrame(rows, columns=COLUMNS),
        "reaction_times_by_observer": pd.DataFrame(single, columns=BY_OBSERVER),
    }


def _cell(timed: pd.DataFrame, n_without_time: int, confidence: float) -> tuple[float, ...]:
    observers, items = (pd.Index(sorted(set(timed[name]))) for name in ("observer", "clip_id"))
    place = (observers.get_indexer(timed["observer"]), items.get_indexer(timed["clip_id"]))
    sums, counts = np.zeros((2, len(observers), len(items)))
    np.add.at(sums, place, np.log(timed["rt_s"].to_numpy(float)))
    np.add.at(counts, place, 1)
    mean = sums.sum() / counts.sum()
    # A single observer (or clip) says nothing about others and adds no variance.
    smallest = min((n for n in (len(observers), len(items)) if n > 1), default=1)
    half = float("nan")
    if smallest > 1:
        t = stats.t.ppf(0.5 + confidence / 2.0, smallest - 1)
        half = float(t * np.sqrt(two_way_variance(sums, counts)))
    limits = np.exp([mean, mean - half, mean + half])
    return len(observers), len(items), len(timed), n_without_time, *map(float, limits)
