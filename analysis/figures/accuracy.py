"""Accuracy by version and group."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.figures.style import (
    DOUBLE_MM,
    ONE_AND_HALF_MM,
    chance_line,
    condition_handles,
    new_figure,
    note_simulated,
    percent_axis,
)
from analysis.groups import Group
from study.conditions import CONDITIONS

# Groups are 1 apart, their versions STEP; single observers stand left of their mean.
STEP = 0.27
MEAN_SHIFT, POINTS_SHIFT, SPREAD = 0.06, -0.055, 0.06
LABEL_WIDTH = 20  # letters of a group's name before it is broken


def accuracy_figure(
    accuracy: pd.DataFrame,
    by_observer: pd.DataFrame,
    groups: Sequence[Group],
    conditions: Sequence[str],
    chance: float,
) -> tuple[Figure, pd.DataFrame]:
    """Draw the groups side by side, in each the versions with interval and single observers.

    Parameters
    ----------
    accuracy, by_observer : DataFrame
        As `analysis.estimates.fit_study` writes them.
    groups : sequence of Group
        In the order shown.
    conditions : sequence of str
    chance : float

    Returns
    -------
    Figure, DataFrame
        The data: a row per group and version ("mean") and per observer ("observer").
    """
    figure = new_figure(DOUBLE_MM if len(groups) > 3 else ONE_AND_HALF_MM, 78.0)
    axes = figure.add_subplot()
    shown = []
    for place, group in enumerate(groups):
        for shift, condition in zip(_shifts(len(conditions)), conditions, strict=True):
            cell = _cell(accuracy, group.name, condition)
            points = _cell(by_observer, group.name, condition)
            if len(cell):
                _draw_cell(axes, place + shift, cell.iloc[0], points, group, condition)
                shown += [cell.assign(kind="mean"), points.assign(kind="observer")]
    percent_axis(axes, "accuracy")
    chance_line(axes, chance)
    _label_groups(axes, accuracy, groups)
    figure.legend(
        handles=condition_handles(list(conditions)),
        loc="outside upper center",
        ncols=len(conditions),
        handletextpad=0.2,
    )
    if any(group.is_simulated for group in groups):
        note_simulated(figure)
    columns = ["kind", "group", "condition", "observer", "n_trials", "accuracy"]
    columns += ["ci_low", "ci_high"]
    return figure, pd.concat(shown, ignore_index=True).reindex(columns=columns)


def _draw_cell(
    axes: Axes, x: float, cell: pd.Series, points: pd.DataFrame, group: Group, condition: str
) -> None:
    color = CONDITIONS[condition].color
    axes.scatter(
        x + POINTS_SHIFT + SPREAD * _scatter(len(points)),
        points["accuracy"],
        s=8,
        color=color,
        alpha=0.4,
        linewidths=0,
        zorder=2,
        gid=f"observers {group.name} {condition}",
    )
    axes.vlines(
        x + MEAN_SHIFT,
        cell["ci_low"],
        cell["ci_high"],
        color=color,
        linewidth=1.8,
        zorder=3,
        gid=f"interval {group.name} {condition}",
    )
    axes.plot(
        [x + MEAN_SHIFT],
        [cell["accuracy"]],
        marker="o",
        markersize=5.5,
        markerfacecolor=color,
        markeredgecolor="white",
        markeredgewidth=0.8,
        zorder=4,
        gid=f"mean {group.name} {condition}",
    )
    axes.annotate(
        f"{100 * cell['accuracy']:.0f}",
        xy=(x, 0.0),
        xycoords=("data", "axes fraction"),
        xytext=(0, -3),
        textcoords="offset points",
        ha="center",
        va="top",
        fontsize=6.5,
        color=color,
        fontweight="bold",
    )


def _label_groups(axes: Axes, accuracy: pd.DataFrame, groups: Sequence[Group]) -> None:
    labels = []
    for group in groups:
        n = int(accuracy.loc[accuracy["group"] == group.name, "n_observers"].max())
        name = textwrap.fill(group.label, LABEL_WIDTH)
        labels.append(f"{name}\n{n} {group.unit}{'s' if n != 1 else ''}")
    axes.set_xticks(range(len(groups)), labels)
    axes.tick_params(axis="x", length=0, pad=11, labelsize=7.0)
    axes.set_xlim(-0.55, len(groups) - 0.45)


def _cell(table: pd.DataFrame, group: str, condition: str) -> pd.DataFrame:
    return table[(table["group"] == group) & (table["condition"] == condition)]


def _shifts(n: int) -> np.ndarray:
    return STEP * (np.arange(n) - (n - 1) / 2.0)


def _scatter(n: int) -> np.ndarray:
    """Spread n points evenly over -1 to 1 in an order that keeps neighbours apart."""
    if n == 1:
        return np.zeros(1)
    golden = (np.sqrt(5.0) - 1.0) / 2.0
    return 2.0 * ((np.arange(n) + 0.5) * golden % 1.0) - 1.0
