"""How honest the networks' probabilities are: accuracy against confidence, version by version."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.figures.material import Drawn, Material, NothingToDraw
from analysis.figures.style import DOUBLE_MM, FAINT, MUTED, new_figure
from analysis.groups import Group
from analysis.networks import networks_table, read_reliability
from analysis.sentences import listed, named, percent
from study.conditions import CONDITIONS

KEYS = ["group", "condition"]
LABELS_MM, HEAD_MM, MOST_MM = 14.0, 16.0, 46.0
# Networks of one figure, which fits on a page.
MOST, PAGE_MM = 9, 240.0
# Area in points² of the mark of a bin that holds all answers.
MARK_AREA = 90.0
TICKS = (0.0, 0.5, 1.0)
ECE_TEXT = {"fontsize": 6.0, "color": MUTED, "ha": "right", "va": "bottom"}
TITLE_PAD = 10.0  # points, above that text
# Narrower panels have titles of several lines.
ONE_LINE_MM = 40.0


def draw(material: Material) -> Drawn:
    """Make the figure of a study."""
    bins = read_reliability(material.study, material.results)
    names = [group.name for group in material.networks]
    bins = bins[bins["group"].isin(names)] if len(bins) else bins
    if bins.empty:
        raise NothingToDraw("no network was scored here")
    pooled = pooled_bins(bins)
    errors = networks_table(material.study, material.results)
    errors = errors[(errors["metric"] == "ece") & errors["group"].isin(names)]
    groups = [group for group in material.networks if group.name in set(pooled["group"])][:MOST]
    pooled = pooled[pooled["group"].isin([group.name for group in groups])]
    conditions = [name for name in material.conditions if name in set(pooled["condition"])]
    figure = reliability_figure(pooled, errors, groups, conditions)
    legend = reliability_legend(pooled, errors, groups, conditions)
    if len(groups) < bins["group"].nunique():
        legend += f" The first {MOST} networks; all are in analysis/networks.csv."
    return Drawn(figure, pooled, legend)


def pooled_bins(bins: pd.DataFrame) -> pd.DataFrame:
    """Put the bins of all trainings of a network together, each answer counting the same.

    Parameters
    ----------
    bins : DataFrame
        See `analysis.networks.read_reliability`.

    Returns
    -------
    DataFrame
        group, condition, low, high, n, confidence, accuracy, share (of the answers of the group
        to the version); bins without an answer are left out.
    """
    filled = bins[bins["n"] > 0]
    sums = filled.assign(
        confidence=filled["confidence"] * filled["n"], accuracy=filled["accuracy"] * filled["n"]
    )
    keys = [*KEYS, "low", "high"]
    pooled = sums.groupby(keys, sort=False)[["n", "confidence", "accuracy"]].sum().reset_index()
    for column in ("confidence", "accuracy"):
        pooled[column] /= pooled["n"]
    pooled["share"] = pooled["n"] / pooled.groupby(KEYS)["n"].transform("sum")
    place = {name: index for index, name in enumerate(pooled["group"].unique())}
    order = pooled.assign(place=pooled["group"].map(place))
    return order.sort_values(["place", "condition", "low"], ignore_index=True).drop(columns="place")


def reliability_figure(
    bins: pd.DataFrame, errors: pd.DataFrame, groups: Sequence[Group], conditions: Sequence[str]
) -> Figure:
    """Draw a row per network and a column per version.

    Parameters
    ----------
    bins : DataFrame
        See `pooled_bins`.
    errors : DataFrame
        Rows of `analysis.networks.networks_table` with the calibration errors.
    groups : sequence of Group
    conditions : sequence of str
    """
    side_mm = min(
        MOST_MM, (DOUBLE_MM - LABELS_MM) / len(conditions), (PAGE_MM - HEAD_MM) / len(groups)
    )
    size_mm = (LABELS_MM + side_mm * len(conditions), HEAD_MM + side_mm * len(groups))
    figure = new_figure(*size_mm)

    def broken(label: str) -> str:
        return label if side_mm >= ONE_LINE_MM else label.replace(" ", "\n")

    grid = figure.subplots(len(groups), len(conditions), squeeze=False, sharex=True, sharey=True)
    for row, group in zip(grid, groups, strict=True):
        for axes, condition in zip(row, conditions, strict=True):
            own = (bins["group"] == group.name) & (bins["condition"] == condition)
            error = errors[(errors["group"] == group.name) & (errors["condition"] == condition)]
            area = MARK_AREA * (side_mm / MOST_MM) ** 2
            _draw_panel(axes, bins[own], error, CONDITIONS[condition].color, area)
        row[0].set_ylabel(broken(group.label), color=group.color, fontweight="bold")
    for axes, condition in zip(grid[0], conditions, strict=True):
        label = CONDITIONS[condition].label
        axes.set_title(broken(label), color=CONDITIONS[condition].color, loc="left", pad=TITLE_PAD)
    figure.supxlabel("confidence: probability of the answer", fontsize=7.0)
    figure.supylabel("accuracy: share of such answers that is right", fontsize=7.0)
    return figure


def reliability_legend(
    bins: pd.DataFrame, errors: pd.DataFrame, groups: Sequence[Group], conditions: Sequence[str]
) -> str:
    """Legend; `bins` is the figure's data."""
    parts = []
    for group in groups:
        own = errors[errors["group"] == group.name].set_index("condition")["mean"]
        said = [
            f"{CONDITIONS[name].label} {percent(own[name])}" for name in conditions if name in own
        ]
        parts.append(f"{named(group)}: {listed(said)}")
    n_bins = round(1 / float((bins["high"] - bins["low"]).iloc[0]))
    return (
        "Calibration of the networks. Answers among all actions are sorted by their probability "
        f"into {n_bins} bins of equal width; a mark shows how often the answers of a bin are "
        "right, its area their share, the line its distance from honesty. Below the diagonal a "
        "network is surer than it should be. All trainings of a network together. Expected "
        "calibration error (ECE), mean over trainings, "
        f"of {'; '.join(parts)}."
    )


def _draw_panel(
    axes: Axes, bins: pd.DataFrame, error: pd.DataFrame, color: str, area: float
) -> None:
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)), gid="honest")
    x, y = bins["confidence"].to_numpy(), bins["accuracy"].to_numpy()
    axes.vlines(x, np.minimum(x, y), np.maximum(x, y), color=color, linewidth=0.8, alpha=0.6)
    axes.scatter(
        x, y, s=4.0 + area * bins["share"], color=color, linewidth=0.4, edgecolor="white",
        zorder=3, clip_on=False, gid="bins",
    )  # fmt: skip
    if len(error):
        text = f"ECE {percent(error['mean'].iloc[0])}"
        axes.text(1.0, 1.01, text, transform=axes.transAxes, **ECE_TEXT)
    axes.set_xlim(-0.04, 1.04)
    axes.set_ylim(-0.04, 1.04)
    axes.set_xticks(TICKS)
    axes.set_yticks(TICKS)
    axes.xaxis.set_major_formatter(lambda share, _: f"{share:g}")
    axes.yaxis.set_major_formatter(lambda share, _: f"{share:g}")
    axes.grid(color=FAINT, linewidth=0.4)
    axes.set_axisbelow(True)
    axes.set_aspect("equal")
