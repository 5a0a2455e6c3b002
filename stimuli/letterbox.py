"""Every clip at one size: never stretched, never cropped, black bars where its shape differs."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class Letterbox:
    """How a picture of one size lies in a frame of another.

    Versions are made of the picture alone and the bars are added last: nothing can bleed from the
    bars into a version, and no mask can reach them.

    Attributes
    ----------
    picture_wh : tuple of int
        Size of the picture inside the frame.
    frame_wh : tuple of int
        Size of the whole frame.
    """

    picture_wh: tuple[int, int]
    frame_wh: tuple[int, int]

    @classmethod
    def of(cls, source_wh: tuple[int, int], frame_wh: tuple[int, int]) -> Letterbox:
        """Fit a source into a frame, as large as it goes."""
        scale = min(frame_wh[0] / source_wh[0], frame_wh[1] / source_wh[1])
        width, height = (
            min(most, max(1, round(side * scale)))
            for side, most in zip(source_wh, frame_wh, strict=True)
        )
        return cls((width, height), frame_wh)

    @property
    def picture_share(self) -> float:
        """Share of the frame that is picture, not bar."""
        return np.prod(self.picture_wh).item() / np.prod(self.frame_wh).item()

    @property
    def offset_xy(self) -> tuple[int, int]:
        """Where the picture's top left corner lies in the frame."""
        return (
            (self.frame_wh[0] - self.picture_wh[0]) // 2,
            (self.frame_wh[1] - self.picture_wh[1]) // 2,
        )

    def shrink(self, frame_hwc: np.ndarray) -> np.ndarray:
        """Resize a source frame to the size of the picture (or enlarge it)."""
        smaller = self.picture_wh[0] < frame_hwc.shape[1]
        how = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
        return cv2.resize(frame_hwc, self.picture_wh, interpolation=how)

    def shrink_masks(self, masks_thw: np.ndarray) -> np.ndarray:
        """Resize source masks to the size of the picture: True where half a pixel is covered."""
        smaller = self.picture_wh[0] < masks_thw.shape[2]
        how = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
        resized = (
            cv2.resize(mask.astype(np.float32), self.picture_wh, interpolation=how)
            for mask in masks_thw
        )
        return np.stack([mask >= 0.5 for mask in resized])

    def pad(self, pictures_thwc: np.ndarray) -> np.ndarray:
        """Put pictures (T, h, w, 3) into black frames (T, H, W, 3)."""
        width, height = self.frame_wh
        if self.picture_wh == self.frame_wh:
            return pictures_thwc
        frames = np.zeros((len(pictures_thwc), height, width, 3), np.uint8)
        left, top = self.offset_xy
        frames[:, top : top + self.picture_wh[1], left : left + self.picture_wh[0]] = pictures_thwc
        return frames
