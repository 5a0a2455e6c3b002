"""Estimated marginal means and their pairwise differences, as R's emmeans defines them.

The reference grid crosses all levels of the factors of the fixed part and holds numeric
covariates at their mean; means weigh the levels of other factors equally.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.stats import studentized_range

from analysis.mixed_effects.design import expression_columns
from analysis.mixed_effects.wald import wald_table

if TYPE_CHECKING:
    from analysis.mixed_effects.result import MixedModelResult

Array = np.ndarray
ADJUSTMENTS = ("holm", "tukey", "none")
SCALES = ("link", "response")


def marginal_means(
    model: MixedModelResult,
    specs: str | Sequence[str],
    by: str | Sequence[str] | None = None,
    scale: str = "link",
    level: float = 0.95,
    df: float | None = None,
) -> pd.DataFrame:
    """Means of the linear predictor (or the response) for each combination of factors.

    Parameters
    ----------
    scale : {"link", "response"}
    df : float, optional
        Student's t with these degrees of freedom instead of the normal distribution.

    Returns
    -------
    pandas.DataFrame
        Columns: the ``by`` factors, the ``specs`` factors, estimate, se, ci_low, ci_high. On
        the response scale se is by the delta method and the interval is that of the link,
        transformed.
    """
    _check_scale(scale)
    cells, rows = _linear_functions(model, specs, by)
    estimate = rows @ model.estimate.beta
    se = np.sqrt(np.einsum("kp,pq,kq->k", rows, model.estimate.vcov, rows))
    table = wald_table(estimate, se, level, df)[["estimate", "se", "ci_low", "ci_high"]]
    family = model.specification.family
    if scale == "response" and family is not None:
        table["se"] = se * np.abs(family.mean_slope(estimate))
        for name in ("estimate", "ci_low", "ci_high"):
            table[name] = family.mean(table[name].to_numpy())
    return pd.concat([cells, table], axis=1)


def pairwise_contrasts(
    model: MixedModelResult,
    specs: str | Sequence[str],
    by: str | Sequence[str] | None = None,
    adjust: str = "holm",
    scale: str = "link",
    level: float = 0.95,
    df: float | None = None,
) -> pd.DataFrame:
    """All pairwise differences of marginal means within each combination of ``by``.

    Parameters
    ----------
    adjust : {"holm", "tukey", "none"}
        For the p values, within each combination of ``by``. Intervals are not adjusted.
    scale : {"link", "response"}
        Differences of linear predictors, or of means on the response scale (delta method).
    df : float, optional
        Student's t with these degrees of freedom instead of the normal distribution.

    Returns
    -------
    pandas.DataFrame
        Columns: the ``by`` factors, contrast, estimate, se, z, p, ci_low, ci_high.
    """
    _check_scale(scale)
    if adjust not in ADJUSTMENTS:
        raise ValueError(f"adjust must be one of {', '.join(ADJUSTMENTS)}; got {adjust!r}")
    cells, rows = _linear_functions(model, specs, by)
    means, rows = _on_scale(model, rows, scale)
    labels = cells[_as_list(specs)].astype(str).agg(" ".join, axis=1)
    parts = []
    for key, index in _by_groups(cells, _as_list(by)):
        pairs = list(combinations(index, 2))
        left, right = (np.array(side, dtype=int) for side in zip(*pairs, strict=True))
        jacobian = rows[left] - rows[right]
        se = np.sqrt(np.einsum("kp,pq,kq->k", jacobian, model.estimate.vcov, jacobian))
        table = wald_table(means[left] - means[right], se, level, df)
        raw, z = table["p"].to_numpy(), table["z"].to_numpy()
        table["p"] = adjust_p(raw, z, len(index), adjust, df)
        table.insert(0, "contrast", [f"{labels[a]} - {labels[b]}" for a, b in pairs])
        for position, (name, value) in enumerate(key.items()):
            table.insert(position, name, value)
        parts.append(table)
    return pd.concat(parts, ignore_index=True)


def adjust_p(p: Array, z: Array, n_means: int, method: str, df: float | None = None) -> Array:
    """p values (k,) adjusted for k comparisons among ``n_means`` means."""
    if method == "none":
        return p
    if method == "tukey":
        return studentized_range.sf(np.sqrt(2.0) * np.abs(z), n_means, np.inf if df is None else df)
    order = np.argsort(p)
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    out = np.empty_like(p)
    out[order] = np.minimum(stepped, 1.0)
    return out


def reference_grid(model: MixedModelResult) -> pd.DataFrame:
    """Every combination of the fixed factors' levels, covariates at their mean."""
    table = model.design.table
    used = expression_columns(model.design.formula.fixed, table.columns)
    names = [name for name in table.columns if name in used]
    if not names:
        raise ValueError(f"{model.formula!r} has no factors whose means could be taken")
    values = {name: _grid_values(table[name]) for name in names}
    grid = pd.MultiIndex.from_product(values.values(), names=names).to_frame(index=False)
    for name in names:
        if isinstance(table[name].dtype, pd.CategoricalDtype):
            grid[name] = pd.Categorical(grid[name], table[name].cat.categories)
    return grid


def _grid_values(column: pd.Series) -> list:
    if isinstance(column.dtype, pd.CategoricalDtype):
        return list(column.cat.categories)
    if column.dtype == bool:
        return [False, True]
    return [float(column.mean())]


def _linear_functions(
    model: MixedModelResult, specs: str | Sequence[str], by: str | Sequence[str] | None
) -> tuple[pd.DataFrame, Array]:
    """Cells of ``by`` and ``specs`` (k rows) and their rows of coefficients (k, p)."""
    grid = reference_grid(model)
    wanted = [*_as_list(by), *_as_list(specs)]
    factors = [n for n in grid.columns if grid[n].nunique() > 1]
    unknown = [name for name in wanted if name not in factors]
    if unknown:
        raise ValueError(f"{unknown} are not factors of the fixed part, which has {factors}")
    design = model.design.fixed_spec.get_model_matrix(grid).to_numpy(float)
    code = grid.groupby(wanted, observed=True, sort=True).ngroup().to_numpy()
    counts = np.bincount(code)
    rows = np.stack([np.bincount(code, column) / counts for column in design.T], axis=1)
    cells = grid[wanted].drop_duplicates().sort_values(wanted).reset_index(drop=True)
    return cells, rows


def _on_scale(model: MixedModelResult, rows: Array, scale: str) -> tuple[Array, Array]:
    """Means and their Jacobian with respect to beta."""
    eta = rows @ model.estimate.beta
    family = model.specification.family
    if scale == "link" or family is None:
        return eta, rows
    return family.mean(eta), family.mean_slope(eta)[:, None] * rows


def _by_groups(cells: pd.DataFrame, by: list[str]) -> list[tuple[dict, Array]]:
    if not by:
        return [({}, np.arange(len(cells)))]
    return [
        (dict(zip(by, key, strict=True)), part.index.to_numpy())
        for key, part in cells.groupby(by, observed=True, sort=True)
    ]


def _as_list(names: str | Sequence[str] | None) -> list[str]:
    if names is None:
        return []
    return [names] if isinstance(names, str) else list(names)


def _check_scale(scale: str) -> None:
    if scale not in SCALES:
        raise ValueError(f"scale must be one of {', '.join(SCALES)}; got {scale!r}")
