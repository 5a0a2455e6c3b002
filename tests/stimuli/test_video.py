"""Reading any video or photograph, and writing lossless ones and ones for the web."""

from __future__ import annotations

import errno
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image

from stimuli.video import Clip, FrameTimes, count_frames, read_clip, read_timing, write_clip
from study.errors import StudyError

MakeVideo = Callable[..., Path]
# Numbers of the standards in FFmpeg's enumerations: colour matrix, range.
BT709, BT601, LIMITED, FULL = 1, 5, 1, 2


def _noise(n_frames: int, width: int, height: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (n_frames, height, width, 3), np.uint8)


@pytest.mark.parametrize("size_wh", [(64, 48), (63, 47), (2, 2)])
@pytest.mark.parametrize("fps", [Fraction(25), Fraction(30000, 1001), Fraction(25, 2)])
def test_lossless_video_gives_the_same_pixels_and_bytes(
    tmp_path: Path, size_wh: tuple[int, int], fps: Fraction
) -> None:
    clip = Clip(_noise(7, *size_wh), fps)
    first = write_clip(tmp_path / "a.mp4", clip)
    again = write_clip(tmp_path / "b.mp4", clip)
    read = read_clip(tmp_path / "a.mp4")
    assert first == again
    assert np.array_equal(read.frames_thwc, clip.frames_thwc)
    assert read.fps == fps
    assert count_frames(tmp_path / "a.mp4") == 7


def test_opencv_reads_the_same_pixels(tmp_path: Path) -> None:
    clip = Clip(_noise(5, 64, 48), Fraction(25))
    write_clip(tmp_path / "a.mp4", clip)
    capture = cv2.VideoCapture(str(tmp_path / "a.mp4"))
    for frame in clip.frames_thwc:
        ok, found_bgr = capture.read()
        assert ok
        assert np.array_equal(found_bgr[..., ::-1], frame)


def test_photograph_round_trip(tmp_path: Path) -> None:
    frames = _noise(1, 31, 17)
    write_clip(tmp_path / "a.png", Clip(frames, Fraction(1)))
    read = read_clip(tmp_path / "a.png")
    assert np.array_equal(read.frames_thwc, frames)
    assert read.times_s.tolist() == [0.0]


@pytest.mark.parametrize("color", [(BT601, LIMITED), (BT709, LIMITED), (BT709, FULL)])
def test_colors_follow_the_matrix_and_range_of_the_file(
    make_video: MakeVideo, color: tuple[int, int]
) -> None:
    patches = np.array([[200, 30, 30], [30, 200, 30], [30, 30, 200], [255, 255, 255]], np.uint8)
    frames = np.repeat(np.repeat(patches, 16, axis=0)[None, None], 32, axis=1).repeat(3, axis=0)
    path = make_video(frames=frames, pix_fmt="yuv444p", color=color)
    found = read_clip(path).frames_thwc[0].astype(int)
    assert np.abs(found - frames[0]).max() <= 4


def test_high_definition_without_a_matrix_is_bt709(make_video: MakeVideo) -> None:
    frames = np.full((1, 720, 16, 3), (200, 30, 30), np.uint8)
    frame = av.VideoFrame.from_ndarray(frames[0], format="rgb24")
    planes = frame.reformat(format="yuv444p", dst_colorspace=BT709).to_ndarray()
    path = make_video(frames=frames, pix_fmt="yuv444p", color=(BT709, LIMITED))
    unmarked = path.with_name("unmarked.mp4")
    with av.open(str(unmarked), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "1"})
        stream.height, stream.width, stream.pix_fmt = 720, 16, "yuv444p"
        bare = av.VideoFrame.from_ndarray(planes, format="yuv444p")
        container.mux(stream.encode(bare))
        container.mux(stream.encode(None))
    assert np.abs(read_clip(unmarked).frames_thwc[0].astype(int) - frames[0]).max() <= 4


def test_rotation_flag_is_applied(make_video: MakeVideo, turn_mp4: Callable[[Path], None]) -> None:
    frames = np.zeros((3, 48, 64, 3), np.uint8)
    frames[:, :24, :32] = (255, 0, 0)
    path = make_video(frames=frames, pix_fmt="yuv444p")
    turn_mp4(path)
    read = read_clip(path).frames_thwc
    assert read.shape == (3, 64, 48, 3)
    assert read_timing(path).size_wh == (48, 64)
    # A quarter turn clockwise takes the upper left corner to the upper right.
    assert read[0, 10, 40, 0] > 200
    assert read[0, 10, 10, 0] < 50


def test_exif_rotation_of_a_photograph(tmp_path: Path) -> None:
    pixels = np.zeros((48, 64, 3), np.uint8)
    pixels[:24, :32] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter clockwise
    Image.fromarray(pixels).save(tmp_path / "a.jpg", exif=exif, quality=95)
    read = read_clip(tmp_path / "a.jpg").frames_thwc[0]
    assert read.shape == (64, 48, 3)
    assert read[10, 40, 0] > 200
    assert read[10, 10, 0] < 50


def test_grey_photograph_becomes_rgb(tmp_path: Path) -> None:
    Image.fromarray(np.full((9, 7), 1000, np.uint16)).save(tmp_path / "deep.png")
    Image.fromarray(np.full((9, 7), 77, np.uint8)).save(tmp_path / "grey.png")
    assert read_clip(tmp_path / "grey.png").frames_thwc[0, 0, 0].tolist() == [77, 77, 77]
    assert read_clip(tmp_path / "deep.png").frames_thwc[0, 0, 0].tolist() == [3, 3, 3]


