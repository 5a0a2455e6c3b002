"""Robots at the real window on a virtual screen: what they did is what was recorded."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from behavior.folders import responses_path
from behavior.robot import Hand, Plan, Robot, Sign
from stimuli.video import Clip, read_clip, write_clip
from tests.behavior.lab import make_lab
from tests.behavior.virtual_screen import NEEDED, ROOT, decider, run_with, virtual_screen

DRIVER = Path(__file__).with_name("window_driver.py")
LABELS = ["applauding", "brushing_teeth", "climbing", "jumping", "playing_the_saxophone"]
# Robot and window share the machine with others: single presses may wait for a processor.
RT_ERROR_S = 0.03
LARGEST_RT_ERROR_S = 0.3
FRAME_S = 1 / 60
SETTINGS: dict[str, Any] = {
    "display": {"fullscreen": False, "size_wh": [1024, 768], "text_colour": "#000000"},
    "timing": {"before_clip_s": 0.1},
}

pytestmark = NEEDED


@pytest.fixture(scope="module")
def display() -> Iterator[str]:
    with virtual_screen() as name:
        yield name


@pytest.fixture(scope="module")
def clip_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half a second of noise at 25 frames per second."""
    frames = np.random.default_rng(1).integers(0, 256, (13, 180, 320, 3), dtype=np.uint8)
    path = tmp_path_factory.mktemp("clips") / "noise.mp4"
    write_clip(path, Clip(frames, Fraction(25)))
    return path


def hold(
    display: str, folder: Path, steps: list[dict[str, Any]], settings: dict[str, Any],
    decide: Callable[[Sign], Plan | None], device: str = "keyboard", pictures: Path | None = None,
    rehearsed: Sequence[dict[str, Any]] = (),
) -> tuple[dict[str, Any], Robot]:  # fmt: skip
    """Hold steps in a child process while a robot answers; return results and robot."""
    signs, plan, result = folder / "signs.jsonl", folder / "plan.json", folder / "result.json"
    content = {
        "settings": {**SETTINGS, **settings}, "signs": str(signs), "steps": steps,
        "clip_wh": [320, 180], "pictures": str(pictures) if pictures else "",
        "rehearsed": list(rehearsed),
    }  # fmt: skip
    plan.write_text(json.dumps(content))
    robot = Robot(signs, Hand(display), decide, device)
    run_with(display, [sys.executable, str(DRIVER), str(plan), str(result)], folder, robot)
    return json.loads(result.read_text()), robot


def clip_and_choices(clip: Path) -> list[dict[str, Any]]:
    return [
        {"do": "clip", "stimulus_id": "a", "path": str(clip), "fps": 25.0, "n_frames": 13},
        {"do": "ask", "labels": LABELS, "prompt": "Which action did you see?"},
    ]


@pytest.mark.parametrize("device", ["keyboard", "mouse"])
def test_a_sessions_rows_equal_the_robots_log(display: str, tmp_path: Path, device: str) -> None:
    """A whole session; the mouse's is stopped by Escape in the middle and goes on later."""
    study, results = make_lab(tmp_path / "lab", participants=1)
    (results.root / "lab.json").write_text(study.model_dump_json(), encoding="utf-8")
    answer = decider(3)
    asked_to_stop: list[Sign] = []

    def decide(sign: Sign) -> Plan | None:
        if sign["screen"] == "stop":
            return Plan("yes", 0.1)
        n_choices = sum(deed.screen == "choices" for deed in robot.deeds)
        if sign["screen"] == "choices" and n_choices == 5 and not asked_to_stop:
            asked_to_stop.append(sign)
            return Plan("escape", 0.1, key="escape")
        return answer(sign)

    signs = tmp_path / "signs.jsonl"
    robot = Robot(signs, Hand(display), decide if device == "mouse" else answer, device)
    phases = [sit_down(display, results.root, signs, robot)]
    if device == "mouse":
        phases.append(sit_down(display, results.root, signs, robot))
    assert phases == (["done"] if device == "keyboard" else ["stopped", "done"])

    rows = pd.read_csv(responses_path(results, "01"), dtype={"participant": str})
    answers = [deed for deed in robot.deeds if deed.screen == "choices"]
    # The first two were practice, which is no data.
    deeds = [deed for deed in answers if deed.button != "escape"][2:]
    assert len(rows) == len(deeds) == 10
    choices = rows["choices"].str.split("|")
    expected = [labels[int(deed.button)] for labels, deed in zip(choices, deeds, strict=True)]
    assert list(rows["response"]) == expected
    errors = rows["rt_s"].to_numpy() - [deed.rt_s for deed in deeds]
    assert np.median(np.abs(errors)) < RT_ERROR_S, errors
    assert np.abs(errors).max() < LARGEST_RT_ERROR_S, errors


