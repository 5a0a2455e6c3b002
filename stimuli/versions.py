"""The versions of a clip as pure functions of its frames and masks, in one registry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from stimuli.blur import blurred_outside
from stimuli.elsewhere import hole_elsewhere
from stimuli.fill_color import LUMA_RGB, fill_color
from stimuli.holes import grown_masks, holes_of
from stimuli.inpainting import inpainted
from stimuli.point_light import point_lights
from study.fields import Versions

WHITE, BLACK = 255, 0


@dataclass(frozen=True)
class Scene:
    """What a version is made of.

    Attributes
    ----------
    frames_thwc : ndarray of uint8
        RGB (T, H, W, 3).
    masks_thw : ndarray of bool
        True on the person.
    other_thwc : ndarray of uint8, optional
        Another clip's clean background (T, H, W, 3), for versions that need one.
    points_tkc : ndarray of float, optional
        Key points (T, K, 3): x, y in pixels of the frames, and whether visible (above 0).
    """

    frames_thwc: np.ndarray
    masks_thw: np.ndarray
    other_thwc: np.ndarray | None = None
    points_tkc: np.ndarray | None = None


# Scene, settings -> frames (T, H, W, 3) uint8, and where these hide the scene (T, H, W) bool.
MakeVersion = Callable[[Scene, Versions], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Version:
    """A version of a clip.

    Attributes
    ----------
    make : callable
        Scene and settings to new frames and the pixels that these hide.
    depends_on : tuple of str
        The fields of `Versions` that change it.
    needs : frozenset of {"masks", "points", "other"}
        What of a `Scene` besides the frames changes it.
    revision : int
        Raised when the same settings give other pixels than before, so that finished clips are
        made anew.
    """

    make: MakeVersion
    depends_on: tuple[str, ...] = ()
    needs: frozenset[str] = frozenset({"masks"})
    revision: int = 1


def as_it_is(scene: Scene, settings: Versions) -> tuple[np.ndarray, np.ndarray]:
    """Hide nothing."""
    return scene.frames_thwc, np.zeros(scene.frames_thwc.shape[:3], bool)


def person_alone(scene: Scene, settings: Versions) -> tuple[np.ndarray, np.ndarray]:
    """Show the person on one colour."""
    hidden = ~scene.masks_thw
    ground = np.empty_like(scene.frames_thwc)
    ground[:] = fill_color(scene.frames_thwc, hidden, settings.fill)
    return _person_before(ground, scene), hidden


def person_filled_in(scene: Scene, settings: Versions) -> tuple[np.ndarray, np.ndarray]:
    """Replace the grown person by what is around."""
    persons = grown_masks(scene.masks_thw, settings.dilation)
    holes = holes_of(persons, settings)
    return inpainted(scene.frames_thwc, holes, persons, settings), holes


def silhouette(scene: Scene, settings: Versions) -> tuple[np.ndarray, np.ndarray]:
    """Show the person's outline alone: white on a dark fill colour, black on a light one."""
    color = fill_color(scene.frames_thwc, ~scene.masks_thw, settings.fill)
    figure = WHITE if np.dot(LUMA_RGB, color) < (WHITE + BLACK) / 2 else BLACK
    frames = np.where(scene.masks_thw[..., np.newaxis], np.uint8(figure), color)
    return frames, np.ones_like(scene.masks_thw)


def point_light(scene: Scene, settings: Versions) -> tuple[np.ndarray, np.ndarray]:
    """Show the person's key points alone, as dots (Johansson, 1973)."""
    hidden = np.ones(scene.frames_thwc.shape[:3], bool)
    color = fill_color(scene.frames_thwc, hidden, settings.fill)
    return point_lights(scene.points_tkc, hidden.shape, color, settings.dot_size), hidden


def blurred_background(scene: Scene, settings: Versions) -> tuple[np.ndarray, np.ndarray]:
    """Blur what is around the person; nothing of the person bleeds into it."""
    sigma = settings.blur * scene.frames_thwc.shape[1]
    return blurred_outside(scene.frames_thwc, scene.masks_thw, sigma), ~scene.masks_thw


def swapped_background(scene: Scene, settings: Versions) -> tuple[np.ndarray, np.ndarray]:
    """Put the person on another clip's clean background."""
    return _person_before(scene.other_thwc.copy(), scene), ~scene.masks_thw


def inpaint_control(scene: Scene, settings: Versions) -> tuple[np.ndarray, np.ndarray]:
    """Inpaint a hole of the same shape where the person is not: matched artefacts, nothing lost.

    It is filled from the scene without its person, of whom no smear or reflection may come into
    it; so the person hides as little of it as in `background_only`.
    """
    clean, holes = person_filled_in(scene, settings)
    moved = hole_elsewhere(holes, scene.masks_thw)
    # To `temporal`, all of the moved hole is hidden: it takes nothing from the frame itself.
    filled = inpainted(clean, moved, moved, settings)
    return np.where(moved[..., np.newaxis], filled, scene.frames_thwc), moved


def _person_before(ground_thwc: np.ndarray, scene: Scene) -> np.ndarray:
    """Put the person before something else, in place."""
    masks = scene.masks_thw.view(np.uint8)
    for frame, mask, ground in zip(scene.frames_thwc, masks, ground_thwc, strict=True):
        cv2.copyTo(frame, mask, ground)
    return ground_thwc


FILLING = (
    "hole",
    "least_hole",
    "dilation",
    "inpainting",
    "inpaint_radius",
    "inpaint_model",
    "fill",
)

VERSIONS: dict[str, Version] = {
    "body_background": Version(as_it_is, needs=frozenset()),
    "body_only": Version(person_alone, depends_on=("fill",), revision=2),
    "background_only": Version(person_filled_in, depends_on=FILLING, revision=3),
    "silhouette": Version(silhouette, depends_on=("fill",)),
    "point_light": Version(
        point_light, depends_on=("fill", "dot_size"), needs=frozenset({"points"})
    ),
    "blurred_background": Version(blurred_background, depends_on=("blur",)),
    "swapped_background": Version(
        swapped_background, depends_on=(*FILLING, "swap"), needs=frozenset({"masks", "other"})
    ),
    "inpaint_control": Version(inpaint_control, depends_on=FILLING),
}
