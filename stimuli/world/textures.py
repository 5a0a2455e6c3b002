"""Surfaces and what grows on them: noise, tiles, planks, bricks, grass, hills, leaves."""

from __future__ import annotations

import colorsys
from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from .canvas import Canvas, Image, clip_colour, mix
from .person import Colour

Field = NDArray[np.float32]  # (H, W)
Animation = Callable[[Canvas, float], None]  # draws what moves, at a time in seconds


def hsv(hue: float, saturation: float, value: float) -> Colour:
    """Return a colour by hue (0 to 1, wraps), saturation and value."""
    return clip_colour([255 * part for part in colorsys.hsv_to_rgb(hue % 1, saturation, value)])


def pick(rng: np.random.Generator, *colours: Colour) -> Colour:
    """Pick one of the colours and vary it a little."""
    return vary(rng, colours[rng.integers(len(colours))], 9)


def vary(rng: np.random.Generator, colour: Sequence[float], amount: float = 14) -> Colour:
    """Return a colour close to the given one."""
    return clip_colour(np.array(colour) + rng.uniform(-amount, amount, 3))


def noise(
    canvas: Canvas, rng: np.random.Generator, cell: float, octaves: int = 3, stretch: float = 1.0
) -> Field:
    """Return smooth noise over the canvas, roughly -1 to 1.

    `cell` is the size of the coarsest grains in frame heights, `stretch` how much wider than high
    they are. Grains are laid out in scene units, so that they look alike at every frame size.
    """
    height, width = canvas.image.shape[:2]
    total = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        size = cell / 2**octave
        rows = max(2, round((canvas.bottom - canvas.top) / size))
        columns = max(2, round((canvas.right - canvas.left) / (size * stretch)))
        grid = rng.uniform(-1, 1, (rows, columns)).astype(np.float32)
        total += cv2.resize(grid, (width, height), interpolation=cv2.INTER_LINEAR) / 2**octave
    return total / 1.4


def texture(view: Image, gain: Field | float) -> None:
    """Multiply the brightness of a view's pixels by 1 + gain."""
    gains = 1 + np.asarray(gain, np.float32)
    view[:] = np.clip(view * (gains[..., None] if gains.ndim == 2 else gains), 0, 255)


def wall_coordinates(canvas: Canvas, v0: float, v1: float) -> tuple[Image, Field, Field]:
    """Return the rows from v0 to v1 as a view, and the u and v of their pixels."""
    start, stop = canvas.row(v0), canvas.row(v1)
    u = (np.arange(canvas.image.shape[1]) + 0.5) / canvas.unit - canvas.margin
    v = (np.arange(start, stop) + 0.5) / canvas.unit - canvas.margin
    grid_u, grid_v = np.meshgrid(u.astype(np.float32), v.astype(np.float32))
    return canvas.image[start:stop], grid_u, grid_v


def floor_coordinates(canvas: Canvas, v0: float, eye: float) -> tuple[Image, Field, Field]:
    """Return the floor below v0 as a view, and where on the floor its pixels lie.

    `eye` is the height of the horizon in the picture, above v0. The floor's x and depth are in
    units of which about 1.2 fit into the frame's height at the lower edge.
    """
    view, u, v = wall_coordinates(canvas, v0, canvas.bottom)
    depth = 0.6 / np.maximum(v - eye, 0.02)
    return view, (u - canvas.aspect / 2) * depth, depth


def tiling(
    x: Field,
    y: Field,
    rng: np.random.Generator,
    size: tuple[float, float],
    shift: float = 0.0,
    joint: float = 0.06,
    contrast: float = 0.12,
) -> Field:
    """Return the gain of rows of tiles: each has its own shade, joints are dark.

    `shift` moves every other row by a share of a tile's width (0.5: bricks).
    """
    row = np.floor(y / size[1])
    across = x / size[0] + shift * (row % 2)
    column = np.floor(across)
    shades = rng.uniform(-contrast, contrast, (61, 67)).astype(np.float32)
    gain = shades[row.astype(int) % 61, column.astype(int) % 67]
    width = joint * size[1]
    in_joint = (y - row * size[1] < width) | ((across - column) * size[0] < width)
    return np.where(in_joint, np.float32(-0.3), gain)


