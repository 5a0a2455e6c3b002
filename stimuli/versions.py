"""The versions of a clip as pure functions of its frames and masks, in one registry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from stimuli.holes import holes_of
from stimuli.inpaint import inpainted
from study.fields import Versions

# frames (T, H, W, 3) uint8, masks (T, H, W) bool, settings -> new frames, hidden (T, H, W) bool
MakeVersion = Callable[
    [np.ndarray, np.ndarray, Versions],
    tuple[np.ndarray, np.ndarray],
]


@dataclass(frozen=True)
class Version:
    """A version of a clip.

    Attributes
    ----------
    make : callable
        Frames, masks and settings to new frames and the pixels that these hide.
    depends_on : tuple of str
        The fields of `Versions` that change it.
    needs_masks : bool
        Whether the person's place changes it.
    revision : int
        Raised when the same settings give other pixels than before, so that finished clips are
        made anew.
    """

    make: MakeVersion
    depends_on: tuple[str, ...] = ()
    needs_masks: bool = True
    revision: int = 1


def as_it_is(
    frames_thwc: np.ndarray, masks_thw: np.ndarray, settings: Versions
) -> tuple[np.ndarray, np.ndarray]:
    """Hide nothing."""
    return frames_thwc, np.zeros_like(masks_thw)


def person_on_black(
    frames_thwc: np.ndarray, masks_thw: np.ndarray, settings: Versions
) -> tuple[np.ndarray, np.ndarray]:
    """Make every pixel outside the person black."""
    return frames_thwc * masks_thw[..., np.newaxis], ~masks_thw


def person_filled_in(
    frames_thwc: np.ndarray, masks_thw: np.ndarray, settings: Versions
) -> tuple[np.ndarray, np.ndarray]:
    """Replace the grown person by what is around."""
    holes = holes_of(masks_thw, settings.hole, settings.dilation)
    filled = inpainted(frames_thwc, holes, settings.inpainting, settings.inpaint_radius)
    return filled, holes


VERSIONS: dict[str, Version] = {
    "body_background": Version(as_it_is, needs_masks=False),
    "body_only": Version(person_on_black),
    "background_only": Version(
        person_filled_in,
        depends_on=("hole", "dilation", "inpainting", "inpaint_radius"),
        revision=2,
    ),
}
