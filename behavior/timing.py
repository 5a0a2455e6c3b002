"""How well this computer keeps time: screen, clips, keyboard and disk, measured and judged."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import numpy as np

from behavior.stage import ClipToShow, Page, Presentation
from behavior.window_clips import ReadyClip
from behavior.window_film import Film
from behavior.window_fonts import Fonts
from behavior.window_glass import Glass
from behavior.window_look import Look
from behavior.window_painter import Screen
from behavior.window_screens import Screens
from behavior.window_signals import NoTrigger
from stimuli.video import Clip, write_clip
from study.files import force_to_disk

N_FLIPS = 300
N_UPLOADS = 60
N_SYNCS = 40
RATES_FPS = (24.0, 25.0, 30.0, 50.0)
CLIP_S = 1.0
KEY_LIMIT_S = 20.0
RECORD = b"x" * 400 + b"\n"

Level = Literal["good", "doubtful", "bad"]


@dataclass(frozen=True)
class Measured:
    """What was measured; times in seconds.

    Attributes
    ----------
    facts : dict
        Of the window, see `behavior.window_glass.Glass.facts`.
    interval_s : float
        Of the screen's refresh.
    waits : bool
        Whether flips wait for the screen.
    flips_s : ndarray
        Intervals between flips that followed one another.
    shown : sequence of (float, Presentation)
        Clips by their rate, frames per second.
    uploads_s : ndarray
        To hand one frame to the graphics card.
    syncs_s : ndarray
        To have one answer safe on the disk.
    key : {"precise", "window", "none", "not asked"}
        The way by which a key that was asked for came.
    """

    facts: dict[str, Any]
    interval_s: float
    waits: bool
    flips_s: np.ndarray
    shown: Sequence[tuple[float, Presentation]]
    uploads_s: np.ndarray
    syncs_s: np.ndarray
    key: str


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at, and what it means, in plain words."""

    level: Level
    topic: str
    text: str


def measure(
    glass: Glass, folder: Path, clip_wh: tuple[int, int], repeats: int = 3, ask_key: bool = True
) -> Measured:
    """Measure with a window that is open.

    Parameters
    ----------
    glass : Glass
    folder : Path
        Where answers are going to be written: its disk is measured.
    clip_wh : tuple of int
        Width and height of the clips, pixels.
    repeats : int
        Clips per rate.
    ask_key : bool
        Whether to ask for a key; somebody has to press it.
    """
    screens = Screens(glass.size_wh, Look(text="black"), Fonts(), ())
    key = _key_asked_for(glass, screens) if ask_key else "not asked"
    blank = screens.blank()
    glass.show_pointer(False)
    flips_s = np.diff([_flip(glass, blank) for _ in range(N_FLIPS + 1)])
    return Measured(
        glass.facts(),
        glass.refresh.interval_s,
        glass.refresh.waits,
        flips_s,
        _clips_shown(glass, blank, clip_wh, repeats),
        _uploads(glass, clip_wh),
        sync_times(folder),
        key,
    )


def sync_times(folder: Path, n: int = N_SYNCS) -> np.ndarray:
    """Return how long it takes until a line that was appended is safe on the disk, seconds (n,)."""
    folder.mkdir(parents=True, exist_ok=True)
    taken = []
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        for _ in range(n):
            began_s = time.perf_counter()
            file.write(RECORD)
            file.flush()
            force_to_disk(file.fileno())
            taken.append(time.perf_counter() - began_s)
    return np.array(taken)


def judge(measured: Measured) -> list[Finding]:
    """Say what the figures mean for a session, worst first."""
    findings = [
        _judge_screen(measured),
        _judge_flips(measured),
        *_judge_clips(measured),
        _judge_uploads(measured),
        _judge_key(measured),
        _judge_disk(measured),
    ]
    order = ("bad", "doubtful", "good")
    return sorted(findings, key=lambda finding: order.index(finding.level))


def _flip(glass: Glass, screen: Screen) -> float:
    glass.draw_screen(screen.picture)
    return glass.flip()


def _key_asked_for(glass: Glass, screens: Screens) -> str:
    """Ask for the space bar and see by which way it comes."""
    text = "# Keyboard\n\nPlease press the space bar."
    _flip(glass, screens.page(Page("instructions", text, "")))
    until_s = time.perf_counter() + KEY_LIMIT_S
    while time.perf_counter() < until_s:
        if any(press.kind == "key" and press.name == "space" for press in glass.presses()):
            return "precise" if glass.facts()["keyboard_backend"] == "ptb" else "window"
        time.sleep(0.001)
    return "none"


