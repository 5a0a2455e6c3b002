"""Skies with drifting clouds, and backdrops on which things move behind what stands in front."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from .canvas import Canvas, mix
from .person import Colour
from .textures import Field, noise, vary

# Colours of the sky at the top and at the horizon, at different times of the day.
DAY_SKIES: tuple[tuple[Colour, Colour], ...] = (
    ((72, 136, 214), (186, 216, 240)),
    ((104, 150, 200), (226, 230, 232)),
    ((120, 110, 170), (250, 190, 140)),
    ((140, 156, 176), (206, 212, 216)),
)


class Backdrop:
    """What is painted so far: things can move on it and stay behind all that is painted later."""

    def __init__(self, canvas: Canvas) -> None:
        self.remember(canvas)
        self._visible = np.empty((0, 0), np.uint8)

    def remember(self, canvas: Canvas) -> None:
        """Take what is painted now as the backdrop."""
        self._painted = canvas.image.copy()

    def seal(self, canvas: Canvas) -> None:
        """Remember where the backdrop is still seen, when everything else is painted."""
        self._visible = 255 * (canvas.image == self._painted).all(axis=2).astype(np.uint8)

    def visible(self, canvas: Canvas) -> NDArray[np.uint8]:
        """Return where the backdrop is seen (255) on a canvas of any size, (H, W)."""
        height, width = canvas.image.shape[:2]
        if self._visible.shape != (height, width):
            size = (width, height)
            self._visible = cv2.resize(self._visible, size, interpolation=cv2.INTER_AREA)
        return self._visible

    def draw_behind(self, canvas: Canvas, draw: Callable[[Canvas], None]) -> None:
        """Let `draw` paint on the canvas, as far as the backdrop is seen."""
        copy = Canvas(canvas.image.copy(), canvas.unit, canvas.aspect, canvas.margin)
        draw(copy)
        cv2.copyTo(copy.image, (self.visible(canvas) > 127).view(np.uint8), canvas.image)


class Sky(Backdrop):
    """A sky with drifting clouds, seen above and behind all that is painted later.

    `upper` and `lower` are its colours at the top and at the horizon; `cover` is how much of it
    is clouded.
    """

    def __init__(
        self,
        canvas: Canvas,
        rng: np.random.Generator,
        horizon: float,
        upper: Colour,
        lower: Colour,
        cover: float = 0.5,
        cloud: Colour = (255, 255, 255),
    ) -> None:
        canvas.gradient(canvas.top, horizon, upper, lower)
        canvas.gradient(horizon, canvas.bottom, lower, lower)
        super().__init__(canvas)
        self._horizon, self._cloud = horizon, np.array(cloud, np.float32)
        field = noise(canvas, rng, 0.3, 4, 2.6)
        fade = np.linspace(1, 0.3, len(field), dtype=np.float32)[:, None]
        self._alpha = np.clip((field + cover - 0.45) * 1.6, 0, 0.9) * fade
        self._speed = float(rng.choice((-1, 1)) * rng.uniform(0.02, 0.06))

    def animate(self, canvas: Canvas, time_s: float) -> None:
        """Draw the clouds on the canvas."""
        height, width = canvas.image.shape[:2]
        if self._alpha.shape != (height, width):
            self._alpha = cv2.resize(self._alpha, (width, height), interpolation=cv2.INTER_AREA)
        rows = canvas.row(self._horizon)
        moved = shifted(self._alpha[:rows], self._speed * time_s * canvas.unit)
        alpha = (moved * self.visible(canvas)[:rows] * np.float32(1 / 255))[..., None]
        view = canvas.image[:rows]
        view[:] = view + (self._cloud - view) * alpha


def day_sky(c: Canvas, rng: np.random.Generator, horizon: float) -> tuple[Sky, Colour]:
    """Paint a sky of some time of the day; return it and its colour at the horizon."""
    upper, lower = DAY_SKIES[rng.integers(len(DAY_SKIES))]
    lower = vary(rng, lower, 10)
    cloud = mix((255, 255, 255), lower, 0.25)
    return Sky(c, rng, horizon, vary(rng, upper, 12), lower, rng.uniform(0.2, 0.75), cloud), lower


def shifted(field: Field, pixels: float) -> Field:
    """Move a field sideways by a number of pixels; what leaves on one side enters on the other."""
    whole = int(np.floor(pixels))
    part = np.float32(pixels - whole)
    first = np.roll(field, whole, axis=1)
    return first * (1 - part) + np.roll(first, 1, axis=1) * part
