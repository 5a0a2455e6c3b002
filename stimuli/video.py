"""Clips in and out: any video or photograph as RGB frames, and lossless files that give them back.

A photograph is a clip of one frame that lasts a second.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from PIL import Image, ImageOps, UnidentifiedImageError

# By its own name: ultralytics, once loaded, replaces `Image.open` by one that installs packages.
from PIL.Image import open as open_image

from study.errors import StudyError
from study.files import whole_file

PHOTO_SUFFIXES = (".png", ".jpg", ".jpeg")
VIDEO_SUFFIXES = (".mp4", ".avi", ".mov", ".webm", ".mkv", ".m4v")
PHOTO_FPS = Fraction(1)

# Lossless RGB H.264: on real clips a quarter of FFV1's encoding and decoding time at about the
# same size. One thread and the bit-exact flags give the same bytes on every run.
ENCODER = "libx264rgb"
ENCODER_OPTIONS = {"qp": "0", "preset": "ultrafast"}

# Containers may miscount by a frame or two without anything being lost.
LOST_FRAMES_ALLOWED = 2
LOST_SHARE_ALLOWED = 0.05

# Times that differ by less than this share of a frame are the same: containers round them.
SAME_TIME_SHARE = 0.25

# High definition without a colour matrix in the file is BT.709 everywhere else.
FIRST_HD_HEIGHT = 720
UNSPECIFIED_COLOR = 2


@dataclass(frozen=True)
class Clip:
    """Frames of a video, or the one frame of a photograph.

    Attributes
    ----------
    frames_thwc : ndarray of uint8
        RGB.
    fps : Fraction
        Frames per second.
    """

    frames_thwc: np.ndarray
    fps: Fraction

    @property
    def times_s(self) -> np.ndarray:
        """When each frame appears, seconds from the first."""
        return np.arange(len(self.frames_thwc)) / float(self.fps)


@dataclass(frozen=True)
class Timing:
    """Which moments of a video are shown, known without decoding it.

    Attributes
    ----------
    fps : Fraction
        Frames per second of what is shown.
    shown_s : ndarray of float
        Presentation time of every frame shown: the frame there is the last one not later.
    shown_index : ndarray of int
        Its place among all frames of the file.
    n_in_file : int
        Number of frames in the file.
    size_wh : tuple of int
        Size as displayed, rotation applied.
    """

    fps: Fraction
    shown_s: np.ndarray
    shown_index: np.ndarray
    n_in_file: int
    size_wh: tuple[int, int]


def is_photo(path: Path) -> bool:
    """Tell a photograph from a video by the file's suffix."""
    return path.suffix.lower() in PHOTO_SUFFIXES


def read_clip(
    path: Path,
    fps: float | None = None,
    max_seconds: float | None = None,
    each: Callable[[np.ndarray], np.ndarray] | None = None,
) -> Clip:
    """Read a video or a photograph.

    Parameters
    ----------
    path : Path
        Any file that FFmpeg or Pillow can read.
    fps : float, optional
        Resample to so many frames per second; default the clip's own (average) rate.
    max_seconds : float, optional
        Cut after so long.
    each : callable, optional
        Applied to every (H, W, 3) frame while reading, for instance to make it smaller.

    Returns
    -------
    Clip

    Raises
    ------
    StudyError
        When the file is missing, unreadable, truncated or damaged, or holds no picture.
    """
    timing = read_timing(path, fps, max_seconds)
    frames = iter_frames(path, timing)
    return Clip(np.stack([each(frame) if each else frame for frame in frames]), timing.fps)


def read_timing(path: Path, fps: float | None = None, max_seconds: float | None = None) -> Timing:
    """Read size, rate and the moments shown from the container alone, and check it is whole.

    Raises
    ------
    StudyError
        As `read_clip`; damage inside a frame shows only on decoding.
    """
    if is_photo(path):
        height, width = _read_photo(path).shape[:2]
        return Timing(PHOTO_FPS, np.zeros(1), np.zeros(1, int), 1, (width, height))
    with _opened(path) as (container, stream):
        times_s = _packet_times_s(path, container, stream)
        shown_fps, shown_s = _moments(times_s, _frame_s(stream), fps, max_seconds)
    with _opened(path) as (container, stream):
        # The rotation lies in the frames' side data, not in the stream.
        frame = next(iter(_decoded(path, container, stream)), None)
    if frame is None:
        raise StudyError(f"{path}: holds no frame that can be decoded")
    size_wh = (frame.width, frame.height)
    index = np.searchsorted(times_s, shown_s + SAME_TIME_SHARE / float(shown_fps), "right") - 1
    upright_wh = size_wh[::-1] if frame.rotation % 180 else size_wh
    return Timing(shown_fps, shown_s, index, len(times_s), upright_wh)


