"""Drawing in scene units: u to the right and v down, where the frame is 0..aspect by 0..1.

A canvas is larger than the frame by a margin on every side, so that the camera can move.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from .person import Colour

Image = NDArray[np.uint8]  # (H, W, 3) RGB
Points = Sequence[tuple[float, float]] | NDArray[np.floating]

_SHIFT = 4  # sub-pixel bits of OpenCV's drawing functions
_SUB = 1 << _SHIFT


def clip_colour(colour: Sequence[float]) -> Colour:
    """Round a colour and keep it within 0 to 255."""
    red, green, blue = (min(255, max(0, round(float(part)))) for part in colour)
    return red, green, blue


def shade(colour: Sequence[float], gain: float) -> Colour:
    """Return a colour made darker (gain below 1) or lighter (above 1)."""
    return clip_colour([part * gain for part in colour])


def mix(first: Sequence[float], second: Sequence[float], share: float) -> Colour:
    """Return the colour that is `share` of the way from the first to the second."""
    return clip_colour([a + (b - a) * share for a, b in zip(first, second, strict=True)])


class Canvas:
    """An RGB image with drawing in scene units.

    Parameters
    ----------
    image
        (H, W, 3) uint8, drawn into.
    unit
        Pixels per frame height.
    aspect
        Width of the frame in frame heights.
    margin
        What the image shows beyond the frame on every side, in frame heights.
    """

    def __init__(self, image: Image, unit: float, aspect: float, margin: float) -> None:
        self.image = image
        self.unit = unit
        self.aspect = aspect
        self.margin = margin
        self.left, self.top = -margin, -margin
        self.right, self.bottom = aspect + margin, 1 + margin

    def to_pixels(self, points: Points) -> NDArray[np.float64]:
        """Convert (N, 2) scene points to pixel coordinates (pixel centres are whole numbers)."""
        return (np.asarray(points, dtype=np.float64) + self.margin) * self.unit - 0.5

    def row(self, v: float) -> int:
        """Return the pixel row at height v, kept within the image."""
        return int(np.clip(round((v + self.margin) * self.unit), 0, self.image.shape[0]))

    def column(self, u: float) -> int:
        """Return the pixel column at u, kept within the image."""
        return int(np.clip(round((u + self.margin) * self.unit), 0, self.image.shape[1]))

    def window(self, u0: float, v0: float, u1: float, v1: float) -> Image:
        """Return the pixels of a rectangle, as a view to paint on."""
        return self.image[self.row(v0) : self.row(v1), self.column(u0) : self.column(u1)]

    def poly(self, points: Points, colour: Colour) -> None:
        """Fill a polygon."""
        cv2.fillPoly(self.image, [self._fixed(points)], colour, cv2.LINE_AA, _SHIFT)

    def rect(self, u0: float, v0: float, u1: float, v1: float, colour: Colour) -> None:
        """Fill an upright rectangle."""
        self.poly([(u0, v0), (u1, v0), (u1, v1), (u0, v1)], colour)

    def box(self, u0: float, v0: float, u1: float, v1: float, colour: Colour) -> None:
        """Fill a rectangle as an object: lit from above, with an edge."""
        edge = min(0.006, 0.15 * abs(v1 - v0))
        self.rect(u0, v0, u1, v1, shade(colour, 0.6))
        self.rect(u0 + edge, v0 + edge, u1 - edge, v1 - edge, colour)
        self.rect(u0 + edge, v0 + edge, u1 - edge, v0 + 2.5 * edge, shade(colour, 1.18))

    def ellipse(
        self, u: float, v: float, ru: float, rv: float, colour: Colour, angle: float = 0.0
    ) -> None:
        """Fill an ellipse, turned by an angle in degrees."""
        centre = self._fixed([(u, v)])[0, 0]
        axes = (max(1, round(ru * self.unit * _SUB)), max(1, round(rv * self.unit * _SUB)))
        cv2.ellipse(
            self.image, centre.tolist(), axes, angle, 0, 360, colour, -1, cv2.LINE_AA, _SHIFT
        )

    def line(self, points: Points, colour: Colour, width: float = 0.004) -> None:
        """Draw a line through points, `width` in frame heights (at least a pixel)."""
        thickness = max(1, round(width * self.unit))
        cv2.polylines(
            self.image, [self._fixed(points)], False, colour, thickness, cv2.LINE_AA, _SHIFT
        )

    def glow(self, u: float, v: float, radius: float, colour: Colour, strength: float) -> None:
        """Add a soft light to the image."""
        view = self.window(u - radius, v - radius, u + radius, v + radius)
        if view.size == 0:
            return
        rows = np.arange(view.shape[0]) + self.row(v - radius) + 0.5
        columns = np.arange(view.shape[1]) + self.column(u - radius) + 0.5
        dv = rows / self.unit - self.margin - v
        du = columns / self.unit - self.margin - u
        fall = 1 - (dv[:, None] ** 2 + du[None, :] ** 2) / radius**2
        alpha = (strength * np.maximum(fall, 0) ** 2)[..., None].astype(np.float32)
        view[:] = view + (np.array(colour, np.float32) - view) * alpha

    def gradient(self, v0: float, v1: float, upper: Colour, lower: Colour) -> None:
        """Fill all rows from v0 to v1 with a gradient."""
        view = self.image[self.row(v0) : self.row(v1)]
        share = np.linspace(0, 1, len(view), dtype=np.float32)[:, None, None]
        view[:] = np.array(upper) * (1 - share) + np.array(lower) * share

    def _fixed(self, points: Points) -> NDArray[np.int32]:
        return np.round(self.to_pixels(points) * _SUB).astype(np.int32).reshape(-1, 1, 2)
