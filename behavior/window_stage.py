"""A session in a window: pages, clips at their own rate, choices, and what was pressed when.

It follows `behavior.stage.Stage` and draws on any `Glass`; `behavior.window` has PsychoPy's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from PIL import Image

from behavior.stage import (
    ClipToShow,
    Contents,
    Page,
    PageReply,
    Presentation,
    Question,
    Reply,
    SessionStopped,
    TrialFacts,
)
from behavior.window_clips import ClipShelf
from behavior.window_clock import cut_short
from behavior.window_film import Film
from behavior.window_fonts import Fonts
from behavior.window_glass import Glass
from behavior.window_input import Chooser, Chosen
from behavior.window_look import Look
from behavior.window_painter import Button, Screen
from behavior.window_screens import Screens
from behavior.window_signals import Code, Patch, Trigger
from behavior.window_signs import Signs
from study.errors import StudyError
from study.fields.session import Session

# Keys and pointer are asked so often while nothing moves on the screen.
POLL_S = 0.001
FEEDBACK_S = 1.2
COUNTDOWN = (3, 2, 1)
STOP_KEY = "escape"
# In the order in which they lie on the keyboard.
USUAL_KEYS = tuple("1234567890qwertyuiop")


class WindowStage:
    """Holds a session in a window.

    Parameters
    ----------
    settings : Session
    words : mapping of str to str
        What the question whether to stop says: `stop_question`, `stop_yes`, `stop_no`.
    clip_wh : tuple of int
        Width and height of the largest clip, pixels.
    open_glass, start_trigger : callable
        Open the window and the trigger port.
    signs : Path, optional
        A file that is told what is on the screen (`behavior.window_signs`).
    pictures : Path, optional
        A folder for a picture of every kind of screen, the first time that it is shown.
    """

    def __init__(
        self,
        settings: Session,
        words: Mapping[str, str],
        clip_wh: tuple[int, int],
        open_glass: Callable[[], Glass],
        start_trigger: Callable[[], Trigger],
        signs: Path | None = None,
        pictures: Path | None = None,
    ) -> None:
        self._settings, self._words, self._clip_wh = settings, words, clip_wh
        self._open_glass, self._start_trigger = open_glass, start_trigger
        self._signs, self._pictures = Signs(signs), pictures
        self._shelf = ClipShelf()
        self._glass: Glass | None = None
        self._trigger: Trigger | None = None
        self._facts: dict[str, Any] = {}
        self._is_stop_wished = False
        # When the participant was last done with something, or the stage with showing it.
        self._free_s = time.perf_counter()

    def open(self) -> dict[str, Any]:
        """Open port and window; return their facts for the record.

        Raises
        ------
        StudyError
            When text could not be read, the port or the screen is not there, or the clips are
            larger than the screen.
        """
        display = self._settings.display
        look = Look(display.background, display.text_colour, display.text_height)
        fonts = Fonts(display.font)
        try:
            self._trigger = self._start_trigger()
            self._glass = self._open_glass()
            shown_wh = self._shown_wh(self._clip_wh)
            self._check_fits(shown_wh)
        except BaseException:
            self.close()
            raise
        self._screens = Screens(self._glass.size_wh, look, fonts, self._keys)
        self._show(self._screens.blank())
        self._facts = self._glass.facts()
        return {**self._facts, "clip_shown_wh": list(shown_wh)}

    def rehearse(self, contents: Contents) -> None:
        """Draw what a session is going to show without showing it; the stage is open.

        Raises
        ------
        StudyError
            When something cannot be drawn: letters without a font, a text too long for the screen,
            a missing picture, more labels than keys.
        """
        screens = self._screens
        screens.stop(*self._stop_words)
        for page in contents.pages:
            screens.page(page)
        for question in contents.questions:
            screens.choices(question)
        for scale in contents.scales:
            screens.rating(scale)
        for remark in contents.remarks:
            screens.feedback(remark, False)

    def changes(self) -> dict[str, Any]:
        """Return what is otherwise by now, for example where keys come from."""
        now = self._window.facts()
        changed = {name: now[name] for name in now if now[name] != self._facts.get(name)}
        self._facts = now
        return changed

    def close(self) -> None:
        """Close window, port and files; may be called twice."""
        self._shelf.close()
        self._signs.close()
        for part in (self._glass, self._trigger):
            if part is not None:
                part.close()
        self._glass = self._trigger = None

    def show_page(self, page: Page) -> PageReply:
        """Show a page until it is left."""
        if not page.go_on and page.most_s is None:
            raise ValueError("a page without a button needs most_s, or nobody can leave it")
        pale_s = 0.0
        if page.least_s > 0:
            _, pale_s = self._choose(self._screens.page(page, may_leave=False), page.least_s)
        left_s = None if page.most_s is None else max(0.0, page.most_s - pale_s)
        chosen, seconds = self._choose(self._screens.page(page), left_s)
        self._free_s = time.perf_counter()
        return PageReply(chosen is None or chosen.button != "refuse", pale_s + seconds)

    def prepare(self, clip: ClipToShow) -> None:
        """Start to decode a clip; returns at once."""
        self._shelf.prepare(clip)

    def show_clip(self, clip: ClipToShow, trial: TrialFacts) -> Presentation:
        """Show fixation or countdown, then the clip once at its own rate."""
        self._shelf.prepare(clip)
        waited_s = self._lead_in()
        due_s = time.perf_counter()
        ready = self._shelf.take(clip)
        film = Film(
            self._window,
            ready,
            cut_short(ready.starts_s, self._settings.timing.most_s),
            self._shown_wh(ready.size_wh),
            self._port,
            self._patch,
        )
        waited_s += time.perf_counter() - due_s
        shown = film.show(
            waited_s,
            before=lambda: self._keep_picture("clip"),
            after=lambda at_s: self._signs.tell("clip", at_s),
        )
        self._shelf.put_away(clip)
        self._free_s = shown.onset_s + shown.duration_s
        # A clip is never interrupted, and that it was seen must be noted: `ask` asks first.
        self._is_stop_wished = any(press.name == STOP_KEY for press in self._window.presses())
        return shown

    def ask(self, question: Question) -> Reply:
        """Show the labels and wait for a choice."""
        if self._is_stop_wished:
            self._is_stop_wished = False
            self._ask_to_stop()
        return self._reply(self._screens.choices(question), question.limit_s)

    def rate(self, question: Question) -> Reply:
        """Ask how sure the participant is."""
        return self._reply(self._screens.rating(question), question.limit_s)

    def give_feedback(self, text: str, is_correct: bool) -> None:
        """Show the outcome of a practice trial for a moment."""
        self._choose(self._screens.feedback(text, is_correct), FEEDBACK_S)
        self._free_s = time.perf_counter()

    def show_progress(self, text: str) -> None:
        """Tell the assistant's screen, where there is one, how far the session is."""
        self._window.tell_assistant(text)

    @property
    def _window(self) -> Glass:
        if self._glass is None:
            raise RuntimeError("the stage is not open")
        return self._glass

    @property
    def _port(self) -> Trigger:
        if self._trigger is None:
            raise RuntimeError("the stage is not open")
        return self._trigger

    @property
    def _keys(self) -> tuple[str, ...]:
        if "keyboard" not in self._settings.input:
            return ()
        return tuple(self._settings.keys or USUAL_KEYS)

    @property
    def _stop_words(self) -> tuple[str, str, str]:
        words = self._words
        return words["stop_question"], words["stop_yes"], words["stop_no"]

    @property
    def _pointer(self) -> Literal["mouse", "touch"] | None:
        if "mouse" in self._settings.input:
            return "mouse"
        return "touch" if "touch" in self._settings.input else None

    @property
    def _patch(self) -> Patch | None:
        wanted = self._settings.photodiode
        return Patch(wanted.corner, wanted.size_px) if wanted.show else None

    def _shown_wh(self, clip_wh: tuple[int, int]) -> tuple[int, int]:
        """Return the size of a clip on the screen, pixels."""
        width, height = clip_wh
        wanted = self._settings.clip_height_px or height
        if self._settings.clip_height_deg is not None:
            wanted = round(self._window.pixels_of(self._settings.clip_height_deg))
        return round(width * wanted / height), wanted

    def _check_fits(self, shown_wh: tuple[int, int]) -> None:
        window_wh = self._window.size_wh
        if shown_wh[0] > window_wh[0] or shown_wh[1] > window_wh[1]:
            raise StudyError(
                f"the window has {window_wh[0]} x {window_wh[1]} pixels, but clips are shown with "
                f"{shown_wh[0]} x {shown_wh[1]}; expected a larger screen, or a smaller "
                "session.clip_height_px or session.clip_height_deg"
            )

    def _lead_in(self) -> float:
        """Show what comes before a clip; return for how long it kept people waiting."""
        timing = self._settings.timing
        if timing.before_clip == "none":
            return time.perf_counter() - self._free_s
        screens = [self._screens.fixation()]
        if timing.before_clip == "countdown":
            screens = [self._screens.count(number) for number in COUNTDOWN]
        waited_s = None
        for screen in screens:
            at_s = self._show(screen)
            waited_s = at_s - self._free_s if waited_s is None else waited_s
            self._wait(screen, at_s, timing.before_clip_s / len(screens), ())
        return waited_s or 0.0

    def _reply(self, screen: Screen, limit_s: float | None) -> Reply:
        with_keys = bool(self._keys)
        at_s = self._show(screen, Code.CHOICES_ON)
        chosen, seconds = self._wait(screen, at_s, limit_s, screen.buttons, with_keys)
        self._port.send(Code.REPLY)
        self._free_s = time.perf_counter()
        if chosen is None:
            return Reply(None, seconds)
        return Reply(int(chosen.button), seconds, chosen.device)

    def _choose(self, screen: Screen, limit_s: float | None) -> tuple[Chosen | None, float]:
        return self._wait(screen, self._show(screen), limit_s, screen.buttons)

    def _wait(
        self,
        screen: Screen,
        at_s: float,
        limit_s: float | None,
        buttons: Sequence[Button],
        with_keys: bool = True,
    ) -> tuple[Chosen | None, float]:
        """Wait for a button, or until the time is over.

        Returns
        -------
        chosen : Chosen or None
        seconds : float
            For how long the screen was seen until then; the question whether to stop that may have
            covered it does not count.
        """
        chooser = Chooser(buttons, at_s, self._pointer, with_keys)
        covered_s = 0.0
        while True:
            for press in self._window.presses():
                if press.name == STOP_KEY and press.at_s >= at_s:
                    self._ask_to_stop()
                    back_s = self._show(screen)
                    covered_s += back_s - press.at_s
                    chooser = Chooser(buttons, back_s, self._pointer, with_keys)
                elif (chosen := chooser.take(press)) is not None:
                    return chosen, chosen.at_s - at_s - covered_s
            now_s = time.perf_counter()
            self._port.rest(now_s)
            if limit_s is not None and now_s - at_s - covered_s >= limit_s:
                return None, limit_s
            time.sleep(POLL_S)

    def _ask_to_stop(self) -> None:
        """Ask whether to stop; return when not.

        Raises
        ------
        SessionStopped
            When it was confirmed.
        """
        screen = self._screens.stop(*self._stop_words)
        chooser = Chooser(screen.buttons, self._show(screen), self._pointer)
        while True:
            chosen = [one for press in self._window.presses() if (one := chooser.take(press))]
            if chosen and chosen[0].button == "yes":
                raise SessionStopped
            if chosen:
                return
            time.sleep(POLL_S)

    def _show(self, screen: Screen, code: Code | None = None) -> float:
        """Put a screen on the window; return the time of the flip."""
        window = self._window
        window.show_pointer(bool(screen.buttons) and self._pointer is not None)
        window.draw_screen(screen.picture)
        if self._patch is not None:
            window.draw_patch(self._patch.box(window.size_wh), is_white=False)
        self._keep_picture(screen.name)
        at_s = window.flip(None if code is None else lambda: self._port.send(code))
        self._signs.tell(screen.name, at_s, screen.buttons, window.origin_xy)
        return at_s

    def _keep_picture(self, name: str) -> None:
        """Save what is drawn, the first time that a kind of screen comes."""
        if self._pictures is None or (path := self._pictures / f"{name}.png").exists():
            return
        self._pictures.mkdir(parents=True, exist_ok=True)
        Image.fromarray(self._window.grab()).save(path)