def iter_frames(path: Path, timing: Timing) -> Iterator[np.ndarray]:
    """Yield the (H, W, 3) RGB frames of a timing, one at a time, so that memory stays small.

    Raises
    ------
    StudyError
        When the video is damaged: more frames than the few that containers miscount are lost.
    """
    if is_photo(path):
        yield _read_photo(path)
        return
    tolerance_s = SAME_TIME_SHARE / float(timing.fps)
    n_shown, rgb = 0, None
    with _opened(path) as (container, stream):
        for frame in _decoded(path, container, stream):
            time_s = frame.time if frame.time is not None else timing.shown_s[n_shown]
            while n_shown < len(timing.shown_s) and (
                rgb is not None and timing.shown_s[n_shown] < time_s - tolerance_s
            ):
                yield rgb
                n_shown += 1
            if n_shown == len(timing.shown_s):
                return
            rgb = _to_rgb(frame)
    end_s = -np.inf if rgb is None else time_s + _frames_allowed_lost(n_shown) / float(timing.fps)
    if rgb is None or (timing.shown_s[n_shown:] > end_s).any():
        raise StudyError(
            f"{path}: damaged or truncated: {n_shown} frames could be decoded of the "
            f"{len(timing.shown_s)} expected"
        )
    for _ in timing.shown_s[n_shown:]:
        yield rgb


def count_frames(path: Path) -> int:
    """Return the number of frames of a clip without decoding it."""
    return len(read_timing(path).shown_s)


def write_clip(path: Path, clip: Clip) -> str:
    """Write a clip so that reading it gives the same pixels; return the SHA-256 of the file.

    A PNG name takes a clip of one frame, any other name becomes a Matroska video. Equal clips give
    equal bytes.

    Raises
    ------
    StudyError
        When the disk is full.
    """
    content = encode_photo(clip.frames_thwc[0]) if is_photo(path) else encode_video(clip)
    with whole_file(path) as partial:
        partial.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def encode_photo(frame_hwc: np.ndarray) -> bytes:
    """Return one (H, W, 3) RGB frame as a PNG file."""
    _, content = cv2.imencode(".png", cv2.cvtColor(frame_hwc, cv2.COLOR_RGB2BGR))
    return content.tobytes()


