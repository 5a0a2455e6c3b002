"""What stands and hangs in several rooms."""

from __future__ import annotations

import numpy as np

from ..canvas import Canvas
from ..person import Colour
from ..textures import (
    foliage,
    pick,
)

WOOD: tuple[Colour, ...] = ((150, 104, 64), (120, 78, 46), (186, 144, 98), (92, 62, 42))


def window(
    c: Canvas, rng: np.random.Generator, u: float, v: float, width: float, height: float
) -> None:
    """A window with daylight and a hint of the world outside."""
    frame = pick(rng, (240, 238, 232), (120, 90, 64), (70, 74, 80))
    sky = pick(rng, (170, 208, 240), (206, 222, 236), (246, 214, 170))
    c.box(u - 0.02, v - 0.02, u + width + 0.02, v + height + 0.02, frame)
    c.rect(u, v, u + width, v + height, sky)
    c.rect(u, v + 0.65 * height, u + width, v + height, pick(rng, (96, 140, 84), (150, 150, 140)))
    c.rect(u + width / 2 - 0.006, v, u + width / 2 + 0.006, v + height, frame)
    c.rect(u, v + height / 2 - 0.006, u + width, v + height / 2 + 0.006, frame)


def lamp(c: Canvas, u: float, length: float, colour: Colour, angle: float) -> None:
    """A lamp that hangs from the ceiling, turned by an angle in radians."""
    end = (u + length * np.sin(angle), c.top + length * np.cos(angle))
    c.line([(u, c.top), end], (40, 40, 44), 0.006)
    c.glow(end[0], end[1] + 0.03, 0.2, (255, 236, 190), 0.5)
    c.poly(
        [
            (end[0] - 0.02, end[1]),
            (end[0] + 0.02, end[1]),
            (end[0] + 0.07, end[1] + 0.06),
            (end[0] - 0.07, end[1] + 0.06),
        ],
        colour,
    )
    c.ellipse(end[0], end[1] + 0.06, 0.03, 0.014, (255, 248, 214))


def plant(c: Canvas, rng: np.random.Generator, u: float, v: float, size: float) -> None:
    """A potted plant that stands at (u, v)."""
    pot = pick(rng, (176, 98, 66), (226, 222, 214), (70, 82, 96))
    c.poly([(u - 0.05, v - 0.1), (u + 0.05, v - 0.1), (u + 0.036, v), (u - 0.036, v)], pot)
    foliage(c, rng, u, v - 0.1 - 0.6 * size, size, pick(rng, (64, 120, 58), (96, 140, 70)), 26)
