"""How good a fill is: near to the truth where that is known, and without a visible outline."""

from __future__ import annotations

import cv2
import numpy as np

from stimuli.fill_color import LUMA_RGB
from stimuli.video.loss import ssim_map

# Where the surroundings of an outline are looked at, pixels outside it; nearer, a grown mask may
# still hold something of the person's edge, farther, it is another part of the scene.
SHIFTS_PX = (3, 4, 5, 6)


def psnr(a_thwc: np.ndarray, b_thwc: np.ndarray, where_thw: np.ndarray) -> float:
    """Return the peak signal-to-noise ratio, decibels, over some pixels and all channels.

    10 log10(255² / mean squared difference); infinite where they are equal, NaN without a pixel.
    """
    squares, count = 0.0, 0
    for a, b, where in zip(a_thwc, b_thwc, where_thw, strict=True):
        difference = a[where].astype(np.int64) - b[where]
        squares += float((difference**2).sum())
        count += difference.size
    if not count:
        return float("nan")
    return float(10 * np.log10(255**2 * count / squares)) if squares else float("inf")


def ssim(a_thwc: np.ndarray, b_thwc: np.ndarray, where_thw: np.ndarray) -> float:
    """Return the mean structural similarity of the luma over some pixels, at most 1.

    Wang et al. (2004) with their constants; the window of a pixel near the rim of `where` looks
    outside it too, so an outline counts. NaN without a pixel.
    """
    total, count = 0.0, 0
    for a, b, where in zip(a_thwc, b_thwc, where_thw, strict=True):
        if where.any():
            total += float(ssim_map(_luma(a), _luma(b))[where].sum())
            count += int(where.sum())
    return total / count if count else float("nan")


def boundary_visibility(frames_thwc: np.ndarray, holes_thw: np.ndarray) -> float:
    """Return how much the outline of the hole shows as an edge; 1 is not more than elsewhere.

    The mean absolute difference of luma between the two pixels of every 4-neighbouring pair that
    the outline separates, divided by the same for the outlines of the hole grown by 3, 4, 5 and 6
    pixels, which lie in the undisturbed surroundings. Both means run over the pairs of all frames.
    An edge of 30 grey levels on a wall with steps of 2 gives 15; a fill that takes up the rim's
    colours gives about 1 or less. NaN where there is no outline or no change around it at all.
    """
    at, around = _Mean(), _Mean()
    for frame, hole in zip(frames_thwc, holes_thw, strict=True):
        if not hole.any():
            continue
        luma = _luma(frame)
        at.add(_steps(luma, hole))
        for shift in SHIFTS_PX:
            around.add(_steps(luma, _grown(hole, shift)))
    return at.value / around.value if around.value else float("nan")


def texture_ratio(frames_thwc: np.ndarray, holes_thw: np.ndarray) -> float:
    """Return how much detail the hole has compared with its surroundings; 1 is as much.

    The mean absolute difference of luma between 4-neighbours that both lie in the hole, at most 12
    pixels from its outline, over that of neighbours outside, 2 to 12 pixels from it. A blurred
    patch gives less than 1.
    """
    inside, outside = _Mean(), _Mean()
    for frame, hole in zip(frames_thwc, holes_thw, strict=True):
        if not hole.any():
            continue
        luma = _luma(frame)
        inside.add(_steps_within(luma, hole & _grown(~hole, 12)))
        outside.add(_steps_within(luma, _grown(hole, 12) & ~_grown(hole, 1)))
    return inside.value / outside.value if outside.value else float("nan")


class _Mean:
    """A mean over arrays that come one by one."""

    def __init__(self) -> None:
        self._total, self._count = 0.0, 0

    def add(self, values: np.ndarray) -> None:
        self._total += float(values.sum())
        self._count += values.size

    @property
    def value(self) -> float:
        return self._total / self._count if self._count else float("nan")


def _luma(frame_hwc: np.ndarray) -> np.ndarray:
    return frame_hwc @ LUMA_RGB


def _grown(mask_hw: np.ndarray, by_px: int) -> np.ndarray:
    """Return the pixels within so many king's moves of the mask."""
    kernel = np.ones((2 * by_px + 1, 2 * by_px + 1), np.uint8)
    return cv2.dilate(mask_hw.astype(np.uint8), kernel).astype(bool)


def _steps(luma_hw: np.ndarray, mask_hw: np.ndarray) -> np.ndarray:
    """Return the absolute differences across the outline of a mask."""
    across = [np.abs(np.diff(luma_hw, axis=axis))[np.diff(mask_hw, axis=axis)] for axis in (0, 1)]
    return np.concatenate(across)


def _steps_within(luma_hw: np.ndarray, mask_hw: np.ndarray) -> np.ndarray:
    """Return the absolute differences between neighbours that both lie in a mask."""
    both = (mask_hw[1:] & mask_hw[:-1], mask_hw[:, 1:] & mask_hw[:, :-1])
    within = [np.abs(np.diff(luma_hw, axis=axis))[both[axis]] for axis in (0, 1)]
    return np.concatenate(within)
