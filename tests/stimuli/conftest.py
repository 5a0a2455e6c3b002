"""Small videos of every kind, made on the spot."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from study.config import Study
from study.fields import FolderData, Masks, SourceFolder, Split, Trials, Versions

MakeVideo = Callable[..., Path]


def moving_square(n_frames: int, width: int, height: int) -> np.ndarray:
    """Return frames (T, H, W, 3) in which a light square moves over a smooth gradient."""
    ys, xs = np.mgrid[:height, :width]
    ground = np.stack([xs * 160 // width, ys * 160 // height, 80 + 0 * xs], axis=-1)
    frames = np.repeat(ground[np.newaxis].astype(np.uint8), n_frames, axis=0)
    side = max(2, height // 5)
    for number in range(n_frames):
        left = number * (width - side) // max(1, n_frames - 1)
        frames[number, side : 2 * side, left : left + side] = 230
    return frames


@pytest.fixture(name="moving_square")
def moving_square_fixture() -> Callable[[int, int, int], np.ndarray]:
    """Return `moving_square` for tests."""
    return moving_square


@pytest.fixture
def make_video(tmp_path: Path) -> MakeVideo:
    """Return a function that writes a lossy H.264 (or other) video and returns its path."""

    def make(
        name: str = "clip.mp4",
        frames: np.ndarray | None = None,
        fps: Fraction | int = 25,
        codec: str = "libx264",
        pix_fmt: str = "yuv420p",
        pts_ms: Sequence[int] | None = None,
        options: dict[str, str] | None = None,
        color: tuple[int, int] | None = None,
        container_options: dict[str, str] | None = None,
    ) -> Path:
        frames = moving_square(20, 64, 48) if frames is None else frames
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with av.open(str(path), "w", options=container_options or {}) as container:
            stream = container.add_stream(
                codec, rate=fps, options={"crf": "1"} if options is None else options
            )
            stream.height, stream.width = frames.shape[1:3]
            stream.pix_fmt = pix_fmt
            if pts_ms is not None:
                stream.codec_context.time_base = Fraction(1, 1000)
            if color is not None:
                stream.codec_context.colorspace, stream.codec_context.color_range = color
            for number, frame_hwc in enumerate(frames):
                frame = av.VideoFrame.from_ndarray(frame_hwc, format="rgb24")
                if color is not None:
                    frame = frame.reformat(
                        format=pix_fmt, dst_colorspace=color[0], dst_color_range=color[1]
                    )
                if pts_ms is not None:
                    frame.time_base, frame.pts = Fraction(1, 1000), pts_ms[number]
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return path

    return make


@pytest.fixture
def turn_mp4() -> Callable[[Path], None]:
    """Return a function that sets the display matrix of an mp4 file to a quarter turn clockwise."""

    def turn(path: Path) -> None:
        content = bytearray(path.read_bytes())
        at = content.index(b"tkhd") + 4 + 40
        content[at : at + 20] = struct.pack(">5i", 0, 0x10000, 0, -0x10000, 0)
        path.write_bytes(content)

    return turn


@pytest.fixture
def tree(make_video: MakeVideo, tmp_path: Path) -> Study:
    """Return a study of files: one is broken, one has nothing left to fill a hole from."""
    clips, masks = tmp_path / "clips", tmp_path / "masks"
    for action in ("run", "sit"):
        for name in ("a", "b", "c", "d"):
            make_video(f"clips/{action}/{action}_{name}.mp4")
            found = np.zeros((20, 48, 64), bool)
            found[:, 10:20, 10:20] = True
            target = masks / action / f"{action}_{name}.npz"
            target.parent.mkdir(parents=True, exist_ok=True)
            np.savez(target, masks=found | ((action, name) == ("run", "c")))
    broken = clips / "run" / "run_b.mp4"
    broken.write_bytes(broken.read_bytes()[:900])
    return Study(
        name="own",
        title="t",
        seed=1,
        dataset=FolderData(kind="folder", folders=[SourceFolder(path=clips)], min_clips=1),
        split=Split(validation_clips=0, test_clips=1),
        masks=Masks(source="files", path=masks),
        versions=Versions(width=64, height=48),
        trials=Trials(n_choices=2),
    )
