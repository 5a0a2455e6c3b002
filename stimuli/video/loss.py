"""What lossy compression costs: peak signal-to-noise ratio and structural similarity."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np

# Wang, Bovik, Sheikh & Simoncelli (2004), IEEE Trans. Image Processing 13:600: a Gaussian window
# of 11 pixels, and constants that keep the ratio finite in dark, flat regions.
WINDOW, SIGMA = 11, 1.5
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


@dataclass(frozen=True)
class Loss:
    """How a clip differs from another.

    Attributes
    ----------
    psnr_db : float
        Of all channels of all frames together; infinite where nothing differs.
    ssim : float
        Structural similarity of the luma, averaged over pixels and frames; 1 where nothing differs.
    """

    psnr_db: float
    ssim: float


def loss(frames: Iterable[np.ndarray], others: Iterable[np.ndarray]) -> Loss:
    """Compare two clips frame by frame.

    Parameters
    ----------
    frames, others : iterable of ndarray of uint8
        RGB (H, W, 3).

    Raises
    ------
    ValueError
        When one has more frames than the other.
    """
    errors, similarities = [], []
    for frame, other in zip(frames, others, strict=True):
        errors.append(np.square(frame.astype(np.float32) - other).mean(dtype=np.float64))
        similarities.append(ssim(luma(frame), luma(other)))
    mean_error = float(np.mean(errors))
    psnr_db = 10 * np.log10(255**2 / mean_error) if mean_error else np.inf
    return Loss(float(psnr_db), float(np.mean(similarities)))


def luma(frame_hwc: np.ndarray) -> np.ndarray:
    """Return an RGB frame in grey (ITU-R BT.601), 0 to 255."""
    return cv2.cvtColor(frame_hwc.astype(np.float32), cv2.COLOR_RGB2GRAY)


def ssim(grey_hw: np.ndarray, other_hw: np.ndarray) -> float:
    """Return the structural similarity of two grey pictures in 0..255 (Wang et al., 2004).

    Only windows that lie inside the picture count; a picture smaller than a window is continued
    by reflection.
    """
    likeness = ssim_map(grey_hw, other_hw)
    margin = WINDOW // 2
    if min(likeness.shape) > 2 * margin:
        likeness = likeness[margin:-margin, margin:-margin]
    return float(likeness.mean(dtype=np.float64))


def ssim_map(grey_hw: np.ndarray, other_hw: np.ndarray) -> np.ndarray:
    """Return the structural similarity in the window around every pixel (H, W)."""
    # About the mean of the first picture: squares of large numbers would cost precision.
    center = grey_hw.mean()
    grey, other = grey_hw - center, other_hw - center
    mean, other_mean = _blurred(grey), _blurred(other)
    variance = _blurred(grey * grey) - mean * mean
    other_variance = _blurred(other * other) - other_mean * other_mean
    covariance = _blurred(grey * other) - mean * other_mean
    mean, other_mean = mean + center, other_mean + center
    likeness = (2 * mean * other_mean + C1) / (mean**2 + other_mean**2 + C1)
    return likeness * (2 * covariance + C2) / (variance + other_variance + C2)


def _blurred(grey_hw: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(grey_hw, (WINDOW, WINDOW), SIGMA)
