"""A person performs an action: joints on the screen, in every frame of a clip."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from .actions import MOTIONS, Motion
from .camera import CameraPath
from .figure import extra_joints
from .person import Looks
from .skeleton import Joints, Limb, Pose, Proportions, joint_positions, rest_on_ground

EDGE = 0.06  # the figure's joints keep this distance from the frame's sides, in frame heights


@dataclass(frozen=True)
class Style:
    """How this clip's performance differs from others: nothing here depends on the action."""

    start: float  # phase of the first frame, in cycles
    tempo: float  # cycles per median cycle
    is_mirrored: bool  # left and right exchanged
    yaw: float  # degrees; 0 faces the viewer, positive faces the right side of the frame
    elevation: float  # degrees that the camera looks down
    place: float  # share of the way from the left to the right side of the frame
    ground: float  # height of the ground line, from the top, in frame heights
    seed: int  # of the small irregularities of the joints


def draw_style(rng: np.random.Generator) -> Style:
    """Draw a performance's style."""
    return Style(
        start=float(rng.random()),
        tempo=float(rng.uniform(0.8, 1.25)),
        is_mirrored=bool(rng.random() < 0.5),
        yaw=float(rng.choice((-1, 1)) * rng.uniform(34, 66)),
        elevation=float(rng.uniform(6, 13)),
        place=float(rng.uniform(0.26, 0.74)),
        ground=float(rng.uniform(0.84, 0.91)),
        seed=int(rng.integers(2**63)),
    )


@dataclass(frozen=True)
class Performance:
    """Where the joints are seen.

    Attributes
    ----------
    screen
        Joints in the frame, (T, 2) each, in frame heights.
    ground
        The points of the ground straight below the joints, (T, 2) each, in frame heights.
    altitude
        Heights of the joints above the ground, (T,) each, in standing heights.
    depth
        Nearness of the joints to the viewer, (T,) each, in standing heights.
    scale
        Size of the median standing height in every frame, (T,), in frame heights.
    """

    screen: Joints
    ground: Joints
    altitude: dict[str, NDArray[np.float64]]
    depth: dict[str, NDArray[np.float64]]
    scale: NDArray[np.float64]


def body_motion(
    action: str, body: Proportions, style: Style, n_frames: int, fps: float
) -> tuple[Joints, NDArray[np.float64]]:
    """Return the joints in body axes, standing on z = 0, and the way forwards (T,)."""
    motion = MOTIONS[action]
    cycles = np.arange(n_frames) / fps * style.tempo / motion.period_s
    pose = _roughened(motion.pose(style.start + cycles), style.seed, cycles)
    if style.is_mirrored:
        pose = pose.mirrored()
    joints = joint_positions(pose, body, n_frames)
    joints = extra_joints(rest_on_ground(joints, pose.lift, motion.supports))
    way = motion.travel * cycles
    return _anchored(joints, motion, style.is_mirrored), way - way.mean()


def perform(
    action: str,
    looks: Looks,
    style: Style,
    camera: CameraPath,
    size: float,
    n_frames: int,
    fps: float,
    aspect: float,
) -> Performance:
    """Put a person's performance of an action into the frame.

    `size` is the standing height of the median person in frame heights.
    """
    joints, way = body_motion(action, looks.body, style, n_frames, fps)
    scale = size * looks.height
    right, near = _seen_from(joints, style.yaw)
    travel = way * np.sin(np.radians(style.yaw)) * scale
    middle = _fit_sideways(np.stack(list(right.values())) * scale, travel, style.place, aspect)
    sine, cosine = np.sin(np.radians(style.elevation)), np.cos(np.radians(style.elevation))

    def frame_points(altitude: dict[str, NDArray[np.float64]]) -> Joints:
        return {
            name: camera.to_frame(
                np.stack(
                    [
                        middle + right[name] * scale,
                        style.ground - scale * (altitude[name] * cosine - near[name] * sine),
                    ],
                    axis=1,
                )
            )
            for name in joints
        }

    altitude = {name: p[:, 2] for name, p in joints.items()}
    return Performance(
        screen=frame_points(altitude),
        ground=frame_points(dict.fromkeys(joints, np.zeros(n_frames))),
        altitude=altitude,
        depth={name: near[name] * cosine + altitude[name] * sine for name in joints},
        scale=scale * camera.zoom,
    )


def _fit_sideways(
    right: NDArray[np.float64], travel: NDArray[np.float64], place: float, aspect: float
) -> NDArray[np.float64]:
    """Return the figure's middle (T,): walking ways shrink, and places move, to stay in view."""
    room = aspect - 2 * EDGE
    low, high = right.min(axis=0), right.max(axis=0)
    way = np.ptp(travel)
    free = max(0.0, room - float((high - low).max()))
    travel = travel * min(1.0, free / way) if way > 0 else travel
    reach_low, reach_high = float((low + travel).min()), float((high + travel).max())
    leftmost, rightmost = EDGE - reach_low, aspect - EDGE - reach_high
    if leftmost > rightmost:
        return travel + (leftmost + rightmost) / 2
    return travel + float(np.clip(place * aspect, leftmost, rightmost))


def _seen_from(
    joints: Joints, yaw: float
) -> tuple[dict[str, NDArray[np.float64]], dict[str, NDArray[np.float64]]]:
    """Return how far to the right and how near every joint is for a viewer, (T,) each."""
    sine, cosine = np.sin(np.radians(yaw)), np.cos(np.radians(yaw))
    right = {name: p[:, 0] * sine + p[:, 1] * cosine for name, p in joints.items()}
    near = {name: p[:, 0] * cosine - p[:, 1] * sine for name, p in joints.items()}
    return right, near


def _anchored(joints: Joints, motion: Motion, is_mirrored: bool) -> Joints:
    names = [_other_side(name) if is_mirrored else name for name in motion.anchor]
    offset = np.mean([joints[name] for name in names], axis=0) * np.array([1.0, 1.0, 0.0])
    return {name: p - offset for name, p in joints.items()}


def _other_side(joint: str) -> str:
    side, _, name = joint.partition("_")
    return {"left": f"right_{name}", "right": f"left_{name}"}.get(side, joint)


def _roughened(pose: Pose, seed: int, cycles: NDArray[np.float64]) -> Pose:
    """Add a person's small, slow irregularities to all joint angles, in a fixed order."""
    rng = np.random.default_rng(seed)

    def rough(angle: float | NDArray[np.float64], degrees: float) -> NDArray[np.float64]:
        steady, wobble, rate, shift = rng.normal(size=4)
        wave = np.sin(2 * np.pi * (cycles * (0.45 + 0.1 * rate) + shift))
        return angle + degrees * (
            0.7 * np.clip(steady, -2, 2) + 0.4 * np.clip(wobble, -2, 2) * wave
        )

    def rough_limb(limb: Limb, degrees: float) -> Limb:
        foot = limb.foot
        return Limb(
            flex=rough(limb.flex, degrees),
            abduct=rough(limb.abduct, 0.6 * degrees),
            twist=rough(limb.twist, degrees),
            bend=np.maximum(rough(limb.bend, degrees), 0.0),
            foot=foot if foot is None else rough(foot, degrees),
        )

    changes: dict[str, object] = {}
    for item in fields(pose):
        value = getattr(pose, item.name)
        if isinstance(value, Limb):
            changes[item.name] = rough_limb(value, 7.0 if "arm" in item.name else 2.5)
        elif item.name != "lift":
            changes[item.name] = rough(value, 2.5)
    return replace(pose, **changes)
