"""How every figure looks, and how it is saved: equal data give equal bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from study.conditions import CONDITIONS
from study.files import whole_file

MM_PER_INCH = 25.4
# Text columns of a two-column journal.
ONE_AND_HALF_MM, DOUBLE_MM = 120.0, 183.0
PNG_DPI = 300

INK, MUTED, FAINT = "#222222", "#6B6B6B", "#D9D9D9"

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


def save_figure(figure: Figure, data: pd.DataFrame, folder: Path, name: str) -> list[Path]:
    """Write NAME.pdf, .svg and .png and the data as NAME.csv; return the paths.

    Times and program names are left out of the files.
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
    return [*paths, path]


def percent_axis(axes: Axes, label: str) -> None:
    """Show shares from 0 to 1 as percentages."""
    axes.set_ylim(0.0, 1.03)
    axes.set_yticks(np.linspace(0.0, 1.0, 6))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.0f} %"))
    axes.set_ylabel(label)
    axes.grid(axis="y", color=FAINT, linewidth=0.4)
    axes.set_axisbelow(True)


def chance_line(axes: Axes, chance: float) -> None:
    """Draw and label what guessing gives."""
    axes.axhline(chance, color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1, gid="chance")
    axes.annotate(
        f"chance, {100 * chance:.2g} %",
        xy=(1.0, chance),
        xycoords=("axes fraction", "data"),
        xytext=(-1, 2),
        textcoords="offset points",
        ha="right",
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
