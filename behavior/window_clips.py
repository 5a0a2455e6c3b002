"""Clips made ready in the background: decoded ahead of time, within a bound of memory."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from behavior.stage import ClipToShow
from stimuli.video import Timing, is_photo, iter_frames, read_timing
from study.errors import StudyError

# Frames that wait to be shown take at most so much; a longer clip is decoded while it is shown.
MOST_BYTES = 160 * 2**20
# A clip may begin when so many seconds of it wait.
LEAST_AHEAD_S = 1.0
STUCK_S = 60.0


class ReadyClip:
    """One clip, decoded by a thread of its own.

    Parameters
    ----------
    clip : ClipToShow
    most_bytes : int
        Bound of the frames that wait.
    """

    def __init__(self, clip: ClipToShow, most_bytes: int = MOST_BYTES) -> None:
        self.clip = clip
        self._most_bytes = most_bytes
        self._waiting: deque[np.ndarray] = deque()
        self._changed = threading.Condition()
        self._bytes, self._n_taken = 0, 0
        self._is_closed, self._is_whole = False, False
        self._error: Exception | None = None
        self._timing: Timing | None = None
        self._thread = threading.Thread(target=self._decode, daemon=True, name="decoder")
        self._thread.start()

    @property
    def starts_s(self) -> np.ndarray:
        """When each frame appears, and last when the clip ends, seconds: (T + 1,)."""
        timing = self._known_timing()
        if is_photo(self.clip.path):
            return np.array([0.0, self.clip.still_s])
        return np.append(timing.shown_s, float(timing.times.duration_s))

    @property
    def size_wh(self) -> tuple[int, int]:
        """Width and height of the pictures, pixels."""
        return self._known_timing().size_wh

    def wait(self) -> None:
        """Return when the clip can be shown without a pause.

        Raises
        ------
        StudyError
            When it cannot be decoded.
        """
        timing = self._known_timing()
        enough = min(len(timing.times), int(LEAST_AHEAD_S * float(timing.fps)) + 1)
        with self._changed:
            ready = self._changed.wait_for(lambda: self._can_begin(enough), STUCK_S)
            self._raise_error()
        if not ready:
            raise StudyError(f"{self.clip.path}: could not be decoded within {STUCK_S:g} s")

    def frame(self, number: int) -> np.ndarray:
        """Return frame `number` as (H, W, 3) RGB; the ones before it are let go.

        Parameters
        ----------
        number : int
            Counted from 0; never less than the last one asked for.
        """
        with self._changed:
            while self._n_taken < number:
                self._need_one()
                self._bytes -= self._waiting.popleft().nbytes
                self._n_taken += 1
                self._changed.notify_all()
            self._need_one()
            return self._waiting[0]

    def close(self) -> None:
        """Let all frames go and end the thread."""
        with self._changed:
            self._is_closed = True
            self._waiting.clear()
            self._changed.notify_all()
        self._thread.join(STUCK_S)

    def _need_one(self) -> None:
        if not self._waiting:
            self._changed.wait_for(lambda: self._waiting or self._is_whole or self._error, STUCK_S)
            self._raise_error()
        if not self._waiting:
            raise StudyError(f"{self.clip.path}: has fewer frames than its index says")

    def _known_timing(self) -> Timing:
        with self._changed:
            self._changed.wait_for(lambda: self._timing or self._error, STUCK_S)
            self._raise_error()
        if self._timing is None:
            raise StudyError(f"{self.clip.path}: could not be opened within {STUCK_S:g} s")
        return self._timing

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._error

    def _can_begin(self, enough: int) -> bool:
        ahead = len(self._waiting) >= enough or self._is_whole or self._bytes >= self._most_bytes
        return ahead or self._error is not None

    def _decode(self) -> None:
        try:
            timing = read_timing(self.clip.path)
            self._tell(timing=timing)
            for frame in self._frames(self.clip.path, timing):
                self._put(frame)
            self._tell(is_whole=True)
        except Exception as error:  # handed to the thread that shows the clip
            self._tell(error=error)

    def _frames(self, path: Path, timing: Timing) -> Iterator[np.ndarray]:
        for frame in iter_frames(path, timing):
            if self._is_closed:
                return
            yield frame

    def _put(self, frame: np.ndarray) -> None:
        with self._changed:
            room = lambda: self._is_closed or self._bytes + frame.nbytes <= self._most_bytes  # noqa: E731
            # At least two frames wait, however large: with less, nothing would ever be shown.
            self._changed.wait_for(lambda: room() or len(self._waiting) < 2)
            if not self._is_closed:
                self._waiting.append(frame)
                self._bytes += frame.nbytes
                self._changed.notify_all()

    def _tell(
        self, timing: Timing | None = None, is_whole: bool = False, error: Exception | None = None
    ) -> None:
        with self._changed:
            self._timing = timing or self._timing
            self._is_whole, self._error = is_whole, error
            self._changed.notify_all()


class ClipShelf:
    """The clip that is shown and the next one, and no more."""

    def __init__(self) -> None:
        self._ready: dict[str, ReadyClip] = {}

    def prepare(self, clip: ClipToShow) -> None:
        """Start to decode a clip unless that has begun."""
        if clip.stimulus_id not in self._ready:
            self._ready[clip.stimulus_id] = ReadyClip(clip)

    def take(self, clip: ClipToShow) -> ReadyClip:
        """Return a clip that can be shown; wait for it where it is not ready."""
        self.prepare(clip)
        ready = self._ready[clip.stimulus_id]
        ready.wait()
        return ready

    def put_away(self, clip: ClipToShow) -> None:
        """Let a clip's memory go."""
        ready = self._ready.pop(clip.stimulus_id, None)
        if ready is not None:
            ready.close()

    def close(self) -> None:
        """Let all memory go."""
        for ready in list(self._ready.values()):
            self.put_away(ready.clip)
