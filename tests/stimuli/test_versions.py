"""The versions of a clip as pure functions of frames and masks."""

from __future__ import annotations

from dataclasses import fields

import cv2
import numpy as np
import pytest

from stimuli.blur import blurred_outside
from stimuli.measure import luminance_and_contrast
from stimuli.versions import VERSIONS, Scene
from study.conditions import CONDITION_NAMES, CONDITIONS
from study.fields import Versions

# In small pictures of noise every difference shows.
PLAIN = {"hole": "union", "inpainting": "telea"}
CHANGES = {
    "hole": "frame",
    "least_hole": [0.9, 0.9],
    "dilation": 1.8,
    "inpainting": "navier_stokes",
    "inpaint_radius": 2.0,
    "fill": "grey",
    "blur": 0.2,
    "dot_size": 0.1,
}
# Such a change shows only with these.
SHOWS_WITH = {"least_hole": {"hole": "box"}}


def _scene(n_frames: int = 3) -> Scene:
    """Return noise in which a box moves, another clip's background and two key points."""
    rng = np.random.default_rng(0)
    frames, other = rng.integers(1, 256, (2, n_frames, 60, 80, 3), np.uint8)
    masks = np.zeros((n_frames, 60, 80), bool)
    points = np.zeros((n_frames, 2, 3))
    for number in range(n_frames):
        masks[number, 20:40, 20 + 5 * number : 30 + 5 * number] = True
        points[number] = [[25 + 5 * number, 22, 1], [25 + 5 * number, 38, 1]]
    return Scene(frames, masks, other, points)


def test_there_is_a_version_for_every_condition() -> None:
    assert tuple(VERSIONS) == CONDITION_NAMES


@pytest.mark.parametrize("condition", VERSIONS)
def test_versions_are_pure(condition: str) -> None:
    scene, settings = _scene(), Versions()
    before = {field.name: getattr(scene, field.name).copy() for field in fields(scene)}
    first, hidden = VERSIONS[condition].make(scene, settings)
    again, _ = VERSIONS[condition].make(scene, settings)
    for name, value in before.items():
        assert np.array_equal(getattr(scene, name), value)
    assert np.array_equal(first, again)
    assert first.dtype == np.uint8
    assert first.shape == scene.frames_thwc.shape
    assert hidden.shape == scene.masks_thw.shape
    assert np.array_equal(first[~hidden], scene.frames_thwc[~hidden])


@pytest.mark.parametrize("condition", VERSIONS)
@pytest.mark.parametrize("field", CHANGES)
def test_versions_depend_on_the_settings_that_they_name(condition: str, field: str) -> None:
    scene = _scene()
    with_it = PLAIN | SHOWS_WITH.get(field, {})
    plain, _ = VERSIONS[condition].make(scene, Versions(**with_it))
    other, _ = VERSIONS[condition].make(scene, Versions(**with_it | {field: CHANGES[field]}))
    named = field in VERSIONS[condition].depends_on
    if not np.array_equal(plain, other):
        assert named
    elif field != "fill":
        # The fill colour is named by every version that inpaints, but only `flat` shows it; and
        # another clip's background is already filled in.
        assert not named or condition == "swapped_background"


@pytest.mark.parametrize("condition", VERSIONS)
def test_versions_need_what_they_name(condition: str) -> None:
    scene, version = _scene(), VERSIONS[condition]
    needed = {"masks": "masks_thw", "points": "points_tkc", "other": "other_thwc"}
    without = {
        field: (np.zeros_like(scene.masks_thw) if field == "masks_thw" else None)
        for name, field in needed.items()
        if name not in version.needs
    }
    bare = Scene(**{field.name: getattr(scene, field.name) for field in fields(scene)} | without)
    assert np.array_equal(version.make(scene, Versions())[0], version.make(bare, Versions())[0])


def test_original_is_the_clip_itself() -> None:
    scene = _scene()
    assert np.array_equal(VERSIONS["body_background"].make(scene, Versions())[0], scene.frames_thwc)


def test_body_only_is_black_but_for_the_person() -> None:
    scene = _scene()
    body, hidden = VERSIONS["body_only"].make(scene, Versions())
    assert (body[~scene.masks_thw] == 0).all()
    assert np.array_equal(body[scene.masks_thw], scene.frames_thwc[scene.masks_thw])
    assert np.array_equal(hidden, ~scene.masks_thw)


