"""What a clip is: frames and times, or the times alone before anything is decoded."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from stimuli.video.times import FrameTimes

PHOTO_SUFFIXES = (".png", ".jpg", ".jpeg")
VIDEO_SUFFIXES = (".mp4", ".avi", ".mov", ".webm", ".mkv", ".m4v")
PHOTO_TIMES = FrameTimes.even(1, Fraction(1))


@dataclass(frozen=True)
class Clip:
    """Frames of a video, or the one frame of a photograph.

    Attributes
    ----------
    frames_thwc : ndarray of uint8
        RGB.
    times : FrameTimes
        When each frame appears. A rate (frames per second) may be given instead, for even frames.

    Raises
    ------
    ValueError
        When frames and times differ in number.
    """

    frames_thwc: np.ndarray
    times: FrameTimes

    def __init__(self, frames_thwc: np.ndarray, times: FrameTimes | Fraction) -> None:
        if not isinstance(times, FrameTimes):
            times = FrameTimes.even(len(frames_thwc), times)
        if len(times) != len(frames_thwc):
            raise ValueError(f"expected a time per frame, found {len(times)} times of "
                             f"{len(frames_thwc)} frames")  # fmt: skip
        object.__setattr__(self, "frames_thwc", frames_thwc)
        object.__setattr__(self, "times", times)

    @property
    def fps(self) -> Fraction:
        """Frames per second, see `FrameTimes.fps`."""
        return self.times.fps

    @property
    def times_s(self) -> np.ndarray:
        """When each frame appears, seconds from the first."""
        return self.times.times_s


@dataclass(frozen=True)
class Timing:
    """Which moments of a video are shown, known without decoding it.

    Attributes
    ----------
    times : FrameTimes
        Of what is shown.
    shown_index : ndarray of int
        The place of every frame shown among all frames of the file; it never falls.
    n_in_file : int
        Number of frames in the file.
    size_wh : tuple of int
        Size as displayed, rotation applied.
    stamps : tuple of int
        By which decoded frames are told apart: the file's own time stamps of all its frames;
        empty where it has none, and frames are counted.
    """

    times: FrameTimes
    shown_index: np.ndarray
    n_in_file: int
    size_wh: tuple[int, int]
    stamps: tuple[int, ...] = ()

    @property
    def fps(self) -> Fraction:
        """Frames per second of what is shown, see `FrameTimes.fps`."""
        return self.times.fps

    @property
    def shown_s(self) -> np.ndarray:
        """When every frame shown appears, seconds from the first."""
        return self.times.times_s


def is_photo(path: Path) -> bool:
    """Tell a photograph from a video by the file's suffix."""
    return path.suffix.lower() in PHOTO_SUFFIXES
