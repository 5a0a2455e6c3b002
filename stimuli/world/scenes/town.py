"""In town: street, night city, harbour."""

from __future__ import annotations

import numpy as np

from ..canvas import Canvas, mix, shade
from ..person import Colour
from ..sky import Backdrop, day_sky
from ..textures import (
    Animation,
    floor_coordinates,
    foliage,
    hsv,
    noise,
    pick,
    rough_ground,
    texture,
    tile_floor,
    tiling,
    vary,
    wall_coordinates,
)


def street(c: Canvas, rng: np.random.Generator) -> Animation:
    kerb, road = rng.uniform(0.66, 0.7), rng.uniform(0.5, 0.54)
    sky, _ = day_sky(c, rng, 0.3)
    u = c.left - rng.uniform(0, 0.3)
    while u < c.right:
        width = rng.uniform(0.4, 0.65)
        _house(c, rng, u, width, rng.uniform(-0.12, 0.08), road)
        u += width
    c.gradient(road - 0.02, kerb, (92, 94, 100), (72, 74, 80))
    texture(c.window(c.left, road, c.right, kerb), 0.05)
    for at in np.arange(c.left, c.right, 0.3):
        c.poly(
            [
                (at, road + 0.075),
                (at + 0.16, road + 0.075),
                (at + 0.155, road + 0.085),
                (at - 0.005, road + 0.085),
            ],
            (230, 228, 214),
        )
    paving = pick(rng, (170, 166, 160), (150, 150, 154), (186, 170, 150))
    tile_floor(c, rng, kerb, paving, paving)
    c.rect(c.left, kerb - 0.012, c.right, kerb + 0.012, shade(paving, 1.2))
    road_view = Backdrop(c)
    for at in (rng.uniform(-0.05, 0.3), c.aspect - rng.uniform(-0.05, 0.3)):
        if rng.random() < 0.5:
            c.line([(at, kerb + 0.05), (at, kerb - 0.3)], (86, 66, 50), 0.03)
            foliage(c, rng, at, kerb - 0.42, 0.16, pick(rng, (70, 120, 60), (120, 130, 56)), 40)
        else:
            c.line([(at, kerb + 0.05), (at, -0.05), (at + 0.14, -0.08)], (50, 54, 58), 0.014)
            c.ellipse(at + 0.15, -0.07, 0.04, 0.014, (240, 236, 210))
    sky.seal(c)
    road_view.seal(c)
    cars = [
        (
            rng.random(),
            way,
            rng.uniform(0.2, 0.4),
            hsv(rng.random(), rng.uniform(0.2, 0.85), rng.uniform(0.4, 0.9)),
        )
        for way in (1, 1, -1, -1)
    ]

    def animate(canvas: Canvas, time_s: float) -> None:
        sky.animate(canvas, time_s)
        road_view.draw_behind(canvas, lambda copy: move_cars(copy, time_s))

    def move_cars(canvas: Canvas, time_s: float) -> None:
        span = canvas.right - canvas.left + 0.6
        for start, way, speed, colour in sorted(cars, key=lambda car: car[1]):
            at = canvas.left - 0.5 + (start + way * speed * time_s / span * 1.6) % 1 * span
            _car(canvas, at, road + (0.14 if way > 0 else 0.055), colour, way)

    return animate


def _house(
    c: Canvas, rng: np.random.Generator, u: float, width: float, top: float, low: float
) -> None:
    """A house front with rows of windows, and a shop or a door on the ground floor."""
    front = pick(
        rng, (176, 92, 72), (206, 186, 150), (150, 150, 156), (222, 206, 190), (130, 150, 160)
    )
    view, grid_u, grid_v = wall_coordinates(c, top, low)
    columns = slice(c.column(u), c.column(u + width))
    if columns.start >= columns.stop:
        return
    view[:, columns] = front
    joints = tiling(grid_u, grid_v, rng, (0.05, 0.022), 0.5, 0.12, 0.1)
    texture(view[:, columns], joints[:, columns] * rng.choice((0.25, 1.0)))
    c.rect(u, top - 0.02, u + width, top + 0.015, shade(front, 0.7))
    shop = low - 0.17
    step, glass = (
        width / int(rng.integers(3, 5)),
        pick(rng, (90, 120, 150), (60, 76, 96), (180, 200, 210)),
    )
    for v in np.arange(top + 0.05, shop - 0.1, 0.15):
        for at in np.arange(u + 0.2 * step, u + width - 0.5 * step, step):
            c.box(at, v, at + 0.6 * step, v + 0.095, (236, 232, 224))
            c.rect(at + 0.01, v + 0.01, at + 0.6 * step - 0.01, v + 0.085, vary(rng, glass))
    c.rect(u + 0.02, shop, u + width - 0.02, low, shade(front, 0.55))
    c.rect(u + 0.05, shop + 0.05, u + 0.62 * width, low - 0.03, (206, 214, 200))
    for at in np.arange(u + 0.07, u + 0.56 * width, 0.05):
        c.rect(
            at, low - rng.uniform(0.06, 0.1), at + 0.035, low - 0.03, hsv(rng.random(), 0.6, 0.8)
        )
    c.rect(
        u + 0.72 * width,
        shop + 0.04,
        u + 0.9 * width,
        low,
        pick(rng, (90, 50, 40), (40, 70, 60), (50, 60, 90)),
    )
    stripe = hsv(rng.random(), 0.7, 0.8)
    for k in range(8):
        at, wide = u + 0.03 + k * 0.6 * width / 8, 0.6 * width / 8
        colour = stripe if k % 2 else (246, 242, 234)
        c.poly(
            [
                (at, shop),
                (at + wide, shop),
                (at + wide + 0.005, shop + 0.06),
                (at - 0.005, shop + 0.06),
            ],
            colour,
        )


