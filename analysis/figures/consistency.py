"""Error consistency: whether groups are right and wrong on the same clips, beyond chance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from analysis.alignment.pairs import ALL
from analysis.figures.forest import draw_forest, forest_height_mm, zero_line
from analysis.figures.heat import draw_heat
from analysis.figures.material import Drawn, Material, NothingToDraw
from analysis.figures.style import (
    DOUBLE_MM,
    FAINT,
    MUTED,
    group_handles,
    new_figure,
    note_simulated,
)
from analysis.groups import Group
from analysis.legends import level, simulated_remark, with_interval
from analysis.sentences import listed, signed
from study.conditions import CONDITIONS

MEAN_LABEL = "mean of versions"


def draw(material: Material) -> Drawn:
    """Make the figure of a study."""
    groups = material.groups
    values = material.table("error_consistency")
    matrix = consistency_matrix(material.table("error_consistency_pairs"), groups)
    if np.isfinite(matrix["kappa"]).sum() < 2:
        raise NothingToDraw("no two groups share enough clips for an error consistency")
    figure, data = consistency_figure(matrix, values, groups, material.conditions)
    return Drawn(figure, data, consistency_legend(data, groups, material.confidence))


def consistency_matrix(pairs: pd.DataFrame, groups: Sequence[Group]) -> pd.DataFrame:
    """Return the mean kappa of all pairs of an observer of one group and one of another.

    The mean over pairs in every version, then over versions by the trials that pairs share, as in
    `analysis.alignment`.

    Parameters
    ----------
    pairs : DataFrame
        See `analysis.alignment.error_consistency_table`.

    Returns
    -------
    DataFrame
        Columns group, other, kappa, n_pairs: a row per ordered pair of groups. Not finite where
        no pair of observers has a kappa.
    """
    names = [group.name for group in groups]
    pairs = pairs[pairs["condition"] != ALL]
    rows = []
    for group in names:
        for other in names:
            sides = [(group, other), (other, group)]
            either = [
                (pairs["group_a"] == a) & (pairs["group_b"] == b) for a, b in dict.fromkeys(sides)
            ]
            own = pairs[np.logical_or.reduce(either)]
            rows.append((group, other, _pooled(own), _n_pairs(own)))
    return pd.DataFrame(rows, columns=["group", "other", "kappa", "n_pairs"])


def consistency_figure(
    matrix: pd.DataFrame,
    values: pd.DataFrame,
    groups: Sequence[Group],
    conditions: Sequence[str],
) -> tuple[Figure, pd.DataFrame]:
    """Draw the matrix over groups and, at the right, each network with observers per version.

    Parameters
    ----------
    matrix : DataFrame
        See `consistency_matrix`.
    values : DataFrame
        The table error_consistency of `analysis.alignment.alignment_tables`; observers among
        themselves, where `group` equals `reference`, are the ceiling.
    groups : sequence of Group
    conditions : sequence of str

    Returns
    -------
    Figure, DataFrame
        The data: rows of kind "matrix" and "with observers" (kappa).
    """
    networks = [group for group in groups if group.name in set(values["group"])]
    networks = [group for group in networks if group.role == "model"]
    keys = [name for name in [*conditions, ALL] if name in set(values["condition"])]
    height_mm = max(88.0, 26.0 + forest_height_mm(len(keys), len(networks)))
    figure = new_figure(DOUBLE_MM, height_mm)
    left, right = figure.subplots(1, 2, width_ratios=[1.0, 1.05])
    square = matrix.pivot(index="group", columns="other", values="kappa")
    names = [group.name for group in groups]
    _draw_matrix(left, square.loc[names, names].to_numpy(), groups)
    table = values.assign(row=values["condition"])
    draw_forest(right, table, keys, [_label(key) for key in keys], networks, "kappa")
    _draw_ceiling(right, table[table["group"] == table["reference"]].set_index("row"), keys)
    zero_line(right)
    right.set_xlabel("error consistency with observers (kappa)")
    right.set_title("networks with observers\n(grey: observers among themselves)", loc="left")
    figure.legend(
        handles=group_handles(networks), loc="outside upper right", ncols=4, handletextpad=0.2
    )
    if any(group.is_simulated for group in groups):
        note_simulated(figure)
    return figure, _data(matrix, values)


def consistency_legend(data: pd.DataFrame, groups: Sequence[Group], confidence: float) -> str:
    """Legend; `data` is the figure's."""
    rows = data[(data["kind"] == "with observers") & (data["condition"] == ALL)].set_index("group")
    parts = [
        f"{group.label} {with_interval(rows.loc[group.name], 2)}"
        for group in groups
        if group.role == "model" and group.name in rows.index
    ]
    text = (
        "Error consistency within and between groups. Cohen's kappa of being right on the same "
        "clips; 0 is what accuracies alone give, 1 is the same errors. Left: mean over pairs of an "
        "observer (or seed) of each group, versions weighted by shared clips. Right: networks "
        f"with observers, {level(confidence)} intervals over observers, seeds and clips. Mean of "
        f"versions: {listed(parts)}."
    )
    among = [group for group in groups if group.role == "observers" and group.name in rows.index]
    if among:
        text += (
            " Grey bands are observers among themselves, what a network like one of them would "
            f"reach: {with_interval(rows.loc[among[0].name], 2)}."
        )
    return text + simulated_remark(groups)


