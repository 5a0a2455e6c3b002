"""The hidden region: the person, grown, in every frame or over the whole clip."""

from __future__ import annotations

import cv2
import numpy as np

from study.errors import check_one_of

HOLES = ("union", "frame")
ROUNDING = 1e-6


def growth_px(mask_hw: np.ndarray, dilation: float) -> float:
    """Return how far a mask grows, in pixels.

    Growing by (dilation - 1) / 2 times the geometric mean of the person's box sides on every side
    makes the box about `dilation` times as long and wide.
    """
    ys, xs = np.nonzero(mask_hw)
    if not len(ys):
        return 0.0
    return float((dilation - 1) / 2 * np.sqrt((np.ptp(ys) + 1) * (np.ptp(xs) + 1)))


def grown(mask_hw: np.ndarray, dilation: float) -> np.ndarray:
    """Return all pixels whose Euclidean distance from the mask is at most `growth_px`."""
    distance = growth_px(mask_hw, dilation)
    if distance == 0:
        return mask_hw.copy()
    outside = (~mask_hw).astype(np.uint8)
    distances = cv2.distanceTransform(outside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    # Squared distances of pixels are whole numbers. OpenCV's last digit depends on its number of
    # threads, and distances equal to the growth are common: rounding keeps equal runs equal.
    return np.rint(np.square(distances, dtype=np.float64)) <= distance**2 + ROUNDING


def holes_of(masks_thw: np.ndarray, kind: str, dilation: float) -> np.ndarray:
    """Return the hidden region of every frame.

    Parameters
    ----------
    masks_thw : ndarray of bool
    kind : {"union", "frame"}
        union: in every frame what the grown person covers in any frame, so that the motion of the
        hole gives nothing away; frame: each frame's own.
    dilation : float
        Linear growth over the person, see `growth_px`.

    Returns
    -------
    ndarray of bool
        (T, H, W); a read-only view where all frames share one hole.
    """
    check_one_of("versions.hole", kind, HOLES)
    holes = np.stack([grown(mask, dilation) for mask in masks_thw])
    if kind == "frame":
        return holes
    return np.broadcast_to(holes.any(axis=0), holes.shape)
