"""The actions: one small function each, from the phase of the movement to a pose.

Adding an action is one function and one line in `MOTIONS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .skeleton import Limb, Pose

Phase = NDArray[np.float64]  # (T,) in cycles: 0 and 1 are the same pose

FEET = ("left_ankle", "right_ankle")


@dataclass(frozen=True)
class Motion:
    """An action's movement.

    Attributes
    ----------
    pose
        Maps phases (T,) to the pose.
    period_s
        Duration of a cycle at median speed.
    anchor
        Joints whose mean stays above the same spot on the ground.
    supports
        Hind and front joints that both carry weight, where the figure does not stand.
    travel
        Way forwards in a cycle, as a share of the standing height.
    """

    pose: Callable[[Phase], Pose]
    period_s: float
    anchor: tuple[str, ...] = FEET
    supports: tuple[tuple[str, ...], tuple[str, ...]] | None = None
    travel: float = 0.0


def _sway(phase: Phase, shift: float = 0.0) -> Phase:
    """A sine: -1 to 1."""
    return np.sin(2 * np.pi * (phase + shift))


def _pulse(phase: Phase, low: float = 0.0) -> Phase:
    """Once per cycle from `low` to 1 and back, lingering at 1: rest between repeats is short."""
    wave = 0.5 - 0.5 * np.cos(2 * np.pi * phase)
    return low + (1 - low) * np.sin(np.pi / 2 * np.sin(np.pi / 2 * wave))


def _alternate(phase: Phase) -> Phase:
    """From -1 to 1 and back, lingering at both ends."""
    return np.tanh(2.2 * _sway(phase)) / np.tanh(2.2)


def _positive(values: Phase) -> Phase:
    return np.maximum(values, 0.0)


def jumping_jack(phase: Phase) -> Pose:
    spread = _pulse(phase, 0.3)
    arm = Limb(flex=8, abduct=20 + 125 * spread, bend=12)
    leg = Limb(abduct=2 + 27 * spread, bend=4)
    return Pose(
        lift=0.07 * np.abs(_sway(phase)), left_arm=arm, right_arm=arm, left_leg=leg, right_leg=leg
    )


def squatting(phase: Phase) -> Pose:
    depth = _pulse(phase, 0.6)
    arm = Limb(flex=95 - 5 * depth, abduct=6, bend=8)
    leg = Limb(flex=118 * depth, abduct=16, twist=10, bend=122 * depth)
    return Pose(
        pitch=26 * depth,
        lean=14 * depth,
        nod=-24 * depth,
        left_arm=arm,
        right_arm=arm,
        left_leg=leg,
        right_leg=leg,
    )


def waving(phase: Phase) -> Pose:
    swing = _sway(phase)
    arm = Limb(flex=10, abduct=112 + 8 * swing, twist=85, bend=52 + 34 * swing)
    return Pose(
        side=-5 + 2 * swing,
        roll=2,
        left_arm=arm,
        right_arm=Limb(flex=-4, abduct=9, bend=14),
        left_leg=Limb(abduct=7, bend=3),
        right_leg=Limb(abduct=5),
    )


def bowing(phase: Phase) -> Pose:
    depth = _pulse(phase, 0.55)
    arm = Limb(flex=12 + 30 * depth, abduct=3, bend=10)
    leg = Limb(flex=52 * depth, abduct=2)
    return Pose(
        pitch=52 * depth,
        lean=36 * depth,
        nod=18 * depth,
        left_arm=arm,
        right_arm=arm,
        left_leg=leg,
        right_leg=leg,
    )


def kicking(phase: Phase) -> Pose:
    swing = _pulse(phase, 0.18)
    kick = Limb(flex=-28 + 133 * swing, abduct=4, bend=70 * (1 - swing) + 3, foot=-20)
    return Pose(
        pitch=-14 * swing,
        lean=8 - 6 * swing,
        left_leg=kick,
        right_leg=Limb(flex=-12 * swing, abduct=4, bend=8),
        left_arm=Limb(flex=20 - 60 * swing, abduct=38, bend=40),
        right_arm=Limb(flex=60 * swing, abduct=30, bend=60),
    )


def push_up(phase: Phase) -> Pose:
    down = _pulse(phase) * 85
    arm = Limb(flex=88 - down, abduct=14, bend=down + 4)
    leg = Limb(abduct=4, bend=2, foot=12)
    return Pose(pitch=75, nod=-22, left_arm=arm, right_arm=arm, left_leg=leg, right_leg=leg)


def crawling(phase: Phase) -> Pose:
    swing = _sway(phase)

    def arm(sign: int) -> Limb:
        return Limb(flex=86 + 26 * sign * swing, bend=6 + 40 * _positive(sign * _sway(phase, 0.25)))

    def leg(sign: int) -> Limb:
        return Limb(flex=84 - 24 * sign * swing, bend=97 - 24 * sign * swing, foot=-66)

    return Pose(
        pitch=84,
        nod=-48,
        spin=5 * swing,
        left_arm=arm(1),
        right_arm=arm(-1),
        left_leg=leg(1),
        right_leg=leg(-1),
    )


def handstand(phase: Phase) -> Pose:
    sway = _sway(phase)
    arm = Limb(flex=177 + 3 * sway, abduct=6, bend=3)
    return Pose(
        pitch=180 + 4 * sway,
        lean=-5,
        nod=-28,
        left_arm=arm,
        right_arm=arm,
        left_leg=Limb(flex=14 + 24 * sway, abduct=5, bend=8, foot=-60),
        right_leg=Limb(flex=4 - 24 * sway, abduct=5, bend=8, foot=-60),
    )


def side_bending(phase: Phase) -> Pose:
    bend = _pulse(phase, 0.65)
    return Pose(
        side=-56 * bend,
        left_arm=Limb(abduct=168, bend=16),
        right_arm=Limb(flex=6, abduct=6 + 10 * bend, bend=8),
        left_leg=Limb(abduct=14),
        right_leg=Limb(abduct=14),
    )


def lunging(phase: Phase) -> Pose:
    depth = _pulse(phase, 0.6)
    hands_on_hips = Limb(flex=-28, abduct=42, twist=-62, bend=92)
    return Pose(
        lean=4,
        left_arm=hands_on_hips,
        right_arm=hands_on_hips,
        left_leg=Limb(flex=16 + 68 * depth, abduct=3, bend=88 * depth),
        right_leg=Limb(flex=-14 - 12 * depth, abduct=3, bend=12 + 68 * depth, foot=24),
    )


def walking(phase: Phase) -> Pose:
    swing = _sway(phase)

    def leg(sign: int) -> Limb:
        lifted = _positive(sign * _sway(phase, 0.21)) ** 1.5
        return Limb(flex=4 + 32 * sign * swing, bend=6 + 52 * lifted, foot=4 + 8 * sign * swing)

    return Pose(
        lean=5,
        spin=8 * swing,
        left_leg=leg(1),
        right_leg=leg(-1),
        left_arm=Limb(flex=-30 * swing, abduct=6, bend=22 - 12 * swing),
        right_arm=Limb(flex=30 * swing, abduct=6, bend=22 + 12 * swing),
    )


def sit_up(phase: Phase) -> Pose:
    rise = 0.5 - 0.5 * np.cos(2 * np.pi * phase)
    hands_at_head = Limb(flex=105, abduct=28, twist=-35, bend=132)
    leg = Limb(flex=58 + 24 * rise, abduct=5, bend=112)
    return Pose(
        pitch=-88 + 32 * rise,
        lean=8 + 62 * rise,
        nod=16,
        left_arm=hands_at_head,
        right_arm=hands_at_head,
        left_leg=leg,
        right_leg=leg,
    )


def balancing(phase: Phase) -> Pose:
    tilt = 72 + 7 * _sway(phase)
    wave = 10 * _sway(phase, 0.2)
    return Pose(
        pitch=tilt,
        lean=4,
        nod=-42,
        roll=3 * _sway(phase, 0.4),
        left_leg=Limb(flex=tilt, abduct=-3, bend=4),
        right_leg=Limb(flex=-6, abduct=3, bend=4, foot=-50),
        left_arm=Limb(flex=14, abduct=90 + wave, bend=4),
        right_arm=Limb(flex=14, abduct=90 - wave, bend=4),
    )


def punching(phase: Phase) -> Pose:
    swing = _alternate(phase)

    def arm(sign: int) -> Limb:
        reach = 0.5 + 0.5 * sign * swing
        return Limb(flex=38 + 50 * reach, abduct=16 - 14 * reach, twist=-18, bend=136 - 130 * reach)

    return Pose(
        pitch=6,
        lean=8,
        spin=-22 * swing,
        left_arm=arm(1),
        right_arm=arm(-1),
        left_leg=Limb(flex=34, abduct=8, bend=34),
        right_leg=Limb(flex=-12, abduct=10, twist=18, bend=28),
    )


def climbing(phase: Phase) -> Pose:
    swing = _alternate(phase)

    def arm(sign: int) -> Limb:
        reach = 0.5 - 0.5 * sign * swing
        return Limb(flex=96 + 74 * reach, abduct=12, bend=92 - 84 * reach)

    def leg(sign: int) -> Limb:
        step = 0.5 + 0.5 * sign * swing
        return Limb(flex=6 + 92 * step, abduct=14, bend=10 + 92 * step, foot=0)

    return Pose(
        lean=4,
        nod=-20,
        side=6 * swing,
        left_arm=arm(1),
        right_arm=arm(-1),
        left_leg=leg(1),
        right_leg=leg(-1),
    )


def running(phase: Phase) -> Pose:
    swing = _sway(phase)

    def arm(sign: int) -> Limb:
        return Limb(flex=-8 - 50 * sign * swing, abduct=10, twist=-14, bend=96 - 14 * sign * swing)

    def leg(sign: int) -> Limb:
        fold = _positive(sign * _sway(phase, 0.2))
        return Limb(flex=20 + 46 * sign * swing, bend=16 + 96 * fold, foot=-14)

    return Pose(
        pitch=12,
        lean=10,
        nod=-12,
        spin=12 * swing,
        lift=0.05 * np.abs(_sway(phase, 0.1)),
        left_arm=arm(1),
        right_arm=arm(-1),
        left_leg=leg(1),
        right_leg=leg(-1),
    )


_TOES, _KNEES = ("left_toe", "right_toe"), ("left_knee", "right_knee")
_HANDS, _HEELS = ("left_hand", "right_hand"), ("left_heel", "right_heel")

MOTIONS: dict[str, Motion] = {
    "jumping_jack": Motion(jumping_jack, 1.1),
    "squatting": Motion(squatting, 1.8),
    "waving": Motion(waving, 0.8),
    "bowing": Motion(bowing, 2.2),
    "kicking": Motion(kicking, 1.2, anchor=("right_ankle",)),
    "push_up": Motion(push_up, 1.5, anchor=_TOES, supports=(_TOES, _HANDS)),
    "crawling": Motion(crawling, 1.4, anchor=("pelvis",), supports=(_KNEES, _HANDS), travel=0.3),
    "handstand": Motion(handstand, 1.6, anchor=_HANDS),
    "side_bending": Motion(side_bending, 1.8),
    "lunging": Motion(lunging, 1.7),
    "walking": Motion(walking, 1.15, anchor=("pelvis",), travel=0.8),
    "sit_up": Motion(sit_up, 1.9, anchor=("pelvis",), supports=(("pelvis",), _HEELS)),
    "balancing": Motion(balancing, 2.0, anchor=("left_ankle",)),
    "punching": Motion(punching, 0.9),
    "climbing": Motion(climbing, 1.3, anchor=("pelvis",)),
    "running": Motion(running, 0.8, anchor=("pelvis",), travel=1.3),
}
ACTIONS: tuple[str, ...] = tuple(MOTIONS)
