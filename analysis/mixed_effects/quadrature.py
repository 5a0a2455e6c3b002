"""Adaptive Gauss-Hermite quadrature for one scalar random term (lme4's nAGQ > 1).

Each level's integral over its spherical effect u is taken with nodes centred at the conditional
mode and scaled by the curvature there (Pinheiro & Bates 1995, J. Comput. Graph. Stat. 4). One
node is the Laplace approximation.
"""

from __future__ import annotations

import numpy as np
from scipy.special import logsumexp

from analysis.mixed_effects.families import BinomialFamily
from analysis.mixed_effects.laplace import BinomialArrays, LaplaceDeviance, Mode

Array = np.ndarray


class QuadratureDeviance(LaplaceDeviance):
    """Deviance in (theta, beta) with ``n_nodes`` nodes per level.

    With one scalar term an evaluation is cheap, so that the gradient is by central differences.
    """

    def __init__(self, arrays: BinomialArrays, family: BinomialFamily, n_nodes: int) -> None:
        super().__init__(arrays, family, tolerance=1e-12)
        if len(arrays.factors) != 1 or arrays.factors[0].width != 1:
            raise ValueError("n_agq above 1 needs a formula with one scalar random term")
        self.nodes, weights = np.polynomial.hermite_e.hermegauss(n_nodes)
        self.log_weights = np.log(weights) + 0.5 * self.nodes**2 - 0.5 * np.log(2 * np.pi)

    def __call__(self, parameters: Array) -> tuple[float, Array]:
        """Deviance and its gradient by central differences."""
        gradient = np.empty(len(parameters))
        for k in range(len(parameters)):
            shift = np.zeros(len(parameters))
            shift[k] = 1e-5
            ahead, behind = self.value(parameters + shift), self.value(parameters - shift)
            gradient[k] = (ahead - behind) / 2e-5
        return self.value(parameters), gradient

    def value(self, parameters: Array) -> float:
        """-2 log-likelihood without binomial coefficients."""
        n_theta = self.arrays.shape.n_theta
        return self.value_at(self.mode(parameters[:n_theta], parameters[n_theta:]))

    def value_at(self, mode: Mode) -> float:
        """The same with the mode known."""
        factor = self.arrays.factors[0]
        lam, centre = mode.lambdas[0][0, 0], mode.spherical[0][:, 0]
        curvature = 1.0 + lam**2 * factor.gram(mode.moments.weight)[:, 0, 0]
        scale = 1.0 / np.sqrt(curvature)
        fixed = mode.eta - lam * centre[factor.index] * factor.columns[:, 0]
        logs = np.empty((len(self.nodes), factor.n_levels))
        for k, (node, log_weight) in enumerate(zip(self.nodes, self.log_weights, strict=True)):
            u = centre + scale * node
            eta = fixed + lam * u[factor.index] * factor.columns[:, 0]
            logs[k] = self._level_log_likelihood(eta) - 0.5 * u**2 + log_weight
        return float(-2.0 * np.sum(logsumexp(logs, axis=0) + np.log(scale)))

    def _level_log_likelihood(self, eta: Array) -> Array:
        arrays, factor = self.arrays, self.arrays.factors[0]
        rows = self.family.row_log_likelihood(eta, arrays.successes, arrays.trials)
        return np.bincount(factor.index, rows, minlength=factor.n_levels)
