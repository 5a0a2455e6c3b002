"""Estimates with intervals in rows, one mark per group: what several figures share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from analysis.figures.style import FAINT, MUTED
from analysis.groups import Group

MARK_MM, NARROW_MM, GAP_MM = 2.5, 1.9, 2.2  # height of a group's mark, and between rows
MANY = 4  # groups, whose marks stand closer


def forest_height_mm(n_rows: int, n_groups: int) -> float:
    """Return how high the rows of a forest must be to keep marks apart."""
    return n_rows * (n_groups * _mark_mm(n_groups) + GAP_MM)


def places(n_groups: int) -> np.ndarray:
    """Return where the groups of a row stand, relative to its middle; rows are 1 apart."""
    step = _mark_mm(n_groups) / (n_groups * _mark_mm(n_groups) + GAP_MM)
    return step * (np.arange(n_groups) - (n_groups - 1) / 2.0)


def draw_forest(
    axes: Axes,
    table: pd.DataFrame,
    rows: Sequence[str],
    labels: Sequence[str],
    groups: Sequence[Group],
    gid: str,
) -> None:
    """Draw a row per key from top to bottom, in each a mark with interval per group.

    Parameters
    ----------
    table : DataFrame
        Columns row, group, value, ci_low, ci_high; rows without a value are passed over.
    rows, labels : sequence of str
        Keys of the rows and what they are called.
    groups : sequence of Group
    gid : str
        Marks are called "GID GROUP ROW".
    """
    for group, shift in zip(groups, places(len(groups)), strict=True):
        own = table[table["group"] == group.name].set_index("row")
        for place, key in enumerate(rows):
            if key in own.index and np.isfinite(own.at[key, "value"]):
                draw_mark(axes, place + shift, own.loc[key], group, f"{gid} {group.name} {key}")
    for edge in np.arange(len(rows) - 1) + 0.5:
        axes.axhline(edge, color=FAINT, linewidth=0.4, zorder=0)
    axes.set_yticks(range(len(rows)), labels)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color=FAINT, linewidth=0.4)
    axes.set_axisbelow(True)


def draw_mark(axes: Axes, place: float, row: pd.Series, group: Group, gid: str) -> None:
    """Draw one estimate with its interval, if it has one."""
    if np.isfinite([row["ci_low"], row["ci_high"]]).all():
        axes.hlines(place, row["ci_low"], row["ci_high"], color=group.color, linewidth=1.4)
    axes.plot(
        [row["value"]],
        [place],
        marker=group.marker,
        markersize=5.0,
        color=group.color,
        markeredgecolor="white",
        markeredgewidth=0.6,
        zorder=3,
        gid=gid,
    )


def _mark_mm(n_groups: int) -> float:
    return NARROW_MM if n_groups > MANY else MARK_MM


def zero_line(axes: Axes) -> None:
    """Mark where there is no difference."""
    axes.axvline(0.0, color=MUTED, linewidth=0.8, zorder=1, gid="zero")
