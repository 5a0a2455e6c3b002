"""Photographs in and out."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

# By its own name: ultralytics, once loaded, replaces `Image.open` by one that installs packages.
from PIL.Image import open as open_image

from study.errors import StudyError


def read_photo(path: Path) -> np.ndarray:
    """Read a photograph as (H, W, 3) uint8 RGB, turned as its EXIF tag says.

    Raises
    ------
    StudyError
        When the file is missing, no photograph, or truncated.
    """
    try:
        with open_image(path) as photo:
            upright = ImageOps.exif_transpose(photo)
            if upright.mode.startswith("I"):
                # Sixteen-bit grey: Pillow would clip it instead of scaling it.
                upright = Image.fromarray((np.asarray(upright) / 257).astype(np.uint8))
            return np.array(upright.convert("RGB"))
    except FileNotFoundError as error:
        raise StudyError(f"{path}: no such file") from error
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise StudyError(f"{path}: not a readable photograph, or truncated: {error}") from error


def encode_photo(frame_hwc: np.ndarray) -> bytes:
    """Return one (H, W, 3) RGB frame as a PNG file."""
    _, content = cv2.imencode(".png", cv2.cvtColor(frame_hwc, cv2.COLOR_RGB2BGR))
    return content.tobytes()
