"""The parts that screens are made of: text, buttons with their keys, bars, pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from behavior.window_fonts import Fonts
from behavior.window_look import Look
from behavior.window_text import Block, Box, Color, fit
from study.errors import StudyError

SPACE_BAR = "␣"


@dataclass(frozen=True)
class Button:
    """A place to press, and the keys that do the same."""

    name: str
    box: Box
    keys: tuple[str, ...]


@dataclass(frozen=True)
class Screen:
    """What is drawn.

    Attributes
    ----------
    name : str
        Of the kind of screen.
    picture : ndarray of uint8
        (H, W, 3) RGB in the pixels of the window.
    buttons : tuple of Button
    """

    name: str
    picture: np.ndarray
    buttons: tuple[Button, ...] = ()


@dataclass
class Painter:
    """Paints one screen.

    Attributes
    ----------
    size_wh : tuple of int
        Of the screen, pixels.
    look : Look
    fonts : Fonts
    """

    size_wh: tuple[int, int]
    look: Look
    fonts: Fonts
    _buttons: list[Button] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._image = Image.new("RGB", self.size_wh, self.look.ground)
        self.pen = ImageDraw.Draw(self._image)

    @property
    def unit(self) -> float:
        """A hundredth of the height; of less where the screen is narrow."""
        width, height = self.size_wh
        return min(height, width * 0.75) / 100

    @property
    def text_px(self) -> int:
        """The height of letters."""
        return self.px(100 * self.look.text_height)

    def px(self, units: float) -> int:
        """Return so many units as whole pixels."""
        return max(1, round(units * self.unit))

    def screen(self, name: str) -> Screen:
        """Return what was painted."""
        return Screen(name, np.asarray(self._image), tuple(self._buttons))

    def write(self, text: str, box: Box, size_px: int) -> None:
        """Write in the middle of a box, as large as asked for or as fits."""
        if text.strip():
            block = fit(text, self.fonts, box.width, box.height, size_px)
            block.draw(self.pen, box, self.look.ink, "middle")

    def room_in(self, box: Box) -> tuple[int, int]:
        """Return the width and height for text in a button beside its key."""
        side, edge = _cap_of(box)
        return box.width - side - 3 * edge, round(box.height * 0.92)

    def button(self, button: Button, text: Block, cap: str) -> None:
        """Paint a button with its key, if any, on the side where reading begins."""
        self._buttons.append(button)
        self._face(button.box)
        self._key_and_text(button.box, text, cap, self.look.ink)

    def pale_button(self, box: Box, text: Block, cap: str) -> None:
        """Paint a button that does nothing yet."""
        pen = max(1, self.px(0.25))
        self._rounded(box, 1.4, self.look.mixed(0.3), pen, self.look.mixed(0.05))
        self._key_and_text(box, text, cap, self.look.mixed(0.4))

    def tile(self, button: Button, text: Block, cap: str) -> None:
        """Paint a button with its key above the text."""
        self._buttons.append(button)
        box, side = button.box, self.px(7)
        self._face(box)
        if not cap:
            text.draw(self.pen, box, self.look.ink, "middle")
            return
        key = Box(box.left + (box.width - side) // 2, box.top + self.px(1.5), side, side)
        self._key_cap(key, cap, self.look.ink)
        below = Box(box.left, key.bottom, box.width, box.bottom - key.bottom)
        text.draw(self.pen, below, self.look.ink, "middle")

    def room_in_tile(self, box: Box) -> tuple[int, int]:
        """Return the width and height for text below the key of a tile."""
        return box.width - self.px(2), box.height - self.px(10)

    def bar(self, box: Box, share: float) -> None:
        """Paint how much is done, 0 to 1."""
        self.pen.rectangle(_corners(box), outline=self.look.ink, width=self.px(0.2))
        done = round(box.width * min(1.0, max(0.0, share)))
        if done:
            self.pen.rectangle(_corners(Box(box.left, box.top, done, box.height)), self.look.ink)

    def stroke(self, points: Sequence[tuple[float, float]], color: Color) -> None:
        """Draw a thick line with a rim of the text's colour: it stands out on any background."""
        self.pen.line(points, self.look.ink, self.px(2.6), joint="curve")
        self.pen.line(points, color, self.px(1.6), joint="curve")

    def picture(self, path: Path, room: Box) -> Box:
        """Paste a picture as large as fits, in its own proportions; return where it is."""
        try:
            with Image.open(path) as file:
                picture = file.convert("RGB")
        except OSError as error:
            raise StudyError(f"{path}: not a picture that can be shown: {error}") from error
        scale = min(room.width / picture.width, room.height / picture.height)
        size = (round(picture.width * scale), round(picture.height * scale))
        place = Box(round(room.middle[0] - size[0] / 2), room.top, *size)
        shown = picture.resize(size, Image.Resampling.LANCZOS)
        self._image.paste(shown, (place.left, place.top))
        return place

    def _key_and_text(self, box: Box, text: Block, cap: str, color: Color) -> None:
        if not cap:
            text.draw(self.pen, box, color, "middle")
            return
        side, edge = _cap_of(box)
        left = box.right - edge - side if text.is_rtl else box.left + edge
        self._key_cap(Box(left, box.top + edge, side, side), cap, color)
        start = box.left + (edge if text.is_rtl else side + 2 * edge)
        room = Box(start, box.top, box.width - side - 3 * edge, box.height)
        text.draw(self.pen, room, color, "start")

    def _key_cap(self, box: Box, cap: str, color: Color) -> None:
        self._rounded(box, 0.8, color, self.px(0.2), None)
        if cap != SPACE_BAR:
            block = fit(cap, self.fonts, box.width, box.height, round(box.height * 0.6))
            block.draw(self.pen, box, color, "middle")
            return
        # Drawn, since few fonts have the sign of the space bar.
        x, wide = box.middle[0], 0.28 * box.width
        high, low = box.top + 0.45 * box.height, box.top + 0.62 * box.height
        corners = [(x - wide, high), (x - wide, low), (x + wide, low), (x + wide, high)]
        self.pen.line(corners, color, self.px(0.3))

    def _face(self, box: Box) -> None:
        self._rounded(box, 1.4, self.look.mixed(0.7), self.px(0.25), self.look.button)

    def _rounded(
        self, box: Box, radius: float, rim: Color, width_px: int, face: Color | None
    ) -> None:
        radius_px = self.px(radius)
        self.pen.rounded_rectangle(_corners(box), radius_px, face, rim, width_px)


def _cap_of(box: Box) -> tuple[int, int]:
    """Return the side of a button's key cap and its distance from the edge."""
    side = round(box.height * 0.6)
    return side, (box.height - side) // 2


def _corners(box: Box) -> tuple[int, int, int, int]:
    return box.left, box.top, box.right - 1, box.bottom - 1
