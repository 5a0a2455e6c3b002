"""How the camera moved, from points outside the persons followed from frame to frame."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import cv2
import numpy as np

# Points are followed in pictures of this width: faster, and less sensitive to noise.
TRACKED_WIDTH = 320
MOST_POINTS, POINT_QUALITY, POINT_DISTANCE_PX = 400, 0.01, 5
FLOW_WINDOW_PX, FLOW_LEVELS = 15, 3
# A point that does not come back to where it started within so much, there and back, is lost.
RETURN_PX = 0.5
RANSAC_PX, RANSAC_STEPS, RANSAC_CONFIDENCE = 0.75, 2000, 0.999
# Fewer points that are found again, or fewer of these that agree on one motion, is no estimate.
LEAST_POINTS, LEAST_FOUND, LEAST_AGREEING = 12, 0.3, 0.5
# While fewer than this are found, the key frame is left behind for the last one.
ENOUGH_FOUND = 0.5
# A camera that moves less than this over the whole clip is taken as standing still.
STILL_PX = 0.5


@dataclass(frozen=True)
class _View:
    """A small grey frame and where its background is."""

    grey_hw: np.ndarray
    background_hw: np.ndarray

    @classmethod
    def of(cls, frame_hwc: np.ndarray, person_hw: np.ndarray, size_wh: tuple[int, int]) -> _View:
        grey = cv2.resize(
            cv2.cvtColor(frame_hwc, cv2.COLOR_RGB2GRAY), size_wh, interpolation=cv2.INTER_AREA
        )
        person = cv2.resize(person_hw.astype(np.float32), size_wh, interpolation=cv2.INTER_AREA)
        return cls(grey, person == 0)

    def points(self) -> np.ndarray:
        """Return corners of the background (N, 2)."""
        corners = cv2.goodFeaturesToTrack(
            self.grey_hw,
            MOST_POINTS,
            POINT_QUALITY,
            POINT_DISTANCE_PX,
            mask=self.background_hw.astype(np.uint8),
        )
        return np.zeros((0, 2), np.float32) if corners is None else corners.reshape(-1, 2)

    def shows(self, points_xy: np.ndarray) -> np.ndarray:
        """Tell for every point whether it lies on this frame's background."""
        height, width = self.grey_hw.shape
        x, y = np.rint(points_xy).astype(int).T
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        return inside & self.background_hw[y.clip(0, height - 1), x.clip(0, width - 1)]


def camera_path(frames_thwc: np.ndarray, persons_thw: np.ndarray) -> np.ndarray | None:
    """Estimate where every frame's pixels lie in the middle frame.

    Corners outside the persons (Shi & Tomasi 1994) are followed by pyramids of Lucas & Kanade's
    flow, forth and back; a similarity (shift, turn, scale) is fitted by RANSAC and refined. Every
    frame is matched with the middle one as long as enough of that is in view, then with the last
    frame that was, so that errors add up little.

    Parameters
    ----------
    frames_thwc : ndarray of uint8
        (T, H, W, 3) RGB.
    persons_thw : ndarray of bool
        (T, H, W).

    Returns
    -------
    ndarray of float, or None
        (T, 3, 3): homogeneous (x, y) of frame t to those of the middle frame; exactly the identity
        for all where the camera stands still. None where a motion cannot be told.
    """
    n_frames, height, width = persons_thw.shape
    scale = min(1.0, TRACKED_WIDTH / width)
    size_wh = (max(1, round(width * scale)), max(1, round(height * scale)))
    views = [
        _View.of(frame, person, size_wh)
        for frame, person in zip(frames_thwc, persons_thw, strict=True)
    ]
    path = np.tile(np.eye(3), (n_frames, 1, 1))
    middle = n_frames // 2
    for numbers in (range(middle, n_frames), range(middle, -1, -1)):
        if not _follow(views, list(numbers), path):
            return None
    path = _at_full_size(path, (size_wh[0] / width, size_wh[1] / height))
    return np.tile(np.eye(3), (n_frames, 1, 1)) if _is_still(path, (width, height)) else path


