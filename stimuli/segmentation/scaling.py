"""Frames at the size of the network's input, with grey bars, and masks back to the frame."""

from __future__ import annotations

import cv2
import numpy as np

# The network's strides: its input is a multiple of so many pixels. The bars are of this grey.
STRIDE = 32
BAR = 114


def to_network_scale(frame_hwc: np.ndarray, image_size: int) -> np.ndarray:
    """Resize a frame so that its longer side is the network's input."""
    height, width = frame_hwc.shape[:2]
    scale = min(image_size / height, image_size / width)
    size_wh = (round(width * scale), round(height * scale))
    if size_wh == (width, height):
        return frame_hwc
    return cv2.resize(frame_hwc, size_wh, interpolation=cv2.INTER_LINEAR)


def input_shape(frame_hwc: np.ndarray, square: bool) -> tuple[int, int]:
    """Return height and width of the network's input for a frame at its scale.

    Parameters
    ----------
    frame_hwc : ndarray
    square : bool
        Whether the network takes only squares.
    """
    height, width = frame_hwc.shape[:2]
    if square:
        return max(height, width), max(height, width)
    return -(-height // STRIDE) * STRIDE, -(-width // STRIDE) * STRIDE


def with_bars(frame_hwc: np.ndarray, shape_hw: tuple[int, int]) -> np.ndarray:
    """Put a frame in the middle of grey; half a pixel goes to the right and to the bottom."""
    height, width = frame_hwc.shape[:2]
    top, left = _first_px(shape_hw[0], height), _first_px(shape_hw[1], width)
    padded = np.full((*shape_hw, 3), BAR, np.uint8)
    padded[top : top + height, left : left + width] = frame_hwc
    return padded


def unletterboxed(masks_nhw: np.ndarray, size_wh: tuple[int, int]) -> np.ndarray:
    """Cut the padding off masks at the size of the network's input.

    Parameters
    ----------
    masks_nhw : ndarray
        Masks of one frame as the network gives them, the frame centred in them.
    size_wh : tuple of int
        Size of the frame.

    Returns
    -------
    ndarray
        (N, h, w): the frame's own area, still at the scale of the network.
    """
    height, width = masks_nhw.shape[1:]
    scale = min(width / size_wh[0], height / size_wh[1])
    inner_w, inner_h = round(size_wh[0] * scale), round(size_wh[1] * scale)
    top, left = _first_px(height, inner_h), _first_px(width, inner_w)
    return masks_nhw[:, top : top + inner_h, left : left + inner_w]


def at_frame_size(mask_hw: np.ndarray, size_wh: tuple[int, int]) -> np.ndarray:
    """Resize one mask to the frame: interpolated, then cut at one half, so outlines stay smooth."""
    smaller = size_wh[0] < mask_hw.shape[1]
    how = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return cv2.resize(mask_hw.astype(np.uint8) * 255, size_wh, interpolation=how) >= 128


def _first_px(padded: int, inner: int) -> int:
    return round((padded - inner) / 2 - 0.1)
