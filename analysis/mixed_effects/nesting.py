"""Grouping factors that lie within the levels of another are eliminated together with it.

Clips by group and clips by version are nested in clips: given everything that is crossed with
clips, the coefficients of one clip do not depend on those of another, however many terms they
belong to. So one small block per clip holds them all, and nothing that grows with the number of
clips is left in the dense rest of the system.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csc_array

from analysis.mixed_effects.structure import CrossedColumns, GroupedColumns

Array = np.ndarray


@dataclass(frozen=True)
class Member:
    """Where the coefficients of one factor stand in the blocks.

    ``block`` (n_levels,) is the block of each level and ``columns`` (n_levels, q) the place of
    its coefficients there; ``slots`` (k, q) are the places of all levels that a block has room
    for.
    """

    factor: GroupedColumns
    block: Array
    columns: Array
    slots: Array


class RowProducts:
    """Cross products of columns of which few are not zero in a row.

    Parameters
    ----------
    positions : (n, k) int array
        Where the k products of each row are in the flattened result.
    values : (n, k) array
    shape : tuple of int
        Of the result.
    """

    def __init__(self, positions: Array, values: Array, shape: tuple[int, ...]) -> None:
        n, k = values.shape
        starts = np.arange(0, n * k + 1, k)
        size = int(np.prod(shape))
        self._matrix = csc_array((values.ravel(), positions.ravel(), starts), shape=(size, n))
        self._shape = shape

    def gram(self, weights: Array) -> Array:
        """Weighted cross products of all rows."""
        return (self._matrix @ weights).reshape(self._shape)

    def bilinear(self, matrix: Array) -> Array:
        """z_left' M z_right for each row, ``matrix`` shaped as the result of ``gram``."""
        return self._matrix.T @ matrix.ravel()


class EliminatedBlocks:
    """Coefficients of a factor, the root, and of factors within its levels: a block per level.

    A block has room for as many levels of each factor as lie in any level of the root. Room that
    no level takes up has no data: its part of the system is the identity.

    Parameters
    ----------
    factors : list of GroupedColumns
        Over the same rows, the root first.
    """

    def __init__(self, factors: Sequence[GroupedColumns]) -> None:
        self._root = factors[0]
        self.n_levels = self._root.n_levels
        self.members: list[Member] = []
        self.width = 0
        for factor in factors:
            self.members.append(_place(factor, self._root, self.width))
            self.width += self.members[-1].slots.size
        self._columns = np.hstack([m.columns[m.factor.index] for m in self.members])
        self._values = np.hstack([m.factor.columns for m in self.members])
        self._own: RowProducts | None = None
        if len(factors) > 1:
            self._own = self._products(self._columns, self._values, (self.width,))

    @property
    def size(self) -> int:
        """Number of coefficients, with room that is not taken up."""
        return self.n_levels * self.width

    def gram(self, weights: Array) -> Array:
        """Weighted cross products within each block, (n_levels, width, width)."""
        return self._root.gram(weights) if self._own is None else self._own.gram(weights)

    def quadratic(self, matrices: Array) -> Array:
        """z' M z for each row with its block's matrix, ``matrices`` (n_levels, width, width)."""
        if self._own is None:
            return self._root.quadratic(matrices)
        return self._own.bilinear(matrices)

    def crossed(self, other: GroupedColumns) -> CrossedColumns | RowProducts:
        """Cross products with a factor that is not among the members."""
        if self._own is None:
            return CrossedColumns(self._root, other)
        columns = other.index[:, None] * other.width + np.arange(other.width)
        return self._products(columns, other.columns, (other.n_levels, other.width))

    def factor_blocks(self, lambdas: Sequence[Array]) -> Array:
        """Lambda of a block (width, width) from those of the members."""
        out = np.zeros((self.width, self.width))
        for member, lam in zip(self.members, lambdas, strict=True):
            out[member.slots[:, :, None], member.slots[:, None, :]] = lam
        return out

    def factor_sums(self, matrix: Array) -> list[Array]:
        """Sums over the levels of a block (width, width), one (q, q) array per member."""
        return [
            matrix[member.slots[:, :, None], member.slots[:, None, :]].sum(axis=0)
            for member in self.members
        ]

    def gather(self, blocks: Array) -> list[Array]:
        """(n_levels, width, ...) to the (n_levels, q, ...) of each member."""
        return [blocks[member.block[:, None], member.columns] for member in self.members]

    def gather_squares(self, blocks: Array) -> list[Array]:
        """(n_levels, width, width) to the (n_levels, q, q) of each member."""
        return [
            blocks[
                member.block[:, None, None], member.columns[:, :, None], member.columns[:, None, :]
            ]
            for member in self.members
        ]

    def scatter(self, parts: Sequence[Array]) -> Array:
        """Inverse of `gather`."""
        out = np.zeros((self.n_levels, self.width, *parts[0].shape[2:]))
        for member, part in zip(self.members, parts, strict=True):
            out[member.block[:, None], member.columns] = part
        return out

    def _products(self, columns: Array, values: Array, shape: tuple[int, ...]) -> RowProducts:
        """Products of the blocks' columns with ``columns`` of a row, which hold ``values``."""
        own = self._root.index[:, None] * self.width + self._columns
        positions = own[:, :, None] * int(np.prod(shape)) + columns[:, None, :]
        products = self._values[:, :, None] * values[:, None, :]
        flat = (len(own), -1)
        return RowProducts(
            positions.reshape(flat), products.reshape(flat), (self.n_levels, self.width, *shape)
        )


