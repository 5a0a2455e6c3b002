"""Mixed models for the tests: which random effects a set of answers can bear, and what is in them.

Answers to one clip are alike, and so are a network's trainings on one stimulus; a test that passes
over this finds too much (Clark, 1973; Barr et al., 2013). So observers and clips vary, and both
vary by version, as `(1 | observer:condition)` and `(1 | item:condition)`: random slopes with equal
variances, which fit where full covariance matrices do not.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from analysis.mixed_effects import MixedModelResult, fit

Array = np.ndarray
# Logits; a standard deviation beyond it says that answers within a level all agree.
_FARTHEST = 8.0
Estimate = tuple[float, float]
TERMS = (
    ("observer",),
    ("item",),
    ("observer", "condition"),
    ("item", "condition"),
    ("item", "group"),
    ("item", "group", "condition"),
)


class PureCell(NamedTuple):
    """A group and version in which all answers are right, or all wrong."""

    group: str
    condition: str
    is_right: bool

    def __str__(self) -> str:
        return f"{self.group} {self.condition} all {'right' if self.is_right else 'wrong'}"


@dataclass(frozen=True)
class Fitted:
    """A fitted model, or why there is none.

    Attributes
    ----------
    result : MixedModelResult or None
    note : str
        Effects that were left out and why, variances at zero, or the reason of no fit.
    """

    result: MixedModelResult | None
    note: str

    @property
    def method(self) -> str:
        """Formula and estimation in words."""
        if self.result is None:
            return "no model"
        return f"binomial mixed model {self.result.formula}, Laplace"


def random_terms(rows: pd.DataFrame, grouping: Sequence[tuple[str, ...]] = TERMS) -> list[str]:
    """Return the random intercepts that these rows can tell from one another and from the answers.

    A term needs two observers or clips, a level with two answers, and other levels than a simpler
    term: with one observer, `observer:condition` is the fixed effect of condition.
    """
    kept: list[str] = []
    partitions: set[tuple[int, ...]] = set()
    for names in grouping:
        if rows[names[0]].nunique() < 2:
            continue
        codes = rows.groupby(list(names), observed=True, sort=False).ngroup().to_numpy()
        partition = tuple(pd.factorize(codes)[0])
        n_levels = max(partition, default=-1) + 1
        if n_levels == len(rows) or partition in partitions:
            continue
        partitions.add(partition)
        kept.append(f"(1 | {':'.join(names)})")
    return kept


def pure_cells(rows: pd.DataFrame) -> list[PureCell]:
    """Return the groups and versions in which every answer is right, or every one wrong."""
    share = rows.groupby(["group", "condition"], observed=True)["correct"].mean()
    pure = share[share.isin([0.0, 1.0])]
    return [PureCell(*cell, bool(value)) for cell, value in pure.items()]


def why_no_estimate(pure: Sequence[PureCell]) -> str:
    """Say which cells have no finite estimate in a model."""
    return f"no finite estimate in a model: {', '.join(map(str, pure))}" if pure else ""


def fit_terms(fixed: str, rows: pd.DataFrame, terms: Sequence[str]) -> Fitted:
    """Fit `correct ~ fixed + terms`; where that does not converge, with fewer terms.

    The last term goes first. What was left out, and which variances are zero, is in the note.
    """
    left = list(terms)
    failures: list[str] = []
    while left:
        formula = f"correct ~ {fixed} + {' + '.join(left)}"
        try:
            with warnings.catch_warnings():
                # Missing values are counted from the result, and said in the table.
                warnings.simplefilter("ignore", UserWarning)
                result = fit(formula, rows, family="binomial")
        except (ValueError, KeyError) as error:
            reason = error.args[0] if error.args else str(error)
            return Fitted(None, f"no model: {reason}")
        without_bound = _without_bound(result)
        if without_bound:
            return Fitted(None, f"no model: {without_bound}")
        if result.converged:
            return Fitted(result, "; ".join([*failures, *_boundary(result)]))
        failures.append(f"without {left.pop()}, with which the fit did not converge")
    if failures:
        return Fitted(None, "no model: no fit converged")
    return Fitted(None, "no model: no observer or clip answered twice, so nothing to tell apart")


def coded(rows: pd.DataFrame, groups: Sequence[str], conditions: Sequence[str]) -> pd.DataFrame:
    """Return rows with group and version as categories in the order given."""
    data = rows.copy()
    data["group"] = pd.Categorical(data["group"], list(groups))
    data["condition"] = pd.Categorical(data["condition"], list(conditions))
    return data


def linear_contrast(result: MixedModelResult, rows: pd.DataFrame, weights: Array) -> Estimate:
    """Return ``weights @ linear predictor`` of rows without random effects, and its SE.

    Parameters
    ----------
    rows : DataFrame
        Columns of the fixed part (k rows); text becomes the categories of the fit.
    weights : ndarray of shape (k,)
    """
    cells = rows.copy()
    for name in cells:
        dtype = result.design.table[name].dtype
        if isinstance(dtype, pd.CategoricalDtype):
            cells[name] = pd.Categorical(cells[name], dtype.categories)
    row = weights @ result.design.fixed_spec.get_model_matrix(cells).to_numpy(float)
    variance = row @ result.estimate.vcov @ row
    return float(row @ result.estimate.beta), float(np.sqrt(variance))


def _without_bound(result: MixedModelResult) -> str:
    """Name random effects that only agreeing answers hold, whose variance runs away."""
    far = result.random["group"][result.random["sd"] > _FARTHEST]
    names = ", ".join(dict.fromkeys(map(str, far)))
    return f"no bound to the variance of {names}: answers agree too well" if names else ""


def _boundary(result: MixedModelResult) -> list[str]:
    """Variances that were found to be zero; such a fit is that of the model without them."""
    zero = [
        str(group)
        for group, sd in zip(result.random["group"], result.random["sd"], strict=True)
        if sd < 1e-3
    ]
    return [f"no variance found of {', '.join(zero)}"] if zero else []
