"""One person's masks over time: gaps filled, flicker removed, small holes closed.

All of it keeps fast limbs: a part is changed only where the frames before and after agree with
each other, and nothing moved from or to that place.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import cv2
import numpy as np

# At the ends of a clip the nearest mask is held for so many frames; a person may have come in.
LONGEST_HELD = 3
# Outlines differ by so much of the person's size from frame to frame without a part appearing.
JITTER_SHARE = 0.02
LEAST_JITTER_PX = 2
# The frames around a flickering part agree if they differ by less than this share of its area.
AGREEMENT = 0.5
LONGEST_FLICKER = 2
# A hole below this share of the person's area is none: arms on the hips enclose more.
SMALL_HOLE = 0.004


def fill_gaps(masks_thw: np.ndarray, longest: int) -> tuple[np.ndarray, np.ndarray]:
    """Fill frames in which the person was missed.

    Parameters
    ----------
    masks_thw : ndarray of bool
        All False where missed.
    longest : int
        Longest gap, in frames, that is filled.

    Returns
    -------
    masks_thw : ndarray of bool
        Between two masks, the shape in between; at the ends the nearest mask, unless it touches
        the border, where the person may have come in or left.
    filled : ndarray of bool
        (T,): which frames were.
    """
    found = np.flatnonzero(masks_thw.any(axis=(1, 2)))
    masks, filled = masks_thw.copy(), np.zeros(len(masks_thw), bool)
    for before, after in itertools.pairwise(found):
        if 0 < after - before - 1 <= longest:
            masks[before + 1 : after] = _in_between(masks[before], masks[after], after - before)
            filled[before + 1 : after] = True
    if len(found):
        held = min(longest, LONGEST_HELD)
        for known, frames in (
            (found[0], range(max(0, found[0] - held), found[0])),
            (found[-1], range(found[-1] + 1, min(len(masks), found[-1] + 1 + held))),
        ):
            if not _touches_border(masks[known]):
                masks[list(frames)], filled[list(frames)] = masks[known], True
    # Halfway between two shapes there may be nothing, where both are thin.
    return masks, filled & masks.any(axis=(1, 2))


def steadied(masks_thw: np.ndarray) -> np.ndarray:
    """Remove parts that appear or vanish for one or two frames, and calm the outline."""
    if not masks_thw.any():
        return masks_thw
    window = _window(masks_thw.any(axis=0))
    masks = np.ascontiguousarray(masks_thw[(slice(None), *window)]).view(np.uint8)
    for length in range(1, LONGEST_FLICKER + 1):
        masks = _without_flicker(masks, length)
    steady = np.zeros_like(masks_thw)
    steady[(slice(None), *window)] = _calm_outline(masks)
    return steady


def without_small_holes(mask_hw: np.ndarray) -> np.ndarray:
    """Close holes that are small compared to the person."""
    if not mask_hw.any():
        return mask_hw
    largest = SMALL_HOLE * np.count_nonzero(mask_hw)
    rows, columns = _window(mask_hw)
    # A rim of background around the person is outside, and joins all that is.
    around = np.pad(mask_hw[rows, columns], 1)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(
        (~around).astype(np.uint8), connectivity=4
    )
    small = np.flatnonzero(stats[:, cv2.CC_STAT_AREA] <= largest)
    small = small[(small != 0) & (small != labels[0, 0])]
    if count <= 2 or not len(small):
        return mask_hw
    closed = mask_hw.copy()
    closed[rows, columns] |= np.isin(labels, small)[1:-1, 1:-1]
    return closed


def _in_between(before_hw: np.ndarray, after_hw: np.ndarray, n_steps: int) -> np.ndarray:
    """Return the shapes between two masks: signed distances mixed, the centres aligned."""
    distances = [_signed_distance(mask) for mask in (before_hw, after_hw)]
    centers = [np.argwhere(mask).mean(axis=0)[::-1] for mask in (before_hw, after_hw)]
    return np.stack([_mixed(distances, centers, step / n_steps) > 0 for step in range(1, n_steps)])


def _mixed(
    distances: Sequence[np.ndarray], centers: Sequence[np.ndarray], share: float
) -> np.ndarray:
    center = (1 - share) * centers[0] + share * centers[1]
    moved = [
        _shifted(distance, center - own) for distance, own in zip(distances, centers, strict=True)
    ]
    return (1 - share) * moved[0] + share * moved[1]


def _signed_distance(mask_hw: np.ndarray) -> np.ndarray:
    """Return the distance to the outline in pixels: positive inside, negative outside."""
    inside = mask_hw.astype(np.uint8)
    return cv2.distanceTransform(inside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) - (
        cv2.distanceTransform(1 - inside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    )


def _shifted(field_hw: np.ndarray, by_xy: np.ndarray) -> np.ndarray:
    matrix = np.array([[1, 0, by_xy[0]], [0, 1, by_xy[1]]], np.float64)
    size_wh = field_hw.shape[::-1]
    return cv2.warpAffine(
        field_hw, matrix, size_wh, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )


def _without_flicker(masks_thw: np.ndarray, length: int) -> np.ndarray:
    """Judge every run of `length` frames by the frame before and the frame after it."""
    calm = masks_thw.copy()
    present = masks_thw.any(axis=(1, 2))
    for start in range(1, len(masks_thw) - length):
        frames = range(start, start + length)
        if present[start - 1 : start + length + 1].all():
            before, after = masks_thw[start - 1], masks_thw[start + length]
            for number in frames:
                calm[number] = _like_neighbours(before, calm[number], after)
    return calm


def _like_neighbours(before: np.ndarray, now: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Return a mask without parts that both neighbours lack, with parts that both have."""
    kernel = _disc(_jitter_px(now))
    either, both = before | after, before & after
    appeared = now & ~cv2.dilate(either, kernel) & 1
    vanished = both & ~cv2.dilate(now, kernel) & 1
    if not appeared.any() and not vanished.any():
        return now
    calm, differ = now.copy(), before ^ after
    for part, around in _parts(appeared):
        if _is_flicker(part, differ[around], vanished):
            calm[around] &= ~(cv2.dilate(part, kernel) & ~either[around])
    for part, around in _parts(vanished):
        if _is_flicker(part, differ[around], appeared):
            calm[around] |= cv2.dilate(part, kernel) & both[around]
    return calm


