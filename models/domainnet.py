"""DomainNet: a body stream and a background stream, each with a loss of its own; and controls."""

from __future__ import annotations

from typing import ClassVar

from models.streams import FusedStreams
from models.views import LENT_BACKGROUND, Reading
from study.conditions import CONDITIONS

OWN = {"body": "body_only", "background": "background_only"}
EXCHANGED = {"body": "background_only", "background": "body_only"}


class DomainNet(FusedStreams):
    """Two backbones, one on body-only and one on background-only frames of the same moment.

    Each stream has a loss of its own beside the loss of the fused answer, so that neither can
    leave the work to the other (losses.body = 0 and losses.background = 0 take them away).
    """

    trained_on: ClassVar[tuple[Reading, ...]] = (OWN,)

    def shown(self, condition: str) -> Reading:
        """Say which version shows each stream its part.

        On originals the streams see the two versions that they were trained on: DomainNet needs
        the masks of a clip at test time too. On a swapped background they see the body and the
        other clip's background. Where a version's two parts are not made one by one, DomainNet has
        nothing to read it by.
        """
        wholes = {
            "body_background": OWN,
            "swapped_background": {**OWN, "background": LENT_BACKGROUND},
        }
        lacks = CONDITIONS[condition].lacks
        has = {"background": "body", "body": "background"}
        return {has[lacks]: condition} if lacks else dict(wholes.get(condition, {}))


class DomainNetSwapped(DomainNet):
    """DomainNet whose streams are exchanged after training: each sees the other's part.

    A control of specialisation: accuracy that remains is what a stream knows of the other part.
    """

    def shown(self, condition: str) -> Reading:
        other = {"body": "background", "background": "body"}
        return {other[name]: view for name, view in super().shown(condition).items()}


class DomainNetRandom(DomainNet):
    """DomainNet whose streams see the two parts in an order drawn for every training frame.

    A control of the assignment: two streams and the same material, but no division of labour.
    """

    trained_on: ClassVar[tuple[Reading, ...]] = (OWN, EXCHANGED)


class TwoStreams(FusedStreams):
    """DomainNet's size and losses, with both streams on the same original frames.

    A control of the division: what DomainNet gains over it comes from separating the parts. It
    reads every version with both streams.
    """

    trained_on: ClassVar[tuple[Reading, ...]] = (
        {"first": "body_background", "second": "body_background"},
    )
    mixes_parts = False

    def shown(self, condition: str) -> Reading:
        return {"first": condition, "second": condition}

    def readings(self, condition: str) -> dict[str, Reading]:
        return {"plain": self.shown(condition)}
