"""Where the person is: bit-packed masks with their provenance, and masks that users bring."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from stimuli.video import Timing
from study.errors import StudyError
from study.files import whole_file

UNKNOWN = -1


@dataclass(frozen=True)
class PersonMasks:
    """The main person in every frame of a clip.

    Attributes
    ----------
    masks_thw : ndarray of bool
        True on the person, at the size of the source; all False where nobody was found.
    n_persons : ndarray of int
        Persons in every frame, -1 where the masks do not tell.
    provenance : dict
        JSON-able: where the masks come from.
    """

    masks_thw: np.ndarray
    n_persons: np.ndarray
    provenance: dict[str, Any] = field(default_factory=dict)

    @property
    def found(self) -> np.ndarray:
        """Whether the person was found, per frame."""
        return self.masks_thw.any(axis=(1, 2))


def write_masks(path: Path, masks: PersonMasks) -> None:
    """Write masks bit-packed: an eighth of the bytes before compression, the same bytes always."""
    bits = np.packbits(masks.masks_thw.reshape(len(masks.masks_thw), -1), axis=1)
    with whole_file(path) as partial:
        np.savez_compressed(
            partial,
            bits=bits,
            shape_thw=np.array(masks.masks_thw.shape),
            n_persons=masks.n_persons.astype(np.int32),
            provenance=np.array(json.dumps(masks.provenance, sort_keys=True)),
        )


def read_masks(path: Path) -> PersonMasks:
    """Read masks that `write_masks` wrote.

    Raises
    ------
    StudyError
        When the file is missing or not such a file.
    """
    content = _npz(path, ("bits", "shape_thw", "n_persons", "provenance"))
    n_frames, height, width = (int(side) for side in content["shape_thw"])
    flat = np.unpackbits(content["bits"], axis=1, count=height * width)
    return PersonMasks(
        flat.reshape(n_frames, height, width).astype(bool),
        content["n_persons"],
        json.loads(str(content["provenance"])),
    )


def read_provenance(path: Path) -> dict[str, Any]:
    """Read where masks that `write_masks` wrote come from, without unpacking them."""
    return json.loads(str(_npz(path, ("provenance",))["provenance"]))


def find_mask_file(folder: Path, action: str, stem: str) -> Path:
    """Return the mask file of a clip: ACTION/CLIP.npz, ACTION/CLIP.png, or a folder ACTION/CLIP.

    Raises
    ------
    StudyError
        When there is none; names what was tried.
    """
    tried = [folder / action / f"{stem}{suffix}" for suffix in (".npz", ".png", "")]
    for path in tried:
        if path.exists():
            return path
    raise StudyError(f"no mask file: tried {', '.join(str(path) for path in tried)}")


def read_mask_file(path: Path, timing: Timing) -> PersonMasks:
    """Read a user's masks and check them against the clip.

    Parameters
    ----------
    path : Path
        An npz file with the key `masks` (T, H, W), nonzero on the person, and if you like
        `n_persons` (T,), how many persons each frame shows; a PNG for a photograph; or a folder of
        PNGs in the order of their names.
    timing : Timing
        Of the clip; the masks must have its size and the number of frames in its file.

    Raises
    ------
    StudyError
        When the file is unreadable, or of another size or number of frames.
    """
    counts = None
    if path.is_dir():
        masks = _stacked([_read_png(file) for file in sorted(path.glob("*.png"))], path)
    elif path.suffix == ".png":
        masks = _read_png(path)[np.newaxis]
    else:
        content = _npz(path, ("masks",), ("n_persons",))
        masks, counts = content["masks"], content.get("n_persons")
    _check_shape(path, masks, timing)
    if np.issubdtype(masks.dtype, np.floating) and np.isnan(masks).any():
        raise StudyError(f"{path}: the masks hold {int(np.isnan(masks).sum())} NaN values")
    shown = masks[timing.shown_index] > 0
    if counts is not None and counts.shape != (timing.n_in_file,):
        raise StudyError(
            f"{path}: the key 'n_persons' has the shape {counts.shape}, the clip has "
            f"{timing.n_in_file} frames"
        )
    n_persons = np.full(len(shown), UNKNOWN) if counts is None else counts[timing.shown_index]
    return PersonMasks(shown, n_persons.astype(int), {"source": "files", "file": path.name})


def _check_shape(path: Path, masks: np.ndarray, timing: Timing) -> None:
    width, height = timing.size_wh
    expected = (timing.n_in_file, height, width)
    if masks.shape != expected:
        raise StudyError(
            f"{path}: the masks have the shape (frames, height, width) = {masks.shape}, "
            f"the clip has {expected}"
        )


def _stacked(masks: list[np.ndarray], path: Path) -> np.ndarray:
    sizes = {mask.shape for mask in masks}
    if len(sizes) != 1:
        raise StudyError(f"{path}: expected PNG masks of one size, found sizes {sorted(sizes)}")
    return np.stack(masks)


def _read_png(path: Path) -> np.ndarray:
    mask = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_GRAYSCALE)
    if mask is None:
        raise StudyError(f"{path}: not a readable PNG mask")
    return mask


def _npz(
    path: Path, keys: tuple[str, ...], optional: tuple[str, ...] = ()
) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as content:
            missing = [key for key in keys if key not in content.files]
            if missing:
                raise StudyError(f"{path}: lacks the key {missing[0]!r}, found {content.files}")
            return {key: content[key] for key in keys + optional if key in content.files}
    except (OSError, ValueError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise StudyError(f"{path}: not a readable npz file of masks: {error}") from error
