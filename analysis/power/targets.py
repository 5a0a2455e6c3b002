"""What a power analysis asks of a study: contrasts by name, as rows over the fixed effects."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from formulaic import ModelSpec
from scipy import stats
from scipy.special import logit

from analysis.groups import label_of
from analysis.power.designs import PEOPLE, Plan
from analysis.sentences import MINUS
from study.conditions import CONDITIONS
from study.errors import StudyError

Array = np.ndarray
CHANCE, PATTERN = "chance", "pattern"
_FORM = (
    "expected GROUPS: VERSIONS, where GROUPS is a group or the difference of two (`people - "
    "baseline`), VERSIONS a version, the difference of two, `version - chance`, or `pattern`"
)


@dataclass(frozen=True)
class Target:
    """One contrast, or a joint test of several.

    Attributes
    ----------
    name : str
        As in the study file.
    groups : tuple of str
        One group, or two whose difference is meant.
    versions : tuple of tuple of str
        A row each: a version, or two whose difference is meant.
    chance : float
        Probability that is subtracted, on the scale of logits; 0 for none.
    """

    name: str
    groups: tuple[str, ...]
    versions: tuple[tuple[str, ...], ...]
    chance: float = 0.0

    @property
    def label(self) -> str:
        """What a reader sees, e.g. "people: body only - chance"."""
        versions = f"pattern of {len(self.versions) + 1} versions"
        if not self.is_joint:
            parts = [CONDITIONS[name].label for name in self.versions[0]]
            versions = f" {MINUS} ".join(parts + [CHANCE] * bool(self.chance))
        groups = [label_of(name) for name in self.groups]
        return f"{f' {MINUS} '.join(groups)}: {versions}"

    @property
    def is_joint(self) -> bool:
        """Whether it has several rows and so no single interval."""
        return len(self.versions) > 1

    def rows(self, cells: pd.DataFrame) -> tuple[Array, Array]:
        """Coefficients (k, p) of the fixed effects, and what is subtracted (k,).

        Parameters
        ----------
        cells : DataFrame
            See `cell_rows`.
        """
        rows = []
        for versions in self.versions:
            row = np.zeros(cells.shape[1])
            for group, sign in zip(self.groups, (1.0, -1.0), strict=False):
                for version, side in zip(versions, (1.0, -1.0), strict=False):
                    row += sign * side * cells.loc[(group, version)].to_numpy()
            rows.append(row)
        shift = logit(self.chance) if self.chance else 0.0
        return np.array(rows), np.full(len(rows), shift)


def wald_test(value: Array, covariance: Array, df: float) -> tuple[float, float]:
    """Test that ``value`` (k,) with ``covariance`` (k, k) is zero.

    Returns
    -------
    tuple of float
        p by the normal distribution (chi-square with k degrees of freedom), and by Student's t
        (F with k and ``df`` degrees of freedom; for k = 1 that is t squared).
    """
    statistic = float(value @ np.linalg.solve(covariance, value))
    k = len(value)
    by_z, by_t = stats.chi2.sf(statistic, k), stats.f.sf(statistic / k, k, df)
    return float(by_z), float(by_t)


def cell_rows(spec: ModelSpec, groups: Sequence[str], conditions: Sequence[str]) -> pd.DataFrame:
    """Fixed-effect columns of every group and version, index (group, condition)."""
    index = pd.MultiIndex.from_product([groups, conditions], names=["group", "condition"])
    grid = index.to_frame(index=False)
    grid["group"] = pd.Categorical(grid["group"], list(groups))
    grid["condition"] = pd.Categorical(grid["condition"], list(conditions))
    return pd.DataFrame(spec.get_model_matrix(grid).to_numpy(float), index=index)


def default_contrasts(plan: Plan) -> list[str]:
    """Return the paper's questions, as far as the study has the versions and networks."""
    names = []
    if {"body_only", "background_only"} <= set(plan.conditions):
        names.append(f"{PEOPLE}: body_only - background_only")
    names += [f"{PEOPLE}: {condition} - {CHANCE}" for condition in plan.conditions]
    if len(plan.conditions) > 1:
        names += [f"{PEOPLE} - {model}: {PATTERN}" for model in plan.models]
    return names


def read_targets(contrasts: Sequence[str], plan: Plan) -> tuple[Target, ...]:
    """Return the contrasts of a study file, or the paper's where it names none.

    Raises
    ------
    StudyError
        Naming the contrast and what is allowed in it.
    """
    names = list(contrasts) or default_contrasts(plan)
    return tuple(_target(name, plan) for name in dict.fromkeys(names))


def _target(name: str, plan: Plan) -> Target:
    left, colon, right = name.partition(":")
    groups = tuple(re.split(r"\s+-\s+", left.strip()))
    versions = tuple(re.split(r"\s+-\s+", right.strip()))
    if not colon or len(groups) > 2 or len(versions) > 2:
        raise StudyError(f"power.contrasts: {name!r}: {_FORM}")
    _check_known(name, groups, plan.groups, "group")
    if versions == (PATTERN,):
        if len(plan.conditions) < 2:
            raise StudyError(f"power.contrasts: {name!r}: a pattern needs two versions")
        first, *others = plan.conditions
        return Target(name, groups, tuple((other, first) for other in others))
    if versions[1:] == (CHANCE,):
        if len(groups) > 1:
            raise StudyError(f"power.contrasts: {name!r}: chance is compared with one group")
        _check_known(name, versions[:1], plan.conditions, "version")
        return Target(name, groups, (versions[:1],), 1.0 / plan.trials.n_choices)
    _check_known(name, versions, plan.conditions, "version")
    if len(groups) == 1 and len(versions) == 1:
        raise StudyError(
            f"power.contrasts: {name!r} compares nothing; did you mean "
            f"'{name.strip()} - {CHANCE}'? {_FORM}"
        )
    return Target(name, groups, (versions,))


def _check_known(name: str, found: Sequence[str], known: Sequence[str], what: str) -> None:
    for part in found:
        if part not in known:
            listed = ", ".join(known)
            raise StudyError(
                f"power.contrasts: {name!r}: {part!r} is no {what} of this study; "
                f"expected one of {listed}"
            )
    if len(set(found)) < len(found):
        raise StudyError(f"power.contrasts: {name!r} subtracts a {what} from itself")
