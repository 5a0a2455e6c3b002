"""Small results to review, and the review page in a real browser."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from stimuli.review import write_review
from stimuli.video import Clip, write_clip
from study.config import Study, load_study
from study.files import sha256_of
from study.results import Results
from study.tables import SCHEMAS, write_table

ROOT = Path(__file__).resolve().parents[3]
CONDITIONS = ("body_background", "body_only", "background_only")
FILE = "stimuli/a clip #1.mkv"
COMMON = {"n_frames": 24, "fps": 24.0, "width": 64, "height": 36}
# Names that would break a page, a script or a table that is not careful.
NASTY = '</script>"ä,雪_3'
TITLE = 'People & <i>"networks"</i></script>'
QUALITY = {"walk_1": 0.9, "walk_2": 0.2, NASTY: 0.5, "jump_4": 0.7, "jump_5": 0.3}

Rows = list[dict[str, Any]]


@pytest.fixture(scope="session")
def quality() -> dict[str, float]:
    """Mask quality of the used clips, in the order of the table."""
    return QUALITY


@pytest.fixture(scope="session")
def brightening() -> np.ndarray:
    """Frames (T, H, W, 3), each of one grey that is ten times its number."""
    greys = 10 * np.arange(24, dtype=np.uint8)
    return np.broadcast_to(greys[:, None, None, None], (24, 36, 64, 3)).copy()


@pytest.fixture(scope="session")
def a_study() -> Callable[..., Study]:
    """A study of small pictures with a title that must be escaped."""

    def a_study(exclude: Path | None = None) -> Study:
        study = load_study(ROOT / "studies" / "demo.toml")
        versions = study.versions.model_copy(update={"width": 64, "height": 36})
        split = study.split.model_copy(update={"exclude": exclude})
        return study.model_copy(update={"title": TITLE, "versions": versions, "split": split})

    return a_study


@pytest.fixture(scope="session")
def filled() -> Callable[[str, Rows], pd.DataFrame]:
    """Return a valid table: columns that a row lacks hold nothing, or 0."""

    def filled(kind: str, rows: Rows) -> pd.DataFrame:
        empty = {
            name: {"int64": 0, "float64": 0.0}.get(str(column.dtype), "")
            for name, column in SCHEMAS[kind]().columns.items()
        }
        return pd.DataFrame([empty | row for row in rows])

    return filled


@pytest.fixture(scope="session")
def few_clips() -> Rows:
    """Five used clips of two actions, one left out with a picture and one without."""
    used = [
        COMMON
        | {
            "clip_id": name,
            "action": "jump_high" if name.startswith("jump") else "walk",
            "split": "test" if name == "walk_2" else "train",
            "n_persons_max": number + 1,
            "mask_quality": quality,
        }
        for number, (name, quality) in enumerate(QUALITY.items())
    ]
    out = {"action": "walk", "split": "none", "mask_quality": 0.0}
    lost = {"clip_id": "lost_6", "reason": "no person found", "source": FILE}
    broken = {"clip_id": "broken_7", "reason": "truncated", "n_frames": 0}
    return [*used, COMMON | out | lost, COMMON | out | broken]


@pytest.fixture(scope="session")
def write_results(
    brightening: np.ndarray, filled: Callable[[str, Rows], pd.DataFrame]
) -> Callable[[Path, Rows], Results]:
    """Return a writer of tables; all used clips have one file as their three versions."""

    def write_results(root: Path, clips: Rows) -> Results:
        results = Results(root)
        write_clip(root / FILE, Clip(brightening, Fraction(24)))
        sha256 = sha256_of(root / FILE)
        known = [{"source": "a.mkv", "source_sha256": sha256} | clip for clip in clips]
        write_table("clips", filled("clips", known), results.clips)
        rows = [
            COMMON
            | {
                "stimulus_id": f"{clip['clip_id']}__{condition}",
                "clip_id": clip["clip_id"],
                "action": clip["action"],
                "condition": condition,
                "split": clip["split"],
                "path": FILE,
                "body_fraction": clip["mask_quality"] / 2,
                "hidden_fraction": number * clip["mask_quality"] / 3,
                "sha256": sha256,
                "source_sha256": sha256,
            }
            for clip in clips
            if clip["split"] != "none"
            for number, condition in enumerate(CONDITIONS)
        ]
        write_table("manifest", filled("manifest", rows), results.manifest)
        return results

    return write_results


@pytest.fixture(scope="module")
def results(
    tmp_path_factory: pytest.TempPathFactory,
    write_results: Callable[[Path, Rows], Results],
    few_clips: Rows,
    a_study: Callable[..., Study],
) -> Results:
    """Results with their review page."""
    results = write_results(tmp_path_factory.mktemp("review"), few_clips)
    write_review(a_study(), results, processes=1)
    return results


class Page:
    """The review page of some results in a browser, used as a person uses it."""

    def __init__(self, driver: Any, downloads: Path, results: Results) -> None:
        self.driver = driver
        self.downloads = downloads
        driver.get((results.root / "review" / "index.html").as_uri())
        self.run("localStorage.clear()")
        self.reload()

    @staticmethod
    def until(found: Callable[[], Any]) -> Any:
        """Wait for what is found to be true, at most three seconds."""
        end = time.monotonic() + 3
        while not (value := found()) and time.monotonic() < end:
            time.sleep(0.02)
        return value

    def reload(self) -> None:
        """Load the page again and wait for the first clips."""
        self.driver.refresh()
        self.until(self.shown)

    def run(self, script: str, *arguments: Any) -> Any:
        """Return what a script returns."""
        return self.driver.execute_script(script, *arguments)

    def shown(self) -> list[str]:
        """Names of the clips in the list, from top to bottom."""
        texts = self.run(
            "return [...document.querySelectorAll('.row')].map(row =>"
            " [row.getAttribute('aria-rowindex'), row.querySelector('.name').textContent])"
        )
        return [name for _, name in sorted(texts, key=lambda text: int(text[0]))]

    def enter(self, control: str, value: str) -> None:
        """Set a field; a browser sends both events."""
        self.run(
            "const field = document.getElementById(arguments[0]); field.value = arguments[1];"
            "for (const name of ['input', 'change']) field.dispatchEvent(new Event(name))",
            control,
            value,
        )

    def sort_by(self, label: str) -> None:
        """Choose what to sort by."""
        from selenium.webdriver.support.ui import Select

        Select(self.driver.find_element("id", "sort")).select_by_visible_text(label)

    def press(self, *keys: str) -> None:
        """Press keys, wherever the focus is."""
        for key in keys:
            self.driver.switch_to.active_element.send_keys(key)

    def click(self, selector: str) -> None:
        """Click what a CSS selector names."""
        self.driver.find_element("css selector", selector).click()

    def text_of(self, selector: str) -> str:
        """Text of the first such element, empty where there is none."""
        return self.run("return document.querySelector(arguments[0])?.textContent ?? ''", selector)

    def marked(self) -> dict[str, str]:
        """Names in the list that are shown as marked, with what is said about them."""
        return dict(
            self.run(
                "return [...document.querySelectorAll('.row.marked')].map(row =>"
                " [row.querySelector('.name').textContent, row.querySelector('.why').textContent])"
            )
        )

    def exported(self) -> Path:
        """Export the list; the file that the browser saves."""
        path = self.downloads / "exclude.csv"
        path.unlink(missing_ok=True)
        self.press("e")
        assert self.until(path.is_file)
        return path

    def emulate(self, command: str, **settings: Any) -> None:
        """Set how the browser presents itself, by Chromium's `Emulation` commands."""
        self.driver.execute_cdp_cmd(f"Emulation.{command}", settings)


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, Path]]:
    """A browser without a window and the folder of its downloads, or a skip."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    names = ("chromium", "chromium-browser", "google-chrome")
    browser = next(filter(None, map(shutil.which, names)), None)
    chromedriver = shutil.which("chromedriver")
    if browser is None or chromedriver is None:
        pytest.skip("chromium and chromedriver are not both installed")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1400,900"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(chromedriver))
    downloads = tmp_path_factory.mktemp("downloads")
    where = {"behavior": "allow", "downloadPath": str(downloads)}
    driver.execute_cdp_cmd("Browser.setDownloadBehavior", where)
    yield driver, downloads
    driver.quit()


@pytest.fixture
def open_page(chromium: tuple[Any, Path]) -> Iterator[Callable[[Results], Page]]:
    """Return a function that opens a page; it must run without an error."""
    driver, downloads = chromium
    driver.get_log("browser")
    yield lambda results: Page(driver, downloads, results)
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert [entry for entry in driver.get_log("browser") if entry["level"] == "SEVERE"] == []


@pytest.fixture
def page(open_page: Callable[[Results], Page], results: Results) -> Page:
    """The page of the few clips."""
    return open_page(results)
