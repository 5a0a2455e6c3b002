"""Where networks and observers stand: body alone against background alone, and noise's share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from analysis.figures.forest import MARK_MM, draw_mark
from analysis.figures.material import Drawn, Material, NothingToDraw
from analysis.figures.style import (
    DOUBLE_MM,
    FAINT,
    MUTED,
    group_handles,
    new_figure,
    note_simulated,
    percent_axis,
)
from analysis.groups import Group
from analysis.hypotheses.versions import PAIR
from analysis.legends import level, simulated_remark
from analysis.sentences import NBSP, p_equals, percent, subject
from study.conditions import CONDITIONS

SIDE_MM = 82.0
ROW_MM = 9.0


def draw(material: Material) -> Drawn:
    """Make the figure of a study."""
    pair = plane(material.conditions)
    accuracy, by_observer = material.table("accuracy"), material.table("accuracy_by_observer")
    ceiling = material.optional("pattern_ceiling", "group")
    ceiling = ceiling[ceiling["group"].isin([group.name for group in material.networks])]
    figure, data = pattern_space_figure(
        accuracy, by_observer, ceiling, material.groups, pair, material.chance
    )
    legend = pattern_space_legend(data, material.groups, pair, material.confidence)
    return Drawn(figure, data, legend)


def plane(conditions: Sequence[str]) -> tuple[str, str]:
    """Return the versions of the two axes: body and background alone where there are both.

    Raises
    ------
    NothingToDraw
        When there are fewer than two versions.
    """
    if set(PAIR) <= set(conditions):
        return PAIR
    if len(conditions) < 2:
        raise NothingToDraw("a plane needs two versions")
    return conditions[-2], conditions[-1]


def pattern_space_figure(
    accuracy: pd.DataFrame,
    by_observer: pd.DataFrame,
    ceiling: pd.DataFrame,
    groups: Sequence[Group],
    pair: tuple[str, str],
    chance: float,
) -> tuple[Figure, pd.DataFrame]:
    """Draw accuracy in one version over the other and, at the right, distances beside noise.

    Parameters
    ----------
    accuracy, by_observer : DataFrame
        As `analysis.estimates.fit_study` writes them.
    ceiling : DataFrame
        See `analysis.alignment.pattern_ceiling.pattern_ceiling`; may be empty.
    groups : sequence of Group
    pair : tuple of str
        The versions of the axes.
    chance : float

    Returns
    -------
    Figure, DataFrame
        The data: rows of kind "mean", "observer" (shares) and "distance" (percentage points).
    """
    networks = [group for group in groups if group.name in set(ceiling["group"])]
    height_mm = max(SIDE_MM + 12.0, 34.0 + ROW_MM * len(networks))
    figure = new_figure(DOUBLE_MM if networks else SIDE_MM + 8.0, height_mm)
    widths = [1.05, 1.0] if networks else [1.0]
    panels = figure.subplots(1, len(widths), width_ratios=widths, squeeze=False)[0]
    points = _plane_points(accuracy, by_observer, pair)
    _draw_plane(panels[0], points, groups, pair, chance)
    if networks:
        _draw_distances(panels[1], ceiling, networks)
        panels[1].set_title("distance from observers over all versions", loc="left")
    figure.legend(
        handles=group_handles(groups),
        loc="outside upper left",
        ncols=4 if networks else 2,
        handletextpad=0.2,
    )
    if any(group.is_simulated for group in groups):
        note_simulated(figure)
    distances = ceiling.rename(columns={"distance_pp": "x", "ci_low": "x_low", "ci_high": "x_high"})
    points = points[points["group"].isin([group.name for group in groups])]
    parts = [points, distances.assign(kind="distance")] if networks else [points]
    columns = ["kind", "group", "observer", "x", "x_low", "x_high", "y", "y_low", "y_high"]
    columns += ["human_like_pp", "human_like_limit_pp", "p_human_like", "split_half_pp"]
    columns += ["corrected_pp", "same_order"]
    return figure, pd.concat(parts, ignore_index=True).reindex(columns=columns)


def pattern_space_legend(
    data: pd.DataFrame, groups: Sequence[Group], pair: tuple[str, str], confidence: float
) -> str:
    """Legend; `data` is the figure's."""
    sure = level(confidence)
    first, second = (CONDITIONS[name].label for name in pair)
    means = data[data["kind"] == "mean"].set_index("group")
    places = [
        f"{group.label} {percent(means.at[group.name, 'x'])} and "
        f"{percent(means.at[group.name, 'y'])}"
        for group in groups
        if group.name in means.index
    ]
    text = (
        f"Observers and networks in the space of patterns. Accuracy on {second} clips over "
        f"that on {first} clips, with {sure} intervals; small marks are single observers or "
        "seeds. On the diagonal the two are equal; the dashed lines are chance. "
        f"{first} and {second}: {'; '.join(places)}."
    )
    by_name = {group.name: group for group in groups}
    rows = data[data["kind"] == "distance"]
    if len(rows):
        parts = [_distance_words(by_name[row["group"]], row) for _, row in rows.iterrows()]
        text += (
            " Right: root mean square distance of accuracies from the observers' over all "
            f"versions, percentage points, with {sure} intervals; grey: how far a network would "
            f"be that answers as the observers do, in {sure} of simulations (tick: on average). "
            f"{'. '.join(parts)}."
        )
    return text + simulated_remark(groups)


def _distance_words(group: Group, row: pd.Series) -> str:
    said = f"{subject(group)} {row['x']:.1f} [{row['x_low']:.1f},{NBSP}{row['x_high']:.1f}]"
    if np.isfinite(row["human_like_limit_pp"]):
        said += (
            f", noise alone up to {row['human_like_limit_pp']:.1f}, {p_equals(row['p_human_like'])}"
        )
    return said