def sit_down(display: str, root: Path, signs: Path, robot: Robot) -> str:
    """Hold a session, or the rest of one, in a child process; return how it ended."""
    settings = {
        **SETTINGS,
        "timing": {"before_clip_s": 0.05, "still_s": 0.1, "break_least_s": 0.1},
        "flow": {"break_every": 4, "familiarisation": False, "practice_feedback": False},
        "confidence": {"ask": True, "steps": 3},
    }
    command = [sys.executable, str(DRIVER.with_name("window_session.py")), str(root), "01"]
    output = run_with(display, [*command, json.dumps(settings), str(signs)], root, robot)
    return output.split()[-1]


def test_clips_last_as_long_as_they_should(display: str, clip_path: Path, tmp_path: Path) -> None:
    steps = clip_and_choices(clip_path)[:1] * 5
    result, _ = hold(display, tmp_path, steps, {}, decider(1))
    for shown in result["steps"]:
        assert shown["intended_s"] == pytest.approx(13 / 25)
        assert shown["n_frames"] + shown["n_dropped"] == 13
    errors = np.array([shown["duration_s"] for shown in result["steps"]]) - 13 / 25
    assert np.median(np.abs(errors)) < FRAME_S, errors


def test_presses_before_the_onset_and_after_the_limit_do_not_count(
    display: str, clip_path: Path, tmp_path: Path
) -> None:
    asked = {"do": "ask", "labels": LABELS, "prompt": "?"}
    steps = [*clip_and_choices(clip_path), {**asked, "limit_s": 0.3}]
    answers = iter([Plan("3", 0.2), None])

    def decide(sign: Sign) -> Plan | None:
        if sign["screen"] == "clip":
            return Plan("too early", 0.1, key="2")
        return next(answers) if sign["screen"] == "choices" else None

    result, robot = hold(display, tmp_path, steps, {}, decide)
    assert [deed.button for deed in robot.deeds] == ["too early", "3"]
    assert result["steps"][1]["position"] == 3
    assert result["steps"][2] == {"position": None, "rt_s": 0.3, "device": ""}


@pytest.mark.parametrize(("answer", "stopped"), [("no", False), ("yes", True)])
def test_escape_asks_before_it_stops(
    display: str, tmp_path: Path, answer: str, stopped: bool
) -> None:
    asked = []

    def decide(sign: Sign) -> Plan | None:
        if sign["screen"] == "stop":
            asked.append(sign)
            return Plan(answer, 0.5)
        if sign["screen"] != "choices":
            return None
        return Plan("1", 0.2) if asked else Plan("escape", 0.1, key="escape")

    steps = [{"do": "ask", "labels": LABELS, "prompt": "?"}]
    result, _ = hold(display, tmp_path, steps, {}, decide)
    assert result["stopped"] is stopped
    if not stopped:
        # The half second of the question does not count.
        assert result["steps"][0]["position"] == 1
        assert result["steps"][0]["rt_s"] < 0.7


