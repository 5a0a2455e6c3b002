"""Rooms of a home: kitchen, living room."""

from __future__ import annotations

import numpy as np

from ..canvas import Canvas, mix, shade
from ..person import Colour
from ..textures import (
    Animation,
    hsv,
    pick,
    plank_floor,
    texture,
    tile_floor,
    tiling,
    wall_coordinates,
)
from .furniture import WOOD, lamp, plant, window


def kitchen(c: Canvas, rng: np.random.Generator) -> Animation:
    floor_v = rng.uniform(0.68, 0.74)
    cabinet = pick(
        rng, (232, 228, 218), (96, 132, 136), (178, 130, 84), (196, 84, 70), (84, 98, 84)
    )
    tile = pick(rng, (232, 234, 232), (188, 214, 222), (236, 220, 186), (202, 222, 196))
    wall, u, v = wall_coordinates(c, c.top, floor_v)
    wall[:] = tile
    texture(
        wall, tiling(u, v, rng, (rng.uniform(0.07, 0.14), 0.07), rng.choice((0, 0.5)), 0.08, 0.05)
    )
    light = pick(rng, (208, 196, 178), (224, 224, 220), (190, 170, 150))
    dark = light if rng.random() < 0.4 else shade(light, 0.55)
    tile_floor(c, rng, floor_v, light, dark)
    top = floor_v - 0.27
    if rng.random() < 0.5:
        fridge_u, stove_u = rng.uniform(-0.1, 0.15), c.aspect - rng.uniform(0.3, 0.6)
    else:
        fridge_u, stove_u = c.aspect - rng.uniform(0.25, 0.45), rng.uniform(0.0, 0.3)
    _cabinets(c, cabinet, top, floor_v)
    c.rect(c.left, floor_v - 0.025, c.right, floor_v, (60, 52, 46))
    c.box(
        c.left, top - 0.015, c.right, top + 0.025, pick(rng, (92, 84, 80), (222, 218, 210), *WOOD)
    )
    window_u = rng.uniform(0.3, c.aspect - 0.8)
    c.rect(window_u - 0.06, c.top, window_u + 0.56, 0.21, tile)
    window(c, rng, window_u, 0.02, 0.5, 0.26)
    _stove(c, stove_u, top, floor_v)
    for _ in range(6):
        at, size = rng.uniform(c.left, c.right), rng.uniform(0.05, 0.1)
        c.box(
            at,
            top - 0.015 - size,
            at + rng.uniform(0.04, 0.1),
            top - 0.015,
            hsv(rng.random(), 0.6, 0.75),
        )
    _fridge(c, rng, fridge_u, floor_v)
    lamp_u, lamp_colour = rng.uniform(0.3, c.aspect - 0.3), hsv(rng.random(), 0.6, 0.6)
    phase = rng.random()

    def animate(canvas: Canvas, time_s: float) -> None:
        for puff in range(4):
            age = (time_s * 0.7 + puff / 4 + phase) % 1
            at = stove_u + 0.1 + 0.02 * np.sin(7 * age + puff)
            canvas.glow(
                at, top - 0.12 - 0.22 * age, 0.05 + 0.05 * age, (250, 250, 250), 0.6 * (1 - age)
            )
        lamp(canvas, lamp_u, 0.24, lamp_colour, 0.1 * np.sin(2.2 * time_s + 6 * phase))

    return animate


def _cabinets(c: Canvas, cabinet: Colour, top: float, floor_v: float) -> None:
    """Cupboards below the worktop and on the wall."""
    for start in np.arange(c.left, c.right, 0.26):
        c.box(start, top + 0.02, start + 0.255, floor_v - 0.02, cabinet)
        c.rect(start + 0.11, top + 0.05, start + 0.15, top + 0.06, (60, 60, 64))
        c.box(start, c.top, start + 0.255, 0.2, cabinet)
        c.rect(start + 0.2, 0.12, start + 0.21, 0.17, (60, 60, 64))


def _fridge(c: Canvas, rng: np.random.Generator, fridge_u: float, floor_v: float) -> None:
    """A fridge that stands on the floor."""
    c.box(
        fridge_u,
        0.02,
        fridge_u + 0.34,
        floor_v + 0.01,
        pick(rng, (206, 210, 214), (236, 236, 234), (170, 60, 56)),
    )
    c.rect(fridge_u, 0.22, fridge_u + 0.34, 0.23, (90, 94, 98))
    c.rect(fridge_u + 0.03, 0.26, fridge_u + 0.045, 0.42, (80, 84, 88))


