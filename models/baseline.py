"""One-stream networks: the baseline, one as large as DomainNet, one trained on all versions."""

from __future__ import annotations

from typing import ClassVar

from models.streams import OneStream
from models.views import Reading
from models.widening import widened
from study.fields import Model


class Baseline(OneStream):
    """One backbone on original frames: what most networks of action recognition are."""


class BaselineWide(OneStream):
    """The baseline with channels widened until it has as many parameters as two backbones.

    A control of size: what two streams gain over it does not come from more parameters.
    """

    def __init__(self, settings: Model, n_classes: int, image_size: int) -> None:
        wide = settings.model_copy(update={"backbone": widened(settings.backbone, image_size, 2.0)})
        super().__init__(wide, n_classes, image_size)


class Mixed(OneStream):
    """The baseline trained on all three versions mixed.

    A control of material: it sees during training all that DomainNet sees, in one stream.
    """

    trained_on: ClassVar[tuple[Reading, ...]] = (
        {"whole": "body_background"},
        {"whole": "body_only"},
        {"whole": "background_only"},
    )
