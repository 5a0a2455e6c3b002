"""`fit`: from a formula and a table to a fitted mixed model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from analysis.mixed_effects import checks
from analysis.mixed_effects.crosscheck import ENGINES, CrossCheck, cross_check
from analysis.mixed_effects.design import ModelDesign, build_design
from analysis.mixed_effects.estimation import Estimator, Specification
from analysis.mixed_effects.families import BinomialFamily
from analysis.mixed_effects.result import MixedModelResult

FAMILIES = ("binomial", "gaussian")


def fit(
    formula: str,
    data: pd.DataFrame,
    family: str = "binomial",
    link: str = "logit",
    *,
    weights: str | Sequence[float] | None = None,
    offset: str | Sequence[float] | None = None,
    reml: bool = True,
    n_agq: int = 1,
    n_choices: int | None = None,
    floor: float | None = None,
    engine: str = "native",
) -> MixedModelResult | CrossCheck:
    """Fit a mixed-effects model by (restricted) maximum likelihood.

    Parameters
    ----------
    formula : str
        lme4's syntax, such as ``correct ~ group * condition + (1 + condition | observer) +
        (1 | item)``; ``||``, ``a/b``, ``a:b``, ``offset(x)`` and ``cbind(hits, misses) ~`` too.
    data : pandas.DataFrame
        One row per trial or per count. The first category of a categorical column is the
        reference; text sorts. Rows with missing values are dropped with a warning.
    family : {"binomial", "gaussian"}
    link : {"logit", "probit", "cloglog", "mafc_logit", "mafc_probit"}
        For binomial models. The ``mafc`` links have a guessing floor.
    weights, offset : column name or array, optional
        Weights are trials for a binomial model, inverse variances for a gaussian one.
    reml : bool
        Gaussian models: restricted likelihood.
    n_agq : int
        Binomial models: 1 Laplace, 0 the fast first stage, more for adaptive Gauss-Hermite
        quadrature with a single scalar random term.
    n_choices, floor : optional
        Guessing floor of the ``mafc`` links, as 1 / n_choices or as such.
    engine : {"native", "statsmodels", "lme4"}
        Other software for a cross-check, which gives a `CrossCheck`.

    Returns
    -------
    MixedModelResult

    Raises
    ------
    KeyError, ValueError
        For missing columns, and designs or responses that cannot be fitted, by name.

    Examples
    --------
    >>> result = fit("correct ~ condition + (1 | observer) + (1 | item)", trials)
    >>> print(result.summary())
    """
    _check_one_of("family", family, FAMILIES)
    _check_one_of("engine", engine, ENGINES)
    if n_agq < 0:
        raise ValueError(f"n_agq must be 0, 1 or a number of quadrature nodes; got {n_agq}")
    gaussian = family == "gaussian"
    chosen = None if gaussian else binomial_family(link, n_choices, floor)
    specification = Specification(chosen, reml and gaussian, 1 if gaussian else n_agq)
    design = build_design(formula, data, weights, offset)
    response = _checked_response(design, gaussian, weights is not None)
    if engine != "native":
        return cross_check(engine, design, specification, response)
    estimator = Estimator(design, specification)
    estimate, loglik = estimator.estimate(response)
    return MixedModelResult(design, specification, estimator.plan, estimate, response, loglik)


def _check_one_of(name: str, value: str, options: tuple[str, ...]) -> None:
    if value not in options:
        raise ValueError(f"{name} must be one of {', '.join(options)}; got {value!r}")


def _checked_response(design: ModelDesign, gaussian: bool, weights_given: bool) -> np.ndarray:
    """Successes or values of each row, after everything that speaks against a fit."""
    checks.check_rank(design)
    if gaussian:
        checks.check_gaussian_levels(design)
        return checks.gaussian_response(design)
    successes, trials = checks.binomial_counts(design, weights_given)
    checks.check_separation(design, successes, trials)
    return successes


def binomial_family(link: str, n_choices: int | None, floor: float | None) -> BinomialFamily:
    """Family with the guessing floor given either way."""
    if n_choices is not None and floor is not None:
        raise ValueError("give n_choices or floor, not both")
    if n_choices is not None and n_choices < 2:
        raise ValueError(f"n_choices must be at least 2; got {n_choices}")
    return BinomialFamily(link, 1.0 / n_choices if n_choices else floor or 0.0)
