"""Masks over time: gaps, flicker and holes, on made-up shapes whose truth is known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from stimuli.segmentation.smoothing import fill_gaps, steadied, without_small_holes


def _disc(x: float, y: float, radius: float, size_wh: tuple[int, int] = (160, 120)) -> np.ndarray:
    ys, xs = np.mgrid[: size_wh[1], : size_wh[0]]
    return (xs - x) ** 2 + (ys - y) ** 2 <= radius**2


def _iou(one: np.ndarray, other: np.ndarray) -> float:
    return (one & other).sum() / (one | other).sum()


def _moving_disc(n_frames: int) -> np.ndarray:
    return np.stack([_disc(30 + 4 * n, 50 + n, 14 + 0.4 * n) for n in range(n_frames)])


def test_a_gap_is_filled_with_the_shape_and_place_in_between() -> None:
    truth = _moving_disc(20)
    missed = truth.copy()
    missed[5:15] = False
    masks, filled = fill_gaps(missed, 12)
    assert filled.tolist() == [5 <= n < 15 for n in range(20)]
    assert min(_iou(masks[n], truth[n]) for n in range(20)) > 0.9
    held = missed[4]  # holding the mask before would be far off
    assert _iou(held, truth[10]) < 0.3


def test_longer_gaps_stay() -> None:
    missed = _moving_disc(20)
    missed[5:15] = False
    masks, filled = fill_gaps(missed, 9)
    assert not filled.any() and np.array_equal(masks, missed)
    masks, filled = fill_gaps(missed, 0)
    assert not filled.any() and np.array_equal(masks, missed)


def test_at_the_ends_the_nearest_mask_is_held_unless_it_touches_the_border() -> None:
    masks = np.zeros((12, 120, 160), bool)
    masks[5:7] = _disc(80, 60, 20)
    assert fill_gaps(masks, 12)[1].tolist() == [n in (2, 3, 4, 7, 8, 9) for n in range(12)]
    masks[6] = _disc(0, 60, 20)
    assert fill_gaps(masks, 12)[1].tolist() == [n in (2, 3, 4) for n in range(12)]


def test_a_clip_without_anybody_stays_empty() -> None:
    nobody = np.zeros((4, 12, 16), bool)
    masks, filled = fill_gaps(nobody, 12)
    assert not masks.any() and not filled.any() and not steadied(nobody).any()
    assert not without_small_holes(nobody[0]).any()


def test_a_body_that_fills_the_frame_and_one_pixel_masks_stay() -> None:
    full = np.ones((5, 12, 16), bool)
    full[2] = False
    assert fill_gaps(full, 12)[0].all()
    assert steadied(np.ones((5, 12, 16), bool)).all()
    pixel = np.zeros((5, 12, 16), bool)
    pixel[:, 6, 7] = True
    assert np.array_equal(steadied(pixel), pixel)
    assert np.array_equal(without_small_holes(pixel[0]), pixel[0])
    photo = _disc(80, 60, 20)[np.newaxis]
    assert np.array_equal(steadied(photo), photo)


@pytest.mark.parametrize("length", [1, 2])
def test_parts_that_appear_or_vanish_for_a_frame_or_two_are_undone(length: int) -> None:
    body = _disc(60, 60, 25)
    truth = np.repeat(body[np.newaxis], 9, axis=0)
    flickering = truth.copy()
    flickering[2 : 2 + length] |= _disc(120, 60, 8)
    flickering[5 : 5 + length] &= ~_disc(60, 75, 9)
    calm = steadied(flickering)
    assert min(_iou(mask, body) for mask in flickering) < 0.92
    assert min(_iou(mask, body) for mask in calm) > 0.99


def test_what_stays_for_longer_is_no_flicker() -> None:
    masks = np.repeat(_disc(60, 60, 25)[np.newaxis], 12, axis=0)
    masks[4:8] |= _disc(120, 60, 8)
    assert min(_iou(*pair) for pair in zip(steadied(masks), masks, strict=True)) > 0.98


@pytest.mark.parametrize("degrees_a_frame", [25, 60, 90, 180])
def test_fast_limbs_stay(degrees_a_frame: int) -> None:
    """An arm turns about the body, further than its own width every frame, or to and fro."""
    masks = []
    for number in range(10):
        mask = _disc(80, 60, 18).astype(np.uint8)
        angle = np.deg2rad(degrees_a_frame * number)
        hand = (round(80 + 50 * np.cos(angle)), round(60 + 50 * np.sin(angle)))
        masks.append(cv2.line(mask, (80, 60), hand, 1, 7) > 0)
    masks = np.stack(masks)
    calm = steadied(masks)
    arms = masks & ~_disc(80, 60, 22)
    assert (calm & arms).sum() > 0.93 * arms.sum()


def test_the_outline_trembles_less_and_stays_in_place() -> None:
    rng = np.random.default_rng(1)
    truth = np.stack([_disc(40 + 3 * n, 60, 25) for n in range(20)])
    noisy = np.stack(
        [_disc(40 + 3 * n + rng.normal(0, 0.7), 60 + rng.normal(0, 0.7), 25) for n in range(20)]
    )
    calm = steadied(noisy)
    before = np.mean([_iou(*pair) for pair in zip(noisy, truth, strict=True)])
    after = np.mean([_iou(*pair) for pair in zip(calm, truth, strict=True)])
    assert after > before


def test_small_holes_are_closed_and_arms_on_the_hips_are_not() -> None:
    body = _disc(80, 60, 40)
    worn = body & ~_disc(80, 60, 2) & ~_disc(95, 70, 12)
    closed = without_small_holes(worn)
    assert np.array_equal(closed, body & ~_disc(95, 70, 12))
    notch = body.copy()
    notch[58:60, 100:] = False  # open to the outside: no hole
    assert np.array_equal(without_small_holes(notch), notch)
