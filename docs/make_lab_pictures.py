"""Make the pictures of the lab guide: every screen of a session, drawn by the real window.

Usage, on any computer with a screen of 3840 x 2160 (a virtual one will do):

    xvfb-run -s "-screen 0 3840x2160x24" python docs/make_lab_pictures.py

Pictures go to `docs/images/lab/`, smaller than the screen. A language without a font on this
computer is left out, and said so.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from behavior.contents import EXAMPLE_PROBLEM, attention_page, disk_page, remark_of  # noqa: E402
from behavior.pages import Texts, read_texts  # noqa: E402
from behavior.robot import Hand  # noqa: E402
from behavior.stage import ClipToShow, Page, PageKind, Question, TrialFacts  # noqa: E402
from behavior.timing_report import check_timing  # noqa: E402
from behavior.window import PsychoPyGlass, psychopy_stage  # noqa: E402
from behavior.window_fonts import Fonts  # noqa: E402
from behavior.window_look import Look  # noqa: E402
from behavior.window_screens import Screens, assistant_screen  # noqa: E402
from behavior.window_stage import WindowStage  # noqa: E402
from stimuli.video import Clip, write_clip  # noqa: E402
from study.errors import StudyError  # noqa: E402
from study.fields.session import Display, Session  # noqa: E402

OUT = ROOT / "docs" / "images" / "lab"
LARGEST_SIDE = 960
SIZES = {"16x9": [1920, 1080], "4x3": [1024, 768], "4k": [3840, 2160]}
SEEN_S = 0.05
ESCAPE_S = 0.5
VALUES = {"n_done": 40, "n_trials": 84, "n_practice": 6, "n_choices": 5, "n_stills": 80,
          "minutes": 20}  # fmt: skip

PROGRESS = "07: 41 of 84 trials done; last answer: 1.3 s; attention checks right: 2 of 2"
DIALOG = """
from PyQt6 import QtCore, QtTest, QtWidgets
from behavior.window import ask_participant

def fill():
    dialog = next(one for one in app.topLevelWidgets() if one.isVisible())
    QtTest.QTest.keyClicks(dialog.findChildren(QtWidgets.QLineEdit)[0], "07")
    dialog.grab().save({path!r})
    dialog.close()

