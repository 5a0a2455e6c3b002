"""Places of sport: gym, stadium, swimming pool."""

from __future__ import annotations

import numpy as np

from ..canvas import Canvas, mix, shade
from ..sky import day_sky
from ..textures import (
    Animation,
    floor_coordinates,
    hsv,
    noise,
    pick,
    plank_floor,
    rough_ground,
    texture,
    tile_floor,
    tiling,
    wall_coordinates,
)


def gym(c: Canvas, rng: np.random.Generator) -> Animation:
    floor_v = rng.uniform(0.66, 0.72)
    wall = pick(rng, (226, 222, 210), (200, 206, 212), (236, 214, 170), (120, 132, 150))
    view, u, v = wall_coordinates(c, c.top, floor_v)
    view[:] = wall
    texture(view, tiling(u, v, rng, (0.16, 0.075), 0.5, 0.06, 0.03))
    c.rect(c.left, floor_v - 0.16, c.right, floor_v - 0.13, hsv(rng.random(), 0.7, 0.75))
    plank_floor(c, rng, floor_v, pick(rng, (206, 160, 104), (190, 138, 86), (218, 180, 128)))
    _court_lines(c, rng, floor_v)
    bars = rng.uniform(0.0, 0.3) if rng.random() < 0.5 else c.aspect - rng.uniform(0.5, 0.8)
    _wall_bars(c, bars, floor_v)
    hoop = (bars + c.aspect / 2 + 0.1) % (c.aspect - 0.3) + 0.1
    _hoop(c, hoop)
    rack = (hoop + 0.45) % (c.aspect - 0.4)
    _dumbbells(c, rng, rack, floor_v)
    ball = rng.uniform(0.1, c.aspect - 0.1)
    hue = rng.random()
    c.ellipse(ball, floor_v - 0.05, 0.085, 0.085, hsv(hue, 0.6, 0.6))
    c.ellipse(ball - 0.02, floor_v - 0.075, 0.04, 0.035, hsv(hue, 0.4, 0.85))
    bag = (rack + 0.75) % (c.aspect - 0.2) + 0.1
    leather, phase = hsv(rng.random(), 0.7, 0.5), rng.random()

    def animate(canvas: Canvas, time_s: float) -> None:
        swing = 0.09 * np.sin(2.1 * time_s + 6 * phase)

        def hang(along: float, aside: float) -> tuple[float, float]:
            return bag + along * np.sin(swing) + aside, canvas.top + along * np.cos(swing)

        canvas.line([hang(0, 0), hang(0.26, 0)], (90, 90, 94), 0.008)
        canvas.poly(
            [hang(0.24, -0.055), hang(0.24, 0.055), hang(0.6, 0.055), hang(0.6, -0.055)], leather
        )
        canvas.poly(
            [hang(0.24, -0.035), hang(0.24, -0.01), hang(0.6, -0.01), hang(0.6, -0.035)],
            shade(leather, 1.4),
        )
        canvas.poly(
            [hang(0.36, -0.055), hang(0.36, 0.055), hang(0.39, 0.055), hang(0.39, -0.055)],
            (236, 232, 224),
        )

    return animate


def _wall_bars(c: Canvas, bars: float, floor_v: float) -> None:
    """Two panels of wooden bars to climb."""
    for panel in range(2):
        start = bars + 0.27 * panel
        for post in (start, start + 0.24):
            c.rect(post, -0.02, post + 0.018, floor_v + 0.01, (150, 104, 60))
        for v_bar in np.arange(0.02, floor_v - 0.05, 0.055):
            c.line([(start, v_bar), (start + 0.25, v_bar)], (196, 150, 96), 0.013)


def _hoop(c: Canvas, hoop: float) -> None:
    """A basketball hoop with its board and net."""
    c.box(hoop, 0.0, hoop + 0.32, 0.21, (244, 244, 242))
    c.line(
        [
            (hoop + 0.1, 0.08),
            (hoop + 0.22, 0.08),
            (hoop + 0.22, 0.17),
            (hoop + 0.1, 0.17),
            (hoop + 0.1, 0.08),
        ],
        (210, 70, 40),
        0.009,
    )
    c.line([(hoop + 0.09, 0.18), (hoop + 0.23, 0.18)], (230, 90, 40), 0.014)
    for k in range(7):
        c.line(
            [(hoop + 0.095 + 0.0215 * k, 0.185), (hoop + 0.115 + 0.015 * k, 0.27)],
            (236, 236, 236),
            0.004,
        )


