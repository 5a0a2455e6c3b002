"""Filling a hole from what is around it, frame by frame."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from study.errors import StudyError, check_one_of

# With less of the picture left than this there is nothing to inpaint from.
LEAST_LEFT = 0.02

Inpainter = Callable[[np.ndarray, np.ndarray, float], np.ndarray]


def _opencv(method: int) -> Inpainter:
    def fill(frame_hwc: np.ndarray, hole_hw: np.ndarray, radius: float) -> np.ndarray:
        return cv2.inpaint(frame_hwc, hole_hw.astype(np.uint8), radius, method)

    return fill


INPAINTERS: dict[str, Inpainter] = {
    "telea": _opencv(cv2.INPAINT_TELEA),
    "navier_stokes": _opencv(cv2.INPAINT_NS),
}


def inpainted(
    frames_thwc: np.ndarray, holes_thw: np.ndarray, method: str, radius: float
) -> np.ndarray:
    """Fill the holes of all frames; pixels outside stay as they are.

    Raises
    ------
    StudyError
        When a hole leaves nothing to inpaint from.
    """
    check_one_of("versions.inpainting", method, INPAINTERS)
    covered = float(holes_thw.mean(axis=(1, 2)).max())
    if 1 - covered < LEAST_LEFT:
        raise StudyError(
            f"the grown person covers {covered:.0%} of the picture: nothing is left to fill it from"
        )
    fill = INPAINTERS[method]
    filled = [
        fill(frame, hole, radius) if hole.any() else frame
        for frame, hole in zip(frames_thwc, holes_thw, strict=True)
    ]
    return np.stack(filled)