def _plane_points(
    accuracy: pd.DataFrame, by_observer: pd.DataFrame, pair: tuple[str, str]
) -> pd.DataFrame:
    """Return means and single observers that have both versions."""
    parts = []
    for kind, table, keys in (
        ("mean", accuracy, ["group"]),
        ("observer", by_observer, ["group", "observer"]),
    ):
        sides = []
        for axis, condition in zip("xy", pair, strict=True):
            own = table[table["condition"] == condition].set_index(keys)
            names = {"accuracy": axis, "ci_low": f"{axis}_low", "ci_high": f"{axis}_high"}
            sides.append(own.rename(columns=names).reindex(columns=list(names.values())))
        parts.append(sides[0].join(sides[1], how="inner").reset_index().assign(kind=kind))
    return pd.concat([part.dropna(axis=1, how="all") for part in parts], ignore_index=True)


def _draw_plane(
    axes: Axes,
    points: pd.DataFrame,
    groups: Sequence[Group],
    pair: tuple[str, str],
    chance: float,
) -> None:
    axes.plot([0, 1], [0, 1], color=FAINT, linewidth=0.8, zorder=0, gid="equal")
    for line in (axes.axhline, axes.axvline):
        line(chance, color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
    for group in groups:
        _draw_group(axes, points[points["group"] == group.name], group)
    percent_axis(axes, f"{CONDITIONS[pair[1]].label}, accuracy")
    axes.set_xlim(axes.get_ylim())
    axes.set_xticks(axes.get_yticks())
    axes.xaxis.set_major_formatter(axes.yaxis.get_major_formatter())
    axes.set_ylim(0.0, 1.03)
    axes.grid(axis="x", color=FAINT, linewidth=0.4)
    axes.set_xlabel(f"{CONDITIONS[pair[0]].label}, accuracy")
    axes.xaxis.label.set(color=CONDITIONS[pair[0]].color, fontweight="bold")
    axes.yaxis.label.set(color=CONDITIONS[pair[1]].color, fontweight="bold")
    axes.set_aspect("equal", adjustable="box", anchor="W")
    _say_sides(axes, pair)


def _draw_group(axes: Axes, own: pd.DataFrame, group: Group) -> None:
    """Draw single observers small, and their mean with the intervals of both versions."""
    single, mean = own[own["kind"] == "observer"], own[own["kind"] == "mean"]
    axes.scatter(
        single["x"],
        single["y"],
        s=9,
        marker=group.marker,
        color=group.color,
        alpha=0.35,
        linewidths=0,
        gid=f"observers {group.name}",
    )
    for row in mean.itertuples():
        axes.hlines(row.y, row.x_low, row.x_high, color=group.color, linewidth=1.2, zorder=3)
        axes.vlines(row.x, row.y_low, row.y_high, color=group.color, linewidth=1.2, zorder=3)
        axes.plot(
            [row.x],
            [row.y],
            marker=group.marker,
            # A ring around a network that stands where observers do.
            markersize=9.5 if group.role == "observers" else 6.0,
            color=group.color,
            markeredgecolor="white",
            markeredgewidth=0.8,
            zorder=4,
            gid=f"place {group.name}",
        )


def _say_sides(axes: Axes, pair: tuple[str, str]) -> None:
    """Say what it means to be on either side of the diagonal."""
    for name, xy, where in ((pair[1], (0.02, 0.985), "left"), (pair[0], (0.985, 0.02), "right")):
        axes.annotate(
            f"better on {CONDITIONS[name].label}",
            xy=xy,
            xycoords="axes fraction",
            ha=where,
            va="top" if where == "left" else "bottom",
            fontsize=6.0,
            fontstyle="italic",
            color=MUTED,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8},
        )


def _draw_distances(axes: Axes, ceiling: pd.DataFrame, networks: Sequence[Group]) -> None:
    rows = ceiling.set_index("group").rename(columns={"distance_pp": "value"})
    for place, group in enumerate(networks):
        row = rows.loc[group.name]
        if np.isfinite(row["human_like_limit_pp"]):
            axes.barh(
                place,
                row["human_like_limit_pp"],
                height=0.55,
                color=FAINT,
                zorder=0,
                gid=f"noise {group.name}",
            )
            expected = row["human_like_pp"]
            axes.vlines(expected, place - 0.275, place + 0.275, color=MUTED, linewidth=1.0)
        draw_mark(axes, place, row, group, f"distance {group.name}")
        axes.annotate(
            f"{row['value']:.1f}",
            xy=(row["value"], place),
            xytext=(0, MARK_MM * 2.2),
            textcoords="offset points",
            ha="center",
            fontsize=6.5,
        )
    axes.set_yticks(range(len(networks)), [group.label for group in networks])
    axes.set_ylim(max(len(networks), 2) - 0.4, -0.6)
    most = rows[["ci_high", "value", "human_like_limit_pp"]].max(axis=None)
    axes.set_xlim(0.0, max(10.0, 1.08 * float(most)))
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color=FAINT, linewidth=0.4)
    axes.set_axisbelow(True)
    axes.set_xlabel("percentage points (root mean square)")
    axes.legend(
        handles=_noise_handles(),
        title="networks that answer as observers do",
        title_fontsize=6.5,
        alignment="left",
        loc="upper left",
        bbox_to_anchor=(0.0, -0.15),
        ncols=2,
        borderpad=0.0,
    )


def _noise_handles() -> list[Patch | Line2D]:
    return [
        Patch(color=FAINT, label="so far at most, by chance"),
        Line2D([], [], linestyle="", marker="|", markersize=7.0, color=MUTED, label="on average"),
    ]