def encode_video(clip: Clip) -> bytes:
    """Return a clip as a lossless Matroska file."""
    target = io.BytesIO()
    with av.open(target, "w", format="matroska", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream(ENCODER, rate=clip.fps, options=ENCODER_OPTIONS)
        stream.height, stream.width = clip.frames_thwc.shape[1:3]
        stream.pix_fmt = "bgr24"
        stream.codec_context.thread_count = 1
        stream.codec_context.flags |= av.codec.context.Flags.bitexact
        for frame_hwc in clip.frames_thwc:
            frame = VideoFrame.from_ndarray(np.ascontiguousarray(frame_hwc), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return target.getvalue()


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[tuple[av.container.InputContainer, VideoStream]]:
    """Open a video's first moving picture."""
    if not path.is_file():
        raise StudyError(f"{path}: no such file")
    if path.stat().st_size == 0:
        raise StudyError(f"{path}: the file is empty")
    try:
        container = av.open(str(path), metadata_errors="replace")
    except av.FFmpegError as error:
        raise StudyError(
            f"{path}: not a readable video, or cut off before its index: {error.strerror}"
        ) from error
    with container:
        cover = av.stream.Disposition.attached_pic
        streams = [stream for stream in container.streams.video if not stream.disposition & cover]
        if not streams:
            kinds = sorted({stream.type for stream in container.streams}) or ["nothing"]
            raise StudyError(f"{path}: holds no moving picture, only {', '.join(kinds)}")
        if streams[0].codec_context is None:
            raise StudyError(f"{path}: its video format is not known to FFmpeg")
        streams[0].thread_type = "AUTO"
        yield container, streams[0]


def _packet_times_s(
    path: Path, container: av.container.InputContainer, stream: VideoStream
) -> np.ndarray:
    """Return the sorted presentation times of all frames, after checking that none is missing."""
    packets = []
    try:
        packets.extend(packet for packet in container.demux(stream) if packet.size)
    except av.FFmpegError as error:
        raise StudyError(f"{path}: damaged after frame {len(packets)}: {error.strerror}") from error
    if not packets:
        raise StudyError(f"{path}: the video holds no frame")
    _check_whole(path, container, stream, packets)
    stamps = [packet.dts if packet.pts is None else packet.pts for packet in packets]
    shown = [
        stamp
        for packet, stamp in zip(packets, stamps, strict=True)
        if stamp is not None and not packet.is_discard
    ]
    if not shown:
        # Bare streams carry no times at all; their frames are evenly spaced.
        return np.arange(len(packets)) * _frame_s(stream)
    return np.sort(np.array(shown, float)) * float(stream.time_base)


def _check_whole(
    path: Path,
    container: av.container.InputContainer,
    stream: VideoStream,
    packets: list[av.Packet],
) -> None:
    """Compare what the file holds with what its header says it holds."""
    found, claimed = len(packets), stream.frames
    if not claimed and _claimed_s(container, stream) is not None:
        claimed = round(_claimed_s(container, stream) / _frame_s(stream))
        stamps = [packet.pts for packet in packets if packet.pts is not None]
        start = min(0, *stamps) if stamps else 0
        last_s = float((max(stamps, default=0) - start) * stream.time_base)
        found = max(found, round(last_s / _frame_s(stream)) + 1)
    if claimed - found > _frames_allowed_lost(claimed):
        raise StudyError(f"{path}: truncated: the file says {claimed} frames, {found} were found")


def _claimed_s(container: av.container.InputContainer, stream: VideoStream) -> float | None:
    """Return how long the picture lasts by the file's header, None where it does not say."""
    if stream.duration is not None:
        return float(stream.duration * stream.time_base)
    if container.duration is not None and len(container.streams) == 1:
        return container.duration / av.time_base
    return None


def _frames_allowed_lost(n_frames: int) -> int:
    return max(LOST_FRAMES_ALLOWED, int(LOST_SHARE_ALLOWED * n_frames))


def _frame_s(stream: VideoStream) -> float:
    """Return how long a frame lasts, as the container has it."""
    rate = stream.average_rate or stream.guessed_rate or Fraction(25)
    return float(1 / rate)


def _moments(
    times_s: np.ndarray, claimed_s: float, fps: float | None, max_seconds: float | None
) -> tuple[Fraction, np.ndarray]:
    """Choose the rate and the moments shown.

    At its own, even rate every frame is shown once. At another rate, or where frames are uneven, a
    grid of even moments is laid over the clip. `claimed_s` is how long the container says a frame
    lasts: more exact than the times where it agrees with them, because containers round times.
    """
    start_s, steps_s = times_s[0], np.diff(times_s)
    mean_s = float(steps_s.mean()) if steps_s.any() else claimed_s
    even = [frame_s for frame_s in (claimed_s, mean_s) if _is_even(times_s, frame_s)]
    own_fps = _exact_rate(1 / (even or [mean_s])[0])
    wanted = own_fps if fps is None else _exact_rate(fps)
    n_most = None if max_seconds is None else max(1, int(max_seconds * wanted + Fraction(1, 1000)))
    if even and wanted == own_fps:
        return own_fps, times_s[:n_most]
    last_s = float(np.median(steps_s)) if len(steps_s) else mean_s
    n_grid = max(1, round((times_s[-1] - start_s + last_s) * float(wanted)))
    return wanted, (start_s + np.arange(n_grid) / float(wanted))[:n_most]


def _is_even(times_s: np.ndarray, frame_s: float) -> bool:
    """Whether every frame lies within half a frame of its place on an even grid."""
    off_s = times_s - times_s[0] - np.arange(len(times_s)) * frame_s
    return bool(np.abs(off_s).max() < frame_s / 2)


def _exact_rate(fps: float) -> Fraction:
    """Return the usual rate (whole, or whole / 1.001) that a measured rate is meant to be."""
    whole = round(fps)
    broadcast = Fraction(round(fps * 1.001) * 1000, 1001)
    for rate in (Fraction(whole), broadcast):
        if rate and abs(float(rate) / fps - 1) < 2e-4:
            return rate
    return Fraction(fps).limit_denominator(1000)


def _decoded(
    path: Path, container: av.container.InputContainer, stream: VideoStream
) -> Iterator[VideoFrame]:
    """Decode frame by frame; what cannot be decoded is passed over and counted by the caller."""
    try:
        for packet in container.demux(stream):
            with contextlib.suppress(av.error.InvalidDataError):
                yield from packet.decode()
    except av.FFmpegError as error:
        raise StudyError(f"{path}: cannot be decoded: {error.strerror}") from error


def _to_rgb(frame: VideoFrame) -> np.ndarray:
    """Convert a decoded frame by the matrix and range its file names, and turn it upright."""
    matrix = None
    if frame.colorspace == UNSPECIFIED_COLOR and not frame.format.is_rgb:
        matrix = "ITU709" if frame.height >= FIRST_HD_HEIGHT else "ITU601"
    rgb = frame.to_ndarray(format="rgb24", src_colorspace=matrix)
    quarter_turns = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(rgb, quarter_turns)) if quarter_turns else rgb


def _read_photo(path: Path) -> np.ndarray:
    """Read a photograph, turned as its EXIF tag says."""
    try:
        with open_image(path) as photo:
            upright = ImageOps.exif_transpose(photo)
            if upright.mode.startswith("I"):
                # Sixteen-bit grey: Pillow would clip it instead of scaling it.
                upright = Image.fromarray((np.asarray(upright) / 257).astype(np.uint8))
            return np.array(upright.convert("RGB"))
    except FileNotFoundError as error:
        raise StudyError(f"{path}: no such file") from error
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise StudyError(f"{path}: not a readable photograph, or truncated: {error}") from error
