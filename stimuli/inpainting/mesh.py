"""Few unknowns for many pixels: a smooth fill changes fast only near the rim of the hole.

Close to the rim every pixel is an unknown (a node). Farther in, only every second pixel of every
second row is, then every fourth, and so on; what lies between is interpolated. A hole of 40,000
pixels has some 4,000 nodes. The idea is that of Agarwala (2007), "Efficient gradient-domain
compositing using quadtrees", doi:10.1145/1275808.1276495.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from scipy import sparse

# Tap -> weight: where a pixel half-way between nodes looks, in units of half a step.
Taps = Sequence[tuple[int, float]]
LINEAR: Taps = ((-1, 1 / 2), (1, 1 / 2))
# Cubic Lagrange interpolation at the middle of four points (Deslauriers & Dubuc 1989).
CUBIC: Taps = ((-3, -1 / 16), (-1, 9 / 16), (1, 9 / 16), (3, -1 / 16))
HERE: Taps = ((0, 1.0),)


@dataclass(frozen=True)
class _Pixels:
    """The pixels of a hole, in reading order, and where each stands in that order."""

    y: np.ndarray
    x: np.ndarray
    number_hw: np.ndarray

    @classmethod
    def of(cls, hole_hw: np.ndarray) -> _Pixels:
        y, x = np.nonzero(hole_hw)
        number_hw = np.zeros(hole_hw.shape, np.int32)
        number_hw[y, x] = np.arange(len(y))
        return cls(y, x, number_hw)


def interpolation(hole_hw: np.ndarray, taps: Taps, reach: int) -> sparse.csr_matrix:
    """Return the matrix that takes the values of the nodes to those of all pixels of the hole.

    Parameters
    ----------
    hole_hw : ndarray of bool
        (H, W).
    taps : Taps
        `LINEAR` or `CUBIC`.
    reach : int
        Steps of 2 h pixels begin deeper than `reach` * h pixels inside the hole; at least 1 for
        linear and 3 for cubic interpolation, which look so far. More is more exact and slower.

    Returns
    -------
    csr_matrix
        (pixels, nodes), pixels and nodes in reading order. Rows add up to 1.
    """
    pixels = _Pixels.of(hole_hw)
    # Beyond the picture's edge there is nothing to interpolate from: it counts as a rim. The
    # chessboard distance is exact, whatever the number of threads.
    with_edge = np.pad(hole_hw, 1).astype(np.uint8)
    depth = cv2.distanceTransform(with_edge, cv2.DIST_C, cv2.DIST_MASK_3)[1:-1, 1:-1]
    depth = depth[pixels.y, pixels.x]
    is_node = np.ones(len(depth), bool)
    matrix = sparse.identity(len(depth), format="csr")
    half_step = 1
    while True:
        between = is_node & (depth > reach * half_step)
        between &= ((pixels.y % (2 * half_step)) | (pixels.x % (2 * half_step))) != 0
        if not between.any():
            return matrix[:, is_node]
        is_node &= ~between
        matrix = matrix @ _one_level(pixels, between, taps, half_step)
        half_step *= 2


def _one_level(
    pixels: _Pixels, between: np.ndarray, taps: Taps, half_step: int
) -> sparse.csr_matrix:
    """Return the matrix that interpolates the pixels `between` and leaves all others alone."""
    kept = np.flatnonzero(~between)
    entries = [(kept, kept, np.ones(len(kept)))]
    odd_y, odd_x = (pixels.y // half_step) % 2 == 1, (pixels.x // half_step) % 2 == 1
    for taps_y, taps_x, which in (
        (taps, HERE, odd_y & ~odd_x),
        (HERE, taps, odd_x & ~odd_y),
        (taps, taps, odd_y & odd_x),
    ):
        rows = np.flatnonzero(between & which)
        for tap_y, weight_y in taps_y:
            for tap_x, weight_x in taps_x:
                columns = pixels.number_hw[
                    pixels.y[rows] + tap_y * half_step, pixels.x[rows] + tap_x * half_step
                ]
                entries.append((rows, columns, np.full(len(rows), weight_y * weight_x)))
    rows, columns, weights = (np.concatenate(part) for part in zip(*entries, strict=True))
    return sparse.csr_matrix((weights, (rows, columns)), (len(between), len(between)))
