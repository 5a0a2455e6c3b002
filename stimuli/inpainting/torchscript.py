"""A network of the user's as a TorchScript file, with LaMa's signature.

It gets pictures (B, 3, H, W) float in 0..1 and masks (B, 1, H, W), 1 in the hole, H and W multiples
of 8, and returns pictures (B, 3, H, W) in 0..1. LaMa (Suvorov et al. 2022, arXiv:2109.07161) is
handed out in this form.
"""

from __future__ import annotations

import functools
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from study.errors import StudyError, missing_package
from study.fields import Versions

SIDE_MULTIPLE = 8
# Halved while the GPU's memory is too small for them.
FRAMES_AT_ONCE = 8


def filled_by_network(
    frames_thwc: np.ndarray, holes_thw: np.ndarray, persons_thw: np.ndarray, settings: Versions
) -> np.ndarray:
    """Fill by the network in `settings.inpaint_model`, on the GPU where there is one.

    Raises
    ------
    StudyError
        When the file is missing or no TorchScript model, its signature or its output is not the
        one expected, or one picture is too large for the memory of the GPU.
    """
    path = settings.inpaint_model
    if path is None or not path.is_file():
        raise StudyError(f"versions.inpaint_model = {str(path)!r}: no such file")
    stat = path.stat()
    network = _Network(path, _loaded(path, stat.st_size, stat.st_mtime_ns))
    filled = frames_thwc.copy()
    numbers = np.flatnonzero(holes_thw.any(axis=(1, 2)))
    batch = FRAMES_AT_ONCE
    while len(numbers):
        now = numbers[:batch]
        try:
            pictures = network(frames_thwc[now], holes_thw[now])
        except _torch().OutOfMemoryError as error:
            if batch == 1:
                raise StudyError(
                    f"{path}: one picture of {frames_thwc.shape[2]}x{frames_thwc.shape[1]} pixels "
                    "is too large for the memory of the GPU; make versions.width and "
                    "versions.height smaller"
                ) from error
            batch = (batch + 1) // 2
            continue
        filled[now] = np.where(holes_thw[now][..., np.newaxis], pictures, frames_thwc[now])
        numbers = numbers[len(now) :]
    return filled


class _Network:
    """A loaded model that takes and gives arrays."""

    def __init__(self, path: Path, model: Any) -> None:
        self._path, self._model = path, model

    def __call__(self, frames_thwc: np.ndarray, holes_thw: np.ndarray) -> np.ndarray:
        """Return the network's pictures (B, H, W, 3) uint8."""
        torch = _torch()
        height, width = holes_thw.shape[1:]
        # The edge is repeated: black padding would bleed into the fill.
        pad = ((0, 0), (0, -height % SIDE_MULTIPLE), (0, -width % SIDE_MULTIPLE))
        images = np.pad(frames_thwc, (*pad, (0, 0)), mode="edge").transpose(0, 3, 1, 2)
        masks = np.pad(holes_thw, pad, mode="edge")[:, np.newaxis]
        device = _device()
        images_bchw = torch.from_numpy(images.astype(np.float32) / 255).to(device)
        masks_bchw = torch.from_numpy(masks.astype(np.float32)).to(device)
        output = self._run(images_bchw, masks_bchw)
        pictures = np.rint(output.float().cpu().numpy().clip(0, 1) * 255).astype(np.uint8)
        return pictures.transpose(0, 2, 3, 1)[:, :height, :width]

    def _run(self, images_bchw: Any, masks_bchw: Any) -> Any:
        """Run the model and check what it returns."""
        torch = _torch()
        try:
            with torch.inference_mode():
                output = self._model(images_bchw, masks_bchw)
        except torch.OutOfMemoryError:
            raise
        except Exception as error:  # whatever a foreign model may raise
            raise self._wrong(
                f"it fails on these: {str(error).strip().splitlines()[-1]}"
            ) from error
        expected = tuple(images_bchw.shape)
        if not isinstance(output, torch.Tensor):
            raise self._wrong(f"it returns {type(output).__name__}, not one tensor")
        if tuple(output.shape) != expected:
            raise self._wrong(f"it returns shape {tuple(output.shape)}, expected {expected}")
        if not bool(torch.isfinite(output).all()):
            raise self._wrong("it returns values that are not finite numbers")
        return output

    def _wrong(self, found: str) -> StudyError:
        return StudyError(
            f"{self._path}: expected a model that takes pictures (B, 3, H, W) in 0..1 and masks "
            f"(B, 1, H, W), 1 in the hole, and returns pictures (B, 3, H, W); {found}"
        )


@functools.lru_cache(maxsize=1)
def _loaded(path: Path, size: int, mtime_ns: int) -> Any:
    """Load a model once per process; size and time tell a changed file."""
    torch = _torch()
    try:
        with warnings.catch_warnings():
            # Deprecated in favour of torch.export, yet the form in which such models are shared.
            warnings.simplefilter("ignore")
            return torch.jit.load(str(path), map_location=_device()).eval()
    except Exception as error:  # whatever a foreign file may raise
        reason = str(error).strip().splitlines()[0]
        raise StudyError(
            f"{path}: expected a TorchScript file (torch.jit.save): {reason}"
        ) from error


def _device() -> str:
    return "cuda:0" if _torch().cuda.is_available() else "cpu"


def _torch() -> Any:
    try:
        import torch
    except ModuleNotFoundError as error:
        raise missing_package("torch") from error
    return torch
