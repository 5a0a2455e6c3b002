"""Intervals beyond Wald's: likelihood profiles and the parametric bootstrap."""

from __future__ import annotations

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

if TYPE_CHECKING:
    from analysis.mixed_effects.result import MixedModelResult

Array = np.ndarray
_REACH = 8.0


def profile_intervals(
    model: MixedModelResult, terms: list[str] | None = None, level: float = 0.95
) -> pd.DataFrame:
    """Intervals of fixed effects where the profiled deviance rises by the chi-square quantile.

    Gaussian models are profiled by maximum likelihood, as in lme4.

    Parameters
    ----------
    terms : list of str, optional
        Names as in ``model.fixed``; all by default.

    Returns
    -------
    pandas.DataFrame
        Columns: term, estimate, ci_low, ci_high.
    """
    if model.specification.nodes != 1:
        raise ValueError("profile intervals are for Laplace and gaussian fits")
    names = list(model.design.fixed_names)
    wanted = names if terms is None else terms
    unknown = [name for name in wanted if name not in names]
    if unknown:
        raise ValueError(f"{unknown} are not fixed effects; those are {names}")
    rows = []
    estimator = Estimator(model.design, model.specification)
    arrays = estimator.arrays(model.response)
    with one_blas_thread(arrays.layout.is_small):
        for name in wanted:
            profile = FixedProfile(model, arrays, estimator.scaling, names.index(name))
            rows.append((name, profile.estimate, profile.end(-1, level), profile.end(1, level)))
    return pd.DataFrame(rows, columns=["term", "estimate", "ci_low", "ci_high"])


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
