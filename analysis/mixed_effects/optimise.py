"""Minimisation of a smooth deviance with its gradient, and its Hessian at the minimum."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

Array = np.ndarray
Objective = Callable[[Array], tuple[float, Array]]
_MAX_POLISH = 6
# Curvature relative to the diagonal below which a direction counts as flat.
_FLAT = 1e-4
_SMALL_GAIN = 1e-4
# Tolerance of a search that starts close to the minimum.
_FINE = 2e-4


@dataclass(frozen=True)
class Minimum:
    """Where a search ended, with what it knows of the inverse Hessian there."""

    parameters: Array
    value: float
    gradient: Array
    inverse_hessian: Array


def minimise(
    objective: Objective, start: Array, inverse_hessian: Array, tolerance: float = 1e-3
) -> Minimum:
    """BFGS in coordinates scaled by a guess of the inverse Hessian.

    Parameters
    ----------
    objective : callable
        Parameters (k,) to (value, gradient).
    start : (k,) array
    inverse_hessian : (k, k) array
        Positive definite guess; in its coordinates the curvature is about one.
    tolerance : float
        On the largest scaled slope: the deviance left to gain is about its square.
    """
    scale = np.linalg.cholesky(inverse_hessian)

    def scaled(point: Array) -> tuple[float, Array]:
        try:
            value, slope = objective(start + scale @ point)
        except np.linalg.LinAlgError:
            # A step of the line search too far out for any arithmetic: it must be shortened.
            return np.inf, np.zeros(len(start))
        return value, scale.T @ slope

    found = minimize(
        scaled,
        np.zeros(len(start)),
        jac=True,
        method="BFGS",
        options={"gtol": tolerance, "maxiter": 500},
    )
    inverse = scale @ found.hess_inv @ scale.T
    slope = np.linalg.solve(scale.T, found.jac)
    return Minimum(start + scale @ found.x, float(found.fun), slope, inverse)


def hessian(objective: Objective, point: Array, steps: Array) -> Array:
    """Central differences of the gradient, symmetrised, (k, k)."""
    rows = []
    for k, step in enumerate(steps):
        shift = np.zeros(len(point))
        shift[k] = step
        ahead, behind = objective(point + shift)[1], objective(point - shift)[1]
        rows.append((ahead - behind) / (2.0 * step))
    matrix = np.array(rows)
    return 0.5 * (matrix + matrix.T)


def polish(objective: Objective, minimum: Minimum) -> tuple[Minimum, Array]:
    """A last Newton step with the Hessian; further search where that is not enough.

    Returns
    -------
    Minimum
    (k, k) array
        The Hessian.
    """
    for _ in range(_MAX_POLISH):
        steps = np.clip(0.01 * np.sqrt(2.0 * np.diag(minimum.inverse_hessian)), 1e-4, 1e-2)
        curvature = hessian(objective, minimum.parameters, steps)
        values, vectors = scaled_eigen(curvature)
        descent = values[0] < -_FLAT
        if not descent and newton_gain(minimum.gradient, curvature) < _SMALL_GAIN:
            return _newton_step(objective, minimum, curvature), curvature
        point = minimum.parameters + (0.3 * vectors[:, 0] if descent else 0.0)
        minimum = minimise(objective, point, positive_inverse(curvature), _FINE)
    return minimum, curvature


def scaled_eigen(matrix: Array) -> tuple[Array, Array]:
    """Eigenvalues relative to the diagonal, and directions in the original coordinates."""
    scale = _diagonal_scale(matrix)
    values, vectors = np.linalg.eigh(matrix / np.outer(scale, scale))
    return values, vectors / scale[:, None]


def positive_inverse(matrix: Array, floor: float = _FLAT) -> Array:
    """Inverse with eigenvalues made positive and no smaller than ``floor``."""
    values, vectors = scaled_eigen(matrix)
    return (vectors / np.maximum(np.abs(values), floor)) @ vectors.T


def pseudo_inverse(matrix: Array) -> Array:
    """Inverse that leaves out directions without positive curvature."""
    values, vectors = scaled_eigen(matrix)
    keep = values > 0.1 * _FLAT
    return (vectors[:, keep] / values[keep]) @ vectors[:, keep].T


def is_definite(matrix: Array) -> bool:
    """Whether no direction leads down."""
    return bool(scaled_eigen(matrix)[0][0] > -_FLAT)


def newton_gain(gradient: Array, curvature: Array) -> float:
    """What a Newton step would take off the deviance."""
    return float(0.5 * gradient @ positive_inverse(curvature) @ gradient)


def _newton_step(objective: Objective, minimum: Minimum, curvature: Array) -> Minimum:
    """Accept one Newton step if the deviance does not rise by it."""
    inverse = positive_inverse(curvature)
    point = minimum.parameters - inverse @ minimum.gradient
    value, gradient = objective(point)
    if value > minimum.value + 1e-9:
        return Minimum(minimum.parameters, minimum.value, minimum.gradient, inverse)
    return Minimum(point, value, gradient, inverse)


def _diagonal_scale(matrix: Array) -> Array:
    diagonal = np.abs(np.diag(matrix))
    return np.sqrt(np.maximum(diagonal, 1e-8 * diagonal.max(initial=1e-300)))
