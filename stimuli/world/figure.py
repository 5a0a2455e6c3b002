"""Drawing the figure: every body part is the hull of a few balls, shaded and sorted by depth."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .canvas import mix, shade
from .person import Colour, Looks
from .skeleton import Joints

_CIRCLE = np.stack(
    [f(np.linspace(0, 2 * np.pi, 16, endpoint=False)) for f in (np.cos, np.sin)], axis=1
)
_SHIFT = 4
_OUTLINE = 0.0065  # share of the standing height
# Tones of a part, from the outline to the highlight: gain, radius share, shift to the light.
_TONES = ((0.80, 1.0, 0.0), (0.93, 0.86, 0.12), (1.04, 0.66, 0.25), (1.13, 0.38, 0.38))


@dataclass(frozen=True)
class Ball:
    """A point of a body part on the way from one joint to another, and the part's radius there.

    `edge` thins the outline where the part goes over into the next one.
    """

    start: str
    end: str
    share: float
    radius: float
    edge: float = 1.0


@dataclass(frozen=True)
class Part:
    """A convex body part. `bias` moves it to the front of its joints (towards the viewer)."""

    balls: tuple[Ball, ...]
    colour: Colour
    bias: float = 0.0
    has_face: bool = False


def body_parts(looks: Looks) -> list[Part]:
    """List the parts of a dressed person; radii are shares of the standing height."""
    parts = _trunk(looks) + _head(looks)
    for side in ("left", "right"):
        parts += _arm(looks, side) + _leg(looks, side)
    return parts


def _ball(start: str, radius: float, end: str | None = None, share: float = 0.0) -> Ball:
    return Ball(start, end or start, share, radius)


def _bend(joint: str, radius: float) -> Ball:
    return Ball(joint, joint, 0.0, radius, 0.25)


def _trunk(looks: Looks) -> list[Part]:
    girth = looks.body.girth
    shoulders = tuple(
        _ball(f"{side}_shoulder", 0.047 * girth**0.5, "chest", 0.12) for side in ("left", "right")
    )
    hips = tuple(_ball(f"{side}_hip", 0.062 * girth) for side in ("left", "right"))
    waist = _ball("waist", 0.078 * girth)
    parts = [
        Part((*hips, _ball("pelvis", 0.07 * girth), _ball("waist", 0.07 * girth)), looks.bottom),
        Part((_ball("pelvis", 0.074 * girth, "waist", 0.35), waist), looks.shirt, 0.004),
        Part((*shoulders, _ball("chest", 0.052), waist), looks.shirt, 0.008),
        Part((_ball("chest", 0.03, "head", -0.1), _ball("head", 0.03)), looks.skin, -0.01),
    ]
    if looks.stripe is not None:
        band = tuple(
            _ball(f"{side}_shoulder", 0.044 * girth, "waist", 0.5) for side in ("left", "right")
        )
        parts.append(Part(band, looks.stripe, 0.012))
    return parts


def _arm(looks: Looks, side: str) -> list[Part]:
    shoulder, elbow, wrist, hand = (f"{side}_{j}" for j in ("shoulder", "elbow", "wrist", "hand"))
    girth = looks.body.girth**0.7
    sleeve = looks.shirt if looks.sleeves == "long" else looks.skin
    parts = [
        Part((_ball(shoulder, 0.036 * girth), _bend(elbow, 0.028 * girth)), sleeve),
        Part((_bend(elbow, 0.028 * girth), _bend(wrist, 0.020 * girth)), sleeve, 0.004),
        Part((_ball(wrist, 0.021, hand, 0.25), _ball(hand, 0.024)), looks.skin, 0.002),
    ]
    if looks.sleeves == "short":
        cuff = (_ball(shoulder, 0.041 * girth), _ball(shoulder, 0.038 * girth, elbow, 0.55))
        parts.append(Part(cuff, looks.shirt, 0.006))
    return parts


def _leg(looks: Looks, side: str) -> list[Part]:
    hip, knee, ankle, heel, toe = (f"{side}_{j}" for j in ("hip", "knee", "ankle", "heel", "toe"))
    girth = looks.body.girth**0.8
    is_long = looks.bottom_kind in ("trousers", "leggings")
    wide = 1.14 if looks.bottom_kind == "trousers" else 1.0
    cloth = looks.bottom if is_long else looks.skin
    parts = [
        Part((_ball(hip, 0.060 * girth * wide), _bend(knee, 0.042 * girth * wide)), cloth),
        Part((_bend(knee, 0.041 * girth * wide), _ball(ankle, 0.027 * girth * wide)), cloth, 0.003),
        Part((_ball(heel, 0.024), _ball(ankle, 0.026), _ball(toe, 0.02)), looks.shoes, 0.005),
    ]
    if not is_long:
        length, flare = (0.62, 0.056) if looks.bottom_kind == "shorts" else (0.7, 0.07)
        leg = (_ball(hip, 0.064 * girth), _ball(hip, flare * girth, knee, length))
        parts.append(Part(leg, looks.bottom, 0.006))
    return parts


def _head(looks: Looks) -> list[Part]:
    radius = looks.body.head
    face = (Ball("brow", "brow", 0.0, radius * 0.8), Ball("jaw", "jaw", 0.0, radius * 0.66))
    parts = [Part(face, looks.skin, 0.004, has_face=True)]
    style = looks.hair_style
    if style == "bald":
        skull = (_ball("head", radius * 0.98, "crown", 0.12),)
        return [*parts, Part(skull, looks.skin, -0.004)]
    puff = 1.16 if style == "curly" else 1.03
    # The hair is a cap that is set back: from the front its rim shows above the face.
    cap = (
        Ball("occiput", "occiput", 0.0, radius * 0.86 * puff),
        Ball("head", "crown", 0.32, radius * 0.87 * puff),
    )
    parts.append(Part(cap, looks.hair, -0.004))
    if style == "long":
        tail = (Ball("head", "back", 0.45, radius * 0.8), Ball("chest", "nape", 0.9, radius * 0.55))
        parts.append(Part(tail, shade(looks.hair, 0.92), -0.002))
    if style == "bun":
        parts.append(Part((Ball("head", "bun", 1.0, radius * 0.5),), shade(looks.hair, 0.92)))
    return parts


def extra_joints(joints: Joints) -> Joints:
    """Add the points on the head that hair and face hang on."""
    head, forwards = joints["head"], joints["nose"] - joints["head"]
    up, left = joints["crown"] - head, joints["ear"] - head
    face = head + 0.8 * forwards
    return joints | {
        "brow": head + 0.2 * forwards - 0.02 * up,
        "jaw": head + 0.24 * forwards - 0.34 * up,
        "occiput": head - 0.24 * forwards + 0.16 * up,
        "back": head - forwards,
        "bun": head - 0.85 * forwards + 0.75 * up,
        "nape": joints["chest"] - 0.9 * forwards,
        "left_eye": face + 0.34 * left + 0.02 * up,
        "right_eye": face - 0.34 * left + 0.02 * up,
        "mouth": face - 0.5 * up,
    }


class FigurePainter:
    """Draws one person's poses.

    Parameters
    ----------
    looks
        Who.
    screen
        Joints in the frame, each (T, 2), in pixels.
    depth
        Nearness of the joints to the viewer, each (T,), in standing heights.
    height_px
        Pixels per standing height in every frame, (T,).
    light
        Direction of the light on the screen, (2,).
    tint
        Gains of red, green and blue under this light, (3,).
    """

    def __init__(
        self,
        looks: Looks,
        screen: dict[str, NDArray[np.float64]],
        depth: dict[str, NDArray[np.float64]],
        height_px: NDArray[np.float64],
        light: NDArray[np.float64],
        tint: NDArray[np.float64],
    ) -> None:
        self.looks, self.screen, self.depth = looks, screen, depth
        self.height_px, self.light, self.tint = height_px, light, tint
        self.parts = body_parts(looks)
        self.centres = [
            np.stack([_between(screen, ball) for ball in part.balls], axis=1) for part in self.parts
        ]  # each (T, balls, 2)
        self.nearness = np.stack(
            [
                np.mean([_between(depth, ball) for ball in part.balls], axis=0) + part.bias
                for part in self.parts
            ]
        )  # (parts, T)
        self.edges = [np.array([ball.edge for ball in part.balls]) for part in self.parts]
        self.radii = [np.array([ball.radius for ball in part.balls]) for part in self.parts]

    def bounds(self, frame: int) -> tuple[float, float, float, float]:
        """Return left, top, right and bottom of the drawn figure in pixels."""
        scale = self.height_px[frame]
        reach = [
            (c[frame], (r + _OUTLINE)[:, None] * scale)
            for c, r in zip(self.centres, self.radii, strict=True)
        ]
        low = np.min([np.min(centre - radius, axis=0) for centre, radius in reach], axis=0)
        high = np.max([np.max(centre + radius, axis=0) for centre, radius in reach], axis=0)
        return float(low[0]), float(low[1]), float(high[0]), float(high[1])

    def paint(self, frame: int, layer: NDArray[np.uint8], zoom: int, x0: int, y0: int) -> None:
        """Draw a frame's figure into `layer` (h, w, 4): `zoom` times larger, from pixel x0, y0."""
        scale = self.height_px[frame] * zoom
        outline = max(_OUTLINE * scale, 0.35 * zoom)
        corner = np.array([x0, y0]) - 0.5
        for part in np.argsort(self.nearness[:, frame], kind="stable"):
            centres = (self.centres[part][frame] - corner) * zoom - 0.5
            radii = self.radii[part] * scale
            colour = self._lit(self.parts[part].colour)
            _fill(layer, _hull(centres, radii + outline * self.edges[part]), shade(colour, 0.45))
            for gain, share, shift in _TONES:
                moved = centres + self.light * (shift * radii)[:, None]
                _fill(layer, _hull(moved, radii * share), shade(colour, gain))
            if self.parts[part].has_face:
                self._paint_face(frame, layer, zoom, corner)

    def _paint_face(
        self, frame: int, layer: NDArray[np.uint8], zoom: int, corner: NDArray[np.float64]
    ) -> None:
        skin = self._lit(self.looks.skin)
        radius = 0.011 * self.height_px[frame] * zoom
        dark, lips = shade(skin, 0.2), mix(skin, (150, 40, 40), 0.5)
        for name, size, colour in (
            ("left_eye", 1.0, dark), ("right_eye", 1.0, dark), ("mouth", 1.2, lips),
        ):  # fmt: skip
            if self.depth[name][frame] < self.depth["head"][frame] + 0.012:
                continue
            centre = (self.screen[name][frame] - corner) * zoom - 0.5
            _fill(layer, _hull(centre[None], np.array([size * radius])), colour)

    def _lit(self, colour: Colour) -> Colour:
        return tuple(min(255, round(c * g)) for c, g in zip(colour, self.tint, strict=True))


def _between(values: dict[str, NDArray[np.float64]], ball: Ball) -> NDArray[np.float64]:
    return values[ball.start] + ball.share * (values[ball.end] - values[ball.start])


def _hull(centres: NDArray[np.float64], radii: NDArray[np.float64]) -> NDArray[np.int32]:
    points = centres[:, None] + radii[:, None, None] * _CIRCLE
    fixed = np.round(points.reshape(-1, 1, 2) * (1 << _SHIFT)).astype(np.int32)
    return fixed if len(centres) == 1 else cv2.convexHull(fixed)


def _fill(layer: NDArray[np.uint8], points: NDArray[np.int32], colour: Colour) -> None:
    cv2.fillConvexPoly(layer, points, (*colour, 255), cv2.LINE_8, _SHIFT)