def _dumbbells(c: Canvas, rng: np.random.Generator, rack: float, floor_v: float) -> None:
    """A rack with two rows of dumbbells."""
    for shelf in (floor_v - 0.17, floor_v - 0.06):
        c.box(rack, shelf, rack + 0.5, shelf + 0.02, (60, 62, 68))
        for at in np.arange(rack + 0.03, rack + 0.46, 0.085):
            colour = hsv(rng.random(), 0.7, 0.6)
            c.ellipse(at, shelf - 0.022, 0.022, 0.026, colour)
            c.ellipse(at + 0.035, shelf - 0.022, 0.022, 0.026, shade(colour, 0.7))


def _court_lines(c: Canvas, rng: np.random.Generator, floor_v: float) -> None:
    """Coloured lines of a playing court, in perspective."""
    view, x, depth = floor_coordinates(c, floor_v, floor_v - 0.22)
    for _ in range(4):
        colour = hsv(rng.random(), 0.7, 0.85)
        if rng.random() < 0.5:
            view[np.abs(x - rng.uniform(-1.5, 1.5)) < 0.025] = colour
        else:
            view[np.abs(depth - rng.uniform(1.0, 2.4)) < 0.025] = colour


def stadium(c: Canvas, rng: np.random.Generator) -> Animation:
    horizon, ground_v = rng.uniform(0.42, 0.5), rng.uniform(0.6, 0.66)
    sky, _ = day_sky(c, rng, horizon)
    top = rng.uniform(0.12, 0.18)
    _stands(c, rng, top, horizon, ground_v)
    for u in (rng.uniform(0.1, 0.4), c.aspect - rng.uniform(0.1, 0.4)):
        c.rect(u - 0.008, 0.04, u + 0.008, top + 0.1, (90, 94, 100))
        c.box(u - 0.11, 0.0, u + 0.11, 0.1, (70, 74, 80))
        for lamp in np.linspace(-0.085, 0.085, 5):
            for row in (0.03, 0.07):
                c.ellipse(u + lamp, row, 0.016, 0.016, (255, 252, 226))
    grass = pick(rng, (70, 140, 60), (86, 150, 70), (60, 126, 70))
    c.rect(c.left, horizon + 0.1, c.right, ground_v, grass)
    _track(c, rng, ground_v)
    sky.seal(c)
    hue, phase = rng.random(), rng.random()
    flags = [(u, rng.random()) for u in np.arange(0.1, c.aspect, 0.36)]

    def animate(canvas: Canvas, time_s: float) -> None:
        sky.animate(canvas, time_s)
        canvas.rect(canvas.left, horizon + 0.045, canvas.right, horizon + 0.11, (24, 26, 34))
        for k in range(24):
            start = canvas.left + ((k / 24 + phase + 0.08 * time_s) % 1) * (
                canvas.right - canvas.left
            )
            low = 0.02 * ((k * 7) % 3) / 2
            canvas.rect(
                start,
                horizon + 0.057 + low,
                start + 0.06,
                horizon + 0.08 + low,
                hsv(hue + 0.13 * k, 0.75, 0.95),
            )
        u = np.linspace(0, 0.1, 6)
        for at, colour in flags:
            canvas.line([(at, top + 0.02), (at, top - 0.14)], (220, 220, 224), 0.006)
            wave = top - 0.13 + 0.01 * np.sin(40 * u - 7 * time_s + 6 * colour)
            upper, lower = np.stack([at + u, wave], 1), np.stack([at + u, wave + 0.05], 1)
            canvas.poly([*upper, *lower[::-1]], hsv(colour, 0.8, 0.9))

    return animate


def _stands(
    c: Canvas, rng: np.random.Generator, top: float, horizon: float, ground_v: float
) -> None:
    """Rows of coloured seats in blocks, with stairs between them."""
    concrete = pick(rng, (150, 152, 156), (176, 170, 160), (120, 124, 134))
    c.poly(
        [
            (c.left, top - 0.05),
            (c.aspect / 2, top + 0.03),
            (c.right, top - 0.05),
            (c.right, ground_v),
            (c.left, ground_v),
        ],
        concrete,
    )
    first, second = rng.random(), rng.random()
    for v in np.arange(top + 0.05, horizon + 0.04, 0.026):
        c.line([(c.left, v + 0.012), (c.right, v + 0.012)], shade(concrete, 0.7), 0.005)
        for u in np.arange(c.left, c.right, 0.03):
            block = first if int((u - c.left) / 0.4) % 2 else second
            c.rect(
                u,
                v,
                u + 0.022,
                v + 0.011,
                hsv(block, 0.6, rng.uniform(0.62, 0.84)),
            )
    for u in np.arange(c.left, c.right, 0.4):
        c.poly(
            [
                (u - 0.012, top),
                (u + 0.012, top),
                (u + 0.016, horizon + 0.05),
                (u - 0.016, horizon + 0.05),
            ],
            shade(concrete, 1.2),
        )


