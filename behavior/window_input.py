"""Presses of keys and pointer, and what they choose on a screen with buttons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from behavior.window_painter import Button

Device = Literal["keyboard", "mouse", "touch"]

# A press that the window hears reaches the precise keyboard within this time, or never.
WITNESS_S = 0.25


@dataclass(frozen=True)
class Press:
    """Something pressed or let go.

    Attributes
    ----------
    kind : {"key", "down", "up"}
        A key went down; the pointer went down or up.
    at_s : float
        On the stage's monotonic clock.
    name : str
        Of the key.
    x, y : float
        Of the pointer, pixels from the top left.
    """

    kind: Literal["key", "down", "up"]
    at_s: float
    name: str = ""
    x: float = 0.0
    y: float = 0.0


@dataclass(frozen=True)
class Chosen:
    """The button that was pressed, when, and with what."""

    button: str
    at_s: float
    device: Device


@dataclass
class Chooser:
    """Waits for one of a screen's buttons.

    Attributes
    ----------
    buttons : sequence of Button
    since_s : float
        What was pressed before does not count: the screen was not there yet.
    pointer : {"mouse", "touch", None}
        A mouse chooses when it goes down. A finger chooses when it leaves the button on which it
        went down, so that a wrong touch can be taken back; its time is that of the touch.
    with_keys : bool
    """

    buttons: Sequence[Button]
    since_s: float
    pointer: Literal["mouse", "touch"] | None
    with_keys: bool = True
    _touched: Chosen | None = field(default=None, init=False)

    def take(self, press: Press) -> Chosen | None:
        """Return what a press chooses, if anything."""
        if press.kind == "key":
            return self._by_key(press)
        if self.pointer is None:
            return None
        under = next((one.name for one in self.buttons if one.box.holds(press.x, press.y)), None)
        if press.kind == "down":
            return self._down(press, under)
        return self._up(under)

    def _by_key(self, press: Press) -> Chosen | None:
        if not self.with_keys or press.at_s < self.since_s:
            return None
        meant = (button.name for button in self.buttons if press.name in button.keys)
        name = next(meant, None)
        return Chosen(name, press.at_s, "keyboard") if name is not None else None

    def _down(self, press: Press, under: str | None) -> Chosen | None:
        self._touched = None
        if under is None or press.at_s < self.since_s:
            return None
        chosen = Chosen(under, press.at_s, self.pointer or "mouse")
        if self.pointer == "mouse":
            return chosen
        self._touched = chosen
        return None

    def _up(self, under: str | None) -> Chosen | None:
        touched, self._touched = self._touched, None
        return touched if touched is not None and touched.button == under else None


@dataclass
class Witness:
    """Finds out whether the precise keyboard works, by what the window hears of the same keys.

    PsychoPy reads keys past the window, with exact times; on computers where that backend loads but
    never delivers, answers would be lost in silence. What the window hears stands in for it then.
    """

    is_trusted: bool = True
    _received_s: list[float] = field(default_factory=list)
    _unmatched: list[tuple[float, Press]] = field(default_factory=list)

    def merged(self, precise: Sequence[Press], heard: Sequence[Press], now_s: float) -> list[Press]:
        """Return the key presses to act on, each once.

        Parameters
        ----------
        precise : sequence of Press
            From the precise keyboard since the last call.
        heard : sequence of Press
            From the window since the last call.
        now_s : float
            The time of the call.
        """
        if not self.is_trusted:
            return list(heard)
        recent = [at_s for at_s in self._received_s if now_s - at_s <= 2 * WITNESS_S]
        self._received_s = recent + [now_s] * len(precise)
        self._unmatched += [(now_s, press) for press in heard]
        self._unmatched = [one for one in self._unmatched if not self._was_received(one[0])]
        if all(now_s - at_s <= WITNESS_S for at_s, _ in self._unmatched):
            return list(precise)
        self.is_trusted = False
        return [*precise, *(press for _, press in self._unmatched)]

    def _was_received(self, heard_s: float) -> bool:
        return any(abs(at_s - heard_s) <= WITNESS_S for at_s in self._received_s)
