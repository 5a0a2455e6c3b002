"""Hiding the person: the hole is filled with what is around it, or was there at other times.

Every method is a function of the whole clip; `INPAINTERS` names them as the study file does.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from study.errors import StudyError, check_one_of
from study.fields import Versions

from .flat import filled_flat
from .mirror import mirror
from .opencv import navier_stokes, telea
from .smooth import biharmonic, harmonic
from .temporal import filled_from_other_frames
from .torchscript import filled_by_network

__all__ = ["INPAINTERS", "NothingLeft", "inpainted"]

# With less of the picture left than this there is nothing to fill the hole from.
LEAST_LEFT = 0.02


class NothingLeft(StudyError):
    """The hole covers the whole picture, or nearly so."""


# frames (T, H, W, 3) uint8, holes and persons (T, H, W) bool, settings -> new frames. Pixels
# outside the holes need not be right: `inpainted` never shows them.
Inpainter = Callable[[np.ndarray, np.ndarray, np.ndarray, Versions], np.ndarray]

INPAINTERS: dict[str, Inpainter] = {
    "telea": telea,
    "navier_stokes": navier_stokes,
    "harmonic": harmonic,
    "biharmonic": biharmonic,
    "mirror": mirror,
    "temporal": filled_from_other_frames,
    "torchscript": filled_by_network,
    "flat": filled_flat,
}


def inpainted(
    frames_thwc: np.ndarray, holes_thw: np.ndarray, persons_thw: np.ndarray, settings: Versions
) -> np.ndarray:
    """Fill the holes of all frames; pixels outside stay as they are.

    Parameters
    ----------
    frames_thwc : ndarray of uint8
        (T, H, W, 3) RGB.
    holes_thw : ndarray of bool
        (T, H, W), what is filled. One hole for all frames, given as a broadcast view, is prepared
        once.
    persons_thw : ndarray of bool
        (T, H, W), the grown person of every frame. A hole's pixel that is not under the person is
        true background, which the method `temporal` uses.
    settings : Versions
        `inpainting` names the method; `inpaint_radius`, `inpaint_model` and `fill` are for some.

    Returns
    -------
    ndarray of uint8
        (T, H, W, 3).

    Raises
    ------
    StudyError
        When the arrays do not fit each other, a hole leaves nothing to fill it from
        (`NothingLeft`), or the method is not known or fails.
    """
    check_one_of("versions.inpainting", settings.inpainting, INPAINTERS)
    for name, array in (("holes", holes_thw), ("persons", persons_thw)):
        if array.shape != frames_thwc.shape[:3]:
            raise StudyError(
                f"{name} of shape {array.shape} do not fit frames of shape {frames_thwc.shape}; "
                f"expected {frames_thwc.shape[:3]}"
            )
    if not holes_thw.any():
        return frames_thwc.copy()
    covered = float(holes_thw.mean(axis=(1, 2)).max())
    if 1 - covered < LEAST_LEFT:
        raise NothingLeft(
            f"the grown person covers {covered:.0%} of the picture: nothing is left to fill it from"
        )
    return INPAINTERS[settings.inpainting](frames_thwc, holes_thw, persons_thw, settings)
