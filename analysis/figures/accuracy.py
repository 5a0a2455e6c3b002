"""Accuracy by version and group."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.figures.material import Drawn, Material
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
from analysis.legends import simulated_remark
from analysis.sentences import percent, percent_with_interval, subject
from study.conditions import CONDITIONS

# Groups are 1 apart, their versions at most STEP and together WIDTH; single observers stand left of
# their mean, by shares of the step.
STEP, WIDTH = 0.27, 0.84
MEAN_SHIFT, POINTS_SHIFT, SPREAD = 0.22, -0.2, 0.22
LABEL_WIDTH = 20  # letters of a group's name before it is broken
UPRIGHT_MM = 105.0
MOST_LEVEL = 7  # groups whose names stand side by side; of more they stand upright
CROWDED = 30  # cells, from which numbers are upright and marks small
LEGEND_COLUMNS = 4


def draw(material: Material) -> Drawn:
    """Make the figure of a study."""
    accuracy, by_observer = material.table("accuracy"), material.table("accuracy_by_observer")
    shown = (material.groups, material.conditions, material.chance)
    figure, data = accuracy_figure(accuracy, by_observer, *shown)
    accuracy = accuracy[accuracy["group"].isin([group.name for group in material.groups])]
    return Drawn(figure, data, accuracy_legend(accuracy, *shown, material.confidence))


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
    is_wide = len(groups) * max(len(conditions), 3) > 9
    height_mm = 78.0 if len(groups) <= MOST_LEVEL else UPRIGHT_MM
    figure = new_figure(DOUBLE_MM if is_wide else ONE_AND_HALF_MM, height_mm)
    axes = figure.add_subplot()
    step = min(STEP, WIDTH / len(conditions))
    is_crowded = len(groups) * len(conditions) > CROWDED
    shown = []
    for place, group in enumerate(groups):
        for shift, condition in zip(_shifts(len(conditions), step), conditions, strict=True):
            cell = _cell(accuracy, group.name, condition)
            points = _cell(by_observer, group.name, condition)
            if len(cell):
                _draw_cell(axes, place + shift, step, cell.iloc[0], points, group, condition)
                _write_share(axes, place + shift, cell.iloc[0], condition, is_crowded)
                shown += [cell.assign(kind="mean"), points.assign(kind="observer")]
    percent_axis(axes, "accuracy")
    chance_line(axes, chance, side="left")
    _label_groups(axes, accuracy, groups, 15 if is_crowded else 11)
    figure.legend(
        handles=condition_handles(list(conditions)),
        loc="outside upper center",
        ncols=min(len(conditions), LEGEND_COLUMNS),
        handletextpad=0.2,
    )
    if any(group.is_simulated for group in groups):
        note_simulated(figure)
    columns = ["kind", "group", "condition", "observer", "n_trials", "accuracy"]
    columns += ["ci_low", "ci_high"]
    return figure, pd.concat(shown, ignore_index=True).reindex(columns=columns)


def accuracy_legend(
    accuracy: pd.DataFrame,
    groups: Sequence[Group],
    conditions: Sequence[str],
    chance: float,
    confidence: float,
) -> str:
    """Legend of accuracy by version and group."""
    numbers = ". ".join(_group_numbers(accuracy, group, conditions) for group in groups)
    methods = "; ".join(dict.fromkeys(accuracy["method"]))
    return (
        "Accuracy by version and group. Small points are single observers, or single trainings "
        "(seeds) of a network; large points are the share of all answers that were right, bars "
        f"their {100 * confidence:.3g}\u00a0% intervals ({methods}). The dashed line is chance, "
        f"{percent(chance)}. {numbers}." + simulated_remark(groups)
    )


def _group_numbers(accuracy: pd.DataFrame, group: Group, conditions: Sequence[str]) -> str:
    rows = accuracy[accuracy["group"] == group.name].set_index("condition")
    parts = [
        f"{CONDITIONS[name].label} {percent_with_interval(rows.loc[name])}"
        for name in conditions
        if name in rows.index
    ]
    return f"{subject(group)}: {', '.join(parts)}"


def _draw_cell(
    axes: Axes,
    x: float,
    step: float,
    cell: pd.Series,
    points: pd.DataFrame,
    group: Group,
    condition: str,
) -> None:
    color = CONDITIONS[condition].color
    mean_x = x + MEAN_SHIFT * step
    axes.scatter(
        x + step * (POINTS_SHIFT + SPREAD * spread(len(points))),
        points["accuracy"],
        s=8 if step > 0.15 else 4,
        color=color,
        alpha=0.4,
        linewidths=0,
        zorder=2,
        gid=f"observers {group.name} {condition}",
    )
    axes.vlines(
        mean_x,
        cell["ci_low"],
        cell["ci_high"],
        color=color,
        linewidth=1.8,
        zorder=3,
        gid=f"interval {group.name} {condition}",
    )
    axes.plot(
        [mean_x],
        [cell["accuracy"]],
        marker="o",
        markersize=5.5 if step > 0.15 else 4.0,
        markerfacecolor=color,
        markeredgecolor="white",
        markeredgewidth=0.8,
        zorder=4,
        gid=f"mean {group.name} {condition}",
    )


def _write_share(axes: Axes, x: float, cell: pd.Series, condition: str, is_crowded: bool) -> None:
    """Write the percentage under a cell."""
    axes.annotate(
        f"{100 * cell['accuracy']:.0f}",
        xy=(x, 0.0),
        xycoords=("data", "axes fraction"),
        xytext=(0, -3),
        textcoords="offset points",
        ha="center",
        va="top",
        fontsize=6.0 if is_crowded else 6.5,
        rotation=90 if is_crowded else 0,
        color=CONDITIONS[condition].color,
        fontweight="bold",
    )


def _label_groups(axes: Axes, accuracy: pd.DataFrame, groups: Sequence[Group], pad: float) -> None:
    labels, are_many = [], len(groups) > MOST_LEVEL
    for group in groups:
        n = int(accuracy.loc[accuracy["group"] == group.name, "n_observers"].max())
        who = f"{n} {group.unit}{'s' if n != 1 else ''}"
        name = textwrap.fill(group.label, LABEL_WIDTH)
        labels.append(f"{group.label} ({who})" if are_many else f"{name}\n{who}")
    axes.set_xticks(range(len(groups)), labels, rotation=90 if are_many else 0)
    axes.tick_params(axis="x", length=0, pad=pad, labelsize=7.0)
    axes.set_xlim(-0.55, len(groups) - 0.45)


def _cell(table: pd.DataFrame, group: str, condition: str) -> pd.DataFrame:
    return table[(table["group"] == group) & (table["condition"] == condition)]


def _shifts(n: int, step: float) -> np.ndarray:
    return step * (np.arange(n) - (n - 1) / 2.0)


def spread(n: int) -> np.ndarray:
    """Spread n points evenly over -1 to 1 in an order that keeps neighbours apart."""
    if n == 1:
        return np.zeros(1)
    golden = (np.sqrt(5.0) - 1.0) / 2.0
    return 2.0 * ((np.arange(n) + 0.5) * golden % 1.0) - 1.0
