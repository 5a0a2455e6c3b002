"""Wald tests of single effects and of whole terms, and likelihood-ratio tests of nested models."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from formulaic import model_matrix
from scipy.stats import chi2, norm
from scipy.stats import t as student_t

from analysis.mixed_effects.design import expression_columns

if TYPE_CHECKING:
    from analysis.mixed_effects.result import MixedModelResult

Array = np.ndarray


def wald_table(
    estimate: Array, se: Array, level: float = 0.95, df: float | None = None
) -> pd.DataFrame:
    """estimate, se, z, p and interval, (k,) each; normal, or Student's t with ``df``."""
    reference = norm if df is None else student_t(df)
    half = reference.ppf(0.5 + level / 2) * se
    with np.errstate(divide="ignore", invalid="ignore"):
        z = estimate / se
    return pd.DataFrame(
        {
            "estimate": estimate,
            "se": se,
            "z": z,
            "p": 2.0 * reference.sf(np.abs(z)),
            "ci_low": estimate - half,
            "ci_high": estimate + half,
        }
    )


def type_three_table(model: MixedModelResult) -> pd.DataFrame:
    """Joint Wald test of each term with sum-to-zero coding, whatever coding the fit has.

    A main effect is the one averaged over the levels of the other factors (type III) and where
    covariates that it interacts with are zero: centre those.

    Returns
    -------
    pandas.DataFrame
        Columns: term, chisq, df, p; without the intercept.
    """
    design = model.design
    used = expression_columns(design.formula.fixed, design.table.columns)
    factors = [
        name
        for name in design.table.columns
        if name in used and isinstance(design.table[name].dtype, pd.CategoricalDtype)
    ]
    formula = _with_sum_coding(design.formula.fixed, factors)
    recoded = model_matrix(formula, design.table)
    transform = np.linalg.lstsq(design.fixed, recoded.to_numpy(float), rcond=None)[0]
    rows = np.linalg.inv(transform)  # beta in the fit's coding to beta in sum coding
    table = []
    for term, columns in recoded.model_spec.term_slices.items():
        name = re.sub(r"C\((\w+), contr\.sum\)", r"\1", str(term))
        if name != "1":
            table.append((name, *wald_chi_square(model, rows[columns])))
    return pd.DataFrame(table, columns=["term", "chisq", "df", "p"])


def wald_chi_square(model: MixedModelResult, rows: Array) -> tuple[float, int, float]:
    """Test that ``rows`` (k, p) times beta is zero: chi-square, degrees of freedom, p."""
    values = rows @ model.estimate.beta
    covariance = rows @ model.estimate.vcov @ rows.T
    statistic = float(values @ np.linalg.solve(covariance, values))
    return statistic, len(rows), float(chi2.sf(statistic, len(rows)))


def likelihood_ratio_test(*models: MixedModelResult) -> pd.DataFrame:
    """Compare nested models of the same rows, smallest first.

    A variance that is tested against zero lies at the boundary, so that p is conservative.

    Returns
    -------
    pandas.DataFrame
        Columns: formula, n_parameters, aic, bic, loglik, chisq, df, p; each row against the one
        above.

    Raises
    ------
    ValueError
        For models of different rows, families or methods, or REML fits whose fixed parts differ.
    """
    if len(models) < 2:
        raise ValueError(f"a comparison needs at least two models; got {len(models)}")
    ordered = sorted(models, key=lambda model: model.n_parameters)
    for other in ordered[1:]:
        _check_comparable(ordered[0], other)
    table = pd.DataFrame(
        [(m.formula, m.n_parameters, m.aic, m.bic, m.loglik) for m in ordered],
        columns=["formula", "n_parameters", "aic", "bic", "loglik"],
    )
    table["chisq"] = 2.0 * table["loglik"].diff()
    table["df"] = table["n_parameters"].diff()
    table["p"] = chi2.sf(table["chisq"].clip(lower=0.0), table["df"])
    table.loc[table["df"] == 0, "p"] = np.nan
    return table


def _with_sum_coding(formula: str, factors: list[str]) -> str:
    for name in factors:
        if re.search(rf"\w\([^()]*\b{re.escape(name)}\b", formula):
            raise ValueError(f"a type III table needs {name!r} as it is, not inside a function")
        pattern = rf"(?<![\w.]){re.escape(name)}(?![\w.])"
        formula = re.sub(pattern, f"C({name}, contr.sum)", formula)
    return formula


def _check_comparable(a: MixedModelResult, b: MixedModelResult) -> None:
    if a.n_rows != b.n_rows:
        raise ValueError(f"models of different rows: {a.n_rows} and {b.n_rows}")
    if not np.array_equal(a.design.response, b.design.response):
        raise ValueError("models of different responses cannot be compared")
    if a.specification.name != b.specification.name:
        raise ValueError(f"families differ: {a.specification.name}, {b.specification.name}")
    if a.specification.method != b.specification.method:
        raise ValueError(f"methods differ: {a.specification.method}, {b.specification.method}")
    gaussian = a.specification.family is None
    if gaussian and a.specification.reml and a.design.fixed_names != b.design.fixed_names:
        raise ValueError("REML likelihoods of different fixed parts differ in data: use reml=False")
