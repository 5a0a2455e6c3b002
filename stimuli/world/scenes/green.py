"""Green places: forest and mountain meadow."""

from __future__ import annotations

import numpy as np

from ..canvas import Canvas, mix, shade
from ..person import Colour
from ..sky import day_sky
from ..textures import (
    Animation,
    blades,
    foliage,
    hills,
    hsv,
    noise,
    pick,
    rough_ground,
    texture,
)


def forest(c: Canvas, rng: np.random.Generator) -> Animation:
    ground_v = rng.uniform(0.6, 0.68)
    green = pick(rng, (70, 110, 56), (96, 126, 50), (50, 96, 66), (150, 120, 50))
    haze = mix(green, (214, 226, 190), 0.6)
    c.gradient(c.top, ground_v, shade(green, 0.75), haze)
    texture(c.image, 0.3 * noise(c, rng, 0.16, 4))
    floor = pick(rng, (104, 84, 54), (84, 96, 50), (126, 96, 60))
    rough_ground(c, rng, ground_v, mix(floor, haze, 0.35), floor, 0.5)
    for layer in range(3):
        share = layer / 2
        bark = mix(haze, pick(rng, (74, 58, 44), (96, 84, 72), (58, 46, 40)), 0.35 + 0.6 * share)
        for _ in range(int(rng.integers(7, 10)) - 2 * layer):
            u, width = rng.uniform(c.left, c.right), rng.uniform(0.02, 0.035) * (1 + 1.5 * share)
            _trunk(c, rng, u, ground_v + 0.02 + 0.07 * share, width, bark)
        for _ in range(7):
            tone = mix(haze, shade(green, 0.95), 0.4 + 0.55 * share)
            at = rng.uniform(c.left, c.right), rng.uniform(c.top, 0.1 + 0.06 * (2 - layer))
            foliage(c, rng, *at, rng.uniform(0.12, 0.22), tone, 22)
    for _ in range(9):
        at = rng.uniform(c.left, c.right), ground_v + rng.uniform(0.0, 0.05)
        foliage(c, rng, *at, rng.uniform(0.05, 0.1), shade(green, 0.85), 18)
    blades(c, rng, ground_v + 0.05, shade(green, 0.9), 300)
    for _ in range(3):
        u = rng.uniform(c.left, c.right)
        beam = c.image.copy()
        canvas = Canvas(beam, c.unit, c.aspect, c.margin)
        canvas.poly(
            [(u, c.top), (u + 0.12, c.top), (u + 0.5, 0.8), (u + 0.24, 0.8)], (255, 246, 190)
        )
        c.image[:] = (0.87 * c.image + 0.13 * beam).astype(np.uint8)
    leaves = rng.random((26, 4))
    shades = [pick(rng, (206, 150, 50), (170, 180, 60), (190, 90, 40)) for _ in leaves]
    bush = rng.uniform(0.3, c.aspect - 0.3)

    def animate(canvas: Canvas, time_s: float) -> None:
        for (x, y, pace, turn), colour in zip(leaves, shades, strict=True):
            v = (y + time_s * (0.08 + 0.12 * pace)) % 1.1 - 0.1
            u = (
                x * (canvas.right - canvas.left)
                + canvas.left
                + 0.05 * np.sin(2 * time_s + 6 * turn)
            )
            canvas.ellipse(u, v, 0.012, 0.006, colour, 360 * (turn + 0.4 * time_s))
        for k in range(9):
            u = bush + 0.03 * (k - 4)
            tip = (u + 0.03 * (k - 4) / 2 + 0.02 * np.sin(2.5 * time_s + k), ground_v - 0.08)
            canvas.line([(u, ground_v + 0.07), tip], shade(green, 1.2), 0.008)

    return animate


def _trunk(
    c: Canvas, rng: np.random.Generator, u: float, v: float, width: float, bark: Colour
) -> None:
    """A tree's trunk, lit from one side, with streaks in its bark."""
    lean = rng.uniform(-0.06, 0.06)
    c.poly(
        [
            (u + lean - 0.8 * width, c.top),
            (u + lean + 0.8 * width, c.top),
            (u + width, v),
            (u + 1.7 * width, v + 0.02),
            (u - 1.7 * width, v + 0.02),
            (u - width, v),
        ],
        bark,
    )
    c.poly(
        [
            (u + lean + 0.2 * width, c.top),
            (u + lean + 0.8 * width, c.top),
            (u + width, v),
            (u + 0.2 * width, v),
        ],
        shade(bark, 0.72),
    )
    for _ in range(14):
        start, at = rng.uniform(c.top, v - 0.1), u + rng.uniform(-0.7, 0.7) * width
        c.line(
            [(at + lean * 0.5, start), (at + lean * 0.4, start + rng.uniform(0.03, 0.1))],
            shade(bark, 0.62),
        )


