"""Text in any script as lines that fit a box: wrapped, shrunk where needed, never cut off."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from arabic_reshaper import reshape
from bidi.algorithm import get_display
from PIL import ImageDraw, ImageFont

from behavior.window_fonts import Fonts, can_shape
from study.errors import StudyError

Align = Literal["start", "middle"]
Color = tuple[int, int, int]

LINE_HEIGHT = 1.4
PARAGRAPH_GAP = 0.6
SHRINK = 0.94
LEAST_PX = 7

# Marks that never begin a line in Chinese and Japanese.
NOT_FIRST = "。，、；：！？）」』》〉】〕’”…·,.;:!?)"


@dataclass(frozen=True)
class Block:
    """Text laid out.

    Attributes
    ----------
    lines : tuple of str
        In the order read; an empty one parts paragraphs.
    font : FreeTypeFont
    is_rtl : bool
        Whether it is written from right to left.
    width_px, height_px : int
        Of the lines with nothing around them.
    """

    lines: tuple[str, ...]
    font: ImageFont.FreeTypeFont
    is_rtl: bool

    @property
    def width_px(self) -> int:
        return max(round(_length(self.font, line, self.is_rtl)) for line in self.lines)

    @property
    def height_px(self) -> int:
        return round(sum(_line_px(self.font, line) for line in self.lines))

    def draw(self, draw: ImageDraw.ImageDraw, box: Box, color: Color, align: Align) -> None:
        """Draw in the middle of a box's height; by `align` across it."""
        top = box.top + (box.height - self.height_px) / 2
        x, side = box.middle[0], "m"
        if align == "start":
            x, side = (box.right, "r") if self.is_rtl else (box.left, "l")
        ascent, descent = self.font.getmetrics()
        for line in self.lines:
            step = _line_px(self.font, line)
            y = top + (step - ascent - descent) / 2 + ascent
            _draw_line(draw, (x, y), line, self, color, side)
            top += step


@dataclass(frozen=True)
class Box:
    """A rectangle on the screen, pixels from its top left."""

    left: int
    top: int
    width: int
    height: int

    @property
    def right(self) -> int:
        return self.left + self.width

    @property
    def bottom(self) -> int:
        return self.top + self.height

    @property
    def middle(self) -> tuple[float, float]:
        return self.left + self.width / 2, self.top + self.height / 2

    def holds(self, x: float, y: float) -> bool:
        """Whether a point lies in it."""
        return self.left <= x < self.right and self.top <= y < self.bottom

    def inset(self, margin: int) -> Box:
        """Return the box without a margin at its left and right."""
        return Box(self.left + margin, self.top, self.width - 2 * margin, self.height)


def fit(text: str, fonts: Fonts, width_px: int, height_px: int, size_px: int) -> Block:
    """Lay text out in a box, in letters as large as asked for or as large as fit.

    Parameters
    ----------
    text : str
        An empty line parts paragraphs; single line breaks are kept.
    fonts : Fonts
    width_px, height_px : int
        Of the box.
    size_px : int
        Height of the letters that is wanted.

    Raises
    ------
    StudyError
        When it does not fit even in letters that nobody can read, or no font has its characters.
    """
    size = float(size_px)
    while True:
        block = _laid_out(text, fonts, width_px, max(LEAST_PX, round(size)))
        if block.height_px <= height_px and block.width_px <= width_px:
            return block
        if size <= LEAST_PX:
            raise StudyError(
                f"a text is too long for the screen: expected at most {height_px} pixels of "
                f"height, found {block.height_px} in the smallest letters: {text[:60]!r} ..."
            )
        size *= SHRINK


def fit_all(
    texts: list[str], fonts: Fonts, width_px: int, height_px: int, size_px: int
) -> list[Block]:
    """Lay several texts out in boxes of one size, all in letters of the same height."""
    least = min(
        (fit(text, fonts, width_px, height_px, size_px).font.size for text in texts),
        default=size_px,
    )
    return [fit(text, fonts, width_px, height_px, round(least)) for text in texts]


def is_rtl(text: str) -> bool:
    """Whether the first letter that has a direction runs from right to left (Unicode rule P2)."""
    kinds = (unicodedata.bidirectional(letter) for letter in text)
    return next((kind in ("R", "AL") for kind in kinds if kind in ("L", "R", "AL")), False)


def _laid_out(text: str, fonts: Fonts, width_px: int, size_px: int) -> Block:
    font, rtl = fonts.opened(text, size_px), is_rtl(text)
    lines = [
        line
        for paragraph in text.strip("\n").split("\n")
        for line in _wrapped(paragraph.strip(), font, rtl, width_px)
    ]
    return Block(tuple(lines), font, rtl)


def _wrapped(paragraph: str, font: ImageFont.FreeTypeFont, rtl: bool, width: int) -> Iterator[str]:
    line = ""
    for piece in _pieces(paragraph):
        if line and _length(font, (line + piece).strip(), rtl) > width:
            yield line.strip()
            line = ""
        line += piece
    yield line.strip()


def _pieces(paragraph: str) -> list[str]:
    """Return the parts between which a line may break: words, and single wide characters."""
    pieces: list[str] = []
    for word in re.findall(r"\S+\s*", paragraph):
        for part in re.findall(r"[⺀-鿿＀-￯가-힯]|[^⺀-鿿＀-￯가-힯]+", word):
            if pieces and part.strip() and part.strip()[0] in NOT_FIRST:
                pieces[-1] += part
            else:
                pieces.append(part)
    return pieces


def _length(font: ImageFont.FreeTypeFont, line: str, rtl: bool) -> float:
    if not line:
        return 0.0
    if can_shape():
        return font.getlength(line, direction="rtl" if rtl else "ltr")
    return font.getlength(_as_seen(line, rtl))


def _draw_line(
    draw: ImageDraw.ImageDraw, xy: tuple[float, float], line: str, block: Block, color: Color,
    side: str,
) -> None:  # fmt: skip
    if can_shape():
        direction = "rtl" if block.is_rtl else "ltr"
        draw.text(xy, line, color, block.font, side + "s", direction=direction)
    else:
        draw.text(xy, _as_seen(line, block.is_rtl), color, block.font, side + "s")


def _as_seen(line: str, rtl: bool) -> str:
    """Return joined letter forms in the order seen, for drawing from left to right."""
    return str(get_display(reshape(line), base_dir="R" if rtl else "L"))


def _line_px(font: ImageFont.FreeTypeFont, line: str) -> float:
    return font.size * (LINE_HEIGHT if line else PARAGRAPH_GAP)
