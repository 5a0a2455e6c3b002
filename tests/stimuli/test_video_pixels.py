"""Colours and sizes against plain computations: the area average, the matrix of the standard."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image

from stimuli.video import Clip, iter_frames, pixels, read_clip, read_timing, write_clip
from study.errors import StudyError

MakeVideo = Callable[..., Path]


def soft_noise(n_frames: int, height: int, width: int) -> np.ndarray:
    rng = np.random.default_rng(2)
    frames = [cv2.GaussianBlur(rng.uniform(0, 255, (height, width, 3)), (0, 0), 1.5)
              for _ in range(n_frames)]  # fmt: skip
    return np.stack(frames).astype(np.uint8)


def area_average(frame_hwc: np.ndarray, size_wh: tuple[int, int]) -> np.ndarray:
    """Return the exact mean over the area of each new pixel: pixels repeated, then averaged."""
    height, width = frame_hwc.shape[:2]
    fine = frame_hwc.repeat(size_wh[1], axis=0).repeat(size_wh[0], axis=1).astype(float)
    return fine.reshape(size_wh[1], height, size_wh[0], width, 3).mean(axis=(1, 3))


def write_planes(path: Path, planes: list[np.ndarray]) -> None:
    """Write one lossless 4:2:0 BT.709 frame of given Y, U, V."""
    height, width = planes[0].shape
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"qp": "0"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.colorspace, stream.codec_context.color_range = 1, 1
        whole = np.concatenate([plane.reshape(-1) for plane in planes])
        frame = av.VideoFrame.from_ndarray(whole.reshape(-1, width), format="yuv420p")
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


@pytest.mark.parametrize("size_wh", [(32, 24), (24, 18), (31, 23), (64, 48), (17, 40)])
def test_smaller_frames_are_averages_over_areas(tmp_path: Path, size_wh: tuple[int, int]) -> None:
    frames = soft_noise(3, 48, 64)
    write_clip(tmp_path / "a.mp4", Clip(frames, Fraction(25)))
    read = read_clip(tmp_path / "a.mp4", size_wh=size_wh).frames_thwc
    expected = np.stack([area_average(frame, size_wh) for frame in frames])
    assert read.shape == expected.shape
    assert np.abs(read - expected).max() < 4
    assert np.sqrt(np.square(read - expected).mean()) < 1
    assert abs((read - expected).mean()) < 0.2


def test_larger_frames_are_smooth(tmp_path: Path) -> None:
    ramp = np.zeros((24, 32, 3), np.uint8) + (np.arange(32, dtype=np.uint8) * 7)[:, None]
    write_clip(tmp_path / "a.mp4", Clip(ramp[None], Fraction(25)))
    read = read_clip(tmp_path / "a.mp4", size_wh=(64, 48)).frames_thwc[0].astype(float)
    inner = read[8:-8, 8:-8, 0]
    assert np.abs(np.diff(inner, axis=1) - 3.5).max() <= 1.5
    assert np.abs(inner - inner[0]).max() == 0


def test_colors_of_subsampled_video_have_no_bias(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    luma = rng.integers(60, 190, (48, 64)).astype(np.uint8)
    blue, red = (np.full((24, 32), value, np.uint8) for value in (120, 140))
    write_planes(tmp_path / "a.mp4", [luma, blue, red])
    # ITU-R BT.709, limited range.
    y = (luma - 16.0) * 255 / 219
    u, v = (120 - 128) * 255 / 224, (140 - 128) * 255 / 224
    r, b = y + 2 * (1 - 0.2126) * v, y + 2 * (1 - 0.0722) * u
    expected = np.stack([r, (y - 0.2126 * r - 0.0722 * b) / 0.7152, b], axis=-1)
    read = read_clip(tmp_path / "a.mp4").frames_thwc[0]
    assert np.abs(read - expected).max() < 1.6
    assert np.abs((read - expected).mean(axis=(0, 1))).max() < 0.2
    small = read_clip(tmp_path / "a.mp4", size_wh=(32, 24)).frames_thwc[0]
    small_expected = area_average(expected, (32, 24))
    assert np.abs(small - small_expected).max() < 1.6
    assert np.abs((small - small_expected).mean(axis=(0, 1))).max() < 0.2


def test_a_turned_video_is_shrunk_upright(
    make_video: MakeVideo, turn_mp4: Callable[[Path], None]
) -> None:
    frames = np.zeros((3, 48, 64, 3), np.uint8)
    frames[:, :24, :32] = (255, 0, 0)
    path = make_video(frames=frames, pix_fmt="yuv444p")
    turn_mp4(path)
    read = read_clip(path, size_wh=(24, 32)).frames_thwc
    assert read.shape == (3, 32, 24, 3)
    assert read[0, 5, 20, 0] > 200
    assert read[0, 5, 5, 0] < 50


def test_photographs_are_resized_alike(tmp_path: Path) -> None:
    frame = soft_noise(1, 40, 60)[0]
    Image.fromarray(frame).save(tmp_path / "a.png")
    small = read_clip(tmp_path / "a.png", size_wh=(30, 20)).frames_thwc[0]
    assert np.abs(small - area_average(frame, (30, 20))).max() <= 0.5 + 1e-6


def test_what_is_done_to_each_frame_follows_the_size(tmp_path: Path) -> None:
    frames = soft_noise(2, 48, 64)
    write_clip(tmp_path / "a.mp4", Clip(frames, Fraction(25)))
    read = read_clip(tmp_path / "a.mp4", each=lambda frame: frame[:5, :7], size_wh=(32, 24))
    whole = read_clip(tmp_path / "a.mp4", size_wh=(32, 24))
    assert np.array_equal(read.frames_thwc, whole.frames_thwc[:, :5, :7])


def _spoil(path: Path, which: set[int]) -> None:
    """Overwrite the pictures of some frames of a Motion JPEG file."""
    with av.open(str(path)) as container:
        packets = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    content = bytearray(path.read_bytes())
    for number in which:
        start, size = packets[number]
        content[start + 20 : start + size] = bytes(size - 20)
    path.write_bytes(content)


@pytest.mark.parametrize(("spoiled", "fails"), [({5}, False), ({5, 6, 9, 10, 11, 15}, True)])
def test_frames_lost_in_the_middle_are_missed(
    make_video: MakeVideo, spoiled: set[int], fails: bool
) -> None:
    frames = np.repeat(np.arange(20, dtype=np.uint8) * 10, 32 * 32 * 3).reshape(20, 32, 32, 3)
    path = make_video("a.mkv", frames, codec="mjpeg", pix_fmt="yuvj420p", options={})
    _spoil(path, spoiled)
    if fails:
        with pytest.raises(StudyError, match=r"a\.mkv: damaged or truncated: 14 frames"):
            read_clip(path)
        return
    shown = np.round(read_clip(path).frames_thwc[:, 16, 16, 0] / 10).astype(int).tolist()
    assert shown == [0, 1, 2, 3, 4, 4, *range(6, 20)]


def test_frames_left_out_are_not_converted(
    make_video: MakeVideo, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_video(frames=soft_noise(20, 32, 32))
    timing = read_timing(path, fps=5)
    converted = []
    original = pixels.ToRgb.__call__
    monkeypatch.setattr(
        pixels.ToRgb, "__call__", lambda self, frame: converted.append(1) or original(self, frame)
    )
    assert len(list(iter_frames(path, timing))) == 4
    assert len(converted) == 4


def test_a_stimulus_can_be_sought(tmp_path: Path) -> None:
    frames = soft_noise(30, 32, 32)
    write_clip(tmp_path / "a.mp4", Clip(frames, Fraction(25)))
    capture = cv2.VideoCapture(str(tmp_path / "a.mp4"))
    for number in (17, 3, 29):
        capture.set(cv2.CAP_PROP_POS_FRAMES, number)
        ok, found_bgr = capture.read()
        assert ok
        assert np.array_equal(found_bgr[..., ::-1], frames[number])
