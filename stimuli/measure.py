"""What a stimulus is like to the eye, in two numbers."""

from __future__ import annotations

import cv2
import numpy as np


def luminance_and_contrast(frames_thwc: np.ndarray) -> tuple[float, float]:
    """Return mean luminance and RMS contrast, both in 0..1.

    Luminance is the luma of the pixel values (0.299 R + 0.587 G + 0.114 B, ITU-R BT.601) as a share
    of white: the screen's gamma is not undone. Contrast is its standard deviation over the pixels
    of a frame (Peli, 1990, J. Opt. Soc. Am. A 7:2032), averaged over the frames.

    Parameters
    ----------
    frames_thwc : ndarray of uint8
        RGB (T, H, W, 3).
    """
    moments = [cv2.meanStdDev(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)) for frame in frames_thwc]
    means, deviations = np.array(moments).reshape(len(frames_thwc), 2).T / 255
    return float(means.mean()), float(deviations.mean())
