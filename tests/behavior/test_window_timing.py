"""The page on a computer's timing says what the figures mean."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("freetype", reason="needs the extra [lab]")

from behavior.stage import Presentation
from behavior.timing import Measured, judge, sync_times
from behavior.timing_report import dots, histogram, write_timing_report


def measured(**changes: Any) -> Measured:
    shown = [
        (fps, Presentation(0.0, 1.0 + error, 1.0, 0.0, int(fps), 0, 0))
        for fps in (24.0, 30.0)
        for error in (-0.004, 0.003)
    ]
    values: dict[str, Any] = {
        "facts": {"keyboard_backend": "ptb"},
        "interval_s": 1 / 60,
        "waits": True,
        "flips_s": np.full(300, 1 / 60),
        "shown": shown,
        "uploads_s": np.full(60, 0.001),
        "syncs_s": np.full(40, 0.004),
        "key": "precise",
    }
    return Measured(**{**values, **changes})


def level_of(topic: str, one: Measured) -> str:
    return next(finding.level for finding in judge(one) if finding.topic == topic)


def late_flips(share: float) -> np.ndarray:
    flips_s = np.full(1000, 1 / 60)
    flips_s[: round(1000 * share)] = 2 / 60
    return flips_s


def test_a_good_computer_is_called_good() -> None:
    assert {finding.level for finding in judge(measured())} == {"good"}


@pytest.mark.parametrize(
    ("topic", "changes", "level"),
    [
        ("Screen", {"waits": False}, "bad"),
        ("Missed pictures", {"flips_s": late_flips(0.01)}, "doubtful"),
        ("Missed pictures", {"flips_s": late_flips(0.05)}, "bad"),
        ("Length of clips", {"shown": [(25.0, Presentation(0, 1.03, 1.0, 0, 25, 0, 0))]}, "bad"),
        ("Frames of clips", {"shown": [(25.0, Presentation(0, 1.0, 1.0, 0, 24, 1, 1))]}, "bad"),
        ("Graphics", {"uploads_s": np.full(60, 0.012)}, "doubtful"),
        ("Keyboard", {"key": "none"}, "bad"),
        ("Keyboard", {"key": "window"}, "doubtful"),
        ("Disk", {"syncs_s": np.full(40, 0.3)}, "doubtful"),
    ],
)
def test_what_is_wrong_is_said_first(topic: str, changes: dict[str, Any], level: str) -> None:
    one = measured(**changes)
    assert level_of(topic, one) == level
    assert judge(one)[0].level == level


def test_the_page_is_whole_and_says_the_verdict(tmp_path: Path) -> None:
    path = tmp_path / "timing.html"
    write_timing_report(measured(waits=False), path)
    text = path.read_text(encoding="utf-8")
    assert "Do not hold sessions on this computer" in text
    assert "http://" not in text
    assert "https://" not in text
    assert text.count("<svg") == 4


def test_a_histogram_shows_every_value() -> None:
    values = np.array([1.0] * 30 + [50.0])
    picture = ET.fromstring(histogram("title", "ms", values))
    bars = picture.findall(".//rect")
    heights = sorted(float(bar.get("height", 0)) for bar in bars)
    assert len(bars) == 2
    assert heights[1] == pytest.approx(30 * heights[0], rel=0.05)


def test_dots_lie_between_their_limits() -> None:
    picture = ET.fromstring(dots("title", "x", "y", [24, 30], [-0.1, 0.2], limits=(-1, 1)))
    dashed = sorted(float(line.get("y1", 0)) for line in picture.findall(".//line"))
    for circle in picture.findall(".//circle"):
        assert dashed[0] < float(circle.get("cy", 0)) < dashed[1]


def test_the_disk_is_measured_and_left_as_it_was(tmp_path: Path) -> None:
    times_s = sync_times(tmp_path / "new", n=5)
    assert times_s.shape == (5,)
    assert (times_s > 0).all()
    assert not list((tmp_path / "new").iterdir())
