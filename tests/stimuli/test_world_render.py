"""Rendered clips: the same bytes everywhere, true masks, clean backgrounds, all combinations."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from stimuli.world import ACTIONS, SCENES, RenderedClip, WorldSettings, draw_recipe, render_clip
from stimuli.world.camera import draw_camera
from stimuli.world.draws import named_generator
from stimuli.world.figure import FigurePainter
from stimuli.world.performance import draw_style, perform
from stimuli.world.person import draw_looks

SMALL = WorldSettings(width=128, height=72, n_frames=6, fps=4.0, scene_validity=0.0)
ROOT = Path(__file__).resolve().parents[2]

IN_ANOTHER_PROCESS = """
import hashlib
from stimuli.world import ACTIONS, WorldSettings, draw_recipe, render_clip
settings = WorldSettings(width=97, height=55, n_frames=5)
clip = render_clip(draw_recipe("kicking", 3, ACTIONS, settings, 5))
parts = (clip.frames_thwc, clip.backgrounds_thwc, clip.masks_thw)
print(hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest())
"""


def _render(action: str, index: int = 1, seed: int = 0, **changes: object) -> RenderedClip:
    return render_clip(draw_recipe(action, index, ACTIONS, replace(SMALL, **changes), seed))


def _digest(clip: RenderedClip) -> str:
    parts = (clip.frames_thwc, clip.backgrounds_thwc, clip.masks_thw)
    return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()


def test_same_recipe_same_bytes_in_every_process() -> None:
    settings = WorldSettings(width=97, height=55, n_frames=5)
    here = _digest(render_clip(draw_recipe("kicking", 3, ACTIONS, settings, 5)))
    there = subprocess.run(
        [sys.executable, "-c", IN_ANOTHER_PROCESS],
        capture_output=True, text=True, check=True, cwd=ROOT, env={"PYTHONHASHSEED": "12"},
    )  # fmt: skip
    assert there.stdout.strip() == here
    other = render_clip(draw_recipe("kicking", 3, ACTIONS, settings, 6))
    assert _digest(other) != here


@pytest.mark.parametrize("action", ACTIONS)
def test_frame_is_background_outside_the_figure_and_its_shadow(action: str) -> None:
    clip = _render(action, 2, width=160, height=90)
    frames, backgrounds = clip.frames_thwc.astype(int), clip.backgrounds_thwc.astype(int)
    assert clip.masks_thw.any(axis=(1, 2)).all()
    rim = np.stack([cv2.dilate(m.astype(np.uint8), np.ones((3, 3))) for m in clip.masks_thw]) > 0
    outside = (frames - backgrounds)[~rim]
    assert outside.max() <= 0, "outside the figure only its shadow may show"
    assert outside.min() < -5, "the figure casts a shadow"
    assert np.mean(outside == 0) > 0.8
    inside = np.abs(frames - backgrounds).max(axis=-1)[clip.masks_thw]
    assert np.mean(inside > 8) > 0.75, "inside the mask the figure hides the background"


@pytest.mark.parametrize("action", ACTIONS)
def test_figure_is_in_the_frame(action: str) -> None:
    """Drawn on a sheet that is larger than the frame, hardly anything of the figure is outside."""
    height, width, beyond = 90, 160, 60
    for person in range(1, 16):
        looks = draw_looks(named_generator(0, "looks", person))
        style = draw_style(named_generator(0, "style", action, person))
        camera = draw_camera(named_generator(0, "camera", person), 8, 4.0, width / height, True)
        seen = perform(action, looks, style, camera, 0.6, 8, 4.0, width / height)
        screen = {name: p * height for name, p in seen.screen.items()}
        light, tint = np.array([0.0, -1.0]), np.ones(3)
        painter = FigurePainter(looks, screen, seen.depth, seen.scale * height, light, tint)
        for frame in range(8):
            sheet = np.zeros((height + 2 * beyond, width + 2 * beyond, 4), np.uint8)
            painter.paint(frame, sheet, 1, -beyond, -beyond)
            covered = sheet[..., 3] > 0
            inside = covered[beyond:-beyond, beyond:-beyond].sum()
            assert inside >= 0.9 * covered.sum() > 0


@pytest.mark.parametrize(
    "shift", [0, *(pytest.param(k, marks=pytest.mark.slow) for k in range(1, 16))]
)
def test_every_action_renders_in_every_scene(shift: int) -> None:
    for position, action in enumerate(ACTIONS):
        scene = SCENES[(position + shift) % len(SCENES)]
        recipe = replace(draw_recipe(action, 1, ACTIONS, SMALL, 0), scene=scene, n_frames=2)
        clip = render_clip(recipe)
        assert clip.frames_thwc.shape == (2, 72, 128, 3)
        assert clip.masks_thw.any(axis=(1, 2)).all()


@pytest.mark.parametrize("scene", SCENES)
def test_scenes_are_textured_and_differ_between_instances(scene: str) -> None:
    clips = [
        render_clip(
            replace(draw_recipe("waving", i, ACTIONS, SMALL, 0), scene=scene, camera_motion=False)
        )
        for i in (1, 2, 3)
    ]
    for clip in clips:
        image = clip.backgrounds_thwc[0]
        assert image.std() > 12
        assert np.abs(np.diff(image.astype(int), axis=1)).mean() > 1.0
        assert (clip.backgrounds_thwc[0] != clip.backgrounds_thwc[-1]).any(), "something moves"
    first, second, third = (clip.backgrounds_thwc[0].astype(int) for clip in clips)
    assert np.abs(first - second).mean() > 6
    assert np.abs(first - third).mean() > 6


def test_looks_follow_from_the_index_and_not_from_the_action() -> None:
    looks = [draw_looks(named_generator(0, "looks", person)) for person in range(1, 60)]
    assert len({person.shirt for person in looks}) > 50
    assert {person.sleeves for person in looks} == {"none", "short", "long"}
    heights = np.array([person.height for person in looks])
    assert heights.min() >= 0.85
    assert heights.max() <= 1.15
    shirts = {}
    for action in ("waving", "jumping_jack", "walking"):
        clip = _render(action, 4, width=320, height=180, n_frames=1)
        body = clip.frames_thwc[clip.masks_thw]
        shirts[action] = np.bincount((body // 64) @ np.array([16, 4, 1]), minlength=64) / len(body)
    np.testing.assert_allclose(shirts["waving"], shirts["walking"], atol=0.25)
    np.testing.assert_allclose(shirts["waving"], shirts["jumping_jack"], atol=0.25)


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("size", [(21, 100), (65, 37)])
def test_narrow_and_odd_frames_in_every_scene(scene: str, size: tuple[int, int]) -> None:
    width, height = size
    settings = replace(SMALL, width=width, height=height, n_frames=1)
    recipe = replace(draw_recipe("waving", 2, ACTIONS, settings, 0), scene=scene)
    assert render_clip(recipe).frames_thwc.shape == (1, height, width, 3)


@pytest.mark.parametrize("size", [(64, 36), (65, 37), (33, 61), (1280, 720)])
def test_other_frame_sizes(size: tuple[int, int]) -> None:
    width, height = size
    clip = _render("jumping_jack", width=width, height=height, n_frames=2)
    assert clip.frames_thwc.shape == clip.backgrounds_thwc.shape == (2, height, width, 3)
    assert clip.masks_thw.shape == (2, height, width)
    assert clip.masks_thw.dtype == bool
    assert clip.masks_thw.any(axis=(1, 2)).all()


def test_figure_size_sets_the_height_of_the_figure() -> None:
    def heights(size: float) -> list[int]:
        clips = [
            _render("walking", i, figure_size=size, n_frames=2, camera_motion=False, height=180)
            for i in range(1, 7)
        ]
        return [np.ptp(np.flatnonzero(clip.masks_thw[0].any(axis=1))) + 1 for clip in clips]

    small, large = np.array(heights(0.35)) / 180, np.array(heights(0.7)) / 180
    assert np.all((small > 0.35 * 0.8) & (small < 0.35 * 1.22))
    np.testing.assert_allclose(large / small, 2, rtol=0.06)


def test_camera_moves_in_some_clips_only_and_only_if_asked() -> None:
    def first_and_last(index: int, moves: bool) -> np.ndarray:
        recipe = draw_recipe("waving", index, ACTIONS, SMALL, 0)
        recipe = replace(recipe, scene="classroom", camera_motion=moves)
        images = render_clip(recipe).backgrounds_thwc.astype(int)
        return np.abs(images[0] - images[-1])[40:].mean()  # below the bunting and the clock

    assert all(first_and_last(index, False) == 0 for index in range(1, 5))
    differences = np.array([first_and_last(index, True) for index in range(1, 13)])
    assert 2 <= np.sum(differences > 0) <= 10
