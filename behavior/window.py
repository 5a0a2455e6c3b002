"""PsychoPy's window, monitor, keys, dialog and log: the only file that imports it.

What is drawn, when, and what a press means is decided in the other `window_*` files, which run and
are tested without it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from behavior.window_clock import Refresh
from behavior.window_dialogs import make_dialogs_possible
from behavior.window_input import Press, Witness
from behavior.window_look import Look
from behavior.window_screens import assistant_screen
from behavior.window_signals import open_trigger
from behavior.window_stage import WindowStage
from study.errors import StudyError
from study.fields.session import Session

try:
    from psychopy import __version__ as psychopy_version
    from psychopy import gui, logging, monitors, parallel, visual
    from psychopy.hardware.keyboard import Keyboard
    from psychopy.tools.monitorunittools import deg2pix
    from pyglet import canvas
    from pyglet.window import key

    from behavior.window_texture import Texture, draw_rectangle
except ImportError as error:
    raise StudyError(
        f"PsychoPy cannot be loaded ({error}). On the computer that people sit at, in the folder "
        'of bodyscene: pip install -e ".[lab]" -c constraints.txt'
    ) from error
except Exception as error:  # pyglet raises its own kinds where there is no display
    raise StudyError(
        f"no screen that PsychoPy could open a window on ({type(error).__name__}: {error})"
    ) from error

# What PsychoPy warns of is in its log; on the screen it would only worry the assistant.
logging.console.setLevel(logging.ERROR)
N_FLIPS_MEASURED = 60
# The backend that stamps keys when they go down, not when they are asked for.
PRECISE_BACKEND = "ptb"


def psychopy_stage(
    settings: Session,
    words: Mapping[str, str],
    clip_wh: tuple[int, int],
    log: Path | None = None,
    signs: Path | None = None,
    pictures: Path | None = None,
) -> WindowStage:
    """Return a stage that opens a PsychoPy window.

    Parameters
    ----------
    settings : Session
    words : mapping of str to str
        As `behavior.pages.read_texts` gives them.
    clip_wh : tuple of int
        Width and height of the largest clip, pixels.
    log : Path, optional
        PsychoPy's own log goes there.
    signs, pictures : Path, optional
        See `behavior.window_stage.WindowStage`.
    """
    port = settings.trigger
    start_trigger = partial(
        open_trigger, port.kind, port.address, port.baud, port.pulse_s, parallel.ParallelPort
    )
    open_glass = partial(PsychoPyGlass, settings, log)
    return WindowStage(settings, words, clip_wh, open_glass, start_trigger, signs, pictures)


def ask_participant(
    title: str, participant: str, known: Sequence[str], ask_for: Sequence[str]
) -> dict[str, str] | None:
    """Ask for the participant in PsychoPy's usual dialog.

    Parameters
    ----------
    title : str
    participant : str
        Filled in already; may be empty.
    known : sequence of str
        Participants of the plan, shown as a hint.
    ask_for : sequence of str
        Further fields.

    Returns
    -------
    dict or None
        The field `participant` and the further ones; None when the dialog was cancelled.

    Raises
    ------
    StudyError
        Where no dialog can be opened.
    """
    make_dialogs_possible()
    answers: dict[str, str] = {"participant": participant, **dict.fromkeys(ask_for, "")}
    hint = f"one of {known[0]} ... {known[-1]}" if known else ""
    dialog = gui.DlgFromDict(
        answers, title=title, order=list(answers), tip={"participant": hint}, sortKeys=False
    )
    if not dialog.OK:
        return None
    return {name: str(value).strip() for name, value in answers.items()}


class PsychoPyGlass:
    """A PsychoPy window, see `behavior.window_glass.Glass`.

    Parameters
    ----------
    settings : Session
    log : Path, optional

    Raises
    ------
    StudyError
        When the screen or the calibration is not there, or the monitor is not as described.
    """

    def __init__(self, settings: Session, log: Path | None = None) -> None:
        self._log = logging.LogFile(str(log), level=logging.EXP, filemode="a") if log else None
        self._settings = settings
        self._windows: list[visual.Window] = []
        self._textures: dict[tuple[int, int], Texture] = {}
        self._presses: list[Press] = []
        self._heard: list[Press] = []
        self._witness = Witness()
        self._last_key_s = -np.inf
        try:
            self._monitor = self._described_monitor()
            self._window = self._open_window(settings.display.screen, is_main=True)
            self._check_monitor()
            self._listen()
            self._refresh = self._measured_refresh()
            if settings.assistant.show:
                self._open_window(settings.assistant.screen, is_main=False)
        except BaseException:
            self.close()
            raise

    @property
    def size_wh(self) -> tuple[int, int]:
        """Pixels of the frame buffer: on fine screens more than the window's points."""
        return _buffer_wh(self._window)

    @property
    def origin_xy(self) -> tuple[int, int]:
        """The window's top left on the display."""
        left, top = self._window.winHandle.get_location()
        return int(left), int(top)

    @property
    def refresh(self) -> Refresh:
        """As measured when the window was opened."""
        return self._refresh

    def facts(self) -> dict[str, Any]:
        """Return what the record keeps of screen, keyboard and software."""
        handle = self._window.winHandle
        return {
            "psychopy": psychopy_version,
            "window_wh": list(self.size_wh),
            "screen_wh": [handle.screen.width, handle.screen.height],
            "fullscreen": bool(self._settings.display.fullscreen),
            "refresh_hz": round(1 / self._refresh.interval_s, 3),
            "screen_waits_for_refresh": self._refresh.waits,
            "graphics": self._renderer,
            "monitor": self._monitor.name,
            "width_cm": self._monitor.getWidth(),
            "distance_cm": self._monitor.getDistance(),
            "keyboard_backend": self._keyboard_backend,
        }

    def pixels_of(self, degrees: float) -> float:
        """Return a size in degrees of visual angle as pixels, by the monitor."""
        return float(deg2pix(degrees, self._monitor))

    def draw_screen(self, picture: np.ndarray) -> None:
        """Draw a (H, W, 3) picture of the window's own size."""
        self.draw_frame(picture, self.size_wh)

    def draw_frame(self, frame: np.ndarray | None, shown_wh: tuple[int, int]) -> None:
        """Draw a picture in the middle, so many pixels large; None: the last one again."""
        if frame is not None:
            size_wh = (frame.shape[1], frame.shape[0])
            if size_wh not in self._textures:
                self._textures[size_wh] = Texture(size_wh)
            self._last_texture = self._textures[size_wh]
            self._last_texture.put(frame)
        self._last_texture.draw(self.size_wh, shown_wh)

    def draw_patch(self, box: tuple[int, int, int, int], is_white: bool) -> None:
        """Draw a rectangle (left, top, width, height) in white or black."""
        draw_rectangle(self.size_wh, box, 1.0 if is_white else 0.0)

    def grab(self) -> np.ndarray:
        """Return what is drawn and not yet flipped, (H, W, 3) RGB."""
        picture = self._window.getMovieFrame(buffer="back")
        self._window.movieFrames.clear()
        return np.asarray(picture.convert("RGB"))

    def flip(self, at_flip: Callable[[], None] | None = None) -> float:
        """Show what is drawn; call `at_flip` at once then; return when that was."""
        if at_flip is not None:
            self._window.callOnFlip(at_flip)
        flipped = self._window.flip()
        # The flip's own stamp, carried to the clock that never jumps.
        return time.perf_counter() - (logging.defaultClock.getTime() - flipped)

    def presses(self) -> list[Press]:
        """Return what was pressed since the last call, in order."""
        self._window.winHandle.dispatch_events()
        now_s = time.perf_counter()
        heard, self._heard = self._heard, []
        was_trusted = self._witness.is_trusted
        keys = self._witness.merged(self._precise_keys(), heard, now_s)
        if was_trusted and not self._witness.is_trusted:
            logging.warning("The precise keyboard stays silent; keys are taken from the window.")
        pointer, self._presses = self._presses, []
        return sorted([*keys, *pointer], key=lambda press: press.at_s)

    def show_pointer(self, is_visible: bool) -> None:
        """Show or hide the mouse pointer."""
        self._window.mouseVisible = is_visible

    def tell_assistant(self, text: str) -> None:
        """Show a text on the assistant's screen, where there is one."""
        for window in self._windows[1:]:
            size_wh = _buffer_wh(window)
            window.backend.setCurrent()
            texture = Texture(size_wh)
            texture.put(assistant_screen(size_wh, text).picture)
            texture.draw(size_wh, size_wh)
            window.flip()
            texture.close()
            self._window.backend.setCurrent()

    def close(self) -> None:
        """Close windows and log; may be called twice."""
        for window in self._windows:
            window.close()
        self._windows.clear()
        self._textures.clear()
        if self._log is not None:
            logging.flush()
            logging.root.removeTarget(self._log)
            self._log = None

    def _described_monitor(self) -> monitors.Monitor:
        wanted = self._settings.monitor
        known = monitors.getAllMonitors()
        if wanted.calibration and wanted.calibration not in known:
            raise StudyError(
                f"session.monitor.calibration: expected one of PsychoPy's monitors ({known}), "
                f"found {wanted.calibration!r}; make it in PsychoPy's monitor centre"
            )
        return monitors.Monitor(
            wanted.calibration or "bodyscene",
            width=wanted.width_cm,
            distance=wanted.distance_cm,
            gamma=None if wanted.calibration else wanted.gamma,
            autoLog=False,
        )

    def _open_window(self, screen: int, is_main: bool) -> visual.Window:
        _check_screen(screen)
        display = self._settings.display
        look = Look(display.background, display.text_colour, display.text_height)
        try:
            window = visual.Window(
                size=tuple(display.size_wh),
                fullscr=display.fullscreen and is_main,
                screen=screen,
                monitor=self._monitor,
                gamma=self._settings.monitor.gamma if is_main else None,
                color=look.ground,
                colorSpace="rgb255",
                units="pix",
                winType="pyglet",
                allowGUI=not (display.fullscreen and is_main),
                checkTiming=False,
                title="bodyscene",
            )
        except Exception as error:  # drivers fail in ways of their own
            raise StudyError(
                f"no window could be opened on screen {screen} ({error}); are the graphics driver "
                "up to date and session.display and session.monitor.gamma as this computer can?"
            ) from error
        self._windows.append(window)
        window.recordFrameIntervals = False
        return window

    def _check_monitor(self) -> None:
        """Check that the window fits and that degrees mean what the study file says."""
        screen, window_wh = self._window.winHandle.screen, self._settings.display.size_wh
        screen_wh = (screen.width, screen.height)
        is_windowed = not self._settings.display.fullscreen
        if is_windowed and any(np.greater(window_wh, screen_wh)):
            raise StudyError(
                f"session.display.size_wh: expected at most the screen's {list(screen_wh)} pixels, "
                f"found {window_wh}"
            )
        wanted = self._settings.monitor.width_px
        if wanted is not None and wanted != screen.width:
            raise StudyError(
                f"session.monitor.width_px: expected the screen's {screen.width} pixels, found "
                f"{wanted}; sizes in degrees would be wrong"
            )
        self._monitor.setSizePix(screen_wh)

    @property
    def _renderer(self) -> str:
        return str(self._window.winHandle.context.get_info().get_renderer())

    def _measured_refresh(self) -> Refresh:
        """Flip for a while and look at the clock."""
        stamps = [self.flip() for _ in range(N_FLIPS_MEASURED + 10)]
        mode = self._window.winHandle.screen.get_mode()
        rate = mode.rate if mode else None
        # The first flips of a window are slow.
        return Refresh.measured(np.diff(stamps)[10:], rate, self._renderer)

    def _listen(self) -> None:
        self._keyboard = Keyboard()
        self._witness.is_trusted = self._keyboard.getBackend() == PRECISE_BACKEND
        self._keyboard.clearEvents()
        self._window.winHandle.push_handlers(
            on_key_press=self._hear_key,
            on_mouse_press=lambda x, y, button, modifiers: self._hear_pointer("down", x, y),
            on_mouse_release=lambda x, y, button, modifiers: self._hear_pointer("up", x, y),
            on_close=self._hear_closing,
        )
        self._window.winHandle.activate()

    @property
    def _keyboard_backend(self) -> str:
        """Which way keys come: PsychoPy's, or the window's where that one stays silent."""
        return str(self._keyboard.getBackend()) if self._witness.is_trusted else "window"

    def _hear_key(self, symbol: int, modifiers: int) -> bool:
        name = key.symbol_string(symbol).lower().lstrip("_")
        self._heard.append(Press("key", time.perf_counter(), name))
        # Kept from PsychoPy's own list of events, which would grow over the session.
        return True

    def _hear_pointer(self, kind: str, x: float, y: float) -> bool:
        handle = self._window.winHandle
        fine = self.size_wh[0] / handle.width
        top = self.size_wh[1] - y * fine
        self._presses.append(Press(kind, time.perf_counter(), x=x * fine, y=top))
        return True

    def _hear_closing(self) -> bool:
        """Closing the window asks what Escape asks."""
        self._presses.append(Press("key", time.perf_counter(), "escape"))
        return True

    def _precise_keys(self) -> list[Press]:
        if not self._witness.is_trusted:
            return []
        # PsychoPy's clock follows the time of day on some systems; ours never jumps.
        ahead_s = time.perf_counter() - logging.defaultClock.getTime()
        found = []
        for pressed in self._keyboard.getKeys(waitRelease=False, clear=True):
            # A key that is let go is handed out once more.
            if pressed.tDown > self._last_key_s:
                self._last_key_s = pressed.tDown
                found.append(Press("key", pressed.tDown + ahead_s, pressed.name))
        return found


def _check_screen(number: int) -> None:
    """Refuse a screen that is not there: PsychoPy would take the first one instead."""
    n_screens = len(canvas.get_display().get_screens())
    if number >= n_screens:
        raise StudyError(
            f"session.display.screen or session.assistant.screen: expected 0 to {n_screens - 1} "
            f"on this computer, found {number}; is the second screen connected and switched on?"
        )


def _buffer_wh(window: visual.Window) -> tuple[int, int]:
    width, height = window.backend.frameBufferSize
    return int(width), int(height)
