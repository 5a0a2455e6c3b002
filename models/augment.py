"""Random changes of training frames, a batch at a time; black stays black.

Black is the absence of a part (and the bars of the letterbox). A change that tinted it would show
the networks a background in body-only frames that no test frame has. What is random is drawn on the
CPU, so that every device makes the same changes; the changes are made where the frames are, and no
step waits for a number from there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from models.flow import ZERO, turned
from study.fields import Training

# The strongest blur, as the deviation of a Gaussian in shares of the frame's side.
MAX_BLUR_SD = 0.01
LUMINANCE = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class Placement:
    """How each frame of a batch is moved: shared by all versions of the same moment.

    Attributes
    ----------
    down, right : ndarray of int
        Whole pixels (B,).
    mirrored : ndarray of bool
        (B,).
    """

    down: np.ndarray
    right: np.ndarray
    mirrored: np.ndarray

    def rows(self, rows: slice) -> Placement:
        """Return the placement of some frames of the batch."""
        return Placement(self.down[rows], self.right[rows], self.mirrored[rows])


@dataclass(frozen=True)
class Coloring:
    """How the colours of each frame of a batch are changed.

    Attributes
    ----------
    factors : ndarray of float32
        (3, B): of brightness, contrast and saturation; 1 leaves them.
    blurred : ndarray of bool
        (B,).
    blur_sd : float
        Of the Gaussian, shares of the frame's side; one for the whole batch.
    """

    factors: np.ndarray
    blurred: np.ndarray
    blur_sd: float

    def rows(self, rows: slice) -> Coloring:
        """Return the colouring of some frames of the batch."""
        return Coloring(self.factors[:, rows], self.blurred[rows], self.blur_sd)

    def repeated(self, times: int) -> Coloring:
        """Return the colouring of frames that stand `times` times beside each other."""
        return Coloring(
            np.repeat(self.factors, times, axis=1), np.repeat(self.blurred, times), self.blur_sd
        )


def draw_placement(n: int, side: int, training: Training, rng: np.random.Generator) -> Placement:
    """Draw shifts up to `training.shift` of the side, and whether each frame is mirrored."""
    limit = round(training.shift * side)
    down, right = rng.integers(-limit, limit + 1, (2, n))
    return Placement(down, right, rng.random(n) < (0.5 if training.flip else 0.0))


def draw_coloring(n: int, training: Training, rng: np.random.Generator) -> Coloring:
    """Draw changes of colour up to `training.color_jitter`, and what is blurred."""
    factors = 1 + training.color_jitter * rng.uniform(-1, 1, (3, n))
    blurred = rng.random(n) < training.blur
    return Coloring(factors.astype(np.float32), blurred, float(rng.random()) * MAX_BLUR_SD)


def place(frames: Tensor, placement: Placement, flow: bool = False) -> Tensor:
    """Shift and mirror frames; what comes in from outside is black.

    Parameters
    ----------
    frames : Tensor
        (B, S, S, 3) or (B, T, S, S, 3) uint8, on any device.
    placement : Placement
    flow : bool
        Whether they are pictures of flow: mirroring then turns dx too, and what comes in from
        outside does not move.
    """
    if not (placement.down.any() or placement.right.any() or placement.mirrored.any()):
        return frames
    device, side = frames.device, frames.shape[-2]
    down, right = (_sent(values, device)[:, None] for values in (placement.down, placement.right))
    mirrored = _sent(placement.mirrored, device)
    steps = torch.arange(side, device=device)
    rows, columns = steps - down, steps - right  # (B, S): where each row and column comes from
    columns = torch.where(mirrored[:, None], side - 1 - columns, columns)
    inside = _within(rows, side)[:, :, None] & _within(columns, side)[:, None, :]
    source = rows.clamp(0, side - 1)[:, :, None] * side + columns.clamp(0, side - 1)[:, None, :]
    clips = frames if frames.ndim == 5 else frames[:, None]  # (B, T, S, S, 3)
    n_frames = len(clips) * clips.shape[1]
    first = torch.arange(n_frames, device=device).view(*clips.shape[:2], 1, 1) * side**2
    # Whole pixels are copied by one index: several would take six times as long.
    pixels = clips.reshape(-1, 3).index_select(0, (first + source[:, None]).flatten())
    moved = pixels.view(clips.shape)
    if flow:
        dx = moved[..., 0]
        moved[..., 0] = torch.where(mirrored[:, None, None, None], turned(dx), dx)
    moved.masked_fill_(~inside[:, None, :, :, None], ZERO if flow else 0)
    return moved.view(frames.shape)


def recolor(frames: Tensor, coloring: Coloring) -> Tensor:
    """Change brightness, contrast and saturation of every frame, and blur some.

    Parameters
    ----------
    frames : Tensor
        (B, 3, S, S) in 0..1.
    coloring : Coloring
        Of each of them.

    Returns
    -------
    Tensor
        Of the same shape and range; pixels that were black are black.
    """
    shown = frames.amax(dim=1, keepdim=True) > 0  # (B, 1, S, S)
    changed = _jitter_colors(frames, coloring.factors)
    return _blur_some(changed, coloring) * shown


def _jitter_colors(frames: Tensor, factors: np.ndarray) -> Tensor:
    if (factors == 1).all():
        return frames
    brightness, contrast, saturation = _sent(factors, frames.device).view(3, -1, 1, 1, 1)
    red, green, blue = frames.unbind(dim=1)
    gray = (LUMINANCE[0] * red + LUMINANCE[1] * green + LUMINANCE[2] * blue).unsqueeze(1)
    mean = gray.mean(dim=(2, 3), keepdim=True) * brightness
    # Brightness, saturation about the gray of each pixel, then contrast about the frame's mean:
    # all are linear, so two products and a sum do for the three.
    changed = (brightness * contrast * saturation) * frames
    changed = changed + (brightness * contrast * (1 - saturation)) * gray
    return changed.add_(mean * (1 - contrast)).clamp_(0, 1)


def _blur_some(frames: Tensor, coloring: Coloring) -> Tensor:
    """Blur the chosen frames by a Gaussian."""
    chosen = np.flatnonzero(coloring.blurred)
    sd = coloring.blur_sd * frames.shape[-1]
    if not len(chosen) or sd == 0:
        return frames
    radius = max(1, round(3 * sd))
    kernel = np.exp(-(np.arange(-radius, radius + 1) ** 2) / (2 * sd**2))
    weights = _sent((kernel / kernel.sum()).astype(np.float32), frames.device)
    places = _sent(chosen, frames.device)
    blurred = _convolve(_convolve(frames[places], weights, (0, 1)), weights, (1, 0))
    # A clone keeps the order in memory (channels last), index_copy by itself does not.
    return frames.clone().index_copy_(0, places, blurred)


def _convolve(frames: Tensor, kernel: Tensor, direction: tuple[int, int]) -> Tensor:
    """Convolve every channel along rows (1, 0) or columns (0, 1); borders are repeated."""
    down, right = (len(kernel) // 2 * step for step in direction)
    padded = torch.nn.functional.pad(frames, (right, right, down, down), mode="replicate")
    weight = kernel.view(1, 1, -1, 1) if down else kernel.view(1, 1, 1, -1)
    return torch.nn.functional.conv2d(padded, weight.expand(3, 1, -1, -1), groups=3)


def _within(positions: Tensor, side: int) -> Tensor:
    return (positions >= 0) & (positions < side)


def _sent(values: np.ndarray, device: torch.device) -> Tensor:
    """Copy a few numbers to a device without waiting for it."""
    tensor = torch.from_numpy(np.ascontiguousarray(values))
    if device.type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)