def _is_flicker(part: np.ndarray, differ: np.ndarray, moved: np.ndarray) -> bool:
    """Whether the neighbours agree around the part, and nothing of its size moved elsewhere."""
    allowed = AGREEMENT * np.count_nonzero(part)
    return np.count_nonzero(differ) < allowed and np.count_nonzero(moved) < allowed


def _parts(mask_hw: np.ndarray) -> Iterator[tuple[np.ndarray, tuple[slice, slice]]]:
    """Yield every connected part in a window that reaches its own size beyond it."""
    if not mask_hw.any():
        return
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask_hw, connectivity=8)
    for label in range(1, count):
        left, top, width, height, _ = (int(value) for value in stats[label])
        reach = max(width, height, 2 * LEAST_JITTER_PX)
        around = (
            slice(max(0, top - reach), top + height + reach),
            slice(max(0, left - reach), left + width + reach),
        )
        yield (labels[around] == label).astype(np.uint8), around


def _calm_outline(masks_thw: np.ndarray) -> np.ndarray:
    """Take the majority of three frames, within a pixel of each frame's own outline.

    A pixel changes only where the frames before and after agree against the one between them.
    """
    kernel = _disc(1)
    present = masks_thw.any(axis=(1, 2))
    calm = masks_thw.copy()
    for number in range(1, len(masks_thw) - 1):
        before, now, after = masks_thw[number - 1 : number + 2]
        if present[number - 1 : number + 2].all():
            steady = before & after
            added = steady & cv2.dilate(now, kernel)
            # Away from where the person was before and is after, a limb moves: it stays whole.
            removed = now & ~(before | after) & cv2.dilate(steady, kernel) & ~cv2.erode(now, kernel)
            calm[number] = (now | added) & ~removed
    return calm.view(bool)


def _window(mask_hw: np.ndarray) -> tuple[slice, slice]:
    left, top, width, height = cv2.boundingRect(mask_hw.astype(np.uint8))
    return slice(top, top + height), slice(left, left + width)


def _jitter_px(mask_hw: np.ndarray) -> int:
    return max(LEAST_JITTER_PX, round(JITTER_SHARE * float(np.sqrt(np.count_nonzero(mask_hw)))))


def _disc(radius: int) -> np.ndarray:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))


def _touches_border(mask_hw: np.ndarray) -> bool:
    return bool(mask_hw[[0, -1]].any() or mask_hw[:, [0, -1]].any())
