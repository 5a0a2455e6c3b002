"""A blurred surrounding into which the person does not bleed."""

from __future__ import annotations

import cv2
import numpy as np

# A wide blur has no detail: it is made of a picture in which sigma is about so many pixels.
WORKING_SIGMA = 4.0


def blurred_outside(frames_thwc: np.ndarray, masks_thw: np.ndarray, sigma: float) -> np.ndarray:
    """Blur every pixel outside the masks by a Gaussian over such pixels alone.

    Normalised convolution (Knutsson & Westin, 1993): the blurred picture without the person is
    divided by the blurred share of pixels that are not the person.

    Parameters
    ----------
    frames_thwc : ndarray of uint8
    masks_thw : ndarray of bool
        The pixels kept sharp, which lend nothing to the blur.
    sigma : float
        Pixels.
    """
    pairs = zip(frames_thwc, masks_thw, strict=True)
    return np.stack([_blurred(frame, mask, sigma) for frame, mask in pairs])


def _blurred(frame_hwc: np.ndarray, mask_hw: np.ndarray, sigma: float) -> np.ndarray:
    if mask_hw.all():
        return frame_hwc
    height, width = mask_hw.shape
    shrink = max(1.0, sigma / WORKING_SIGMA)
    small_wh = (max(1, round(width / shrink)), max(1, round(height / shrink)))
    weight = (~mask_hw).astype(np.float32)
    weighted = np.dstack([frame_hwc * weight[..., np.newaxis], weight]).astype(np.float32)
    small = cv2.resize(weighted, small_wh, interpolation=cv2.INTER_AREA)
    blurred = cv2.GaussianBlur(small, (0, 0), sigma / shrink, borderType=cv2.BORDER_REFLECT)
    # Deep inside a large person no weight is left; nothing there is shown.
    around = blurred[..., :3] / np.maximum(blurred[..., 3:], 1e-6)
    around = cv2.resize(around, (width, height), interpolation=cv2.INTER_LINEAR)
    rounded = np.clip(np.rint(around), 0, 255).astype(np.uint8)
    return np.where(mask_hw[..., np.newaxis], frame_hwc, rounded)
