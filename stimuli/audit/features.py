"""What the probes see of a picture: gradients and coarse colour, with regions left out if wanted.

Every feature is of one cell. Where a region is given, a cell that does not lie wholly inside it is
unknown (NaN): the probe puts the mean of the other clips there, so that the shape of the region
says nothing by itself. (Cells that count in part, or that are measured against their neighbours as
in the usual histograms of gradients, would tell where the region ends.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

# Pictures are looked at in this size, whatever their own.
SIDE = 128
CELL = 16
N_ORIENTATIONS = 9
# Added to a cell's mean squared gradient (in grey levels), so that noise in a smooth fill is not
# blown up to the strength of edges.
LEAST_ENERGY = 16.0**2
# A pixel of which so much is in a region is in it: resizing rounds.
WHOLE = 0.999


@dataclass(frozen=True)
class Features:
    """Numbers about pictures.

    Attributes
    ----------
    values : ndarray of float32
        (clips, moments, features); NaN where unknown.
    blocks : tuple of int
        How many neighbouring features are of one kind: kinds weigh the same.
    """

    values: np.ndarray
    blocks: tuple[int, ...]


def plain_features(
    pictures_nhwc: np.ndarray | Sequence[np.ndarray],
    regions_nhw: np.ndarray | Sequence[np.ndarray] | None = None,
) -> Features:
    """Return gradient histograms and coarse colour of pictures, one moment each.

    Histograms of oriented gradients after Dalal & Triggs (2005): unsigned orientation, cells of
    `CELL` pixels at `SIDE` pixels a side, each divided by the root of its own energy. Colour is the
    mean CIE Lab of the same cells.

    Parameters
    ----------
    pictures_nhwc : sequence of ndarray of uint8
        RGB.
    regions_nhw : sequence of ndarray of bool, optional
        Only cells that lie wholly in it count; default all.
    """
    regions = [None] * len(pictures_nhwc) if regions_nhw is None else regions_nhw
    rows = [plain_row(*pair) for pair in zip(pictures_nhwc, regions, strict=True)]
    return Features(np.stack(rows)[:, np.newaxis], plain_blocks())


def plain_blocks() -> tuple[int, int]:
    """Return how many features of gradients and of colour `plain_row` gives."""
    n_cells = (SIDE // CELL) ** 2
    return n_cells * N_ORIENTATIONS, n_cells * 3


def plain_row(picture_hwc: np.ndarray, region_hw: np.ndarray | None = None) -> np.ndarray:
    """Return the features of one picture, see `plain_features`."""
    picture = cv2.resize(picture_hwc, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(picture, cv2.COLOR_RGB2LAB).astype(np.float32)
    cells = [_gradient_cells(picture), _cell_means(lab)]
    if region_hw is not None:
        inside = _cells_inside(region_hw)[..., np.newaxis]
        cells = [np.where(inside, values, np.nan) for values in cells]
    return np.concatenate([values.ravel() for values in cells]).astype(np.float32)


def _gradient_cells(picture_hwc: np.ndarray) -> np.ndarray:
    """Return histograms of gradient orientation, (rows, columns, orientations)."""
    grey = cv2.cvtColor(picture_hwc, cv2.COLOR_RGB2GRAY).astype(np.float32)
    padded = np.pad(grey, 1, mode="edge")
    down, right = padded[2:, 1:-1] - padded[:-2, 1:-1], padded[1:-1, 2:] - padded[1:-1, :-2]
    strength = np.hypot(down, right)[..., np.newaxis]
    place = np.arctan2(down, right) % np.pi / np.pi * N_ORIENTATIONS
    lower = np.floor(place).astype(int)
    share = (place - lower)[..., np.newaxis]
    one_hot = np.eye(N_ORIENTATIONS, dtype=np.float32)
    votes = one_hot[lower % N_ORIENTATIONS] * (1 - share)
    votes += one_hot[(lower + 1) % N_ORIENTATIONS] * share
    return _cell_means(votes * strength) / np.sqrt(_cell_means(strength**2) + LEAST_ENERGY)


def _cell_means(values_hwk: np.ndarray) -> np.ndarray:
    n = SIDE // CELL
    return values_hwk.reshape(n, CELL, n, CELL, -1).mean(axis=(1, 3))


def _cells_inside(region_hw: np.ndarray) -> np.ndarray:
    """Return which cells lie wholly in a region, with the one pixel around that gradients reach."""
    covered = cv2.resize(region_hw.astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    whole = (covered > WHOLE).astype(np.uint8)
    reached = cv2.erode(whole, np.ones((3, 3), np.uint8), borderValue=1)
    return _cell_means(reached[..., np.newaxis])[..., 0] == 1
