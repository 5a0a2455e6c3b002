"""What every network is to the rest of the toolkit; one's own networks derive from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor, nn

from models.views import Reading
from study.fields import Model

# The term of the loss, and the output, that is the network's answer.
COMBINED = "combined"


class Network(nn.Module):
    """A network that maps what its streams see to class scores.

    A subclass says which views its streams are trained on (`trained_on`) and how it reads each
    version of a clip (`readings`), and defines `forward`.

    Parameters
    ----------
    settings : Model
        The network's section of the study file.
    n_classes : int
    image_size : int
        Side of the square frames, pixels.

    Attributes
    ----------
    trained_on : tuple of dict
        Each is what the streams see on one training frame (stream -> view); where there are
        several, every frame draws one of them.
    mixes_parts : bool
        Whether streams may be given the blank frame in training (`blank_share`).
    """

    trained_on: ClassVar[tuple[Reading, ...]]
    mixes_parts: ClassVar[bool] = False

    # Frames of a clip that are read at once; with more than one, a stream gets (B, T, 3, S, S).
    n_frames: int = 1

    def __init__(self, settings: Model, n_classes: int, image_size: int) -> None:
        super().__init__()
        self.settings = settings
        self.n_classes = n_classes
        self.image_size = image_size

    @classmethod
    def check_classes(cls, settings: Model, classes: Sequence[str]) -> None:
        """Raise a `StudyError` where a network is not made for the actions of a study."""

    def readings(self, condition: str) -> dict[str, Reading]:
        """Say what the streams see on a version of a clip: by way of reading, stream -> view.

        "plain" where there is one way; "blank" and "drop" where a part is absent and a stream may
        be given the blank frame or be left out. Empty for a version that it cannot read.
        """
        raise NotImplementedError

    def forward(self, frames: dict[str, Tensor]) -> dict[str, Tensor]:
        """Score frames.

        Parameters
        ----------
        frames : dict of str to Tensor
            By stream: (B, 3, S, S) in 0..1; (B, T, 3, S, S) for networks of clips.

        Returns
        -------
        dict of str to Tensor
            Class scores (B, n_classes) by term of the loss; "combined" is the answer. A scalar is
            a penalty that is added to the loss as it is. Scores that are not trained on may be
            returned only in evaluation mode.
        """
        raise NotImplementedError

    def pictures(self) -> dict[str, nn.Module]:
        """Return by stream the module whose input is the picture that the stream sees.

        Used for features and Grad-CAM; empty where streams do not see pictures.
        """
        return {}