def _car(c: Canvas, u: float, v: float, colour: Colour, way: int) -> None:
    """A car whose wheels stand at height v."""

    def x(share: float) -> float:
        return u + 0.21 + way * (share - 0.21)

    c.ellipse(x(0.21), v, 0.21, 0.012, (44, 46, 50))
    c.poly(
        [(x(0.06), v - 0.075), (x(0.12), v - 0.13), (x(0.27), v - 0.13), (x(0.34), v - 0.075)],
        shade(colour, 0.85),
    )
    c.poly(
        [(x(0.09), v - 0.077), (x(0.13), v - 0.12), (x(0.185), v - 0.12), (x(0.185), v - 0.077)],
        (170, 200, 220),
    )
    c.poly(
        [(x(0.2), v - 0.077), (x(0.2), v - 0.12), (x(0.26), v - 0.12), (x(0.305), v - 0.077)],
        (170, 200, 220),
    )
    c.poly(
        [
            (x(0.0), v - 0.015),
            (x(0.01), v - 0.07),
            (x(0.36), v - 0.078),
            (x(0.42), v - 0.055),
            (x(0.42), v - 0.015),
        ],
        colour,
    )
    c.rect(
        *sorted((x(0.02), x(0.4)))[:1], v - 0.03, max(x(0.02), x(0.4)), v - 0.02, shade(colour, 0.7)
    )
    c.ellipse(x(0.41), v - 0.045, 0.009, 0.009, (255, 250, 210))
    for wheel in (0.09, 0.33):
        c.ellipse(x(wheel), v - 0.02, 0.034, 0.034, (30, 30, 34))
        c.ellipse(x(wheel), v - 0.02, 0.015, 0.015, (190, 194, 198))


def night_city(c: Canvas, rng: np.random.Generator) -> Animation:
    ground_v = rng.uniform(0.64, 0.7)
    _night_sky(c, rng, ground_v)
    near_windows: list[tuple[float, float, Colour, float]] = []
    for layer in range(2):
        u = c.left - rng.uniform(0, 0.2)
        while u < c.right:
            width = rng.uniform(0.14, 0.3)
            top = rng.uniform(-0.05, 0.26) + 0.08 * layer
            windows = _tower(c, rng, u, width, top, ground_v - 0.02, layer)
            near_windows += windows if layer == 1 else []
            u += width + rng.uniform(0.0, 0.05)
    c.gradient(ground_v - 0.02, c.bottom, (34, 36, 50), (62, 62, 78))
    view, x, depth = floor_coordinates(c, ground_v, ground_v - 0.2)
    texture(view, tiling(x, depth, rng, (0.4, 0.4), 0.5, 0.03, 0.1))
    texture(view, 0.25 * noise(c, rng, 0.1, 3, 3)[-len(view) :])
    c.rect(c.left, ground_v - 0.025, c.right, ground_v + 0.005, (90, 90, 104))
    signs = [
        (
            rng.uniform(0.05, c.aspect - 0.3),
            rng.uniform(0.3, ground_v - 0.22),
            rng.uniform(0.16, 0.3),
            rng.random(),
            rng.random(),
        )
        for _ in range(4)
    ]
    for u, _, width, hue, _ in signs:
        c.glow(u + width / 2, ground_v + 0.16, 0.26, hsv(hue, 0.8, 1), 0.45)
    for at in (rng.uniform(0, 0.3), c.aspect - rng.uniform(0, 0.3)):
        c.line([(at, ground_v + 0.05), (at, 0.08), (at + 0.1, 0.06)], (24, 24, 30), 0.014)
        c.glow(at + 0.1, 0.09, 0.26, (255, 220, 150), 0.75)
        c.ellipse(at + 0.1, 0.075, 0.03, 0.014, (255, 246, 214))
    blinking = [near_windows[i] for i in rng.permutation(len(near_windows))[:40]]

    def animate(canvas: Canvas, time_s: float) -> None:
        for u, v, colour, pace in blinking:
            is_lit = np.sin(1.2 * time_s * (1 + pace) + 40 * pace) > 0
            canvas.rect(u, v, u + 0.018, v + 0.024, colour if is_lit else (26, 26, 40))
        for u, v, width, hue, pace in signs:
            power = 0.65 + 0.35 * np.sin(5 * time_s * (0.5 + pace) + 9 * hue)
            _neon(canvas, u, v, width, hue, power)

    return animate


