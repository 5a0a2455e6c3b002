"""Which frame of a clip is due at a flip, and how well that went.

A screen shows pictures at its own rate and clips come at theirs, so every frame of the clip is put
on the flip that is nearest to its own time: none begins or ends more than half a screen frame off,
and errors do not add up.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field

import numpy as np

from behavior.stage import Presentation

# Flips that come sooner than this after one another are not those of a screen: nothing waits. Nor
# are those that come when drawing happens to be over: a screen is regular.
SHORTEST_REFRESH_S = 1 / 600
LARGEST_SPREAD = 0.15
# Drawing without a graphics card; the names that OpenGL gives it.
SOFTWARE = ("llvmpipe", "softpipe", "swrast", "software", "gdi generic", "swiftshader")
# Used where the screen does not wait for its refresh, as virtual screens do.
USUAL_REFRESH_S = 1 / 60

LATE_SHARE = 0.5
# The last part of a wait is spent awake: a sleep may last this much too long.
AWAKE_S = 0.001


@dataclass(frozen=True)
class Refresh:
    """How often the screen shows a new picture.

    Attributes
    ----------
    interval_s : float
        From one flip to the next.
    waits : bool
        Whether a flip returns only when the screen has taken it (vertical synchronisation).
    """

    interval_s: float
    waits: bool

    @classmethod
    def measured(
        cls, intervals_s: np.ndarray, nominal_hz: float | None = None, renderer: str = ""
    ) -> Refresh:
        """Judge by the intervals between flips that followed one another without a pause.

        Parameters
        ----------
        intervals_s : ndarray
        nominal_hz : float, optional
            What the system says of the screen; used where nothing waits for it.
        renderer : str
            What draws, as OpenGL names it.
        """
        low_s, median_s, high_s = np.quantile(intervals_s, [0.25, 0.5, 0.75])
        is_regular = high_s - low_s <= LARGEST_SPREAD * median_s
        has_card = not any(name in renderer.lower() for name in SOFTWARE)
        if median_s >= SHORTEST_REFRESH_S and is_regular and has_card:
            return cls(float(median_s), waits=True)
        return cls(1 / nominal_hz if nominal_hz else USUAL_REFRESH_S, waits=False)

    def wait_for(self, flip_s: float) -> None:
        """Where flips do not wait by themselves, wait until a flip is due."""
        if not self.waits:
            sleep_until(flip_s)

    def next_flip(self, a_flip_s: float, now_s: float) -> float:
        """Return when a picture drawn now will appear, by the time of an earlier flip."""
        n_later = max(1, math.ceil((now_s - a_flip_s) / self.interval_s))
        return a_flip_s + n_later * self.interval_s


@dataclass
class Schedule:
    """The frames of one clip on the flips of a screen.

    Attributes
    ----------
    starts_s : ndarray
        When each frame appears, seconds from the first, and last when the clip ends: (T + 1,).
    refresh : Refresh
    """

    starts_s: np.ndarray
    refresh: Refresh
    _flips_s: list[float] = field(default_factory=list)
    _shown: list[int] = field(default_factory=list)

    def next_flip(self, now_s: float) -> float:
        """Return when a picture drawn now will appear; to be called after the first flip.

        A screen that waits keeps its own time, so its last flip tells best. Where nothing waits,
        the first flip sets the beat: each flip is a little late, and that would add up.
        """
        a_flip_s = self._flips_s[-1] if self.refresh.waits else self._flips_s[0]
        return self.refresh.next_flip(a_flip_s, now_s)

    def due(self, flip_s: float) -> int | None:
        """Return the frame to draw for a flip to come; None when the clip has to go by then."""
        if not self._flips_s:
            return 0
        elapsed_s = flip_s - self._flips_s[0] + self.refresh.interval_s / 2
        place = int(np.searchsorted(self.starts_s, elapsed_s, "right")) - 1
        return place if place < len(self.starts_s) - 1 else None

    def flipped(self, frame: int | None, at_s: float) -> None:
        """Note the flip that showed a frame, or that took the last one away."""
        self._flips_s.append(at_s)
        if frame is not None:
            self._shown.append(frame)

    def outcome(self, waited_s: float) -> Presentation:
        """Return how the clip was shown; to be called after its last flip."""
        intervals_s = np.diff(self._flips_s)
        n_frames = len(self.starts_s) - 1
        n_shown = len(set(self._shown))
        late = intervals_s > (1 + LATE_SHARE) * self.refresh.interval_s
        return Presentation(
            onset_s=self._flips_s[0],
            duration_s=self._flips_s[-1] - self._flips_s[0],
            intended_s=float(self.starts_s[-1]),
            waited_s=waited_s,
            n_frames=n_shown,
            n_dropped=n_frames - n_shown,
            n_late=int(late.sum()),
        )


def cut_short(starts_s: np.ndarray, most_s: float) -> np.ndarray:
    """Return the times of the frames that appear before `most_s`; the last one ends by then."""
    kept = starts_s[:-1][starts_s[:-1] < most_s]
    return np.append(kept, min(float(starts_s[len(kept)]), most_s))


def sleep_until(moment_s: float) -> None:
    """Return at a moment of the monotonic clock, within a fraction of a millisecond."""
    while (left_s := moment_s - time.perf_counter()) > 0:
        if left_s > AWAKE_S:
            time.sleep(left_s - AWAKE_S)
