"""Likelihood profiles of standard deviations and correlations of the random effects.

The signed root of the deviance, ``sign(x - estimate) sqrt(d(x) - d(estimate))`` with everything
but x at its best, is about standard normal where x is true (Bates & Watts 1988, *Nonlinear
Regression Analysis*, chapter 6). The interval is where it stays within the root of the chi-square
quantile with one degree of freedom; variances, whose estimates are skewed, need this rather than
a standard error.

A standard deviation is the length of one row of the Cholesky factor. With the columns of its term
reordered so that it comes first, that row is a single number, and holding the parameter means
holding that number: everything else stays free of constraints. For a correlation both coefficients
come first.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import brentq
from scipy.stats import chi2

from analysis.mixed_effects.covariance import CovarianceShape
from analysis.mixed_effects.gaussian import GaussianArrays, GaussianDeviance
from analysis.mixed_effects.held import Held, HeldCorrelation, HeldDeviation, HeldResidual
from analysis.mixed_effects.laplace import BinomialArrays, LaplaceDeviance
from analysis.mixed_effects.optimise import Objective, hessian, minimise, positive_inverse
from analysis.mixed_effects.scaling import Scaling
from analysis.mixed_effects.structure import GroupedColumns

if TYPE_CHECKING:
    from analysis.mixed_effects.result import MixedModelResult

Array = np.ndarray
# A relative standard deviation of zero is a stationary point: searches start from here at least.
_OFF_ZERO = 0.05
# Of the differences of slopes for the Hessian.
_STEP = 1e-3
# How well an end is found, of the length of the bracket.
_PRECISION = 1e-5
_MAX_DOUBLINGS = 20
# A deviance so far below the fit's means that the fit had not found the minimum.
_LOWER = 1e-3


@dataclass(frozen=True)
class VarianceParameter:
    """One standard deviation or correlation.

    ``position`` is that of its term in the formula, None for the residual; ``columns`` one
    coefficient of the term for a standard deviation, two for a correlation.
    """

    group: str
    term: str
    position: int | None
    columns: tuple[int, ...]

    @property
    def name(self) -> str:
        """Group and term."""
        return f"{self.group} {self.term}"


def variance_parameters(model: MixedModelResult) -> list[VarianceParameter]:
    """All of a model: standard deviations and then correlations of each term, the residual last."""
    out = []
    for position, (group, covariance) in enumerate(model.random_covariances.items()):
        names = list(covariance.columns)
        out.extend(
            VarianceParameter(group, f"sd {name}", position, (k,)) for k, name in enumerate(names)
        )
        out.extend(
            VarianceParameter(group, f"cor {names[i]}, {names[j]}", position, (i, j))
            for j in range(len(names))
            for i in range(j)
        )
    if model.specification.family is None:
        out.append(VarianceParameter("Residual", "sd", None, ()))
    return out


class ResidualDeviance:
    """Deviance of a linear mixed model (ML) and its gradient in (theta, log sigma).

    With P the deviance at the best sigma for theta, and rho the residual sum of squares over
    n sigma^2, it is ``P + n (rho - 1 - log rho)``.
    """

    def __init__(self, arrays: GaussianArrays) -> None:
        self._profiled, self._shape = GaussianDeviance(arrays, reml=False), arrays.shape

    def __call__(self, parameters: Array) -> tuple[float, Array]:
        """Deviance and gradient at (theta, log sigma)."""
        n, profile = self._profiled.degrees, self._profiled.profile(parameters[:-1])
        log_rho = np.log(profile.residual_ss / n) - 2.0 * parameters[-1]
        rho = float(np.exp(log_rho))
        slope = self._profiled.gradient(profile)
        traces = profile.cholesky.posterior_blocks().factor_traces()
        slope += (rho - 1.0) * (slope - self._shape.gradient(traces))
        value = profile.deviance + n * (rho - 1.0 - log_rho)
        return value, np.append(slope, 2.0 * n * (1.0 - rho))


class VarianceProfile:
    """Deviance of one parameter, minimised over everything else.

    Parameters
    ----------
    model : MixedModelResult
        By maximum likelihood.
    arrays : BinomialArrays or GaussianArrays
        Of the model.
    scaling : Scaling
    parameter : VarianceParameter
    """

    def __init__(
        self,
        model: MixedModelResult,
        arrays: BinomialArrays | GaussianArrays,
        scaling: Scaling,
        parameter: VarianceParameter,
    ) -> None:
        self.parameter, self._shape = parameter, arrays.shape
        self._unit = _unit(arrays.shape, scaling, parameter)
        self._held = _held(model, arrays.shape, parameter)
        point = _reordered_point(_point(model, scaling), arrays.shape, parameter)
        arrays, family = _reordered(arrays, parameter), model.specification.family
        self._full: Objective = (
            ResidualDeviance(arrays) if family is None else LaplaceDeviance(arrays, family)
        )
        self._best, self._sigma = self._held.value(point), model.estimate.sigma
        self._found = {self._best: (model.estimate.deviance, point)}

    @property
    def estimate(self) -> float:
        """The parameter in the table's units; NaN for a correlation with a variance of zero."""
        return self._best / self._unit

    def deviance(self, value: float) -> float:
        """Deviance with the parameter held at ``value``, in the table's units."""
        return self._deviance(value * self._unit)

    def interval(self, level: float) -> tuple[float, float]:
        """Lower and upper end; the parameter's limit where the deviance does not rise enough.

        NaN where the estimate is.
        """
        if np.isnan(self._best):
            return np.nan, np.nan
        root = float(np.sqrt(chi2.ppf(level, 1)))
        ends = self._end(-1, root) / self._unit, self._end(1, root) / self._unit
        self._warn_of_lower_deviances()
        return ends

    def _deviance(self, value: float) -> float:
        """Searched from the best point of the nearest value so far."""
        if value not in self._found:
            nearest = min(self._found, key=lambda known: abs(known - value))
            start = self._start(self._found[nearest][1])
            found = minimise(self._objective(value), start, self._inverse)
            self._found[value] = found.value, self._held.join(value, found.parameters)
        return self._found[value][0]

    def _end(self, side: int, root: float) -> float:
        """Where the root of the rise reaches ``root``, in the engine's units."""
        minimum = self._found[self._best][0]

        def excess(value: float) -> float:
            return float(np.sqrt(max(self._deviance(value) - minimum, 0.0)) - root)

        outer = self._held.limits[0 if side < 0 else 1]
        if not np.isfinite(outer):
            outer = self._beyond(side, excess)
        if not np.isfinite(outer) or excess(outer) <= 0:
            return outer
        precision = _PRECISION * abs(outer - self._best)
        return float(brentq(excess, self._best, outer, xtol=precision))

    def _beyond(self, side: int, excess: Callable[[float], float]) -> float:
        """A value past the end; infinite if there is none, as where the deviance levels off."""
        # From a variance of zero any small step will do.
        value = max(self._best, _OFF_ZERO * self._sigma)
        for _ in range(_MAX_DOUBLINGS):
            value *= 2.0**side
            if excess(value) > 0:
                return value
        return side * np.inf

    def _warn_of_lower_deviances(self) -> None:
        lowest = min(deviance for deviance, _ in self._found.values())
        below = self._found[self._best][0] - lowest
        if below > _LOWER:
            warnings.warn(
                f"the profile of {self.parameter.name} found a deviance {below:.2g} below that of "
                "the fit, which is not at its minimum; the interval is too wide",
                UserWarning,
                stacklevel=2,
            )

    def _objective(self, value: float) -> Objective:
        def deviance(free: Array) -> tuple[float, Array]:
            found, slope = self._full(self._held.join(value, free))
            return found, self._held.pull(value, free, slope)

        return deviance

    def _start(self, point: Array) -> Array:
        """The free numbers at a point, with no variance at zero."""
        point, n_theta = point.copy(), self._shape.n_theta
        at_zero = self._shape.on_diagonal & (np.abs(point[:n_theta]) < _OFF_ZERO)
        point[:n_theta][at_zero] = _OFF_ZERO
        return self._held.free(point)

    @cached_property
    def _inverse(self) -> Array:
        """Inverse Hessian of the free numbers at the estimate."""
        start = self._start(self._found[self._best][1])
        steps = np.full(len(start), _STEP)
        return positive_inverse(hessian(self._objective(self._best), start, steps), floor=0.01)