def test_grey_and_odd_sized_video(make_video: MakeVideo) -> None:
    frames = np.repeat(_noise(4, 63, 47)[..., :1] // 8 + 100, 3, axis=-1)
    path = make_video("clip.avi", frames, codec="ffv1", pix_fmt="gray", options={})
    read = read_clip(path).frames_thwc
    assert read.shape == frames.shape
    assert np.abs(read.astype(int) - frames).max() <= 1


def _numbered(n_frames: int) -> np.ndarray:
    """Return frames whose brightness is their number times ten."""
    numbers = (np.arange(n_frames) * 10).astype(np.uint8)
    return np.broadcast_to(numbers[:, None, None, None], (n_frames, 32, 32, 3)).copy()


def test_variable_frame_rate_goes_by_presentation_times(make_video: MakeVideo) -> None:
    # Ten frames, 40 ms apart but for one that stays for 400 ms.
    pts_ms = [0, 40, 80, 120, 160, 560, 600, 640, 680, 720]
    path = make_video("clip.mkv", _numbered(10), pts_ms=pts_ms)
    clip = read_clip(path, fps=25)
    shown = np.round(clip.frames_thwc[:, 16, 16, 0] / 10).astype(int).tolist()
    assert shown == [0, 1, 2, 3, *[4] * 10, 5, 6, 7, 8, 9]
    timing = read_timing(path, fps=25)
    assert timing.shown_index.tolist() == shown
    assert timing.n_in_file == 10
    own = read_clip(path)
    assert own.times == FrameTimes((*pts_ms, 760), Fraction(1, 1000))
    assert np.round(own.frames_thwc[:, 16, 16, 0] / 10).astype(int).tolist() == list(range(10))
    assert read_timing(path).shown_index.tolist() == list(range(10))
    assert own.fps == 10 / Fraction(760, 1000)
    cut = read_clip(path, max_seconds=0.6)
    assert cut.times == FrameTimes((*pts_ms[:6], 600), Fraction(1, 1000))
    assert np.array_equal(cut.frames_thwc, own.frames_thwc[:6])


def test_other_rate_and_longest_duration(make_video: MakeVideo) -> None:
    path = make_video(frames=_numbered(25), fps=25)
    slow = read_clip(path, fps=12.5)
    shown = np.round(slow.frames_thwc[:, 16, 16, 0] / 10).astype(int).tolist()
    assert shown == list(range(0, 25, 2))[: len(shown)]
    assert len(shown) in (12, 13)
    assert len(read_clip(path, max_seconds=0.4).frames_thwc) == 10
    assert len(read_clip(path, max_seconds=0.001).frames_thwc) == 1


@pytest.mark.parametrize("kind", ["mp4", "avi", "mkv", "webm", "mov"])
def test_frame_count_is_exact_in_every_container(make_video: MakeVideo, kind: str) -> None:
    codec = {"webm": "libvpx", "avi": "mpeg4"}.get(kind, "libx264")
    path = make_video(f"clip.{kind}", fps=Fraction(30000, 1001), codec=codec, options={})
    clip = read_clip(path)
    assert len(clip.frames_thwc) == 20
    assert clip.fps == Fraction(30000, 1001)


@pytest.mark.parametrize("kind", ["mp4", "avi", "mkv"])
@pytest.mark.parametrize("share", [0.3, 0.7])
def test_truncated_video_is_an_error(
    make_video: MakeVideo, moving_square: Callable[..., np.ndarray], kind: str, share: float
) -> None:
    frames = moving_square(60, 64, 48) ^ (_noise(60, 64, 48) // 16)
    index_first = {"movflags": "faststart"} if kind == "mp4" else {}
    path = make_video(f"clip.{kind}", frames, container_options=index_first)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(StudyError, match=rf"clip\.{kind}: .*(truncated|damaged|cut off)"):
        read_clip(path)


def test_video_cut_off_before_its_index_is_an_error(make_video: MakeVideo) -> None:
    path = make_video()
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(StudyError, match="not a readable video, or cut off"):
        read_clip(path)


def test_sound_alone_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.float32), "fltp", "mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
        container.mux(stream.encode(None))
    with pytest.raises(StudyError, match=r"sound\.mp4: holds no moving picture, only audio"):
        read_clip(path)


def test_video_without_a_frame_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "none.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        container.start_encoding()
    with pytest.raises(StudyError, match=r"none\.avi: .*(no frame|not a readable)"):
        read_clip(path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.mp4", b"", "the file is empty"),
        ("text.mp4", b"this is no video\n" * 50, "not a readable video|no moving picture"),
        ("text.jpg", b"this is no photograph", "not a readable photograph"),
        ("missing.mp4", None, "no such file"),
        ("missing.png", None, "no such file"),
    ],
)
def test_what_is_no_clip_is_an_error(
    tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(StudyError, match=f"{name}: .*({message})"):
        read_clip(tmp_path / name)


def test_truncated_photograph_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "cut.jpg"
    Image.fromarray(_noise(1, 64, 64)[0]).save(path)
    path.write_bytes(path.read_bytes()[:1500])
    with pytest.raises(StudyError, match=r"cut\.jpg: not a readable photograph, or truncated"):
        read_clip(path)


def test_full_disk_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, content: bytes) -> int:
        path.touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(StudyError, match="the disk is full"):
        write_clip(tmp_path / "a.mp4", Clip(_noise(2, 16, 16), Fraction(25)))
    assert list(tmp_path.iterdir()) == []
