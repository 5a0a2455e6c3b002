"""Cholesky factorisation of Lambda' Z'WZ Lambda + I by its block structure.

The grouping factor with the most coefficients is block diagonal in its levels and is eliminated
level by level, with the factors that are nested in it (`analysis.mixed_effects.nesting`); what is
left is a dense Schur complement of the size of all other factors. Cost is linear in the levels of
the eliminated factor.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.linalg.lapack import dtrtri

from analysis.mixed_effects.nesting import EliminatedBlocks, eliminated_factors
from analysis.mixed_effects.structure import CrossedColumns, GroupedColumns

Array = np.ndarray
# Multiplications in a Schur complement from which on several threads pay.
_SMALL = 3_000_000_000


@dataclass(frozen=True)
class Gram:
    """Z'WZ in blocks.

    ``first`` (n1, q1, q1) of the eliminated blocks, ``cross`` (n1, q1, m) with the rest and
    ``rest`` (m, m), where m is the number of coefficients of all other factors.
    """

    first: Array
    cross: Array
    rest: Array


class BlockLayout:
    """The order of grouping factors in the system and their cross products.

    Parameters
    ----------
    factors : list of GroupedColumns
        In any order; `order` holds positions with the ``n_eliminated`` eliminated ones first.
    """

    def __init__(self, factors: list[GroupedColumns]) -> None:
        sizes = [factor.size for factor in factors]
        eliminated = eliminated_factors(factors)
        self.n_eliminated = len(eliminated)
        left = [k for k in range(len(factors)) if k not in eliminated]
        self.order = [*eliminated, *sorted(left, key=lambda k: (-sizes[k], k))]
        self.factors = factors
        self.first = EliminatedBlocks([factors[k] for k in eliminated])
        self.rest = [factors[k] for k in self.rest_order]
        edges = np.cumsum([0, *(factor.size for factor in self.rest)])
        self.slices = [slice(a, b) for a, b in pairwise(edges)]
        self.n_rest = int(edges[-1])
        self.with_first = [self.first.crossed(factor) for factor in self.rest]
        self.among_rest = {
            (i, j): CrossedColumns(self.rest[i], self.rest[j])
            for i in range(len(self.rest))
            for j in range(i)
        }

    @property
    def rest_order(self) -> list[int]:
        """Positions of the factors that are not eliminated."""
        return self.order[self.n_eliminated :]

    @property
    def is_small(self) -> bool:
        """Whether one thread does the Schur complement about as fast as many."""
        return self.first.size * self.n_rest**2 < _SMALL

    def gram(self, weights: Array) -> Gram:
        """Z'WZ for row weights (n,)."""
        n1, q1 = self.first.n_levels, self.first.width
        cross = np.empty((n1, q1, self.n_rest))
        rest = np.zeros((self.n_rest, self.n_rest))
        for factor, part, pair in zip(self.rest, self.slices, self.with_first, strict=True):
            cross[:, :, part] = pair.gram(weights).reshape(n1, q1, factor.size)
            _put_diagonal_blocks(rest[part, part], factor.gram(weights))
        for (i, j), pair in self.among_rest.items():
            block = pair.gram(weights).reshape(self.rest[i].size, self.rest[j].size)
            rest[self.slices[i], self.slices[j]] = block
            rest[self.slices[j], self.slices[i]] = block.T
        return Gram(self.first.gram(weights), cross, rest)

    def split(self, first: Array, rest: Array) -> list[Array]:
        """Coefficients of the system to (n_levels, q) arrays in the order of ``factors``."""
        parts = self.first.gather(first)
        for factor, part in zip(self.rest, self.slices, strict=True):
            parts.append(rest[part].reshape(factor.n_levels, factor.width, *rest.shape[1:]))
        return self.restore(parts)

    def restore(self, ordered: list[Array]) -> list[Array]:
        """What is in the order of the system in the order of ``factors``."""
        return [ordered[self.order.index(k)] for k in range(len(self.order))]

    def join(self, parts: list[Array]) -> tuple[Array, Array]:
        """Inverse of `split`; parts may carry a trailing axis of right-hand sides."""
        first = self.first.scatter([parts[k] for k in self.order[: self.n_eliminated]])
        tail = first.shape[2:]
        rest = [parts[k].reshape(-1, *tail) for k in self.rest_order]
        return first, np.concatenate(rest) if rest else np.zeros((0, *tail))

    def first_lambda(self, lambdas: list[Array]) -> Array:
        """Lambda of an eliminated block."""
        return self.first.factor_blocks([lambdas[k] for k in self.order[: self.n_eliminated]])

    def scale_rest(self, matrix: Array, lambdas: list[Array]) -> Array:
        """matrix @ Lambda of the rest, for ``matrix`` (..., m)."""
        out = np.empty_like(matrix)
        for k, part in zip(self.rest_order, self.slices, strict=True):
            factor, block = self.factors[k], matrix[..., part]
            if factor.width == 1:
                np.multiply(block, lambdas[k][0, 0], out=out[..., part])
                continue
            shaped = block.reshape(*block.shape[:-1], factor.n_levels, factor.width)
            out[..., part] = (shaped @ lambdas[k]).reshape(block.shape)
        return out


