"""Outlines: the shape, size and place of a region, and rims along its edge."""

from __future__ import annotations

import cv2
import numpy as np

from stimuli.audit.features import plain_blocks, plain_row
from stimuli.holes import growth_px

WHITE = np.uint8(255)
# Width of a rim as a share of the geometric mean of the person's box sides.
RIM_SHARE = 0.03
N_GEOMETRY = 6
OUTLINE_BLOCKS = (*plain_blocks(), N_GEOMETRY)


def outline_row(region_hw: np.ndarray) -> np.ndarray:
    """Return what a black and white picture of a region shows, and its place and size.

    The plain features, and as shares of the picture: centre (x, y), the logarithms of width, height
    and area, and the share of the region's box that it covers. All unknown (NaN) where it is empty.
    """
    ys, xs = np.flatnonzero(region_hw.any(axis=1)), np.flatnonzero(region_hw.any(axis=0))
    if not len(ys):
        return np.full(sum(OUTLINE_BLOCKS), np.nan)
    picture = np.repeat(region_hw[..., np.newaxis] * WHITE, 3, axis=2)
    height, width = region_hw.shape
    box_h, box_w = (ys[-1] + 1 - ys[0]) / height, (xs[-1] + 1 - xs[0]) / width
    centre = [(xs[0] + xs[-1] + 1) / 2 / width, (ys[0] + ys[-1] + 1) / 2 / height]
    area = float(region_hw.mean())
    sizes = np.log([box_w, box_h, area])
    return np.concatenate([plain_row(picture), centre, sizes, [area / (box_h * box_w)]])


def box_of(region_hw: np.ndarray) -> tuple[slice, slice]:
    """Return the rows and columns of a region's box."""
    ys, xs = np.flatnonzero(region_hw.any(axis=1)), np.flatnonzero(region_hw.any(axis=0))
    return slice(ys[0], ys[-1] + 1), slice(xs[0], xs[-1] + 1)


def rims(mask_hw: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return three rims of equal width: outside a person's edge, inside it, and the next inwards.

    They are `RIM_SHARE` of the geometric mean of the person's box sides wide, at least a pixel.
    """
    width = max(1.0, growth_px(mask_hw, 1 + 2 * RIM_SHARE))
    outside, inside = _squared_distance(~mask_hw), _squared_distance(mask_hw)
    return (
        ~mask_hw & (outside <= width**2),
        mask_hw & (inside <= width**2),
        mask_hw & (inside > width**2) & (inside <= (2 * width) ** 2),
    )


def _squared_distance(region_hw: np.ndarray) -> np.ndarray:
    """Return squared distances of a region's pixels from its outside: whole numbers, exactly."""
    if region_hw.all():
        return np.full(region_hw.shape, np.inf)
    distances = cv2.distanceTransform(
        region_hw.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE
    )
    return np.rint(np.square(distances, dtype=np.float64))
