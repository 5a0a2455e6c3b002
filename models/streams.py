"""A stream (backbone and classifier), and networks made of several streams."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor, nn

from models.backbones import Normalize, build_backbone, channel_statistics
from models.fusion import build_fusion
from models.network import COMBINED, Network
from models.views import Reading, blank_for
from study.errors import StudyError
from study.fields import Model


class Stream(nn.Module):
    """One backbone on pictures (or on clips of `n_frames`), and a linear classifier."""

    def __init__(self, settings: Model, n_classes: int, image_size: int, n_frames: int = 1) -> None:
        super().__init__()
        self.normalize = Normalize(*channel_statistics(settings.backbone, settings.weights))
        self.backbone, self.n_features = build_backbone(
            settings.backbone, image_size, settings.weights, n_frames
        )
        if settings.train == "head":
            self.backbone.requires_grad_(False)
        self.head = nn.Linear(self.n_features, n_classes)

    def features(self, frames: Tensor) -> Tensor:
        """Turn frames (B, 3, S, S) in 0..1 into features (B, n_features)."""
        return self.backbone(self.normalize(frames))

    def forward(self, frames: Tensor) -> Tensor:
        """Turn frames (B, 3, S, S) in 0..1 into class scores (B, n_classes)."""
        return self.head(self.features(frames))


class OneStream(Network):
    """A network of one stream, "whole", that reads every version as it is."""

    trained_on: ClassVar[tuple[Reading, ...]] = ({"whole": "body_background"},)

    def __init__(self, settings: Model, n_classes: int, image_size: int) -> None:
        super().__init__(settings, n_classes, image_size)
        _check_names(settings, [], [COMBINED])
        if settings.fusion != "sum":
            raise StudyError(
                f"model {settings.name!r}: fusion = {settings.fusion!r}, but "
                f"{settings.architecture} has one stream and nothing to fuse; leave it out"
            )
        self.whole = Stream(settings, n_classes, image_size, self.n_frames)

    def readings(self, condition: str) -> dict[str, Reading]:
        """Say what the stream sees on a version of a clip: that version."""
        return {"plain": {"whole": condition}}

    def forward(self, frames: dict[str, Tensor]) -> dict[str, Tensor]:
        """Score frames: {"whole": (B, 3, S, S) in 0..1} to {"combined": (B, n_classes)}."""
        return {COMBINED: self.whole(frames["whole"])}

    def pictures(self) -> dict[str, nn.Module]:
        return {"whole": self.whole}


class FusedStreams(Network):
    """Streams with a loss each, and an answer that is fused from all.

    A subclass names the streams by its `trained_on`, and says by `shown` which view each stream
    sees of a version; a stream without one lacks its part there.
    """

    mixes_parts = True

    def __init__(self, settings: Model, n_classes: int, image_size: int) -> None:
        super().__init__(settings, n_classes, image_size)
        names = list(self.trained_on[0])
        self.streams = nn.ModuleDict(
            {name: Stream(settings, n_classes, image_size, self.n_frames) for name in names}
        )
        n_features = {name: stream.n_features for name, stream in self.streams.items()}
        self.fusion = build_fusion(settings.fusion, names, n_features, n_classes)
        _check_names(settings, names, [*names, COMBINED])
        if settings.losses.get(COMBINED) == 0 and any(True for _ in self.fusion.parameters()):
            raise StudyError(
                f"model {settings.name!r}: fusion = {settings.fusion!r} learns by the loss of the "
                "answer alone, found losses.combined = 0; use fusion = 'sum', 'product' or "
                "'mixture', or another weight"
            )

    def shown(self, condition: str) -> Reading:
        """Return the view of a version that each stream sees; of absent parts none."""
        raise NotImplementedError

    def readings(self, condition: str) -> dict[str, Reading]:
        """Say what the streams see on a version of a clip.

        Where a version lacks a part, the stream of that part sees the blank frame ("blank") or is
        not read ("drop"; not with a fusion that needs all streams). Empty where `shown` gives
        nothing to read a version by.
        """
        kept = self.shown(condition)
        if not kept:
            return {}
        blank = {name: kept.get(name, blank_for(view)) for name, view in self.trained_on[0].items()}
        if self.fusion.needs_all:
            return {"blank": blank}
        return {"blank": blank, "drop": kept}

    def forward(self, frames: dict[str, Tensor]) -> dict[str, Tensor]:
        """Score frames by every stream that is given, and by the fusion of those.

        Parameters
        ----------
        frames : dict of str to Tensor
            By stream: (B, 3, S, S) in 0..1.

        Returns
        -------
        dict of str to Tensor
            The scores (B, n_classes) of each stream given, and "combined".
        """
        features = {name: self.streams[name].features(seen) for name, seen in frames.items()}
        scores = {name: self.streams[name].head(value) for name, value in features.items()}
        temperature = self.settings.temperature
        cooled = {name: value / temperature.get(name, 1.0) for name, value in scores.items()}
        return {**scores, COMBINED: self.fusion(cooled, features)}

    def pictures(self) -> dict[str, nn.Module]:
        return dict(self.streams.items())


def _check_names(settings: Model, streams: Sequence[str], terms: Sequence[str]) -> None:
    """Refuse losses and temperatures of what the network does not have: they would do nothing."""
    for field, named, known in (
        ("losses", settings.losses, terms),
        ("temperature", settings.temperature, streams),
    ):
        unknown = sorted(set(named) - set(known))
        if unknown:
            raise StudyError(
                f"model {settings.name!r}: {field}.{unknown[0]}: {settings.architecture} has no "
                f"such {'term of the loss' if field == 'losses' else 'stream'}; expected "
                f"{' or '.join(map(repr, known)) or 'none, since nothing is fused'}"
            )
