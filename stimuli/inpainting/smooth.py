"""The smoothest fill: Laplace's or the bi-Laplace equation in the hole, its rim given.

The fill minimises the sum of squared differences between neighbours (harmonic), or of squared
Laplacians (biharmonic, which also goes on with the slopes at the rim; under tension, because slopes
of a textured rim would run out of range in a large hole: Smith & Wessel 1990,
doi:10.1190/1.1442837). At the picture's edge, where nothing is given, the minimum is free (natural,
or Neumann, conditions). The fill is linear in the rim: a hole is factorised once and solved for all
frames and channels together, on the nodes of `mesh`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from study.fields import Versions

from .mesh import CUBIC, LINEAR, Taps, interpolation

# Frames solved at a time: enough to share the cost of reading the factors, little memory.
FRAMES_AT_ONCE = 16
# Added before rounding: values that are half-way by symmetry round up whatever their last digits.
TIE = 1e-3


@dataclass(frozen=True)
class Smoothness:
    """What a fill minimises.

    Attributes
    ----------
    order : int
        1: differences between neighbours; 2: Laplacians. So far into the surroundings it looks.
    taps, reach
        How the mesh is made, see `mesh.interpolation`: on real clips the mean difference from the
        fill without a mesh is at most 0.2 grey levels.
    along : float
        How much more a squared difference between left and right counts than one between above and
        below. Floors, walls and horizons lie across the picture: with 4, colours run on sideways,
        as if the picture were twice as high, and fills are 0.9 dB nearer to the truth than with 1
        (docs/inpainting.md).
    tension_px : float
        Farther than about so many pixels from the rim a fill of order 2 is as one of order 1.
    """

    order: int
    taps: Taps
    reach: int
    along: float = 1.0
    tension_px: float = np.inf


HARMONIC = Smoothness(order=1, taps=LINEAR, reach=3)
SIDEWAYS = replace(HARMONIC, along=4.0)
BIHARMONIC = Smoothness(order=2, taps=CUBIC, reach=4, tension_px=5.0)


class SmoothFill:
    """A hole, prepared to be filled any number of times.

    Parameters
    ----------
    hole_hw : ndarray of bool
        (H, W), not empty, and not the whole picture.
    smoothness : Smoothness

    Attributes
    ----------
    hole_index, rim_index : ndarray of int
        Places of the hole's pixels, and of those around that decide on them, in the flat picture.

    Examples
    --------
    >>> hole = np.zeros((5, 5), bool)
    >>> hole[2, 1:4] = True
    >>> fill = SmoothFill(hole, HARMONIC)
    >>> ramp = np.tile(np.arange(5.0), 5)[:, np.newaxis]
    >>> fill.solve(ramp[fill.rim_index]).ravel().round(3).tolist()
    [1.0, 2.0, 3.0]
    """

    def __init__(self, hole_hw: np.ndarray, smoothness: Smoothness = HARMONIC) -> None:
        near = _around(hole_hw, smoothness.order)
        hole = hole_hw[near]
        differences = _differences(hole, smoothness)
        in_hole = np.flatnonzero(hole)
        outside = np.setdiff1d(np.unique(differences.indices), in_hole)
        self._to_pixels = interpolation(hole, smoothness.taps, smoothness.reach)
        on_nodes = (differences[:, in_hole] @ self._to_pixels).tocsr()
        self._to_loads = -(on_nodes.T @ differences[:, outside]).tocsr()
        # Symmetric and positive definite: no pivoting, and an order for symmetric matrices.
        self._factors = splu(
            (on_nodes.T @ on_nodes).tocsc(),
            permc_spec="MMD_AT_PLUS_A",
            diag_pivot_thresh=0.0,
            options={"SymmetricMode": True},
        )
        self._to_pixels = self._to_pixels.astype(np.float32)
        places = np.arange(hole_hw.size).reshape(hole_hw.shape)[near].ravel()
        self.hole_index, self.rim_index = places[in_hole], places[outside]

    def solve(self, rim_nk: np.ndarray) -> np.ndarray:
        """Return the fill of any number of pictures.

        Parameters
        ----------
        rim_nk : ndarray
            (len(rim_index), K), what is known, for K pictures.

        Returns
        -------
        ndarray of float32
            (len(hole_index), K).
        """
        loads = self._to_loads @ rim_nk.astype(np.float64)
        return self._to_pixels @ self._factors.solve(loads).astype(np.float32)

    def paint(self, frames_thwc: np.ndarray) -> None:
        """Fill the hole of all frames (T, H, W, 3) uint8, in place."""
        flat = frames_thwc.reshape(len(frames_thwc), -1, 3)
        for first in range(0, len(flat), FRAMES_AT_ONCE):
            some = flat[first : first + FRAMES_AT_ONCE]
            rim = some[:, self.rim_index].swapaxes(0, 1).reshape(len(self.rim_index), -1)
            filled = as_pixels(self.solve(rim)).reshape(-1, len(some), 3)
            some[:, self.hole_index] = filled.swapaxes(0, 1)


def as_pixels(values: np.ndarray) -> np.ndarray:
    """Round to uint8; what lies outside 0..255 is clipped."""
    return np.clip(np.floor(values + np.float32(0.5 + TIE)), 0, 255).astype(np.uint8)


def harmonic(
    frames_thwc: np.ndarray, holes_thw: np.ndarray, persons_thw: np.ndarray, settings: Versions
) -> np.ndarray:
    """Fill by Laplace's equation, along the ground."""
    return filled_smoothly(frames_thwc, holes_thw, SIDEWAYS)