def _stove(c: Canvas, u: float, top: float, floor_v: float) -> None:
    """A cooker with an oven door and a pot on it."""
    c.box(u, top - 0.01, u + 0.3, floor_v - 0.02, (186, 188, 192))
    c.box(u + 0.03, top + 0.07, u + 0.27, floor_v - 0.06, (40, 40, 46))
    for knob in range(4):
        c.ellipse(u + 0.05 + 0.066 * knob, top + 0.035, 0.013, 0.013, (50, 50, 54))
    c.box(u + 0.04, top - 0.1, u + 0.17, top - 0.01, (150, 60, 50))
    c.line([(u + 0.17, top - 0.07), (u + 0.25, top - 0.075)], (30, 30, 34), 0.014)


def living_room(c: Canvas, rng: np.random.Generator) -> Animation:
    floor_v = rng.uniform(0.68, 0.74)
    wall = hsv(rng.random(), rng.uniform(0.1, 0.4), rng.uniform(0.65, 0.92))
    view, u, _ = wall_coordinates(c, c.top, floor_v)
    view[:] = wall
    texture(view, 0.06 * np.sign(np.sin(u * rng.uniform(25, 70))))
    plank_floor(c, rng, floor_v, pick(rng, *WOOD))
    c.rect(c.left, floor_v - 0.03, c.right, floor_v, mix(wall, (255, 255, 255), 0.6))
    rug = hsv(rng.random(), 0.6, 0.6)
    c.ellipse(c.aspect / 2, 0.92, 0.75, 0.15, shade(rug, 0.7))
    c.ellipse(c.aspect / 2, 0.92, 0.68, 0.13, rug)
    c.ellipse(c.aspect / 2, 0.92, 0.5, 0.09, mix(rug, (255, 240, 210), 0.5))
    mirror = rng.random() < 0.5

    def across(at: float) -> float:
        return c.aspect - at if mirror else at

    window(c, rng, min(across(0.08), across(0.5)), 0.04, 0.42, 0.4)
    for edge in (0.02, 0.5):
        start, stop = sorted((across(edge), across(edge + 0.09)))
        c.rect(start, -0.02, stop, floor_v - 0.04, shade(rug, 1.15))
        c.rect((start + stop) / 2, -0.02, stop, floor_v - 0.04, shade(rug, 0.9))
    sofa_u = min(across(0.12), across(0.92))
    _sofa(c, rng, sofa_u, 0.8, floor_v)
    for at in (0.76, 1.0):
        size, start = rng.uniform(0.08, 0.13), across(at)
        c.box(start - size, 0.1, start + size, 0.1 + 1.5 * size, pick(rng, *WOOD))
        c.rect(
            start - 0.8 * size,
            0.12,
            start + 0.8 * size,
            0.08 + 1.5 * size,
            hsv(rng.random(), 0.5, 0.8),
        )
    tv = min(across(1.2), across(1.66))
    c.box(tv - 0.04, floor_v - 0.16, tv + 0.5, floor_v + 0.02, pick(rng, *WOOD))
    c.box(tv, floor_v - 0.46, tv + 0.46, floor_v - 0.17, (24, 24, 28))
    plant(c, rng, across(1.74), floor_v + 0.03, 0.13)
    lamp_u, lamp_colour = across(rng.uniform(0.7, 1.0)), hsv(rng.random(), 0.5, 0.8)
    pictures = rng.random((9, 3))

    def animate(canvas: Canvas, time_s: float) -> None:
        shot = pictures[int(time_s * 1.7) % len(pictures)]
        low, high = hsv(shot[0], 0.5, 0.85), hsv(shot[1], 0.6, 0.5)
        canvas.rect(tv + 0.015, floor_v - 0.445, tv + 0.445, floor_v - 0.185, low)
        canvas.rect(tv + 0.015, floor_v - 0.28, tv + 0.445, floor_v - 0.185, high)
        canvas.ellipse(
            tv + 0.06 + 0.33 * ((shot[2] + 0.3 * time_s) % 1),
            floor_v - 0.33,
            0.04,
            0.04,
            hsv(shot[2], 0.7, 0.95),
        )
        lamp(canvas, lamp_u, 0.2, lamp_colour, 0.06 * np.sin(1.9 * time_s))

    return animate


def _sofa(c: Canvas, rng: np.random.Generator, u: float, width: float, floor_v: float) -> None:
    colour = hsv(rng.random(), rng.uniform(0.25, 0.7), rng.uniform(0.4, 0.75))
    c.box(u, floor_v - 0.26, u + width, floor_v + 0.02, colour)
    for k in range(2):
        start = u + 0.07 + k * (width - 0.14) / 2
        c.box(
            start, floor_v - 0.12, start + (width - 0.14) / 2, floor_v - 0.03, shade(colour, 1.12)
        )
        c.box(
            start + 0.08, floor_v - 0.22, start + 0.22, floor_v - 0.09, hsv(rng.random(), 0.6, 0.8)
        )
    for start in (u - 0.03, u + width - 0.06):
        c.box(start, floor_v - 0.18, start + 0.09, floor_v + 0.03, shade(colour, 0.88))
