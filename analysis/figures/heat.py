"""Cells from light to dark: what several figures share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from analysis.figures.style import HEAT, MM_PER_INCH

BAR_MM = 80.0


def draw_heat(axes: Axes, values: np.ndarray, norm: Normalize, gid: str) -> QuadMesh:
    """Draw a cell per value, shape (n_rows, n_columns), rows from the top; NaN stays white."""
    lines, columns = values.shape
    cells = axes.pcolormesh(
        np.arange(columns + 1) - 0.5,
        np.arange(lines + 1) - 0.5,
        np.ma.masked_invalid(values),
        cmap=HEAT,
        norm=norm,
        edgecolors="white",
        linewidth=0.3,
        gid=gid,
    )
    axes.set_xlim(-0.5, columns - 0.5)
    axes.set_ylim(lines - 0.5, -0.5)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return cells


def share_bar(
    figure: Figure, cells: QuadMesh, axes: Sequence[Axes], label: str, ticks: Sequence[float]
) -> None:
    """Draw the scale of shares below panels."""
    shrink = min(0.9, BAR_MM / (MM_PER_INCH * figure.get_figwidth()))
    bar = figure.colorbar(
        cells,
        ax=list(axes),
        location="bottom",
        fraction=0.03,
        aspect=40,
        shrink=shrink,
        pad=0.02,
        ticks=list(ticks),
    )
    bar.ax.minorticks_off()
    bar.ax.xaxis.set_major_formatter(lambda share, _: f"{100 * share:.0f} %")
    bar.outline.set_visible(False)
    bar.set_label(label)
