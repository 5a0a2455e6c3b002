"""Power and interval width by size of the study, and the calibration of its model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.figures.style import (
    DOUBLE_MM,
    FAINT,
    INK,
    MUTED,
    STYLE,
    new_figure,
    percent_axis,
    save_figure,
)

SIZES = {
    "n_participants": "participants",
    "n_items": "test clips",
    "n_seeds": "seeds of each network",
}
# Okabe & Ito's colours, then the same again with other lines and markers.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS, LINES = ("o", "s", "^", "D", "v", "P", "X"), ("-", "--", ":")
METHODS = {"t": ("Student's t", "#0072B2", "o"), "z": ("normal (z)", "#D55E00", "s")}
ENOUGH, TOLERANCE = 0.8, 0.01


def save_power_figure(
    draw: Callable[[], tuple[Figure, pd.DataFrame]], folder: Path, name: str
) -> list[Path]:
    """Draw in the style of all figures and save as PDF, SVG, PNG and, in figures/, the data."""
    with matplotlib.rc_context(STYLE):
        return save_figure(*draw(), folder / "figures", name)


def power_figure(table: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Draw a column per number that varies: power above, mean interval width below.

    Parameters
    ----------
    table : DataFrame
        See `analysis.power.power.POWER`.
    """
    own = table[table["is_own"]].iloc[0]
    varied = {name: _where_only(table, own, name) for name in SIZES}
    varied = {name: rows for name, rows in varied.items() if rows[name].nunique() > 1}
    varied = varied or {"n_participants": table[table["is_own"]]}
    looks = _looks(table["target"])
    figure = new_figure(DOUBLE_MM, 112.0)
    panels = figure.subplots(2, len(varied), sharex="col", sharey="row", squeeze=False)
    for (above, below), (name, rows) in zip(panels.T, varied.items(), strict=True):
        _draw_power(above, rows, name, looks)
        _draw_widths(below, rows, name, looks)
        for axes in (above, below):
            _mark_own(axes, own[name], axes is above)
        below.set_xlabel(SIZES[name])
        below.set_xticks(sorted(rows[name].unique()))
        below.set_ylim(bottom=0.0)
    panels[0, 0].set_ylabel("power")
    panels[1, 0].set_ylabel("mean interval width (logits)")
    labels = dict(zip(table["target"], table["label"], strict=True))
    handles = [_handle(labels[target], look) for target, look in looks.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure, table


def calibration_figure(
    table: pd.DataFrame, confidence: float, alpha: float
) -> tuple[Figure, pd.DataFrame]:
    """Draw coverage and false positives of every contrast, with what is tolerated as a band.

    Parameters
    ----------
    table : DataFrame
        See `analysis.power.calibration.CALIBRATION`.
    confidence, alpha : float
        What the shares should be.
    """
    targets = list(dict.fromkeys(table["target"]))
    figure = new_figure(DOUBLE_MM, 28.0 + 8.0 * len(targets))
    left, right = figure.subplots(1, 2, sharey=True)
    _draw_shares(left, table, targets, "coverage", confidence)
    _draw_shares(right, table, targets, "false_positive", alpha)
    left.set_yticks(range(len(targets)), list(dict.fromkeys(table["label"])))
    left.invert_yaxis()
    left.set_xlabel(f"coverage of {100 * confidence:.3g} % intervals")
    right.set_xlabel(f"false positives of tests at {100 * alpha:.3g} %")
    handles = [
        Line2D([], [], linestyle="", marker=marker, markersize=4.5, color=color, label=label)
        for label, color, marker in METHODS.values()
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
    return figure, table


def _where_only(table: pd.DataFrame, own: pd.Series, varying: str) -> pd.DataFrame:
    """Rows whose other numbers are the study's own."""
    others = [name for name in SIZES if name != varying]
    rows = table[(table[others] == own[others].astype(int)).all(axis=1)]
    return rows.sort_values(varying, kind="stable")


def _looks(targets: pd.Series) -> dict[str, tuple[str, str, str]]:
    """Colour, marker and line of every target."""
    names = list(dict.fromkeys(targets))
    n = len(COLORS)
    return {
        name: (COLORS[k % n], MARKERS[k % n], LINES[(k // n) % len(LINES)])
        for k, name in enumerate(names)
    }


def _handle(label: str, look: tuple[str, str, str]) -> Line2D:
    color, marker, line = look
    return Line2D([], [], color=color, marker=marker, linestyle=line, markersize=4, label=label)


def _draw_power(axes: Axes, rows: pd.DataFrame, name: str, looks: dict) -> None:
    for target, own in rows.groupby("target", sort=False):
        color, marker, line = looks[target]
        axes.fill_between(
            own[name], own["power_low"], own["power_high"], color=color, alpha=0.12, linewidth=0
        )
        axes.plot(
            own[name],
            own["power"],
            color=color,
            marker=marker,
            markersize=3.5,
            linewidth=1.2,
            linestyle=line,
            gid=f"power {target} {name}",
        )
    percent_axis(axes, "")
    axes.axhline(ENOUGH, color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1, gid="enough")


def _draw_widths(axes: Axes, rows: pd.DataFrame, name: str, looks: dict) -> None:
    for target, own in rows.dropna(subset="mean_width").groupby("target", sort=False):
        color, marker, line = looks[target]
        axes.plot(
            own[name],
            own["mean_width"],
            color=color,
            marker=marker,
            markersize=3.5,
            linewidth=1.2,
            linestyle=line,
            gid=f"width {target} {name}",
        )
    axes.grid(axis="y", color=FAINT, linewidth=0.4)
    axes.set_axisbelow(True)


def _mark_own(axes: Axes, value: int, labelled: bool) -> None:
    axes.axvline(value, color=INK, linewidth=0.8, linestyle=":", zorder=1, gid="own")
    if labelled:
        axes.annotate(
            f"this study: {value}",
            xy=(value, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(0, 2),
            textcoords="offset points",
            ha="center",
            fontsize=6.0,
        )


def _draw_shares(
    axes: Axes, table: pd.DataFrame, targets: list[str], column: str, nominal: float
) -> None:
    axes.axvspan(
        100 * (nominal - TOLERANCE), 100 * (nominal + TOLERANCE), color=FAINT, alpha=0.6, lw=0
    )
    axes.axvline(100 * nominal, color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
    shifts = np.linspace(-0.14, 0.14, len(METHODS))
    for shift, (method, (_, color, marker)) in zip(shifts, METHODS.items(), strict=True):
        own = table[table["method"] == method].set_index("target").loc[targets]
        places = np.arange(len(targets)) + shift
        axes.hlines(
            places,
            100 * own[f"{column}_low"],
            100 * own[f"{column}_high"],
            color=color,
            linewidth=1.2,
        )
        axes.plot(
            100 * own[column],
            places,
            linestyle="",
            marker=marker,
            markersize=4.5,
            color=color,
            gid=f"{column} {method}",
        )
    axes.xaxis.set_major_formatter(lambda share, _: f"{share:g} %")
    axes.grid(axis="x", color=FAINT, linewidth=0.4)
    axes.set_axisbelow(True)
