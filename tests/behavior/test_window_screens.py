"""Screens without a window: nothing cut off, in any script, at any size, and readable."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from behavior.stage import Page, Question
from study.errors import StudyError

pytest.importorskip("freetype", reason="needs the extra [lab]")
pytest.importorskip("bidi", reason="needs the extra [lab]")

from behavior import window_fonts, window_text
from behavior.window_fonts import Fonts
from behavior.window_look import Look, contrast_of
from behavior.window_painter import Screen
from behavior.window_screens import Screens
from behavior.window_text import fit, is_rtl

SIZES = [(1920, 1080), (1024, 768), (3840, 2160), (800, 600), (1080, 1920)]
LONG = "playing_the_saxophone_on_one_leg_while_riding_a_very_small_unicycle_backwards"
LABELS = ["hop", LONG, "brushing teeth", "a_wordwithoutanyplacetobreakitthatgoesonandonandon", "x"]
ARABIC = ["التصفيق", "العزف على الساكسفون", "تنظيف الأسنان", "التسلق", "القفز"]


def screens(size_wh: tuple[int, int] = (1024, 768), **look: str) -> Screens:
    return Screens(size_wh, Look(**look), Fonts(), tuple("12345"))


def has_font_for(text: str) -> bool:
    try:
        Fonts().opened(text, 20)
    except StudyError:
        return False
    return True


def ink_outside(screen: Screen, ground: tuple[int, int, int]) -> int:
    """Count pixels on the rim of the picture that are not background."""
    picture = screen.picture
    rim = [picture[0], picture[-1], picture[:, 0], picture[:, -1]]
    return sum(int((part != ground).any(axis=1).sum()) for part in rim)


@pytest.mark.parametrize("size_wh", SIZES)
def test_long_labels_are_whole_and_buttons_stay_apart(size_wh: tuple[int, int]) -> None:
    screen = screens(size_wh).choices(Question(LABELS, "Which action did you see?"))
    assert screen.picture.shape == (size_wh[1], size_wh[0], 3)
    assert ink_outside(screen, (128, 128, 128)) == 0
    boxes = [button.box for button in screen.buttons]
    assert [button.keys for button in screen.buttons] == [(k, f"num_{k}") for k in "12345"]
    for one, after in pairwise(boxes):
        assert one.bottom < after.top
    # Inside the frame of each button, before the rim and after it, only its face is left.
    face = Look().button
    for box in boxes:
        beside = screen.picture[box.top + 6 : box.bottom - 6, box.right - box.height // 8]
        assert (beside == face).all()


def test_more_labels_than_keys_are_refused() -> None:
    few = Screens((1024, 768), Look(), Fonts(), ("f", "j"))
    with pytest.raises(StudyError, match=r"session\.keys: expected 3 keys.*found 2"):
        few.choices(Question(["a", "b", "c"], "?"))


def test_a_label_has_all_its_words() -> None:
    block = fit(LONG.replace("_", " "), Fonts(), 300, 80, 30)
    assert " ".join(block.lines) == LONG.replace("_", " ")
    assert block.width_px <= 300
    assert block.height_px <= 80


def test_text_that_cannot_fit_is_refused() -> None:
    with pytest.raises(StudyError, match="too long for the screen"):
        fit("word " * 3000, Fonts(), 200, 100, 20)


def test_chinese_breaks_between_letters_but_not_before_a_full_stop() -> None:
    pieces = window_text._pieces("这是一个句子。再来")
    assert pieces == ["这", "是", "一", "个", "句", "子。", "再", "来"]


@pytest.mark.skipif(not has_font_for("ا"), reason="no font with Arabic letters")
def test_arabic_runs_from_right_to_left() -> None:
    screen = screens().choices(Question(ARABIC, "ما الفعل الذي رأيته؟"))
    box = screen.buttons[0].box
    rows = screen.picture[box.top + 5 : box.bottom - 5, box.left + 8 : box.right - 8]
    dark = (rows.sum(axis=2) < 200).any(axis=0)
    left, right = dark[: len(dark) // 3].sum(), dark[-len(dark) // 3 :].sum()
    assert right > 10 * max(1, left)


@pytest.mark.skipif(not window_fonts.can_shape(), reason="Pillow without Raqm")
@pytest.mark.skipif(not has_font_for("ا"), reason="no font with Arabic letters")
def test_without_raqm_arabic_looks_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two independent ways of joining letters (HarfBuzz, and presentation forms) agree."""
    question = Question(ARABIC, "ما الفعل الذي رأيته؟")
    shaped = screens().choices(question).picture.astype(int)
    monkeypatch.setattr(window_fonts, "can_shape", lambda: False)
    monkeypatch.setattr(window_text, "can_shape", lambda: False)
    joined = screens().choices(question).picture.astype(int)
    apart = screens().choices(Question([label[::-1] for label in ARABIC], "?")).picture.astype(int)
    difference = np.abs(shaped - joined).mean()
    assert difference < 0.5 * np.abs(shaped - apart).mean()


