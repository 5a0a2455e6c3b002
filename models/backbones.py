"""The networks that turn a frame into class scores: a tiny one, and torchvision's ResNets."""

from __future__ import annotations

from itertools import pairwise

import torch
import torchvision
from torch import Tensor, nn

from study.errors import check_one_of

# Mean and deviation of ImageNet's channels, as torchvision's own weights expect them.
CHANNEL_MEAN = (0.485, 0.456, 0.406)
CHANNEL_SD = (0.229, 0.224, 0.225)


def as_input(frames: Tensor, device: torch.device) -> Tensor:
    """Turn frames (B, S, S, 3) uint8 into (B, 3, S, S) in 0..1, channels last in memory."""
    return frames.to(device, non_blocking=True).permute(0, 3, 1, 2).float() / 255


class Normalize(nn.Module):
    """Shift and scale the channels of frames in 0..1, as the first layer of a stream."""

    def __init__(self) -> None:
        super().__init__()
        for name, values in (("mean", CHANNEL_MEAN), ("sd", CHANNEL_SD)):
            self.register_buffer(name, torch.tensor(values).view(1, 3, 1, 1), persistent=False)

    def forward(self, frames: Tensor) -> Tensor:
        return (frames - self.mean) / self.sd  # (B, 3, S, S)


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
    n_classes : int
    widths : tuple of int
        Channels of each stage; every stage but the first halves the size.
    """

    def __init__(self, n_classes: int, widths: tuple[int, ...] = (16, 32, 64, 128)) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, widths[0], 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(widths[0]),
            nn.ReLU(inplace=True),
        )
        stages = [ResidualBlock(widths[0], widths[0], stride=1)]
        for n_in, n_out in pairwise(widths):
            stages.append(ResidualBlock(n_in, n_out, stride=2))
        self.stages = nn.Sequential(*stages)
        self.head = nn.Linear(widths[-1], n_classes)

    def forward(self, frames: Tensor) -> Tensor:
        features = self.stages(self.stem(frames))  # (B, C, S/16, S/16)
        return self.head(features.mean(dim=(2, 3)))  # (B, n_classes)


def backbone_names() -> list[str]:
    """Return the backbones that a study file may name."""
    resnets = torchvision.models.list_models(module=torchvision.models, include="resnet*")
    return ["tiny", *resnets]


def build_backbone(name: str, n_classes: int) -> nn.Module:
    """Build a backbone with random weights and a final layer of `n_classes`.

    Raises
    ------
    StudyError
        For an unknown name; the message lists the names.
    """
    check_one_of("models.backbone", name, backbone_names())
    if name == "tiny":
        return TinyResNet(n_classes)
    return torchvision.models.get_model(name, weights=None, num_classes=n_classes)


def build_stream(backbone: str, n_classes: int) -> nn.Module:
    """Build one stream: frames (B, 3, S, S) in 0..1 to class scores (B, n_classes)."""
    return nn.Sequential(Normalize(), build_backbone(backbone, n_classes))
