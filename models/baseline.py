"""The baseline: one stream that is trained on original frames."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from models.backbones import build_stream
from models.readings import Reading


class Baseline(nn.Module):
    """One backbone on whole frames.

    Parameters
    ----------
    backbone : str
        A name of `models.backbones.backbone_names`.
    n_classes : int
    """

    # What each stream is trained on.
    streams: ClassVar[dict[str, str]] = {"whole": "body_background"}

    def __init__(self, backbone: str, n_classes: int) -> None:
        super().__init__()
        self.whole = build_stream(backbone, n_classes)

    def forward(self, frames: dict[str, Tensor]) -> dict[str, Tensor]:
        """Score frames: {"whole": (B, 3, S, S) in 0..1} to {"combined": (B, n_classes)}."""
        return {"combined": self.whole(frames["whole"])}

    @staticmethod
    def readings(condition: str) -> dict[str, Reading]:
        """Say what the stream sees on a version of a clip: that version."""
        return {"plain": {"whole": condition}}
