"""Marks for other devices: a patch for a photodiode, and triggers by serial, parallel or LSL."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Literal, Protocol

from study.errors import StudyError

Corner = Literal["top_left", "top_right", "bottom_left", "bottom_right"]
TriggerKind = Literal["none", "serial", "parallel", "lsl"]

LSL_NAME = "bodyscene"


class Code(IntEnum):
    """What a trigger says; single bits, so that lines can be wired one by one."""

    CLIP_ON = 1
    CLIP_OFF = 2
    CHOICES_ON = 4
    REPLY = 8


class Trigger(Protocol):
    """A port that takes codes."""

    def send(self, code: Code) -> None:
        """Send at once."""
        ...

    def rest(self, now_s: float) -> None:
        """Return lines to zero where the port holds them and the pulse is over."""
        ...

    def close(self) -> None:
        """Release the port."""
        ...


@dataclass(frozen=True)
class Patch:
    """A square in a corner, white while a clip is on the screen and black before and after.

    Attributes
    ----------
    corner : str
    size_px : int
    """

    corner: Corner
    size_px: int

    def box(self, window_wh: tuple[int, int]) -> tuple[int, int, int, int]:
        """Return left, top, width and height in pixels from the top left."""
        row, column = self.corner.split("_")
        left = 0 if column == "left" else window_wh[0] - self.size_px
        top = 0 if row == "top" else window_wh[1] - self.size_px
        return left, top, self.size_px, self.size_px


class NoTrigger:
    """Where nothing is connected."""

    def send(self, code: Code) -> None:
        """Do nothing."""

    def rest(self, now_s: float) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class SerialTrigger:
    """One byte per event."""

    def __init__(self, address: str, baud: int) -> None:
        try:
            import serial
        except ImportError as error:
            raise _missing("serial", "pyserial") from error
        try:
            self._port = serial.Serial(address, baud, write_timeout=0)
        except (OSError, ValueError) as error:
            raise _cannot_open("serial", address, "COM3 or /dev/ttyUSB0", error) from error

    def send(self, code: Code) -> None:
        """Write the code as a byte, without waiting for it to leave."""
        self._port.write(bytes([code]))

    def rest(self, now_s: float) -> None:
        """Do nothing: a byte is over by itself."""

    def close(self) -> None:
        """Release the port."""
        self._port.close()


class ParallelTrigger:
    """The code on the data lines for the length of a pulse."""

    def __init__(self, port: Any, pulse_s: float) -> None:
        self._port, self._pulse_s = port, pulse_s
        self._ends_s = math.inf
        self._port.setData(0)

    def send(self, code: Code) -> None:
        """Raise the lines."""
        self._port.setData(int(code))
        self._ends_s = time.perf_counter() + self._pulse_s

    def rest(self, now_s: float) -> None:
        """Lower all lines when the pulse is over."""
        if now_s >= self._ends_s:
            self._port.setData(0)
            self._ends_s = math.inf

    def close(self) -> None:
        """Lower all lines."""
        self._port.setData(0)


class LslTrigger:
    """A stream of markers on the network (Lab Streaming Layer)."""

    def __init__(self, name: str) -> None:
        try:
            import pylsl
        except (ImportError, RuntimeError) as error:
            raise _missing("lsl", "pylsl") from error
        info = pylsl.StreamInfo(name or LSL_NAME, "Markers", 1, 0, "int32", name or LSL_NAME)
        self._outlet = pylsl.StreamOutlet(info)

    def send(self, code: Code) -> None:
        """Push the code; LSL stamps it."""
        self._outlet.push_sample([int(code)])

    def rest(self, now_s: float) -> None:
        """Do nothing: a marker is over by itself."""

    def close(self) -> None:
        """Close the stream."""
        del self._outlet


def open_trigger(
    kind: TriggerKind,
    address: str = "",
    baud: int = 115200,
    pulse_s: float = 0.01,
    open_parallel: Callable[[str], Any] | None = None,
) -> Trigger:
    """Open the port that the study file names.

    Parameters
    ----------
    kind : {"none", "serial", "parallel", "lsl"}
    address : str
        Serial: the port's name. Parallel: its address, e.g. "0x0378". LSL: the stream's name.
    baud : int
        Serial only.
    pulse_s : float
        Parallel only: how long lines stay raised; they are lowered between flips.
    open_parallel : callable, optional
        Opens a parallel port: PsychoPy's, which the window hands in.

    Raises
    ------
    StudyError
        When the port or the package that drives it is not there.
    """
    if kind == "none":
        return NoTrigger()
    if kind == "serial":
        return SerialTrigger(address, baud)
    if kind == "lsl":
        return LslTrigger(address)
    if open_parallel is None:
        raise StudyError("trigger 'parallel': no driver of parallel ports is at hand")
    try:
        return ParallelTrigger(open_parallel(address), pulse_s)
    except (ImportError, OSError, ValueError, TypeError, AttributeError, RuntimeError) as error:
        raise _cannot_open("parallel", address, "0x0378 or /dev/parport0", error) from error


def _missing(kind: str, package: str) -> StudyError:
    return StudyError(
        f"trigger {kind!r} needs the package {package}, which cannot be loaded: "
        f"pip install {package}, or set the trigger to 'none'"
    )


def _cannot_open(kind: str, address: str, example: str, error: Exception) -> StudyError:
    return StudyError(
        f"trigger {kind!r}: the port {address!r} cannot be opened ({error}); expected an address "
        f"such as {example}; is the device connected and its driver installed?"
    )
