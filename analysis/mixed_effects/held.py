"""One covariance parameter held at a value, all others free of constraints.

Each class translates between the engine's point, which is (theta, beta) of a binomial model or
(theta, log sigma) of a gaussian one, and the numbers that a search may change: `join` puts the
held value in, `free` takes it out, and `pull` turns the slope at a point into that of the free
numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

Array = np.ndarray


class Held(Protocol):
    """A held parameter with its lower and upper limit; an infinite one is never reached."""

    @property
    def limits(self) -> tuple[float, float]:
        """Smallest and largest value at which the deviance can be taken."""

    def value(self, point: Array) -> float:
        """The parameter at a point."""

    def free(self, point: Array) -> Array:
        """All else at a point."""

    def join(self, value: float, free: Array) -> Array:
        """The point with the parameter at ``value``."""

    def pull(self, value: float, free: Array, slope: Array) -> Array:
        """Derivatives with respect to ``free`` from those with respect to the point."""


@dataclass(frozen=True)
class HeldDeviation:
    """Standard deviation of the first coefficient of a term: theta[index], times sigma."""

    index: int
    gaussian: bool
    limits = (0.0, np.inf)

    def value(self, point: Array) -> float:
        """The standard deviation."""
        return float(abs(point[self.index])) * self._sigma(point)

    def free(self, point: Array) -> Array:
        """All but theta[index]."""
        return np.delete(point, self.index)

    def join(self, value: float, free: Array) -> Array:
        """Theta is relative to sigma, which is free."""
        return np.insert(free, self.index, value / self._sigma(free))

    def pull(self, value: float, free: Array, slope: Array) -> Array:
        """Sigma also acts through the held theta."""
        out = np.delete(slope, self.index)
        if self.gaussian:
            out[-1] -= slope[self.index] * value / self._sigma(free)
        return out

    def _sigma(self, numbers: Array) -> float:
        return float(np.exp(numbers[-1])) if self.gaussian else 1.0


@dataclass(frozen=True)
class HeldCorrelation:
    """Correlation r of the first two coefficients of a term.

    Their rows of the factor are (a, 0) and (r b, sqrt(1 - r^2) b) with a, b >= 0; the roots of a
    and b are free in the places of the first column. (Logarithms would lead a long step to where
    the deviance is flat.) ``first`` is the index of a, ``corner`` that of the last entry.
    """

    first: int
    corner: int
    limits = (-1.0, 1.0)

    def value(self, point: Array) -> float:
        """The correlation, NaN where a standard deviation is zero."""
        length = self._length(point)
        if point[self.first] == 0 or length == 0:
            return float("nan")
        return float(np.sign(point[self.first]) * point[self.first + 1] / length)

    def free(self, point: Array) -> Array:
        """The roots of a and b in the place of the first two entries; no corner."""
        out = np.delete(point, self.corner)
        out[self.first] = np.sqrt(abs(point[self.first]))
        out[self.first + 1] = np.sqrt(self._length(point))
        return out

    def join(self, value: float, free: Array) -> Array:
        """The rows that have the correlation."""
        point = np.insert(free, self.corner, 0.0)
        a, b = free[self.first : self.first + 2] ** 2
        point[self.first], point[self.first + 1] = a, value * b
        point[self.corner] = np.sqrt(1.0 - value**2) * b
        return point

    def pull(self, value: float, free: Array, slope: Array) -> Array:
        """Slopes along the roots of a and b."""
        out = np.delete(slope, self.corner)
        along = value * slope[self.first + 1] + np.sqrt(1.0 - value**2) * slope[self.corner]
        out[self.first : self.first + 2] = slope[self.first], along
        out[self.first : self.first + 2] *= 2.0 * free[self.first : self.first + 2]
        return out

    def _length(self, point: Array) -> float:
        return float(np.hypot(point[self.first + 1], point[self.corner]))


@dataclass(frozen=True)
class HeldResidual:
    """Residual standard deviation of a gaussian model."""

    limits = (-np.inf, np.inf)

    def value(self, point: Array) -> float:
        """Sigma."""
        return float(np.exp(point[-1]))

    def free(self, point: Array) -> Array:
        """Theta."""
        return point[:-1]

    def join(self, value: float, free: Array) -> Array:
        """Theta and log sigma."""
        return np.append(free, np.log(value))

    def pull(self, value: float, free: Array, slope: Array) -> Array:
        """Slopes of theta."""
        return slope[:-1]
