"""Patterns of accuracies over versions, and how far the networks' are from the observers'."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.estimates import read_estimates
from analysis.figures.material import Drawn, Material, NothingToDraw
from analysis.figures.style import (
    DOUBLE_MM,
    FAINT,
    ONE_AND_HALF_MM,
    chance_line,
    label_conditions,
    labels_mm,
    new_figure,
    note_simulated,
    percent_axis,
)
from analysis.groups import Group
from analysis.legends import simulated_remark
from analysis.sentences import listed, points_with_interval

STEP = 0.06  # between groups at one version, so that intervals do not hide each other


def draw(material: Material) -> Drawn:
    """Make the figure of a study."""
    groups, conditions = material.groups, material.conditions
    if len(groups) < 2 or len(conditions) < 2:
        raise NothingToDraw("patterns need two groups and two versions")
    distances = read_estimates(material.results, "pattern_distance")
    figure, data = pattern_figure(
        material.table("accuracy"), distances, groups, conditions, material.chance
    )
    return Drawn(figure, data, pattern_legend(distances, groups, material.confidence))


def pattern_figure(
    accuracy: pd.DataFrame,
    distances: pd.DataFrame,
    groups: Sequence[Group],
    conditions: Sequence[str],
    chance: float,
) -> tuple[Figure, pd.DataFrame]:
    """Draw accuracy over versions as a line per group and, with observers, the distances.

    Parameters
    ----------
    accuracy, distances : DataFrame
        As `analysis.estimates.fit_study` writes them.
    groups : sequence of Group
    conditions : sequence of str
    chance : float

    Returns
    -------
    Figure, DataFrame
        The data: rows of kind "accuracy" (shares) and "distance" (percentage points).
    """
    names = [group.name for group in groups]
    distances = distances[(distances["kind"] == "distance") & distances["group"].isin(names)]
    accuracy = accuracy[accuracy["group"].isin(names)]
    has_distances = len(distances) > 0
    figure = new_figure(
        DOUBLE_MM if has_distances else ONE_AND_HALF_MM, 76.0 + labels_mm(conditions)
    )
    widths = [1.5, 1.0] if has_distances else [1.0]
    panels = figure.subplots(1, len(widths), width_ratios=widths, squeeze=False)[0]
    _draw_lines(panels[0], accuracy, groups, conditions, chance)
    if has_distances:
        _draw_distances(panels[1], distances, groups)
    figure.legend(
        *panels[0].get_legend_handles_labels(),
        loc="outside upper left",
        ncols=min(len(groups), 4),
        handlelength=3.0,
    )
    if any(group.is_simulated for group in groups):
        note_simulated(figure)
    value = distances.rename(columns={"value_pp": "value"})
    data = [
        accuracy.rename(columns={"accuracy": "value"}).assign(kind="accuracy"),
        value.assign(condition=""),
    ]
    columns = ["kind", "group", "condition", "value", "ci_low", "ci_high"]
    return figure, pd.concat([table[columns] for table in data if len(table)], ignore_index=True)


def pattern_legend(distances: pd.DataFrame, groups: Sequence[Group], confidence: float) -> str:
    """Legend of the patterns and their distances."""
    text = (
        "Patterns of accuracy over versions, with the intervals of the figure of accuracies; "
        "solid: observers, dashed: networks."
    )
    by_name = {group.name: group.label for group in groups}
    rows = distances[(distances["kind"] == "distance") & distances["group"].isin(by_name)]
    if len(rows):
        numbers = listed(
            [f"{by_name[row['group']]} {points_with_interval(row)}" for _, row in rows.iterrows()]
        )
        text += (
            " Right: root mean square distance from the observers' pattern in percentage points, "
            f"with {100 * confidence:.3g}\u00a0% bootstrap intervals over observers, seeds and "
            f"clips: {numbers}. A distance cannot be negative, so chance variation alone makes "
            "it larger than zero."
        )
    return text + simulated_remark(groups)


def _draw_lines(
    axes: Axes,
    accuracy: pd.DataFrame,
    groups: Sequence[Group],
    conditions: Sequence[str],
    chance: float,
) -> None:
    for place, group in enumerate(groups):
        own = accuracy[accuracy["group"] == group.name].set_index("condition")
        own = own.reindex(conditions)
        x = np.arange(len(conditions)) + STEP * (place - (len(groups) - 1) / 2.0)
        below = own["accuracy"] - own["ci_low"]
        above = own["ci_high"] - own["accuracy"]
        # A percentile interval may, rarely, not hold its own estimate.
        axes.errorbar(
            x,
            own["accuracy"],
            yerr=np.clip([below, above], 0.0, None),
            color=group.color,
            marker=group.marker,
            markersize=4.5,
            linewidth=1.3,
            elinewidth=0.9,
            linestyle="-" if group.role == "observers" else (0, (5, 1.5)),
            label=group.label,
            gid=f"line {group.name}",
        )
    percent_axis(axes, "accuracy")
    chance_line(axes, chance, side="left")
    label_conditions(axes, conditions)
    axes.set_xlim(-0.35, len(conditions) - 0.65)
    axes.set_title("accuracy over versions", loc="left")


def _draw_distances(axes: Axes, distances: pd.DataFrame, groups: Sequence[Group]) -> None:
    observers = next(group.label for group in groups if group.role == "observers")
    models = [group for group in groups if group.role == "model"]
    rows = distances.set_index("group")
    for place, group in enumerate(models):
        row = rows.loc[group.name]
        axes.hlines(place, row["ci_low"], row["ci_high"], color=group.color, linewidth=1.8)
        axes.plot(
            [row["value_pp"]],
            [place],
            marker=group.marker,
            markersize=6.0,
            color=group.color,
            markeredgecolor="white",
            gid=f"distance {group.name}",
        )
        axes.annotate(
            f"{row['value_pp']:.1f}",
            xy=(row["value_pp"], place),
            xytext=(0, 6),
            textcoords="offset points",
            ha="center",
        )
    axes.set_yticks(range(len(models)), [group.label for group in models])
    axes.set_ylim(len(models) - 0.4, -0.6)
    axes.set_xlim(0.0, max(10.0, 1.08 * distances["ci_high"].max()))
    axes.grid(axis="x", color=FAINT, linewidth=0.4)
    axes.set_axisbelow(True)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("percentage points (root mean square)")
    axes.set_title(f"distance from {observers}", loc="left")
