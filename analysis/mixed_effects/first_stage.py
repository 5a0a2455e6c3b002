"""The fast first stage (lme4's nAGQ = 0): fixed effects join the penalised mode.

The deviance then is a function of theta alone. Its minimum is close to that of the Laplace
deviance in (theta, beta) and is where the full optimisation starts.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from analysis.mixed_effects.blocks import BlockCholesky
from analysis.mixed_effects.families import BinomialFamily, Moments
from analysis.mixed_effects.laplace import MAX_ITERATIONS, BinomialArrays, LaplaceDeviance, Mode
from analysis.mixed_effects.structure import GroupedColumns

Array = np.ndarray


class FirstStageDeviance(LaplaceDeviance):
    """Deviance and gradient in theta with beta at the joint mode of (u, beta)."""

    def __init__(
        self, arrays: BinomialArrays, family: BinomialFamily, tolerance: float = 1e-8
    ) -> None:
        super().__init__(arrays, family, tolerance)
        fixed = arrays.fixed.columns
        self._joint = [
            GroupedColumns(f.index, np.hstack([f.columns, fixed]), f.n_levels)
            for f in arrays.factors
        ]
        self.start_beta = self._linear_start()

    def _linear_start(self) -> Array:
        """Weighted least squares of the shrunken empirical linear predictor."""
        arrays = self.arrays
        mean = (arrays.successes + 0.5) / (arrays.trials + 1.0)
        target = self.family.linear(np.maximum(mean, self.family.floor + 0.05)) - arrays.offset
        gram = arrays.fixed.gram(arrays.trials)[0]
        return np.linalg.solve(gram, arrays.fixed.collect(arrays.trials * target)[0])

    def __call__(self, parameters: Array) -> tuple[float, Array]:
        """Deviance and gradient at theta."""
        mode = self.joint_mode(parameters)
        return mode.deviance, self.theta_gradient(mode)

    def joint_mode(self, theta: Array) -> Mode:
        """Mode of u and beta together at ``theta``."""
        arrays = self.arrays
        lambdas = arrays.shape.factors(theta)
        spherical, beta = self.start, self.start_beta
        eta = self._linear_predictor(spherical, beta, lambdas)
        for _ in range(MAX_ITERATIONS):
            moments = self._moments(eta)
            slope = self._mode_slope(spherical, lambdas, moments)
            slope_beta = -arrays.fixed.collect(moments.score)[0]
            border = self._newton_system(moments, lambdas)
            u_step, beta_step = border.solve([-s for s in slope], -slope_beta)
            decrement = -float(beta_step @ slope_beta)
            decrement -= sum(float(np.vdot(s, g)) for s, g in zip(u_step, slope, strict=True))
            eta_step = self._random(u_step, lambdas) + arrays.fixed.expand(beta_step[None])
            moved, eta = self._move(
                [*spherical, beta], eta, [*u_step, beta_step], eta_step, decrement
            )
            spherical, beta = moved[:-1], moved[-1]
            if decrement < self.tolerance:
                break
        self.start, self.start_beta = spherical, beta
        self.n_evaluations += 1
        return self._mode_at(spherical, beta, eta, lambdas)

    def _newton_system(self, moments: Moments, lambdas: list[Array]) -> BorderedSystem:
        """With observed information where it is positive definite, Fisher's else."""
        layout = self.arrays.layout
        if not self.family.canonical:
            try:
                cholesky = BlockCholesky(layout, layout.gram(moments.observed), lambdas)
                return BorderedSystem(self, cholesky, moments.observed)
            except np.linalg.LinAlgError:
                pass
        cholesky = BlockCholesky(layout, layout.gram(moments.weight), lambdas)
        return BorderedSystem(self, cholesky, moments.weight)

    def information(self, mode: Mode) -> Array:
        """Information about beta at ``mode`` given theta, (p, p)."""
        return BorderedSystem(self, mode.cholesky, mode.moments.weight).schur

    def theta_gradient(self, mode: Mode) -> Array:
        """d deviance / d theta by implicit differentiation of the joint mode."""
        arrays, moments = self.arrays, mode.moments
        posterior = mode.cholesky.posterior_blocks()
        pull = moments.weight_slope * posterior.leverages()
        border = (
            BorderedSystem(self, mode.cholesky, moments.weight)
            if self.family.canonical
            else self._newton_system(moments, mode.lambdas)
        )
        adjoint, adjoint_beta = border.solve(
            self._to_spherical(pull, mode.lambdas), arrays.fixed.collect(pull)[0]
        )
        change = self._random(adjoint, mode.lambdas) + arrays.fixed.expand(adjoint_beta[None])
        rows = pull - 2.0 * moments.score - moments.observed * change
        by_factor = self._factor_gradients(mode, rows, adjoint, posterior.factor_traces())
        return arrays.shape.gradient(by_factor)

    def cross_products(self, weights: Array, lambdas: list[Array]) -> list[Array]:
        """Lambda' Z'WX per factor, (n_levels, q, p)."""
        out = []
        for joint, lam in zip(self._joint, lambdas, strict=True):
            width = lam.shape[0]
            out.append(lam.T @ joint.gram(weights)[:, :width, width:])
        return out

    def _linear_predictor(self, spherical: list[Array], beta: Array, lambdas: list[Array]) -> Array:
        fixed = self.arrays.offset + self.arrays.fixed.expand(beta[None])
        return fixed + self._random(spherical, lambdas)


class BorderedSystem:
    """[[H, Lambda'Z'WX], [X'WZ Lambda, X'WX]] solved by way of H.

    Raises
    ------
    numpy.linalg.LinAlgError
        If the system is not positive definite.
    """

    def __init__(
        self, deviance: FirstStageDeviance, cholesky: BlockCholesky, weights: Array
    ) -> None:
        self._cholesky = cholesky
        self._border = deviance.cross_products(weights, cholesky.lambdas)
        self._solved = cholesky.solve(self._border)
        fixed = deviance.arrays.fixed.gram(weights)[0]
        pairs = zip(self._border, self._solved, strict=True)
        self.schur = fixed - sum(np.einsum("nqp,nqr->pr", b, s, optimize=True) for b, s in pairs)
        self._factor = cho_factor(self.schur)

    def solve(self, parts: list[Array], beta: Array) -> tuple[list[Array], Array]:
        """Solution for right-hand sides in u (per factor) and beta (p,)."""
        pairs = zip(self._solved, parts, strict=True)
        reduced = beta - sum(np.einsum("nqp,nq->p", s, x) for s, x in pairs)
        beta_out = cho_solve(self._factor, reduced)
        inner = self._cholesky.solve(parts)
        return [x - s @ beta_out for x, s in zip(inner, self._solved, strict=True)], beta_out
