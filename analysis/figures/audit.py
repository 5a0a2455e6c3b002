"""How well simple probes tell the action from whole versions, ways of hiding, and parts."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from analysis.audit import SIGNIFICANT
from analysis.figures.style import FAINT, INK, MUTED, ONE_AND_HALF_MM, new_figure
from analysis.sentences import p_value
from study.conditions import CONDITIONS

ROW_MM, MARGINS_MM = 3.9, 17.0
# Places between the last row of a group and the first of the next one.
GROUP_GAP = 2.1
DOT = 4.2
# Where the numbers stand, as shares of the width of the panel.
PERCENT_X, P_X = 1.09, 1.2

# Heading, then the families and the probes of the table, in the order shown.
GROUPS: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    ("Whole versions: gradients, colour", (("version", "plain"),)),
    ("Whole versions: light, spectrum and motion", (("version", "low-level"),)),
    ("Ways of hiding the person (* this study)", (("hiding", "plain"),)),
    ("The hole: outline, outside, inside", (("hole", "outline"), ("hole", "plain"))),
    ("The body: outline and edge", (("body", "outline"), ("body", "plain"), ("body", "color"))),
)
# Parts of a way of hiding, in the order shown.
PARTS = ("outline", "outside", "inside of", "inside,")


def audit_figure(accuracy: pd.DataFrame, own: str) -> tuple[Figure, pd.DataFrame]:
    """Draw a row per picture, with interval, chance and p.

    Parameters
    ----------
    accuracy : DataFrame
        As `bodyscene audit` writes it.
    own : str
        The study's own way of hiding the person, "HOLE, INPAINTING".

    Returns
    -------
    Figure, DataFrame
        The data: the rows in the order drawn, with heading, label and place.
    """
    rows = _rows(accuracy, own)
    figure = new_figure(ONE_AND_HALF_MM, ROW_MM * float(rows["place"].max()) + MARGINS_MM)
    axes = figure.add_subplot()
    for row in rows.itertuples():
        _draw_row(axes, row)
    for heading, place in rows.groupby("heading", sort=False)["place"].min().items():
        _write(axes, 0.0, place - 1.05, heading, ha="left", fontsize=6.5, fontweight="bold")
    for x, text in ((PERCENT_X, "%"), (P_X, "p")):
        _write(axes, x, rows["place"].min() - 1.05, text, color=MUTED)
    _finish(axes, rows)
    handles = _handles(float(rows["chance"].max()))
    figure.legend(handles=handles, loc="outside upper center", ncols=3, handletextpad=0.4)
    return figure, rows


def _rows(accuracy: pd.DataFrame, own: str) -> pd.DataFrame:
    """Choose and place the rows of the figure."""
    parts, last = [], -1.0
    for heading, kinds in GROUPS:
        chosen = pd.concat(
            accuracy[(accuracy["family"] == family) & (accuracy["probe"] == probe)]
            for family, probe in kinds
        ).sort_values("picture", key=_part, kind="stable")
        if len(chosen):
            places = last + GROUP_GAP + np.arange(len(chosen))
            labels = [_label(row, own) for _, row in chosen.iterrows()]
            parts.append(chosen.assign(heading=heading, label=labels, place=places))
            last = float(places[-1])
    return pd.concat(parts, ignore_index=True)


def _part(pictures: pd.Series) -> pd.Series:
    """Return sort keys: the same part of every way of hiding stands together."""
    return pictures.map(
        lambda text: next((i for i, part in enumerate(PARTS) if text.startswith(part + " ")), 0)
    )


def _label(row: pd.Series, own: str) -> str:
    picture = row["picture"]
    if row["family"] == "version":
        return CONDITIONS[picture].label if picture in CONDITIONS else picture
    what, _, way = picture.partition(": ")
    # The study's own way stands first in every group; a word would make the column too wide.
    mark = " *" if way == own else ""
    if row["family"] == "hiding":
        return way + mark
    if row["family"] == "hole":
        part = what.removesuffix(" of the hole").replace(", at one size", ", resized")
        return f"{part}: {way}{mark}"
    return picture


def _draw_row(axes: Axes, row: object) -> None:
    color = CONDITIONS[row.condition].color if row.condition else INK
    axes.hlines(
        row.place, row.ci_low, row.ci_high, color=color, linewidth=1.4, gid=f"interval {row.Index}"
    )
    told = row.p < SIGNIFICANT
    axes.plot(
        [row.accuracy],
        [row.place],
        marker="o",
        markersize=DOT,
        markerfacecolor=color if told else "white",
        markeredgecolor=color,
        markeredgewidth=1.0,
        gid=f"accuracy {row.Index}",
    )
    color = INK if told else MUTED
    _write(axes, PERCENT_X, row.place, f"{100 * row.accuracy:.0f}", color=color)
    _write(axes, P_X, row.place, _p_text(row.p), color=color)


def _write(axes: Axes, x: float, place: float, text: str, **how: object) -> None:
    """Write beside or between the rows; nothing shines through."""
    axes.annotate(
        text,
        xy=(x, place),
        xycoords=("axes fraction", "data"),
        va="center",
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.0},
        **{"ha": "right", "fontsize": 6.0} | how,
    )


def _p_text(p: float) -> str:
    if np.isnan(p):
        return ""
    return p_value(p).removesuffix(".000") if p > 0.9995 else p_value(p)


def _finish(axes: Axes, rows: pd.DataFrame) -> None:
    """Set axes and chance."""
    axes.set_ylim(float(rows["place"].max()) + 0.7, -0.5)
    axes.set_yticks(rows["place"], rows["label"])
    axes.tick_params(axis="y", length=0)
    most = np.ceil(10 * max(rows["ci_high"].max(), rows["chance"].max())) / 10
    step = 0.2 if most > 0.6 else 0.1
    axes.set_xlim(0.0, 1.02 * most)
    axes.set_xticks(np.arange(0.0, most + step / 2, step))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.0f} %"))
    axes.set_xlabel("action told by the probe (mean over actions)")
    axes.grid(axis="x", color=FAINT, linewidth=0.4)
    axes.set_axisbelow(True)
    for chance in rows["chance"].unique():
        axes.axvline(
            chance, color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1, gid="chance"
        )


def _handles(chance: float) -> list[Line2D]:
    """Return legend entries: what filled and hollow means, and chance."""
    dot = {"linestyle": "", "marker": "o", "markersize": DOT, "markeredgecolor": MUTED}
    told = f"better than chance, p < {SIGNIFICANT:g}"
    return [
        Line2D([], [], markerfacecolor=MUTED, label=told, **dot),
        Line2D([], [], markerfacecolor="white", label="not told from chance", **dot),
        Line2D(
            [],
            [],
            color=MUTED,
            linewidth=0.8,
            linestyle=(0, (4, 3)),
            label=f"chance, {100 * chance:.2g} %",
        ),
    ]
