"""Row-wise design columns that act within the levels of a grouping factor.

Everything that an iteration does to rows goes through the two classes here: spread coefficients
to rows, collect row values into coefficients, and weighted cross products of both. Designs of
experiments have few distinct rows (*cells*), so where that pays rows are first counted into
(level, cell) and the small table of cells does the rest.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

Array = np.ndarray


def encode_rows(columns: Array) -> tuple[Array, int]:
    """Number the distinct rows of ``columns`` (n, k); returns (n,) codes and their count."""
    code = np.zeros(len(columns), dtype=np.int64)
    n_codes = 1
    for column in np.asarray(columns).T:
        extra, values = pd.factorize(column)
        code, values = pd.factorize(code * len(values) + extra)
        n_codes = len(values)
    return code.astype(np.int64), n_codes


def first_rows(code: Array, n_codes: int) -> Array:
    """Position of the first row of each code."""
    first = np.empty(n_codes, dtype=np.int64)
    first[code[::-1]] = np.arange(len(code) - 1, -1, -1)
    return first


class GroupedColumns:
    """``q`` columns whose coefficients differ between the levels of one grouping factor.

    Parameters
    ----------
    index : (n,) int array
        Level of each row, 0 to ``n_levels - 1``.
    columns : (n, q) float array
    n_levels : int
    """

    def __init__(self, index: Array, columns: Array, n_levels: int) -> None:
        self.index = np.asarray(index, dtype=np.int64)
        self.columns = np.ascontiguousarray(columns, dtype=float)
        self.n_levels = n_levels
        self.width = self.columns.shape[1]
        code, n_cells = encode_rows(self.columns)
        self._cells: Array | None = None
        if n_cells * n_levels <= max(2 * len(self.index), 64):
            self._cells = self.columns[first_rows(code, n_cells)]  # (cells, q)
            self._products = (self._cells[:, :, None] * self._cells[:, None, :]).reshape(
                n_cells, self.width**2
            )
            self._flat = self.index * n_cells + code

    @property
    def size(self) -> int:
        """Number of coefficients."""
        return self.n_levels * self.width

    def _count(self, values: Array) -> Array:
        """Sums of row values per (level, cell)."""
        n_cells = len(self._cells)
        sums = np.bincount(self._flat, values, minlength=self.n_levels * n_cells)
        return sums.reshape(self.n_levels, n_cells)

    def expand(self, coefficients: Array) -> Array:
        """Coefficients (n_levels, q) to their contribution to each row (n,)."""
        if self._cells is not None:
            return (coefficients @ self._cells.T).ravel()[self._flat]
        if self.n_levels == 1:
            return self.columns @ coefficients[0]
        return np.einsum("nq,nq->n", self.columns, coefficients[self.index])

    def collect(self, values: Array) -> Array:
        """Row values (n,) to the sums of column times value, (n_levels, q)."""
        if self._cells is not None:
            return self._count(values) @ self._cells
        if self.n_levels == 1:
            return (self.columns.T @ values)[None]
        sums = [
            np.bincount(self.index, column * values, minlength=self.n_levels)
            for column in self.columns.T
        ]
        return np.stack(sums, axis=1)

    def gram(self, weights: Array) -> Array:
        """Weighted cross products within each level, (n_levels, q, q)."""
        shape = (self.n_levels, self.width, self.width)
        if self._cells is not None:
            return (self._count(weights) @ self._products).reshape(shape)
        if self.n_levels == 1:
            return (self.columns.T @ (weights[:, None] * self.columns))[None]
        out = np.empty(shape)
        for p in range(self.width):
            weighted = weights * self.columns[:, p]
            for q in range(p, self.width):
                sums = np.bincount(
                    self.index, weighted * self.columns[:, q], minlength=self.n_levels
                )
                out[:, p, q] = out[:, q, p] = sums
        return out

    def quadratic(self, matrices: Array) -> Array:
        """z' M z for each row with its level's matrix, ``matrices`` (n_levels, q, q)."""
        if self._cells is not None:
            table = matrices.reshape(self.n_levels, -1) @ self._products.T
            return table.ravel()[self._flat]
        return np.einsum(
            "np,npq,nq->n", self.columns, matrices[self.index], self.columns, optimize=True
        )


class CrossedColumns:
    """Cross products of the columns of two grouping factors.

    Parameters
    ----------
    left, right : GroupedColumns
        Over the same rows.
    """

    def __init__(self, left: GroupedColumns, right: GroupedColumns) -> None:
        self.left, self.right = left, right
        self._flat = left.index * right.n_levels + right.index
        products = [
            [left.columns[:, p] * right.columns[:, q] for q in range(right.width)]
            for p in range(left.width)
        ]
        # A column of ones need not be multiplied.
        self._products = [[None if (x == 1.0).all() else x for x in row] for row in products]

    def gram(self, weights: Array) -> Array:
        """Weighted cross products, (left levels, left q, right levels, right q)."""
        left, right = self.left, self.right
        out = np.empty((left.n_levels, left.width, right.n_levels, right.width))
        for p, row in enumerate(self._products):
            for q, product in enumerate(row):
                values = weights if product is None else weights * product
                sums = np.bincount(self._flat, values, minlength=left.n_levels * right.n_levels)
                out[:, p, :, q] = sums.reshape(left.n_levels, right.n_levels)
        return out

    def bilinear(self, matrix: Array) -> Array:
        """z_left' M z_right for each row, ``matrix`` shaped as the result of ``gram``."""
        total = np.zeros(len(self._flat))
        for p, row in enumerate(self._products):
            for q, product in enumerate(row):
                values = np.ascontiguousarray(matrix[:, p, :, q]).ravel()[self._flat]
                total += values if product is None else values * product
        return total
