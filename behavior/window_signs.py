"""A file that says what is on the screen, for a robot or an observer outside; off by default."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from behavior.window_painter import Button


class Signs:
    """Appends a JSON line for every screen that was shown.

    Parameters
    ----------
    path : Path, optional
        Nothing is written where there is none.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._file = path.open("a", encoding="utf-8") if path else None

    def tell(
        self,
        screen: str,
        at_s: float,
        buttons: Sequence[Button] = (),
        origin_xy: tuple[int, int] = (0, 0),
    ) -> None:
        """Write the name of a screen, the time of its flip, and where its buttons are.

        Parameters
        ----------
        screen : str
        at_s : float
            Of the flip, on the monotonic clock.
        buttons : sequence of Button
        origin_xy : tuple of int
            Of the window on the display.
        """
        if self._file is None:
            return
        left, top = origin_xy
        places = [
            {
                "name": button.name,
                "keys": button.keys,
                "x": left + button.box.middle[0],
                "y": top + button.box.middle[1],
            }
            for button in buttons
        ]
        line = {"screen": screen, "at_s": at_s, "buttons": places}
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None
