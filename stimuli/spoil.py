"""Masks spoiled on purpose, as segmenters go wrong: pure functions of masks, level and generator.

Every function takes masks (T, H, W) and leaves them as they are. With an equally seeded generator
the levels are nested: what a low level spoils, a higher one spoils too, so that a curve over levels
shows the level and not another draw.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from stimuli.holes import grown_by
from study.errors import check_one_of

# Masks (T, H, W) bool, level, generator -> spoiled masks (T, H, W) bool.
Spoil = Callable[[np.ndarray, float, np.random.Generator], np.ndarray]


def spoiled(masks_thw: np.ndarray, kind: str, level: float, rng: np.random.Generator) -> np.ndarray:
    """Spoil the masks of a clip.

    Parameters
    ----------
    masks_thw : ndarray of bool
        (T, H, W).
    kind : str
        A key of `KINDS`.
    level : float
        A share, above 0 and up to 1: of pixels, of frames, or of the person's size.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of bool
        (T, H, W).
    """
    check_one_of("noise.levels", kind, KINDS)
    return KINDS[kind](masks_thw, level, rng)


def flipped(masks_thw: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Turn the label of every pixel with probability `share`, each by itself."""
    # Frame by frame: the draws of a whole clip at once would take eight times its bytes.
    return np.stack([mask ^ (rng.random(mask.shape) < share) for mask in masks_thw])


def flipped_in_box(masks_thw: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Turn labels within the person's box alone, in every frame its own.

    Segmenters of single persons cut every mask to the person's box, and so err nowhere else.
    """
    turned = flipped(masks_thw, share, rng) ^ masks_thw
    for mask, flips in zip(masks_thw, turned, strict=True):
        flips &= _box(mask)
    return masks_thw ^ turned


def eroded(masks_thw: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Take away what is at most `share` of the person's size (frame by frame) from the outline.

    The edge of the picture is no outline: a person who is cut off there stays so.
    """
    return np.stack([~grown_by(~mask, share * person_size(mask)) for mask in masks_thw])


def dilated(masks_thw: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Add what is at most `share` of the person's size (frame by frame) from the person."""
    return np.stack([grown_by(mask, share * person_size(mask)) for mask in masks_thw])


def with_missing_frames(
    masks_thw: np.ndarray, share: float, rng: np.random.Generator
) -> np.ndarray:
    """Empty the masks of so many frames, drawn without order.

    Of T frames, `share` x T lose their mask, rounded up or down at random so that the share is
    right on average: of photographs and short clips too.
    """
    n_frames = len(masks_thw)
    n_missing = int(share * n_frames + rng.random())
    left = masks_thw.copy()
    left[rng.permutation(n_frames)[:n_missing]] = False
    return left


def shifted(masks_thw: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Move all masks of a clip by `share` of the person's size, in one random direction.

    The direction is the clip's, not the frame's: a mask that lags, or that was made for another
    crop, is off in the same way all the time. In directions that change, the person's box would
    grow as by `dilated`. What leaves the picture is lost.
    """
    angle = rng.uniform(0.0, 2.0 * np.pi)
    sizes = [person_size(mask) for mask in masks_thw if mask.any()]
    distance = share * float(np.mean(sizes)) if sizes else 0.0
    by_xy = np.rint([distance * np.cos(angle), distance * np.sin(angle)])
    matrix = np.array([[1, 0, by_xy[0]], [0, 1, by_xy[1]]], np.float64)
    size_wh = masks_thw.shape[:0:-1]
    moved = [
        cv2.warpAffine(mask.astype(np.uint8), matrix, size_wh, flags=cv2.INTER_NEAREST)
        for mask in masks_thw
    ]
    return np.stack(moved).astype(bool)


def person_size(mask_hw: np.ndarray) -> float:
    """Return the root of the mask's area, in pixels."""
    return float(np.sqrt(np.count_nonzero(mask_hw)))


KINDS: dict[str, Spoil] = {
    "flips": flipped,
    "flips_in_box": flipped_in_box,
    "erosion": eroded,
    "dilation": dilated,
    "missing": with_missing_frames,
    "shift": shifted,
}


def _box(mask_hw: np.ndarray) -> np.ndarray:
    """Return the box around a mask, as a mask."""
    left, top, width, height = cv2.boundingRect(mask_hw.astype(np.uint8))
    box = np.zeros_like(mask_hw)
    box[top : top + height, left : left + width] = True
    return box
