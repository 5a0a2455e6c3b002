"""The main person, followed through a clip: detections frame by frame in, one mask a frame out."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linear_sum_assignment

# A person may be missed for so many frames and still be the same one.
LONGEST_GAP = 12
# Two instances are the same person if they overlap, or if the distance of their centres is below
# this share of their size for every frame between them, up to a few frames: in a crowd a longer
# reach would jump to somebody else.
FARTHEST_STEP = 0.75
LONGEST_REACH = 3


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
    """

    left: int
    top: int
    crop_hw: np.ndarray
    confidence: float

    @classmethod
    def of(cls, mask_hw: np.ndarray, confidence: float) -> Instance | None:
        """Crop a mask to its box; None where it is empty."""
        ys, xs = np.nonzero(mask_hw)
        if not len(ys):
            return None
        top, left = int(ys.min()), int(xs.min())
        crop = mask_hw[top : int(ys.max()) + 1, left : int(xs.max()) + 1].copy()
        return cls(left, top, crop, confidence)

    @property
    def area(self) -> int:
        """Pixels of the person."""
        return int(self.crop_hw.sum())

    @property
    def center_xy(self) -> np.ndarray:
        """Centre of the box."""
        height, width = self.crop_hw.shape
        return np.array([self.left + width / 2, self.top + height / 2])

    @property
    def size(self) -> float:
        """Geometric mean of the box's sides, pixels."""
        return float(np.sqrt(self.crop_hw.size))

    def overlap(self, other: Instance) -> float:
        """Return intersection over union of two masks of the same frame size."""
        left, top = max(self.left, other.left), max(self.top, other.top)
        right = min(self.left + self.crop_hw.shape[1], other.left + other.crop_hw.shape[1])
        bottom = min(self.top + self.crop_hw.shape[0], other.top + other.crop_hw.shape[0])
        if right <= left or bottom <= top:
            return 0.0
        both = self._part(left, top, right, bottom) & other._part(left, top, right, bottom)
        n_both = int(both.sum())
        return n_both / (self.area + other.area - n_both)

    def in_frame(self, size_wh: tuple[int, int]) -> np.ndarray:
        """Return the mask at the size of the whole frame (H, W)."""
        mask = np.zeros((size_wh[1], size_wh[0]), bool)
        height, width = self.crop_hw.shape
        mask[self.top : self.top + height, self.left : self.left + width] = self.crop_hw
        return mask

    def _part(self, left: int, top: int, right: int, bottom: int) -> np.ndarray:
        return self.crop_hw[
            top - self.top : bottom - self.top, left - self.left : right - self.left
        ]


@dataclass
class Track:
    """One person over time: frame number to instance."""

    instances: dict[int, Instance] = field(default_factory=dict)

    @property
    def last(self) -> int:
        """The last frame in which the person was found."""
        return max(self.instances)

    @property
    def weight(self) -> float:
        """Area times confidence, summed over the clip: who is large, sure and long in view."""
        return sum(instance.area * instance.confidence for instance in self.instances.values())


def likeness(before: Instance, after: Instance, n_frames: int) -> float:
    """Return how likely two instances, `n_frames` apart, are one person: 0 (not) to 2."""
    smaller, larger = sorted((before.size, after.size))
    reach = FARTHEST_STEP * (smaller + larger) / 2 * min(n_frames, LONGEST_REACH)
    distance = float(np.linalg.norm(before.center_xy - after.center_xy))
    nearness = max(0.0, 1 - distance / reach)
    return (before.overlap(after) + nearness) * smaller / larger


def link(frames: list[list[Instance]]) -> list[Track]:
    """Link the instances of successive frames into tracks, the best pairs of a frame together."""
    tracks: list[Track] = []
    for number, instances in enumerate(frames):
        alive = [track for track in tracks if number - track.last <= LONGEST_GAP]
        scores = np.array(
            [
                [
                    likeness(track.instances[track.last], one, number - track.last)
                    for one in instances
                ]
                for track in alive
            ]
        ).reshape(len(alive), len(instances))
        pairs = zip(*linear_sum_assignment(-scores), strict=True)
        taken = {new: old for old, new in pairs if scores[old, new] > 0}
        for new, instance in enumerate(instances):
            track = alive[taken[new]] if new in taken else Track()
            if new not in taken:
                tracks.append(track)
            track.instances[number] = instance
    return tracks


def main_person(frames: list[list[Instance]]) -> list[Instance | None]:
    """Return the main person in every frame, None where not found.

    The main person is the one with the greatest area times confidence, summed over the clip.
    """
    tracks = link(frames)
    if not tracks:
        return [None] * len(frames)
    main = max(tracks, key=lambda track: track.weight)
    return [main.instances.get(number) for number in range(len(frames))]
