"""The baseline and DomainNet with streams for optical flow beside those for frames."""

from __future__ import annotations

from typing import ClassVar

from models.domainnet import DomainNet
from models.streams import FusedStreams
from models.views import Reading, flow_of


class BaselineFlow(FusedStreams):
    """A stream on original frames and one on their flow (Simonyan & Zisserman, 2014).

    It reads every version with both. The flow stream sees the motion into one frame, so that a
    frame by itself is a stimulus, as for the other networks.
    """

    trained_on: ClassVar[tuple[Reading, ...]] = (
        {"whole": "body_background", "flow": flow_of("body_background")},
    )
    mixes_parts = False

    def shown(self, condition: str) -> Reading:
        return {"whole": condition, "flow": flow_of(condition)}

    def readings(self, condition: str) -> dict[str, Reading]:
        return {"plain": self.shown(condition)}


class DomainNetFlow(DomainNet):
    """DomainNet with a flow stream for each part.

    A part that a version lacks, lacks its motion too: where the stream of frames sees the blank
    frame, the stream of flow sees no motion, or both are left out.
    """

    trained_on: ClassVar[tuple[Reading, ...]] = (
        {
            "body": "body_only",
            "background": "background_only",
            "body_flow": flow_of("body_only"),
            "background_flow": flow_of("background_only"),
        },
    )

    def shown(self, condition: str) -> Reading:
        frames = super().shown(condition)
        return frames | {f"{part}_flow": flow_of(view) for part, view in frames.items()}