def _put_diagonal_blocks(target: Array, blocks: Array) -> None:
    n_levels, width, _ = blocks.shape
    rows = np.arange(n_levels * width).reshape(n_levels, width)
    target[rows[:, :, None], rows[:, None, :]] = blocks


def _invert_lower(triangle: Array) -> Array:
    if len(triangle) == 0:
        return triangle
    return dtrtri(triangle, lower=1)[0]


def diagonal_blocks(matrix: Array, width: int) -> Array:
    """(m, m) to its (m / width, width, width) diagonal blocks."""
    rows = np.arange(len(matrix)).reshape(-1, width)
    return matrix[rows[:, :, None], rows[:, None, :]]


class BlockCholesky:
    """Factorised H = Lambda' Z'WZ Lambda + I.

    Raises
    ------
    numpy.linalg.LinAlgError
        If H is not positive definite, which only negative weights can cause.
    """

    def __init__(self, layout: BlockLayout, gram: Gram, lambdas: list[Array]) -> None:
        self.layout, self.gram, self.lambdas = layout, gram, lambdas
        self.lam_first = lam = layout.first_lambda(lambdas)
        identity = np.eye(lam.shape[0])
        chol_first = np.linalg.cholesky(lam.T @ gram.first @ lam + identity)
        self.inv_chol_first = np.linalg.inv(chol_first)  # (n1, q1, q1)
        scaled = layout.scale_rest(gram.cross, lambdas)
        self.cross = (self.inv_chol_first @ lam.T) @ scaled  # L1^-1 H12, (n1, q1, m)
        flat = self.cross.reshape(layout.first.size, layout.n_rest)
        rest = layout.scale_rest(layout.scale_rest(gram.rest, lambdas).T, lambdas)
        schur = rest + np.eye(layout.n_rest) - flat.T @ flat
        chol_schur = np.linalg.cholesky(schur)
        self.inv_chol_schur = _invert_lower(chol_schur)
        diagonals = np.einsum("nqq->nq", chol_first), np.diagonal(chol_schur)
        self.log_determinant = 2.0 * float(sum(np.log(d).sum() for d in diagonals))

    def solve(self, parts: list[Array]) -> list[Array]:
        """H^-1 times coefficients, given and returned per factor as (n_levels, q[, k])."""
        first, rest = self.layout.join(parts)
        flat = first.reshape(*first.shape[:2], -1)
        columns = rest.reshape(len(rest), flat.shape[2])
        half = self.inv_chol_first @ flat
        cross = self.cross.reshape(self.layout.first.size, self.layout.n_rest)
        reduced = columns - cross.T @ half.reshape(len(cross), -1)
        solved_rest = self.inv_chol_schur.T @ (self.inv_chol_schur @ reduced)
        half = half - (cross @ solved_rest).reshape(half.shape)
        solved = np.swapaxes(self.inv_chol_first, 1, 2) @ half
        return self.layout.split(solved.reshape(first.shape), solved_rest.reshape(rest.shape))

    def inverse_blocks(self) -> tuple[Array, Array, Array]:
        """H^-1 where Z'WZ is not zero: (n1, q1, q1), (n1, q1, m) and (m, m)."""
        rest = self.inv_chol_schur.T @ self.inv_chol_schur
        transposed = np.swapaxes(self.inv_chol_first, 1, 2)
        shape = self.cross.shape
        back = transposed @ self.cross  # H11^-1 H12
        cross = -(back.reshape(shape[0] * shape[1], shape[2]) @ rest).reshape(shape)
        first = transposed @ self.inv_chol_first - cross @ np.swapaxes(back, 1, 2)
        return first, cross, rest

    def posterior_blocks(self) -> PosteriorBlocks:
        """The same blocks as `inverse_blocks`, kept for the uses that a gradient makes of them."""
        return PosteriorBlocks(self, *self.inverse_blocks())