@pytest.mark.parametrize(
    ("text", "rtl"), [("abc", False), ("123 ערב", True), ("القفز", True), ("123", False)]
)
def test_direction_is_that_of_the_first_letter_that_has_one(text: str, rtl: bool) -> None:
    assert is_rtl(text) is rtl


def test_missing_letters_are_refused_with_what_to_install() -> None:
    with pytest.raises(StudyError, match=r"no font on this computer has.*Install"):
        Fonts().opened("\U0001003f", 20)  # Linear B


def test_a_font_that_is_not_installed_is_refused() -> None:
    with pytest.raises(StudyError, match="'Nonesuch Sans' is not installed"):
        Fonts("Nonesuch Sans")


def test_contrast_is_that_of_the_guidelines() -> None:
    # Values published for grey #767676 on white (4.54:1) and for black on white (21:1).
    assert contrast_of((255, 255, 255), (0x76, 0x76, 0x76)) == pytest.approx(4.54, abs=0.01)
    assert contrast_of((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    with pytest.raises(StudyError, match="hard to read"):
        Look("#808080", "#909090")
    with pytest.raises(StudyError, match="'nocolour'"):
        Look("nocolour")


def test_consent_has_two_ways_and_not_the_space_bar() -> None:
    page = Page("consent", "# Consent\n\nYes?", "I agree", refuse="I do not agree")
    buttons = {button.name: button for button in screens().page(page).buttons}
    assert set(buttons) == {"go_on", "refuse"}
    assert not set(buttons["go_on"].keys) & set(buttons["refuse"].keys)
    assert "space" not in buttons["go_on"].keys


def test_a_page_cannot_be_left_before_its_time() -> None:
    page = Page("break", "Rest.", "Go on", least_s=3, progress=0.5)
    early, later = screens().page(page, may_leave=False), screens().page(page)
    assert not early.buttons
    assert [button.name for button in later.buttons] == ["go_on"]


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_the_bar_shows_the_share(share: float) -> None:
    with_bar = screens(text="black").page(Page("break", "Rest.", "", progress=share))
    middle = with_bar.picture[768 - round(0.06 * 768) - 8, :, 0]
    dark = (middle < 20).sum() / 1024
    whole = (screens().page(Page("break", "Rest.", "", progress=1.0)).picture[
        768 - round(0.06 * 768) - 8, :, 0] < 20).sum() / 1024  # fmt: skip
    assert dark == pytest.approx(share * whole, abs=0.01)


def test_a_still_keeps_its_proportions(tmp_path: Path) -> None:
    Image.new("RGB", (200, 100), (255, 0, 0)).save(tmp_path / "still.png")
    page = Page("familiarisation", "hop", "", picture=tmp_path / "still.png")
    red = (screens().page(page).picture == (255, 0, 0)).all(axis=2)
    width, height = red.any(axis=0).sum(), red.any(axis=1).sum()
    assert width == pytest.approx(2 * height, abs=2)
    assert height > 0.4 * 768


def test_steps_of_a_scale_run_in_reading_direction() -> None:
    left_first = screens().rating(Question(["1 a guess", "2", "3 certain"], "?")).buttons
    assert left_first[0].box.left < left_first[-1].box.left
    if has_font_for("ا"):
        right_first = screens().rating(Question(ARABIC[:3], "?")).buttons
        assert right_first[0].box.left > right_first[-1].box.left


def test_only_one_file_needs_psychopy() -> None:
    modules = "behavior.window_stage, behavior.timing_report, behavior.robot"
    code = f"import sys, {modules}; print('psychopy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
