"""When frames appear: whole ticks of a rational length, so that no time is ever rounded."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import numpy as np

# A frame of an even grid is the last one that began up to this share of a frame later.
SAME_TIME_SHARE = 0.25

# MP4 counts in whole ticks of a second that must fit into 31 bits.
MOST_TICKS_PER_SECOND = 2**31 - 1


@dataclass(frozen=True)
class FrameTimes:
    """The times of a clip's frames, in lowest terms: equal times compare equal.

    Attributes
    ----------
    ticks : tuple of int
        When each frame appears, counted from the first, and last when the last one ends:
        (T + 1,) numbers, strictly increasing.
    time_base : Fraction
        Seconds per tick.

    Raises
    ------
    ValueError
        When there is no frame, or a frame that does not begin after the one before.

    Examples
    --------
    >>> FrameTimes((0, 40, 80, 400), Fraction(1, 1000))
    FrameTimes(ticks=(0, 1, 2, 10), time_base=Fraction(1, 25))
    """

    ticks: tuple[int, ...]
    time_base: Fraction

    def __post_init__(self) -> None:
        ticks = [int(tick) for tick in self.ticks]
        steps = [later - tick for tick, later in pairwise(ticks)]
        if not steps or min(steps) <= 0:
            raise ValueError(f"expected two or more times that increase, found {ticks}")
        divisor = math.gcd(*steps)
        object.__setattr__(self, "ticks", tuple((tick - ticks[0]) // divisor for tick in ticks))
        object.__setattr__(self, "time_base", Fraction(self.time_base) * divisor)

    @classmethod
    def even(cls, n_frames: int, fps: Fraction) -> FrameTimes:
        """Return the times of frames that all last equally long."""
        return cls(tuple(range(n_frames + 1)), 1 / Fraction(fps))

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self.ticks) - 1

    @property
    def is_even(self) -> bool:
        """Whether the frames begin at even distances; the last may last longer or shorter."""
        return len(set(np.diff(self.ticks[:-1]).tolist())) <= 1

    @property
    def fps(self) -> Fraction:
        """Frames per second; where they are uneven, their number by how long they last in all."""
        if self.is_even and len(self) > 1:
            return 1 / (self.ticks[1] * self.time_base)
        return len(self) / self.duration_s

    @property
    def times_s(self) -> np.ndarray:
        """When each frame appears, seconds from the first (T,)."""
        return np.array(self.ticks[:-1]) * self.time_base.numerator / self.time_base.denominator

    @property
    def duration_s(self) -> Fraction:
        """How long the clip lasts, its last frame included."""
        return self.ticks[-1] * self.time_base

    def cut(self, max_seconds: float) -> FrameTimes:
        """Return the times of the frames that end by then; of the first, at any rate."""
        # As it was written: the float nearest to 1.2 is a little less than that.
        most = Fraction(str(max_seconds)) / self.time_base
        n_frames = sum(tick <= most for tick in self.ticks[1:])
        return FrameTimes(self.ticks[: max(1, n_frames) + 1], self.time_base)

    def at_rate(self, fps: float) -> tuple[FrameTimes, np.ndarray]:
        """Lay an even grid over the clip.

        Returns
        -------
        times : FrameTimes
            Of the grid; the own ones where these have that rate.
        index : ndarray of int
            The frame there is at each of them.
        """
        rate = usual_rate(fps)
        if self.is_even and usual_rate(float(self.fps)) == rate:
            return self, np.arange(len(self))
        grid = FrameTimes.even(max(1, round(self.duration_s * rate)), rate)
        latest_s = grid.times_s + SAME_TIME_SHARE / float(rate)
        return grid, np.searchsorted(self.times_s, latest_s, "right") - 1


def own_times(
    stamps: Sequence[int], time_base: Fraction, rates: Sequence[Fraction], last: int | None = None
) -> FrameTimes:
    """Return the times that a file's time stamps stand for.

    Containers round times to their ticks, Matroska to milliseconds. Where all stamps lie within
    one tick of an even grid at a rate that the container names, that grid is what was meant;
    other stamps are taken as they are. Stamps that repeat say nothing: such frames are spread
    evenly.

    Parameters
    ----------
    stamps : sequence of int
        Of the frames in the order shown.
    time_base : Fraction
        Seconds per tick.
    rates : sequence of Fraction
        Frames per second as the container has it, the most trusted first.
    last : int, optional
        Ticks that the last frame lasts, where the container says it.
    """
    n_frames = len(stamps)
    if any(later <= stamp for stamp, later in pairwise(stamps)):
        return FrameTimes.even(n_frames, rates[0])
    exact = [rate for rate in rates if _off_ticks(stamps, time_base, rate) == 0]
    near = [
        rate
        for rate in (usual_rate(float(rate)) for rate in rates)
        if _off_ticks(stamps, time_base, rate) < 1
    ]
    if not exact + near:
        typical = round(float(np.median(np.diff(stamps))))
        return FrameTimes((*stamps, stamps[-1] + (last or typical)), time_base)
    frame_s = 1 / (exact + near)[0]
    even = FrameTimes.even(n_frames, 1 / frame_s)
    if not last or abs(last * time_base - frame_s) < time_base:
        return even
    return _with_last(even, last * time_base)


def usual_rate(fps: float) -> Fraction:
    """Return the usual rate (whole, or whole / 1.001) that a measured rate is meant to be."""
    whole = round(fps)
    broadcast = Fraction(round(fps * 1.001) * 1000, 1001)
    for rate in (Fraction(whole), broadcast):
        if rate and abs(float(rate) / fps - 1) < 2e-4:
            return rate
    return Fraction(fps).limit_denominator(1000)


def _off_ticks(stamps: Sequence[int], time_base: Fraction, rate: Fraction) -> float:
    """Return how far the stamps lie from an even grid, in ticks."""
    if rate <= 0:
        return math.inf
    step = 1 / (rate * time_base)
    # In whole numbers: a fraction per frame would be slow in long videos.
    ticks, per_frame = step.denominator, step.numerator
    off = (abs((s - stamps[0]) * ticks - n * per_frame) for n, s in enumerate(stamps))
    return max(off) / ticks


def _with_last(even: FrameTimes, last_s: Fraction) -> FrameTimes:
    """Let the last frame of an even clip last longer or shorter."""
    ticks_per_s = math.lcm(even.time_base.denominator, last_s.denominator)
    if ticks_per_s > MOST_TICKS_PER_SECOND:
        return even
    starts = [int(tick * even.time_base * ticks_per_s) for tick in even.ticks[:-1]]
    return FrameTimes((*starts, starts[-1] + int(last_s * ticks_per_s)), Fraction(1, ticks_per_s))
