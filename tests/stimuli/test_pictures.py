"""Letterbox, holes, inpainting, and versions as pure functions."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from stimuli.holes import grown, growth_px, holes_of
from stimuli.inpaint import INPAINTERS, inpainted
from stimuli.letterbox import Letterbox
from stimuli.versions import VERSIONS
from study.conditions import CONDITION_NAMES
from study.errors import StudyError
from study.fields import Versions


def _disc(size: int, radius: float, center_xy: tuple[float, float]) -> np.ndarray:
    ys, xs = np.mgrid[:size, :size]
    return np.hypot(xs - center_xy[0], ys - center_xy[1]) <= radius


def _scene(n_frames: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Return frames of noise and the masks of a box that moves."""
    frames = np.random.default_rng(0).integers(1, 256, (n_frames, 60, 80, 3), np.uint8)
    masks = np.zeros((n_frames, 60, 80), bool)
    for number in range(n_frames):
        masks[number, 20:40, 20 + 5 * number : 30 + 5 * number] = True
    return frames, masks


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


def test_union_hole_is_the_same_in_every_frame() -> None:
    _, masks = _scene()
    union = holes_of(masks, "union", 1.2)
    frames = holes_of(masks, "frame", 1.2)
    assert union.shape == masks.shape
    assert np.array_equal(union[0], frames.any(axis=0))
    assert np.array_equal(union[0], union[2])
    assert not np.array_equal(frames[0], frames[2])


def test_unknown_hole_lists_the_options() -> None:
    with pytest.raises(StudyError, match="'union', 'frame'"):
        holes_of(_scene()[1], "ring", 1.2)


@pytest.mark.parametrize("method", INPAINTERS)
def test_inpainting_changes_the_hole_alone(method: str) -> None:
    frames, masks = _scene()
    filled = inpainted(frames, masks, method, 3.0)
    assert np.array_equal(filled[~masks], frames[~masks])
    assert not np.array_equal(filled[masks], frames[masks])


def test_inpainting_a_flat_scene_restores_it() -> None:
    truth = np.full((1, 60, 80, 3), (40, 90, 160), np.uint8)
    _, masks = _scene(1)
    damaged = truth.copy()
    damaged[masks] = 0
    filled = inpainted(damaged, masks, "telea", 5.0)
    assert np.abs(filled.astype(int) - truth).max() <= 3


def test_person_who_fills_the_picture_leaves_nothing_to_fill_from() -> None:
    frames, masks = _scene(1)
    with pytest.raises(StudyError, match=r"covers 100% of the picture"):
        inpainted(frames, np.ones_like(masks), "telea", 5.0)


def test_there_is_a_version_for_every_condition() -> None:
    assert tuple(VERSIONS) == CONDITION_NAMES


@pytest.mark.parametrize("condition", VERSIONS)
def test_versions_are_pure(condition: str) -> None:
    frames, masks = _scene()
    frames_before, masks_before = frames.copy(), masks.copy()
    settings = Versions()
    first, hidden = VERSIONS[condition].make(frames, masks, settings)
    again, _ = VERSIONS[condition].make(frames, masks, settings)
    assert np.array_equal(frames, frames_before)
    assert np.array_equal(masks, masks_before)
    assert np.array_equal(first, again)
    assert first.dtype == np.uint8
    assert first.shape == frames.shape
    assert hidden.shape == masks.shape
    assert np.array_equal(first[~hidden], frames[~hidden])


@pytest.mark.parametrize("condition", VERSIONS)
def test_versions_depend_on_the_settings_that_they_name(condition: str) -> None:
    frames, masks = _scene()
    changed = {
        "hole": "frame",
        "dilation": 1.8,
        "inpainting": "navier_stokes",
        "inpaint_radius": 2.0,
    }
    plain, _ = VERSIONS[condition].make(frames, masks, Versions())
    for field, value in changed.items():
        other, _ = VERSIONS[condition].make(frames, masks, Versions(**{field: value}))
        differs = not np.array_equal(plain, other)
        assert differs == (field in VERSIONS[condition].depends_on), field


def test_body_only_is_black_but_for_the_person() -> None:
    frames, masks = _scene()
    body, hidden = VERSIONS["body_only"].make(frames, masks, Versions())
    assert (body[~masks] == 0).all()
    assert np.array_equal(body[masks], frames[masks])
    assert np.array_equal(hidden, ~masks)


def test_background_only_has_nothing_of_the_person() -> None:
    frames, masks = _scene()
    red = frames // 4
    red[masks] = (255, 0, 0)
    background, hidden = VERSIONS["background_only"].make(red, masks, Versions())
    assert hidden[masks].all()
    assert background[..., 0].max() < 80
    assert cv2.countNonZero(background[0][..., 1]) > 0
