"""Random changes of training frames, a batch at a time; black stays black.

Black is the absence of a part (and the bars of the letterbox). A change that tinted it would show
the networks a background in body-only frames that no test frame has.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from study.fields import Training

# The strongest blur, as the deviation of a Gaussian in shares of the frame's side.
MAX_BLUR_SD = 0.01
LUMINANCE = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class Placement:
    """How each frame of a batch is moved: shared by all versions of the same moment.

    Attributes
    ----------
    down, right : Tensor
        Whole pixels (B,).
    mirrored : Tensor
        True or false (B,).
    """

    down: Tensor
    right: Tensor
    mirrored: Tensor


def draw_placement(n: int, side: int, training: Training, generator: torch.Generator) -> Placement:
    """Draw shifts up to `training.shift` of the side, and whether each frame is mirrored."""
    limit = round(training.shift * side)
    down, right = torch.randint(-limit, limit + 1, (2, n), generator=generator)
    mirrored = torch.rand(n, generator=generator) < (0.5 if training.flip else 0.0)
    return Placement(down, right, mirrored)


def place(frames: Tensor, placement: Placement) -> Tensor:
    """Shift and mirror frames (B, S, S, 3) uint8; what comes in from outside is black."""
    n, side = frames.shape[:2]
    steps = torch.arange(side)
    rows = steps - placement.down[:, None]  # (B, S): where each row comes from
    columns = steps - placement.right[:, None]
    columns = torch.where(placement.mirrored[:, None], side - 1 - columns, columns)
    inside = _within(rows, side)[:, :, None] & _within(columns, side)[:, None, :]
    rows, columns = rows.clamp(0, side - 1), columns.clamp(0, side - 1)
    moved = frames[torch.arange(n)[:, None, None], rows[:, :, None], columns[:, None, :]]
    return moved * inside[..., None]


def recolor(frames: Tensor, training: Training, generator: torch.Generator) -> Tensor:
    """Change brightness, contrast and saturation of every frame, and blur some.

    Parameters
    ----------
    frames : Tensor
        (B, 3, S, S) in 0..1.
    training : Training
        Its fields `color_jitter` and `blur`.
    generator : torch.Generator
        On the CPU, so that every device gets the same draws.

    Returns
    -------
    Tensor
        Of the same shape and range; pixels that were black are black.
    """
    shown = frames.amax(dim=1, keepdim=True) > 0  # (B, 1, S, S)
    changed = _jitter_colors(frames, training.color_jitter, generator)
    changed = _blur_some(changed, training.blur, generator)
    return changed * shown


def _jitter_colors(frames: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    draws = torch.rand(3, len(frames), 1, 1, 1, generator=generator)
    if strength == 0:
        return frames
    brightness, contrast, saturation = (1 + strength * (2 * draws - 1)).to(frames.device)
    luminance = torch.tensor(LUMINANCE, device=frames.device).view(1, 3, 1, 1)
    frames = frames * brightness
    gray = (frames * luminance).sum(dim=1, keepdim=True)  # (B, 1, S, S)
    frames = gray + saturation * (frames - gray)
    mean = gray.mean(dim=(2, 3), keepdim=True)
    return (mean + contrast * (frames - mean)).clamp(0, 1)


def _blur_some(frames: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Blur a share of the frames by a Gaussian; its width is drawn once for the batch."""
    chosen = torch.rand(len(frames), generator=generator) < share
    sd = float(torch.rand(1, generator=generator)) * MAX_BLUR_SD * frames.shape[-1]
    if not chosen.any() or sd == 0:
        return frames
    radius = max(1, round(3 * sd))
    steps = torch.arange(-radius, radius + 1, device=frames.device, dtype=frames.dtype)
    kernel = torch.softmax(-(steps**2) / (2 * sd**2), dim=0)
    chosen = chosen.to(frames.device)
    blurred = _convolve(_convolve(frames[chosen], kernel, (0, 1)), kernel, (1, 0))
    frames = frames.clone()
    frames[chosen] = blurred
    return frames


def _convolve(frames: Tensor, kernel: Tensor, direction: tuple[int, int]) -> Tensor:
    """Convolve every channel along rows (1, 0) or columns (0, 1); borders are repeated."""
    down, right = (len(kernel) // 2 * step for step in direction)
    padded = torch.nn.functional.pad(frames, (right, right, down, down), mode="replicate")
    weight = kernel.view(1, 1, -1, 1) if down else kernel.view(1, 1, 1, -1)
    return torch.nn.functional.conv2d(padded, weight.expand(3, 1, -1, -1), groups=3)


def _within(positions: Tensor, side: int) -> Tensor:
    return (positions >= 0) & (positions < side)
