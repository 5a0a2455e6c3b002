"""A network without batch normalisation: fast in several processes, and free of its noise."""

from __future__ import annotations

from torch import Tensor, nn


class Plain(nn.Module):
    """A layer and a normalisation by frame."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 12, 5, stride=4), nn.GroupNorm(2, 12), nn.ReLU(), nn.Flatten()
        )
        self.n_features = 12 * 7 * 7

    def forward(self, frames: Tensor) -> Tensor:
        return self.layers(frames)
