"""The hole becomes a mirror: it shows its surroundings, so texture goes on where the person was.

A smooth fill keeps the place and the size of the hole visible, as a patch without texture, and
both tell of the pose. Here every pixel of the hole shows what lies as far to the left and to the
right of the hole's box, the nearer side more: scenes are alike along the ground, not from the
ground to the sky, so above and below are used only where neither side has enough to show. What
still differs at the rim is spread smoothly over the hole (the Poisson equation with the mirrored
picture as guidance: Pérez, Gangnet & Blake, 2003, doi:10.1145/882262.882269).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from study.fields import Versions

from .smooth import HARMONIC, SmoothFill, as_pixels, equal_holes

# The share of a side falls with this power of the distance from it.
POWER = 4
# A side is used if it shows at least this share of the box; less would repeat again and again.
LEAST_SHOWN = 0.2


@dataclass(frozen=True)
class _Mirror:
    """Where the pixels of a rectangle look, for one side.

    Attributes
    ----------
    index : ndarray of int
        (N,), places in the flat picture.
    weight : ndarray of float32
        (N, 1).
    """

    index: np.ndarray
    weight: np.ndarray


def mirror(
    frames_thwc: np.ndarray, holes_thw: np.ndarray, persons_thw: np.ndarray, settings: Versions
) -> np.ndarray:
    """Fill by reflections of the surroundings, joined to the rim without a step."""
    filled = frames_thwc.copy()
    for hole_hw, numbers in equal_holes(holes_thw):
        fill = SmoothFill(hole_hw, HARMONIC)
        mirrors = _mirrors(hole_hw, np.concatenate([fill.hole_index, fill.rim_index]))
        for number in numbers:
            _paint(filled[number].reshape(-1, 3), fill, mirrors)
    return filled


def _paint(flat_nc: np.ndarray, fill: SmoothFill, mirrors: list[_Mirror]) -> None:
    """Fill one frame (H * W, 3), in place."""
    n_hole = len(fill.hole_index)
    shown = np.zeros((n_hole + len(fill.rim_index), 3), np.float32)
    for side in mirrors:
        shown += side.weight * flat_nc[side.index]
    step = flat_nc[fill.rim_index] - shown[n_hole:]
    flat_nc[fill.hole_index] = as_pixels(shown[:n_hole] + fill.solve(step))


def _mirrors(hole_hw: np.ndarray, places: np.ndarray) -> list[_Mirror]:
    """Return what each usable side shows at some places; the weights of a place add up to 1."""
    sides = _of_axis(hole_hw, places, axis=1) or _of_axis(hole_hw, places, axis=0)
    total = sum(weight for _, weight in sides)
    return [
        _Mirror(index, (weight / total).astype(np.float32)[:, np.newaxis])
        for index, weight in sides
    ]


def _of_axis(
    hole_hw: np.ndarray, places: np.ndarray, axis: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return index and weight of the usable sides at the two ends of an axis of the picture."""
    at = np.array(np.divmod(places, hole_hw.shape[1]))  # (2, N): y, x
    covered = np.flatnonzero(hole_hw.any(axis=1 - axis))
    start, stop = int(covered[0]), int(covered[-1]) + 1
    outside = {"before": start, "after": hole_hw.shape[axis] - stop}
    sides = []
    for side, n_shown in outside.items():
        if n_shown < max(1, LEAST_SHOWN * (stop - start)):
            continue
        # A place on the rim may lie outside the box: no distance from the side that it is on.
        deep = np.maximum(at[axis] - start if side == "before" else stop - 1 - at[axis], 0)
        step = _back_and_forth(deep, n_shown)
        seen = at.copy()
        seen[axis] = start - 1 - step if side == "before" else stop + step
        sides.append((seen[0] * hole_hw.shape[1] + seen[1], (1.0 + deep) ** -POWER))
    return sides


def _back_and_forth(steps: np.ndarray, length: int) -> np.ndarray:
    """Fold steps into 0..length - 1, going back and forth."""
    folded = steps % (2 * length)
    return np.where(folded < length, folded, 2 * length - 1 - folded)
