"""Arrays in, estimates out: the course of a fit from first guess to standard errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import block_diag

from analysis.mixed_effects.blocks import BlockCholesky
from analysis.mixed_effects.covariance import CovarianceShape
from analysis.mixed_effects.families import BinomialFamily
from analysis.mixed_effects.first_stage import FirstStageDeviance
from analysis.mixed_effects.gaussian import GaussianArrays, GaussianDeviance
from analysis.mixed_effects.laplace import BinomialArrays, LaplaceDeviance
from analysis.mixed_effects.optimise import (
    Minimum,
    is_definite,
    minimise,
    newton_gain,
    polish,
    positive_inverse,
    pseudo_inverse,
)
from analysis.mixed_effects.quadrature import QuadratureDeviance
from analysis.mixed_effects.threads import one_blas_thread

Array = np.ndarray
_SINGULAR = 1e-4
_FIRST_STAGE_TOLERANCE = 1e-2


@dataclass(frozen=True)
class Estimate:
    """What the engine found.

    ``vcov`` (p, p) of the fixed effects; ``effects`` b per grouping factor (n_levels, q) and
    their standard deviations ``effect_sds``, conditional on theta and beta; ``hessian`` of the
    deviance in the optimised parameters (k, k); ``deviance`` is -2 loglik without binomial
    coefficients; ``gain`` is what one more Newton step would take off it.
    """

    theta: Array
    beta: Array
    vcov: Array
    sigma: float
    deviance: float
    effects: list[Array]
    effect_sds: list[Array]
    hessian: Array
    gain: float
    n_evaluations: int
    singular: bool
    hessian_definite: bool

    @property
    def converged(self) -> bool:
        """Whether the minimum is one: nothing left to gain, no direction down."""
        return self.gain < 1e-4 and self.hessian_definite


def fit_binomial(
    arrays: BinomialArrays,
    family: BinomialFamily,
    n_agq: int = 1,
    start: Estimate | None = None,
) -> Estimate:
    """Laplace (``n_agq`` 1), first-stage (0) or quadrature (more) estimates.

    Parameters
    ----------
    start : Estimate, optional
        Of the same model for a similar response; it takes the place of the first stage.
    """
    with one_blas_thread(arrays.layout.is_small):
        if n_agq == 0:
            first = FirstStageDeviance(arrays, family, tolerance=1e-6)
            return _first_stage_estimate(first, _first_stage(first))
        objective = (
            LaplaceDeviance(arrays, family)
            if n_agq == 1
            else QuadratureDeviance(arrays, family, n_agq)
        )
        if start is None:
            point, inverse = _from_first_stage(objective)
        else:
            theta = _off_boundary(arrays.shape, start.theta)
            point = np.concatenate([theta, start.beta])
            inverse = positive_inverse(start.hessian, floor=0.1)
        return _laplace_estimate(objective, *polish(objective, minimise(objective, point, inverse)))


def _first_stage(first: FirstStageDeviance) -> Minimum:
    shape = first.arrays.shape
    guess = np.diag(_level_guess(shape, first.arrays))
    return minimise(first, shape.start(0.5), guess, _FIRST_STAGE_TOLERANCE)


def _from_first_stage(objective: LaplaceDeviance) -> tuple[Array, Array]:
    """Start (theta, beta) and a guess of the inverse Hessian there."""
    first = FirstStageDeviance(objective.arrays, objective.family, tolerance=1e-6)
    rough = _first_stage(first)
    mode = first.joint_mode(rough.parameters)
    objective.start = mode.spherical
    objective.n_evaluations += first.n_evaluations
    fixed = 0.5 * np.linalg.inv(first.information(mode))
    return np.concatenate([rough.parameters, mode.beta]), block_diag(rough.inverse_hessian, fixed)


def fit_gaussian(arrays: GaussianArrays, reml: bool, start: Array | None = None) -> Estimate:
    """REML or ML estimates of a linear mixed model."""
    with one_blas_thread(arrays.layout.is_small):
        return _fit_gaussian(arrays, reml, start)


def _fit_gaussian(arrays: GaussianArrays, reml: bool, start: Array | None) -> Estimate:
    shape = arrays.shape
    objective = GaussianDeviance(arrays, reml)
    begin = shape.start(0.5) if start is None else _off_boundary(shape, start)
    guess = np.diag(_level_guess(shape, arrays))
    minimum, curvature = polish(objective, minimise(objective, begin, guess))
    theta, facts = _conclude(shape, minimum, curvature)
    profile = objective.profile(theta)
    variance = profile.residual_ss / objective.degrees
    return Estimate(
        theta=theta,
        beta=profile.beta,
        vcov=variance * np.linalg.inv(profile.information),
        sigma=float(np.sqrt(variance)),
        deviance=profile.deviance,
        effects=profile.effects(),
        effect_sds=_effect_sds(profile.cholesky, float(np.sqrt(variance))),
        n_evaluations=objective.n_evaluations,
        **facts,
    )


def _laplace_estimate(objective: LaplaceDeviance, minimum: Minimum, curvature: Array) -> Estimate:
    shape = objective.arrays.shape
    theta, facts = _conclude(shape, minimum, curvature)
    beta = minimum.parameters[shape.n_theta :]
    mode = objective.mode(theta, beta)
    return Estimate(
        theta=theta,
        beta=beta,
        vcov=fixed_covariance(curvature, shape.n_theta),
        sigma=1.0,
        deviance=objective.value_at(mode),
        effects=mode.effects(),
        effect_sds=_effect_sds(mode.cholesky, 1.0),
        n_evaluations=objective.n_evaluations,
        **facts,
    )


def _first_stage_estimate(first: FirstStageDeviance, rough: Minimum) -> Estimate:
    """Estimates of nAGQ = 0, whose standard errors take theta as known."""
    shape = first.arrays.shape
    minimum, curvature = polish(first, minimise(first, rough.parameters, rough.inverse_hessian))
    theta, facts = _conclude(shape, minimum, curvature)
    mode = first.joint_mode(theta)
    return Estimate(
        theta=theta,
        beta=mode.beta,
        vcov=np.linalg.inv(first.information(mode)),
        sigma=1.0,
        deviance=mode.deviance,
        effects=mode.effects(),
        effect_sds=_effect_sds(mode.cholesky, 1.0),
        n_evaluations=first.n_evaluations,
        **facts,
    )


def _effect_sds(cholesky: BlockCholesky, sigma: float) -> list[Array]:
    variances = cholesky.posterior_blocks().effect_variances()
    return [sigma * np.sqrt(variance) for variance in variances]


def _conclude(
    shape: CovarianceShape, minimum: Minimum, curvature: Array
) -> tuple[Array, dict[str, Any]]:
    """Theta with canonical signs and zeros, and what an Estimate says about the minimum.

    A relative standard deviation below 1e-4 is zero, lme4's criterion of a singular fit too.
    """
    theta = shape.canonical(minimum.parameters[: shape.n_theta])
    zero = shape.on_diagonal & (np.abs(theta) < _SINGULAR)
    facts = {
        "hessian": curvature,
        "gain": newton_gain(minimum.gradient, curvature),
        "singular": bool(zero.any()),
        "hessian_definite": is_definite(curvature),
    }
    return np.where(zero, 0.0, theta), facts


def fixed_covariance(curvature: Array, n_theta: int) -> Array:
    """Covariance of beta from the Hessian of the deviance in (theta, beta).

    Directions of theta without curvature, which a singular fit can have, are left out.
    """
    tt, tb = curvature[:n_theta, :n_theta], curvature[:n_theta, n_theta:]
    information = curvature[n_theta:, n_theta:] - tb.T @ pseudo_inverse(tt) @ tb
    return 2.0 * np.linalg.inv(information)


def _level_guess(shape: CovarianceShape, arrays: BinomialArrays | GaussianArrays) -> Array:
    """Inverse curvature of theta to order of magnitude: information grows with levels."""
    guess = [
        0.5 / arrays.factors[term.factor].n_levels
        for term in shape.terms
        for _ in range(term.width * (term.width + 1) // 2)
    ]
    return np.array(guess)


def _off_boundary(shape: CovarianceShape, theta: Array) -> Array:
    """A start from which every variance can grow: zero is a stationary point."""
    return np.where(shape.on_diagonal & (np.abs(theta) < 0.05), 0.05, theta)
