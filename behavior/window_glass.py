"""What the stage needs of a window: to draw, to flip, and to hear presses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from behavior.window_clock import Refresh
from behavior.window_input import Press


class Glass(Protocol):
    """A window on a screen, cleared to the background by each flip.

    Times are those of `time.perf_counter`, seconds.
    """

    @property
    def size_wh(self) -> tuple[int, int]:
        """Its pixels."""
        ...

    @property
    def origin_xy(self) -> tuple[int, int]:
        """Its top left on the display."""
        ...

    @property
    def refresh(self) -> Refresh:
        """How often the screen shows a new picture."""
        ...

    def facts(self) -> dict[str, Any]:
        """Return what the record keeps of screen, keyboard and software."""
        ...

    def pixels_of(self, degrees: float) -> float:
        """Return a size in degrees of visual angle as pixels, by the monitor."""
        ...

    def draw_screen(self, picture: np.ndarray) -> None:
        """Draw a (H, W, 3) picture of the window's own size."""
        ...

    def draw_frame(self, frame: np.ndarray | None, shown_wh: tuple[int, int]) -> None:
        """Draw a picture in the middle, so many pixels large; None: the last one again."""
        ...

    def draw_patch(self, box: tuple[int, int, int, int], is_white: bool) -> None:
        """Draw a rectangle (left, top, width, height) in white or black."""
        ...

    def grab(self) -> np.ndarray:
        """Return what is drawn and not yet flipped, (H, W, 3) RGB."""
        ...

    def flip(self, at_flip: Callable[[], None] | None = None) -> float:
        """Show what is drawn; call `at_flip` at once then; return when that was."""
        ...

    def presses(self) -> list[Press]:
        """Return what was pressed since the last call, in order."""
        ...

    def show_pointer(self, is_visible: bool) -> None:
        """Show or hide the mouse pointer."""
        ...

    def tell_assistant(self, text: str) -> None:
        """Show a text on the assistant's screen, where there is one."""
        ...

    def close(self) -> None:
        """Close it; may be called twice."""
        ...
