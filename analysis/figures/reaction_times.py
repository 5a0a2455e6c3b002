"""Reaction times by version, and over how sure networks are of the same clips."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullLocator

from analysis.alignment.pairs import ALL
from analysis.figures.accuracy import spread
from analysis.figures.material import Drawn, Material, NothingToDraw
from analysis.figures.style import (
    DOUBLE_MM,
    FAINT,
    MAX_UPRIGHT,
    ONE_AND_HALF_MM,
    condition_looks,
    label_conditions,
    labels_mm,
    new_figure,
    note_simulated,
)
from analysis.groups import Group
from analysis.legends import level, simulated_remark, with_interval
from analysis.sentences import NBSP, listed, signed
from study.conditions import CONDITIONS

COLUMNS = 4
PANEL_MM = 58.0
NICE_S = (0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0, 10.0, 15.0, 20.0, 30.0)
FEWEST_TICKS = 4


def draw(material: Material) -> Drawn:
    """Make the figure of a study."""
    observers = material.observers
    if observers is None:
        raise NothingToDraw("there are no observers")
    times = material.table("reaction_times")
    single = material.table("reaction_times_by_observer")
    times, single = (table[table["group"] == observers.name] for table in (times, single))
    shape = material.optional("rt_margin_shape", "group")
    slopes = material.optional("rt_margin", "group", "condition", "value")
    networks = [group for group in material.networks if group.name in set(shape["group"])]
    shape = shape[shape["group"].isin([group.name for group in networks])]
    figure, data = times_figure(
        times, single, shape, slopes, observers, networks, material.conditions
    )
    legend = times_legend(times, slopes, observers, networks, material)
    return Drawn(figure, data, legend)


def times_figure(
    times: pd.DataFrame,
    single: pd.DataFrame,
    shape: pd.DataFrame,
    slopes: pd.DataFrame,
    observers: Group,
    networks: Sequence[Group],
    conditions: Sequence[str],
) -> tuple[Figure, pd.DataFrame]:
    """Draw times by version and, per network, times over fifths of its margin.

    Parameters
    ----------
    times, single : DataFrame
        See `analysis.reaction_times.reaction_time_tables`; of the observers.
    shape, slopes : DataFrame
        rt_margin_shape and rt_margin of `analysis.alignment.alignment_tables`; may be empty.
    observers : Group
    networks : sequence of Group
        Those with margins.
    conditions : sequence of str

    Returns
    -------
    Figure, DataFrame
        The data: rows of kind "version", "observer" and "margin", seconds.
    """
    shown = [name for name in conditions if name in set(times["condition"])]
    # Many versions need a wide first panel.
    first_wide = 2 if len(shown) > MAX_UPRIGHT else 1
    columns = min(COLUMNS, first_wide + len(networks))
    lines = -(-(first_wide + len(networks)) // columns)
    figure = new_figure(
        DOUBLE_MM if columns > 2 else ONE_AND_HALF_MM,
        lines * PANEL_MM + 12.0 + 4.0 * -(-len(shown) // 4) + labels_mm(shown),
    )
    grid = figure.add_gridspec(lines, columns)
    first = figure.add_subplot(grid[0, :first_wide])
    _draw_versions(first, times, single, shown)
    for place, group in enumerate(networks, start=first_wide):
        axes = figure.add_subplot(grid[place // columns, place % columns], sharey=first)
        _draw_margins(axes, shape[shape["group"] == group.name], shown)
        axes.set_title(f"{group.label}{_slope(slopes, group)}", loc="left", color=group.color)
        axes.set_xlabel("margin (nats)")
        axes.tick_params(labelleft=place % columns == 0)
    _seconds_axis(first)
    if networks:
        handles = _handles(shown)
        figure.legend(handles=handles, loc="outside upper left", ncols=4)
    if observers.is_simulated:
        note_simulated(figure)
    return figure, _data(times, single, shape)


def times_legend(
    times: pd.DataFrame,
    slopes: pd.DataFrame,
    observers: Group,
    networks: Sequence[Group],
    material: Material,
) -> str:
    """Legend."""
    rows = times.set_index("condition")
    parts = [
        f"{CONDITIONS[name].label} {_seconds(rows.loc[name])}"
        for name in material.conditions
        if name in rows.index
    ]
    text = (
        f"Reaction times of {observers.label} in right answers. By version: geometric means with "
        f"{level(material.confidence)} intervals over observers and clips; small points are single "
        "observers. "
        f"Means: {', '.join(parts)}."
    )
    if networks:
        rows = slopes[slopes["condition"] == ALL].set_index("group")
        said = [
            f"{group.label} {with_interval(rows.loc[group.name], 2)}"
            for group in networks
            if group.name in rows.index and np.isfinite(rows.at[group.name, "value"])
        ]
        text += (
            " Other panels: times over the margin of each network (log-probability of the right "
            "label less that of the best other one), in fifths of the clips of every version."
        )
        if said:
            text += (
                " Rank correlation over clips of margin and time, mean of versions: "
                f"{listed(said)}; negative where clips that are clear to the network are fast."
            )
    return text + simulated_remark([observers])


def _draw_versions(
    axes: Axes, times: pd.DataFrame, single: pd.DataFrame, shown: Sequence[str]
) -> None:
    for place, name in enumerate(shown):
        color = CONDITIONS[name].color
        points = single.loc[single["condition"] == name, "rt_s"]
        axes.scatter(
            place - 0.12 + 0.12 * spread(len(points)),
            points,
            s=8,
            color=color,
            alpha=0.4,
            linewidths=0,
            gid=f"observers {name}",
        )
        row = times.set_index("condition").loc[name]
        axes.vlines(place + 0.14, row["ci_low"], row["ci_high"], color=color, linewidth=1.8)
        axes.plot(
            [place + 0.14],
            [row["rt_s"]],
            marker="o",
            markersize=5.5,
            color=color,
            markeredgecolor="white",
            gid=f"mean {name}",
        )
    label_conditions(axes, shown)
    axes.set_xlim(-0.55, len(shown) - 0.45)
    axes.set_title("by version", loc="left")


def _draw_margins(axes: Axes, shape: pd.DataFrame, shown: Sequence[str]) -> None:
    for name, look in condition_looks(shown).items():
        own = shape[shape["condition"] == name].sort_values("bin")
        axes.fill_between(
            own["margin"], own["ci_low"], own["ci_high"], color=look["color"], alpha=0.1, lw=0
        )
        axes.plot(
            own["margin"], own["rt_s"], **look, markersize=3.8, linewidth=1.0, gid=f"margin {name}"
        )
    axes.grid(axis="y", color=FAINT, linewidth=0.4)


def _slope(slopes: pd.DataFrame, group: Group) -> str:
    rows = slopes[(slopes["group"] == group.name) & (slopes["condition"] == ALL)]
    if rows.empty or not np.isfinite(rows["value"].iloc[0]):
        return ""
    return f", ρ = {signed(rows['value'].iloc[0], 2)}"


def _seconds_axis(axes: Axes) -> None:
    """Logarithmic, with whole seconds and simple shares of them named."""
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    ticks = [value for value in NICE_S if low <= value <= high]
    if len(ticks) < FEWEST_TICKS:
        ticks = [tenths / 10 for tenths in range(int(np.ceil(10 * low)), int(10 * high) + 1)]
    axes.set_yticks(ticks)
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g} s"))
    axes.set_ylim(low, high)
    axes.grid(axis="y", color=FAINT, linewidth=0.4)
    axes.set_axisbelow(True)
    axes.set_ylabel("reaction time (log scale)")


def _handles(shown: Sequence[str]) -> list[Line2D]:
    return [
        Line2D([], [], **look, markersize=4.0, linewidth=1.0, label=CONDITIONS[name].label)
        for name, look in condition_looks(shown).items()
    ]


def _data(times: pd.DataFrame, single: pd.DataFrame, shape: pd.DataFrame) -> pd.DataFrame:
    parts = [
        times.assign(kind="version"),
        single.assign(kind="observer"),
        shape.rename(columns={"group": "network", "reference": "group"}).assign(kind="margin"),
    ]
    columns = ["kind", "group", "observer", "network", "condition", "bin", "margin", "rt_s"]
    columns += ["ci_low", "ci_high", "n_times"]
    full = [part for part in parts if len(part)]
    return pd.concat(full, ignore_index=True).reindex(columns=columns)


def _seconds(row: pd.Series) -> str:
    return f"{row['rt_s']:.2f}{NBSP}s [{row['ci_low']:.2f},{NBSP}{row['ci_high']:.2f}]"
