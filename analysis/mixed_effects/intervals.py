"""Intervals beyond Wald's: likelihood profiles and the parametric bootstrap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.stats import chi2

from analysis.mixed_effects.estimation import Estimator
from analysis.mixed_effects.gaussian import GaussianArrays, GaussianDeviance
from analysis.mixed_effects.laplace import BinomialArrays, LaplaceDeviance
from analysis.mixed_effects.optimise import Objective, minimise, positive_inverse
from analysis.mixed_effects.scaling import Scaling
from analysis.mixed_effects.simulate import Refitter, simulate
from analysis.mixed_effects.structure import GroupedColumns
from analysis.mixed_effects.threads import one_blas_thread
from analysis.mixed_effects.variance_profile import VarianceProfile, variance_parameters

if TYPE_CHECKING:
    from analysis.mixed_effects.result import MixedModelResult

Array = np.ndarray
_REACH = 8.0


def profile(
    model: MixedModelResult, which: str | Sequence[str] = "all", level: float = 0.95
) -> pd.DataFrame:
    """Profile intervals of fixed effects, standard deviations and correlations.

    An end is where the deviance, minimised over all other parameters, is above its minimum by the
    chi-square quantile with one degree of freedom (`analysis.mixed_effects.variance_profile`), as
    lme4's ``confint(method = "profile")`` has it. Gaussian models are profiled by maximum
    likelihood, REML fits too, and ``estimate`` is by maximum likelihood then. The limits of a
    standard deviation (0) and of a correlation (-1, 1) are ends where the deviance does not rise
    so far before them.

    Parameters
    ----------
    which : {"all", "fixed", "random"} or list of str
        Names of a list: fixed effects as in ``model.fixed``; else group and term as in the result,
        such as ``"observer sd (Intercept)"``, or ``"Residual sd"``.
    level : float
        Of the intervals.

    Returns
    -------
    pandas.DataFrame
        Columns: group (empty for fixed effects), term, estimate, ci_low, ci_high. All three are
        NaN for a correlation with a variance estimated as zero.

    Raises
    ------
    ValueError
        For an unknown name, listing the names, and for fits that are neither gaussian nor by
        Laplace's approximation.
    """
    if model.specification.nodes != 1:
        raise ValueError("profile intervals are for Laplace and gaussian fits")
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1; got {level}")
    fixed, parameters = list(model.design.fixed_names), variance_parameters(model)
    wanted = _wanted_names(which, fixed, [parameter.name for parameter in parameters])
    model = _by_maximum_likelihood(model)
    estimator = Estimator(model.design, model.specification)
    arrays, scaling = estimator.arrays(model.response), estimator.scaling
    rows = []
    with one_blas_thread(arrays.layout.is_small):
        for column, name in enumerate(fixed):
            if name in wanted:
                effect = FixedProfile(model, arrays, scaling, column)
                rows.append(("", name, effect.estimate, *effect.interval(level)))
        for parameter in parameters:
            if parameter.name in wanted:
                variance = VarianceProfile(model, arrays, scaling, parameter)
                ends = variance.interval(level)
                rows.append((parameter.group, parameter.term, variance.estimate, *ends))
    return pd.DataFrame(rows, columns=["group", "term", "estimate", "ci_low", "ci_high"])


def profile_intervals(
    model: MixedModelResult, terms: list[str] | None = None, level: float = 0.95
) -> pd.DataFrame:
    """Profile intervals of fixed effects alone, in the order of ``terms``; see `profile`.

    Returns
    -------
    pandas.DataFrame
        Columns: term, estimate, ci_low, ci_high.
    """
    names = list(model.design.fixed_names)
    wanted = names if terms is None else terms
    unknown = [name for name in wanted if name not in names]
    if unknown:
        raise ValueError(f"{unknown} are not fixed effects; those are {names}")
    table = profile(model, wanted, level).drop(columns="group")
    return table.set_index("term").loc[wanted].reset_index()


def _wanted_names(which: str | Sequence[str], fixed: list[str], random: list[str]) -> list[str]:
    choices = {"all": fixed + random, "fixed": fixed, "random": random}
    if isinstance(which, str) and which not in choices:
        raise ValueError(f"which must be all, fixed, random or a list of names; got {which!r}")
    wanted = choices[which] if isinstance(which, str) else list(which)
    unknown = [name for name in wanted if name not in choices["all"]]
    if unknown:
        raise ValueError(f"{unknown} are no parameters; those are {choices['all']}")
    return wanted


def _by_maximum_likelihood(model: MixedModelResult) -> MixedModelResult:
    """The same model without the restriction of the likelihood."""
    if not model.specification.reml:
        return model
    specification = replace(model.specification, reml=False)
    estimator = Estimator(model.design, specification)
    estimate, loglik = estimator.estimate(model.response, model.estimate)
    return replace(model, specification=specification, estimate=estimate, loglik=loglik)


class FixedProfile:
    """Deviance of one fixed effect, minimised over everything else.

    The effect's column becomes an offset, so that the rest is an ordinary model.
    """

    def __init__(
        self,
        model: MixedModelResult,
        arrays: BinomialArrays | GaussianArrays,
        scaling: Scaling,
        column: int,
    ) -> None:
        self._family, self._arrays = model.specification.family, arrays
        self._standard = scaling.to_standard(model.estimate)
        self._column, self._unit = column, float(scaling.fixed[column])
        self._rest = np.delete(np.arange(len(model.estimate.beta)), column)
        self._start = self._initial_point()
        self._inverse = self._initial_inverse()
        self._se = float(np.sqrt(model.estimate.vcov[column, column]))
        self.estimate = float(model.estimate.beta[column])
        self._minimum = self.deviance(self.estimate)

    def deviance(self, value: float) -> float:
        """Deviance with the effect held at ``value``."""
        found = minimise(self._objective(value), self._start, self._inverse)
        self._start = found.parameters
        return found.value

    def interval(self, level: float) -> tuple[float, float]:
        """Lower and upper end."""
        return self.end(-1, level), self.end(1, level)

    def end(self, side: int, level: float) -> float:
        """Where the deviance has risen enough, below (-1) or above (1) the estimate.

        Infinite if it has not within ``_REACH`` standard errors.
        """
        rise = chi2.ppf(level, 1)
        self._start = self._initial_point()

        def excess(distance: float) -> float:
            value = self.deviance(self.estimate + side * distance * self._se)
            return float(np.sqrt(max(value - self._minimum, 0.0)) - np.sqrt(rise))

        if excess(_REACH) < 0:
            return side * np.inf
        self._start = self._initial_point()
        return self.estimate + side * self._se * brentq(excess, 0.0, _REACH, xtol=1e-4)

    def _initial_point(self) -> Array:
        theta, on_diagonal = self._standard.theta, self._arrays.shape.on_diagonal
        # Zero is a stationary point of theta, from which no search would leave.
        theta = np.where(on_diagonal & (theta == 0), 1e-3, theta)
        if self._family is None:
            return theta
        return np.concatenate([theta, self._standard.beta[self._rest]])

    def _initial_inverse(self) -> Array:
        """Inverse Hessian of the parameters that stay free."""
        curvature, n_theta = self._standard.hessian, self._arrays.shape.n_theta
        if self._family is not None:
            keep = np.r_[np.arange(n_theta), n_theta + self._rest]
            curvature = curvature[np.ix_(keep, keep)]
        return positive_inverse(curvature, floor=0.01)

    def _objective(self, value: float) -> Objective:
        arrays, columns = self._arrays, self._arrays.fixed.columns
        fixed = GroupedColumns(arrays.fixed.index, columns[:, self._rest], 1)
        shift = value * self._unit * columns[:, self._column]
        if self._family is None:
            response = arrays.response - shift
            return GaussianDeviance(replace(arrays, fixed=fixed, response=response), reml=False)
        reduced = replace(arrays, fixed=fixed, offset=arrays.offset + shift)
        return LaplaceDeviance(reduced, self._family)


@dataclass(frozen=True)
class Bootstrap:
    """Estimates of every simulated data set: fixed effects (n, p), standard deviations (n, r)."""

    fixed: pd.DataFrame
    random_sd: pd.DataFrame
    n_singular: int
    n_not_converged: int

    def intervals(self, level: float = 0.95) -> pd.DataFrame:
        """Percentile intervals: part, term, ci_low, ci_high."""
        tails = [0.5 - level / 2, 0.5 + level / 2]
        parts = []
        for part, draws in (("fixed", self.fixed), ("random_sd", self.random_sd)):
            ends = draws.quantile(tails)
            table = pd.DataFrame({"term": draws.columns})
            table["ci_low"], table["ci_high"] = ends.iloc[0].to_numpy(), ends.iloc[1].to_numpy()
            table.insert(0, "part", part)
            parts.append(table)
        return pd.concat(parts, ignore_index=True)


def parametric_bootstrap(
    model: MixedModelResult, rng: np.random.Generator, n: int = 1000
) -> Bootstrap:
    """Simulate from the fitted model with new random effects and refit, ``n`` times."""
    refit = Refitter(model)
    refits = [refit(simulate(model, rng)[0]) for _ in range(n)]
    table = model.random
    names = [f"{g} {t}".strip() for g, t in zip(table["group"], table["term"], strict=True)]
    return Bootstrap(
        pd.DataFrame([r.estimate.beta for r in refits], columns=list(model.design.fixed_names)),
        pd.DataFrame([r.random["sd"].to_numpy() for r in refits], columns=names),
        sum(r.singular for r in refits),
        sum(not r.converged for r in refits),
    )