def _follow(views: list[_View], numbers: list[int], path_t33: np.ndarray) -> bool:
    """Fill in the path of frames in this order, the first one known; tell whether it worked."""
    key, points = numbers[0], views[numbers[0]].points()
    last = np.eye(3)  # the frame before, from the key frame
    for before, now in itertools.pairwise(numbers):
        motion = _motion(views[key], views[now], points, last, ENOUGH_FOUND)
        if motion is None:
            key, points = before, views[before].points()
            motion = _motion(views[key], views[now], points, np.eye(3), LEAST_FOUND)
        if motion is None:
            return False
        last = motion
        path_t33[now] = path_t33[key] @ np.linalg.inv(motion)
    return True


def _motion(
    one: _View, other: _View, points_xy: np.ndarray, guess: np.ndarray, least_found: float
) -> np.ndarray | None:
    """Return the similarity (3, 3) that takes points of one frame to another, None if unsure."""
    if len(points_xy) < LEAST_POINTS:
        return None
    start = (points_xy @ guess[:2, :2].T + guess[:2, 2]).astype(np.float32)
    moved, found = _flow(one, other, points_xy, start)
    back, returned = _flow(other, one, moved, points_xy)
    off = np.linalg.norm(back - points_xy, axis=1)
    kept = found & returned & (off < RETURN_PX) & other.shows(moved)
    if kept.sum() < max(LEAST_POINTS, least_found * other.shows(start).sum()):
        return None
    fitted, agrees = cv2.estimateAffinePartial2D(
        points_xy[kept],
        moved[kept],
        method=cv2.RANSAC,
        ransacReprojThreshold=RANSAC_PX,
        maxIters=RANSAC_STEPS,
        confidence=RANSAC_CONFIDENCE,
    )
    if fitted is None or agrees.sum() < max(LEAST_POINTS, LEAST_AGREEING * kept.sum()):
        return None
    return np.vstack([fitted, (0, 0, 1)])


def _flow(
    one: _View, other: _View, points_xy: np.ndarray, start_xy: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Follow points from one frame to another; return where they are and which were found."""
    moved, found, _ = cv2.calcOpticalFlowPyrLK(
        one.grey_hw,
        other.grey_hw,
        points_xy.reshape(-1, 1, 2).astype(np.float32),
        start_xy.reshape(-1, 1, 2).astype(np.float32).copy(),
        winSize=(FLOW_WINDOW_PX, FLOW_WINDOW_PX),
        maxLevel=FLOW_LEVELS,
        flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
    )
    return moved.reshape(-1, 2), found.ravel().astype(bool)


def _at_full_size(path_t33: np.ndarray, scale_xy: tuple[float, float]) -> np.ndarray:
    """Turn a path of small pictures into one of the whole ones; pixels are where centres are."""
    to_small = np.diag([*scale_xy, 1.0])
    to_small[:2, 2] = (np.array(scale_xy) - 1) / 2
    return np.linalg.inv(to_small) @ path_t33 @ to_small


def _is_still(path_t33: np.ndarray, size_wh: tuple[int, int]) -> bool:
    corners = corners_of(size_wh)
    return bool(
        max(np.abs(moved(corners, motion) - corners).max() for motion in path_t33) < STILL_PX
    )


def corners_of(size_wh: tuple[int, int]) -> np.ndarray:
    """Return the centres of the four corner pixels (4, 2)."""
    right, bottom = size_wh[0] - 1, size_wh[1] - 1
    return np.array([(0, 0), (right, 0), (0, bottom), (right, bottom)], float)


def moved(points_xy: np.ndarray, motion_33: np.ndarray) -> np.ndarray:
    """Return points (N, 2) moved by a homogeneous matrix."""
    ends = np.column_stack([points_xy, np.ones(len(points_xy))]) @ motion_33.T
    return ends[:, :2] / ends[:, 2:]
