"""The backbone that ships with the toolkit, so that every study runs in seconds on a CPU."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

# Channels of each stage; every stage but the first halves the size.
WIDTHS = (16, 32, 64, 128)


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions beside a shortcut; the first one may halve the size."""

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(n_in, n_out, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(n_out),
            nn.ReLU(inplace=True),
            nn.Conv2d(n_out, n_out, 3, padding=1, bias=False),
            nn.BatchNorm2d(n_out),
        )
        self.shortcut = nn.Sequential()
        if stride > 1 or n_in != n_out:
            self.shortcut = nn.Sequential(
                nn.Conv2d(n_in, n_out, 1, stride, bias=False), nn.BatchNorm2d(n_out)
            )

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.body(x) + self.shortcut(x))


class TinyResNet(nn.Module):
    """A residual network that trains in seconds on a CPU at about 64 pixels.

    Parameters
    ----------
    width : float
        Factor of all channels.
    """

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        widths = [round(width * channels) for channels in WIDTHS]
        self.stem = nn.Sequential(
            nn.Conv2d(3, widths[0], 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(widths[0]),
            nn.ReLU(inplace=True),
        )
        stages = [ResidualBlock(widths[0], widths[0], stride=1)]
        for n_in, n_out in pairwise(widths):
            stages.append(ResidualBlock(n_in, n_out, stride=2))
        self.stages = nn.Sequential(*stages)

    def forward(self, frames: Tensor) -> Tensor:
        return self.stages(self.stem(frames)).mean(dim=(2, 3))  # (B, C)
