"""Laplace approximation of a binomial mixed model's deviance, with its exact gradient.

With b = Lambda(theta) u and spherical u, the deviance is
``-2 loglik(eta(u)) + |u|^2 + log|Lambda' Z'WZ Lambda + I|`` at the mode u of the first two terms
(Bates et al. 2015, J. Stat. Softw. 67, and lme4's nAGQ = 1; W holds Fisher weights). The mode is
found by penalised iteratively reweighted least squares. The gradient differentiates the mode
implicitly: one more solve with the adjoint right-hand side gives every derivative.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from analysis.mixed_effects.blocks import BlockCholesky, BlockLayout
from analysis.mixed_effects.covariance import CovarianceShape
from analysis.mixed_effects.families import BinomialFamily, Moments
from analysis.mixed_effects.structure import GroupedColumns

Array = np.ndarray
MAX_ITERATIONS = 60
# A step that gains less than this cannot overshoot: weights hardly change along it.
_SURE = 1e-2


@dataclass
class BinomialArrays:
    """A binomial mixed model as arrays; rows may stand for several trials.

    ``fixed`` holds X as columns of a single level; ``factors`` one entry per grouping factor.
    """

    fixed: GroupedColumns
    factors: list[GroupedColumns]
    shape: CovarianceShape
    successes: Array
    trials: Array
    offset: Array
    layout: BlockLayout = field(init=False)

    def __post_init__(self) -> None:
        self.layout = BlockLayout(self.factors)


@dataclass(frozen=True)
class Mode:
    """The conditional mode and what was factorised there."""

    lambdas: list[Array]
    spherical: list[Array]
    beta: Array
    eta: Array
    moments: Moments
    cholesky: BlockCholesky
    penalised: float

    @property
    def deviance(self) -> float:
        """Laplace deviance without binomial coefficients."""
        return self.penalised + self.cholesky.log_determinant

    def effects(self) -> list[Array]:
        """Conditional modes b of the random effects per factor, (n_levels, q)."""
        return [u @ lam.T for u, lam in zip(self.spherical, self.lambdas, strict=True)]


class LaplaceDeviance:
    """Deviance and gradient of a binomial mixed model in (theta, beta).

    Parameters
    ----------
    arrays : BinomialArrays
    family : BinomialFamily
    tolerance : float
        On the squared Newton decrement of the last step to the mode; convergence is quadratic,
        so that the error left is about its square.
    """

    def __init__(
        self, arrays: BinomialArrays, family: BinomialFamily, tolerance: float = 1e-8
    ) -> None:
        self.arrays, self.family, self.tolerance = arrays, family, tolerance
        self.start = [np.zeros((f.n_levels, f.width)) for f in arrays.factors]
        self.n_evaluations = 0

    def __call__(self, parameters: Array) -> tuple[float, Array]:
        """Deviance and gradient at (theta, beta)."""
        n_theta = self.arrays.shape.n_theta
        mode = self.mode(parameters[:n_theta], parameters[n_theta:])
        return mode.deviance, self.gradient(mode)

    def mode(self, theta: Array, beta: Array) -> Mode:
        """The conditional mode, warm-started from the last one."""
        self.n_evaluations += 1
        arrays = self.arrays
        lambdas = arrays.shape.factors(theta)
        fixed = arrays.offset + arrays.fixed.expand(beta[None])
        spherical = self.start
        eta = fixed + self._random(spherical, lambdas)
        for _ in range(MAX_ITERATIONS):
            moments = self._moments(eta)
            slope = self._mode_slope(spherical, lambdas, moments)
            cholesky = self._newton_cholesky(moments, lambdas)
            step = [-x for x in cholesky.solve(slope)]
            decrement = -_dot(step, slope)
            spherical, eta = self._move(
                spherical, eta, step, self._random(step, lambdas), decrement
            )
            if decrement < self.tolerance:
                break
        self.start = spherical
        return self._mode_at(spherical, beta, eta, lambdas)

    def _mode_at(
        self, spherical: list[Array], beta: Array, eta: Array, lambdas: list[Array]
    ) -> Mode:
        """Weights and factorisation at a mode."""
        moments = self._moments(eta)
        layout = self.arrays.layout
        cholesky = BlockCholesky(layout, layout.gram(moments.weight), lambdas)
        penalised = self._penalised(eta, spherical)
        return Mode(lambdas, spherical, beta, eta, moments, cholesky, penalised)

    def value_at(self, mode: Mode) -> float:
        """The deviance, without binomial coefficients, where the mode is known."""
        return mode.deviance

    def gradient(self, mode: Mode) -> Array:
        """d deviance / d (theta, beta) by implicit differentiation of the mode."""
        arrays, moments = self.arrays, mode.moments
        posterior = mode.cholesky.posterior_blocks()
        pull = moments.weight_slope * posterior.leverages()  # d log|H| / d eta
        canonical = self.family.canonical
        observed = mode.cholesky if canonical else self._newton_cholesky(moments, mode.lambdas)
        adjoint = observed.solve(self._to_spherical(pull, mode.lambdas))
        rows = -2.0 * moments.score + pull
        rows -= moments.observed * self._random(adjoint, mode.lambdas)
        by_factor = self._factor_gradients(mode, rows, adjoint, posterior.factor_traces())
        return np.concatenate([arrays.shape.gradient(by_factor), arrays.fixed.collect(rows)[0]])

    def _factor_gradients(
        self, mode: Mode, rows: Array, adjoint: list[Array], traces: list[Array]
    ) -> list[Array]:
        """d deviance / d Lambda of each grouping factor."""
        return [
            factor.collect(rows).T @ u + factor.collect(mode.moments.score).T @ a + trace
            for factor, u, a, trace in zip(
                self.arrays.factors, mode.spherical, adjoint, traces, strict=True
            )
        ]

    def _moments(self, eta: Array) -> Moments:
        return self.family.moments(eta, self.arrays.successes, self.arrays.trials)

    def _random(self, spherical: list[Array], lambdas: list[Array]) -> Array:
        """Z Lambda u, (n,)."""
        parts = zip(self.arrays.factors, spherical, lambdas, strict=True)
        return sum(factor.expand(u @ lam.T) for factor, u, lam in parts)

    def _to_spherical(self, rows: Array, lambdas: list[Array]) -> list[Array]:
        """Lambda' Z' rows, per factor."""
        return [f.collect(rows) @ lam for f, lam in zip(self.arrays.factors, lambdas, strict=True)]

    def _mode_slope(
        self, spherical: list[Array], lambdas: list[Array], moments: Moments
    ) -> list[Array]:
        """Half the gradient of the penalised deviance in u."""
        scores = self._to_spherical(moments.score, lambdas)
        return [u - s for u, s in zip(spherical, scores, strict=True)]

    def _penalised(self, eta: Array, parts: list[Array]) -> float:
        """-2 loglik + |u|^2; ``parts`` begins with u per factor."""
        arrays = self.arrays
        spherical = parts[: len(arrays.factors)]
        fit = self.family.log_likelihood(eta, arrays.successes, arrays.trials)
        return -2.0 * fit + _dot(spherical, spherical)

    def _newton_cholesky(self, moments: Moments, lambdas: list[Array]) -> BlockCholesky:
        """Observed information where it is positive definite, Fisher's else."""
        layout = self.arrays.layout
        if not self.family.canonical:
            try:
                return BlockCholesky(layout, layout.gram(moments.observed), lambdas)
            except np.linalg.LinAlgError:
                pass
        return BlockCholesky(layout, layout.gram(moments.weight), lambdas)

    def _move(
        self, parts: list[Array], eta: Array, steps: list[Array], eta_step: Array, decrement: float
    ) -> tuple[list[Array], Array]:
        """A Newton step, halved until the penalised deviance no longer rises.

        ``parts`` and ``steps`` begin with u per factor; fixed effects may follow.
        """
        if decrement < _SURE:
            return [x + s for x, s in zip(parts, steps, strict=True)], eta + eta_step
        before = self._penalised(eta, parts)
        size = 1.0
        while size > 1e-9:
            moved = [x + size * s for x, s in zip(parts, steps, strict=True)]
            trial = eta + size * eta_step
            if self._penalised(trial, moved) <= before:
                return moved, trial
            size *= 0.5
        return parts, eta


def _dot(left: list[Array], right: list[Array]) -> float:
    return float(sum(np.vdot(a, b) for a, b in zip(left, right, strict=True)))
