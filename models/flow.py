"""Optical flow as pictures: how it is found, at which size, and how it is written in eight bits.

The flow of a frame says, at each of its pixels, where that pixel came from: (dx, dy) points from
the place in the frame before to the place here, so it lies over the frame and its masks. The first
frame of a clip, and a photograph, have none: zero. This module knows nothing of torch.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np

from study.errors import StudyError
from study.fields import Training
from study.files import sha256_of

# The written value of no motion, in all three channels.
ZERO = 128
# Values on each side of it.
STEPS = 127
# The longest motion that is written, shares of the frame's side per frame. On the synthetic world
# 1.3 % of the joints' steps are longer; the unit of the written values is a 2540th of the side.
LIMIT = 0.05
# Flow is found on frames of at least this side (and twice the network's): DIS starts from a half
# or a quarter of the size, and on 64 px it finds a tenth of a small figure's motion.
LEAST_SIDE = 256
# What is no brighter shows nothing: bars, and where a version hides by black. Videos that are not
# lossless miss black by a little.
BLACK = 4
# Raised when the same frames give other pictures of flow.
REVISION = 1

# Frames (T, F, F, 3) uint8 RGB to motion in pixels (T - 1, F, F, 2), on the grid of the later.
Estimate = Callable[[np.ndarray], np.ndarray]

Array = TypeVar("Array")


@dataclass(frozen=True)
class FlowMethod:
    """How flow is found.

    Attributes
    ----------
    name : {"dis", "raft"}
    weights : Path, optional
        Of RAFT.
    device : str
        Where RAFT runs, as `training.device`.
    """

    name: str = "dis"
    weights: Path | None = None
    device: str = "auto"

    @property
    def tag(self) -> str:
        """Its name in files: methods of one study keep files of their own."""
        return self.name if self.weights is None else f"{self.name}-{sha256_of(self.weights)[:8]}"


def flow_method(training: Training) -> FlowMethod:
    """Return how the study file wants flow to be found.

    Raises
    ------
    StudyError
        When the weights of RAFT are missing.
    """
    if training.flow == "dis":
        return FlowMethod()
    if not training.flow_weights.is_file():
        raise StudyError(f"training.flow_weights, {training.flow_weights}: no such file")
    return FlowMethod(training.flow, training.flow_weights, training.device)


@functools.cache
def estimator(method: FlowMethod) -> Estimate:
    """Return the function that finds flow; RAFT is loaded once."""
    if method.name == "dis":
        return dis_flow
    # Only here: processes that find flow by DIS start without torch.
    from models.flow_raft import Raft

    return Raft(method.weights, method.device)


def dis_flow(frames_thwc: np.ndarray) -> np.ndarray:
    """Find flow by DIS (Kroeger et al., 2016), OpenCV's, preset medium.

    The same to the bit whatever the number of threads.

    Parameters
    ----------
    frames_thwc : ndarray of uint8
        RGB (T, H, W, 3).

    Returns
    -------
    ndarray of float32
        (T - 1, H, W, 2), pixels.
    """
    dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    gray = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames_thwc]
    # From the later to the earlier frame, then turned round: so it lies on the later one's grid.
    return np.stack([-dis.calc(gray[t], gray[t - 1], None) for t in range(1, len(gray))])


def inner_side(side: int, source_wh: tuple[int, int]) -> int:
    """Return the side of the frames on which flow is found: a multiple of the network's side.

    At least twice, and at least `LEAST_SIDE`, but not beyond the pixels that the stimulus has.
    """
    times = max(2, math.ceil(LEAST_SIDE / side))
    return side * max(1, min(times, max(source_wh) // side))


def flow_pictures(frames_thwc: np.ndarray, side: int, estimate: Estimate) -> np.ndarray:
    """Turn the frames of a clip into pictures of flow at network size.

    Flow spreads over flat areas: where a frame is black, in bars and around a body shown alone,
    it is set to zero, so that only what is shown moves.

    Parameters
    ----------
    frames_thwc : ndarray of uint8
        Square RGB frames (T, F, F, 3); F is a multiple of `side`.
    side : int
    estimate : callable

    Returns
    -------
    ndarray of uint8
        (T, side, side, 3), see `encode`.
    """
    n_frames, inner = frames_thwc.shape[:2]
    moved = np.zeros((n_frames, side, side, 2), np.float32)
    if n_frames > 1:
        for t, flow in enumerate(estimate(frames_thwc), start=1):
            flow[frames_thwc[t].max(axis=-1) <= BLACK] = 0
            moved[t] = cv2.resize(flow, (side, side), interpolation=cv2.INTER_AREA) / inner
    return encode(moved)


def encode(moved: np.ndarray) -> np.ndarray:
    """Write motion as a picture.

    Parameters
    ----------
    moved : ndarray of float
        (..., 2): dx (right) and dy (down), shares of the frame's side per frame.

    Returns
    -------
    ndarray of uint8
        (..., 3): dx and dy as 128 + 127 d / LIMIT (1..255), and the length likewise (128..255).
        What is longer than LIMIT is cut to it and keeps its direction.
    """
    length = np.sqrt(np.square(moved).sum(axis=-1, keepdims=True))
    cut = np.minimum(1, LIMIT / np.maximum(length, LIMIT))
    values = np.concatenate([moved * cut, length * cut], axis=-1)
    return (ZERO + np.rint(STEPS * values / LIMIT)).astype(np.uint8)


def decode(pictures: np.ndarray) -> np.ndarray:
    """Return the motion (..., 2) that `encode` wrote, shares of the side per frame."""
    return (pictures[..., :2].astype(np.float32) - ZERO) * (LIMIT / STEPS)


def turned(dx: Array) -> Array:
    """Return written dx (uint8 array or tensor) with left and right exchanged.

    128 + q becomes 128 - q: in eight bits, that is the negative. Mirroring a picture of flow is
    mirroring its pixels and this, on channel 0.
    """
    return -dx
