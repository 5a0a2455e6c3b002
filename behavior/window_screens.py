"""Every screen of a session as a picture with buttons, drawn without a window.

Pictures have the screen's own pixels, so what is laid out here is what people see, on any computer
and in any script.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from behavior.pages import as_read
from behavior.stage import Page, Question
from behavior.window_fonts import Fonts
from behavior.window_look import RIGHT, WRONG, Look
from behavior.window_painter import SPACE_BAR, Button, Painter, Screen
from behavior.window_text import Box, fit, fit_all, is_rtl
from study.errors import StudyError

GO_ON_KEYS = ("space", "return", "num_enter")
# Where there is a choice, it is made by a key of its own: the space bar is pressed by habit.
AGREE_KEYS = ("1", "num_1")
REFUSE_KEYS = ("2", "num_2")

LONG_TEXT = 200


@dataclass(frozen=True)
class Screens:
    """Draws screens of one size and look.

    Attributes
    ----------
    size_wh : tuple of int
        Of the window, pixels.
    look : Look
    fonts : Fonts
    choice_keys : tuple of str
        The keys of the choices in order; empty where the keyboard is not used.
    """

    size_wh: tuple[int, int]
    look: Look
    fonts: Fonts
    choice_keys: tuple[str, ...]

    def blank(self) -> Screen:
        """Return the background alone."""
        return self._painter().screen("blank")

    def fixation(self) -> Screen:
        """Return a cross in the middle."""
        painter = self._painter()
        x, y = (side // 2 for side in self.size_wh)
        arm, half = painter.px(2), painter.px(0.2)
        painter.pen.rectangle((x - arm, y - half, x + arm - 1, y + half - 1), self.look.ink)
        painter.pen.rectangle((x - half, y - arm, x + half - 1, y + arm - 1), self.look.ink)
        return painter.screen("fixation")

    def count(self, number: int) -> Screen:
        """Return one number of a countdown."""
        painter = self._painter()
        painter.write(str(number), Box(0, 0, *self.size_wh), painter.px(8))
        return painter.screen("countdown")

    def page(self, page: Page, may_leave: bool = True) -> Screen:
        """Return a page of text; its buttons are pale until it may be left."""
        painter = self._painter()
        margin = painter.px(6)
        width = min(self.size_wh[0] - 2 * margin, painter.px(118))
        column = Box((self.size_wh[0] - width) // 2, margin, width, self.size_wh[1] - 2 * margin)
        column = self._page_foot(painter, page, column, may_leave)
        if page.picture is not None:
            share = 0.8 if len(page.text) < LONG_TEXT else 0.5
            room = Box(column.left, column.top, width, round(share * column.height))
            top = painter.picture(page.picture, room).bottom + painter.px(2)
            column = Box(column.left, top, width, column.bottom - top)
        _page_text(painter, page, column)
        return painter.screen(page.kind)

    def choices(self, question: Question) -> Screen:
        """Return the labels as a column of buttons, each with its key."""
        painter = self._painter()
        px, n = painter.px, len(question.labels)
        if self.choice_keys and len(self.choice_keys) < n:
            raise StudyError(
                f"session.keys: expected {n} keys, one per label, found {len(self.choice_keys)}"
            )
        width = min(self.size_wh[0] - px(12), px(80))
        left, top, bottom = (self.size_wh[0] - width) // 2, px(20), self.size_wh[1] - px(6)
        step = min(px(14), (bottom - top) // n)
        # Few labels stand in the middle of the room, not at its top.
        top += (bottom - top - step * n) // 2
        boxes = [Box(left, top + place * step, width, round(step * 0.8)) for place in range(n)]
        above = Box(px(6), px(4), self.size_wh[0] - px(12), top - px(8))
        painter.write(question.prompt, above, round(painter.text_px * 1.2))
        texts = fit_all(_labels(question), self.fonts, *painter.room_in(boxes[0]), painter.text_px)
        for place, (box, text) in enumerate(zip(boxes, texts, strict=True)):
            button, cap = _choice(place, box, self.choice_keys)
            painter.button(button, text, cap)
        return painter.screen("choices")

    def rating(self, question: Question) -> Screen:
        """Return the steps of a scale as a row of tiles, from the side where reading begins."""
        painter = self._painter()
        px, n = painter.px, len(question.labels)
        step = min(px(28), (self.size_wh[0] - px(8)) // n)
        width, height = round(step * 0.88), px(26)
        left, top = (
            (self.size_wh[0] - step * n + step - width) // 2,
            (self.size_wh[1] - height) // 2,
        )
        boxes = [Box(left + place * step, top, width, height) for place in range(n)]
        if is_rtl(" ".join(question.labels)):
            boxes.reverse()
        above = Box(px(6), px(6), self.size_wh[0] - px(12), top - px(10))
        painter.write(question.prompt, above, round(painter.text_px * 1.2))
        room = painter.room_in_tile(boxes[0])
        # Steps are numbered, and their numbers stand on the keys.
        steps = [re.sub(r"^\d+\s*", "", label) or " " for label in _labels(question)]
        texts = fit_all(
            steps if self.choice_keys else _labels(question), self.fonts, *room, painter.text_px
        )
        digits = [str(place + 1) for place in range(n)] if self.choice_keys else []
        for place, (box, text) in enumerate(zip(boxes, texts, strict=True)):
            button, cap = _choice(place, box, digits)
            painter.tile(button, text, cap)
        return painter.screen("rating")

    def feedback(self, text: str, is_correct: bool) -> Screen:
        """Return the outcome of a practice trial: a tick or a cross, and words."""
        painter = self._painter()
        x, y = self.size_wh[0] / 2, self.size_wh[1] * 0.42
        tick = [[(-6, 0), (-2, 5), (6, -6)]]
        cross = [[(-5, -5), (5, 5)], [(-5, 5), (5, -5)]]
        for stroke in tick if is_correct else cross:
            points = [(x + right * painter.unit, y + down * painter.unit) for right, down in stroke]
            painter.stroke(points, RIGHT if is_correct else WRONG)
        top = round(y) + painter.px(9)
        below = Box(painter.px(6), top, self.size_wh[0] - painter.px(12), painter.px(24))
        painter.write(text, below, round(painter.text_px * 1.2))
        return painter.screen("feedback")

    def stop(self, question: str, yes: str, no: str) -> Screen:
        """Return the question whether to stop, with the answers Y and N."""
        painter = self._painter()
        px = painter.px
        x, top, width = self.size_wh[0] // 2, round(self.size_wh[1] * 0.55), px(52)
        yes_box = Box(x - px(2) - width, top, width, px(11))
        no_box = Box(x + px(2), top, width, px(11))
        above = Box(yes_box.left, px(12), no_box.right - yes_box.left, top - px(15))
        painter.write(question, above, round(painter.text_px * 1.3))
        texts = fit_all([yes, no], self.fonts, *painter.room_in(no_box), painter.text_px)
        painter.button(Button("yes", yes_box, ("y",)), texts[0], "Y")
        painter.button(Button("no", no_box, ("n",)), texts[1], "N")
        return painter.screen("stop")

    def _page_foot(self, painter: Painter, page: Page, column: Box, may_leave: bool) -> Box:
        """Paint progress and buttons at the bottom; return the room that is left above."""
        px, bottom = painter.px, column.bottom
        if page.progress is not None:
            bottom -= px(2)
            painter.bar(Box(column.left, bottom, column.width, px(2)), page.progress)
            bottom -= px(3)
        if page.go_on:
            bottom -= px(9)
            row = Box(column.left, bottom, column.width, px(9))
            self._page_buttons(painter, page, row, may_leave)
            bottom -= px(3)
        return Box(column.left, column.top, column.width, bottom - column.top)

    def _page_buttons(self, painter: Painter, page: Page, row: Box, may_leave: bool) -> None:
        width = min(painter.px(56), (row.width - painter.px(4)) // 2)
        left = Box(row.left, row.top, width, row.height)
        middle = Box(row.left + (row.width - width) // 2, row.top, width, row.height)
        right = Box(row.right - width, row.top, width, row.height)
        if page.refuse:
            buttons = [Button("go_on", left, AGREE_KEYS), Button("refuse", right, REFUSE_KEYS)]
            words, caps = [page.go_on, page.refuse], [AGREE_KEYS[0], REFUSE_KEYS[0]]
        else:
            buttons, words = [Button("go_on", middle, GO_ON_KEYS)], [page.go_on]
            caps = [SPACE_BAR]
        texts = fit_all(words, self.fonts, *painter.room_in(middle), painter.text_px)
        for button, text, cap in zip(buttons, texts, caps, strict=True):
            if may_leave:
                painter.button(button, text, cap)
            else:
                painter.pale_button(button.box, text, cap)

    def _painter(self) -> Painter:
        return Painter(self.size_wh, self.look, self.fonts)


def assistant_screen(size_wh: tuple[int, int], text: str) -> Screen:
    """Return how far the session is, for the assistant's own screen, a line per fact."""
    painter = Painter(size_wh, Look("white", "black"), Fonts())
    painter.write(text.replace("; ", "\n"), Box(0, 0, *size_wh).inset(painter.px(5)), painter.px(6))
    return painter.screen("assistant")


