"""How well the person was found in a clip: four parts from 0 to 1, and one score from them.

Each part can be computed without a true mask. What is not known counts as good, so that a score is
low only where something speaks against the masks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np

# The area jumps where it changes by more than this factor against the frames around it.
JUMP = 1.3
# An outline is one if the picture changes along it this many times as much as near it.
CLEAR_EDGE = 2.0
# "Near" is so far from the outline, as shares of the person's size, inside and outside.
NEAR_SHARE = 0.08
LEAST_NEAR_PX = 3
FRAMES_LOOKED_AT = 8


@dataclass(frozen=True)
class Quality:
    """How well the person was found.

    Attributes
    ----------
    mask_confidence : float
        Mean confidence of the network where it found the person; 1 for masks without one.
    edge_agreement : float
        Whether outlines lie on edges of the picture: 0 for outlines anywhere, 1 for the change
        along them twice that beside them or more; 1 where the picture has no edges at all.
    area_jumps : float
        Share of the frames whose area differs from both neighbours' by more than 1.3 times.
    share_filled : float
        Share of the frames in which the person was missed and filled in.
    share_missing : float
        Share of the frames without a mask.
    """

    mask_confidence: float
    edge_agreement: float
    area_jumps: float
    share_filled: float
    share_missing: float

    @property
    def mask_quality(self) -> float:
        """Geometric mean of the four, so that one bad part is not made up for by the others."""
        seen = max(0.0, 1 - self.share_filled - self.share_missing)
        parts = (self.mask_confidence, self.edge_agreement, 1 - self.area_jumps, seen)
        return float(np.prod(parts) ** (1 / len(parts)))


def frames_to_look_at(found: np.ndarray) -> list[int]:
    """Return a few frames, evenly spread over those in which the person was found."""
    numbers = np.flatnonzero(found)
    n_looked_at = min(FRAMES_LOOKED_AT, len(numbers))
    places = np.linspace(0, len(numbers) - 1, n_looked_at).round().astype(int)
    return [int(numbers[place]) for place in places]


def area_jumps(masks_thw: np.ndarray) -> float:
    """Return the share of frames whose area differs from that of both neighbours.

    Only frames whose neighbours have a mask too are judged; 0 where there are none.
    """
    area = np.count_nonzero(masks_thw, axis=(1, 2)).astype(float)
    before, now, after = area[:-2], area[1:-1], area[2:]
    judged = (before > 0) & (now > 0) & (after > 0)
    if not judged.any():
        return 0.0
    before, now, after = before[judged], now[judged], after[judged]
    far = np.minimum(np.abs(np.log(now / before)), np.abs(np.log(now / after)))
    return float((far > np.log(JUMP)).mean())


def edge_agreement(masks_thw: np.ndarray, frames: Mapping[int, np.ndarray]) -> float:
    """Return whether outlines lie on edges of the picture, 0 to 1; see `Quality`.

    Parameters
    ----------
    masks_thw : ndarray of bool
    frames : mapping of int to ndarray
        Frame number to the frame (h, w, 3) RGB, at any scale.
    """
    ratios = [_edge_ratio(masks_thw[number], frame) for number, frame in frames.items()]
    known = [ratio for ratio in ratios if ratio is not None]
    if not known:
        return 1.0
    return float(np.clip((np.mean(known) - 1) / (CLEAR_EDGE - 1), 0, 1))


def _edge_ratio(mask_hw: np.ndarray, frame_hwc: np.ndarray) -> float | None:
    """Return the change along the outline over that near it; None where there is no outline."""
    height, width = frame_hwc.shape[:2]
    mask = cv2.resize(mask_hw.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
    if not mask.any():
        return None
    near_px = max(LEAST_NEAR_PX, round(NEAR_SHARE * float(np.sqrt(np.count_nonzero(mask)))))
    rows, columns = _window(mask, 2 * near_px)
    inside = mask[rows, columns]
    # A rim that repeats the border makes no outline of the picture's own edge.
    inner = cv2.distanceTransform(_rimmed(inside), cv2.DIST_L2, 3)[1:-1, 1:-1]
    outer = cv2.distanceTransform(_rimmed(1 - inside), cv2.DIST_L2, 3)[1:-1, 1:-1]
    depth = np.where(inside > 0, inner, outer)
    change = _change(frame_hwc[rows, columns])
    along, beside = depth <= 2, (depth > near_px) & (depth <= 2 * near_px)
    if not along.any() or not beside.any() or not change.any():
        return None
    return float(change[along].mean() / max(change[beside].mean(), 1e-6))


def _change(frame_hwc: np.ndarray) -> np.ndarray:
    """Return how strongly a picture changes at every pixel, in any of its three colours."""
    blurred = cv2.GaussianBlur(frame_hwc, (3, 3), 0).astype(np.float32)
    across = cv2.Sobel(blurred, cv2.CV_32F, 1, 0)
    down = cv2.Sobel(blurred, cv2.CV_32F, 0, 1)
    return np.sqrt(across**2 + down**2).max(axis=2)


def _window(mask_hw: np.ndarray, margin: int) -> tuple[slice, slice]:
    left, top, width, height = cv2.boundingRect(mask_hw)
    return (
        slice(max(0, top - margin), top + height + margin),
        slice(max(0, left - margin), left + width + margin),
    )


def _rimmed(mask_hw: np.ndarray) -> np.ndarray:
    return cv2.copyMakeBorder(mask_hw, 1, 1, 1, 1, cv2.BORDER_REPLICATE)