def checker(x: Field, y: Field, size: float) -> NDArray[np.bool_]:
    """Return where the dark squares of a chequered floor are."""
    return (np.floor(x / size) + np.floor(y / size)) % 2 == 0


def plank_floor(canvas: Canvas, rng: np.random.Generator, v0: float, colour: Colour) -> None:
    """Paint a floor of boards that run away from the viewer."""
    canvas.gradient(v0, canvas.bottom, mix(colour, (0, 0, 0), 0.3), colour)
    view, x, depth = floor_coordinates(canvas, v0, v0 - 0.22)
    texture(view, tiling(depth, x, rng, (1.3, rng.uniform(0.09, 0.16)), 0.5, 0.07, 0.14))
    texture(view, 0.08 * noise(canvas, rng, 0.05, stretch=3)[-len(view) :])


def tile_floor(
    canvas: Canvas, rng: np.random.Generator, v0: float, first: Colour, second: Colour
) -> None:
    """Paint a floor of square tiles in two colours (or one, if they are equal)."""
    canvas.gradient(v0, canvas.bottom, mix(first, (0, 0, 0), 0.2), first)
    view, x, depth = floor_coordinates(canvas, v0, v0 - 0.2)
    size = rng.uniform(0.18, 0.32)
    if first != second:
        view[checker(x, depth, size)] = second
    texture(view, tiling(x, depth, rng, (size, size), joint=0.05, contrast=0.06))


def rough_ground(
    canvas: Canvas, rng: np.random.Generator, v0: float, far: Colour, near: Colour, strength: float
) -> None:
    """Paint earth, sand, snow or grass from v0 down: coarse grains in front, fine ones far off."""
    canvas.gradient(v0, canvas.bottom, far, near)
    rows = canvas.image[canvas.row(v0) :]
    share = np.linspace(0, 1, len(rows), dtype=np.float32)[:, None]
    fine = noise(canvas, rng, 0.03, 2, 3)[-len(rows) :]
    coarse = noise(canvas, rng, 0.12, 3, 2.5)[-len(rows) :]
    texture(rows, strength * (fine * (1 - 0.5 * share) + coarse * share))


def blades(
    canvas: Canvas, rng: np.random.Generator, v0: float, colour: Colour, count: int = 260
) -> None:
    """Draw blades of grass below v0, larger in front."""
    for v in np.sort(rng.uniform(v0, canvas.bottom, count)):
        u, size = rng.uniform(canvas.left, canvas.right), 0.012 + 0.05 * (v - v0)
        tone = vary(rng, colour, 26)
        tip = (u + rng.uniform(-0.5, 0.5) * size, v - size)
        canvas.line([(u, v), tip], tone, 0.003 + 0.005 * (v - v0))


def hills(
    canvas: Canvas,
    rng: np.random.Generator,
    base: float,
    height: float,
    colour: Colour,
    roughness: float = 1.0,
) -> NDArray[np.float64]:
    """Draw a chain of hills above `base`; return its outline, (N, 2)."""
    u = np.linspace(canvas.left, canvas.right, 90)
    v = np.zeros_like(u)
    for octave in range(5):
        phase, rate = rng.random(), rng.uniform(0.25, 0.5) * 2**octave
        v += roughness**octave * 0.5**octave * np.sin(2 * np.pi * (rate * u + phase))
    v = base - height * (0.55 + 0.3 * v)
    outline = np.stack([u, v], axis=1)
    canvas.poly([*outline, (canvas.right, base + 0.02), (canvas.left, base + 0.02)], colour)
    return outline


def foliage(
    canvas: Canvas,
    rng: np.random.Generator,
    u: float,
    v: float,
    size: float,
    colour: Colour,
    leaves: int = 40,
) -> None:
    """Draw a tree's crown: clumps of leaves, dark ones below and behind, light ones above."""
    for i in range(leaves):
        share = i / leaves
        angle, reach = rng.uniform(0, 2 * np.pi), size * np.sqrt(rng.random())
        at = (u + reach * np.cos(angle), v + 0.75 * reach * np.sin(angle) - 0.15 * size * share)
        tone = mix(mix(colour, (10, 20, 12), 0.5), mix(colour, (230, 240, 150), 0.25), share)
        radius = size * rng.uniform(0.14, 0.28) * (1.15 - 0.5 * share)
        canvas.ellipse(*at, radius, 0.8 * radius, vary(rng, tone, 10))
