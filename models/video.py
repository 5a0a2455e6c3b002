"""Networks of clips: several frames at once, so that motion can tell the action too."""

from __future__ import annotations

from torch import nn

from models.domainnet import DomainNet
from models.streams import OneStream
from study.errors import StudyError
from study.fields import Model


class Clips:
    """What makes streams read `frames_per_clip` frames at once, (B, T, 3, S, S).

    The backbone is a network of clips: of torchvision (r3d_18, mc3_18, r2plus1d_18, s3d, mvit_v2_s,
    swin3d_t, ...), hf:FOLDER, or module:Class of one's own.
    """

    settings: Model

    @property
    def n_frames(self) -> int:
        """Frames that are read at once.

        Raises
        ------
        StudyError
            For one frame: that is what the networks of frames read.
        """
        if self.settings.frames_per_clip < 2:
            raise StudyError(
                f"model {self.settings.name!r}: {self.settings.architecture} needs frames_per_clip "
                f"of at least 2, found {self.settings.frames_per_clip}"
            )
        return self.settings.frames_per_clip

    def pictures(self) -> dict[str, nn.Module]:
        """Return none: what the streams see are clips."""
        return {}


class Video(Clips, OneStream):
    """One backbone on original clips: the baseline with motion."""


class VideoDomainNet(Clips, DomainNet):
    """DomainNet with a backbone of clips for the body and one for the background."""
