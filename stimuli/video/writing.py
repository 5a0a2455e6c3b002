"""Clips as files that give back the same pixels, or that browsers play, at the same exact times."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from stimuli.video.clip import Clip, is_photo
from stimuli.video.loss import Loss, loss
from stimuli.video.photo import encode_photo
from stimuli.video.pixels import EXACT, ToRgb
from study.errors import StudyError, check_one_of
from study.files import whole_file

# Room for the index before the pictures, so that a browser can start before it has everything.
INDEX_BYTES, INDEX_BYTES_PER_FRAME = 4096, 48

BT709 = 1  # in FFmpeg's lists of matrices, primaries and transfer curves alike


@dataclass(frozen=True)
class Encoding:
    """How H.264 is written: FFmpeg's encoder, its pixel format and its options."""

    encoder: str
    pixel_format: str
    options: dict[str, str]


QUALITIES = {
    # RGB at quantiser 0: on real clips a quarter of FFV1's encoding and decoding time at about
    # the same size.
    "lossless": Encoding("libx264rgb", "rgb24", {"qp": "0", "preset": "ultrafast"}),
    # A sixteenth of that. Slower presets gain nothing. B-frames would save a fifth, but without
    # them frames are stored in the order shown: players need no edit list to start at the first
    # one and seek exactly, and the length of the last one is kept.
    "web": Encoding("libx264", "yuv420p", {"crf": "17", "preset": "medium", "bf": "0"}),
}


@dataclass(frozen=True)
class Written:
    """A stimulus as written.

    Attributes
    ----------
    sha256 : str
    size : int
        Bytes.
    psnr_db, ssim : float, optional
        What is read back against what was written, see `stimuli.video.loss.Loss`; None where
        nothing is lost.
    """

    sha256: str
    size: int
    psnr_db: float | None = None
    ssim: float | None = None


def write_clip(path: Path, clip: Clip, quality: str = "lossless") -> Written:
    """Write a clip; equal clips give equal bytes.

    Parameters
    ----------
    path : Path
        A PNG name takes a clip of one frame, any other name becomes an MP4 video.
    clip : Clip
    quality : {"lossless", "web"}
        lossless: reading gives the same pixels and times. web: H.264 4:2:0 that browsers play, the
        same times. A photograph is a PNG in both: browsers show it, and a single frame is small.

    Raises
    ------
    StudyError
        When the disk is full, or the sides are odd and the quality is "web".
    """
    check_one_of("quality", quality, tuple(QUALITIES))
    lost = None
    if is_photo(path):
        content = encode_photo(clip.frames_thwc[0])
    else:
        _check_sides(path, clip, quality)
        content = encode_video(clip, QUALITIES[quality])
        lost = _loss(clip, content) if quality == "web" else None
    with whole_file(path) as partial:
        partial.write_bytes(content)
    sha256 = hashlib.sha256(content).hexdigest()
    if lost is None or np.isinf(lost.psnr_db):
        return Written(sha256, len(content))
    return Written(sha256, len(content), lost.psnr_db, lost.ssim)


def encode_video(clip: Clip, encoding: Encoding) -> bytes:
    """Return a clip as an MP4 file."""
    n_frames, height, width = clip.frames_thwc.shape[:3]
    room = INDEX_BYTES + INDEX_BYTES_PER_FRAME * n_frames
    target = io.BytesIO()
    options = {"fflags": "+bitexact", "moov_size": str(room)}
    with av.open(target, "w", format="mp4", options=options) as container:
        stream = container.add_stream(encoding.encoder, rate=clip.fps, options=encoding.options)
        stream.width, stream.height, stream.pix_fmt = width, height, encoding.pixel_format
        codec = stream.codec_context
        codec.time_base = clip.times.time_base
        codec.thread_count = 1
        codec.flags |= av.codec.context.Flags.bitexact
        if encoding.pixel_format != "rgb24":
            codec.colorspace = codec.color_primaries = codec.color_trc = BT709
            codec.color_range = ColorRange.MPEG
        lasts = dict(zip(clip.times.ticks, np.diff(clip.times.ticks).tolist(), strict=False))
        for frame in chain(_pictures(clip, encoding), [None]):
            for packet in stream.encode(frame):
                # The encoder knows when a frame begins, but not how long the last one lasts.
                packet.duration = lasts[packet.pts]
                container.mux(packet)
    return target.getvalue()


def _pictures(clip: Clip, encoding: Encoding) -> Iterator[VideoFrame]:
    """Yield the frames in the encoder's pixel format, with their times."""
    reformatter = VideoReformatter()
    for frame_hwc, tick in zip(clip.frames_thwc, clip.times.ticks[:-1], strict=True):
        frame = VideoFrame.from_ndarray(np.ascontiguousarray(frame_hwc), format="rgb24")
        if encoding.pixel_format != "rgb24":
            frame = reformatter.reformat(
                frame,
                format=encoding.pixel_format,
                dst_colorspace=Colorspace.ITU709,
                dst_color_range=ColorRange.MPEG,
                interpolation=Interpolation.AREA | EXACT,
                threads=1,
            )
        frame.pts, frame.time_base = tick, clip.times.time_base
        yield frame


def _check_sides(path: Path, clip: Clip, quality: str) -> None:
    height, width = clip.frames_thwc.shape[1:3]
    if quality == "web" and (width % 2 or height % 2):
        raise StudyError(
            f"{path}: quality 'web' needs an even width and height, found {width} x {height}"
        )


def _loss(clip: Clip, content: bytes) -> Loss:
    """Compare what is read back with what was written."""
    height, width = clip.frames_thwc.shape[1:3]
    to_rgb = ToRgb((width, height))
    with av.open(io.BytesIO(content)) as container:
        return loss(clip.frames_thwc, map(to_rgb, container.decode(video=0)))