def _track(c: Canvas, rng: np.random.Generator, ground_v: float) -> None:
    """A running track with white lanes."""
    red = pick(rng, (188, 82, 62), (170, 70, 60), (70, 110, 170), (200, 104, 70))
    rough_ground(c, rng, ground_v, shade(red, 0.9), red, 0.1)
    slope = rng.uniform(-0.05, 0.05)
    for share in (0.0, 0.13, 0.32, 0.58, 0.92):
        v = ground_v + 0.008 + (c.bottom - ground_v) * share
        c.line(
            [(c.left, v - slope * share), (c.right, v + slope * share)],
            (240, 236, 230),
            0.007 + 0.01 * share,
        )


def swimming_pool(c: Canvas, rng: np.random.Generator) -> Animation:
    far, near = rng.uniform(0.34, 0.4), rng.uniform(0.62, 0.68)
    wall = pick(rng, (216, 228, 232), (190, 210, 220), (236, 230, 214))
    view, u, v = wall_coordinates(c, c.top, far)
    view[:] = wall
    texture(view, tiling(u, v, rng, (0.06, 0.06), 0, 0.08, 0.05))
    glass = pick(rng, (170, 210, 236), (226, 232, 236), (244, 206, 160))
    for at in np.arange(c.left, c.right, rng.uniform(0.34, 0.5)):
        c.box(at, c.top, at + 0.26, 0.2, (230, 234, 236))
        c.rect(at + 0.015, c.top, at + 0.245, 0.185, glass)
        c.rect(at + 0.12, c.top, at + 0.135, 0.185, (230, 234, 236))
    for at in np.arange(c.left, c.right, 0.09):
        c.poly([(at, 0.235), (at + 0.09, 0.235), (at + 0.045, 0.28)], hsv(rng.random(), 0.7, 0.9))
    water = pick(rng, (44, 160, 200), (60, 180, 206), (40, 140, 190))
    c.gradient(far, near, mix(water, (255, 255, 255), 0.25), water)
    view, x, depth = floor_coordinates(c, far, far - 0.1)
    pool = slice(0, c.row(near) - c.row(far))
    texture(view[pool], tiling(x, depth, rng, (0.3, 0.3), 0, 0.05, 0.05)[pool])
    texture(view[pool], 0.14 * noise(c, rng, 0.08, 3, 3)[c.row(far) : c.row(near)])
    tile = pick(rng, (226, 214, 190), (208, 216, 220), (196, 180, 160))
    tile_floor(c, rng, near, tile, tile)
    c.rect(c.left, near - 0.012, c.right, near + 0.02, (240, 242, 242))
    c.rect(c.left, far - 0.012, c.right, far + 0.006, (232, 236, 238))
    for at in np.arange(c.left + rng.uniform(0, 0.3), c.right, 0.42):
        c.box(at, far - 0.06, at + 0.11, far, hsv(0.58, 0.5, 0.8))
    ladder = rng.uniform(0.1, c.aspect - 0.2)
    for rail in (ladder, ladder + 0.1):
        c.line(
            [
                (rail, near + 0.05),
                (rail, near - 0.06),
                (rail + 0.02, near - 0.08),
                (rail + 0.03, near - 0.02),
            ],
            (206, 212, 216),
            0.014,
        )
    glints, hue = rng.random((70, 3)), rng.random()
    wobble = np.linspace(c.left, c.right, 30)

    def animate(canvas: Canvas, time_s: float) -> None:
        for x0, y0, pace in glints:
            v = far + 0.015 + (near - far - 0.03) * y0
            u0 = canvas.left + ((x0 + 0.02 * np.sin(2 * time_s + 9 * pace)) % 1) * (
                canvas.right - canvas.left
            )
            size = (0.015 + 0.05 * y0) * (0.6 + 0.4 * np.sin(5 * time_s + 20 * pace))
            canvas.line(
                [(u0, v), (u0 + size, v + 0.003)],
                mix(water, (255, 255, 255), 0.65),
                0.004 + 0.004 * y0,
            )
        for lane in (0.16, 0.42, 0.78):
            v = far + (near - far) * lane + 0.005 * lane * np.sin(9 * wobble + 3 * time_s)
            rope = np.stack([wobble, v], axis=1)
            for k in range(len(rope) - 1):
                colour = hsv(hue, 0.8, 0.85) if k % 2 else (248, 248, 248)
                canvas.line(rope[k : k + 2], colour, 0.008 + 0.012 * lane)

    return animate
