"""Accuracy of every action by group and version."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from analysis.figures.heat import draw_heat, share_bar
from analysis.figures.material import Drawn, Material, NothingToDraw
from analysis.figures.style import DOUBLE_MM, ONE_AND_HALF_MM, new_figure, note_simulated
from analysis.groups import Group
from analysis.hypotheses.versions import PAIR
from analysis.legends import simulated_remark
from analysis.sentences import listed, percent
from study.conditions import CONDITIONS

# A page is 247 mm high; letters of 6 points need 2.5 mm.
ROW_MM, HIGH_ROW_MM, MARGINS_MM = 2.55, 4.2, 42.0
NUMBERS_UP_TO = 12  # columns: cells wide enough for two digits
N_NAMED = 3
TICKS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


def draw(material: Material) -> Drawn:
    """Make the figure of a study."""
    shares = action_shares(material.table("confusions"))
    if shares["action"].nunique() < 2:
        raise NothingToDraw("there is one action")
    figure, data = actions_figure(shares, material.groups, material.conditions, material.chance)
    return Drawn(figure, data, actions_legend(data, material.groups))


def action_shares(confusions: pd.DataFrame) -> pd.DataFrame:
    """Return columns group, condition, action, n_trials, accuracy.

    Parameters
    ----------
    confusions : DataFrame
        Columns group, condition, action, response, n.
    """
    keys = ["group", "condition", "action"]
    right = confusions["n"].where(confusions["response"] == confusions["action"], 0)
    sums = confusions.assign(right=right).groupby(keys, sort=True)[["n", "right"]].sum()
    shares = sums.assign(accuracy=sums["right"] / sums["n"]).reset_index()
    return shares.rename(columns={"n": "n_trials"}).drop(columns="right")


def order_of_actions(shares: pd.DataFrame, group: str) -> pd.Series:
    """Return every action's value in a group, largest first: what the rows are sorted by.

    The accuracy on body only less that on background only; without these versions, the mean.
    """
    own = shares[shares["group"] == group]
    table = own.pivot(index="action", columns="condition", values="accuracy")
    if set(PAIR) <= set(table.columns):
        value = table[PAIR[0]] - table[PAIR[1]]
    else:
        value = table.mean(axis=1)
    value = value.reindex(sorted(set(shares["action"])))
    return value.sort_values(ascending=False, kind="stable")


def actions_figure(
    shares: pd.DataFrame, groups: Sequence[Group], conditions: Sequence[str], chance: float
) -> tuple[Figure, pd.DataFrame]:
    """Draw a row per action and, per group, a column per version.

    Parameters
    ----------
    shares : DataFrame
        See `action_shares`.
    groups : sequence of Group
        The rows are sorted by the first.
    conditions : sequence of str
    chance : float

    Returns
    -------
    Figure, DataFrame
        The data: the cells in the order drawn, and `sorted_by`.
    """
    order = order_of_actions(shares, groups[0].name)
    n_columns = len(groups) * len(conditions)
    row_mm = HIGH_ROW_MM if len(order) <= 30 else ROW_MM
    width_mm = DOUBLE_MM if n_columns > 9 else ONE_AND_HALF_MM
    figure = new_figure(width_mm, MARGINS_MM + row_mm * len(order))
    figure.get_layout_engine().set(w_pad=0.02, wspace=0.02)
    panels = figure.subplots(1, len(groups), sharey=True, squeeze=False)[0]
    for axes, group in zip(panels, groups, strict=True):
        own = shares[shares["group"] == group.name]
        cells = own.pivot(index="action", columns="condition", values="accuracy")
        values = cells.reindex(index=order.index, columns=list(conditions)).to_numpy()
        mesh = draw_heat(axes, values, Normalize(0.0, 1.0), f"cells {group.name}")
        if n_columns <= NUMBERS_UP_TO:
            _write_numbers(axes, values)
        _label_columns(axes, group, conditions, len(groups))
    panels[0].set_yticks(range(len(order)), [name.replace("_", " ") for name in order.index])
    panels[0].tick_params(axis="y", labelsize=6.5 if row_mm == HIGH_ROW_MM else 6.0)
    share_bar(figure, mesh, panels, f"accuracy (chance: {100 * chance:.2g} %)", TICKS)
    if any(group.is_simulated for group in groups):
        note_simulated(figure)
    return figure, _data(shares, order, groups, conditions)


def actions_legend(data: pd.DataFrame, groups: Sequence[Group]) -> str:
    """Legend; `data` is the figure's."""
    order = data.drop_duplicates("action").set_index("action")["sorted_by"].dropna()
    has_pair = set(PAIR) <= set(data["condition"])
    by = "accuracy on body only less that on background only" if has_pair else "mean accuracy"
    counts = data.groupby(["group", "condition", "action"])["n_trials"].sum()
    n_named = min(N_NAMED, len(order) // 2)
    best, worst = (
        [f"{name.replace('_', ' ')} ({_size(value, has_pair)})" for name, value in part.items()]
        for part in (order.iloc[:n_named], order.iloc[len(order) - n_named :])
    )
    n = f"{counts.min()} to {counts.max()}" if counts.min() < counts.max() else str(counts.min())
    return (
        f"Accuracy of {data['action'].nunique()} actions by group and version. A cell rests on "
        f"{n} answers, and white cells on none. Rows are sorted by {by} of {groups[0].label}: most "
        f"in {listed(best)}, least in {listed(worst)}." + simulated_remark(groups)
    )


def _size(value: float, is_difference: bool) -> str:
    return f"{100 * value:+.0f} points".replace("-", "\u2212") if is_difference else percent(value)


def _write_numbers(axes: Axes, values: np.ndarray) -> None:
    for (line, column), value in np.ndenumerate(values):
        if np.isfinite(value):
            color = "white" if value > 0.55 else "#222222"
            text = f"{100 * value:.0f}"
            axes.text(
                column, line, text, ha="center", va="center", fontsize=6.0, color=color
            ).set_gid(f"number {line} {column}")


def _label_columns(axes: Axes, group: Group, conditions: Sequence[str], n_groups: int) -> None:
    labels = [CONDITIONS[name].label for name in conditions]
    axes.set_xticks(range(len(conditions)), labels, rotation=90, fontsize=6.0)
    axes.xaxis.tick_top()
    for text, name in zip(axes.get_xticklabels(), conditions, strict=True):
        text.set_color(CONDITIONS[name].color)
        text.set_fontweight("bold")
    name = group.label if n_groups <= 3 else group.label.replace(" ", "\n")
    axes.set_title(name, color=group.color, fontsize=7.0)


def _data(
    shares: pd.DataFrame, order: pd.Series, groups: Sequence[Group], conditions: Sequence[str]
) -> pd.DataFrame:
    names = [group.name for group in groups]
    shown = shares[shares["group"].isin(names) & shares["condition"].isin(list(conditions))]
    rank = {action: place for place, action in enumerate(order.index)}
    places = pd.DataFrame(
        {
            "action": shown["action"].map(rank),
            "group": shown["group"].map(names.index),
            "condition": shown["condition"].map(list(conditions).index),
        }
    ).sort_values(["action", "group", "condition"], kind="stable")
    data = shown.loc[places.index].reset_index(drop=True)
    return data.assign(sorted_by=data["action"].map(order))
