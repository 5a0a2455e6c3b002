"""Exact times: what a file's stamps stand for, and that they survive reading and writing."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from stimuli.video import Clip, FrameTimes, read_clip, read_timing, write_clip
from stimuli.video.times import own_times, usual_rate

MakeVideo = Callable[..., Path]
MS = Fraction(1, 1000)
UNEVEN_MS = [0, 17, 83, 84, 201, 240, 241, 700]
RATES = [Fraction(25), Fraction(30000, 1001), Fraction(24000, 1001), Fraction(25, 2), Fraction(60)]


def starts(times: FrameTimes) -> list[Fraction]:
    return [tick * times.time_base for tick in times.ticks[:-1]]


def numbered(n_frames: int) -> np.ndarray:
    """Return frames that are told apart by their brightness."""
    numbers = (np.arange(n_frames) * 10).astype(np.uint8)
    return np.broadcast_to(numbers[:, None, None, None], (n_frames, 32, 32, 3)).copy()


def test_times_are_kept_in_lowest_terms() -> None:
    times = FrameTimes((100, 140, 180, 500), MS)
    assert times == FrameTimes((0, 1, 2, 10), Fraction(1, 25))
    assert times.times_s.tolist() == [0.0, 0.04, 0.08]
    assert times.duration_s == Fraction(2, 5)
    assert times.is_even and times.fps == 25
    assert len(times) == 3
    for rate in RATES:
        assert FrameTimes.even(7, rate).fps == rate
        assert starts(FrameTimes.even(7, rate)) == [n / rate for n in range(7)]
    assert FrameTimes.even(1, Fraction(1)).fps == 1


@pytest.mark.parametrize("ticks", [(), (0,), (0, 1, 1), (0, 2, 1)])
def test_times_that_do_not_increase_are_refused(ticks: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="times that increase"):
        FrameTimes(ticks, MS)


def test_frames_and_times_must_be_as_many() -> None:
    with pytest.raises(ValueError, match="3 times of 2 frames"):
        Clip(numbered(2), FrameTimes.even(3, Fraction(25)))


def test_uneven_frames_have_an_average_rate() -> None:
    times = FrameTimes((0, 10, 40, 100), MS)
    assert not times.is_even
    assert times.fps == 30


@pytest.mark.parametrize(
    ("times", "most", "n_left"),
    [
        (FrameTimes.even(10, Fraction(25)), 0.2, 5),
        (FrameTimes.even(10, Fraction(25)), 0.199, 4),
        (FrameTimes.even(40, Fraction(30)), 1.2, 36),  # the float 1.2 is less than 1.2
        (FrameTimes.even(10, Fraction(25)), 0.001, 1),
        (FrameTimes.even(300, Fraction(30000, 1001)), 6.0, 179),
        (FrameTimes((0, 10, 400, 410), MS), 0.399, 1),
        (FrameTimes((0, 10, 400, 410), MS), 0.4, 2),
    ],
)
def test_a_cut_leaves_the_frames_that_end_by_then(
    times: FrameTimes, most: float, n_left: int
) -> None:
    cut = times.cut(most)
    assert len(cut) == n_left
    assert starts(cut) == starts(times)[:n_left]
    assert cut.duration_s == times.ticks[n_left] * times.time_base


def test_a_grid_shows_the_frame_that_is_there() -> None:
    times, index = FrameTimes((0, 100, 250, 300, 400), MS).at_rate(20)
    assert times == FrameTimes.even(8, Fraction(20))
    assert index.tolist() == [0, 0, 1, 1, 1, 2, 3, 3]
    own = FrameTimes.even(5, Fraction(30000, 1001))
    times, index = own.at_rate(29.97)
    assert times == own and index.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("first", [0, 7])
def test_rounded_stamps_stand_for_the_rate_that_the_container_names(
    rate: Fraction, first: int
) -> None:
    stamps = [first + round(1000 * n / rate) for n in range(200)]
    assert own_times(stamps, MS, [rate], round(1000 / rate)) == FrameTimes.even(200, rate)


def test_stamps_that_no_rate_explains_are_taken_as_they_are() -> None:
    assert own_times(UNEVEN_MS, MS, [Fraction(12)], 33) == FrameTimes((*UNEVEN_MS, 733), MS)
    # A frame is missing where ticks are frames.
    dropped = own_times([0, 1, 2, 4, 5], Fraction(1, 25), [Fraction(25)], 1)
    assert dropped == FrameTimes((0, 1, 2, 4, 5, 6), Fraction(1, 25))
    # Jitter of a telephone's clock, at 90 kHz.
    jitter = [0, 3003, 6010, 9004, 12011]
    telephone = own_times(jitter, Fraction(1, 90000), [Fraction(30000, 1001)], 3003)
    assert telephone == FrameTimes((*jitter, 15014), Fraction(1, 90000))


def test_a_rate_that_fits_exactly_is_not_rounded_to_a_usual_one() -> None:
    odd = Fraction(2997, 100)
    assert usual_rate(29.97) == Fraction(30000, 1001)
    assert own_times(range(50), 1 / odd, [odd], 1).fps == odd


def test_a_last_frame_of_another_length_is_kept() -> None:
    times = own_times([0, 40, 80], MS, [Fraction(25)], 500)
    assert times == FrameTimes((0, 40, 80, 580), MS)
    assert times.fps == 25
    assert own_times([0, 33, 67], MS, [Fraction(30)], 33) == FrameTimes.even(3, Fraction(30))
    assert own_times([0, 10, 50], MS, [Fraction(12)]).duration_s == Fraction(75, 1000)


def test_stamps_that_repeat_are_spread_evenly() -> None:
    assert own_times([0, 40, 40, 80], MS, [Fraction(25)], 40) == FrameTimes.even(4, Fraction(25))


@pytest.mark.parametrize("quality", ["lossless", "web"])
@pytest.mark.parametrize(
    "times",
    [
        *(FrameTimes.even(8, rate) for rate in RATES),
        FrameTimes((*UNEVEN_MS, 1234), MS),
        FrameTimes((0, 3003, 6010, 9004, 12011, 12012, 90000, 90001, 270000), Fraction(1, 90000)),
        FrameTimes((0, 1, 2, 3, 4, 5, 6, 7, 40), Fraction(1001, 30000)),
        FrameTimes((0, 5, 6, 7, 8, 9, 10, 11, 12), Fraction(1, 10_000_000)),
    ],
)
def test_written_times_come_back_exactly(tmp_path: Path, times: FrameTimes, quality: str) -> None:
    write_clip(tmp_path / "a.mp4", Clip(numbered(8), times), quality)
    read = read_clip(tmp_path / "a.mp4")
    assert read.times == times
    shown = np.round(read.frames_thwc[:, 16, 16, 0] / 10).astype(int)
    assert shown.tolist() == list(range(8))


@pytest.mark.parametrize("kind", ["mp4", "mov", "mkv", "webm"])
def test_times_of_an_uneven_source_reach_the_stimulus(
    make_video: MakeVideo, tmp_path: Path, kind: str
) -> None:
    codec = "libvpx" if kind == "webm" else "libx264"
    path = make_video(f"clip.{kind}", numbered(8), pts_ms=UNEVEN_MS, codec=codec, options={})
    source = read_clip(path)
    write_clip(tmp_path / "stimulus.mp4", source)
    stimulus = read_clip(tmp_path / "stimulus.mp4")
    assert starts(stimulus.times) == [tick * MS for tick in UNEVEN_MS]
    assert stimulus.times == source.times
    assert np.array_equal(stimulus.frames_thwc, source.frames_thwc)


@pytest.mark.parametrize("kind", ["mp4", "mkv", "avi"])
@pytest.mark.parametrize("rate", RATES)
def test_every_frame_of_an_even_source_is_shown_once_at_its_time(
    make_video: MakeVideo, kind: str, rate: Fraction
) -> None:
    path = make_video(f"clip.{kind}", numbered(20), fps=rate)
    clip = read_clip(path)
    assert clip.times == FrameTimes.even(20, rate)
    shown = np.round(clip.frames_thwc[:, 16, 16, 0] / 10).astype(int)
    assert shown.tolist() == list(range(20))


def test_frames_that_a_camera_dropped_leave_a_gap(make_video: MakeVideo) -> None:
    pts_ms = [0, 40, 80, 240, 280, 600, 640, 680]
    path = make_video("clip.avi", numbered(8), codec="mpeg4", pts_ms=pts_ms, options={})
    assert starts(read_timing(path).times) == [tick * MS for tick in pts_ms]
    shown = np.round(read_clip(path).frames_thwc[:, 16, 16, 0] / 10).astype(int)
    assert shown.tolist() == list(range(8))


def test_a_source_that_starts_late_starts_at_nought(make_video: MakeVideo) -> None:
    pts_ms = [500 + 40 * number for number in range(6)]
    path = make_video("clip.mkv", numbered(6), pts_ms=pts_ms)
    assert read_clip(path).times == FrameTimes.even(6, Fraction(25))


def test_packets_of_a_stimulus_are_in_the_order_shown(tmp_path: Path) -> None:
    times = FrameTimes((*UNEVEN_MS, 1234), MS)
    for quality in ("lossless", "web"):
        write_clip(tmp_path / "a.mp4", Clip(numbered(8), times), quality)
        with av.open(str(tmp_path / "a.mp4")) as container:
            packets = [packet for packet in container.demux(video=0) if packet.size]
            assert [packet.pts * packet.time_base for packet in packets] == starts(times)
            assert all(packet.pts == packet.dts for packet in packets)
