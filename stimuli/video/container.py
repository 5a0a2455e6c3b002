"""Videos as files: opened, checked to be whole, their time stamps read, their frames decoded."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from stimuli.video.times import FrameTimes, own_times
from study.errors import StudyError

# Containers may miscount by a frame or two without anything being lost.
LOST_FRAMES_ALLOWED = 2
LOST_SHARE_ALLOWED = 0.05

# Where a container names no rate at all.
RATE_UNKNOWN = Fraction(25)


@dataclass(frozen=True)
class VideoFile:
    """What a video file says of itself.

    Attributes
    ----------
    times : FrameTimes
        Of all its frames, from the first.
    stamps : tuple of int
        The same as the file's own time stamps; empty where it lacks some.
    size_wh : tuple of int
        As displayed, rotation applied.
    """

    times: FrameTimes
    stamps: tuple[int, ...]
    size_wh: tuple[int, int]


def read_video_file(path: Path) -> VideoFile:
    """Read times and size of a video, decoding one frame, and check that the file is whole.

    Raises
    ------
    StudyError
        When the file is missing, unreadable or truncated, or holds no moving picture.
    """
    with opened(path) as (container, stream):
        packets = _packets(path, container, stream)
        _check_whole(path, container, stream, packets)
        times, stamps = _times(container, stream, packets)
        return VideoFile(times, stamps, _upright_wh(path, packets))


@contextlib.contextmanager
def opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a video's first moving picture.

    Raises
    ------
    StudyError
        When there is none.
    """
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


def decoded(path: Path, container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    """Decode frame by frame; what cannot be decoded is passed over, for the caller to miss."""
    try:
        for packet in container.demux(stream):
            yield from _frames(packet)
    except av.FFmpegError as error:
        raise StudyError(f"{path}: cannot be decoded: {error.strerror}") from error


def frames_allowed_lost(n_frames: int) -> int:
    """Return how many of so many frames may be lost before a video counts as damaged."""
    return max(LOST_FRAMES_ALLOWED, int(LOST_SHARE_ALLOWED * n_frames))


def _packets(path: Path, container: InputContainer, stream: VideoStream) -> list[av.Packet]:
    packets: list[av.Packet] = []
    try:
        packets.extend(packet for packet in container.demux(stream) if packet.size)
    except av.FFmpegError as error:
        raise StudyError(f"{path}: damaged after frame {len(packets)}: {error.strerror}") from error
    if not packets:
        raise StudyError(f"{path}: the video holds no frame")
    return packets


def _frames(packet: av.Packet) -> list[VideoFrame]:
    try:
        return packet.decode()
    except av.error.InvalidDataError:
        return []


def _upright_wh(path: Path, packets: list[av.Packet]) -> tuple[int, int]:
    """Return the size as displayed; the rotation lies in a frame's side data, not in the stream."""
    try:
        frame = next((frame for packet in packets for frame in _frames(packet)), None)
        frame = frame or next(iter(packets[-1].stream.decode(None)), None)
    except av.FFmpegError as error:
        raise StudyError(f"{path}: cannot be decoded: {error.strerror}") from error
    if frame is None:
        raise StudyError(f"{path}: holds no frame that can be decoded")
    size_wh = (frame.width, frame.height)
    return size_wh[::-1] if frame.rotation % 180 else size_wh


def _times(
    container: InputContainer, stream: VideoStream, packets: list[av.Packet]
) -> tuple[FrameTimes, tuple[int, ...]]:
    """Return the times of the frames shown, and the stamps by which they are told apart."""
    shown = [packet for packet in packets if not packet.is_discard] or packets
    rates = [rate for rate in (stream.average_rate, stream.guessed_rate) if rate] or [RATE_UNKNOWN]
    if _says_when_shown(container, packets):
        shown.sort(key=lambda packet: packet.pts)
        stamps = tuple(packet.pts for packet in shown)
        return own_times(stamps, stream.time_base, rates, shown[-1].duration), stamps
    stamps = sorted(packet.dts for packet in shown if packet.dts is not None)
    if len(stamps) < len(shown):
        # Bare streams carry no times; their frames are evenly spaced.
        return FrameTimes.even(len(shown), rates[0]), ()
    last = (stream.duration or 0) + (stream.start_time or 0) - stamps[-1]
    return own_times(stamps, stream.time_base, rates, max(last, 0)), ()


def _says_when_shown(container: InputContainer, packets: list[av.Packet]) -> bool:
    """Whether the file tells when its frames are shown, not only when to decode them.

    AVI does not: what FFmpeg reports is a guess that fails where frames are uneven.
    """
    return container.format.name != "avi" and all(packet.pts is not None for packet in packets)


def _check_whole(
    path: Path, container: InputContainer, stream: VideoStream, packets: list[av.Packet]
) -> None:
    """Compare what the file holds with what its header says it holds."""
    frame_s = 1 / (stream.average_rate or stream.guessed_rate or RATE_UNKNOWN)
    claimed, claimed_s = stream.frames, _claimed_s(container, stream)
    if not claimed and claimed_s is not None:
        claimed = round(claimed_s / frame_s)
    # By their times, too: AVI counts the frames that a camera dropped.
    stamps = [packet.dts if packet.pts is None else packet.pts for packet in packets]
    stamps = sorted(stamp for stamp in stamps if stamp is not None)
    found = len(packets)
    if len(stamps) > 1:
        end = stamps[-1] - min(0, stamps[0]) + int(np.median(np.diff(stamps)))
        found = max(found, round(end * stream.time_base / frame_s))
    if claimed - found > frames_allowed_lost(claimed):
        raise StudyError(f"{path}: truncated: the file says {claimed} frames, {found} were found")


def _claimed_s(container: InputContainer, stream: VideoStream) -> Fraction | None:
    """Return how long the picture lasts by the file's header, None where it does not say."""
    if stream.duration is not None:
        return stream.duration * stream.time_base
    if container.duration is not None and len(container.streams) == 1:
        return Fraction(container.duration, av.time_base)
    return None