def biharmonic(
    frames_thwc: np.ndarray, holes_thw: np.ndarray, persons_thw: np.ndarray, settings: Versions
) -> np.ndarray:
    """Fill by the bi-Laplace equation."""
    return filled_smoothly(frames_thwc, holes_thw, BIHARMONIC)


def filled_smoothly(
    frames_thwc: np.ndarray, holes_thw: np.ndarray, smoothness: Smoothness
) -> np.ndarray:
    """Return new frames (T, H, W, 3) uint8 whose holes are filled; equal holes are one solve."""
    filled = frames_thwc.copy()
    for hole_hw, frames in equal_holes(holes_thw):
        fill = SmoothFill(hole_hw, smoothness)
        if len(frames) == len(filled):
            fill.paint(filled)
        else:
            some = filled[frames]
            fill.paint(some)
            filled[frames] = some
    return filled


def equal_holes(holes_thw: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield every different hole that is not empty (H, W) with the numbers of its frames."""
    if holes_thw.strides[0] == 0:
        if holes_thw.any():
            yield holes_thw[0], np.arange(len(holes_thw))
        return
    frames_of: dict[bytes, list[int]] = {}
    for number, hole in enumerate(holes_thw):
        if hole.any():
            frames_of.setdefault(hole.tobytes(), []).append(number)
    for frames in frames_of.values():
        yield holes_thw[frames[0]], np.array(frames)


def _around(hole_hw: np.ndarray, margin: int) -> tuple[slice, slice]:
    """Return the box of the hole with so many pixels more on every side, inside the picture."""
    sides = (np.flatnonzero(hole_hw.any(axis=axis)) for axis in (1, 0))
    rows, columns = (slice(max(0, side[0] - margin), side[-1] + margin + 1) for side in sides)
    return rows, columns


def _differences(hole_hw: np.ndarray, smoothness: Smoothness) -> sparse.csr_matrix:
    """Return the differences (rows) of pixels (columns) whose squares the fill makes smallest."""
    number = np.arange(hole_hw.size).reshape(hole_hw.shape)
    one = np.concatenate([number[:, :-1].ravel(), number[:-1].ravel()])
    other = np.concatenate([number[:, 1:].ravel(), number[1:].ravel()])
    weight = np.ones(len(one))
    weight[: number[:, :-1].size] = np.sqrt(smoothness.along)
    pair = np.arange(len(one))
    differences = sparse.csr_matrix(
        (np.concatenate([weight, -weight]), (np.tile(pair, 2), np.concatenate([one, other]))),
        (len(one), hole_hw.size),
    )
    if smoothness.order == 2:
        # The Laplacian of the picture as a graph: at its edge it counts the neighbours there are.
        laplacian = differences.T @ differences
        differences = sparse.vstack([laplacian, differences / smoothness.tension_px]).tocsr()
    touched = abs(differences) @ hole_hw.ravel().astype(float)
    return differences[touched > 0]
