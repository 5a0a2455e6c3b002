"""Any video or photograph as RGB frames at their exact times."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import repeat
from pathlib import Path

import numpy as np
from av.video.frame import VideoFrame

from stimuli.video.clip import PHOTO_TIMES, Clip, Timing, is_photo
from stimuli.video.container import decoded, frames_allowed_lost, opened, read_video_file
from stimuli.video.photo import read_photo
from stimuli.video.pixels import ToRgb, resized
from study.errors import StudyError


def read_clip(
    path: Path,
    fps: float | None = None,
    max_seconds: float | None = None,
    each: Callable[[np.ndarray], np.ndarray] | None = None,
    size_wh: tuple[int, int] | None = None,
) -> Clip:
    """Read a video or a photograph.

    Parameters
    ----------
    path : Path
        Any file that FFmpeg or Pillow can read.
    fps : float, optional
        Lay an even grid of so many frames per second over the clip; default every frame of the
        file, once, at its own time.
    max_seconds : float, optional
        Leave out frames that end later.
    each : callable, optional
        Applied to every (H, W, 3) frame while reading.
    size_wh : tuple of int, optional
        Shrink or enlarge to that size, without regard to proportions, while converting to RGB:
        faster than `each` with a resize, and as exact.

    Returns
    -------
    Clip

    Raises
    ------
    StudyError
        When the file is missing, unreadable, truncated or damaged, or holds no picture.
    """
    timing = read_timing(path, fps, max_seconds)
    frames = None
    for number, frame in enumerate(iter_frames(path, timing, size_wh)):
        frame = each(frame) if each else frame
        if frames is None:
            # Filled in place: a list and its stack would take the memory twice.
            frames = np.empty((len(timing.times), *frame.shape), frame.dtype)
        frames[number] = frame
    return Clip(frames, timing.times)


def read_timing(path: Path, fps: float | None = None, max_seconds: float | None = None) -> Timing:
    """Read size and times from the container and one frame, and check the file is whole.

    Raises
    ------
    StudyError
        As `read_clip`; damage inside a frame shows only on decoding.
    """
    if is_photo(path):
        height, width = read_photo(path).shape[:2]
        return Timing(PHOTO_TIMES, np.zeros(1, int), 1, (width, height))
    video = read_video_file(path)
    times, index = video.times, np.arange(len(video.times))
    if fps is not None:
        times, index = times.at_rate(fps)
    if max_seconds is not None:
        times = times.cut(max_seconds)
    return Timing(times, index[: len(times)], len(video.times), video.size_wh, video.stamps)


def iter_frames(
    path: Path, timing: Timing, size_wh: tuple[int, int] | None = None
) -> Iterator[np.ndarray]:
    """Yield the (H, W, 3) RGB frames of a timing, one at a time, so that memory stays small.

    Parameters
    ----------
    path : Path
    timing : Timing
        As `read_timing` returned it.
    size_wh : tuple of int, optional
        As in `read_clip`.

    Raises
    ------
    StudyError
        When the video is damaged: more frames than the few that containers miscount are lost.
    """
    if is_photo(path):
        photo = read_photo(path)
        yield photo if size_wh is None else resized(photo, size_wh)
        return
    to_rgb = ToRgb(size_wh or timing.size_wh)
    converted: tuple[VideoFrame | None, np.ndarray | None] = (None, None)
    with opened(path) as (container, stream):
        placed = _placed(decoded(path, container, stream), timing.stamps)
        for frame in _shown(path, placed, timing.shown_index):
            if frame is not converted[0]:
                converted = (frame, to_rgb(frame))
            yield converted[1]


def count_frames(path: Path) -> int:
    """Return the number of frames of a clip without decoding it."""
    return len(read_timing(path).times)


def _placed(
    frames: Iterable[VideoFrame], stamps: tuple[int, ...]
) -> Iterator[tuple[int, VideoFrame]]:
    """Yield decoded frames with their places among all frames of the file."""
    place = -1
    for frame in frames:
        place += 1
        if stamps and frame.pts is not None:
            # Frames before it may be lost; but a place is taken once.
            place = max(place, int(np.searchsorted(stamps, frame.pts)))
        yield place, frame


def _shown(
    path: Path, placed: Iterable[tuple[int, VideoFrame]], index: np.ndarray
) -> Iterator[VideoFrame]:
    """Yield a frame per place in `index`: where one is lost, the one before it."""
    n_shown, n_decoded, held = 0, 0, None
    for place, frame in placed:
        n_before, n_until = np.searchsorted(index, [place, place + 1]).tolist()
        yield from repeat(held or frame, n_before - n_shown)
        yield from repeat(frame, n_until - n_before)
        n_shown, n_decoded, held = n_until, n_decoded + 1, frame
        if n_shown == len(index):
            break
    n_needed = int(index[-1]) + 1
    if held is None or n_needed - n_decoded > frames_allowed_lost(n_needed):
        raise StudyError(
            f"{path}: damaged or truncated: {n_decoded} frames could be decoded of the "
            f"{n_needed} expected"
        )
    yield from repeat(held, len(index) - n_shown)
