"""Which label is chosen for which action: whole matrices, or of many actions the worst pairs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

from analysis.figures.forest import places
from analysis.figures.heat import draw_heat, share_bar
from analysis.figures.material import Drawn, Material, NothingToDraw
from analysis.figures.style import DOUBLE_MM, FAINT, group_handles, new_figure, note_simulated
from analysis.groups import Group
from analysis.legends import simulated_remark
from analysis.sentences import listed, percent

MATRIX_UP_TO = 20  # actions
N_PAIRS = 24
COLUMNS = 3
N_NAMED = 3
BAR_LABEL = "share of the action's answers (columns: label chosen)"
TICKS = (0.0, 0.02, 0.1, 0.25, 0.5, 1.0)
LABELS_MM, PANEL_MM = 33.0, 50.0


def draw(material: Material) -> Drawn:
    """Make the figure of a study."""
    names = [group.name for group in material.groups]
    table = material.table("confusions")
    shares = confusion_shares(table[table["group"].isin(names)])
    n_actions = shares["action"].nunique()
    if n_actions < 2:
        raise NothingToDraw("there is one action")
    if (shares["action"] == shares["response"]).all():
        raise NothingToDraw("no answer was wrong")
    if n_actions <= MATRIX_UP_TO:
        figure = matrix_figure(shares, material.groups)
        data = shares
    else:
        data = worst_pairs(shares, material.groups)
        figure = pairs_figure(data, material.groups)
    return Drawn(figure, data, confusions_legend(data, shares, material.groups, n_actions))


def confusion_shares(confusions: pd.DataFrame) -> pd.DataFrame:
    """Return, over versions, columns group, action, response, n, share (of the action's answers).

    Parameters
    ----------
    confusions : DataFrame
        Columns group, condition, action, response, n.
    """
    keys = ["group", "action", "response"]
    shares = confusions.groupby(keys, sort=True)["n"].sum().reset_index()
    total = shares.groupby(["group", "action"])["n"].transform("sum")
    return shares.assign(share=shares["n"] / total)


def worst_pairs(shares: pd.DataFrame, groups: Sequence[Group], n: int = N_PAIRS) -> pd.DataFrame:
    """Return the rows of the pairs of action and wrong label with the largest mean share.

    The mean is over groups, each counting the same. A pair that a group never mixed up has a share
    of zero there, if the group answered the action at all.

    Returns
    -------
    DataFrame
        Columns group, action, response, share, mean_share; worst pair first.
    """
    names = [group.name for group in groups]
    wrong = shares[shares["action"] != shares["response"]]
    table = wrong.pivot(index=["action", "response"], columns="group", values="share")
    table = table.reindex(columns=names).fillna(0.0)
    answered = set(zip(shares["group"], shares["action"], strict=True))
    for name in names:
        unseen = [(name, action) not in answered for action, _ in table.index]
        table.loc[unseen, name] = np.nan
    table["mean_share"] = table.mean(axis=1)
    worst = table.sort_values("mean_share", ascending=False, kind="stable").iloc[:n].reset_index()
    worst["rank"] = np.arange(len(worst))
    keys = ["rank", "action", "response", "mean_share"]
    long = worst.melt(keys, names, var_name="group", value_name="share")
    long["place"] = long["group"].map(names.index)
    long = long.sort_values(["rank", "place"], kind="stable").reset_index(drop=True)
    return long[["group", "action", "response", "share", "mean_share"]]


def matrix_figure(shares: pd.DataFrame, groups: Sequence[Group]) -> Figure:
    """Draw a matrix of action by response per group.

    Parameters
    ----------
    shares : DataFrame
        See `confusion_shares`.
    groups : sequence of Group
    """
    actions = sorted(set(shares["action"]) | set(shares["response"]))
    columns = min(COLUMNS, len(groups))
    lines = -(-len(groups) // columns)
    figure = new_figure(LABELS_MM + columns * PANEL_MM, LABELS_MM + lines * (PANEL_MM + 6.0))
    grid = figure.subplots(lines, columns, squeeze=False, sharex=True, sharey=True)
    for axes in grid.ravel()[len(groups) :]:
        axes.set_axis_off()
    for axes, group in zip(grid.ravel(), groups, strict=False):
        own = shares[shares["group"] == group.name]
        square = own.pivot(index="action", columns="response", values="share")
        values = square.reindex(index=actions, columns=actions).to_numpy()
        mesh = draw_heat(axes, values, PowerNorm(0.5, 0.0, 1.0), f"cells {group.name}")
        axes.set_aspect("equal")
        axes.set_title(group.label, color=group.color)
    labels = [name.replace("_", " ") for name in actions]
    for place, axes in enumerate(grid.ravel()[: len(groups)]):
        axes.set_xticks(range(len(actions)), labels, rotation=90, fontsize=6.0)
        axes.set_yticks(range(len(actions)), labels, fontsize=6.0)
        axes.tick_params(labelbottom=place + columns >= len(groups), labelleft=not place % columns)
    figure.supylabel("action shown", fontsize=7.0)
    share_bar(figure, mesh, grid.ravel(), BAR_LABEL, TICKS)
    if any(group.is_simulated for group in groups):
        note_simulated(figure)
    return figure


def pairs_figure(pairs: pd.DataFrame, groups: Sequence[Group]) -> Figure:
    """Draw a row per pair of action and wrong label, in each a mark per group.

    Parameters
    ----------
    pairs : DataFrame
        See `worst_pairs`.
    groups : sequence of Group
    """
    rows = list(dict.fromkeys(zip(pairs["action"], pairs["response"], strict=True)))
    figure = new_figure(DOUBLE_MM, 24.0 + len(rows) * max(5.2, 1.1 * len(groups)))
    axes = figure.add_subplot()
    table = pairs.set_index(["group", "action", "response"])["share"]
    # Marks stay within a row; half as far apart as in a forest, for they have no intervals.
    for group, shift in zip(groups, places(len(groups)) * 0.85, strict=True):
        shown = [table.get((group.name, *row), np.nan) for row in rows]
        axes.plot(
            shown,
            np.arange(len(rows)) + shift,
            linestyle="",
            marker=group.marker,
            markersize=4.5,
            color=group.color,
            gid=f"pairs {group.name}",
        )
    labels = [f"{a} \u2192 {b}".replace("_", " ") for a, b in rows]
    axes.set_yticks(range(len(rows)), labels)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    for edge in np.arange(len(rows) - 1) + 0.5:
        axes.axhline(edge, color=FAINT, linewidth=0.4, zorder=0)
    _share_axis(axes, float(pairs["share"].max()))
    figure.legend(
        handles=group_handles(groups), loc="outside upper left", ncols=4, handletextpad=0.2
    )
    if any(group.is_simulated for group in groups):
        note_simulated(figure)
    return figure


def confusions_legend(
    data: pd.DataFrame, shares: pd.DataFrame, groups: Sequence[Group], n_actions: int
) -> str:
    """Legend; `data` is the figure's, `shares` those of all pairs."""
    parts = []
    for group in groups:
        own = shares[(shares["group"] == group.name) & (shares["action"] != shares["response"])]
        worst = own.sort_values("share", ascending=False, kind="stable").iloc[:N_NAMED]
        pairs = [
            f"{row.action} as {row.response} ({percent(row.share)})".replace("_", " ")
            for row in worst.itertuples()
        ]
        parts.append(f"{group.label}: {listed(pairs) if pairs else 'none'}")
    if n_actions <= MATRIX_UP_TO:
        what = (
            f"Confusions of {n_actions} actions, all versions together. Cells are shares of an "
            "action's answers by label chosen; the diagonal is right answers; cells without "
            "an answer are white (an action comes with a fixed choice of labels)."
        )
    else:
        n = len(data[["action", "response"]].drop_duplicates())
        what = (
            f"Confusions of {n_actions} actions, all versions together. The {n} pairs of action "
            "shown and wrong label chosen that are most frequent on average over groups, as shares "
            "of the action's answers."
        )
    return f"{what} Most often mixed up by {'; '.join(parts)}.{simulated_remark(groups)}"


def _share_axis(axes: Axes, most: float) -> None:
    axes.set_xlim(-0.01, max(0.1, 1.05 * most))
    axes.xaxis.set_major_formatter(lambda share, _: f"{100 * share:.0f} %")
    axes.set_xlabel("share of the action's answers")
    axes.grid(axis="x", color=FAINT, linewidth=0.4)
    axes.tick_params(axis="y", length=0)
    axes.set_axisbelow(True)
