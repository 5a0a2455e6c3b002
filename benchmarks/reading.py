"""What reading and writing clips costs, stage by stage, and how exact the shrinking is.

Run from the repository's root on videos of your own:

    python -m benchmarks.reading jump.mp4 sweep.mp4 --width 640 --height 360

Every stage runs on one thread; times are the least of several runs, in ms per frame. The error of a
way to shrink is that against the exact area average of the frame at full size.
"""

from __future__ import annotations

import argparse
import io
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np
from av.video.frame import VideoFrame

from stimuli.video import Clip, read_clip, read_timing, write_clip
from stimuli.video.pixels import ToRgb, matrix_of
from stimuli.video.writing import QUALITIES, Encoding, encode_video

RUNS = 5

# What else libx264rgb could do at quantiser 0.
LOSSLESS_OPTIONS = {
    "ultrafast": {"preset": "ultrafast"},
    "ultrafast, every frame by itself": {"preset": "ultrafast", "g": "1"},
    "superfast without CABAC": {"preset": "superfast", "coder": "0"},
    "superfast": {"preset": "superfast"},
}


def least_s(work: Callable[[], object]) -> float:
    """Return the shortest of several runs, in seconds."""
    times_s = []
    for _ in range(RUNS):
        start_s = time.perf_counter()
        work()
        times_s.append(time.perf_counter() - start_s)
    return min(times_s)


def decoded_frames(content: Path | io.BytesIO, most: int) -> list[VideoFrame]:
    """Decode on one thread."""
    with av.open(str(content) if isinstance(content, Path) else content) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        return [frame for _, frame in zip(range(most), container.decode(stream), strict=False)]


def area_average(frame_hwc: np.ndarray, size_wh: tuple[int, int]) -> np.ndarray:
    """Return the average over the area of every new pixel, before rounding."""
    return cv2.resize(frame_hwc.astype(np.float64), size_wh, interpolation=cv2.INTER_AREA)


def shrinking(frames: list[VideoFrame], size_wh: tuple[int, int]) -> dict[str, Callable[[], list]]:
    """Return ways to come from decoded frames to small RGB ones."""
    to_rgb = ToRgb(size_wh)
    matrix = matrix_of(frames[0])

    def by_opencv() -> list[np.ndarray]:
        large = (frame.to_ndarray(format="rgb24", src_colorspace=matrix) for frame in frames)
        return [cv2.resize(frame, size_wh, interpolation=cv2.INTER_AREA) for frame in large]

    def by_swscale() -> list[np.ndarray]:
        wanted = {"format": "rgb24", "src_colorspace": matrix, "interpolation": "AREA"}
        return [f.to_ndarray(width=size_wh[0], height=size_wh[1], **wanted) for f in frames]

    return {
        "RGB at full size, then INTER_AREA": by_opencv,
        "swscale AREA with its shortcuts": by_swscale,
        "in one go (read_clip)": lambda: [to_rgb(frame) for frame in frames],
    }


def report_reading(path: Path, size_wh: tuple[int, int], most: int) -> Clip:
    """Print what reading costs; return the small clip."""
    frames = decoded_frames(path, most)
    n_frames = len(frames)
    first = frames[0]
    print(f"{path.name}: {first.width} x {first.height} {first.format.name}, {n_frames} frames")
    ms = least_s(lambda: decoded_frames(path, most)) / n_frames * 1e3
    print(f"  {'decoding':42} {ms:6.2f} ms per frame")
    large = ToRgb((first.width, first.height))
    exact = [area_average(large(frame), size_wh) for frame in frames]
    for name, way in shrinking(frames, size_wh).items():
        error = np.stack(way()) - np.stack(exact)
        ms = least_s(way) / n_frames * 1e3
        rms, mean = np.sqrt(np.square(error).mean()), error.mean()
        print(f"  {name:42} {ms:6.2f} ms per frame, error rms {rms:.2f}, mean {mean:+.2f}")
    seconds = float(n_frames / read_timing(path).fps)
    clip = read_clip(path, max_seconds=seconds, size_wh=size_wh)
    ms = least_s(lambda: read_clip(path, max_seconds=seconds, size_wh=size_wh)) * 1e3
    print(f"  {'read_clip, all of it':42} {ms / len(clip.times):6.2f} ms per frame")
    return clip


def report_writing(clip: Clip) -> None:
    """Print what writing and reading back costs, and how large files become."""
    n_frames = len(clip.times)
    for name, options in LOSSLESS_OPTIONS.items():
        encoding = Encoding("libx264rgb", "rgb24", {"qp": "0", **options})
        content = encode_video(clip, encoding)
        write_ms = least_s(lambda e=encoding: encode_video(clip, e)) / n_frames * 1e3
        read_ms = least_s(lambda c=content: decoded_frames(io.BytesIO(c), n_frames)) * 1e3
        print(
            f"  lossless, {name:32} {write_ms:6.2f} ms per frame, "
            f"decoding {read_ms / n_frames:.2f}, {len(content) / n_frames / 1e3:.0f} kB per frame"
        )
    with tempfile.TemporaryDirectory() as folder:
        web = write_clip(Path(folder) / "web.mp4", clip, "web")
    ms = least_s(lambda: encode_video(clip, QUALITIES["web"])) / n_frames * 1e3
    print(
        f"  {'web':42} {ms:6.2f} ms per frame, {web.size / n_frames / 1e3:.0f} kB per frame, "
        f"PSNR {web.psnr_db or np.inf:.1f} dB, SSIM {web.ssim or 1:.4f}"
    )


def main() -> None:
    """Report on every video named."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("videos", nargs="+", type=Path)
    parser.add_argument("--width", type=int, default=640)
    parser.add_argument("--height", type=int, default=360)
    parser.add_argument("--frames", type=int, default=60)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    for path in options.videos:
        clip = report_reading(path, (options.width, options.height), options.frames)
        report_writing(clip)


if __name__ == "__main__":
    main()
