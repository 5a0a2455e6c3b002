"""How every figure looks, and how it is saved: equal data give equal bytes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from analysis.groups import Group
from study.conditions import CONDITIONS
from study.files import whole_file, write_text

MM_PER_INCH = 25.4
# Text columns of a two-column journal.
ONE_AND_HALF_MM, DOUBLE_MM = 120.0, 183.0
PNG_DPI = 300

INK, MUTED, FAINT = "#222222", "#6B6B6B", "#D9D9D9"
MAX_UPRIGHT, ASLANT_MM = 5, 16.0  # versions along an axis
CONDITION_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p")
# From light to dark without a hue, so that it is no version's and no group's colour.
HEAT = ListedColormap(colormaps["bone_r"](np.linspace(0.04, 0.86, 256)), name="heat")

STYLE: dict[str, Any] = {
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    # Comes with matplotlib, so that every machine draws the same.
    "font.family": "DejaVu Sans",
    "font.size": 7.0,
    "axes.titlesize": 7.5,
    "axes.titleweight": "bold",
    "axes.labelsize": 7.0,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "legend.fontsize": 6.5,
    "legend.frameon": False,
    # TrueType text in PDF stays text; outlines in SVG need no font where it is shown.
    "pdf.fonttype": 42,
    "ps.fonttype": 42,
    "svg.fonttype": "path",
    "svg.hashsalt": "bodyscene",
}


def new_figure(width_mm: float, height_mm: float) -> Figure:
    """Return an empty figure that arranges its own margins."""
    size = (width_mm / MM_PER_INCH, height_mm / MM_PER_INCH)
    return Figure(figsize=size, layout="constrained")


def save_figure(
    figure: Figure, data: pd.DataFrame, folder: Path, name: str, legend: str = ""
) -> list[Path]:
    """Write NAME.pdf, .svg and .png, the data as NAME.csv and a legend as NAME.txt.

    Times and program names are left out of the files. Return the paths.
    """
    metadata = {
        "pdf": {"CreationDate": None, "ModDate": None, "Producer": None, "Creator": None},
        "svg": {"Date": None, "Creator": None},
        "png": {"Software": None},
    }
    paths = []
    for suffix, fields in metadata.items():
        path = folder / f"{name}.{suffix}"
        with whole_file(path) as partial:
            figure.savefig(partial, format=suffix, dpi=PNG_DPI, metadata=fields)
        paths.append(path)
    path = folder / f"{name}.csv"
    with whole_file(path) as partial:
        data.to_csv(partial, index=False, lineterminator="\n")
    paths.append(path)
    if legend:
        paths.append(folder / f"{name}.txt")
        write_text(paths[-1], legend + "\n")
    return paths


def percent_axis(axes: Axes, label: str) -> None:
    """Show shares from 0 to 1 as percentages."""
    axes.set_ylim(0.0, 1.03)
    axes.set_yticks(np.linspace(0.0, 1.0, 6))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.0f} %"))
    axes.set_ylabel(label)
    axes.grid(axis="y", color=FAINT, linewidth=0.4)
    axes.set_axisbelow(True)


def chance_line(axes: Axes, chance: float, place: float | None = None, side: str = "right") -> None:
    """Draw what guessing gives, at `place` where the axis shows no shares; name it at one side."""
    place = chance if place is None else place
    axes.axhline(place, color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1, gid="chance")
    axes.annotate(
        f"chance, {100 * chance:.2g} %",
        xy=(float(side == "right"), place),
        xycoords=("axes fraction", "data"),
        xytext=(-1 if side == "right" else 2, 2),
        textcoords="offset points",
        ha=side,
        va="bottom",
        fontsize=6.0,
        color=MUTED,
    )


def condition_handles(conditions: list[str]) -> list[Line2D]:
    """Return legend entries for versions."""
    return [
        Line2D(
            [],
            [],
            linestyle="",
            marker="o",
            markersize=4.5,
            color=CONDITIONS[name].color,
            label=CONDITIONS[name].label,
        )
        for name in conditions
    ]


def group_handles(groups: Sequence[Group]) -> list[Line2D]:
    """Return legend entries for groups, by colour and marker."""
    return [
        Line2D(
            [],
            [],
            linestyle="",
            marker=group.marker,
            markersize=5.0,
            color=group.color,
            label=group.label,
        )
        for group in groups
    ]


def condition_looks(conditions: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return colour and marker of every version, for panels in which versions are lines."""
    looks = zip(conditions, CONDITION_MARKERS, strict=False)
    return {name: {"color": CONDITIONS[name].color, "marker": marker} for name, marker in looks}


def labels_mm(conditions: Sequence[str]) -> float:
    """Return the height that `label_conditions` takes beyond two lines."""
    return ASLANT_MM if len(conditions) > MAX_UPRIGHT else 0.0


def label_conditions(axes: Axes, conditions: Sequence[str]) -> None:
    """Name versions along the horizontal axis, each in its colour; many of them aslant."""
    labels = [CONDITIONS[name].label for name in conditions]
    axes.set_xticks(range(len(conditions)))
    if len(conditions) > MAX_UPRIGHT:
        axes.set_xticklabels(labels, rotation=40, ha="right", rotation_mode="anchor")
    else:
        axes.set_xticklabels([label.replace(" ", "\n") for label in labels])
    for text, name in zip(axes.get_xticklabels(), conditions, strict=True):
        text.set_color(CONDITIONS[name].color)
        text.set_fontweight("bold")


def note_simulated(figure: Figure) -> None:
    """Say in the figure itself that the observers are no people."""
    figure.supxlabel(
        "Observers are simulated: no person took part.",
        x=0.995,
        ha="right",
        fontsize=6.0,
        fontstyle="italic",
        color="#B00020",
    )
