"""What figures are made of, and what a finished one is."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd
from matplotlib.figure import Figure

from analysis.estimates import read_estimates
from analysis.groups import Group, groups_of
from study.config import Study
from study.results import Results


class NothingToDraw(Exception):
    """A study does not have what a figure shows; the text says what is missing."""


@dataclass(frozen=True)
class Drawn:
    """A figure, the data that it shows, and its draft legend with the numbers in it."""

    figure: Figure
    data: pd.DataFrame
    legend: str


@dataclass(frozen=True)
class Material:
    """A study with its tables of estimates.

    Attributes
    ----------
    groups : list of Group
        Observers and networks that answered, without supplements.
    """

    study: Study
    results: Results
    groups: list[Group] = field(default_factory=list)

    @property
    def conditions(self) -> tuple[str, ...]:
        """The versions in the study's order."""
        return tuple(self.study.versions.conditions)

    @property
    def chance(self) -> float:
        """One in the number of choices."""
        return 1.0 / self.study.trials.n_choices

    @property
    def confidence(self) -> float:
        """Of every interval."""
        return self.study.analysis.confidence

    @property
    def networks(self) -> list[Group]:
        """Groups of trainings."""
        return [group for group in self.groups if group.role == "model"]

    @property
    def observers(self) -> Group | None:
        """People, or the simulated ones in their place."""
        return next((group for group in self.groups if group.role == "observers"), None)

    def table(self, name: str) -> pd.DataFrame:
        """Return a table of estimates.

        Raises
        ------
        NothingToDraw
            When it has not been made or has no rows.
        """
        path = self.results.analysis / f"{name}.csv"
        if not path.is_file():
            raise NothingToDraw(f"{path} has not been made")
        table = read_estimates(self.results, name)
        if table.empty:
            raise NothingToDraw(f"{path} has no rows")
        return table

    def optional(self, name: str, *columns: str) -> pd.DataFrame:
        """Return a table of estimates, or one without rows that has the columns named."""
        try:
            return self.table(name)
        except NothingToDraw:
            return pd.DataFrame(columns=list(columns))


def gather(study: Study, results: Results) -> Material:
    """Return a study's material; `analysis.estimates.fit_study` comes first."""
    present = read_estimates(results, "accuracy")["group"]
    groups = [group for group in groups_of(study, present) if group.role != "supplement"]
    return Material(study, results, groups)
