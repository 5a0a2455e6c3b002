"""A segmenter of the user's: a Python function from frames to masks."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from stimuli.parallel import BatchError
from study.errors import StudyError
from study.files import sha256_of


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
    return sha256_of(_module_file(name))


def load_segmenter(name: str) -> Callable[[np.ndarray], Any]:
    """Import the function that `masks.segmenter` names.

    Raises
    ------
    StudyError
        When the module is missing or fails on import, or has no such function.
    """
    file = _module_file(name)
    module_name, function_name = name.split(":")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # the user's code may raise anything
        raise BatchError(
            f"masks.segmenter = {name!r}: importing {file} failed: {_said(error)}"
        ) from error
    function = getattr(module, function_name, None)
    if not callable(function):
        raise BatchError(
            f"masks.segmenter = {name!r}: expected a function {function_name!r} in {file}, "
            f"found {'none' if function is None else type(function).__name__}"
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
        raise StudyError(f"masks.segmenter = {name!r} failed: {_said(error)}") from error
    _check(name, masks, frames_thwc.shape[:3])
    return masks > 0


def _module_file(name: str) -> Path:
    module_name = name.split(":")[0]
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.append(folder)
    try:
        importlib.invalidate_caches()
        spec = importlib.util.find_spec(module_name)
    except (ModuleNotFoundError, ValueError):
        spec = None
    if spec is None or spec.origin is None or not Path(spec.origin).is_file():
        raise BatchError(
            f"masks.segmenter = {name!r}: no module {module_name!r} in {folder} or among the "
            "installed packages; expected module:function"
        )
    return Path(spec.origin)


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


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
