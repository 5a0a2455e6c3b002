"""The tables of a results folder as far as they are there, and their rows as sources."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype
from pydantic import BaseModel

from analysis.groups import Group, groups_of
from analysis.reporting.content import Cell, Source
from study.config import Study
from study.results import Results

FIRST_LINE = 2  # of the data, counted as in an editor: the header is line 1
SHARE_COLUMNS = {
    "analysis/accuracy.csv": {"accuracy", "ci_low", "ci_high"},
    "analysis/networks.csv": {"mean", "ci_low", "ci_high"},
    "analysis/noise.csv": {"level", "accuracy", "ci_low", "ci_high"},
    "analysis/saliency.csv": {"share_in_body", "ci_low", "ci_high", "body_share"},
    "audit/accuracy.csv": {"accuracy", "ci_low", "ci_high", "chance", "chance_permuted"},
    "audit/differences.csv": {
        "accuracy", "reference_accuracy", "difference", "ci_low", "ci_high",
    },
    "power/power.csv": {"power", "power_low", "power_high"},
    "power/calibration.csv": {
        "coverage", "coverage_low", "coverage_high", "false_positive", "false_positive_low",
        "false_positive_high",
    },
}  # fmt: skip
# What tells a row of a table from the others, in the order of printing.
KEYS = (
    "kind", "measure", "step", "family", "target", "method", "group", "groups", "other",
    "reference", "level", "condition", "conditions", "reading", "metric", "contrast", "term",
    "meaning", "picture", "hole", "inpainting", "probe", "n_participants", "n_items", "n_seeds",
)  # fmt: skip
LONGEST_KEY = 60
SHARE_SETTINGS = {"analysis.confidence", "power.alpha"}
# Columns that are text even where every cell is empty.
TEXTS = {"method", "note", "verdict", "closer", "who", "unit", "reference"}


@dataclass(frozen=True)
class Material:
    """What a report is made of.

    Attributes
    ----------
    study : Study
    results : Results
    accuracy : DataFrame
        The one table that there must be.
    """

    study: Study
    results: Results
    accuracy: pd.DataFrame
    _read: dict[str, pd.DataFrame] = field(default_factory=dict, repr=False)

    @cached_property
    def groups(self) -> list[Group]:
        """All groups that answered, observers first."""
        return groups_of(self.study, self.accuracy["group"])

    @property
    def main(self) -> list[Group]:
        """Groups of figures, model and answer."""
        return [group for group in self.groups if group.role != "supplement"]

    @property
    def supplements(self) -> list[Group]:
        """Networks read in their other way, and simulated observers beside people."""
        return [group for group in self.groups if group.role == "supplement"]

    @property
    def observers(self) -> Group | None:
        """The people, or simulated observers, that networks are compared with."""
        return next((group for group in self.main if group.role == "observers"), None)

    @property
    def networks(self) -> list[Group]:
        """The networks, in the order of the study file."""
        return [group for group in self.main if group.role == "model"]

    @property
    def conditions(self) -> Sequence[str]:
        """The versions."""
        return self.study.versions.conditions

    @property
    def confidence(self) -> float:
        """Of every interval."""
        return self.study.analysis.confidence

    @property
    def chance(self) -> float:
        """One in the number of choices."""
        return 1.0 / self.study.trials.n_choices

    def read(self, file: str) -> pd.DataFrame:
        """Return a table of the results folder, empty where there is none; rows keep their place.

        Parameters
        ----------
        file : str
            Relative to the results folder. An action may be called "null".
        """
        if file not in self._read:
            path = self.results.root / file
            self._read[file] = _read(path) if path.is_file() else pd.DataFrame()
        return self._read[file]

    def table(self, name: str) -> pd.DataFrame:
        """Return one of the tables of estimates, empty where it was not made."""
        return self.read(f"analysis/{name}.csv")

    def text(self, name: str) -> str:
        """Return a text of the analysis folder, empty where there is none."""
        path = self.results.analysis / name
        return path.read_text(encoding="utf-8") if path.is_file() else ""

    def settings(self, *names: str, **computed: float) -> Source:
        """Return fields of the study file as a source, beside what every sentence may need.

        Parameters
        ----------
        *names : str
            Such as "trials.n_choices".
        **computed : float
            Further values by how they are computed.
        """
        wanted = dict.fromkeys([*names, "analysis.confidence", "trials.n_choices"])
        cells = [cell for name in wanted for cell in _setting(self.study, name)]
        formulas = {
            "2 analysis.confidence - 1": 2.0 * self.confidence - 1.0,
            "1 / trials.n_choices": self.chance,
        }
        cells += [Cell(name, value, 100.0) for name, value in formulas.items()]
        cells += [Cell(name, value) for name, value in computed.items()]
        return Source("study.toml", None, "settings", tuple(cells))


def sources_of(file: str, rows: pd.DataFrame) -> tuple[Source, ...]:
    """Return the rows of a table, read with `Material.read`, as sources of numbers."""
    shares = SHARE_COLUMNS.get(file, set())
    is_number = {
        name: is_numeric_dtype(rows[name]) and not is_bool_dtype(rows[name]) for name in rows
    }
    found = []
    for label, row in rows.iterrows():
        cells = [
            Cell(
                name,
                float(row[name]) if is_number[name] else str(row[name]),
                100.0 if name in shares else 1.0,
            )
            for name in rows
            if pd.notna(row[name]) and row[name] != "" and not is_bool_dtype(rows[name])
        ]
        found.append(Source(file, int(label) + FIRST_LINE, _key(row), tuple(cells)))
    return tuple(found)


def counted(file: str, row: str, **values: float) -> Source:
    """Return what was counted over a file as a source, by how it was counted."""
    cells = tuple(Cell(name.replace("_", " "), value) for name, value in values.items())
    return Source(file, None, row, cells)


def _read(path: Path) -> pd.DataFrame:
    """Read a table as its writer had it: an empty text is "", an empty number NaN."""
    table = pd.read_csv(path, keep_default_na=False, na_values=[""])
    for name in table:
        if name in TEXTS or not (is_numeric_dtype(table[name]) or is_bool_dtype(table[name])):
            table[name] = table[name].astype(object).where(table[name].notna(), "")
    return table


def _key(row: pd.Series) -> str:
    parts = [
        f"{name}={row[name]}"
        for name in KEYS
        if name in row.index and pd.notna(row[name]) and 0 < len(str(row[name])) <= LONGEST_KEY
    ]
    return "; ".join(parts)


def _setting(study: Study, name: str) -> list[Cell]:
    """Return a field as it is, and a share as a percentage too."""
    value: Any = study
    for part in name.split("."):
        value = getattr(value, part)
    if isinstance(value, list | dict | BaseModel) or value is None:
        return [Cell(name, str(value))]
    as_it_is = [Cell(name, value)]
    return [Cell(name, value, 100.0), *as_it_is] if name in SHARE_SETTINGS else as_it_is
