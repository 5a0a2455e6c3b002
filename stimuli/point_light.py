"""Point-light displays: the key points of a person as dots, and the files that hold them."""

from __future__ import annotations

import zipfile
from pathlib import Path

import cv2
import numpy as np

from stimuli.letterbox import Letterbox
from stimuli.video import Timing
from study.errors import StudyError
from study.files import whole_file

# OpenCV draws at fractions of a pixel given as whole numbers of 1/16.
SUBPIXEL_BITS = 4


def point_lights(
    points_tkc: np.ndarray, shape_thw: tuple[int, int, int], color: np.ndarray, dot_size: float
) -> np.ndarray:
    """Draw dots on one colour: white on a dark one, black on a light one.

    Parameters
    ----------
    points_tkc : ndarray of float
        (T, K, 3): x, y in pixels, visible where the third is above 0.
    shape_thw : tuple of int
    color : ndarray of uint8
        Of the ground, (3,).
    dot_size : float
        Diameter as a share of the height.

    Returns
    -------
    ndarray of uint8
        (T, H, W, 3).
    """
    frames = np.broadcast_to(color, (*shape_thw, 3)).copy()
    dot = 255 if color.mean() < 128 else 0
    radius = round(dot_size * shape_thw[1] / 2 * 2**SUBPIXEL_BITS)
    for frame, points in zip(frames, points_tkc, strict=True):
        for x, y, visible in points:
            if visible > 0 and np.isfinite([x, y]).all():
                at = (round(x * 2**SUBPIXEL_BITS), round(y * 2**SUBPIXEL_BITS))
                cv2.circle(frame, at, radius, (dot,) * 3, -1, cv2.LINE_AA, SUBPIXEL_BITS)
    return frames


def keypoint_file(folder: Path, action: str, stem: str) -> Path:
    """Where the key points of a clip lie."""
    return folder / action / f"{stem}.npz"


def write_keypoints(path: Path, points_tkc: np.ndarray) -> None:
    """Write key points as `read_keypoints` reads them."""
    with whole_file(path) as partial:
        np.savez_compressed(partial, keypoints=points_tkc)


def read_keypoints(path: Path, timing: Timing) -> np.ndarray:
    """Read the key points of the frames shown.

    Parameters
    ----------
    path : Path
        An npz file with the key `keypoints`: (T, K, 2) or (T, K, 3), x and y in pixels of the
        source and, third, visibility; NaN or a visibility of 0 hides a point.
    timing : Timing
        Of the clip.

    Returns
    -------
    ndarray of float
        (T, K, 3) of the frames shown.

    Raises
    ------
    StudyError
        When the file is missing or unreadable, or does not fit the clip.
    """
    try:
        with np.load(path, allow_pickle=False) as content:
            points = content["keypoints"]
    except FileNotFoundError as error:
        raise StudyError(f"{path}: no such file of key points (masks.keypoints)") from error
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise StudyError(f"{path}: no npz file with the key 'keypoints': {error}") from error
    if points.ndim != 3 or len(points) != timing.n_in_file or points.shape[2] not in (2, 3):
        raise StudyError(
            f"{path}: the key points have the shape {points.shape}; expected "
            f"(frames, points, 2 or 3) with {timing.n_in_file} frames"
        )
    points = points[timing.shown_index].astype(float)
    if points.shape[2] == 2:
        points = np.concatenate([points, np.ones((*points.shape[:2], 1))], axis=2)
    return points


def at_picture_size(
    points_tkc: np.ndarray, source_wh: tuple[int, int], letterbox: Letterbox
) -> np.ndarray:
    """Move key points from the pixels of the source to those of the picture in its letterbox."""
    scale = np.array(letterbox.picture_wh) / np.array(source_wh)
    moved = points_tkc.copy()
    # Pixel centres: the middle of the first pixel is at 0.
    moved[..., :2] = (points_tkc[..., :2] + 0.5) * scale - 0.5
    return moved
