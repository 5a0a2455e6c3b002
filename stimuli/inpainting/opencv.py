"""OpenCV's two methods: every frame by itself, from the rim of the hole inwards."""

from __future__ import annotations

import cv2
import numpy as np

from study.fields import Versions


def telea(
    frames_thwc: np.ndarray, holes_thw: np.ndarray, persons_thw: np.ndarray, settings: Versions
) -> np.ndarray:
    """Fill by fast marching (Telea 2004, doi:10.1080/10867651.2004.10487596)."""
    return _filled(frames_thwc, holes_thw, settings.inpaint_radius, cv2.INPAINT_TELEA)


def navier_stokes(
    frames_thwc: np.ndarray, holes_thw: np.ndarray, persons_thw: np.ndarray, settings: Versions
) -> np.ndarray:
    """Fill along the isophotes (Bertalmio et al. 2001, doi:10.1109/CVPR.2001.990497)."""
    return _filled(frames_thwc, holes_thw, settings.inpaint_radius, cv2.INPAINT_NS)


def _filled(
    frames_thwc: np.ndarray, holes_thw: np.ndarray, radius_px: float, method: int
) -> np.ndarray:
    filled = [
        cv2.inpaint(frame, hole.astype(np.uint8), radius_px, method) if hole.any() else frame
        for frame, hole in zip(frames_thwc, holes_thw, strict=True)
    ]
    return np.stack(filled)
