"""A segmenter of the user's: a Python function from frames to masks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from stimuli.parallel import BatchError
from study.errors import StudyError
from study.own_code import code_sha256, named_code

FIELD, EXPECTED = "masks.segmenter", "module:function"


def segmenter_sha256(name: str) -> str:
    """Return the SHA-256 of the file that holds the function, so that a change is noticed.

    Parameters
    ----------
    name : str
        As `masks.segmenter`: module:function; the module is sought in the working directory too.

    Raises
    ------
    StudyError
        When there is no such module.
    """
    try:
        return code_sha256(FIELD, name, EXPECTED)
    except StudyError as error:
        raise BatchError(str(error)) from error


def load_segmenter(name: str) -> Callable[[np.ndarray], Any]:
    """Import the function that `masks.segmenter` names.

    Raises
    ------
    StudyError
        When the module is missing or fails on import, or has no such function.
    """
    try:
        function = named_code(FIELD, name, EXPECTED)
    except StudyError as error:
        raise BatchError(str(error)) from error
    if not callable(function):
        raise BatchError(
            f"{FIELD} = {name!r}: expected a function, found {type(function).__name__}"
        )
    return function


def masks_of_own_segmenter(name: str, frames_thwc: np.ndarray) -> np.ndarray:
    """Return the masks (T, H, W) of bool that the function makes of a clip, checked.

    Parameters
    ----------
    name : str
        As `masks.segmenter`.
    frames_thwc : ndarray of uint8
        RGB.

    Raises
    ------
    StudyError
        When the function is missing, raises, or returns anything but one mask for every frame.
    """
    function = load_segmenter(name)
    try:
        masks = np.asarray(function(frames_thwc))
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
        raise StudyError(f"{FIELD} = {name!r} failed: {said}") from error
    _check(name, masks, frames_thwc.shape[:3])
    return masks > 0


def _check(name: str, masks: np.ndarray, expected: tuple[int, ...]) -> None:
    if masks.shape != expected:
        raise StudyError(
            f"masks.segmenter = {name!r}: expected masks (frames, height, width) = {expected}, "
            f"found {masks.shape}"
        )
    if masks.dtype.kind not in "biuf":
        raise StudyError(
            f"masks.segmenter = {name!r}: expected masks of bool or numbers, found {masks.dtype}"
        )
    if masks.dtype.kind == "f" and np.isnan(masks).any():
        frame = int(np.flatnonzero(np.isnan(masks).any(axis=(1, 2)))[0])
        raise StudyError(
            f"masks.segmenter = {name!r}: {int(np.isnan(masks).sum())} NaN values, the first in "
            f"frame {frame}"
        )
