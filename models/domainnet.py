"""DomainNet: a body stream and a background stream whose class scores are summed."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from models.backbones import build_stream
from models.readings import BLANK, LENT_BACKGROUND, Reading
from study.conditions import CONDITIONS


class DomainNet(nn.Module):
    """Two backbones, one on body-only and one on background-only frames of the same moment.

    Each stream has a loss of its own beside the loss of the sum, so that neither can leave the
    work to the other.

    Parameters
    ----------
    backbone : str
        A name of `models.backbones.backbone_names`.
    n_classes : int
    """

    # What each stream is trained on.
    streams: ClassVar[dict[str, str]] = {"body": "body_only", "background": "background_only"}

    def __init__(self, backbone: str, n_classes: int) -> None:
        super().__init__()
        self.body = build_stream(backbone, n_classes)
        self.background = build_stream(backbone, n_classes)

    def forward(self, frames: dict[str, Tensor]) -> dict[str, Tensor]:
        """Score frames by every stream that is given, and by the sum of those.

        Parameters
        ----------
        frames : dict of str to Tensor
            "body", "background" or both: (B, 3, S, S) in 0..1.

        Returns
        -------
        dict of str to Tensor
            The scores (B, n_classes) of each stream given, and "combined", their sum.
        """
        scores = {name: getattr(self, name)(seen) for name, seen in frames.items()}
        return {**scores, "combined": sum(scores.values())}

    @classmethod
    def readings(cls, condition: str) -> dict[str, Reading]:
        """Say what the streams see on a version of a clip.

        On originals the streams see the two versions that they were trained on: DomainNet needs
        the masks of a clip at test time too. On a swapped background they see the body and the
        other clip's background. Where a version lacks a part, the stream of that part sees the
        blank frame ("blank") or is not read ("drop"). Empty where a version's two parts are not
        made one by one: DomainNet has nothing to read it by.
        """
        kept = cls._parts(condition)
        if not kept:
            return {}
        blank = {name: kept.get(name, BLANK) for name in cls.streams}
        return {"blank": blank, "drop": kept}

    @classmethod
    def _parts(cls, condition: str) -> Reading:
        """Return which version shows each part of a version by itself."""
        wholes = {
            "body_background": dict(cls.streams),
            "swapped_background": {**cls.streams, "background": LENT_BACKGROUND},
        }
        lacks = CONDITIONS[condition].lacks
        shown = {"background": "body", "body": "background"}
        return {shown[lacks]: condition} if lacks else wholes.get(condition, {})
