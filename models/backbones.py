"""Backbones by name: what turns a frame, or the frames of a clip, into features."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from models.hugging_face import build_hugging_face, published_in, takes_clips
from models.public import CHANNEL_MEAN, CHANNEL_SD, Channels, PublicNetwork, Published
from models.weights import load_into
from models.widening import build_wide, name_and_factor
from models.zoo import (
    build_timm,
    build_torchvision,
    clip_names,
    image_names,
    is_timm,
    published_by_timm,
    published_by_torchvision,
    unknown_name,
)
from study.errors import StudyError
from study.model_files import HUGGING_FACE, is_own
from study.own_code import named_class

FIELD = "models.backbone"


def as_input(frames: Tensor, device: torch.device) -> Tensor:
    """Turn frames (..., S, S, 3) uint8 into (..., 3, S, S) in 0..1, channels last in memory."""
    return frames.to(device, non_blocking=True).movedim(-1, -3).float().div_(255)


class Normalize(nn.Module):
    """Shift and scale the channels of frames in 0..1, as the first layer of a stream."""

    def __init__(self, mean: Channels = CHANNEL_MEAN, sd: Channels = CHANNEL_SD) -> None:
        super().__init__()
        for name, values in (("mean", mean), ("sd", sd)):
            self.register_buffer(name, torch.tensor(values).view(1, 3, 1, 1), persistent=False)

    def forward(self, frames: Tensor) -> Tensor:
        return (frames - self.mean) / self.sd  # (B, 3, S, S) or (B, T, 3, S, S)


def build_backbone(
    name: str, image_size: int, weights: Path | None = None, n_frames: int = 1
) -> tuple[nn.Module, int]:
    """Build a backbone: frames (B, 3, S, S), normalised, to features (B, n_features).

    Parameters
    ----------
    name : str
        As the field `models.backbone`: tiny, a name of torchvision, timm:NAME, hf:FOLDER, or
        module:Class of one's own; tiny and residual networks also with a factor of their
        channels, as in resnet50*1.4.
    image_size : int
        S, pixels.
    weights : Path, optional
        A file that it starts from; default random weights (hf: the folder's).
    n_frames : int
        T; with more than one the backbone reads clips (B, T, 3, S, S).

    Returns
    -------
    backbone : Module
    n_features : int
        As two frames of zeros show.

    Raises
    ------
    StudyError
        For an unknown name (the message lists those that look alike), for frames of a size that
        the network cannot read, and for weights that do not fit.
    """
    if is_own(name):
        module, heads, source = _own_module(name), (), ""
    elif name.partition("*")[0] == "tiny" or "*" in name:
        plain, factor = name_and_factor(name)
        _only_frames(name, n_frames)
        module, heads, source = build_wide(plain, factor, image_size), (), ""
    else:
        built = public_network(name, image_size, n_frames, 0, given=weights is not None)
        module, heads, source = built.module, built.heads, published(name).source
    if weights is not None:
        _check_may_be_given(name)
        load_into(module, weights, heads, source)
    return module, _n_features(module, name, image_size, n_frames)


def public_network(
    name: str, image_size: int, n_frames: int, n_classes: int | None, given: bool
) -> PublicNetwork:
    """Build a library's classifier, with random weights (hf: the folder's).

    Parameters
    ----------
    name : str
        A name of torchvision, timm:NAME or hf:FOLDER.
    image_size, n_frames : int
        What is read at once.
    n_classes : int, optional
        0: without its last layer; default as published.
    given : bool
        Whether published weights will be put into it.

    Raises
    ------
    StudyError
        As `build_backbone`.
    """
    if name.startswith(HUGGING_FACE):
        return build_hugging_face(name, image_size, n_frames, n_classes)
    if is_timm(name):
        _only_frames(name, n_frames)
        return build_timm(name, image_size, n_classes)
    if name in clip_names():
        return build_torchvision(name, image_size, n_frames, n_classes, given)
    if name in image_names():
        _only_frames(name, n_frames)
        return build_torchvision(name, image_size, n_frames, n_classes, given)
    raise unknown_name(FIELD, name, n_frames)


def published(name: str) -> Published:
    """Return what its library says of a network's published weights."""
    if name.startswith(HUGGING_FACE):
        return published_in(name)
    if is_timm(name):
        return published_by_timm(name)
    if name in (*image_names(), *clip_names()):
        return published_by_torchvision(name)
    raise unknown_name(FIELD, name, 1)


def reads_clips(name: str) -> bool:
    """Tell whether a library's network reads clips; else it reads frames."""
    return name in clip_names() or (name.startswith(HUGGING_FACE) and takes_clips(name))


def channel_statistics(name: str, weights: Path | None) -> tuple[Channels, Channels]:
    """Return mean and deviation of the channels by which a backbone's frames are normalised.

    Those of ImageNet, or with weights those that the network's published weights expect.
    """
    of_library = name.startswith(HUGGING_FACE) or (
        weights is not None and (is_timm(name) or name in (*image_names(), *clip_names()))
    )
    if not of_library:
        return CHANNEL_MEAN, CHANNEL_SD
    about = published(name)
    return about.mean, about.sd


def check_reads(module: nn.Module, name: str, image_size: int, n_frames: int) -> Tensor:
    """Return what a network makes of two inputs of zeros.

    Raises
    ------
    StudyError
        When it fails on frames of that size.
    """
    shape = (2, 3, image_size, image_size)
    if n_frames > 1:
        shape = (2, n_frames, *shape[1:])
    was_training = module.training
    module.eval()
    try:
        # Not inference mode: a tensor that a network keeps must be of use to training.
        with torch.no_grad():
            found = module(torch.zeros(shape))
    except Exception as error:  # a user's or a library's network may raise anything
        said = " ".join(str(error).split())[:300]
        raise StudyError(
            f"{FIELD} = {name!r} cannot read frames of shape {shape}, training.image_size = "
            f"{image_size}{_made_for(name)}: {type(error).__name__}: {said}"
        ) from error
    module.train(was_training)
    return found


def _n_features(module: nn.Module, name: str, image_size: int, n_frames: int) -> int:
    found = check_reads(module, name, image_size, n_frames)
    if not isinstance(found, Tensor) or found.ndim != 2 or len(found) != 2:
        shown = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
        raise StudyError(
            f"{FIELD} = {name!r}: expected features (2, n_features) of 2 inputs, found {shown}"
        )
    return found.shape[1]


def _made_for(name: str) -> str:
    if is_own(name) or name.partition("*")[0] == "tiny":
        return ""
    side = published(name.partition("*")[0]).image_size
    return f" (the published network was trained at {side} pixels)"


def _own_module(name: str) -> nn.Module:
    try:
        return named_class(FIELD, name, nn.Module)()
    except StudyError:
        raise
    except Exception as error:  # the user's code may raise anything
        raise StudyError(
            f"{FIELD} = {name!r}: the class must be built without arguments: "
            f"{type(error).__name__}: {error}"
        ) from error


def _only_frames(name: str, n_frames: int) -> None:
    if n_frames > 1:
        raise StudyError(
            f"{FIELD} = {name!r} reads frames, not clips; networks of clips are "
            f"{', '.join(clip_names())}, hf:FOLDER, or module:Class of one's own"
        )


def _check_may_be_given(name: str) -> None:
    if name.startswith(HUGGING_FACE):
        raise StudyError(f"{FIELD} = {name!r} brings its weights; leave out models.weights")
    if "*" in name:
        raise StudyError(
            f"{FIELD} = {name!r} is wider than the network that weights are for; leave out "
            "models.weights"
        )
