"""Rooms to learn and work in: library, classroom, office."""

from __future__ import annotations

import numpy as np

from ..canvas import Canvas, mix, shade
from ..textures import (
    Animation,
    hsv,
    noise,
    pick,
    plank_floor,
    texture,
    tile_floor,
)
from .furniture import WOOD, lamp, plant


def library(c: Canvas, rng: np.random.Generator) -> Animation:
    floor_v = rng.uniform(0.7, 0.76)
    wood = pick(rng, *WOOD)
    c.gradient(c.top, floor_v, shade(wood, 0.4), shade(wood, 0.5))
    carpeted = rng.random() < 0.4
    if carpeted:
        c.gradient(floor_v, c.bottom, (90, 40, 44), (140, 60, 62))
        texture(c.image[c.row(floor_v) :], 0.12 * noise(c, rng, 0.03)[c.row(floor_v) :])
    else:
        plank_floor(c, rng, floor_v, pick(rng, *WOOD))
    pitch, bay = rng.uniform(0.14, 0.2), rng.uniform(0.5, 0.8)
    hue = rng.random()
    for shelf in np.arange(floor_v - 0.05, c.top, -pitch):
        at = c.left
        while at < c.right:
            width, height = rng.uniform(0.014, 0.04), pitch * rng.uniform(0.55, 0.86)
            if rng.random() < 0.93:
                spine = hsv(
                    hue + rng.normal(0, 0.2), rng.uniform(0.2, 0.75), rng.uniform(0.3, 0.85)
                )
                c.rect(at, shelf - height, at + width, shelf, shade(spine, 0.6))
                c.rect(at + 0.003, shelf - height, at + width - 0.003, shelf, spine)
                c.rect(
                    at + 0.003,
                    shelf - 0.75 * height,
                    at + width - 0.003,
                    shelf - 0.68 * height,
                    (226, 206, 150),
                )
            at += width
        c.rect(c.left, shelf, c.right, shelf + 0.018, wood)
    for post in np.arange(c.left + rng.uniform(0, bay), c.right, bay):
        c.box(post, c.top, post + 0.05, floor_v, shade(wood, 1.1))
    c.rect(c.left, floor_v - 0.035, c.right, floor_v + 0.008, shade(wood, 0.75))
    ladder = rng.uniform(0.1, c.aspect - 0.2)
    for offset in (0, 0.1):
        c.line(
            [(ladder + offset, c.top), (ladder + offset + 0.09, floor_v + 0.04)],
            shade(wood, 1.5),
            0.014,
        )
    for rung in np.linspace(0.04, 0.9, 9):
        start = ladder + 0.09 * rung
        v = c.top + rung * (floor_v + 0.04 - c.top)
        c.line([(start, v), (start + 0.1, v)], shade(wood, 1.4), 0.01)
    lamps = [
        (at, hsv(0.3 + 0.1 * rng.random(), 0.7, 0.5), rng.random())
        for at in (0.35, c.aspect - 0.35)
    ]
    motes = rng.random((30, 3))

    def animate(canvas: Canvas, time_s: float) -> None:
        for at, colour, phase in lamps:
            lamp(canvas, at, 0.26, colour, 0.08 * np.sin(2 * time_s + 6 * phase))
        for x, y, pace in motes:
            v = (y + 0.06 * time_s * (0.4 + pace)) % 0.8
            u = x * canvas.aspect + 0.02 * np.sin(2 * time_s + 9 * pace)
            canvas.glow(u, v, 0.012, (255, 240, 200), 0.7)

    return animate


