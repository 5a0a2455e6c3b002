"""Units in which the engine works: every column of about unit size.

Scales are powers of two, and one for columns that are of that order already, so that nothing is
rounded and ordinary designs pass unchanged.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from analysis.mixed_effects.covariance import CovarianceShape
from analysis.mixed_effects.engine import Estimate

Array = np.ndarray


def column_scales(columns: Array) -> Array:
    """Scale of each column (k,) by its root mean square, 1 between a tenth and ten."""
    size = np.sqrt(np.mean(columns**2, axis=0))
    ordinary = (size == 0) | ((size >= 0.1) & (size <= 10.0))
    return np.where(ordinary, 1.0, 2.0 ** np.round(np.log2(np.where(ordinary, 1.0, size))))


@dataclass(frozen=True)
class Scaling:
    """Scales of the fixed columns (p,), of each factor's columns (q,) and of theta."""

    fixed: Array
    factors: list[Array]
    theta: Array

    @classmethod
    def of(cls, fixed: Array, factors: list[Array], shape: CovarianceShape) -> Scaling:
        """Scales for columns (n, p) and, per factor, (n, q)."""
        scales = [column_scales(columns) for columns in factors]
        by_row = [np.tile(scale[:, None], (1, len(scale))) for scale in scales]
        return cls(column_scales(fixed), scales, shape.gradient(by_row))

    def to_standard(self, estimate: Estimate) -> Estimate:
        """An estimate in the engine's units."""
        return self._convert(estimate, self)

    def to_original(self, estimate: Estimate) -> Estimate:
        """An estimate in the units of the table."""
        inverse = Scaling(1 / self.fixed, [1 / s for s in self.factors], 1 / self.theta)
        return self._convert(estimate, inverse)

    @staticmethod
    def _convert(estimate: Estimate, scaling: Scaling) -> Estimate:
        both = np.concatenate([scaling.theta, scaling.fixed])[: len(estimate.hessian)]
        return replace(
            estimate,
            theta=estimate.theta * scaling.theta,
            beta=estimate.beta * scaling.fixed,
            vcov=estimate.vcov * np.outer(scaling.fixed, scaling.fixed),
            effects=_times(estimate.effects, scaling.factors),
            effect_sds=_times(estimate.effect_sds, scaling.factors),
            hessian=estimate.hessian / np.outer(both, both),
        )


def _times(parts: list[Array], scales: list[Array]) -> list[Array]:
    return [part * scale for part, scale in zip(parts, scales, strict=True)]
