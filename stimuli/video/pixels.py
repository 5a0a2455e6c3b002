"""Decoded frames as RGB: shrunk, converted and turned upright in one go."""

from __future__ import annotations

import cv2
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter

# High definition without a colour matrix in the file is BT.709 everywhere else.
FIRST_HD_HEIGHT = 720
UNSPECIFIED_COLOR = 2

# swscale's shortcuts for 4:2:0 make every picture one to three levels too dark. Full chroma and
# accurate rounding are unbiased, and bit-exact arithmetic gives the same bytes on every processor.
EXACT = (
    Interpolation.FULL_CHR_H_INT
    | Interpolation.FULL_CHR_H_INP
    | Interpolation.ACCURATE_RND
    | Interpolation.BITEXACT
)


class ToRgb:
    """Converts the frames of one video, which share the tables of the conversion.

    Parameters
    ----------
    size_wh : tuple of int
        Of the upright picture: smaller ones are averages over the area of each pixel, larger ones
        are interpolated (bicubic).
    """

    def __init__(self, size_wh: tuple[int, int]) -> None:
        self.size_wh = size_wh
        self._reformatter = VideoReformatter()

    def __call__(self, frame: VideoFrame) -> np.ndarray:
        """Return (H, W, 3) uint8 RGB by the matrix and range that the frame names."""
        quarter_turns = round(frame.rotation / 90) % 4
        width, height = self.size_wh[::-1] if quarter_turns % 2 else self.size_wh
        how = Interpolation.AREA if width <= frame.width else Interpolation.BICUBIC
        rgb = self._reformatter.reformat(
            frame,
            width,
            height,
            format="rgb24",
            src_colorspace=matrix_of(frame),
            interpolation=how | EXACT,
            threads=1,
        )
        return np.ascontiguousarray(np.rot90(rgb.to_ndarray(), quarter_turns))


def matrix_of(frame: VideoFrame) -> str | None:
    """Return the colour matrix to assume, None where the file names one or needs none."""
    if frame.colorspace != UNSPECIFIED_COLOR or frame.format.is_rgb:
        return None
    return "ITU709" if frame.height >= FIRST_HD_HEIGHT else "ITU601"


def resized(frame_hwc: np.ndarray, size_wh: tuple[int, int]) -> np.ndarray:
    """Return a photograph at another size, as `ToRgb` does it."""
    smaller = size_wh[0] < frame_hwc.shape[1]
    how = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    return cv2.resize(frame_hwc, size_wh, interpolation=how)
