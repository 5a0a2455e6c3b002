"""What is hidden: the grown person, and the shapes made of it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from stimuli.elsewhere import hole_elsewhere
from stimuli.holes import SHARED_HOLES, grown, grown_masks, growth_px, holes_of
from study.fields import Versions


def _disc(size: int, radius: float, center_xy: tuple[float, float]) -> np.ndarray:
    ys, xs = np.mgrid[:size, :size]
    return np.hypot(xs - center_xy[0], ys - center_xy[1]) <= radius


def test_box_grows_linearly_by_the_dilation() -> None:
    mask = np.zeros((300, 300), bool)
    mask[100:200, 100:200] = True
    assert growth_px(mask, 1.2) == pytest.approx(10)
    ys, xs = np.nonzero(grown(mask, 1.2))
    assert (ys.min(), ys.max(), xs.min(), xs.max()) == (90, 209, 90, 209)
    # Euclidean growth rounds the corners.
    assert not grown(mask, 1.2)[91, 91]


def test_disc_grows_to_a_disc() -> None:
    radius = 50
    larger = grown(_disc(301, radius, (150, 150)), 1.2)
    expected = _disc(301, radius + 0.1 * (2 * radius + 1), (150, 150))
    assert np.mean(larger ^ expected) < 0.005


def test_pixels_just_at_the_growth_belong_to_the_hole_whatever_opencv_rounds() -> None:
    mask = np.zeros((180, 320), bool)
    mask[40:140, 100:141] = True
    # A box of 41 x 100 grows by sqrt(41) pixels: (4, 5) away is just inside, (4, 6) is not.
    assert growth_px(mask, 1.2) ** 2 == pytest.approx(41)
    n_threads = cv2.getNumThreads()
    try:
        for threads in (1, 2, 4):
            cv2.setNumThreads(threads)
            hole = grown(mask, 1.2)
            assert hole[40 - 5, 100 - 4]
            assert hole[139 + 4, 140 + 5]
            assert not hole[40 - 6, 100 - 4]
    finally:
        cv2.setNumThreads(n_threads)


def test_no_dilation_keeps_the_mask_and_an_empty_mask_stays_empty() -> None:
    mask = _disc(40, 9, (20, 20))
    assert np.array_equal(grown(mask, 1.0), mask)
    assert not grown(np.zeros((9, 9), bool), 2.0).any()


def _moving_box(n_frames: int = 3) -> np.ndarray:
    masks = np.zeros((n_frames, 60, 80), bool)
    for number in range(n_frames):
        masks[number, 20:40, 20 + 5 * number : 30 + 5 * number] = True
    return masks


def test_growth_near_the_border_of_the_picture_is_the_same_as_inside() -> None:
    mask = np.zeros((60, 80), bool)
    mask[0:20, 70:80] = True
    inside = np.zeros((160, 180), bool)
    inside[50:70, 100:110] = True
    assert np.array_equal(grown(mask, 1.6), grown(inside, 1.6)[50:110, 30:110])


def test_frame_holes_are_each_frames_own() -> None:
    persons = grown_masks(_moving_box(), 1.2)
    assert np.array_equal(holes_of(persons, Versions(hole="frame")), persons)


@pytest.mark.parametrize("hole", SHARED_HOLES)
def test_shared_holes_cover_the_person_in_every_frame_and_never_move(hole: str) -> None:
    persons = grown_masks(_moving_box(), 1.2)
    holes = holes_of(persons, Versions(hole=hole))
    assert holes.shape == persons.shape
    assert (holes == holes[0]).all()
    assert holes[persons].all()
    assert not holes.all()


def test_each_shape_tells_less_than_the_one_before() -> None:
    persons = np.zeros((2, 60, 80), bool)
    persons[0, 10:50, 20:26] = persons[1, 44:50, 20:60] = True  # an L
    union, hull, box = (
        holes_of(persons, Versions(hole=hole))[0] for hole in ("union", "hull", "box")
    )
    assert np.array_equal(union, persons.any(axis=0))
    # The hull of the L is a triangle's half of the box, more or less.
    assert union.sum() < hull.sum() < box.sum()
    assert hull[44, 26]
    assert not hull[12, 58]
    assert np.array_equal(np.argwhere(box)[[0, -1]], [[10, 20], [49, 59]])


def test_a_least_box_hides_shape_and_place() -> None:
    settings = Versions(hole="box", least_hole=[0.5, 0.8])
    low, high = np.zeros((2, 1, 60, 80), bool)
    low[0, 40:50, 30:50] = True
    high[0, 10:40, 35:45] = True
    holes = [holes_of(person, settings)[0] for person in (low, high)]
    assert np.array_equal(*holes)
    assert np.array_equal(np.argwhere(holes[0])[[0, -1]], [[6, 20], [53, 59]])
    aside = np.zeros((1, 60, 80), bool)
    aside[0, 40:60, 70:80] = True
    rows, columns = np.nonzero(holes_of(aside, settings)[0])
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (12, 59, 40, 79)


@pytest.mark.parametrize("hole", ["union", "hull", "box", "frame"])
def test_nobody_is_no_hole(hole: str) -> None:
    nobody = np.zeros((2, 20, 30), bool)
    assert not holes_of(nobody, Versions(hole=hole, least_hole=[0.5, 0.5])).any()


def test_a_person_of_one_pixel_is_hidden() -> None:
    person = np.zeros((1, 20, 30), bool)
    person[0, 5, 7] = True
    for hole in ("union", "hull", "box", "frame"):
        assert holes_of(grown_masks(person, 1.2), Versions(hole=hole))[0, 5, 7]


@pytest.mark.parametrize("hole", ["union", "frame", "box"])
def test_the_hole_elsewhere_has_the_shape_but_not_the_person(hole: str) -> None:
    masks = _moving_box()
    holes = holes_of(grown_masks(masks, 1.2), Versions(hole=hole))
    moved = hole_elsewhere(holes, masks)
    assert not (moved & masks).any()
    # There is room beside this person, so that nothing of the shape is lost.
    assert (moved.sum(axis=(1, 2)) == holes.sum(axis=(1, 2))).all()
    for before, after in zip(holes, moved, strict=True):
        offset = np.argwhere(after)[0] - np.argwhere(before)[0]
        assert np.array_equal(np.argwhere(before) + offset, np.argwhere(after))


def test_where_there_is_no_room_elsewhere_the_person_stays_visible() -> None:
    masks = np.zeros((1, 40, 40), bool)
    masks[0, 5:38, 4:36] = True
    holes = holes_of(grown_masks(masks, 1.2), Versions())
    moved = hole_elsewhere(holes, masks)
    assert not (moved & masks).any()
    assert not hole_elsewhere(np.zeros_like(holes), masks).any()