def _night_sky(c: Canvas, rng: np.random.Generator, ground_v: float) -> None:
    """A dark sky with stars, and the moon in some."""
    c.gradient(
        c.top,
        ground_v,
        pick(rng, (10, 12, 32), (18, 10, 36), (6, 18, 34)),
        pick(rng, (52, 44, 84), (70, 46, 70), (34, 54, 84)),
    )
    for u, v, size in rng.random((60, 3)):
        c.ellipse(
            c.left + u * (c.right - c.left),
            c.top + 0.4 * v,
            0.001 + 0.003 * size,
            0.001 + 0.003 * size,
            (220, 224, 240),
        )
    if rng.random() < 0.6:
        moon = rng.uniform(0.2, c.aspect - 0.2), rng.uniform(-0.02, 0.08)
        c.glow(*moon, 0.2, (220, 224, 240), 0.5)
        c.ellipse(*moon, 0.05, 0.05, (240, 238, 220))


def _tower(
    c: Canvas, rng: np.random.Generator, u: float, width: float, top: float, low: float, layer: int
) -> list[tuple[float, float, Colour, float]]:
    """A high-rise with lit windows; returns the windows: place, colour and a random number."""
    c.rect(u, top, u + width, low, vary(rng, ((40, 40, 66), (24, 24, 42))[layer], 8))
    warm = pick(rng, (255, 214, 130), (240, 226, 190), (170, 210, 240))
    windows = []
    for v in np.arange(top + 0.03, low - 0.05, 0.045):
        for at in np.arange(u + 0.02, u + width - 0.03, 0.034):
            if rng.random() < 0.5:
                windows.append((at, v, vary(rng, shade(warm, rng.uniform(0.6, 1.0))), rng.random()))
                c.rect(at, v, at + 0.018, v + 0.024, windows[-1][2])
    return windows


def _neon(c: Canvas, u: float, v: float, width: float, hue: float, power: float) -> None:
    """A neon sign: a tube around strokes."""
    colour = hsv(hue, 0.7, power)
    c.rect(u, v, u + width, v + 0.11, (20, 18, 30))
    frame = [(u, v), (u + width, v), (u + width, v + 0.11), (u, v + 0.11), (u, v)]
    c.line(frame, colour, 0.01)
    strokes = np.linspace(u + 0.025, u + width - 0.025, 9)
    zigzag = v + 0.055 + 0.028 * np.sign(np.sin(np.arange(9) * (1.3 + 3 * hue)))
    c.line(np.stack([strokes, zigzag], axis=1), hsv(hue + 0.4, 0.5, power), 0.012)


def harbour(c: Canvas, rng: np.random.Generator) -> Animation:
    horizon, quay = rng.uniform(0.36, 0.42), rng.uniform(0.62, 0.68)
    sky, glow = day_sky(c, rng, horizon)
    _waterfront(c, rng, horizon, glow)
    water = pick(rng, (50, 100, 130), (40, 120, 140), (70, 100, 120))
    c.gradient(horizon, quay, mix(water, glow, 0.4), shade(water, 0.85))
    rows = slice(c.row(horizon), c.row(quay))
    texture(c.image[rows], 0.2 * noise(c, rng, 0.06, 3, 4)[rows])
    _quay(c, rng, quay)
    sky.seal(c)
    boats = [
        (at + rng.uniform(-0.08, 0.08), rng.uniform(0.25, 0.75), rng.random(), rng.random())
        for at in np.arange(0.15, c.aspect, 0.48)
    ]
    glints, gulls = rng.random((45, 3)), rng.random((4, 3))

    def animate(canvas: Canvas, time_s: float) -> None:
        sky.animate(canvas, time_s)
        for x0, y0, pace in glints:
            v, at = horizon + 0.01 + (quay - horizon - 0.03) * y0, x0 * canvas.right
            half = (0.01 + 0.03 * y0) * (0.6 + 0.4 * np.sin(4 * time_s + 20 * pace))
            canvas.line([(at - half, v), (at + half, v)], mix(water, (255, 255, 255), 0.45), 0.004)
        for at, near, hue, phase in sorted(boats, key=lambda boat: boat[1]):
            _boat(
                canvas,
                at,
                horizon + (quay - horizon) * near,
                near,
                hue,
                0.06 * np.sin(1.7 * time_s + 6 * phase),
            )
        for x0, y0, pace in gulls:
            at, v = (x0 * 2 + time_s * (0.1 + 0.1 * pace)) % canvas.aspect, 0.02 + 0.2 * y0
            flap = 0.014 * np.sin(9 * time_s + 6 * pace)
            canvas.line(
                [(at - 0.03, v - flap), (at, v), (at + 0.03, v - flap)], (250, 250, 250), 0.006
            )

    return animate


