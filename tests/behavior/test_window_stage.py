"""The stage in a window, on a glass that shows nothing: what is found before a session begins."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("freetype", reason="needs the extra [lab]")
pytest.importorskip("bidi", reason="needs the extra [lab]")

from behavior.pages import read_texts
from behavior.stage import ClipToShow, Contents, Page, Question, SessionStopped, TrialFacts
from behavior.window_clock import Refresh
from behavior.window_input import Press
from behavior.window_signals import NoTrigger
from behavior.window_stage import WindowStage
from study.errors import StudyError
from study.fields.session import Session, Timing

LINEAR_B = "\U0001003f"


class NoGlass:
    """A window of 640 x 480 that nobody sees."""

    size_wh = (640, 480)
    origin_xy = (0, 0)
    refresh = Refresh(1 / 60, waits=False)

    def __init__(self) -> None:
        self.keyboard = "ptb"
        self.n_drawn = 0
        self.pressed: list[str] = []

    def facts(self) -> dict[str, Any]:
        return {"window_wh": [640, 480], "keyboard_backend": self.keyboard}

    def draw_screen(self, picture: np.ndarray) -> None:
        self.n_drawn += 1

    def flip(self, at_flip: Callable[[], None] | None = None) -> float:
        return time.perf_counter()

    def presses(self) -> list[Press]:
        pressed, self.pressed = self.pressed[:1], self.pressed[1:]
        return [Press("key", time.perf_counter(), name) for name in pressed]

    def draw_frame(self, frame: np.ndarray | None, shown_wh: tuple[int, int]) -> None:
        self.n_drawn += 1

    def show_pointer(self, is_visible: bool) -> None:
        pass

    def close(self) -> None:
        pass


@pytest.fixture
def opened() -> tuple[WindowStage, NoGlass]:
    glass = NoGlass()
    settings = Session(keys=["a", "b"], clip_height_px=100)
    stage = WindowStage(settings, read_texts().words, (64, 36), lambda: glass, NoTrigger)  # type: ignore[arg-type, return-value]
    stage.open()
    return stage, glass


def test_a_change_of_the_keyboard_is_told_once(opened: tuple[WindowStage, NoGlass]) -> None:
    stage, glass = opened
    assert stage.changes() == {}
    glass.keyboard = "window"
    assert stage.changes() == {"keyboard_backend": "window"}
    assert stage.changes() == {}


@pytest.mark.parametrize(
    ("contents", "problem"),
    [
        (Contents(pages=[Page("break", f"# {LINEAR_B}", "Go on")]), "no font on this computer"),
        (Contents(pages=[Page("break", "word " * 20000, "Go on")]), "too long for the screen"),
        (Contents(pages=[Page("familiarisation", "hop", "Go on", Path("none.png"))]), "none.png"),
        (Contents(questions=[Question(["hop", "run", "sit"], "?")]), "expected 3 keys"),
        (Contents(scales=[Question([f"1 {LINEAR_B}", "2"], "?")]), "no font on this computer"),
        (Contents(remarks=[f"Wrong. It was: {LINEAR_B}"]), "no font on this computer"),
    ],
)
def test_what_cannot_be_shown_is_found_in_the_rehearsal(
    opened: tuple[WindowStage, NoGlass], contents: Contents, problem: str
) -> None:
    with pytest.raises(StudyError, match=problem):
        opened[0].rehearse(contents)


def test_a_rehearsal_shows_nothing(opened: tuple[WindowStage, NoGlass]) -> None:
    stage, glass = opened
    n_before = glass.n_drawn
    # More steps than keys for labels: a scale has the keys 1, 2, 3 of its own.
    scale = Question(["1 a guess", "2", "3 certain"], "How sure?")
    page = Page("break", "# A break", "Go on")
    stage.rehearse(Contents([page], [Question(["hop", "run"], "?")], [scale], ["Right"]))
    assert glass.n_drawn == n_before


@pytest.mark.parametrize("answer", ["y", "n"])
def test_a_stop_asked_for_during_a_clip_comes_after_the_clip_is_noted(
    tmp_path: Path, answer: str
) -> None:
    glass = NoGlass()
    settings = Session(keys=["a", "b"], clip_height_px=100, timing=Timing(before_clip="none"))
    stage = WindowStage(settings, read_texts().words, (64, 36), lambda: glass, NoTrigger)  # type: ignore[arg-type, return-value]
    stage.open()
    path = tmp_path / "still.png"
    Image.fromarray(np.zeros((36, 64, 3), np.uint8)).save(path)
    clip = ClipToShow("still", path, 0.0, 1, 0.05)
    # The first press was made while the clip was on the screen.
    glass.pressed = ["escape"]
    shown = stage.show_clip(clip, TrialFacts("test", "still", "run", "body_background"))
    assert shown.n_frames == 1
    glass.pressed = [answer, "b"]
    question = Question(["run", "sit"], "?", None)
    if answer == "y":
        with pytest.raises(SessionStopped):
            stage.ask(question)
    else:
        assert stage.ask(question).position == 1
    stage.close()
