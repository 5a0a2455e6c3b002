"""The hole of a clip moved to where the person is not."""

from __future__ import annotations

import cv2
import numpy as np

# Places are compared on a picture of at most so many pixels a side.
SEARCH_SIDE = 96


def hole_elsewhere(holes_thw: np.ndarray, masks_thw: np.ndarray) -> np.ndarray:
    """Move holes to the place that covers least of the person, the same for all frames.

    Parameters
    ----------
    holes_thw : ndarray of bool
        The holes that hide the person, (T, H, W).
    masks_thw : ndarray of bool
        The person, who stays visible: pixels of the moved hole that would hide the person are
        given back.

    Returns
    -------
    ndarray of bool
        (T, H, W); empty where the holes are. Of equally good places the one nearest to the first
        row, then column, is taken.
    """
    shared = holes_thw.strides[0] == 0
    hole = holes_thw[0] if shared else holes_thw.any(axis=0)
    if not hole.any():
        return holes_thw
    person = masks_thw.any(axis=0)
    down, right = _best_shift(hole, person)
    if shared:
        return np.broadcast_to(_shifted(hole, down, right) & ~person, holes_thw.shape)
    moved = np.stack([_shifted(one, down, right) for one in holes_thw])
    return moved & ~masks_thw


def _best_shift(hole_hw: np.ndarray, person_hw: np.ndarray) -> tuple[int, int]:
    """Find the shift that keeps the hole in the picture and covers least of the person."""
    height, width = hole_hw.shape
    scale = min(1.0, SEARCH_SIDE / max(height, width))
    small_wh = (max(1, round(width * scale)), max(1, round(height * scale)))
    rows, columns = np.flatnonzero(hole_hw.any(axis=1)), np.flatnonzero(hole_hw.any(axis=0))
    top, left = int(rows[0]), int(columns[0])
    crop = hole_hw[top : rows[-1] + 1, left : columns[-1] + 1]
    crop_wh = tuple(
        max(1, min(most, round(side * scale)))
        for side, most in zip(crop.shape[::-1], small_wh, strict=True)
    )
    template = cv2.resize(crop.astype(np.float32), crop_wh, interpolation=cv2.INTER_AREA)
    person = cv2.resize(person_hw.astype(np.float32), small_wh, interpolation=cv2.INTER_AREA)
    covered = cv2.matchTemplate(person, template, cv2.TM_CCORR)
    # The correlation goes through a Fourier transform whose last digits are noise.
    at = np.unravel_index(np.argmin(np.round(covered, 2)), covered.shape)
    place = [round(float(pixel) / scale) for pixel in at]
    lowest = [height - crop.shape[0], width - crop.shape[1]]
    y, x = (min(here, most) for here, most in zip(place, lowest, strict=True))
    return y - top, x - left


def _shifted(mask_hw: np.ndarray, down: int, right: int) -> np.ndarray:
    """Move a mask; what leaves the picture is lost."""
    height, width = mask_hw.shape
    moved = np.zeros_like(mask_hw)
    to_y, to_x = (
        slice(max(0, down), height + min(0, down)),
        slice(max(0, right), width + min(0, right)),
    )
    from_y = slice(max(0, -down), height - max(0, down))
    from_x = slice(max(0, -right), width - max(0, right))
    moved[to_y, to_x] = mask_hw[from_y, from_x]
    return moved