def classroom(c: Canvas, rng: np.random.Generator) -> Animation:
    floor_v = rng.uniform(0.68, 0.74)
    wall = pick(rng, (236, 226, 196), (206, 222, 210), (216, 222, 234), (238, 210, 186))
    c.gradient(c.top, floor_v, wall, shade(wall, 0.9))
    c.rect(c.left, floor_v - 0.12, c.right, floor_v, shade(wall, 0.72))
    tile_floor(
        c, rng, floor_v, *(2 * [pick(rng, (170, 160, 146), (150, 164, 160), (180, 150, 120))])
    )
    board = pick(rng, (34, 84, 62), (40, 52, 50), (30, 70, 84))
    u0 = rng.uniform(0.1, 0.35)
    u1 = u0 + rng.uniform(0.9, 1.15)
    c.box(u0 - 0.03, 0.03, u1 + 0.03, 0.5, pick(rng, *WOOD))
    c.rect(u0, 0.06, u1, 0.47, board)
    smears = c.window(u0, 0.06, u1, 0.47)
    texture(smears, 0.2 * noise(c, rng, 0.2, 3, 2)[: smears.shape[0], : smears.shape[1]])
    _chalk(c, rng, u0, u1)
    c.rect(u0, 0.48, u1, 0.495, (220, 216, 206))
    for at in np.arange(u1 + 0.08, c.right, 0.24):
        for v in (0.1, 0.32):
            c.box(at, v, at + 0.17, v + 0.18, hsv(rng.random(), 0.35, 0.92))
            c.line(
                [(at + 0.03, v + 0.06), (at + 0.13, v + 0.1)], hsv(rng.random(), 0.8, 0.6), 0.012
            )
    desk = pick(rng, (202, 164, 112), (176, 132, 86), (216, 206, 186))
    for k, at in enumerate(np.arange(c.left + 0.04, c.right, 0.4)):
        v = floor_v - 0.08 + 0.012 * (k % 2)
        for leg in (at + 0.02, at + 0.26):
            c.rect(leg, v, leg + 0.014, floor_v + 0.05, (70, 74, 80))
        c.box(at, v - 0.02, at + 0.3, v + 0.025, desk)
        c.box(at + 0.05, v - 0.05, at + 0.14, v - 0.02, hsv(rng.random(), 0.7, 0.8))
    clock_u, start, hue = (u1 + rng.uniform(0.2, 0.3)) % c.right, rng.uniform(0, 7), rng.random()
    bunting = rng.uniform(0.2, 0.6)

    def animate(canvas: Canvas, time_s: float) -> None:
        canvas.ellipse(clock_u, 0.02, 0.065, 0.065, (40, 40, 46))
        canvas.ellipse(clock_u, 0.02, 0.054, 0.054, (248, 248, 244))
        angle = start + 1.4 * time_s
        tip = (clock_u + 0.045 * np.sin(angle), 0.02 - 0.045 * np.cos(angle))
        canvas.line([(clock_u, 0.02), tip], (200, 40, 40), 0.006)
        for k, at in enumerate(np.arange(canvas.left, canvas.right, 0.11)):
            swing = 0.02 * np.sin(2.4 * time_s + bunting * k)
            canvas.poly(
                [(at, -0.05), (at + 0.09, -0.05), (at + 0.045 + swing, 0.025)],
                hsv(hue + 0.23 * k, 0.65, 0.9),
            )

    return animate


def _chalk(c: Canvas, rng: np.random.Generator, u0: float, u1: float) -> None:
    """Lines of scribble and a triangle in chalk."""
    for v in np.arange(0.13, 0.42, 0.07):
        at = u0 + 0.06
        while at < u1 - 0.4:
            length = rng.uniform(0.03, 0.1)
            u = np.linspace(at, at + length, 9)
            c.line(
                np.stack([u, v + 0.012 * np.sin(rng.uniform(180, 260) * u)], 1),
                (226, 230, 224),
                0.005,
            )
            at += length + 0.025
    tip = rng.uniform(0.12, 0.2)
    corners = [(u1 - 0.3, 0.38), (u1 - 0.06, 0.38), (u1 - 0.2, tip), (u1 - 0.3, 0.38)]
    c.line(corners, pick(rng, (250, 226, 120), (240, 170, 170), (170, 210, 240)), 0.008)