def test_a_touch_can_be_taken_back_and_keys_are_not_used(display: str, tmp_path: Path) -> None:
    did = []

    def decide(sign: Sign) -> Plan | None:
        if sign["screen"] != "choices":
            return None
        did.append(sign)
        return Plan("2", 0.2)

    steps = [{"do": "ask", "labels": LABELS, "prompt": "?"}]
    result, _ = hold(display, tmp_path, steps, {"input": ["touch"]}, decide, "mouse")
    assert did[0]["buttons"][0]["keys"] == []
    assert result["steps"][0] == {**result["steps"][0], "position": 2, "device": "touch"}


def test_pictures_show_the_pixels_of_the_clip(
    display: str, clip_path: Path, tmp_path: Path
) -> None:
    """What is on the screen equals the file, bit by bit, and the background is what was asked."""
    steps = clip_and_choices(clip_path)[:1]
    pictures = tmp_path / "pictures"
    hold(display, tmp_path, steps, {}, decider(1), pictures=pictures)
    seen = np.asarray(Image.open(pictures / "clip.png"))
    frame = read_clip(clip_path).frames_thwc[0]
    top, left = (768 - 180) // 2, (1024 - 320) // 2
    np.testing.assert_array_equal(seen[top : top + 180, left : left + 320], frame)
    assert (seen[: top - 1] == 128).all()


DIALOG = """
from PyQt6 import QtCore, QtTest, QtWidgets
from behavior.window import ask_participant

def fill():
    dialog = next(one for one in app.topLevelWidgets() if one.isVisible())
    for edit, text in zip(dialog.findChildren(QtWidgets.QLineEdit), (" 07", "33")):
        QtTest.QTest.keyClicks(edit, text)
    buttons = dialog.findChild(QtWidgets.QDialogButtonBox)
    buttons.button(QtWidgets.QDialogButtonBox.StandardButton.{button}).click()

app = QtWidgets.QApplication.instance() or QtWidgets.QApplication([])
QtCore.QTimer.singleShot(300, fill)
print(ask_participant("study", "", ["01", "28"], ["age"]))
"""


@pytest.mark.parametrize(
    ("button", "answer"), [("Ok", "{'participant': '07', 'age': '33'}"), ("Cancel", "None")]
)
def test_the_dialog_asks_for_the_participant(
    display: str, tmp_path: Path, button: str, answer: str
) -> None:
    environment = {**os.environ, "DISPLAY": display, "PYTHONPATH": str(ROOT),
                   "HOME": str(tmp_path), "QT_QPA_PLATFORM": "offscreen"}  # fmt: skip
    code = DIALOG.replace("{button}", button)
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True,
                          text=True, timeout=60)  # fmt: skip
    assert answer in done.stdout, done.stderr


@pytest.mark.slow
def test_the_timing_of_this_computer_is_judged(display: str, tmp_path: Path) -> None:
    """A virtual screen waits for nothing, and that is said; a key that comes is heard."""
    code = (
        "from pathlib import Path; from behavior.timing_report import check_timing; "
        "from behavior.window import PsychoPyGlass; from study.fields.session import Session; "
        f"check_timing(lambda: PsychoPyGlass(Session()), Path({str(tmp_path)!r}), (320, 180))"
    )
    environment = {**os.environ, "DISPLAY": display, "PYTHONPATH": str(ROOT), "HOME": str(tmp_path)}
    child = subprocess.Popen([sys.executable, "-c", code], env=environment)
    hand = Hand(display)
    while child.poll() is None:
        hand.press_key("space")
        time.sleep(1)
    page = (tmp_path / "timing.html").read_text(encoding="utf-8")
    assert child.returncode == 0
    assert "The program cannot wait for the screen" in page
    assert "Keys are stamped when they go down" in page


def test_letters_without_a_font_are_refused_before_the_session(
    display: str, tmp_path: Path
) -> None:
    linear_b = [{"labels": ["hop", "\U0001003f"], "prompt": "?"}]
    with pytest.raises(AssertionError, match="no font on this computer has"):
        hold(display, tmp_path, [], {}, decider(1), rehearsed=linear_b)


def test_larger_clips_than_the_window_are_refused(display: str, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"1024 x 768 pixels.*shown with 1600 x 900"):
        hold(display, tmp_path, [], {"clip_height_px": 900}, decider(1))