def _pooled(pairs: pd.DataFrame) -> float:
    total, weight = 0.0, 0.0
    for _, own in pairs.groupby("condition", sort=False):
        kappa = own["kappa"].mean()
        if np.isfinite(kappa):
            total += kappa * own["n_shared"].sum()
            weight += own["n_shared"].sum()
    return total / weight if weight else float("nan")


def _n_pairs(pairs: pd.DataFrame) -> int:
    known = pairs[pairs["kappa"].notna()]
    return len(known[["group_a", "observer_a", "group_b", "observer_b"]].drop_duplicates())


def _draw_matrix(axes: Axes, kappa: np.ndarray, groups: Sequence[Group]) -> None:
    most = max(0.2, float(np.nanmax(kappa)))
    draw_heat(axes, kappa, Normalize(min(0.0, float(np.nanmin(kappa))), most), "matrix")
    for (line, column), value in np.ndenumerate(kappa):
        is_dark = np.isfinite(value) and value > 0.55 * most
        axes.text(
            column,
            line,
            signed(value, 2) if np.isfinite(value) else "–",
            ha="center",
            va="center",
            fontsize=7.0 if len(groups) <= 5 else 6.0,
            color="white" if is_dark else "#222222",
        )
    labels = [group.label.replace(" ", "\n") for group in groups]
    axes.set_xticks(range(len(groups)), labels)
    axes.set_yticks(range(len(groups)), labels)
    if len(groups) > 4:
        axes.tick_params(axis="x", labelrotation=90)
    for texts in (axes.get_xticklabels(), axes.get_yticklabels()):
        for text, group in zip(texts, groups, strict=True):
            text.set_color(group.color)
            text.set_fontweight("bold")
    axes.set_aspect("equal", anchor="N")
    axes.set_title("mean over pairs, all versions", loc="left")


def _draw_ceiling(axes: Axes, among: pd.DataFrame, keys: Sequence[str]) -> None:
    """Draw observers among themselves as a band behind the marks of every row."""
    for place, key in enumerate(keys):
        if key in among.index and np.isfinite(among.at[key, "value"]):
            row = among.loc[key]
            low, high = np.nan_to_num([row["ci_low"], row["ci_high"]], nan=row["value"])
            axes.barh(
                place, high - low, left=low, height=0.9, color=FAINT, zorder=0, gid=f"ceiling {key}"
            )
            axes.vlines(
                row["value"], place - 0.45, place + 0.45, color=MUTED, linewidth=1.0, zorder=1
            )


def _label(key: str) -> str:
    return MEAN_LABEL if key == ALL else CONDITIONS[key].label


def _data(matrix: pd.DataFrame, values: pd.DataFrame) -> pd.DataFrame:
    columns = ["kind", "condition", "group", "other", "value", "ci_low", "ci_high", "n_pairs"]
    whole = matrix.rename(columns={"kappa": "value"}).assign(kind="matrix", condition=ALL)
    with_observers = values.rename(columns={"reference": "other"}).assign(kind="with observers")
    return pd.concat([whole, with_observers], ignore_index=True).reindex(columns=columns)