def office(c: Canvas, rng: np.random.Generator) -> Animation:
    floor_v = rng.uniform(0.68, 0.74)
    wall = pick(rng, (214, 218, 222), (226, 222, 212), (196, 206, 214))
    c.gradient(c.top, floor_v, wall, shade(wall, 0.88))
    carpet = pick(rng, (82, 92, 108), (104, 104, 104), (74, 98, 96), (110, 92, 88))
    tile_floor(c, rng, floor_v, carpet, shade(carpet, rng.uniform(0.86, 1.0)))
    texture(c.image[c.row(floor_v) :], 0.12 * noise(c, rng, 0.02, 2)[c.row(floor_v) :])
    glass = pick(rng, (176, 206, 230), (214, 226, 232), (236, 210, 176))
    for at in np.arange(c.left, c.right, 0.5):
        c.box(at, c.top, at + 0.46, 0.4, (236, 238, 240))
        c.rect(at + 0.02, c.top, at + 0.44, 0.38, glass)
        for tower in np.arange(at + 0.03, at + 0.4, 0.1):
            c.rect(
                tower,
                rng.uniform(0.08, 0.3),
                tower + 0.085,
                0.38,
                mix(glass, (90, 100, 120), rng.uniform(0.3, 0.6)),
            )
        for slat in np.arange(c.top, rng.uniform(0.05, 0.38), 0.03):
            c.rect(at + 0.02, slat, at + 0.44, slat + 0.016, (246, 246, 242))
    screens = []
    desk = pick(rng, (220, 210, 192), (180, 140, 98), (236, 236, 234))
    divider = hsv(rng.random(), 0.3, 0.6)
    first = c.left + rng.uniform(0.0, 0.2)
    for at in np.arange(first, c.right, 0.62):
        c.box(at - 0.02, floor_v - 0.3, at + 0.6, floor_v - 0.16, divider)
        c.box(at + 0.04, floor_v - 0.16, at + 0.15, floor_v + 0.03, (150, 154, 160))
        c.rect(at + 0.54, floor_v - 0.16, at + 0.56, floor_v + 0.04, (60, 62, 66))
        c.box(at, floor_v - 0.18, at + 0.58, floor_v - 0.145, desk)
        c.rect(at + 0.3, floor_v - 0.24, at + 0.33, floor_v - 0.18, (40, 42, 46))
        c.box(at + 0.18, floor_v - 0.43, at + 0.46, floor_v - 0.22, (28, 30, 34))
        c.box(at + 0.24, floor_v - 0.09, at + 0.42, floor_v - 0.03, (44, 46, 54))
        c.rect(at + 0.32, floor_v - 0.03, at + 0.34, floor_v + 0.05, (44, 46, 54))
        c.line([(at + 0.25, floor_v + 0.055), (at + 0.41, floor_v + 0.055)], (44, 46, 54), 0.012)
        screens.append((at, rng.random(), rng.random()))
    plant(c, rng, rng.uniform(0, c.aspect), floor_v + 0.02, 0.11)

    def animate(canvas: Canvas, time_s: float) -> None:
        for at, hue, pace in screens:
            flicker = 0.85 + 0.12 * np.sin(9 * time_s * (0.5 + pace))
            left, top = at + 0.195, floor_v - 0.415
            canvas.rect(left, top, left + 0.25, top + 0.18, hsv(hue, 0.35, flicker))
            for k in range(5):
                length = 0.05 + 0.17 * abs(
                    np.sin(5 * hue + 2.3 * k + int(time_s * 3 * (0.5 + pace)))
                )
                v = top + 0.025 + 0.032 * k
                canvas.rect(
                    left + 0.015,
                    v,
                    left + 0.015 + length,
                    v + 0.014,
                    hsv(hue + 0.15 * k, 0.7, 0.45),
                )

    return animate
