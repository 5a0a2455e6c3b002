"""What a simulation leaves behind: a table, what it says in sentences, and its figure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from analysis.figures.power import save_power_figure
from study.files import whole_file, write_text


def write_outputs(
    folder: Path,
    name: str,
    table: pd.DataFrame,
    sentences: Sequence[str],
    draw: Callable[[], tuple[Figure, pd.DataFrame]],
) -> Path:
    """Write NAME.csv, NAME.txt and the figure; return the path of the table."""
    path = folder / f"{name}.csv"
    with whole_file(path) as partial:
        table.to_csv(partial, index=False, lineterminator="\n")
    write_text(folder / f"{name}.txt", "".join(f"{sentence}\n" for sentence in sentences))
    save_power_figure(draw, folder, name)
    return path