def _clips_shown(
    glass: Glass, blank: Screen, clip_wh: tuple[int, int], repeats: int
) -> list[tuple[float, Presentation]]:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    width, height = clip_wh
    tile = np.tile(noise, (-(-height // 64), -(-width // 64), 1))[:height, :width]
    shown = []
    # Windows deletes no open file; where a clip failed, what went wrong matters more.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        for fps in RATES_FPS:
            frames = np.stack([np.roll(tile, 5 * n, 1) for n in range(round(CLIP_S * fps))])
            path = Path(folder) / f"{fps:g}.mp4"
            write_clip(path, Clip(frames, Fraction(fps)))
            shown += [(fps, _show(glass, blank, path, fps, len(frames))) for _ in range(repeats)]
    return shown


def _show(glass: Glass, blank: Screen, path: Path, fps: float, n_frames: int) -> Presentation:
    clip = ReadyClip(ClipToShow(path.stem, path, fps, n_frames))
    clip.wait()
    _flip(glass, blank)
    film = Film(glass, clip, clip.starts_s, clip.size_wh, NoTrigger())
    shown = film.show(0.0, before=lambda: None, after=lambda at_s: None)
    clip.close()
    return shown


def _uploads(glass: Glass, clip_wh: tuple[int, int]) -> np.ndarray:
    rng = np.random.default_rng(0)
    frame = rng.integers(0, 256, (clip_wh[1], clip_wh[0], 3), dtype=np.uint8)
    taken = []
    for _ in range(N_UPLOADS):
        began_s = time.perf_counter()
        glass.draw_frame(frame, clip_wh)
        taken.append(time.perf_counter() - began_s)
        glass.flip()
    return np.array(taken)


def _judge_screen(measured: Measured) -> Finding:
    hz = 1 / measured.interval_s
    if measured.waits:
        return Finding("good", "Screen", f"It shows {hz:.2f} pictures per second and the program "
                       "can wait for each.")  # fmt: skip
    return Finding(
        "bad",
        "Screen",
        "The program cannot wait for the screen, so it does not know exactly when a picture is "
        "seen. Turn on vertical synchronisation (V-Sync) in the graphics driver, and use a real "
        "screen, not a remote or virtual one.",
    )


def _judge_flips(measured: Measured) -> Finding:
    if not measured.waits:
        return Finding("doubtful", "Missed pictures", "Cannot be told on this screen.")
    late = measured.flips_s > 1.5 * measured.interval_s
    share = float(late.mean())
    text = f"{late.sum()} of {len(late)} pictures came late ({100 * share:.1f} %)."
    if share <= 0.005:
        return Finding("good", "Missed pictures", text)
    level: Level = "doubtful" if share <= 0.02 else "bad"
    return Finding(
        level,
        "Missed pictures",
        f"{text} Close all other programs, connect the power supply, and measure again.",
    )


def _judge_clips(measured: Measured) -> list[Finding]:
    errors_s = np.array([shown.duration_s - shown.intended_s for _, shown in measured.shown])
    worst_s, frame_s = float(np.abs(errors_s).max()), measured.interval_s
    text = (
        f"Clips lasted as they should within {1000 * worst_s:.1f} ms; one picture of the screen "
        f"takes {1000 * frame_s:.1f} ms."
    )
    length = Finding("good" if worst_s < frame_s else "bad", "Length of clips", text)
    dropped = sum(shown.n_dropped for _, shown in measured.shown)
    total = sum(shown.n_frames + shown.n_dropped for _, shown in measured.shown)
    seen = f"{dropped} of {total} frames were not shown."
    if dropped:
        seen += " The computer is too slow for these clips, or busy with something else."
    return [length, Finding("bad" if dropped else "good", "Frames of clips", seen)]


def _judge_uploads(measured: Measured) -> Finding:
    slow_s = float(np.quantile(measured.uploads_s, 0.95))
    text = f"A frame reaches the graphics card within {1000 * slow_s:.1f} ms."
    if slow_s < measured.interval_s / 2:
        return Finding("good", "Graphics", text)
    return Finding("doubtful", "Graphics", f"{text} That is slow: make the clips smaller.")


def _judge_key(measured: Measured) -> Finding:
    findings: dict[str, tuple[Level, str]] = {
        "precise": ("good", "Keys are stamped when they go down."),
        "window": (
            "doubtful",
            "Keys come, but the precise keyboard of PsychoPy does not work; times are those at "
            "which the window heard of them, about a thousandth of a second later. To mend it, "
            "install psychtoolbox and allow the program to read the keyboard.",
        ),
        "none": (
            "bad",
            "No key came. Is the keyboard connected, and was the window in front? On macOS, allow "
            "the terminal to read the keyboard (Privacy & Security, Input Monitoring).",
        ),
        "not asked": ("doubtful", "It was not tried."),
    }
    level, text = findings[measured.key]
    return Finding(level, "Keyboard", text)


def _judge_disk(measured: Measured) -> Finding:
    slow_s = float(np.quantile(measured.syncs_s, 0.95))
    text = f"An answer is safe on the disk within {1000 * slow_s:.1f} ms."
    if slow_s <= 0.1:
        return Finding("good", "Disk", text)
    return Finding("doubtful", "Disk", f"{text} Trials wait for it: use a disk of this computer.")
