"""Frames on flips, presses and choices, ports and clips: all that a window does, without one."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("freetype", reason="needs the extra [lab]")

from behavior.stage import ClipToShow
from behavior.window_clips import ClipShelf, ReadyClip
from behavior.window_clock import Refresh, Schedule, cut_short, sleep_until
from behavior.window_film import Film
from behavior.window_input import Chooser, Press, Witness
from behavior.window_painter import Button
from behavior.window_signals import Code, NoTrigger, Patch, open_trigger
from behavior.window_text import Box
from stimuli.video import Clip, write_clip
from study.errors import StudyError


def shown_on(
    hz: float, starts_s: np.ndarray, delay: Callable[[int], float] = lambda flip: 0.0
) -> tuple[Any, list[tuple[float, int | None]]]:
    """Run a schedule on a screen that is simulated; `delay` is what drawing takes per flip."""
    refresh = Refresh(1 / hz, waits=True)
    schedule, log, now = Schedule(starts_s, refresh), [], 0.0
    frame: int | None = 0
    for flip in range(100_000):
        if flip:
            due_s = schedule.next_flip(now)
            frame = schedule.due(due_s)
        drawn = now + delay(flip) + 1e-4
        now = np.ceil(round(drawn * hz, 6)) / hz
        schedule.flipped(frame, now)
        log.append((now, frame))
        if frame is None:
            return schedule.outcome(0.0), log
    raise AssertionError("the clip never ended")


@pytest.mark.parametrize("hz", [59.94, 60.0, 75.0, 100.0, 120.0, 144.0, 240.0])
@pytest.mark.parametrize("fps", [12.5, 23.976, 24.0, 25.0, 29.97, 30.0, 50.0])
def test_every_frame_is_on_the_nearest_flip(hz: float, fps: float) -> None:
    n = 60
    starts_s = np.arange(n + 1) / fps
    outcome, log = shown_on(hz, starts_s)
    assert outcome.n_dropped == outcome.n_late == 0
    assert outcome.n_frames == n
    assert abs(outcome.duration_s - n / fps) <= 0.5 / hz + 1e-6
    first = {}
    for at_s, frame in log:
        first.setdefault(frame, at_s - log[0][0])
    errors = [first[frame] - starts_s[frame] for frame in range(n)]
    assert np.abs(errors).max() <= 0.5 / hz + 1e-6


def test_frames_faster_than_the_screen_are_counted_as_dropped() -> None:
    outcome, _ = shown_on(60.0, np.arange(121) / 120)
    assert outcome.n_frames == pytest.approx(60, abs=1)
    assert outcome.n_frames + outcome.n_dropped == 120
    assert outcome.duration_s == pytest.approx(1.0, abs=0.5 / 60 + 1e-6)


def test_a_late_flip_is_counted_and_does_not_lengthen_the_clip() -> None:
    outcome, _ = shown_on(60.0, np.arange(26) / 25, lambda flip: 0.05 if flip == 20 else 0.0)
    assert outcome.n_late == 1
    assert outcome.n_dropped >= 1
    assert outcome.duration_s == pytest.approx(1.0, abs=0.5 / 60 + 1e-6)


def test_uneven_times_are_kept() -> None:
    starts_s = np.array([0.0, 0.1, 0.15, 0.6, 0.7])
    _, log = shown_on(100.0, starts_s)
    change = [at_s - log[0][0] for (at_s, one), (_, before) in
              zip(log[1:], log, strict=False) if one != before]  # fmt: skip
    assert change == pytest.approx([0.1, 0.15, 0.6, 0.7], abs=0.0051)


def test_screens_that_do_not_wait_are_recognised() -> None:
    assert Refresh.measured(np.full(60, 1 / 144)).waits
    assert Refresh.measured(np.full(60, 1 / 144)).interval_s == pytest.approx(1 / 144)
    virtual = Refresh.measured(np.full(60, 0.0002))
    assert not virtual.waits
    assert virtual.interval_s == pytest.approx(1 / 60)
    assert Refresh.measured(np.full(60, 0.0002), 75).interval_s == pytest.approx(1 / 75)
    # Slow drawing without waiting is not regular, and drawing by software never waits.
    irregular = np.random.default_rng(0).uniform(0.005, 0.016, 60)
    assert not Refresh.measured(irregular).waits
    assert not Refresh.measured(np.full(60, 1 / 60), renderer="llvmpipe (LLVM 15)").waits
    some_late = np.where(np.arange(60) % 10 == 0, 2 / 60, 1 / 60)
    assert Refresh.measured(some_late, renderer="NVIDIA GeForce").waits


def test_sleep_ends_in_time_without_being_awake_all_along() -> None:
    began_s, used_s = time.perf_counter(), time.process_time()
    sleep_until(began_s + 0.2)
    assert 0 <= time.perf_counter() - began_s - 0.2 < 0.02
    assert time.process_time() - used_s < 0.1


def test_clips_are_cut_at_the_longest_time() -> None:
    starts_s = np.arange(11) / 10
    np.testing.assert_allclose(cut_short(starts_s, 6.0), starts_s)
    np.testing.assert_allclose(cut_short(starts_s, 0.25), [0, 0.1, 0.2, 0.25])


BUTTONS = (
    Button("0", Box(0, 0, 10, 10), ("1", "num_1")),
    Button("1", Box(20, 0, 10, 10), ("2", "num_2")),
)


def test_keys_choose_from_the_onset_on() -> None:
    chooser = Chooser(BUTTONS, 5.0, "mouse")
    assert chooser.take(Press("key", 4.9, "1")) is None
    assert chooser.take(Press("key", 5.1, "x")) is None
    chosen = chooser.take(Press("key", 5.2, "num_2"))
    assert (chosen.button, chosen.at_s, chosen.device) == ("1", 5.2, "keyboard")


def test_keys_and_pointer_can_be_switched_off() -> None:
    assert Chooser(BUTTONS, 0.0, "mouse", with_keys=False).take(Press("key", 1.0, "1")) is None
    assert Chooser(BUTTONS, 0.0, None).take(Press("down", 1.0, x=5, y=5)) is None


def test_a_mouse_chooses_when_it_goes_down() -> None:
    chooser = Chooser(BUTTONS, 5.0, "mouse")
    assert chooser.take(Press("down", 4.0, x=5, y=5)) is None
    assert chooser.take(Press("down", 6.0, x=15, y=5)) is None
    assert chooser.take(Press("down", 7.0, x=25, y=5)).button == "1"


def test_a_touch_counts_where_it_began_and_ended_on_one_button() -> None:
    chooser = Chooser(BUTTONS, 5.0, "touch")
    assert chooser.take(Press("down", 6.0, x=5, y=5)) is None
    assert chooser.take(Press("up", 6.5, x=25, y=5)) is None
    assert chooser.take(Press("up", 6.6, x=5, y=5)) is None
    chooser.take(Press("down", 7.0, x=25, y=5))
    chosen = chooser.take(Press("up", 7.2, x=26, y=6))
    assert (chosen.button, chosen.at_s, chosen.device) == ("1", 7.0, "touch")


def test_a_touch_that_began_before_the_screen_does_not_count() -> None:
    chooser = Chooser(BUTTONS, 5.0, "touch")
    chooser.take(Press("down", 4.9, x=5, y=5))
    assert chooser.take(Press("up", 5.1, x=5, y=5)) is None


def test_a_silent_keyboard_backend_loses_no_key() -> None:
    witness, one = Witness(), Press("key", 1.0, "1")
    assert witness.merged([], [one], 1.0) == []
    assert witness.merged([], [], 1.2) == []
    assert witness.merged([], [], 1.3) == [one]
    assert not witness.is_trusted
    assert witness.merged([], [Press("key", 2.0, "2")], 2.0) == [Press("key", 2.0, "2")]


@pytest.mark.parametrize("precise_first", [True, False])
def test_a_key_that_both_hear_counts_once(precise_first: bool) -> None:
    witness, precise, heard = Witness(), Press("key", 0.99, "1"), Press("key", 1.0, "1")
    first = witness.merged([precise], [], 1.0) if precise_first else witness.merged([], [heard], 1)
    second = (
        witness.merged([], [heard], 1.01) if precise_first else witness.merged([precise], [], 1.01)
    )
    assert [*first, *second] == [precise]
    assert witness.merged([], [], 3.0) == []
    assert witness.is_trusted


def test_the_patch_is_in_its_corner() -> None:
    assert Patch("bottom_right", 50).box((1920, 1080)) == (1870, 1030, 50, 50)
    assert Patch("top_left", 50).box((1920, 1080)) == (0, 0, 50, 50)


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="no pseudo terminals on this system")
def test_a_serial_trigger_sends_the_code_as_a_byte() -> None:
    pytest.importorskip("serial")
    ours, theirs = os.openpty()
    trigger = open_trigger("serial", os.ttyname(theirs))
    trigger.send(Code.CLIP_ON)
    trigger.send(Code.REPLY)
    assert os.read(ours, 2) == bytes([1, 8])
    trigger.close()


def test_a_parallel_pulse_has_its_length() -> None:
    sent: list[int] = []

    class Port:
        def setData(self, value: int) -> None:
            sent.append(value)

    trigger = open_trigger("parallel", "0x0378", pulse_s=0.01, open_parallel=lambda at: Port())
    trigger.send(Code.CLIP_OFF)
    trigger.rest(time.perf_counter())
    assert sent == [0, 2]
    trigger.rest(time.perf_counter() + 0.02)
    trigger.rest(time.perf_counter() + 0.03)
    assert sent == [0, 2, 0]


@pytest.mark.parametrize(
    ("kind", "address", "said"),
    [("serial", "/dev/nonesuch", "cannot be opened"), ("parallel", "0x1", "no driver")],
)
def test_a_port_that_is_not_there_is_refused(kind: Any, address: str, said: str) -> None:
    with pytest.raises(StudyError, match=said):
        open_trigger(kind, address)


def test_a_missing_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pylsl", None)
    with pytest.raises(StudyError, match="pip install pylsl"):
        open_trigger("lsl", "marks")


@pytest.fixture
def clip(tmp_path: Path) -> ClipToShow:
    frames = np.zeros((30, 36, 64, 3), np.uint8)
    frames[:, 0, 0, 0] = np.arange(30)
    path = tmp_path / "clip.mp4"
    write_clip(path, Clip(frames, Fraction(30)))
    return ClipToShow("clip", path, 30.0, 30)


def test_frames_come_in_order_within_the_bound_of_memory(clip: ClipToShow) -> None:
    frame_bytes = 36 * 64 * 3
    ready = ReadyClip(clip, most_bytes=4 * frame_bytes)
    ready.wait()
    seen = []
    for number in range(30):
        seen.append(int(ready.frame(number)[0, 0, 0]))
        assert ready._bytes <= 4 * frame_bytes
    assert seen == list(range(30))
    np.testing.assert_allclose(ready.starts_s, np.arange(31) / 30)
    ready.close()
    assert not ready._thread.is_alive()


def test_frames_can_be_passed_over(clip: ClipToShow) -> None:
    ready = ReadyClip(clip)
    assert int(ready.frame(17)[0, 0, 0]) == 17
    assert int(ready.frame(29)[0, 0, 0]) == 29
    ready.close()


def test_a_broken_clip_is_told_when_it_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "broken.mp4"
    path.write_bytes(b"nothing of the kind")
    shelf = ClipShelf()
    shelf.prepare(ClipToShow("x", path, 25.0, 10))
    with pytest.raises(StudyError, match="not a readable video"):
        shelf.take(ClipToShow("x", path, 25.0, 10))
    shelf.close()


def test_closing_early_ends_the_thread(clip: ClipToShow) -> None:
    before = threading.active_count()
    shelf = ClipShelf()
    shelf.prepare(clip)
    shelf.close()
    assert threading.active_count() == before


class FakeGlass:
    """A screen of 60 Hz that does not wait; it notes what it showed."""

    size_wh = (100, 80)
    refresh = Refresh(1 / 60, waits=False)

    def __init__(self) -> None:
        self.drawn: list[str] = []
        self.flips: list[tuple[float, list[str]]] = []
        self._last = -1

    def draw_frame(self, frame: np.ndarray | None, shown_wh: tuple[int, int]) -> None:
        self._last = self._last if frame is None else int(frame[0, 0, 0])
        self.drawn.append(f"frame {self._last}")

    def draw_patch(self, box: tuple[int, int, int, int], is_white: bool) -> None:
        self.drawn.append("white" if is_white else "black")

    def flip(self, at_flip: Callable[[], None] | None = None) -> float:
        at_s = time.perf_counter()
        if at_flip:
            at_flip()
        self.flips.append((at_s, self.drawn))
        self.drawn = []
        return at_s


def test_a_film_shows_frames_patch_and_triggers_and_then_nothing(clip: ClipToShow) -> None:
    glass, sent = FakeGlass(), []
    ready = ReadyClip(clip)
    ready.wait()
    trigger = NoTrigger()
    trigger.send = sent.append  # type: ignore[method-assign]
    film = Film(glass, ready, ready.starts_s, (64, 36), trigger, Patch("top_left", 10))
    told: list[float] = []
    shown = film.show(0.02, before=lambda: None, after=told.append)
    ready.close()
    assert sent == [Code.CLIP_ON, Code.CLIP_OFF]
    assert told == [shown.onset_s] == [glass.flips[0][0]]
    assert glass.flips[0][1] == ["frame 0", "white"]
    assert glass.flips[-1][1] == ["black"]
    assert all(content[1] == "white" for _, content in glass.flips[:-1])
    assert shown.waited_s == 0.02
    assert shown.n_frames + shown.n_dropped == 30
    if not shown.n_late:
        assert shown.duration_s == pytest.approx(1.0, abs=1 / 60)
