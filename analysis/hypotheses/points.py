"""Differences of accuracies in percentage points, for new observers and new clips.

A contrast of shares correct is a weighted sum of answers. Its variance is clustered by observers
and by clips (Cameron, Gelbach & Miller, 2011, J. Bus. Econ. Stat. 29): the sum of both less that
of their crossing. Observers of two groups are two samples, as in Welch's test. Degrees of freedom
follow Satterthwaite (1946). Where clips do not cross observers this is Student's paired, or
Welch's, test exactly. Unlike the draws of `analysis.accuracy`, it gives the standard error and the
degrees of freedom that equivalence tests need, and stays right with three trainings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analysis.hypotheses.table import t_test

Cell = tuple[str, str]
METHOD = "t test clustered by observers and clips"


@dataclass(frozen=True)
class Points:
    """A contrast of shares correct.

    Attributes
    ----------
    estimate, se : float
        Percentage points.
    df : float
    pure : tuple of str
        Cells in which every answer was right, or every one wrong.
    range : tuple of float
        The least and the largest value that there can be; intervals end there.
    """

    estimate: float
    se: float
    df: float
    pure: tuple[str, ...]
    range: tuple[float, float]

    @property
    def note(self) -> str:
        """What a reader must know of cells, or differences, without variation."""
        if self.se == 0.0:
            return "the difference does not vary over observers or clips at all"
        if not self.pure:
            return ""
        return f"{', '.join(self.pure)}: Agresti & Coull's variance over clips there"

    def interval(self, confidence: float) -> tuple[float, float]:
        """Return the interval in percentage points."""
        test = t_test(self.estimate, self.se, self.df, confidence)
        return max(test["ci_low"], self.range[0]), min(test["ci_high"], self.range[1])

    def as_columns(self, confidence: float) -> dict[str, float]:
        """Return the columns of a `Finding` that go with its own test."""
        low, high = self.interval(confidence)
        return {"difference_pp": self.estimate, "pp_low": low, "pp_high": high}

    def as_test(self, confidence: float) -> dict[str, Any]:
        """Return the columns of a `Finding` whose test this is."""
        test = t_test(self.estimate, self.se, self.df, confidence)
        low, high = self.interval(confidence)
        words = {"unit": "percentage points", "method": METHOD}
        return test | words | {"ci_low": low, "ci_high": high}


def contrast_points(
    rows: pd.DataFrame, weights: Mapping[Cell, float], constant: float = 0.0
) -> Points:
    """Return ``sum of weight * share correct - constant`` over (group, condition) cells.

    Parameters
    ----------
    rows : DataFrame
        Columns group, condition, observer (unique over groups), item, correct.
    weights : mapping of (group, condition) to float
    constant : float
        Subtracted, as a share; for instance chance.

    Raises
    ------
    ValueError
        When a cell has no answer.
    """
    estimate, extra = -constant, 0.0
    parts, pure = [], []
    for (group, condition), weight in weights.items():
        cell = rows[(rows["group"] == group) & (rows["condition"] == condition)]
        if cell.empty:
            raise ValueError(f"{group} has no answer to {condition}")
        share = cell["correct"].mean()
        estimate += weight * share
        if share in (0.0, 1.0):
            pure.append(f"{group} {condition} all {'right' if share else 'wrong'}")
            extra += weight**2 * _variance_of_pure(cell["item"].nunique())
        part = cell[["group", "observer", "item"]].copy()
        part["residual"] = weight * (cell["correct"] - share) / len(cell)
        parts.append(part)
    variance, df = _two_way(pd.concat(parts), extra)
    least = 100.0 * (sum(min(weight, 0.0) for weight in weights.values()) - constant)
    most = 100.0 * (sum(max(weight, 0.0) for weight in weights.values()) - constant)
    return Points(
        100.0 * estimate, 100.0 * float(np.sqrt(variance)), df, tuple(pure), (least, most)
    )


def clustered_variance(sums: np.ndarray) -> float:
    """Return the variance of the sum of independent clusters (n,) with the factor n / (n - 1)."""
    n = len(sums)
    return float((sums**2).sum() * n / (n - 1.0)) if n > 1 else 0.0


def _two_way(parts: pd.DataFrame, extra: float) -> tuple[float, float]:
    """Variance of the sum of residuals and its degrees of freedom."""
    sums = parts.groupby(["group", "observer"], sort=False)["residual"].sum()
    by_observer = [_component(own.to_numpy()) for _, own in sums.groupby(level=0, sort=False)]
    by_item = _component(parts.groupby("item", sort=False)["residual"].sum().to_numpy())
    cells = parts.groupby(["observer", "item"], sort=False)["residual"].sum().to_numpy()
    n_observers, n_items = len(sums), parts["item"].nunique()
    # Clips of a single observer, or observers of a single clip, have nothing to be crossed with.
    if len(cells) == n_items and all(df > 0 for _, df in by_observer):
        return _satterthwaite(by_observer, sum(v for v, _ in by_observer), extra)
    if len(cells) == n_observers and by_item[1] > 0:
        return _satterthwaite([by_item], by_item[0], extra)
    components = [*by_observer, by_item]
    total = sum(v for v, _ in components)
    if by_item[1] > 0 and any(df > 0 for _, df in by_observer):
        # Never below either way alone, which the difference of estimates may be.
        total = max(total - clustered_variance(cells), *(v for v, _ in components))
    return _satterthwaite(components, total, extra)


def _component(sums: np.ndarray) -> tuple[float, int]:
    return clustered_variance(sums), len(sums) - 1


def _satterthwaite(
    components: list[tuple[float, int]], total: float, extra: float
) -> tuple[float, float]:
    used = [(variance, df) for variance, df in components if df > 0 and variance > 0]
    least = float(min((df for _, df in components if df > 0), default=1))
    if not used:
        return total + extra, least
    df = (total + extra) ** 2 / sum(variance**2 / own for variance, own in used)
    return total + extra, max(df, least)


def _variance_of_pure(n: int) -> float:
    """Of a share of n clips that are all right or wrong (Agresti & Coull, 1998)."""
    share = 2.0 / (n + 4.0)
    return share * (1.0 - share) / (n + 4.0)
