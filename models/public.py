"""What the libraries' classifiers have in common, whichever library builds them."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from study.errors import StudyError

# Mean and deviation of ImageNet's channels: what frames are normalised by where nothing else is
# known of a network.
CHANNEL_MEAN = (0.485, 0.456, 0.406)
CHANNEL_SD = (0.229, 0.224, 0.225)

Channels = tuple[float, float, float]


@dataclass(frozen=True)
class PublicNetwork:
    """A classifier as a library builds it.

    Attributes
    ----------
    module : Module
        Frames (B, 3, S, S), or clips (B, T, 3, S, S), to class scores; or to features, where it
        was built without its last layer.
    heads : tuple of str
        Names of the layers that are left out of it, or that give the scores; the first one's
        scores have the categories.
    """

    module: nn.Module
    heads: tuple[str, ...]


@dataclass(frozen=True)
class Published:
    """What is known of a network's published weights.

    Attributes
    ----------
    source : str
        Where the file is found.
    image_size : int
        Side of the frames that they were made for, pixels.
    mean, sd : tuple of float
        Of the channels: what frames are normalised by.
    categories : tuple of str
        In the order of the scores; empty where the library does not say.
    """

    source: str
    image_size: int
    mean: Channels = CHANNEL_MEAN
    sd: Channels = CHANNEL_SD
    categories: tuple[str, ...] = ()


def last_layer(module: nn.Module) -> str:
    """Return the name of the layer that gives the class scores.

    It is the last that is linear or a convolution (SqueezeNet's): the libraries define their
    networks in the order in which they compute.
    """
    kinds = (nn.Linear, nn.Conv2d, nn.Conv3d)
    names = [name for name, layer in module.named_modules() if isinstance(layer, kinds)]
    if not names:
        raise StudyError(f"{type(module).__name__} has no layer that could give class scores")
    return names[-1]


def take_out(module: nn.Module, name: str) -> None:
    """Replace a layer by one that passes its input on."""
    parent, _, leaf = name.rpartition(".")
    setattr(module.get_submodule(parent), leaf, nn.Identity())
