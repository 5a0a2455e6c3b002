"""The one form that every test of the paper is reported in, and the answers that it is made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np
import pandas as pd
from scipy import stats

from analysis.groups import Group
from analysis.mixed_effects.emmeans import adjust_p

BETWEEN = " - "
ALL_OF = ", "
NAN = float("nan")


@dataclass(frozen=True)
class Finding:
    """One test.

    Attributes
    ----------
    hypothesis : str
        chance, versions, interaction, equivalence, covariate.
    family : str
        The tests that p is adjusted over.
    groups, conditions : str
        What is compared, "a - b", or "a, b" where a test is about several at once.
    estimate, se, statistic, df, p, ci_low, ci_high : float
        Empty where the method has none; `unit` is that of estimate, se and interval.
    difference_pp, pp_low, pp_high : float
        The same question as a difference of accuracies in percentage points, with an interval for
        new observers and new clips; see `analysis.hypotheses.points`.
    n_trials, n_observers, n_items : int
        What was used. Observers are people or trainings, items are clips.
    n_dropped : int
        Answers of these groups and versions that were not used, whatever the reason.
    method, note : str
    """

    hypothesis: str
    family: str
    groups: str
    conditions: str
    estimate: float = NAN
    unit: str = ""
    se: float = NAN
    statistic: float = NAN
    df: float = NAN
    p: float = NAN
    ci_low: float = NAN
    ci_high: float = NAN
    difference_pp: float = NAN
    pp_low: float = NAN
    pp_high: float = NAN
    n_trials: int = 0
    n_observers: int = 0
    n_items: int = 0
    n_dropped: int = 0
    method: str = ""
    note: str = ""


COLUMNS = list(Finding.__dataclass_fields__)
COLUMNS.insert(COLUMNS.index("p") + 1, "p_adjusted")


@dataclass(frozen=True)
class Answers:
    """The answers that the tests are about.

    Attributes
    ----------
    table : DataFrame
        Columns group, observer, clip_id, action, condition, correct, and body_fraction for the
        covariate. `observer` is unique over groups, `item` is the clip.
    groups : sequence of Group
        The main ones, observers first.
    conditions : sequence of str
    chance, confidence : float
    left_out : DataFrame
        Answers that exclusion rules took out, same columns; only counted.
    """

    table: pd.DataFrame
    groups: Sequence[Group]
    conditions: Sequence[str]
    chance: float
    confidence: float
    left_out: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def observers(self) -> Group | None:
        """The people (or simulated observers) that networks are compared with."""
        return next((group for group in self.groups if group.role == "observers"), None)

    @property
    def networks(self) -> list[Group]:
        """The networks in the order of the study file."""
        return [group for group in self.groups if group.role == "model"]

    def rows(self, groups: Iterable[str], conditions: Iterable[str]) -> pd.DataFrame:
        """Return the answers of some groups to some versions."""
        return _rows(self.table, groups, conditions)

    def counts(
        self, groups: Sequence[str], conditions: Sequence[str], n_used: int | None = None
    ) -> dict[str, int]:
        """Return n_trials, n_observers, n_items and n_dropped of a test.

        Parameters
        ----------
        n_used : int, optional
            How many of the answers a model took, where that is not all.
        """
        rows = self.rows(groups, conditions)
        n_trials = len(rows) if n_used is None else n_used
        excluded = len(_rows(self.left_out, groups, conditions)) if len(self.left_out) else 0
        return {
            "n_trials": n_trials,
            "n_observers": rows["observer"].nunique(),
            "n_items": rows["item"].nunique(),
            "n_dropped": len(rows) - n_trials + excluded,
        }


def answers_of(
    responses: pd.DataFrame,
    groups: Sequence[Group],
    conditions: Sequence[str],
    chance: float,
    confidence: float,
    left_out: pd.DataFrame | None = None,
) -> Answers:
    """Prepare response rows for the tests: main groups, versions in order, unique observers."""
    main = [group for group in groups if group.role != "supplement"]
    names = [group.name for group in main]
    table = _rows(responses, names, conditions).copy()
    table["item"] = table["clip_id"]
    # The same participant number may stand in two groups.
    table["observer"] = table["group"] + ":" + table["observer"]
    present = set(table["group"])
    kept = [group for group in main if group.name in present]
    shown = [name for name in conditions if name in set(table["condition"])]
    rest = pd.DataFrame() if left_out is None else left_out
    return Answers(table.reset_index(drop=True), kept, shown, chance, confidence, rest)


def as_table(findings: Sequence[Finding]) -> pd.DataFrame:
    """Return findings as a table, at least of `COLUMNS`; p_adjusted is by Holm in each family."""
    if not findings:
        return pd.DataFrame(columns=COLUMNS)
    table = pd.DataFrame([asdict(finding) for finding in findings])
    table.insert(table.columns.get_loc("p") + 1, "p_adjusted", np.nan)
    for _, rows in table[table["p"].notna()].groupby("family", sort=False):
        p = rows["p"].to_numpy(float)
        table.loc[rows.index, "p_adjusted"] = adjust_p(p, p, len(p), "holm")
    return table


def t_test(estimate: float, se: float, df: float, confidence: float) -> dict[str, float]:
    """Return estimate, se, statistic, df, two-sided p and interval by Student's t."""
    statistic = estimate / se if se > 0 else NAN
    half = float(stats.t.ppf(0.5 + confidence / 2.0, df)) * se
    return {
        "estimate": estimate,
        "se": se,
        "statistic": statistic,
        "df": df,
        "p": float(2.0 * stats.t.sf(abs(statistic), df)),
        "ci_low": estimate - half,
        "ci_high": estimate + half,
    }


def noted(parts: Iterable[str]) -> str:
    """Join the remarks of a finding that are not empty, each once."""
    return "; ".join(dict.fromkeys(part for part in parts if part))


def _rows(table: pd.DataFrame, groups: Iterable[str], conditions: Iterable[str]) -> pd.DataFrame:
    return table[table["group"].isin(list(groups)) & table["condition"].isin(list(conditions))]
