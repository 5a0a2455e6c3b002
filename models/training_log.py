"""The learning curve: a CSV file with a row per epoch, and TensorBoard's events where it is."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pandas as pd

from study.files import whole_file

log = logging.getLogger("bodyscene")

Row = dict[str, float]


class TrainingLog:
    """Writes the curve of one training after every epoch.

    Parameters
    ----------
    path : Path
        Of the CSV file; TensorBoard's events go into a folder beside it.
    done : list of dict
        The rows of the epochs before a stop. Events of later steps, which a killed training
        may have written, are void.
    """

    def __init__(self, path: Path, done: list[Row]) -> None:
        self.path = path
        self._events = _open_events(path.with_name("tensorboard"), done)
        self._write_table(done)

    def write(self, curve: list[Row]) -> None:
        """Write the curve, whose last row is new."""
        self._write_table(curve)
        if self._events is not None:
            row = curve[-1]
            for name, value in row.items():
                if name not in ("epoch", "step"):
                    self._events.add_scalar(_tag(name), value, int(row["step"]))
            self._events.flush()

    def close(self) -> None:
        if self._events is not None:
            self._events.close()

    def _write_table(self, curve: list[Row]) -> None:
        with whole_file(self.path) as partial:
            pd.DataFrame(curve).to_csv(partial, index=False, lineterminator="\n")


def _open_events(folder: Path, done: list[Row]) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        log.info("TensorBoard is not installed: the learning curve is written as CSV alone")
        return None
    return SummaryWriter(folder, purge_step=int(done[-1]["step"]) + 1 if done else 0)


def _tag(name: str) -> str:
    """Group what belongs together: validation_body_only becomes validation/body_only."""
    group, _, rest = name.partition("_")
    return f"{group}/{rest}" if group in ("loss", "validation") and rest else name
