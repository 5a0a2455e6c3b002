"""The scenes: one small function each paints a place and returns what moves in it.

Adding a scene is one function and one line in `PAINTERS`.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from ..camera import MARGIN
from ..canvas import Canvas
from ..textures import Animation, noise, texture
from . import green, home, open_land, sport, town, work_rooms

Painter = Callable[[Canvas, np.random.Generator], Animation]

PAINTERS: dict[str, Painter] = {
    "kitchen": home.kitchen,
    "beach": open_land.beach,
    "gym": sport.gym,
    "forest": green.forest,
    "street": town.street,
    "library": work_rooms.library,
    "snow_field": open_land.snow_field,
    "stadium": sport.stadium,
    "living_room": home.living_room,
    "desert": open_land.desert,
    "swimming_pool": sport.swimming_pool,
    "night_city": town.night_city,
    "classroom": work_rooms.classroom,
    "mountain_meadow": green.mountain_meadow,
    "harbour": town.harbour,
    "office": work_rooms.office,
}
_NARROWEST = 1.5  # scenes are laid out for at least this width, in frame heights
SCENES: tuple[str, ...] = tuple(PAINTERS)


def paint_scene(
    scene: str, rng: np.random.Generator, aspect: float, height: int
) -> tuple[Canvas, Animation]:
    """Paint an instance of a scene.

    Parameters
    ----------
    scene
        One of `SCENES`.
    rng
        Decides on everything that differs between instances.
    aspect
        Width of the frame in frame heights.
    height
        Height of the frame in pixels.

    Returns
    -------
    Canvas
        The scene without what moves, larger than the frame by `MARGIN` on all sides, and wider
        where the frame is so narrow that there is no room for the things of a scene.
    Animation
        Draws what moves onto a copy of the canvas.
    """
    aspect = max(aspect, _NARROWEST)
    zoom = 4 if height < 100 else 2 if height < 400 else 1
    offset = round(MARGIN * height)
    rows, columns = height + 2 * offset, round(aspect * height) + 2 * offset
    large = Canvas(
        np.zeros((rows * zoom, columns * zoom, 3), np.uint8), height * zoom, aspect, offset / height
    )
    animate = PAINTERS[scene](large, rng)
    texture(large.image, 0.07 * noise(large, rng, 0.6, 2))
    image = cv2.resize(large.image, (columns, rows), interpolation=cv2.INTER_AREA)
    grain = np.random.default_rng(rng.integers(2**63)).normal(0, 2.0, image.shape)
    image = np.clip(image + grain, 0, 255).astype(np.uint8)
    return Canvas(image, height, aspect, offset / height), animate
