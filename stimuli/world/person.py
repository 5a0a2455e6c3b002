"""Who acts: the build and the clothes of a person, drawn from the person's own generator."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

import numpy as np

from .skeleton import Proportions

Colour = tuple[int, int, int]  # RGB, 0 to 255

SKIN_TONES: tuple[Colour, ...] = (
    (246, 214, 188), (236, 192, 158), (222, 170, 130), (196, 140, 100), (160, 108, 74),
    (128, 84, 58), (104, 68, 48),
)  # fmt: skip
HAIR_COLOURS: tuple[Colour, ...] = (
    (46, 38, 36), (78, 52, 36), (120, 80, 46), (176, 132, 74), (216, 186, 122), (150, 66, 40),
    (160, 158, 156),
)  # fmt: skip
HAIR_STYLES = ("short", "long", "bun", "bald", "curly")
SLEEVES = ("none", "short", "long")
BOTTOMS = ("trousers", "shorts", "leggings", "skirt")


@dataclass(frozen=True)
class Looks:
    """Build and clothes of a person; `height` is relative to the median person."""

    height: float
    body: Proportions
    skin: Colour
    hair: Colour
    hair_style: str
    shirt: Colour
    stripe: Colour | None
    sleeves: str
    bottom_kind: str
    bottom: Colour
    shoes: Colour


def draw_looks(rng: np.random.Generator) -> Looks:
    """Draw a person. Clothes differ in lightness, so that arms and legs stay visible."""
    light, dark = rng.uniform(0.76, 0.98), rng.uniform(0.4, 0.6)
    shirt_value, bottom_value = (light, dark) if rng.random() < 0.6 else (dark, light)
    shirt_hue, bottom_hue = rng.random(), rng.random()
    stripe = _colour(rng.random(), rng.uniform(0.3, 0.9), rng.uniform(0.5, 1.0))
    return Looks(
        height=float(rng.uniform(0.85, 1.15)),
        body=_draw_proportions(rng),
        skin=SKIN_TONES[rng.integers(len(SKIN_TONES))],
        hair=HAIR_COLOURS[rng.integers(len(HAIR_COLOURS))],
        hair_style=str(rng.choice(HAIR_STYLES, p=(0.38, 0.22, 0.14, 0.08, 0.18))),
        shirt=_colour(shirt_hue, rng.uniform(0.25, 0.85), shirt_value),
        stripe=stripe if rng.random() < 0.45 else None,
        sleeves=str(rng.choice(SLEEVES, p=(0.2, 0.5, 0.3))),
        bottom_kind=str(rng.choice(BOTTOMS, p=(0.38, 0.28, 0.2, 0.14))),
        bottom=_colour(bottom_hue, rng.uniform(0.15, 0.7), bottom_value),
        shoes=_colour(rng.random(), rng.uniform(0.0, 0.8), rng.uniform(0.35, 0.95)),
    )


def _draw_proportions(rng: np.random.Generator) -> Proportions:
    """Vary leg length at equal standing height, limb lengths, breadth and girth."""
    median = Proportions()
    legs = rng.uniform(0.94, 1.06)
    trunk = 1 + (1 - legs) * (median.thigh + median.shin) / (median.belly + median.chest)
    arms = rng.uniform(0.95, 1.06)
    return Proportions(
        thigh=median.thigh * legs,
        shin=median.shin * legs,
        belly=median.belly * trunk,
        chest=median.chest * trunk,
        head=median.head * rng.uniform(0.94, 1.08),
        upper_arm=median.upper_arm * arms,
        forearm=median.forearm * arms,
        shoulder_half_width=median.shoulder_half_width * rng.uniform(0.9, 1.12),
        hip_half_width=median.hip_half_width * rng.uniform(0.9, 1.15),
        girth=float(rng.uniform(0.88, 1.28)),
    )


def _colour(hue: float, saturation: float, value: float) -> Colour:
    red, green, blue = colorsys.hsv_to_rgb(hue, saturation, value)
    return round(255 * red), round(255 * green), round(255 * blue)
