"""A robot that sits down in front of the window: it presses keys and clicks from outside.

It knows only what the file of signs says (`behavior.window_signs`), answers as it is told to, and
keeps a log of its own, with which the session's records can be compared. It needs an X display,
best a virtual one: what it presses goes to whatever window is there.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from study.errors import StudyError

POLL_S = 0.002
# From moving the pointer to pressing, as the window has to see it there.
SETTLE_S = 0.02
HOLD_S = 0.03

X_NAMES = {"return": "Return", "escape": "Escape", "num_enter": "KP_Enter"}

Sign = Mapping[str, Any]


@dataclass(frozen=True)
class Plan:
    """What the robot is going to do about a screen.

    Attributes
    ----------
    button : str
        The name of one of its buttons; or, with `key`, what to note down.
    after_s : float
        Seconds from the flip that showed the screen.
    key : str
        A key to press instead of the button's own.
    """

    button: str
    after_s: float
    key: str = ""


@dataclass(frozen=True)
class Deed:
    """What the robot did: the screen and its flip, what it pressed and when."""

    screen: str
    shown_s: float
    button: str
    pressed_s: float

    @property
    def rt_s(self) -> float:
        """From the flip that showed the screen to the press, by the robot's own clock."""
        return self.pressed_s - self.shown_s


class Hand:
    """Presses keys and clicks on an X display (XTEST extension).

    Parameters
    ----------
    display : str
        For example ":99".

    Raises
    ------
    StudyError
        When python-xlib or the display is not there.
    """

    def __init__(self, display: str) -> None:
        try:
            from Xlib import XK, X
            from Xlib.display import Display
            from Xlib.error import DisplayError
            from Xlib.ext import xtest
        except ImportError as error:
            raise StudyError(
                "robots need the package python-xlib: it comes with PsychoPy on Linux"
            ) from error
        try:
            self._display = Display(display)
        except DisplayError as error:
            raise StudyError(f"robots need an X display; {display!r} cannot be opened") from error
        self._x, self._keysyms, self._xtest = X, XK, xtest

    def press_key(self, name: str) -> float:
        """Press and release a key by PsychoPy's name; return when it went down."""
        keysym = self._keysyms.string_to_keysym(X_NAMES.get(name, name))
        code = self._display.keysym_to_keycode(keysym)
        return self._push(self._x.KeyPress, self._x.KeyRelease, code)

    def click(self, x: float, y: float) -> float:
        """Click at a place on the display; return when the button went down."""
        self._xtest.fake_input(self._display, self._x.MotionNotify, x=round(x), y=round(y))
        self._display.sync()
        time.sleep(SETTLE_S)
        return self._push(self._x.ButtonPress, self._x.ButtonRelease, 1)

    def _push(self, down: int, up: int, detail: int) -> float:
        self._xtest.fake_input(self._display, down, detail)
        self._display.sync()
        pressed_s = time.perf_counter()
        time.sleep(HOLD_S)
        self._xtest.fake_input(self._display, up, detail)
        self._display.sync()
        return pressed_s


class Robot:
    """Watches the signs and acts.

    Parameters
    ----------
    signs : Path
        The file that the window writes; it need not be there yet.
    hand : Hand
    decide : callable
        Given a sign (`screen`, `at_s`, `buttons`), what to do about it; None: nothing.
    device : {"keyboard", "mouse"}
    """

    def __init__(
        self,
        signs: Path,
        hand: Hand,
        decide: Callable[[Sign], Plan | None],
        device: Literal["keyboard", "mouse"],
    ) -> None:
        self._signs, self._hand, self._decide, self._device = signs, hand, decide, device
        self.deeds: list[Deed] = []
        self._n_read, self._rest = 0, ""

    def act_until(self, is_over: Callable[[], bool]) -> list[Deed]:
        """Act on every screen until told that it is over; return what was done."""
        for sign in self._watch(is_over):
            plan = self._decide(sign)
            if plan is not None:
                self._carry_out(sign, plan)
        return self.deeds

    def save(self, path: Path) -> None:
        """Write the log as JSON lines."""
        lines = [json.dumps(asdict(deed)) for deed in self.deeds]
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")

    def _carry_out(self, sign: Sign, plan: Plan) -> None:
        time.sleep(max(0.0, sign["at_s"] + plan.after_s - time.perf_counter()))
        if plan.key:
            pressed_s = self._hand.press_key(plan.key)
        else:
            button = next(one for one in sign["buttons"] if one["name"] == plan.button)
            if self._device == "keyboard":
                pressed_s = self._hand.press_key(button["keys"][0])
            else:
                pressed_s = self._hand.click(button["x"], button["y"])
        self.deeds.append(Deed(sign["screen"], sign["at_s"], plan.button, pressed_s))

    def _watch(self, is_over: Callable[[], bool]) -> Iterator[Sign]:
        while not is_over():
            yield from (json.loads(line) for line in self._new_lines())
            time.sleep(POLL_S)

    def _new_lines(self) -> list[str]:
        """Return the whole lines that were written since the last call."""
        if not self._signs.exists():
            return []
        with self._signs.open(encoding="utf-8") as file:
            file.seek(self._n_read)
            text = self._rest + file.read()
            self._n_read = file.tell()
        *lines, self._rest = text.split("\n")
        return lines