def _choice(place: int, box: Box, keys: Sequence[str]) -> tuple[Button, str]:
    """Return a choice's button and what stands on its key, if keys are used."""
    if not keys:
        return Button(str(place), box, ()), ""
    key = keys[place]
    names = (key, f"num_{key}") if key.isdigit() else (key,)
    return Button(str(place), box, names), key.upper()


def _page_text(painter: Painter, page: Page, box: Box) -> None:
    """Write title and paragraphs; below a picture in the middle, else from the top on."""
    align = "middle" if page.picture else "start"
    title, body = _title_and_body(page.text)
    if title:
        most = round(box.height * (0.3 if body else 1))
        head = fit(title, painter.fonts, box.width, most, round(painter.text_px * 1.6))
        place = Box(box.left, box.top, box.width, head.height_px)
        head.draw(painter.pen, place, painter.look.ink, align)
        used = head.height_px + painter.px(2)
        box = Box(box.left, box.top + used, box.width, box.height - used)
    if body:
        block = fit(body, painter.fonts, box.width, box.height, painter.text_px)
        place = Box(box.left, box.top, box.width, block.height_px)
        block.draw(painter.pen, place, painter.look.ink, align)


def _title_and_body(text: str) -> tuple[str, str]:
    first, _, rest = text.strip().partition("\n")
    if first.startswith("# "):
        return first[2:].strip(), rest.strip()
    return "", text.strip()


def _labels(question: Question) -> list[str]:
    return [as_read(label) for label in question.labels]
