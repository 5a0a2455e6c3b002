"""The skeleton: joint angles in, joint positions in space out (forward kinematics).

Body axes: x forwards, y to the body's left, z up; lengths are shares of the standing height of
a median person. Angles are degrees. At zero the figure stands with arms and legs hanging down.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Angle = NDArray[np.float64] | float
Vectors = NDArray[np.float64]  # (T, 3)
Rotations = NDArray[np.float64]  # (T, 3, 3)


class Limb(NamedTuple):
    """Angles of an arm or a leg, each a number or one per frame.

    flex swings it forwards, abduct away from the body's midline, twist turns it about its own
    axis (outwards), bend closes the elbow or the knee (0 is straight). `foot` tilts the toes of a
    leg up against the shin; None keeps the foot flat on the ground.
    """

    flex: Angle = 0.0
    abduct: Angle = 0.0
    twist: Angle = 0.0
    bend: Angle = 0.0
    foot: Angle | None = None


@dataclass(frozen=True)
class Pose:
    """Joint angles of the whole figure over T frames.

    pitch tips the pelvis forwards (90: face down), roll to the body's left; lean, side and spin
    bend the spine forwards, to the left and about its axis, nod tips the head forwards. lift
    raises the figure above the ground (share of the standing height).
    """

    pitch: Angle = 0.0
    roll: Angle = 0.0
    lean: Angle = 0.0
    side: Angle = 0.0
    spin: Angle = 0.0
    nod: Angle = 0.0
    lift: Angle = 0.0
    left_arm: Limb = field(default_factory=Limb)
    right_arm: Limb = field(default_factory=Limb)
    left_leg: Limb = field(default_factory=Limb)
    right_leg: Limb = field(default_factory=Limb)

    def mirrored(self) -> Pose:
        """Return the pose with left and right exchanged."""
        return replace(
            self,
            roll=-self.roll,
            side=-self.side,
            spin=-self.spin,
            left_arm=self.right_arm,
            right_arm=self.left_arm,
            left_leg=self.right_leg,
            right_leg=self.left_leg,
        )


@dataclass(frozen=True)
class Proportions:
    """Lengths and radii of the body parts, shares of the median standing height."""

    thigh: float = 0.24
    shin: float = 0.23
    belly: float = 0.11
    chest: float = 0.175
    neck: float = 0.045
    head: float = 0.072
    upper_arm: float = 0.165
    forearm: float = 0.145
    hand: float = 0.06
    foot: float = 0.10
    shoulder_half_width: float = 0.112
    hip_half_width: float = 0.058
    girth: float = 1.0


Joints = dict[str, Vectors]

# How far the body's surface is from a joint: what touches the ground, before girth.
SURFACE = {
    "pelvis": 0.075,
    "chest": 0.06,
    "head": 0.075,
    "elbow": 0.03,
    "hand": 0.022,
    "knee": 0.045,
    "heel": 0.022,
    "toe": 0.018,
}


def surface_radius(joint: str) -> float:
    """Distance of the surface from a joint such as "left_knee" (share of the height)."""
    return SURFACE.get(joint.removeprefix("left_").removeprefix("right_"), 0.0)


def joint_positions(pose: Pose, body: Proportions, n_frames: int) -> Joints:
    """Return the positions of all joints, each (T, 3), with the pelvis at the origin."""
    pelvis = _turn_y(pose.pitch, n_frames) @ _turn_x(_minus(pose.roll), n_frames)
    half_lean = _turn_y(np.multiply(0.5, pose.lean), n_frames)
    half_side = _turn_x(np.multiply(-0.5, pose.side), n_frames)
    belly = pelvis @ half_side @ half_lean
    chest = belly @ _turn_z(pose.spin, n_frames) @ half_side @ half_lean
    head = chest @ _turn_y(pose.nod, n_frames)
    joints = {"pelvis": np.zeros((n_frames, 3))}
    joints["waist"] = _along(belly, 0, 0, body.belly)
    joints["chest"] = joints["waist"] + _along(chest, 0, 0, body.chest)
    joints["head"] = joints["chest"] + _along(head, 0.012, 0, body.neck + body.head)
    joints["nose"] = joints["head"] + _along(head, body.head, 0, 0)
    joints["crown"] = joints["head"] + _along(head, 0, 0, body.head)
    joints["ear"] = joints["head"] + _along(head, 0, body.head, 0)
    for side, sign, arm, leg in (
        ("left", 1, pose.left_arm, pose.left_leg),
        ("right", -1, pose.right_arm, pose.right_leg),
    ):
        joints |= _arm(side, sign, arm, body, joints["chest"], chest)
        joints |= _leg(side, sign, leg, body, pelvis)
    return joints


def _arm(
    side: str, sign: int, limb: Limb, body: Proportions, neck: Vectors, chest: Rotations
) -> Joints:
    n = len(neck)
    shoulder = neck + _along(chest, 0, sign * body.shoulder_half_width, -0.025)
    upper = chest @ _limb_rotation(limb, sign, n)
    fore = upper @ _turn_y(_minus(limb.bend), n)
    elbow = shoulder + _along(upper, 0, 0, -body.upper_arm)
    wrist = elbow + _along(fore, 0, 0, -body.forearm)
    hand = wrist + _along(fore, 0.006, 0, -body.hand)
    names = ("shoulder", "elbow", "wrist", "hand")
    return {
        f"{side}_{name}": p for name, p in zip(names, (shoulder, elbow, wrist, hand), strict=True)
    }


def _leg(side: str, sign: int, limb: Limb, body: Proportions, pelvis: Rotations) -> Joints:
    n = len(pelvis)
    hip = _along(pelvis, 0, sign * body.hip_half_width, -0.01)
    thigh = pelvis @ _limb_rotation(limb, sign, n)
    shin = thigh @ _turn_y(limb.bend, n)
    knee = hip + _along(thigh, 0, 0, -body.thigh)
    ankle = knee + _along(shin, 0, 0, -body.shin)
    if limb.foot is None:
        foot = _turn_z(12 * sign + np.multiply(sign, limb.twist), n)
    else:
        foot = shin @ _turn_y(_minus(limb.foot), n)
    heel = ankle + _along(foot, -0.022, 0, -0.022)
    toe = ankle + _along(foot, body.foot, 0, -0.026)
    names = ("hip", "knee", "ankle", "heel", "toe")
    return {
        f"{side}_{name}": p for name, p in zip(names, (hip, knee, ankle, heel, toe), strict=True)
    }


def rest_on_ground(
    joints: Joints, lift: Angle, supports: tuple[tuple[str, ...], tuple[str, ...]] | None = None
) -> Joints:
    """Move the figure so that its lowest surface is at z = `lift`.

    With two groups of `supports` (hands and toes, say) it is first tipped forwards or backwards
    until both groups are equally high, so that a push-up rests on hands and feet alike.
    """
    if supports is not None:
        low = [_lowest(joints, group) for group in supports]
        mid = [np.mean([joints[name][:, 0] for name in group], axis=0) for group in supports]
        tilt = np.degrees(np.arctan2(low[1] - low[0], mid[1] - mid[0]))
        turn = _turn_y(tilt, len(tilt))
        joints = {name: np.einsum("tij,tj->ti", turn, p) for name, p in joints.items()}
    touching = [name for name in joints if surface_radius(name) > 0]
    drop = _lowest(joints, touching) - lift
    return {name: p - drop[:, None] * np.array([0.0, 0.0, 1.0]) for name, p in joints.items()}


def _lowest(joints: Joints, names: tuple[str, ...] | list[str]) -> NDArray[np.float64]:
    return np.min([joints[name][:, 2] - surface_radius(name) for name in names], axis=0)


def _limb_rotation(limb: Limb, sign: int, n_frames: int) -> Rotations:
    return (
        _turn_y(_minus(limb.flex), n_frames)
        @ _turn_x(np.multiply(sign, limb.abduct), n_frames)
        @ _turn_z(np.multiply(sign, limb.twist), n_frames)
    )


def _along(rotation: Rotations, x: float, y: float, z: float) -> Vectors:
    return rotation @ np.array([x, y, z])


def _minus(angle: Angle) -> Angle:
    return np.negative(angle)


def _rotation(angle: Angle, n_frames: int, i: int, j: int) -> Rotations:
    """Rotation by an angle that carries axis i towards axis j."""
    radians = np.radians(np.broadcast_to(angle, (n_frames,)))
    matrix = np.tile(np.eye(3), (n_frames, 1, 1))
    matrix[:, i, i] = matrix[:, j, j] = np.cos(radians)
    matrix[:, j, i] = np.sin(radians)
    matrix[:, i, j] = -matrix[:, j, i]
    return matrix


def _turn_x(angle: Angle, n_frames: int) -> Rotations:
    return _rotation(angle, n_frames, 1, 2)


def _turn_y(angle: Angle, n_frames: int) -> Rotations:
    """Tip forwards: up goes to the front (and what hangs down goes to the back)."""
    return _rotation(angle, n_frames, 2, 0)


def _turn_z(angle: Angle, n_frames: int) -> Rotations:
    return _rotation(angle, n_frames, 0, 1)