def _point(model: MixedModelResult, scaling: Scaling) -> Array:
    """(theta, beta) or (theta, log sigma) of the fit, in the engine's units."""
    standard = scaling.to_standard(model.estimate)
    gaussian = model.specification.family is None
    return np.append(standard.theta, np.log(standard.sigma) if gaussian else standard.beta)


def _first_theta(shape: CovarianceShape, position: int) -> int:
    """Index of the first theta of a term."""
    return sum(term.width * (term.width + 1) // 2 for term in shape.terms[:position])


def _column_order(width: int, parameter: VarianceParameter) -> list[int]:
    """The parameter's columns of its term first."""
    rest = [k for k in range(width) if k not in parameter.columns]
    return [*parameter.columns, *rest]


def _unit(shape: CovarianceShape, scaling: Scaling, parameter: VarianceParameter) -> float:
    """The engine's units per unit of the table: correlations have none, nor has the response."""
    if parameter.position is None or len(parameter.columns) == 2:
        return 1.0
    term = shape.terms[parameter.position]
    return float(scaling.factors[term.factor][term.start + parameter.columns[0]])


def _held(model: MixedModelResult, shape: CovarianceShape, parameter: VarianceParameter) -> Held:
    if parameter.position is None:
        return HeldResidual()
    first = _first_theta(shape, parameter.position)
    if len(parameter.columns) == 1:
        return HeldDeviation(first, gaussian=model.specification.family is None)
    return HeldCorrelation(first, first + shape.terms[parameter.position].width)


def _reordered(
    arrays: BinomialArrays | GaussianArrays, parameter: VarianceParameter
) -> BinomialArrays | GaussianArrays:
    """Arrays with the columns of the parameter's term in its order."""
    if parameter.position is None:
        return arrays
    term = arrays.shape.terms[parameter.position]
    order = np.arange(arrays.shape.widths[term.factor])
    own = slice(term.start, term.start + term.width)
    order[own] = term.start + np.array(_column_order(term.width, parameter))
    factors = list(arrays.factors)
    old = factors[term.factor]
    factors[term.factor] = GroupedColumns(old.index, old.columns[:, order], old.n_levels)
    return replace(arrays, factors=factors)


def _reordered_point(point: Array, shape: CovarianceShape, parameter: VarianceParameter) -> Array:
    """The point with the same covariance in the parameter's order of columns."""
    if parameter.position is None:
        return point
    factor = shape.term_factor(point[: shape.n_theta], parameter.position)
    # A triangular factor of the same product, which a singular one has too.
    lower = np.linalg.qr(factor[_column_order(len(factor), parameter)].T, mode="r").T
    point, first = point.copy(), _first_theta(shape, parameter.position)
    entries = lower.T[np.triu_indices(len(lower))]
    point[first : first + len(entries)] = entries
    point[: shape.n_theta] = shape.canonical(point[: shape.n_theta])
    return point
