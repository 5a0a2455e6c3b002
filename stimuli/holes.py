"""The hidden region: the person, grown, in every frame or over the whole clip."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from study.errors import check_one_of
from study.fields import Versions

ROUNDING = 1e-6

# Union of the grown masks (H, W), settings -> the one hole of all frames (H, W).
ShapeHole = Callable[[np.ndarray, Versions], np.ndarray]


def growth_px(mask_hw: np.ndarray, dilation: float) -> float:
    """Return how far a mask grows, in pixels.

    Growing by (dilation - 1) / 2 times the geometric mean of the person's box sides on every side
    makes the box about `dilation` times as long and wide.
    """
    ys, xs = _extent(mask_hw)
    if not len(ys):
        return 0.0
    return float((dilation - 1) / 2 * np.sqrt((np.ptp(ys) + 1) * (np.ptp(xs) + 1)))


def grown(mask_hw: np.ndarray, dilation: float) -> np.ndarray:
    """Return all pixels whose Euclidean distance from the mask is at most `growth_px`."""
    return grown_by(mask_hw, growth_px(mask_hw, dilation))


def grown_by(mask_hw: np.ndarray, distance_px: float) -> np.ndarray:
    """Return all pixels whose Euclidean distance from the mask is at most `distance_px`."""
    ys, xs = _extent(mask_hw)
    if distance_px == 0 or not len(ys):
        return mask_hw.copy()
    reach = int(distance_px) + 1
    # Nothing farther away can be reached: a small person costs little in a large picture.
    near = (
        slice(max(0, ys[0] - reach), ys[-1] + reach + 1),
        slice(max(0, xs[0] - reach), xs[-1] + reach + 1),
    )
    outside = (~mask_hw[near]).astype(np.uint8)
    distances = cv2.distanceTransform(outside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    # Squared distances of pixels are whole numbers. OpenCV's last digit depends on its number of
    # threads, and distances equal to the growth are common: rounding keeps equal runs equal.
    within = np.rint(np.square(distances, dtype=np.float64)) <= distance_px**2 + ROUNDING
    result = np.zeros_like(mask_hw)
    result[near] = within
    return result


def grown_masks(masks_thw: np.ndarray, dilation: float) -> np.ndarray:
    """Return every frame's mask, grown (T, H, W)."""
    return np.stack([grown(mask, dilation) for mask in masks_thw])


def holes_of(grown_thw: np.ndarray, settings: Versions) -> np.ndarray:
    """Return the hidden region of every frame.

    Parameters
    ----------
    grown_thw : ndarray of bool
        The grown person of every frame, see `grown_masks`.
    settings : Versions
        `hole` names the policy. union: in every frame what the grown person covers in any frame,
        so that the motion of the hole gives nothing away; hull: the convex hull of that, which
        tells less of the pose; box: its box, at least `least_hole` large; frame: each frame's own.

    Returns
    -------
    ndarray of bool
        (T, H, W); a read-only view where all frames share one hole.
    """
    if settings.hole == "frame":
        return grown_thw
    check_one_of("versions.hole", settings.hole, ("frame", *SHARED_HOLES))
    shared = SHARED_HOLES[settings.hole](grown_thw.any(axis=0), settings)
    return np.broadcast_to(shared, grown_thw.shape)


def _union(union_hw: np.ndarray, settings: Versions) -> np.ndarray:
    return union_hw


def _hull(union_hw: np.ndarray, settings: Versions) -> np.ndarray:
    if not union_hw.any():
        return union_hw
    corners = cv2.convexHull(cv2.findNonZero(union_hw.astype(np.uint8)))
    hull = cv2.fillConvexPoly(np.zeros(union_hw.shape, np.uint8), corners, 1)
    return hull.astype(bool)


def _box(union_hw: np.ndarray, settings: Versions) -> np.ndarray:
    hole = np.zeros_like(union_hw)
    ys, xs = _extent(union_hw)
    if len(ys):
        least_w, least_h = settings.least_hole
        height, width = union_hw.shape
        hole[_stretched(ys, least_h, height), _stretched(xs, least_w, width)] = True
    return hole


SHARED_HOLES: dict[str, ShapeHole] = {"union": _union, "hull": _hull, "box": _box}


def _extent(mask_hw: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows and the columns that a mask touches, in order."""
    return np.flatnonzero(mask_hw.any(axis=1)), np.flatnonzero(mask_hw.any(axis=0))


def _stretched(covered: np.ndarray, least_share: float, side: int) -> slice:
    """Lengthen a range of pixels to a least share of the side.

    It goes to the middle of the side as far as it still covers the range: so persons of different
    shape and place who fit into the least box mostly get the very same one.
    """
    start, stop = int(covered[0]), int(covered[-1]) + 1
    length = max(stop - start, round(least_share * side))
    start = int(np.clip((side - length) // 2, stop - length, start))
    return slice(start, start + length)
