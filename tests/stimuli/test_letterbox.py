"""Every clip at one size: letterboxed pictures and masks."""

from __future__ import annotations

import numpy as np
import pytest

from stimuli.letterbox import Letterbox


def _disc(size: int, radius: float, center_xy: tuple[float, float]) -> np.ndarray:
    ys, xs = np.mgrid[:size, :size]
    return np.hypot(xs - center_xy[0], ys - center_xy[1]) <= radius


@pytest.mark.parametrize(
    ("source_wh", "picture_wh", "offset_xy"),
    [
        ((1280, 720), (640, 360), (0, 0)),
        ((320, 240), (480, 360), (80, 0)),
        ((720, 1280), (202, 360), (219, 0)),
        ((1001, 333), (640, 213), (0, 73)),
        ((5000, 1), (640, 1), (0, 179)),
    ],
)
def test_letterbox_fits_without_stretching(
    source_wh: tuple[int, int], picture_wh: tuple[int, int], offset_xy: tuple[int, int]
) -> None:
    letterbox = Letterbox.of(source_wh, (640, 360))
    assert letterbox.picture_wh == picture_wh
    assert letterbox.offset_xy == offset_xy


def test_letterbox_bars_are_black_and_the_picture_is_whole() -> None:
    letterbox = Letterbox.of((40, 40), (64, 32))
    white = letterbox.shrink(np.full((40, 40, 3), 255, np.uint8))
    frame = letterbox.pad(white[np.newaxis])[0]
    assert frame.shape == (32, 64, 3)
    assert (frame[:, 16:48] == 255).all()
    assert (frame[:, :16] == 0).all()
    assert (frame[:, 48:] == 0).all()
    assert letterbox.picture_share == 0.5


def test_masks_and_frames_are_resized_alike() -> None:
    mask = _disc(200, 60, (100, 100))
    letterbox = Letterbox.of((200, 200), (128, 72))
    small = letterbox.shrink_masks(mask[np.newaxis])[0]
    picture = letterbox.shrink(np.repeat(mask[..., None], 3, -1).astype(np.uint8) * 255)
    assert np.array_equal(small, picture[..., 0] >= 128)
    assert small.mean() == pytest.approx(mask.mean(), rel=0.02)
