"""What a mixed model cannot be fitted to; every error names the columns."""

from __future__ import annotations

import numpy as np
from scipy.linalg import qr
from scipy.optimize import linprog

from analysis.mixed_effects.design import ModelDesign
from analysis.mixed_effects.structure import encode_rows, first_rows

Array = np.ndarray
_SEPARATION_CELLS = 20_000


def check_rank(design: ModelDesign) -> None:
    """Raise ValueError if columns of X depend on others."""
    code, count = encode_rows(design.fixed)
    rows = design.fixed[first_rows(code, count)]
    scale = np.abs(rows).max(axis=0)
    _, triangle, pivots = qr(rows / np.where(scale > 0, scale, 1.0), mode="economic", pivoting=True)
    diagonal = np.abs(np.diagonal(triangle))
    rank = int((diagonal > 1e-9 * diagonal[0]).sum())
    if rank < design.fixed.shape[1]:
        names = [design.fixed_names[k] for k in sorted(pivots[rank:])]
        raise ValueError(
            f"fixed effects of {design.formula.text!r} are rank deficient: "
            f"{names} depend on the other columns (an empty cell of a design does this)"
        )


def binomial_counts(design: ModelDesign, weights_given: bool) -> tuple[Array, Array]:
    """Successes and trials per row, (n,) each.

    Raises
    ------
    ValueError
        If the response is neither 0/1, nor a proportion with trials as weights, nor counts.
    """
    name = " and ".join(design.formula.response)
    values = _numeric(design.response, name)
    if design.trials is not None:
        if (values < 0).any() or (design.trials < values).any():
            raise ValueError(f"counts in {name!r} must not be negative")
        return values, design.trials
    binary = np.isin(values, (0.0, 1.0)).all()
    inside = ((values >= 0) & (values <= 1)).all()
    if not binary and not (weights_given and inside):
        found = np.unique(values)[:6]
        raise ValueError(
            f"response {name!r} must be 0 or 1 (or proportions with trials as weights); "
            f"found values such as {found.tolist()}"
        )
    if (design.weights < 0).any():
        raise ValueError("weights must not be negative")
    return values * design.weights, design.weights


def gaussian_response(design: ModelDesign) -> Array:
    """Finite response values (n,)."""
    name = " and ".join(design.formula.response)
    if design.trials is not None:
        raise ValueError(f"cbind response {name!r} goes with family='binomial'")
    if (design.weights <= 0).any():
        raise ValueError("weights of a gaussian model must be above 0")
    values = _numeric(design.response, name)
    if np.ptp(values) == 0:
        raise ValueError(f"response {name!r} has the same value {values[0]} in every row")
    return values


def check_gaussian_levels(design: ModelDesign) -> None:
    """Raise ValueError where random effects outnumber rows."""
    for term in design.random:
        n_effects = len(term.levels) * term.columns.shape[1]
        if n_effects >= design.n_rows:
            raise ValueError(
                f"random term ({term.term.expression} | {term.group}) has {n_effects} effects "
                f"for {design.n_rows} rows: they cannot be told from residuals"
            )


def check_separation(design: ModelDesign, successes: Array, trials: Array) -> None:
    """Raise ValueError if some fixed effect would run to infinity.

    Cells of X with successes only or failures only push their linear predictor outwards. The fit
    has no bound if some direction is resisted by no cell, which a linear programme finds.
    """
    code, count = encode_rows(design.fixed)
    hits = np.bincount(code, successes, minlength=count)
    misses = np.bincount(code, trials - successes, minlength=count)
    used = (hits > 0) | (misses > 0)
    cells = design.fixed[first_rows(code, count)][used]
    sign = ((hits > 0).astype(float) - (misses > 0))[used]
    orthogonal, triangle = np.linalg.qr(cells)
    columns = orthogonal * np.sqrt(len(cells))  # of unit size, whatever the units of X
    # What part of the cells already holds in bounds, the whole does.
    part = np.linspace(0, len(cells) - 1, min(len(cells), _SEPARATION_CELLS)).astype(int)
    if _separating_direction(columns[part], sign[part]) is None:
        return
    direction = _separating_direction(columns, sign)
    if direction is not None:
        reach = np.abs(np.linalg.solve(triangle, direction)) * np.abs(cells).max(axis=0)
        names = [design.fixed_names[k] for k in np.flatnonzero(reach > 1e-6 * reach.max())]
        raise ValueError(
            f"complete or quasi-complete separation: {design.formula.response[0]!r} is always "
            f"the same in some cells of the fixed effects; without bound: {names}"
        )


def _separating_direction(columns: Array, sign: Array) -> Array | None:
    """Coefficients (p,) that no cell resists, or None.

    ``sign`` (k,) is 1 for cells of successes, -1 for cells of failures, 0 for mixed ones, whose
    linear predictor must stay.
    """
    mixed, pure = columns[sign == 0], (sign[:, None] * columns)[sign != 0]
    n_columns = columns.shape[1]
    # NumPy below 2.4 has no rank for no rows.
    rank = np.linalg.matrix_rank(mixed) if len(mixed) else 0
    if len(pure) == 0 or rank == n_columns:
        return None
    equalities = {"A_eq": mixed, "b_eq": np.zeros(len(mixed))} if len(mixed) else {}
    found = linprog(
        -pure.mean(axis=0),
        A_ub=-pure,
        b_ub=np.zeros(len(pure)),
        bounds=[(-1, 1)] * n_columns,
        method="highs",
        **equalities,
    )
    margins = pure @ found.x if found.status == 0 else np.zeros(1)
    return found.x if margins.min() > -1e-6 and margins.max() > 1e-4 else None


def _numeric(values: Array, name: str) -> Array:
    try:
        numbers = np.asarray(values, dtype=float)
    except (TypeError, ValueError) as error:
        raise ValueError(f"response {name!r} must be numeric; found {values[:3]}") from error
    if not np.isfinite(numbers).all():
        raise ValueError(f"response {name!r} has {np.sum(~np.isfinite(numbers))} infinite values")
    return numbers
