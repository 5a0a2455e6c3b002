"""Bodies in motion: sound skeletons, feet on the ground, actions that differ."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from stimuli.world.actions import ACTIONS, MOTIONS
from stimuli.world.camera import draw_camera
from stimuli.world.draws import named_generator
from stimuli.world.performance import Style, body_motion, draw_style, perform
from stimuli.world.person import draw_looks
from stimuli.world.skeleton import (
    Limb,
    Pose,
    Proportions,
    joint_positions,
    rest_on_ground,
    surface_radius,
)

BONES = [
    (f"{side}_{start}", f"{side}_{end}", length)
    for side in ("left", "right")
    for start, end, length in (
        ("shoulder", "elbow", "upper_arm"), ("elbow", "wrist", "forearm"),
        ("hip", "knee", "thigh"), ("knee", "ankle", "shin"),
    )
]  # fmt: skip
N_FRAMES, FPS = 24, 12.5


def _style(seed: int) -> Style:
    return draw_style(named_generator(seed, "test style"))


def _motion(action: str, seed: int = 0) -> dict[str, np.ndarray]:
    return body_motion(action, Proportions(), _style(seed), N_FRAMES, FPS)[0]


def test_standing_figure_is_one_high() -> None:
    joints = rest_on_ground(joint_positions(Pose(), Proportions(), 1), 0.0)
    assert joints["crown"][0, 2] == pytest.approx(1.0, abs=0.02)
    assert joints["left_shoulder"][0, 1] > 0 > joints["right_shoulder"][0, 1]
    assert joints["left_toe"][0, 0] > joints["left_heel"][0, 0]


def test_joint_angles_turn_the_right_way() -> None:
    body, limb = Proportions(), Limb(flex=90.0, bend=90.0)
    pose = Pose(left_arm=limb, left_leg=limb, right_arm=Limb(abduct=90.0))
    joints = {name: p[0] for name, p in joint_positions(pose, body, 1).items()}
    forwards, left, up = 0, 1, 2
    for start, end, axis, way in (
        ("left_shoulder", "left_elbow", forwards, body.upper_arm),
        ("left_elbow", "left_wrist", up, body.forearm),
        ("left_hip", "left_knee", forwards, body.thigh),
        ("left_knee", "left_ankle", up, -body.shin),
        ("right_shoulder", "right_elbow", left, -body.upper_arm),
    ):
        assert joints[end][axis] - joints[start][axis] == pytest.approx(way)


def test_bones_keep_their_lengths_in_all_actions() -> None:
    body = draw_looks(named_generator(1, "a person")).body
    for action in ACTIONS:
        joints = body_motion(action, body, _style(2), N_FRAMES, FPS)[0]
        for start, end, name in BONES:
            lengths = np.linalg.norm(joints[end] - joints[start], axis=1)
            np.testing.assert_allclose(lengths, getattr(body, name), rtol=1e-9)


@pytest.mark.parametrize("action", ACTIONS)
def test_figure_touches_the_ground_and_never_sinks_into_it(action: str) -> None:
    joints = _motion(action)
    heights = [p[:, 2] - surface_radius(name) for name, p in joints.items() if surface_radius(name)]
    lowest = np.min(heights, axis=0)
    assert lowest.min() > -1e-9
    assert lowest.max() < (0.09 if action in ("jumping_jack", "running") else 1e-9)
    if MOTIONS[action].supports is not None:
        for group in MOTIONS[action].supports:
            low = np.min([joints[j][:, 2] - surface_radius(j) for j in group], axis=0)
            assert np.median(low) < 0.045


@pytest.mark.parametrize("action", ACTIONS)
def test_knees_and_elbows_never_bend_backwards(action: str) -> None:
    motion = MOTIONS[action]
    pose = motion.pose(np.linspace(0, 1, 50))
    for limb in (pose.left_arm, pose.right_arm, pose.left_leg, pose.right_leg):
        assert np.min(limb.bend) >= 0
        assert np.max(limb.bend) <= 150


@pytest.mark.parametrize("action", ACTIONS)
def test_movements_repeat_without_a_jump(action: str) -> None:
    phases = np.linspace(0, 1, 201)
    joints = joint_positions(MOTIONS[action].pose(phases), Proportions(), len(phases))
    for points in joints.values():
        np.testing.assert_allclose(points[0], points[-1], atol=1e-9)
        assert np.abs(np.diff(points, axis=0)).max() < 0.05


def _pose_vectors(action: str) -> np.ndarray:
    """Poses of a cycle as (frames, 3 * joints), both for the action and its mirror image."""
    phases = np.linspace(0, 1, 16, endpoint=False)
    motion, vectors = MOTIONS[action], []
    for pose in (motion.pose(phases), motion.pose(phases).mirrored()):
        joints = joint_positions(pose, Proportions(), len(phases))
        joints = rest_on_ground(joints, pose.lift, motion.supports)
        names = [n for n in sorted(joints) if n.split("_")[-1] not in ("nose", "ear", "heel")]
        vectors.append(np.concatenate([joints[name] for name in names], axis=1))
    return np.concatenate(vectors)


def test_actions_are_told_apart_by_pose() -> None:
    """The typical pose of an action is far from all poses of every other one."""
    poses = {action: _pose_vectors(action) for action in ACTIONS}
    n_joints = next(iter(poses.values())).shape[1] // 3
    for first, second in combinations(ACTIONS, 2):
        between = np.linalg.norm(poses[first][:, None] - poses[second][None], axis=2)
        nearest = between.min(axis=1) / np.sqrt(n_joints)  # RMS distance of a joint, in heights
        assert np.median(nearest) > 0.06, (first, second)


def test_style_varies_and_both_directions_occur() -> None:
    styles = [_style(seed) for seed in range(200)]
    facing_right = np.mean([style.yaw > 0 for style in styles])
    mirrored = np.mean([style.is_mirrored for style in styles])
    assert 0.35 < facing_right < 0.65
    assert 0.35 < mirrored < 0.65
    assert all(30 <= abs(style.yaw) <= 70 for style in styles)


@pytest.mark.parametrize("aspect", [1.0, 16 / 9])
def test_walking_ways_stay_in_view(aspect: float) -> None:
    looks = draw_looks(named_generator(0, "looks"))
    camera = draw_camera(named_generator(0, "camera"), 60, FPS, aspect, moves=False)
    for seed in range(12):
        performance = perform("running", looks, _style(seed), camera, 0.6, 60, FPS, aspect)
        across = np.stack([p[:, 0] for p in performance.screen.values()])
        assert across.min() > 0
        assert across.max() < aspect
