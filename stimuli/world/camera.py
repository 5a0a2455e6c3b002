"""The camera: which part of the scene every frame shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MARGIN = 0.14  # what a scene is painted beyond the frame on every side, in frame heights
KINDS = ("still", "pan", "zoom", "shake")


@dataclass(frozen=True)
class CameraPath:
    """Zoom (T,) and shift (T, 2) of every frame, in frame heights.

    A scene point p is seen in the frame at centre + zoom * (p - centre - shift).
    """

    zoom: NDArray[np.float64]
    shift: NDArray[np.float64]
    centre: NDArray[np.float64]

    def to_frame(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map scene points (T, 2) to the frame, both in frame heights."""
        return self.centre + self.zoom[:, None] * (points - self.centre - self.shift)

    @property
    def is_still(self) -> bool:
        """Whether all frames show the same part of the scene at the scene's own size."""
        return bool(np.all(self.zoom == 1) and np.all(self.shift == 0))


def draw_camera(
    rng: np.random.Generator, n_frames: int, fps: float, aspect: float, moves: bool
) -> CameraPath:
    """Draw how the camera moves: half of the clips of a moving world are still."""
    kind = str(rng.choice(KINDS, p=(0.46, 0.2, 0.16, 0.18))) if moves else "still"
    time_s = np.arange(n_frames) / fps
    span = np.linspace(-1, 1, n_frames) if n_frames > 1 else np.zeros(1)
    zoom, shift = np.ones(n_frames), np.zeros((n_frames, 2))
    if kind == "pan":
        way = rng.choice((-1, 1)) * rng.uniform(0.04, 0.1)
        shift = np.stack([way * np.sin(np.pi / 2 * span), 0.02 * rng.uniform(-1, 1) * span], axis=1)
    elif kind == "zoom":
        zoom = 1 + rng.uniform(0.05, 0.12) * (0.5 + 0.5 * rng.choice((-1, 1)) * span)
    elif kind == "shake":
        rate_hz, phase = rng.uniform(0.6, 2.6, (3, 2)), rng.random((3, 2))
        waves = np.sin(2 * np.pi * (time_s[:, None, None] * rate_hz + phase))
        shift = rng.uniform(0.004, 0.011) * waves.sum(axis=1)
    centre = np.array([aspect / 2, 0.62])
    return CameraPath(zoom, shift, centre)
