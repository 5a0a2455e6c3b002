"""Spoiled masks against counts and distances found in other ways."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage, stats

from stimuli.spoil import KINDS, person_size, spoiled
from study.errors import StudyError

RADIUS = 30


def discs(n_frames: int = 4, side: int = 128) -> np.ndarray:
    """A disc in the middle of the picture, in every frame a little larger."""
    ys, xs = np.mgrid[:side, :side]
    distance = np.hypot(xs - side // 2, ys - side // 2)
    return np.stack([distance <= RADIUS + number for number in range(n_frames)])


def rng(seed: int = 5) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("share", [0.05, 0.2])
def test_flips_turn_the_share_of_pixels_each_by_itself(share: float) -> None:
    masks = discs()
    turned = spoiled(masks, "flips", share, rng()) ^ masks
    low, high = stats.binom.interval(0.9999, turned.size, share)
    assert low <= turned.sum() <= high
    # On the person, and beside, alike.
    low, high = stats.binom.interval(0.9999, int(masks.sum()), share)
    assert low <= (turned & masks).sum() <= high
    # Neighbours in space and in time agree no more often than chance has it.
    for one, other in ((turned[:, 1:], turned[:, :-1]), (turned[1:], turned[:-1])):
        low, high = stats.binom.interval(0.9999, one.size, share**2)
        assert low <= (one & other).sum() <= high


def test_flips_in_the_box_leave_the_rest_alone() -> None:
    masks = discs()
    turned = spoiled(masks, "flips_in_box", 0.1, rng()) ^ masks
    for flips, mask in zip(turned, masks, strict=True):
        ys, xs = np.nonzero(mask)
        box = (slice(ys.min(), ys.max() + 1), slice(xs.min(), xs.max() + 1))
        low, high = stats.binom.interval(0.9999, flips[box].size, 0.1)
        assert low <= flips[box].sum() <= high
        assert flips[box].sum() == flips.sum()


@pytest.mark.parametrize(("kind", "sign"), [("erosion", -1), ("dilation", 1)])
def test_outlines_move_by_a_share_of_the_size(kind: str, sign: int) -> None:
    masks = discs()
    worse = spoiled(masks, kind, 0.1, rng())
    for before, after in zip(masks, worse, strict=True):
        distance = 0.1 * np.sqrt(before.sum())
        if sign > 0:
            expected = ndimage.distance_transform_edt(~before) <= distance
        else:
            expected = ndimage.distance_transform_edt(before) > distance
        assert np.array_equal(after, expected)
        # The area of a disc says the same, within half a pixel of the outline.
        radius = np.sqrt(before.sum() / np.pi)
        low, high = (np.pi * (radius + sign * distance + off) ** 2 for off in (-0.8, 0.8))
        assert low < after.sum() < high


def test_a_person_cut_off_by_the_picture_is_not_eroded_there() -> None:
    masks = np.zeros((1, 60, 60), bool)
    masks[0, 30:, 20:40] = True
    eroded = spoiled(masks, "erosion", 0.1, rng())[0]
    assert eroded[-1, 30]
    assert not eroded[31, 30]
    assert not eroded[-1, 21]


def test_missing_frames_are_empty_and_the_others_untouched() -> None:
    masks = np.repeat(discs(1), 20, axis=0)
    left = spoiled(masks, "missing", 0.3, rng())
    missing = ~left.any(axis=(1, 2))
    assert missing.sum() == 6
    assert np.array_equal(left[~missing], masks[~missing])


def test_of_photographs_the_share_is_missing_too() -> None:
    photograph = discs(1)
    lost = [not spoiled(photograph, "missing", 0.3, rng(seed)).any() for seed in range(1000)]
    low, high = stats.binom.interval(0.9999, 1000, 0.3)
    assert low <= sum(lost) <= high


def test_a_shift_moves_the_whole_clip_one_way() -> None:
    masks = discs()
    size = np.mean([np.sqrt(mask.sum()) for mask in masks])
    directions = set()
    for seed in range(12):
        moved = spoiled(masks, "shift", 0.1, rng(seed))
        ways = {
            tuple(np.argwhere(after).mean(axis=0) - np.argwhere(before).mean(axis=0))
            for before, after in zip(masks, moved, strict=True)
        }
        dy, dx = (round(part) for part in next(iter(ways)))
        assert all(np.allclose(way, (dy, dx)) for way in ways)
        # To whole pixels, so off by the half diagonal of one at most.
        assert abs(np.hypot(dx, dy) - 0.1 * size) <= np.sqrt(0.5)
        assert np.array_equal(moved, np.roll(masks, (dy, dx), axis=(1, 2)))
        directions.add((dy, dx))
    assert len(directions) > 4
    assert {dx > 0 for _, dx in directions} == {dy > 0 for dy, _ in directions} == {True, False}


def test_what_is_shifted_out_of_the_picture_is_lost() -> None:
    masks = np.zeros((1, 40, 40), bool)
    masks[0, 10:30, :] = True
    moved = spoiled(masks, "shift", 1.0, rng(0))
    assert 0 < moved.sum() < masks.sum()
    assert moved[0].any(axis=0).sum() < 40


@pytest.mark.parametrize("kind", KINDS)
def test_levels_are_nested_and_masks_stay_as_they_were(kind: str) -> None:
    masks = discs(12)
    before = masks.copy()
    little, much = (spoiled(masks, kind, level, rng()) ^ masks for level in (0.1, 0.3))
    assert np.array_equal(masks, before)
    assert little.any()
    assert little.sum() < much.sum()
    if kind != "shift":
        assert not (little & ~much).any()
    assert np.array_equal(spoiled(masks, kind, 0.1, rng()), little ^ masks)


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"flips"}))
def test_without_a_person_nothing_is_spoiled(kind: str) -> None:
    assert not spoiled(np.zeros((3, 20, 30), bool), kind, 0.5, rng()).any()


def test_size_is_the_root_of_the_area() -> None:
    mask = np.zeros((20, 20), bool)
    mask[2:11, 3:7] = True
    assert person_size(mask) == 6.0


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(StudyError, match="flips_in_box"):
        spoiled(discs(1), "blur", 0.1, rng())