def _waterfront(c: Canvas, rng: np.random.Generator, horizon: float, glow: Colour) -> None:
    """A row of small gabled houses on the far side of the water."""
    u = c.left
    while u < c.right:
        width, height = rng.uniform(0.07, 0.16), rng.uniform(0.06, 0.14)
        front = mix(
            pick(
                rng,
                (220, 130, 90),
                (236, 214, 150),
                (160, 190, 210),
                (230, 226, 216),
                (190, 90, 80),
            ),
            glow,
            0.25,
        )
        c.rect(u, horizon - height, u + width, horizon + 0.01, front)
        c.poly(
            [
                (u - 0.005, horizon - height),
                (u + width / 2, horizon - height - 0.045),
                (u + width + 0.005, horizon - height),
            ],
            shade((170, 84, 64), rng.uniform(0.8, 1.1)),
        )
        for at in np.arange(u + 0.015, u + width - 0.02, 0.03):
            for v in np.arange(horizon - height + 0.02, horizon - 0.02, 0.035):
                c.rect(at, v, at + 0.014, v + 0.018, (80, 90, 104))
        u += width + rng.uniform(0, 0.03)


def _quay(c: Canvas, rng: np.random.Generator, quay: float) -> None:
    """The near shore, of planks or of stone, with bollards."""
    stone = pick(rng, (150, 142, 130), (130, 130, 134))
    if rng.random() < 0.5:
        c.gradient(quay, c.bottom, (118, 94, 70), (158, 128, 96))
        view, x, depth = floor_coordinates(c, quay, quay - 0.22)
        texture(view, tiling(x, depth, rng, (3.0, rng.uniform(0.12, 0.18)), 0.5, 0.09, 0.14))
    else:
        rough_ground(c, rng, quay, shade(stone, 0.85), stone, 0.1)
        view, x, depth = floor_coordinates(c, quay, quay - 0.22)
        texture(view, tiling(x, depth, rng, (0.3, 0.2), 0.5, 0.08, 0.1))
    c.rect(c.left, quay - 0.012, c.right, quay + 0.016, (70, 60, 52))
    for at in np.arange(c.left + rng.uniform(0, 0.3), c.right, 0.5):
        c.rect(at - 0.02, quay - 0.02, at + 0.02, quay + 0.05, (44, 46, 52))
        c.ellipse(at, quay - 0.02, 0.032, 0.016, (66, 68, 76))


def _boat(c: Canvas, u: float, v: float, near: float, hue: float, tilt: float) -> None:
    """A sailing boat that rocks on the water at (u, v)."""
    size = 0.6 + 0.6 * near
    sine, cosine = np.sin(tilt), np.cos(tilt)

    def at(x: float, y: float) -> tuple[float, float]:
        return u + size * (x * cosine - y * sine), v + size * (x * sine + y * cosine)

    hull = hsv(hue, 0.7, 0.7)
    c.line([at(0, 0), at(0, -0.42)], (236, 230, 220), 0.008)
    c.poly([at(0.012, -0.4), at(0.012, -0.06), at(0.17, -0.06)], (246, 244, 236))
    c.poly([at(-0.012, -0.36), at(-0.012, -0.06), at(-0.12, -0.06)], hsv(hue + 0.5, 0.3, 0.92))
    c.poly([at(-0.18, -0.045), at(0.2, -0.045), at(0.14, 0.02), at(-0.14, 0.02)], hull)
    c.poly(
        [at(-0.18, -0.045), at(0.2, -0.045), at(0.192, -0.03), at(-0.172, -0.03)], (244, 242, 236)
    )
