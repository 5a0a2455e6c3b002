"""Accuracy over levels of segmentation noise: a column per kind, a row per version."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.figures.material import Drawn, Material, NothingToDraw
from analysis.figures.style import (
    DOUBLE_MM,
    INK,
    ONE_AND_HALF_MM,
    chance_line,
    group_handles,
    new_figure,
    percent_axis,
)
from analysis.groups import Group
from analysis.legends import level
from analysis.noise import KINDS, changed_only, noise_sentences
from study.conditions import CONDITIONS

ROW_MM, AROUND_MM = 30.0, 26.0
# Networks stand side by side by this share of the axis, so that their intervals can be told apart.
STEP = 0.035
LEGEND_COLUMNS = 5


def draw(material: Material) -> Drawn:
    """Make the figure of a study."""
    table = material.table("noise")
    networks = [group for group in material.networks if group.name in set(table["group"])]
    table = changed_only(table[table["group"].isin([group.name for group in networks])])
    if table.empty:
        raise NothingToDraw("no answer changed with the masks")
    figure = noise_figure(table, networks, material.conditions, material.chance)
    original = [name for name in material.conditions if not CONDITIONS[name].lacks][:1]
    numbers = [text for group in networks for text, _ in noise_sentences(table, group, original)]
    legend = (
        "Segmentation noise. Accuracy of networks that were trained on good masks, when the masks "
        "of the test clips are spoiled and the versions made anew. Marks: share of right answers; "
        f"bars: {level(material.confidence)} intervals over trainings and clips. Level 0 is the "
        "study’s own stimuli. A version that every network reads as before is not shown. "
    )
    return Drawn(figure, table, (legend + " ".join(numbers)).strip())


def noise_figure(
    table: pd.DataFrame, networks: Sequence[Group], conditions: Sequence[str], chance: float
) -> Figure:
    """Draw a panel per version and kind with a line per network.

    Parameters
    ----------
    table : DataFrame
        See `analysis.noise.noise_table`.
    networks : sequence of Group
    conditions : sequence of str
        From top to bottom; those without a row are left out.
    chance : float
    """
    shown = [name for name in conditions if name in set(table["condition"])]
    kinds = [name for name in KINDS if name in set(table["kind"])]
    width = DOUBLE_MM if len(kinds) > 2 else ONE_AND_HALF_MM
    figure = new_figure(width, AROUND_MM + ROW_MM * len(shown))
    grid = figure.subplots(len(shown), len(kinds), squeeze=False, sharex="col", sharey=True)
    for line, condition in zip(grid, shown, strict=True):
        for axes, kind in zip(line, kinds, strict=True):
            own = table[(table["condition"] == condition) & (table["kind"] == kind)]
            _draw_panel(axes, own, networks)
            percent_axis(axes, "")
            chance_line(axes, chance)
            # Said once, where networks are seldom near.
            axes.texts[-1].set_visible(axes is grid[0, -1])
        look = CONDITIONS[condition]
        line[0].set_ylabel(look.label.replace(" ", "\n"), color=look.color, fontweight="bold")
    for axes, kind in zip(grid[0], kinds, strict=True):
        axes.set_title(KINDS[kind].name, loc="left")
    for axes, kind in zip(grid[-1], kinds, strict=True):
        axes.set_xlabel(f"% of {KINDS[kind].unit}")
    figure.legend(
        handles=group_handles(networks),
        loc="outside upper center",
        ncols=min(len(networks), LEGEND_COLUMNS),
        handletextpad=0.2,
    )
    return figure


def _draw_panel(axes: Axes, own: pd.DataFrame, networks: Sequence[Group]) -> None:
    levels = 100 * np.unique(own["level"])
    reach = float(levels.max(initial=1.0))
    shifts = STEP * reach * (np.arange(len(networks)) - (len(networks) - 1) / 2.0)
    for group, shift in zip(networks, shifts, strict=True):
        rows = own[own["group"] == group.name].sort_values("level")
        x = 100 * rows["level"] + shift
        axes.vlines(x, rows["ci_low"], rows["ci_high"], color=group.color, linewidth=0.9, alpha=0.7)
        axes.plot(
            x,
            rows["accuracy"],
            color=group.color,
            marker=group.marker,
            markersize=3.2,
            linewidth=1.1,
            gid=f"noise {group.name}",
        )
    axes.set_xlim(-0.09 * reach, 1.09 * reach)
    axes.set_xticks(levels, [f"{value:g}" for value in levels], color=INK)
