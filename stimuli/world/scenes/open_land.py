"""Open land: beach, snow field, desert."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..canvas import Canvas, mix, shade
from ..person import Colour
from ..sky import Backdrop, day_sky
from ..textures import (
    Animation,
    hills,
    hsv,
    pick,
    rough_ground,
    vary,
)


def beach(c: Canvas, rng: np.random.Generator) -> Animation:
    horizon = rng.uniform(0.32, 0.44)
    shore = horizon + rng.uniform(0.18, 0.24)
    sky, glow = day_sky(c, rng, horizon)
    sea = pick(rng, (30, 110, 160), (34, 140, 160), (50, 96, 130))
    c.gradient(horizon, shore + 0.08, mix(sea, glow, 0.25), mix(sea, (150, 230, 220), 0.4))
    if rng.random() < 0.6:
        _island(c, rng, horizon, glow)
    sand = pick(rng, (226, 198, 148), (238, 216, 172), (206, 172, 122))
    edge = _sand(c, rng, shore, sand)
    u = edge[:, 0]
    water = Backdrop(c)
    if rng.random() < 0.6:
        _palm(
            c,
            rng,
            rng.choice((rng.uniform(0.0, 0.25), c.aspect - rng.uniform(0, 0.25))),
            shore + 0.1,
        )
    for _ in range(int(rng.integers(1, 3))):
        _parasol(c, rng, rng.uniform(0.2, c.aspect - 0.2), shore + 0.07)
    sky.seal(c)
    water.seal(c)
    boat, hue, phase = rng.random(), rng.random(), rng.random()

    def animate(canvas: Canvas, time_s: float) -> None:
        sky.animate(canvas, time_s)
        water.draw_behind(canvas, lambda copy: move_water(copy, time_s))

    def move_water(canvas: Canvas, time_s: float) -> None:
        at = canvas.left + ((boat + 0.04 * time_s) % 1) * (canvas.right - canvas.left)
        canvas.poly([(at, horizon - 0.1), (at, horizon), (at + 0.06, horizon)], (250, 250, 246))
        canvas.poly(
            [
                (at - 0.04, horizon),
                (at + 0.07, horizon),
                (at + 0.05, horizon + 0.018),
                (at - 0.025, horizon + 0.018),
            ],
            hsv(hue, 0.7, 0.6),
        )
        for k in range(6):
            share = (k + (0.35 * time_s + phase) % 1) / 6
            v = horizon + 0.02 + (shore - horizon - 0.03) * share**1.4
            wave = v + (0.003 + 0.006 * share) * np.sin(
                2 * np.pi * (u * (5 - 3 * share) + k / 3 + phase)
            )
            tone = mix(sea, (245, 250, 250), 0.25 + 0.5 * share)
            canvas.line(np.stack([u, wave], axis=1), tone, 0.003 + 0.009 * share)
        wash = edge[:, 1] - 0.006 + 0.014 * np.sin(1.6 * time_s + 6 * phase)
        canvas.line(np.stack([u, wash], axis=1), (248, 250, 248), 0.02)

    return animate


def _island(c: Canvas, rng: np.random.Generator, horizon: float, glow: Colour) -> None:
    """A hilly island on the horizon."""
    colour = mix((84, 110, 100), glow, 0.45)
    u = rng.uniform(0, c.aspect)
    c.poly(
        [
            (u - 0.5, horizon),
            (u - 0.15, horizon - 0.09),
            (u + 0.1, horizon - 0.05),
            (u + 0.25, horizon - 0.11),
            (u + 0.6, horizon),
        ],
        colour,
    )


def _sand(c: Canvas, rng: np.random.Generator, shore: float, sand: Colour) -> NDArray[np.float64]:
    """Sand with pebbles below a winding shore line; returns the line, (N, 2)."""
    ground = c.image.copy()
    rough_ground(
        Canvas(ground, c.unit, c.aspect, c.margin), rng, shore, shade(sand, 0.86), sand, 0.16
    )
    u = np.linspace(c.left, c.right, 40)
    edge = shore + 0.02 * np.sin(2 * np.pi * (u * rng.uniform(0.3, 0.7) + rng.random()))
    rows = (np.arange(c.image.shape[0]) + 0.5) / c.unit - c.margin
    columns = (np.arange(c.image.shape[1]) + 0.5) / c.unit - c.margin
    is_sand = rows[:, None] > np.interp(columns, u, edge)[None]
    c.image[is_sand] = ground[is_sand]
    for _ in range(24):
        at = rng.uniform(c.left, c.right), rng.uniform(shore + 0.08, c.bottom)
        c.ellipse(*at, 0.012, 0.006, vary(rng, shade(sand, rng.choice((0.8, 1.12)))))
    return np.stack([u, edge], axis=1)


def _palm(c: Canvas, rng: np.random.Generator, u: float, v: float) -> None:
    """A palm tree that stands at (u, v)."""
    lean = rng.uniform(-0.15, 0.15)
    t = np.linspace(0, 1, 12)
    stem = np.stack([u + lean * t**2, v - 0.55 * t], axis=1)
    c.line(stem, (112, 84, 58), 0.035)
    c.line(stem + np.array([0.006, 0]), (140, 108, 76), 0.012)
    for angle in np.linspace(-2.9, 0.2, 9) + rng.normal(0, 0.1, 9):
        reach = np.linspace(0, 0.26, 8)
        leaf = np.stack(
            [
                u + lean + reach * np.cos(angle),
                v - 0.55 + reach * np.sin(angle) * 0.7 + 2.4 * reach**2,
            ],
            1,
        )
        c.line(leaf, vary(rng, (60, 120, 60)), 0.022)


def _parasol(c: Canvas, rng: np.random.Generator, u: float, v: float) -> None:
    """A striped beach umbrella and a towel."""
    hue = rng.random()
    c.poly(
        [(u + 0.06, v), (u + 0.26, v), (u + 0.3, v + 0.04), (u + 0.08, v + 0.04)],
        hsv(hue + 0.4, 0.6, 0.85),
    )
    c.line([(u, v + 0.01), (u + 0.02, v - 0.26)], (236, 232, 224), 0.01)
    arc = np.linspace(np.pi, 2 * np.pi, 9)
    rim = np.stack([u + 0.02 + 0.15 * np.cos(arc), v - 0.19 + 0.11 * np.sin(arc)], axis=1)
    for k in range(8):
        colour = hsv(hue, 0.75, 0.9) if k % 2 else (250, 248, 240)
        c.poly([rim[k], rim[k + 1], (u + 0.02, v - 0.19)], colour)
        c.poly([rim[k], rim[k + 1], (u + 0.02 + 0.04 * (k - 3.5), v - 0.19)], colour)


def snow_field(c: Canvas, rng: np.random.Generator) -> Animation:
    horizon = rng.uniform(0.48, 0.58)
    sky, glow = day_sky(c, rng, horizon)
    hills(c, rng, horizon, rng.uniform(0.2, 0.32), mix((150, 168, 196), glow, 0.35), 1.1)
    snow = pick(rng, (236, 242, 250), (224, 234, 248), (246, 236, 232))
    hills(c, rng, horizon + 0.01, 0.09, shade(snow, 0.9))
    c.rect(c.left, horizon + 0.01, c.right, horizon + 0.08, shade(snow, 0.92))
    for _ in range(int(rng.integers(9, 16))):
        size = rng.uniform(0.12, 0.34)
        _snowy_fir(c, rng, rng.uniform(c.left, c.right), horizon + 0.02 + 0.2 * (size - 0.1), size)
    rough_ground(c, rng, horizon + 0.07, shade(snow, 0.93), snow, 0.06)
    for v in np.linspace(horizon + 0.08, c.bottom, 7):
        u = np.linspace(c.left, c.right, 30)
        drift = v + 0.02 * np.sin(2 * np.pi * (u * rng.uniform(0.3, 0.9) + rng.random()))
        c.line(np.stack([u, drift], axis=1), shade(snow, 0.86), 0.008)
        c.line(np.stack([u, drift - 0.01], axis=1), (255, 255, 255), 0.008)
    sky.seal(c)
    flakes, wind = rng.random((110, 3)), rng.uniform(-0.15, 0.15)

    def animate(canvas: Canvas, time_s: float) -> None:
        sky.animate(canvas, time_s)
        height, width = canvas.bottom - canvas.top, canvas.right - canvas.left
        for x, y, near in flakes:
            v = canvas.top + (y + time_s * (0.12 + 0.2 * near)) % 1 * height
            u = canvas.left + (x + wind * time_s + 0.01 * np.sin(3 * time_s + 20 * x)) % 1 * width
            radius = 0.003 + 0.006 * near
            canvas.ellipse(u, v, radius, radius, (252, 253, 255))

    return animate


def _snowy_fir(c: Canvas, rng: np.random.Generator, u: float, v: float, size: float) -> None:
    """A fir tree with snow on its branches."""
    green = pick(rng, (44, 84, 70), (56, 92, 64))
    c.rect(u - 0.03 * size, v - 0.1 * size, u + 0.03 * size, v, (70, 54, 44))
    for k in range(4):
        low, half = v - (0.08 + 0.2 * k) * size, (0.3 - 0.06 * k) * size
        c.poly(
            [(u - half, low), (u + half, low), (u, low - 0.4 * size)], shade(green, 0.9 + 0.06 * k)
        )
        c.poly(
            [
                (u - 0.5 * half, low - 0.2 * size),
                (u + 0.1 * half, low - 0.17 * size),
                (u, low - 0.4 * size),
            ],
            (240, 246, 252),
        )


def desert(c: Canvas, rng: np.random.Generator) -> Animation:
    horizon = rng.uniform(0.46, 0.56)
    sky, glow = day_sky(c, rng, horizon)
    if rng.random() < 0.7:
        at = rng.uniform(0.1, c.aspect - 0.1), rng.uniform(0.02, 0.2)
        c.glow(*at, 0.2, (255, 244, 200), 0.7)
        c.ellipse(*at, 0.05, 0.05, (255, 246, 214))
        sky.remember(c)
    _mesas(c, rng, horizon, glow)
    sand = pick(rng, (226, 170, 104), (214, 150, 92), (232, 190, 130))
    hills(c, rng, horizon + 0.03, 0.1, mix(sand, glow, 0.3), 0.6)
    rough_ground(c, rng, horizon + 0.03, mix(sand, glow, 0.15), sand, 0.14)
    u = np.linspace(c.left, c.right, 50)
    for v in horizon + 0.05 + (c.bottom - horizon) * np.linspace(0, 1, 15) ** 1.5:
        ripple = v + 0.012 * np.sin(2 * np.pi * (u * rng.uniform(0.8, 1.6) + rng.random()))
        c.line(np.stack([u, ripple], axis=1), shade(sand, 0.86), 0.003 + 0.006 * (v - horizon))
    for _ in range(int(rng.integers(3, 6))):
        _cactus(c, rng, rng.uniform(c.left, c.right), horizon + rng.uniform(0.05, 0.13))
    sky.seal(c)
    weed, pace = rng.random(), rng.choice((-1, 1)) * rng.uniform(0.15, 0.3)
    grains = rng.random((40, 3))

    def animate(canvas: Canvas, time_s: float) -> None:
        sky.animate(canvas, time_s)
        width = canvas.right - canvas.left
        for x, y, near in grains:
            u = canvas.left + (x + np.sign(pace) * time_s * (0.2 + 0.3 * near)) % 1 * width
            v = horizon + 0.06 + 0.5 * y
            canvas.line([(u, v), (u + 0.05, v - 0.002)], mix(sand, (255, 240, 214), 0.6), 0.003)
        u = canvas.left + (weed + pace * time_s) % 1 * width
        v = horizon + 0.14 - 0.03 * abs(np.sin(5 * time_s))
        for k in range(6):
            canvas.ellipse(
                u,
                v,
                0.035,
                0.014 + 0.003 * k,
                shade((150, 108, 60), 0.8 + 0.08 * k),
                30 * k + 200 * time_s,
            )

    return animate


def _mesas(c: Canvas, rng: np.random.Generator, horizon: float, glow: Colour) -> None:
    """Table mountains far off."""
    rock = pick(rng, (180, 110, 76), (196, 130, 90), (160, 96, 80))
    for _ in range(int(rng.integers(1, 4))):
        u, width, height = (
            rng.uniform(c.left, c.right),
            rng.uniform(0.15, 0.4),
            rng.uniform(0.1, 0.24),
        )
        tone = mix(rock, glow, 0.35)
        c.poly(
            [
                (u - 0.7 * width, horizon + 0.02),
                (u - 0.45 * width, horizon - height),
                (u + 0.45 * width, horizon - height),
                (u + 0.7 * width, horizon + 0.02),
            ],
            tone,
        )
        for k in range(1, 4):
            v = horizon - height * k / 4
            c.line([(u - 0.52 * width, v), (u + 0.52 * width, v)], shade(tone, 0.85), 0.01)


def _cactus(c: Canvas, rng: np.random.Generator, u: float, v: float) -> None:
    """A cactus of thick columns: ribbed, with short arms."""
    size, green = rng.uniform(0.16, 0.34), pick(rng, (64, 112, 70), (84, 124, 74))
    for offset, top, low in ((0, 1.0, 0.0), (-0.2, 0.7, 0.35), (0.2, 0.8, 0.25)):
        at = u + offset * size
        if offset:
            c.line([(at, v - low * size), (u, v - low * size)], shade(green, 0.85), 0.08 * size)
        c.line([(at, v - low * size), (at, v - top * size)], green, 0.14 * size)
        for rib in (-0.035, 0.035):
            c.line(
                [(at + rib * size, v - low * size), (at + rib * size, v - top * size)],
                shade(green, 0.7),
                0.02 * size,
            )
