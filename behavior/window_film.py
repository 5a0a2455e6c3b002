"""A clip on a window, every frame on the flip that is nearest to its own time."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from behavior.stage import Presentation
from behavior.window_clips import ReadyClip
from behavior.window_clock import Schedule
from behavior.window_glass import Glass
from behavior.window_signals import Code, Patch, Trigger


@dataclass(frozen=True)
class Film:
    """A clip that is ready, and where it is shown.

    Attributes
    ----------
    glass : Glass
    clip : ReadyClip
    starts_s : ndarray
        When each frame appears, and last when the clip ends, seconds: (T + 1,).
    shown_wh : tuple of int
        Its size on the window, pixels.
    trigger : Trigger
    patch : Patch, optional
        For a photodiode.
    """

    glass: Glass
    clip: ReadyClip
    starts_s: np.ndarray
    shown_wh: tuple[int, int]
    trigger: Trigger
    patch: Patch | None = None

    def show(
        self, waited_s: float, before: Callable[[], None], after: Callable[[float], None]
    ) -> Presentation:
        """Show the clip once, and then the background alone.

        Parameters
        ----------
        waited_s : float
            Goes into the presentation as it is.
        before : callable
            Called when the first frame is drawn, before it is seen.
        after : callable
            Called with the time at which it was seen.
        """
        schedule = Schedule(self.starts_s, self.glass.refresh)
        self._draw(0, is_new=True)
        before()
        with _no_garbage_collection():
            onset_s = self._flip(schedule, 0, Code.CLIP_ON)
            after(onset_s)
            self._go_on(schedule, onset_s)
        return schedule.outcome(waited_s)

    def _go_on(self, schedule: Schedule, flip_s: float) -> None:
        shown = 0
        while True:
            self.trigger.rest(flip_s)
            next_s = schedule.next_flip(time.perf_counter())
            due = schedule.due(next_s)
            if due is None:
                # Nothing else: a window is cleared by each flip.
                self._draw_patch(is_white=False)
            else:
                self._draw(due, is_new=due != shown)
            self.glass.refresh.wait_for(next_s)
            flip_s = self._flip(schedule, due, Code.CLIP_OFF if due is None else None)
            if due is None:
                return
            shown = due

    def _draw(self, number: int, is_new: bool) -> None:
        self.glass.draw_frame(self.clip.frame(number) if is_new else None, self.shown_wh)
        self._draw_patch(is_white=True)

    def _draw_patch(self, is_white: bool) -> None:
        if self.patch is not None:
            self.glass.draw_patch(self.patch.box(self.glass.size_wh), is_white)

    def _flip(self, schedule: Schedule, number: int | None, code: Code | None) -> float:
        at_s = self.glass.flip(None if code is None else lambda: self.trigger.send(code))
        schedule.flipped(number, at_s)
        return at_s


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """A collection of Python's takes long enough to miss a flip."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
