"""The relative covariance factor of the random effects and its parameters theta.

Theta follows lme4: for each term the lower triangle of its Cholesky factor, column by column.
The deviance does not change when a column of the factor changes sign, so the optimiser needs no
bounds: a variance of zero is an ordinary stationary point. `canonical` restores signs afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Array = np.ndarray


@dataclass(frozen=True)
class TermShape:
    """Where a random-effect term sits: which factor, its first column there, its width."""

    factor: int
    start: int
    width: int


class CovarianceShape:
    """Maps theta to one lower-triangular factor per grouping factor and back.

    Parameters
    ----------
    terms : list of TermShape
        In the order of theta.
    widths : list of int
        Number of columns of each grouping factor.
    """

    def __init__(self, terms: list[TermShape], widths: list[int]) -> None:
        self.terms, self.widths = terms, widths
        entries = [
            (term.factor, term.start + row, term.start + column)
            for term in terms
            for column in range(term.width)
            for row in range(column, term.width)
        ]
        self._entries = np.array(entries, dtype=int).reshape(-1, 3)
        self.n_theta = len(entries)
        self.on_diagonal = self._entries[:, 1] == self._entries[:, 2]

    def start(self, scale: float = 1.0) -> Array:
        """Theta of independent random effects with the relative standard deviation ``scale``."""
        return np.where(self.on_diagonal, scale, 0.0)

    def factors(self, theta: Array) -> list[Array]:
        """Lower-triangular Lambda of each grouping factor, (width, width)."""
        out = [np.zeros((width, width)) for width in self.widths]
        for (factor, row, column), value in zip(self._entries, theta, strict=True):
            out[factor][row, column] = value
        return out

    def gradient(self, by_factor: list[Array]) -> Array:
        """Derivatives with respect to every entry of each Lambda to those for theta."""
        return np.array([by_factor[f][row, column] for f, row, column in self._entries])

    def term_factor(self, theta: Array, position: int) -> Array:
        """Lambda of one term, (width, width)."""
        term = self.terms[position]
        rows = slice(term.start, term.start + term.width)
        return self.factors(theta)[term.factor][rows, rows]

    def canonical(self, theta: Array) -> Array:
        """The same covariance with non-negative diagonals."""
        signs = np.ones(self.n_theta)
        for (factor, row, column), value in zip(self._entries, theta, strict=True):
            if row == column and value < 0:
                same = (self._entries[:, 0] == factor) & (self._entries[:, 2] == column)
                signs[same] = -1.0
        return theta * signs
