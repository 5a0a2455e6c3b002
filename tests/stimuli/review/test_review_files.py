"""What is written for the review page: previews, numbers, and nothing that can break it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from fractions import Fraction
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from stimuli.review import write_review
from stimuli.review.data import by_version, columns_of, known_numbers, scores, script
from stimuli.review.previews import PreviewJob, draw_preview, tile_size
from stimuli.video import Clip, write_clip
from study.config import Study
from study.errors import StudyError
from study.results import Results

WIDTH, HEIGHT = 64, 36

Rows = list[dict[str, Any]]
WriteResults = Callable[[Path, Rows], Results]
MakeStudy = Callable[..., Study]
Filled = Callable[[str, Rows], pd.DataFrame]


def told(results: Results) -> dict[str, Any]:
    """What the page is told, read as a browser reads it."""
    text = (results.root / "review" / "data.js").read_text(encoding="ascii")
    return json.loads(text.removeprefix("window.bodysceneReview = ").removesuffix(";\n"))


def test_a_preview_shows_the_middles_of_equal_parts(
    tmp_path: Path, brightening: np.ndarray
) -> None:
    write_clip(tmp_path / "clip.mkv", Clip(brightening, Fraction(24)))
    draw_preview(PreviewJob(tmp_path / "clip.mkv", 12, (WIDTH, HEIGHT), tmp_path / "p.webp"))
    strip = np.asarray(Image.open(tmp_path / "p.webp").convert("RGB")).astype(int)
    assert strip.shape == (HEIGHT, 12 * WIDTH, 3)
    inner = strip.reshape(HEIGHT, 12, WIDTH, 3)[4:-4, :, 4:-4]
    # Two frames per part: the middle is where its second one begins.
    expected = 10 * (2 * np.arange(12) + 1)
    assert np.abs(inner - expected[:, None, None]).max() <= 4


def test_a_photograph_of_another_shape_is_letterboxed(tmp_path: Path) -> None:
    Image.new("RGB", (50, 100), (200, 200, 200)).save(tmp_path / "photo.png")
    draw_preview(PreviewJob(tmp_path / "photo.png", 1, (64, 36), tmp_path / "p.webp"))
    picture = np.asarray(Image.open(tmp_path / "p.webp").convert("L"))
    assert picture.shape == (36, 64)
    assert np.abs(picture[8:-8, 28:36].astype(int) - 200).max() <= 4
    assert picture[:, :18].max() <= 8
    assert picture[:, -18:].max() <= 8


@pytest.mark.parametrize(
    ("size_wh", "tile_wh"),
    [
        ((640, 360), (192, 108)),
        ((360, 640), (108, 192)),
        ((64, 36), (64, 36)),
        ((4000, 2), (192, 1)),
    ],
)
def test_previews_are_small(size_wh: tuple[int, int], tile_wh: tuple[int, int]) -> None:
    assert tile_size(size_wh) == tile_wh


def test_numbers_that_differ_are_offered_once_or_per_version(
    few_clips: Rows, filled: Filled
) -> None:
    clips = filled("clips", few_clips)
    shown = [("body_only", 0.1, 0.2), ("silhouette", 0.3, 0.1)]
    rows = [
        {"clip_id": name, "condition": condition, "luminance": luminance, "body_fraction": share}
        for condition, *luminances in shown
        for name, luminance, share in zip(["walk_1", "walk_2"], luminances, [0.3, 0.4], strict=True)
    ]
    manifest = filled("manifest", rows)
    versions = by_version(clips, manifest, ["body_only", "silhouette"])
    found = [score.label for score in scores(known_numbers(clips), versions)]
    # The width is the same everywhere, so nobody wants to sort by it.
    expected = ["mask quality", "person share", "persons"]
    assert found == [*expected, "luminance, body only", "luminance, silhouette"]


def test_numbers_of_a_clip_that_was_not_read_are_unknown(few_clips: Rows, filled: Filled) -> None:
    clips = filled("clips", few_clips)
    clips.loc[0, "n_persons_max"] = -1
    known = columns_of(known_numbers(clips))
    assert known["mask_quality"] == [0.9, 0.2, 0.5, 0.7, 0.3, 0, None]
    assert known["n_persons_max"] == [None, 2, 3, 4, 5, 0, None]


def test_nothing_can_end_the_script() -> None:
    content = {"name": '</script><!-- \u2028 "雪" &'}
    text = script(content)
    assert text.isascii()
    assert not set("<>&") & set(text)
    assert json.loads(text.removeprefix("window.bodysceneReview = ").removesuffix(";\n")) == content


def test_every_clip_is_told_with_its_previews(results: Results, quality: dict[str, float]) -> None:
    page = told(results)
    assert page["clips"]["clip_id"] == [*quality, "lost_6", "broken_7"]
    drawn = {path.name for path in (results.root / "review" / "previews").iterdir()}
    assert {name for names in page["previews"].values() for name in names if name} == drawn
    assert page["previews"]["body_only"][5:] == [None, None]
    *of_used, still, of_broken = page["previews"]["source"]
    assert [*of_used, of_broken] == 6 * [None]
    with Image.open(results.root / "review" / "previews" / still) as picture:
        assert picture.size == (WIDTH, HEIGHT)
    assert page["moments"] == 5 * [12] + [1, 1]


def test_an_equal_run_writes_nothing_and_a_new_one_removes_what_is_old(
    tmp_path: Path, write_results: WriteResults, few_clips: Rows, a_study: MakeStudy
) -> None:
    results = write_results(tmp_path, few_clips)
    page = write_review(a_study(), results, processes=1)
    old = page.parent / "previews" / "0123456789abcdef-old.webp"
    before = {path: path.stat().st_mtime_ns for path in page.parent.rglob("*") if path.is_file()}
    old.write_bytes(b"")
    write_review(a_study(), results, processes=1)
    after = {path: path.stat().st_mtime_ns for path in page.parent.rglob("*") if path.is_file()}
    assert after == before


def test_a_stimulus_that_cannot_be_read_is_listed_without_a_picture(
    tmp_path: Path, write_results: WriteResults, few_clips: Rows, a_study: MakeStudy
) -> None:
    results = write_results(tmp_path, few_clips)
    (tmp_path / "stimuli" / "a clip #1.mkv").write_bytes(b"not a video")
    write_review(a_study(), results, processes=1)
    assert {name for names in told(results)["previews"].values() for name in names} == {None}


def test_tables_come_first(tmp_path: Path, a_study: MakeStudy) -> None:
    with pytest.raises(StudyError, match=r"clips\.csv: no such file"):
        write_review(a_study(), Results(tmp_path), processes=1)


def test_the_page_is_whole_and_loads_only_its_own_files(results: Results) -> None:
    class Tags(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.open: list[str] = []

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            if tag not in ("meta", "input"):
                self.open.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert self.open.pop() == tag

    text = (results.root / "review" / "index.html").read_text(encoding="utf-8")
    tags = Tags()
    tags.feed(text)
    assert tags.open == []
    assert not re.search(r"(?:https?:)?//\w+\.\w", text)
    assert re.findall(r'src="([^"]+)"', text) == ["data.js"]
