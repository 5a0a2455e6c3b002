"""How the frames of one clip are made for one view: plain data, sent to the processes that do it.

Knows nothing of torch, so that these processes start fast.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from models.flow import FlowMethod, encode, estimator, flow_pictures
from stimuli.fill_color import MIDDLE_GREY
from stimuli.letterbox import Letterbox
from stimuli.masks import read_masks
from stimuli.video import read_clip
from study.errors import StudyError


class Recipe(Protocol):
    """Makes the rows of one clip in the file of one view."""

    n_rows: int

    def frames(self) -> np.ndarray:
        """Return (n_rows, S, S, C) uint8."""


@dataclass(frozen=True)
class VersionRecipe:
    """A version's frames at network size."""

    source: Path
    n_rows: int
    side: int

    def frames(self) -> np.ndarray:
        return read_square(self.source, self.n_rows, self.side)


@dataclass(frozen=True)
class FlowRecipe:
    """The flow of a version's frames, or of those frames of another clip that it is shown with.

    Attributes
    ----------
    source : Path
    n_in_source, n_rows : int
        Frames there, and frames shown; the same unless `shown` says otherwise.
    side, inner : int
        Of the network's frames, and of those on which flow is found.
    method : FlowMethod
    shown : tuple of int, optional
        Which frames of the source are shown, in order.
    """

    source: Path
    n_in_source: int
    n_rows: int
    side: int
    inner: int
    method: FlowMethod
    shown: tuple[int, ...] | None = None

    def frames(self) -> np.ndarray:
        if self.n_rows == 1:
            return encode(np.zeros((1, self.side, self.side, 2), np.float32))
        frames = read_square(self.source, self.n_in_source, self.inner)
        if self.shown is not None:
            frames = frames[list(self.shown)]
        return flow_pictures(frames, self.side, estimator(self.method))


@dataclass(frozen=True)
class MasksRecipe:
    """The person masks, laid into the frame as the versions are: how much of a pixel is body."""

    source: Path
    n_rows: int
    frame_wh: tuple[int, int]
    side: int

    def frames(self) -> np.ndarray:
        masks = read_masks(self.source).masks_thw
        _check_length(self.source, masks, self.n_rows)
        letterbox = _letterbox(masks, self.frame_wh)
        white = letterbox.shrink_masks(masks).astype(np.uint8)[..., np.newaxis] * 255
        frames = letterbox.pad(np.repeat(white, 3, axis=3))
        return np.stack([fit_square(frame, self.side)[..., :1] for frame in frames])


@dataclass(frozen=True)
class BlankRecipe:
    """The frame of a clip without any part: the colour that hides, inside black bars.

    It is read from where the body-only version hides its first frame; the median forgives the
    small errors of videos that are not lossless.
    """

    source: Path
    masks: Path
    frame_wh: tuple[int, int]
    side: int
    n_rows: int = 1

    def frames(self) -> np.ndarray:
        masks = read_masks(self.masks).masks_thw
        letterbox = _letterbox(masks, self.frame_wh)
        (left, top), (width, height) = letterbox.offset_xy, letterbox.picture_wh
        shown = read_clip(self.source).frames_thwc[:, top : top + height, left : left + width]
        picture = np.full((1, height, width, 3), MIDDLE_GREY, np.uint8)
        for frame, mask in zip(shown, letterbox.shrink_masks(masks), strict=True):
            if not mask.all():
                picture[:] = np.rint(np.median(frame[~mask], axis=0)).astype(np.uint8)
                break
        return fit_square(letterbox.pad(picture)[0], self.side)[np.newaxis]


@dataclass(frozen=True)
class Place:
    """A recipe and the bytes of a file that its frames fill."""

    recipe: Recipe
    target: Path
    offset: int


def fill(place: Place) -> None:
    """Make the frames of one clip and write them to their place.

    By plain writes, since a mapped one on a full disk kills the process.
    """
    content = place.recipe.frames().tobytes()
    with place.target.open("r+b") as target:
        target.seek(place.offset)
        target.write(content)


def fit_square(frame_hwc: np.ndarray, side: int) -> np.ndarray:
    """Shrink a frame into a black square without changing its proportions.

    Parameters
    ----------
    frame_hwc : ndarray of uint8
    side : int
        Pixels.

    Returns
    -------
    ndarray of uint8
        (side, side, 3).
    """
    height, width = frame_hwc.shape[:2]
    scale = side / max(height, width)
    fitted_wh = max(1, round(width * scale)), max(1, round(height * scale))
    square = np.zeros((side, side, 3), np.uint8)
    left, top = (side - fitted_wh[0]) // 2, (side - fitted_wh[1]) // 2
    square[top : top + fitted_wh[1], left : left + fitted_wh[0]] = cv2.resize(
        frame_hwc, fitted_wh, interpolation=cv2.INTER_AREA
    )
    return square


def read_square(source: Path, n_frames: int, side: int) -> np.ndarray:
    """Read a stimulus as square frames (T, side, side, 3); check that there are `n_frames`."""
    frames = read_clip(source, each=lambda frame: fit_square(frame, side)).frames_thwc
    _check_length(source, frames, n_frames)
    return frames


def _letterbox(masks_thw: np.ndarray, frame_wh: tuple[int, int]) -> Letterbox:
    """Return how a clip lies in its stimuli: its masks have the size of the source."""
    height, width = masks_thw.shape[1:]
    return Letterbox.of((width, height), frame_wh)


def _check_length(source: Path, frames: np.ndarray, expected: int) -> None:
    if len(frames) != expected:
        raise StudyError(
            f"{source}: expected {expected} frames as in the manifest, found {len(frames)}"
        )
