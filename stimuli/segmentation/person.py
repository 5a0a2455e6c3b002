"""A person found in one frame: a mask cropped to its box, how sure, and in which colours."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

# Colours are counted in so many levels of red, green and blue: coarse, so that light may change.
COLOR_LEVELS = 6


@dataclass(frozen=True)
class Instance:
    """A person found in one frame.

    Attributes
    ----------
    left, top : int
        Where the crop lies in the frame, pixels.
    crop_hw : ndarray of bool
        The mask inside its box; crowds stay small in memory this way.
    confidence : float
    colors : ndarray, optional
        Share of the person's pixels in every cell of a coarse cube of colours, see
        `color_shares`.
    """

    left: int
    top: int
    crop_hw: np.ndarray
    confidence: float
    colors: np.ndarray | None = None

    @classmethod
    def of(
        cls, mask_hw: np.ndarray, confidence: float, frame_hwc: np.ndarray | None = None
    ) -> Instance | None:
        """Crop a mask to its box; None where it is empty."""
        mask = mask_hw.view(np.uint8) if mask_hw.dtype == bool else mask_hw
        left, top, width, height = cv2.boundingRect(np.ascontiguousarray(mask))
        if not width:
            return None
        box = (slice(top, top + height), slice(left, left + width))
        crop = mask[box] > 0
        colors = None if frame_hwc is None else color_shares(frame_hwc[box], crop)
        return cls(left, top, crop, confidence, colors)

    @property
    def area(self) -> int:
        """Pixels of the person."""
        return int(np.count_nonzero(self.crop_hw))

    @property
    def center_xy(self) -> np.ndarray:
        """Centre of the box."""
        height, width = self.crop_hw.shape
        return np.array([self.left + width / 2, self.top + height / 2])

    @property
    def size(self) -> float:
        """Geometric mean of the box's sides, pixels."""
        return float(np.sqrt(self.crop_hw.size))

    def shared(self, other: Instance, moved_xy: tuple[int, int] = (0, 0)) -> int:
        """Return how many pixels two masks of one frame size share, this one moved first."""
        own_left, own_top = self.left + moved_xy[0], self.top + moved_xy[1]
        left, top = max(own_left, other.left), max(own_top, other.top)
        right = min(own_left + self.crop_hw.shape[1], other.left + other.crop_hw.shape[1])
        bottom = min(own_top + self.crop_hw.shape[0], other.top + other.crop_hw.shape[0])
        if right <= left or bottom <= top:
            return 0
        own = self.crop_hw[top - own_top : bottom - own_top, left - own_left : right - own_left]
        its = other.crop_hw[
            top - other.top : bottom - other.top, left - other.left : right - other.left
        ]
        return int(np.count_nonzero(own & its))

    def overlap(self, other: Instance, moved_xy: tuple[int, int] = (0, 0)) -> float:
        """Return intersection over union of two masks of one frame size, this one moved first."""
        n_both = self.shared(other, moved_xy)
        return n_both / (self.area + other.area - n_both) if n_both else 0.0

    def covers(self, other: Instance) -> float:
        """Return the share of the smaller of two masks that both have."""
        return self.shared(other) / min(self.area, other.area)

    def in_frame(self, size_wh: tuple[int, int]) -> np.ndarray:
        """Return the mask at the size of the whole frame (H, W)."""
        mask = np.zeros((size_wh[1], size_wh[0]), bool)
        height, width = self.crop_hw.shape
        mask[self.top : self.top + height, self.left : self.left + width] = self.crop_hw
        return mask

    def turned_back(self, turn: int, size_wh: tuple[int, int]) -> Instance:
        """Return the person of a frame that was turned by `turn` quarters, in the frame itself.

        Parameters
        ----------
        turn : int
            Quarters of a circle, counterclockwise, by which the frame was turned.
        size_wh : tuple of int
            Size of the turned frame.
        """
        mask = np.rot90(self.in_frame(size_wh), -turn)
        left, top, width, height = cv2.boundingRect(np.ascontiguousarray(mask).view(np.uint8))
        crop = mask[top : top + height, left : left + width].copy()
        return Instance(left, top, crop, self.confidence, self.colors)


def color_shares(crop_hwc: np.ndarray, crop_hw: np.ndarray) -> np.ndarray:
    """Return which share of a person's pixels has each of a few colours.

    Parameters
    ----------
    crop_hwc : ndarray of uint8
        RGB pixels of the box.
    crop_hw : ndarray of bool
        The person in it.

    Returns
    -------
    ndarray of float
        (216,), sums to 1.
    """
    # Every second pixel of every second row tells the colours as well.
    step = 2 if crop_hw[::2, ::2].any() else 1
    rgb = crop_hwc[::step, ::step][crop_hw[::step, ::step]].astype(np.int32)
    levels = rgb * COLOR_LEVELS >> 8
    codes = (levels[:, 0] * COLOR_LEVELS + levels[:, 1]) * COLOR_LEVELS + levels[:, 2]
    return np.bincount(codes, minlength=COLOR_LEVELS**3) / len(codes)


def color_likeness(colors: np.ndarray | None, others: np.ndarray | None) -> float:
    """Return how alike the colours are: 0 to 1, the Bhattacharyya coefficient; 1 if unknown.

    Bhattacharyya, A. (1943). On a measure of divergence between two statistical populations.
    """
    if colors is None or others is None:
        return 1.0
    return float(np.sqrt(colors * others).sum())
