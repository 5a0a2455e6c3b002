"""The hole as a mirror of its surroundings."""

from __future__ import annotations

import numpy as np

from stimuli.inpainting import inpainted
from study.fields import Versions

MIRROR = Versions(inpainting="mirror", hole="box")


def _filled(frame_hwc: np.ndarray, hole_hw: np.ndarray) -> np.ndarray:
    holes = hole_hw[np.newaxis]
    return inpainted(frame_hwc[np.newaxis], holes, holes, MIRROR)[0]


def _striped(width: int = 120, height: int = 60) -> np.ndarray:
    """Return horizontal layers, alike along the ground, with vertical ones within."""
    frame = np.zeros((height, width, 3), np.uint8)
    frame[:] = (40 + 3 * np.arange(height))[:, np.newaxis, np.newaxis]
    return frame


def test_layers_along_the_ground_are_restored_exactly() -> None:
    truth = _striped()
    hole = np.zeros((60, 120), bool)
    hole[20:60, 40:80] = True
    damaged = truth.copy()
    damaged[hole] = 255
    assert np.abs(_filled(damaged, hole).astype(int) - truth).max() <= 1


def test_it_shows_what_is_as_far_outside() -> None:
    frame = np.full((60, 120, 3), 100, np.uint8)
    frame[:, 30:34] = 200  # a post, 6 to 9 pixels left of the hole
    hole = np.zeros((60, 120), bool)
    hole[10:60, 40:90] = True
    filled = _filled(frame, hole)
    # Seen again as far inside; only near the upper rim, where it has to end, it is fainter.
    assert (filled[15:55, 46:50] > 170).all()
    assert (filled[30:55, 46:50] > 190).all()
    assert (np.abs(filled[30:55, 52:88].astype(int) - 100) <= 4).all()


def test_texture_goes_on_where_a_smooth_fill_has_none() -> None:
    rng = np.random.default_rng(0)
    frame = rng.integers(80, 160, (60, 160, 3), np.uint8)
    hole = np.zeros((60, 160), bool)
    hole[10:50, 60:100] = True
    smooth = inpainted(
        frame[np.newaxis], hole[np.newaxis], hole[np.newaxis], Versions(inpainting="harmonic")
    )[0]
    deviation = frame[~hole].std()
    assert smooth[20:40, 70:90].std() < 0.3 * deviation
    assert _filled(frame, hole)[20:40, 64:76].std() > 0.8 * deviation


def test_there_is_no_step_at_the_rim_of_any_shape() -> None:
    ys, xs = np.mgrid[:80, :120]
    frame = np.stack([xs + ys, 2 * ys, 255 - xs], axis=-1).astype(np.uint8)
    hole = np.hypot(xs - 60, ys - 40) < 25
    filled = _filled(frame, hole).astype(int)
    assert np.array_equal(filled[~hole], frame[~hole])
    rim = hole[:, 1:] ^ hole[:, :-1]
    steps = np.abs(np.diff(filled, axis=1)).max(axis=-1)
    usual = np.abs(np.diff(frame.astype(int), axis=1)).max()
    assert steps[rim].max() <= usual + 6


def test_without_room_at_the_sides_it_looks_up_and_down() -> None:
    frame = np.zeros((60, 40, 3), np.uint8)
    frame[:] = (np.arange(40) * 5)[np.newaxis, :, np.newaxis]
    hole = np.zeros((60, 40), bool)
    hole[20:40, 1:39] = True
    assert np.abs(_filled(frame, hole).astype(int) - frame).max() <= 1


def test_without_room_anywhere_it_is_smooth() -> None:
    frame = np.full((40, 40, 3), 90, np.uint8)
    hole = np.ones((40, 40), bool)
    hole[0], hole[:, 0] = False, False
    assert (np.abs(_filled(frame, hole).astype(int) - 90) <= 1).all()


def test_every_frame_is_filled_from_itself() -> None:
    frames = np.stack([_striped(), _striped() + 20])
    hole = np.zeros((60, 120), bool)
    hole[20:50, 40:80] = True
    holes = np.broadcast_to(hole, (2, 60, 120))
    filled = inpainted(frames, holes, holes, MIRROR)
    assert np.abs(filled.astype(int) - frames).max() <= 1