def test_fill_colours() -> None:
    scene = _scene()
    outside = scene.frames_thwc[~scene.masks_thw].astype(float)
    colors = {}
    for fill in ("black", "grey", "mean", "matched"):
        body, hidden = VERSIONS["body_only"].make(scene, Versions(fill=fill))
        assert len(np.unique(body[hidden], axis=0)) == 1
        colors[fill] = body[hidden][0]
    assert colors["black"].tolist() == [0, 0, 0]
    assert len(set(colors["grey"].tolist())) == 1
    assert np.abs(colors["mean"] - outside.mean(axis=0)).max() <= 1
    luma = outside @ [0.299, 0.587, 0.114]
    assert np.abs(colors["matched"] - luma.mean()).max() <= 1


def test_background_only_has_nothing_of_the_person() -> None:
    scene = _scene()
    red = scene.frames_thwc // 4
    red[scene.masks_thw] = (255, 0, 0)
    background, hidden = VERSIONS["background_only"].make(Scene(red, scene.masks_thw), Versions())
    assert hidden[scene.masks_thw].all()
    assert background[..., 0].max() < 100
    assert cv2.countNonZero(background[0][..., 1]) > 0


@pytest.mark.parametrize(("fill", "figure", "ground"), [("black", 255, 0), ("grey", 0, 128)])
def test_silhouette_has_two_colours(fill: str, figure: int, ground: int) -> None:
    scene = _scene()
    made, _ = VERSIONS["silhouette"].make(scene, Versions(fill=fill))
    assert (made[scene.masks_thw] == figure).all()
    assert (np.abs(made[~scene.masks_thw].astype(int) - ground) <= 1).all()


def test_point_light_shows_dots_at_the_points_alone() -> None:
    scene = _scene()
    made, _ = VERSIONS["point_light"].make(scene, Versions(dot_size=0.1))
    ys, xs = np.mgrid[:60, :80]
    for frame, points in zip(made, scene.points_tkc, strict=True):
        nearest = np.min([np.hypot(xs - x, ys - y) for x, y, _ in points], axis=0)
        assert (frame[nearest <= 2] == 255).all()
        assert (frame[nearest > 4.5] == 0).all()


def test_hidden_and_unknown_points_are_not_drawn() -> None:
    scene = _scene(1)
    scene.points_tkc[0, 0, 2] = 0
    scene.points_tkc[0, 1, 0] = np.nan
    assert not VERSIONS["point_light"].make(scene, Versions())[0].any()


def test_swapped_background_is_this_person_before_the_other_scene() -> None:
    scene = _scene()
    made, _ = VERSIONS["swapped_background"].make(scene, Versions())
    assert np.array_equal(made[scene.masks_thw], scene.frames_thwc[scene.masks_thw])
    assert np.array_equal(made[~scene.masks_thw], scene.other_thwc[~scene.masks_thw])


def test_blur_takes_nothing_from_the_person() -> None:
    scene = _scene(1)
    frames = np.full_like(scene.frames_thwc, 90)
    frames[scene.masks_thw] = (255, 0, 0)
    blurred = blurred_outside(frames, scene.masks_thw, 6.0)
    assert np.array_equal(blurred, frames)


def test_blur_is_a_gaussian_where_no_person_is_near() -> None:
    frames = np.random.default_rng(1).integers(0, 256, (1, 90, 120, 3), np.uint8)
    masks = np.zeros((1, 90, 120), bool)
    expected = cv2.GaussianBlur(frames[0].astype(float), (0, 0), 3.0, borderType=cv2.BORDER_REFLECT)
    assert np.abs(blurred_outside(frames, masks, 3.0)[0] - expected).max() <= 1
    # A wide blur is made of a smaller picture; it is the same within a few grey levels.
    wide = cv2.GaussianBlur(frames[0].astype(float), (0, 0), 12.0, borderType=cv2.BORDER_REFLECT)
    assert np.abs(blurred_outside(frames, masks, 12.0)[0] - wide).mean() < 2


def test_inpainting_elsewhere_leaves_the_person_alone() -> None:
    scene = _scene()
    made, hidden = VERSIONS["inpaint_control"].make(scene, Versions())
    assert np.array_equal(made[scene.masks_thw], scene.frames_thwc[scene.masks_thw])
    assert hidden.mean() == pytest.approx(
        VERSIONS["background_only"].make(scene, Versions())[1].mean()
    )


def test_every_version_that_lacks_a_part_hides_something() -> None:
    for name, look in CONDITIONS.items():
        _, hidden = VERSIONS[name].make(_scene(), Versions())
        assert hidden.any() or not look.lacks


def test_luminance_and_contrast_of_known_pictures() -> None:
    halves = np.zeros((2, 4, 4, 3), np.uint8)
    halves[:, :, 2:] = 255
    assert luminance_and_contrast(halves) == pytest.approx((0.5, 0.5))
    red = np.zeros((1, 4, 4, 3), np.uint8)
    red[..., 0] = 255
    assert luminance_and_contrast(red) == pytest.approx((0.299, 0.0), abs=0.002)