@dataclass(frozen=True)
class PosteriorBlocks:
    """Blocks of H^-1, the posterior covariance of the spherical random effects."""

    cholesky: BlockCholesky
    first: Array
    cross: Array
    rest: Array

    def leverages(self) -> Array:
        """z' Lambda H^-1 Lambda' z of every row (n,)."""
        layout, lambdas = self.cholesky.layout, self.cholesky.lambdas
        lam = self.cholesky.lam_first
        total = layout.first.quadratic(lam @ self.first @ lam.T)
        transposed = [matrix.T for matrix in lambdas]
        cross = layout.scale_rest(lam @ self.cross, transposed)
        rest = layout.scale_rest(layout.scale_rest(self.rest, transposed).T, transposed)
        for factor, part, pair in zip(layout.rest, layout.slices, layout.with_first, strict=True):
            shape = (*cross.shape[:2], factor.n_levels, factor.width)
            total += 2.0 * pair.bilinear(cross[:, :, part].reshape(shape))
            total += factor.quadratic(diagonal_blocks(rest[part, part], factor.width))
        for (i, j), pair in layout.among_rest.items():
            left, right = layout.rest[i], layout.rest[j]
            shape = (left.n_levels, left.width, right.n_levels, right.width)
            block = rest[layout.slices[i], layout.slices[j]]
            total += 2.0 * pair.bilinear(block.reshape(shape))
        return total

    def effect_variances(self) -> list[Array]:
        """Diagonal of Lambda H^-1 Lambda' per grouping factor, (n_levels, q)."""
        layout, lambdas = self.cholesky.layout, self.cholesky.lambdas
        parts = layout.first.gather_squares(self.first)
        for factor, part in zip(layout.rest, layout.slices, strict=True):
            parts.append(diagonal_blocks(self.rest[part, part], factor.width))
        pairs = zip(layout.restore(parts), lambdas, strict=True)
        return [np.einsum("qp,npr,qr->nq", lam, block, lam) for block, lam in pairs]

    def factor_traces(self) -> list[Array]:
        """d log|H| / d Lambda at fixed weights, one (q, q) array per grouping factor."""
        cholesky, layout = self.cholesky, self.cholesky.layout
        gram, lam = cholesky.gram, cholesky.lam_first
        cross_rest = layout.scale_rest(gram.cross, cholesky.lambdas)  # K12 Lambda2
        cross_first = lam.T @ gram.cross  # Lambda1' K12
        rest = layout.scale_rest(gram.rest, cholesky.lambdas)  # K22 Lambda2
        first = np.einsum("npq,nqr->pr", self.first, lam.T @ gram.first)
        first += np.tensordot(self.cross, cross_rest, axes=([0, 2], [0, 2]))
        out = layout.first.factor_sums(2.0 * first.T)
        for factor, part in zip(layout.rest, layout.slices, strict=True):
            width = factor.width
            both = _column_products(self.cross[:, :, part], cross_first[:, :, part], width)
            both += _column_products(self.rest[:, part], rest.T[:, part], width)
            out.append(2.0 * both.T)
        return layout.restore(out)


def _column_products(left: Array, right: Array, width: int) -> Array:
    """Sum over rows and levels of left[..., level, p] right[..., level, q], (p, q)."""
    return left.reshape(-1, width).T @ right.reshape(-1, width)