def eliminated_factors(factors: Sequence[GroupedColumns]) -> list[int]:
    """Positions of the factors that are best eliminated together, the root first.

    The largest factor alone, unless blocks of some factor and all that is nested in it take less
    arithmetic.
    """
    sizes = [factor.size for factor in factors]
    best = [max(range(len(factors)), key=lambda k: (sizes[k], -k))]
    least = _cost(factors, best)
    for root, candidate in enumerate(factors):
        others = [k for k in range(len(factors)) if k != root]
        members = [root, *(k for k in others if _is_nested(factors[k], candidate))]
        cost = _cost(factors, members)
        if len(members) > 1 and cost < least:
            best, least = members, cost
    return best


def _levels_within(inner: GroupedColumns, outer: GroupedColumns) -> Array:
    """A level of ``outer`` that goes with each of ``inner``; levels without rows go anywhere."""
    if inner is outer:
        return np.arange(inner.n_levels)
    levels = np.zeros(inner.n_levels, dtype=np.int64)
    levels[inner.index] = outer.index
    return levels


def _is_nested(inner: GroupedColumns, outer: GroupedColumns) -> bool:
    """Whether each level of ``inner`` is within one of ``outer``."""
    return bool((_levels_within(inner, outer)[inner.index] == outer.index).all())


def _ranks(block: Array) -> Array:
    """Number of each level among those of the same block."""
    order = np.argsort(block, kind="stable")
    starts = np.searchsorted(block[order], block[order])
    rank = np.empty_like(block)
    rank[order] = np.arange(len(block)) - starts
    return rank


def _place(factor: GroupedColumns, root: GroupedColumns, first: int) -> Member:
    """The member whose columns begin at ``first``."""
    block = _levels_within(factor, root)
    rank = _ranks(block)
    room = (int(rank.max()) + 1, factor.width)
    slots = first + np.arange(room[0] * room[1]).reshape(room)
    return Member(factor, block, slots[rank], slots)


def _cost(factors: Sequence[GroupedColumns], members: Sequence[int]) -> float:
    """Multiplications of a factorisation, to order of magnitude."""
    root = factors[members[0]]
    width = 0.0
    for k in members:
        per_block = np.bincount(_levels_within(factors[k], root), minlength=root.n_levels)
        width += float(per_block.max()) * factors[k].width
    rest = float(sum(factor.size for k, factor in enumerate(factors) if k not in members))
    return root.n_levels * width * (width + rest) ** 2 + rest**3
