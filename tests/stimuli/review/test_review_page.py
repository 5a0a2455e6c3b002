"""The review page in a real browser: it opens as a file, plays, filters, marks and exports."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stimuli.by_hand import read_choice_by_hand
from stimuli.review import write_review
from study.config import Study
from study.fields import Split
from study.results import Results
from study.tables import SCHEMAS, read_text_table

NASTY = '</script>"ä,雪_3'

Page = Any
Quality = dict[str, float]
Rows = list[dict[str, Any]]
OpenPage = Callable[[Results], Page]
WriteResults = Callable[[Path, Rows], Results]
MakeStudy = Callable[..., Study]


def test_sorting(page: Page, quality: Quality) -> None:
    assert page.driver.title == 'Review: People & <i>"networks"</i></script>'
    # The doubtful clips come first.
    assert page.shown() == sorted(quality, key=lambda name: quality[name])
    page.click("#direction")
    assert page.shown() == sorted(quality, key=lambda name: -quality[name])
    page.sort_by("action")
    assert page.shown() == ["walk_1", "walk_2", NASTY, "jump_4", "jump_5"]
    page.sort_by("persons")
    page.enter("show", "all")
    # What is not known is last in either order.
    assert page.shown() == ["jump_5", "jump_4", NASTY, "walk_2", "walk_1", "lost_6", "broken_7"]
    page.click("#direction")
    assert page.shown() == ["lost_6", "walk_1", "walk_2", NASTY, "jump_4", "jump_5", "broken_7"]


def test_filtering(page: Page, quality: Quality) -> None:
    page.sort_by("order in the table")
    assert page.shown() == list(quality)
    page.enter("show", "left_out")
    assert page.shown() == ["lost_6", "broken_7"]
    assert page.text_of(".why") == "no person found"
    assert page.text_of("#row-6 .picture") == "no picture"
    page.enter("show", "used")
    page.enter("action", "jump")
    assert page.shown() == ["jump_4", "jump_5"]
    page.enter("action", "")
    page.enter("split", "test")
    assert page.shown() == ["walk_2"]
    page.enter("split", "")
    page.enter("search", "雪 SCRIPT")
    assert page.shown() == [NASTY]
    page.enter("search", "nothing like it")
    assert page.shown() == []
    page.click("#reset")
    assert page.shown() == list(quality)


def test_limits_of_a_score(page: Page, quality: Quality) -> None:
    page.enter("limited", "0")
    # From 0 (a clip left out) to 0.9 in a thousand steps.
    page.enter("least", "400")
    page.enter("most", "780")
    assert page.shown() == [NASTY, "jump_4"]
    page.enter("most", "100")
    assert page.run("return document.getElementById('most').value") == "400"
    bars = page.run(
        "return [...document.querySelectorAll('#histogram i')].map(bar => bar.offsetHeight > 0)"
    )
    # Thirty bars over 0 to 0.9, and six clips whose quality is known.
    assert [n for n, high in enumerate(bars) if high] == [0, 6, 10, 16, 23, 29]
    page.click("#chips button")
    assert len(page.shown()) == len(quality)


def positions(page: Page, row: int, seconds: float) -> set[str]:
    """Where the first picture of a row stands, as long as one looks."""
    found, end = set(), time.monotonic() + seconds
    script = "return getComputedStyle(document.querySelector(arguments[0])).backgroundPositionX"
    while time.monotonic() < end:
        found.add(page.run(script, f"#row-{row} .picture"))
    return found


def test_pointing_plays_all_versions_of_a_clip(page: Page) -> None:
    from selenium.webdriver import ActionChains

    assert len(positions(page, 1, 0.2)) == 1
    row = page.driver.find_element("id", "row-1")
    ActionChains(page.driver).move_to_element(row).move_by_offset(3, 3).perform()
    # A second for twelve moments, over and over.
    assert len(positions(page, 1, 1.2)) >= 6
    assert len(positions(page, 4, 0.2)) == 1
    same = page.run(
        "return new Set([...document.querySelectorAll('#row-1 .picture')].map(picture =>"
        " getComputedStyle(picture).backgroundPositionX)).size"
    )
    assert same == 1
    width = page.run("return document.querySelector('#row-1 .picture').offsetWidth")
    steps = {float(place.removesuffix("px")) / width for place in positions(page, 1, 0.6)}
    assert all(step == int(step) and -11 <= step <= 0 for step in steps)


def test_where_less_motion_is_wanted_only_a_key_plays(page: Page) -> None:
    reduced = {"name": "prefers-reduced-motion", "value": "reduce"}
    page.emulate("setEmulatedMedia", features=[reduced])
    page.press("j")
    assert len(positions(page, 4, 0.3)) == 1
    page.press(" ")
    assert len(positions(page, 4, 0.6)) >= 3
    page.press(" ")
    assert len(positions(page, 4, 0.3)) == 1


def test_keys_move_mark_and_undo(page: Page) -> None:
    page.press("j", "x", "j", "2", "k", "k")
    assert page.text_of("#details h2") == "walk_2"
    assert page.marked() == {
        "jump_5": "marked",
        NASTY: "marked: mask misses part of the person",
    }
    page.press("r")
    page.press('two "walkers", one dog', "\n")
    assert page.until(lambda: page.marked().get("walk_2")) == 'marked: two "walkers", one dog'
    assert page.text_of("#count") == "5 of 7 clips · 3 to exclude"
    page.enter("show", "marked")
    assert len(page.shown()) == 3
    page.press("x", "u", "u", "u")
    assert page.marked() == {"jump_5": "marked"}
    page.press("/")
    assert page.driver.switch_to.active_element.get_attribute("id") == "search"
    page.press("x")
    assert page.marked() == {}
    page.press("\ue00c", "?")
    assert page.until(page.driver.find_element("id", "help").is_displayed)


def test_marks_survive_a_reload_and_the_next_run_reads_the_list(page: Page, tmp_path: Path) -> None:
    page.press("x", "j", "j", "r")
    page.press('says "no", twice;\u00e4', "\n")
    page.until(lambda: NASTY in page.marked())
    page.reload()
    expected = {"walk_2": "marked", NASTY: 'marked: says "no", twice;\u00e4'}
    assert page.marked() == expected
    path = page.exported()
    assert path.read_bytes().startswith(b"clip_id,reason\r\nwalk_2,\r\n")
    table = read_text_table(path)
    assert table.to_dict("list") == {
        "clip_id": ["walk_2", NASTY],
        "reason": ["", 'says "no", twice;\u00e4'],
    }
    given = Path(shutil.copy(path, tmp_path / "exclude.csv"))
    assert set(read_choice_by_hand(Split(exclude=given)).excluded) == {"walk_2", NASTY}


def test_what_the_study_file_excludes_is_shown_and_can_be_taken_back(
    open_page: OpenPage,
    tmp_path: Path,
    write_results: WriteResults,
    few_clips: Rows,
    a_study: MakeStudy,
) -> None:
    given = tmp_path / "exclude.csv"
    given.write_text("clip_id,reason\nwalk_2,\njump_5,too dark\n", "utf-8")
    results = write_results(tmp_path / "results", few_clips)
    write_review(a_study(exclude=given), results, processes=1)
    page = open_page(results)
    by_file = "excluded by the study file"
    assert page.marked() == {"walk_2": by_file, "jump_5": f"{by_file}: too dark"}
    page.press("x")
    assert set(page.marked()) == {"jump_5"}
    page.reload()
    assert set(page.marked()) == {"jump_5"}
    assert read_text_table(page.exported())["clip_id"].tolist() == ["jump_5"]


def test_a_list_is_loaded_and_merged(page: Page, tmp_path: Path) -> None:
    page.press("x")
    listed = tmp_path / "list.csv"
    listed.write_text('\ufeffreason,clip_id\n"a ""b"",\nc",walk_1\n,jump_4\nx,unknown\n', "utf-8")
    page.driver.find_element("id", "load").send_keys(str(listed))
    assert page.until(lambda: "walk_1" in page.marked())
    assert page.text_of("#said") == "list.csv: 2 marked, 1 not of this study"
    assert read_text_table(page.exported()).to_dict("list") == {
        "clip_id": ["walk_1", "walk_2", "jump_4"],
        "reason": ['a "b",\nc', "", ""],
    }
    listed.write_text("name\nwalk_1\n")
    page.driver.find_element("id", "load").send_keys(str(listed))
    assert page.until(lambda: "expected the columns clip_id" in page.text_of("#said"))


def test_a_browser_without_storage_still_marks(page: Page) -> None:
    source = "Object.defineProperty(window, 'localStorage', {get() { throw new Error('no'); }})"
    command = "Page.addScriptToEvaluateOnNewDocument"
    script_id = page.driver.execute_cdp_cmd(command, {"source": source})["identifier"]
    try:
        page.reload()
        page.press("x")
        assert set(page.marked()) == {"walk_2"}
        assert "keeps no marks" in page.text_of("#said")
    finally:
        page.driver.execute_cdp_cmd(
            "Page.removeScriptToEvaluateOnNewDocument", {"identifier": script_id}
        )


def test_every_number_is_in_the_details(page: Page, results: Results) -> None:
    rows = page.run(
        "return [...document.querySelectorAll('#details tr')].map(row =>"
        " [...row.cells].map(cell => cell.textContent))"
    )
    names = {row[0].replace(" ", "_") for row in rows}
    for kind in ("clips", "manifest"):
        columns = SCHEMAS[kind]().columns.items()
        assert {name for name, column in columns if "str" not in str(column.dtype)} <= names
    assert ["mask quality", "0.2"] in rows
    assert ["hidden fraction", "0", "0.06667", "0.1333"] in rows
    link = page.driver.find_element("css selector", "#details a").get_attribute("href")
    assert link == (results.root / "stimuli" / "a clip #1.mkv").as_uri()


@pytest.mark.parametrize("width", [1400, 1000, 400])
def test_the_page_fits_its_window(page: Page, width: int) -> None:
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    page.emulate("setDeviceMetricsOverride", **size)
    fits = (
        "const row = document.querySelector('.row').getBoundingClientRect();"
        "const pictures = [...document.querySelectorAll('.row .picture')].slice(0, 3)"
        ".map(picture => picture.getBoundingClientRect());"
        "return pictures.length === 3 && innerWidth === arguments[0]"
        " && pictures.every(p => p.width >= 90 && p.right <= row.right && p.bottom <= row.bottom)"
        " && row.right <= innerWidth && document.documentElement.scrollWidth <= innerWidth"
    )
    assert page.until(lambda: page.run(fits, width))


def test_ten_thousand_clips(
    open_page: OpenPage,
    tmp_path: Path,
    write_results: WriteResults,
    few_clips: Rows,
    a_study: MakeStudy,
) -> None:
    clips = [
        few_clips[0]
        | {
            "clip_id": f"clip_{number}",
            "action": f"action_{number % 500}",
            "split": "train",
            "mask_quality": (number * 7919 % 10_000) / 10_000,
        }
        for number in range(10_000)
    ]
    results = write_results(tmp_path, clips)
    write_review(a_study(), results, processes=1)
    page = open_page(results)
    assert page.shown()[:2] == ["clip_0", f"clip_{pow(7919, -1, 10_000)}"]
    loading = "return performance.getEntriesByType('navigation')[0].loadEventEnd"
    opened_ms = [page.run(loading)]
    page.reload()
    opened_ms.append(page.until(lambda: page.run(loading)))
    assert min(opened_ms) < 1000
    timed = (
        "const [control, value] = arguments, field = document.getElementById(control);"
        "const start = performance.now(); field.value = value;"
        "field.dispatchEvent(new Event('input')); document.querySelector('.row').offsetTop;"
        "return performance.now() - start"
    )
    steps = [("search", "77"), ("search", ""), ("action", "action 7"), ("least", "500")]
    taken_ms = {step: page.run(timed, *step) for step in steps}
    assert max(taken_ms.values()) < 1000, taken_ms
    assert page.text_of("#count") == "10 of 10000 clips · 0 to exclude"
    assert all(int(name.removeprefix("clip_")) % 500 == 7 for name in page.shown())
    page.enter("action", "")
    page.press("\ue010")
    assert page.until(lambda: "clip_" in page.text_of("#details h2"))
    assert 0 < len(page.shown()) < 40