def mountain_meadow(c: Canvas, rng: np.random.Generator) -> Animation:
    horizon = rng.uniform(0.5, 0.6)
    sky, glow = day_sky(c, rng, horizon)
    rock = pick(rng, (110, 120, 140), (124, 112, 110), (96, 110, 130))
    _peaks(c, rng, horizon, mix(rock, glow, 0.3))
    hills(c, rng, horizon + 0.01, 0.14, mix((64, 104, 72), glow, 0.2), 0.8)
    grass = pick(rng, (96, 150, 60), (120, 156, 70), (80, 136, 72))
    rough_ground(c, rng, horizon, mix(grass, glow, 0.2), shade(grass, 0.9), 0.3)
    for _ in range(int(rng.integers(4, 9))):
        foliage(
            c,
            rng,
            rng.uniform(c.left, c.right),
            horizon - 0.02,
            rng.uniform(0.03, 0.07),
            (50, 96, 56),
            16,
        )
    if rng.random() < 0.6:
        _hut(c, rng, rng.uniform(0.1, c.aspect - 0.3), horizon + 0.04)
    blades(c, rng, horizon + 0.05, grass, 420)
    hue = rng.random()
    for v in np.sort(rng.uniform(horizon + 0.04, c.bottom, 230)):
        size = 0.003 + 0.014 * (v - horizon)
        petal = hsv(rng.choice((hue, hue + 0.3, 0.15)), rng.uniform(0.1, 0.7), 0.97)
        c.ellipse(rng.uniform(c.left, c.right), v, size, size, petal)
    sky.seal(c)
    stalks, butterflies = rng.random((40, 2)), rng.random((5, 3))

    def animate(canvas: Canvas, time_s: float) -> None:
        sky.animate(canvas, time_s)
        for x, y in stalks:
            u, v = canvas.left + x * (canvas.right - canvas.left), horizon + 0.12 + 0.5 * y
            tip = (u + 0.02 * np.sin(2.4 * time_s + 9 * x), v - 0.06 - 0.05 * y)
            canvas.line([(u, v), tip], shade(grass, 1.2), 0.004)
            canvas.ellipse(*tip, 0.008, 0.011, hsv(hue, 0.6, 0.95))
        for x, y, pace in butterflies:
            u = x * canvas.aspect + 0.15 * np.sin(time_s * (0.6 + pace) + 6 * y)
            v = horizon + 0.1 + 0.25 * y + 0.04 * np.sin(3 * time_s + 6 * x)
            canvas.ellipse(
                u, v, 0.004 + 0.012 * abs(np.sin(14 * time_s + 9 * x)), 0.012, hsv(pace, 0.7, 1)
            )

    return animate


def _peaks(c: Canvas, rng: np.random.Generator, horizon: float, rock: Colour) -> None:
    """Snow-capped mountains with a lit and a shaded side."""
    for u in np.arange(c.left, c.right + 0.2, 0.34) + rng.uniform(-0.1, 0.1):
        top, half = horizon - rng.uniform(0.24, 0.44), rng.uniform(0.32, 0.46)
        jag = rng.uniform(-0.03, 0.03, 3)
        c.poly(
            [(u, top), (u + half, horizon), (u - half, horizon)],
            shade(rock, rng.uniform(0.9, 1.08)),
        )
        c.poly(
            [(u, top), (u + half, horizon), (u + 0.1 * half, horizon), (u - 0.05, top + 0.2)],
            shade(rock, 0.74),
        )
        cap = 0.32 * (horizon - top)
        slope = half * 0.32
        c.poly(
            [
                (u, top),
                (u + slope, top + cap),
                (u + 0.4 * slope, top + 0.7 * cap + jag[0]),
                (u, top + cap + jag[1]),
                (u - 0.4 * slope, top + 0.7 * cap + jag[2]),
                (u - slope, top + cap),
            ],
            (244, 248, 252),
        )


def _hut(c: Canvas, rng: np.random.Generator, u: float, v: float) -> None:
    """A wooden hut."""
    wood = pick(rng, (130, 88, 56), (100, 72, 52))
    c.box(u, v - 0.1, u + 0.2, v, wood)
    c.poly([(u - 0.03, v - 0.1), (u + 0.1, v - 0.19), (u + 0.23, v - 0.1)], shade(wood, 0.6))
    c.rect(u + 0.03, v - 0.075, u + 0.07, v - 0.035, (230, 220, 170))
    c.rect(u + 0.12, v - 0.075, u + 0.16, v, shade(wood, 0.5))