app = QtWidgets.QApplication.instance() or QtWidgets.QApplication([])
QtCore.QTimer.singleShot(500, fill)
ask_participant("bodyscene", "", ["01", "28"], ["age"])
"""

LABELS = {
    "english": [
        "applauding",
        "riding_a_unicycle_while_playing_the_saxophone_in_the_rain",
        "brushing_teeth",
        "climbing",
        "jumping",
    ],
    "arabic": [
        "التصفيق",
        "العزف على الساكسفون أثناء ركوب الدراجة",
        "تنظيف الأسنان",
        "التسلق",
        "القفز",
    ],
    "chinese": ["鼓掌", "一边骑独轮车一边吹萨克斯管", "刷牙", "攀岩", "跳跃"],
}
PROMPTS = {
    "english": "Which action did you see?",
    "arabic": "ما الفعل الذي رأيته؟",
    "chinese": "您看到了什么动作？",
}


def main() -> None:
    """Make all pictures."""
    with tempfile.TemporaryDirectory() as folder:
        clip, still = _clip_and_still(Path(folder))
        for size, size_wh in SIZES.items():
            stage = _stage(size_wh, OUT / size)
            stage.open()
            _show_all(stage, clip, still)
            stage.close()
    _draw_rare_pages(OUT / "16x9")
    for language in ("arabic", "chinese"):
        _show_language(language)
    progress = Image.fromarray(assistant_screen((640, 360), PROGRESS).picture)
    ImageOps.expand(progress, 1, "gray").save(OUT / "assistant.png")
    _show_dialog(OUT / "dialog.png")
    _show_timing_page(OUT / "timing.png")
    for path in OUT.rglob("blank.png"):
        path.unlink()
    for path in sorted(OUT.rglob("*.png")):
        _shrink(path)
        print(path.relative_to(ROOT))


def _stage(size_wh: list[int], pictures: Path) -> WindowStage:
    for old in pictures.glob("*.png"):
        old.unlink()
    settings = Session.model_validate(
        {
            "display": {"fullscreen": False, "size_wh": size_wh},
            "timing": {"before_clip_s": SEEN_S},
            "clip_height_px": size_wh[1] // 2,
        }
    )
    return psychopy_stage(settings, read_texts().words, (640, 360), pictures=pictures)


def _show_all(stage: WindowStage, clip: ClipToShow, still: Path) -> None:
    """Show every kind of screen for a moment."""
    texts = read_texts()
    words = texts.words
    for kind in ("consent", "instructions", "practice", "break", "debrief"):
        page = Page(
            kind,  # type: ignore[arg-type]
            texts.page(kind, **VALUES),
            {"consent": words["agree"], "debrief": words["finish"]}.get(kind, words["go_on"]),
            refuse=words["decline"] if kind == "consent" else "",
            progress=0.5 if kind == "break" else None,
            most_s=SEEN_S,
        )
        stage.show_page(page)
    stage.show_page(Page("familiarisation", "waving", words["go_on"], picture=still,
                         progress=0.3, most_s=SEEN_S))  # fmt: skip
    stage.show_clip(clip, TrialFacts("test", "c", "waving", "body_background"))
    stage.ask(Question(LABELS["english"], words["question"], SEEN_S))
    steps = [f"1 {words['not_sure']}", "2", "3", f"4 {words['very_sure']}"]
    stage.rate(Question(steps, words["how_sure"], SEEN_S))
    stage.give_feedback(remark_of(texts, "playing_the_saxophone"), False)
    # A hand from outside asks to stop and takes it back.
    threading.Thread(target=_escape_and_stay, daemon=True).start()
    stage.ask(Question(LABELS["english"], words["question"], 4 * ESCAPE_S))


def _draw_rare_pages(folder: Path) -> None:
    """Save the pages that the stage would take for others of their kind."""
    texts, display = read_texts(), Session().display
    look = Look(display.background, display.text_colour, display.text_height)
    width, height = SIZES["16x9"]
    screens = Screens((width, height), look, Fonts(), tuple("12345"))
    pages = {
        "start": _plain("instructions", texts, "start"),
        "welcome_back": _plain("break", texts, "welcome_back", progress=40 / 84),
        "attention": attention_page(texts),
        "disk_full": disk_page(texts, EXAMPLE_PROBLEM),
    }
    for name, page in pages.items():
        Image.fromarray(screens.page(page).picture).save(folder / f"{name}.png")
    Image.fromarray(screens.count(3).picture).save(folder / "countdown.png")


def _plain(kind: PageKind, texts: Texts, name: str, progress: float | None = None) -> Page:
    return Page(kind, texts.page(name, **VALUES), texts.words["go_on"], progress=progress)


def _escape_and_stay() -> None:
    hand = Hand(os.environ["DISPLAY"])
    for key in ("escape", "n"):
        time.sleep(ESCAPE_S)
        hand.press_key(key)


def _show_language(language: str) -> None:
    try:
        Fonts().opened("".join(LABELS[language]), 20)
    except StudyError as error:
        print(f"{language}: left out, {error}")
        return
    stage = _stage(SIZES["16x9"], OUT / language)
    stage.open()
    stage.ask(Question(LABELS[language], PROMPTS[language], SEEN_S))
    stage.close()


def _show_dialog(path: Path) -> None:
    """Save a picture of the dialog from a process of its own, which Qt may end."""
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "PYTHONPATH": str(ROOT)}
    code = DIALOG.format(path=str(path))
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)


def _show_timing_page(path: Path) -> None:
    """Measure this computer and save a picture of the page, where Chromium is there to draw it."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        print("timing.png: left out, no Chromium on this computer")
        return
    with tempfile.TemporaryDirectory() as folder:
        settings = Session(display=Display(fullscreen=False))
        threading.Thread(target=_press_space, daemon=True).start()
        page, _ = check_timing(lambda: PsychoPyGlass(settings), Path(folder), (640, 360))
        options = ("--headless", "--no-sandbox", "--hide-scrollbars", "--window-size=900,2400")
        command = [browser, *options, f"--screenshot={path}", page.as_uri()]
        subprocess.run(command, check=True, capture_output=True, timeout=120)
    with Image.open(path) as picture:
        whole = picture.convert("RGB")
    written = np.flatnonzero((np.asarray(whole) != 255).any(axis=(1, 2)))
    whole.crop((0, 0, whole.width, int(written[-1]) + 30)).save(path)


def _press_space() -> None:
    hand = Hand(os.environ["DISPLAY"])
    for _ in range(10):
        time.sleep(ESCAPE_S)
        hand.press_key("space")


def _clip_and_still(folder: Path) -> tuple[ClipToShow, Path]:
    """Make a clip of a disc that crosses a landscape, and its middle frame."""
    rows, columns = np.mgrid[0:360, 0:640]
    frames = []
    for number in range(5):
        sky = np.stack([90 + rows // 4, 140 + rows // 6, 220 - rows // 5], axis=2)
        ground = np.stack([70 + 0 * rows, 130 - rows // 8, 60 + 0 * rows], axis=2)
        frame = np.where((rows > 230)[..., None], ground, sky)
        disc = (rows - 190) ** 2 + (columns - 240 - 40 * number) ** 2 < 60**2
        frames.append(np.where(disc[..., None], (214, 94, 30), frame).astype(np.uint8))
    path, still = folder / "clip.mp4", folder / "still.png"
    write_clip(path, Clip(np.stack(frames), Fraction(25)))
    Image.fromarray(frames[2]).save(still)
    return ClipToShow("clip", path, 25.0, len(frames)), still


def _shrink(path: Path) -> None:
    with Image.open(path) as picture:
        small = picture.convert("RGB")
    small.thumbnail((LARGEST_SIDE, 2 * LARGEST_SIDE), Image.Resampling.LANCZOS)
    small.quantize(128, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    main()
