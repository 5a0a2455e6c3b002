"""Public classifiers by name: torchvision's of images and of clips, and timm's.

Each library names its networks, their last layers and their published weights in a way of its own;
here they become alike. Nothing is downloaded: weights are files that the user has, see
`models.weights`.
"""

from __future__ import annotations

import difflib
import re
from functools import cache
from typing import Any

import timm
import torchvision
from torch import Tensor, nn

from models.public import CHANNEL_MEAN, CHANNEL_SD, PublicNetwork, Published, last_layer, take_out
from study.errors import StudyError
from study.model_files import TIMM

# torchvision builds its MViT for clips of this size only.
MVIT_FRAMES, MVIT_SIDE = 16, 224

# Side lines that only training uses; the toolkit does not.
SIDE_LINES = {"inception_v3": ("AuxLogits",), "googlenet": ("aux1", "aux2")}


@cache
def image_names() -> tuple[str, ...]:
    """Return the names of torchvision's classifiers of images."""
    return tuple(torchvision.models.list_models(module=torchvision.models))


@cache
def clip_names() -> tuple[str, ...]:
    """Return the names of torchvision's classifiers of clips."""
    return tuple(torchvision.models.list_models(module=torchvision.models.video))


def is_timm(name: str) -> bool:
    """Tell whether a name is of timm; one that would be fetched from elsewhere is not."""
    plain = name.removeprefix(TIMM)
    return name.startswith(TIMM) and not {":", "/"} & set(plain) and timm.is_model(plain)


def unknown_name(field: str, name: str, n_frames: int) -> StudyError:
    """Return the error for a name that no library knows; it lists those that look alike."""
    if name.startswith(TIMM):
        plain = name.removeprefix(TIMM).partition(".")[0]
        known = [TIMM + each for each in timm.list_models()]
        close = difflib.get_close_matches(TIMM + plain, known, n=5)
    else:
        known = [*clip_names()] if n_frames > 1 else ["tiny", *image_names()]
        close = difflib.get_close_matches(name, known, n=5)
    guess = f" (did you mean {', '.join(repr(each) for each in close)}?)" if close else ""
    allowed = (
        f"one of torchvision's networks of clips ({', '.join(clip_names())}), hf:FOLDER"
        if n_frames > 1
        else "'tiny', a classifier of torchvision such as 'resnet18' or 'resnet50', timm:NAME, "
        "hf:FOLDER"
    )
    return StudyError(f"{field} is {name!r}{guess}; expected {allowed}, or module:Class")


def build_torchvision(
    name: str, image_size: int, n_frames: int, n_classes: int | None, given: bool
) -> PublicNetwork:
    """Build a classifier of torchvision; parameters as `models.backbones.public_network`.

    Raises
    ------
    StudyError
        When it cannot be built for frames of that size, or reads clips where frames are meant.
    """
    _check_size(name, image_size, n_frames)
    options: dict[str, Any] = {"num_classes": n_classes} if n_classes else {}
    if name.startswith("vit_"):
        options["image_size"] = image_size
    if name == "maxvit_t":
        options["input_size"] = (image_size, image_size)
    if name in SIDE_LINES:
        # Their published weights are of networks that normalise frames in a way of their own.
        options |= {"aux_logits": False, "init_weights": not given, "transform_input": given}
    try:
        module = torchvision.models.get_model(name, weights=None, **options)
    except (ValueError, AssertionError) as error:
        raise _cannot_build(name, image_size, error) from error
    head = last_layer(module)
    if n_classes == 0:
        take_out(module, head)
    if name in clip_names():
        module.register_forward_pre_hook(_channels_first)
    return PublicNetwork(module, (head, *SIDE_LINES.get(name, ())))


def published_by_torchvision(name: str) -> Published:
    """Return what torchvision says of a network's weights."""
    weights = torchvision.models.get_model_weights(name).DEFAULT
    shown = weights.transforms()
    return Published(
        source=weights.url,
        image_size=int(shown.crop_size[0]),
        mean=tuple(shown.mean),
        sd=tuple(shown.std),
        categories=tuple(weights.meta["categories"]),
    )


def build_timm(name: str, image_size: int, n_classes: int | None, **options: Any) -> PublicNetwork:
    """Build a network of timm.

    Parameters
    ----------
    name : str
        timm:NAME, with or without the tag of its weights.
    image_size, n_classes : int
        As `models.backbones.public_network`.
    **options
        Handed on to timm.

    Raises
    ------
    StudyError
        For a size of frames that it cannot be built for, or an unknown tag.
    """
    plain = name.removeprefix(TIMM)
    if n_classes is None:
        n_classes = len(published_by_timm(name).categories) or 1000
    options["num_classes"] = n_classes
    try:
        try:
            module = timm.create_model(plain, img_size=image_size, **options)
        except TypeError as error:
            # Networks that read frames of any size do not take it.
            if "img_size" not in str(error):
                raise
            module = timm.create_model(plain, **options)
    except (ValueError, AssertionError, RuntimeError, TypeError) as error:
        raise _cannot_build(name, image_size, error) from error
    patch = getattr(getattr(module, "patch_embed", None), "patch_size", None)
    if patch is not None:
        _check_patches(name, image_size, int(patch[0]))
    heads = module.default_cfg.get("classifier") or ()
    return PublicNetwork(module, (heads,) if isinstance(heads, str) else tuple(heads))


def published_by_timm(name: str) -> Published:
    """Return what timm says of a network's weights.

    The order of ImageNet's 1000 categories is the same as torchvision's; of other lists of
    categories only the number is known.
    """
    plain = name.removeprefix(TIMM)
    about = timm.get_pretrained_cfg(plain, allow_unregistered=True)
    if about is None:
        return Published("timm, which publishes none", 224)
    source = (
        f"https://huggingface.co/{about.hf_hub_id}, file model.safetensors"
        if about.hf_hub_id
        else str(about.url or "timm, which publishes none")
    )
    n = about.num_classes
    imagenet = published_by_torchvision("resnet50").categories
    categories = imagenet if n == len(imagenet) else tuple(str(index) for index in range(n))
    mean, sd = about.mean or CHANNEL_MEAN, about.std or CHANNEL_SD
    return Published(source, about.input_size[1], tuple(mean), tuple(sd), categories)


def _cannot_build(name: str, image_size: int, error: Exception) -> StudyError:
    said = " ".join(str(error).split())[:300]
    return StudyError(
        f"models.backbone = {name!r} cannot be built for frames of {image_size} pixels: {said}"
    )


def _check_size(name: str, image_size: int, n_frames: int) -> None:
    if name in clip_names() and n_frames == 1:
        raise StudyError(
            f"models.backbone = {name!r} reads clips, not frames: use architecture = 'video' or "
            "'video_domainnet' with frames_per_clip of at least 2"
        )
    if name.startswith("mvit") and (n_frames, image_size) != (MVIT_FRAMES, MVIT_SIDE):
        raise StudyError(
            f"models.backbone = {name!r} reads {MVIT_FRAMES} frames of {MVIT_SIDE} pixels, found "
            f"frames_per_clip = {n_frames} and training.image_size = {image_size}"
        )
    patch = re.fullmatch(r"vit_[a-z]+_(\d+)", name)
    if patch:
        _check_patches(name, image_size, int(patch[1]))


def _check_patches(name: str, image_size: int, patch: int) -> None:
    if image_size % patch:
        raise StudyError(
            f"models.backbone = {name!r} cuts frames into patches of {patch} pixels: "
            f"training.image_size must be a multiple of {patch}, found {image_size}"
        )


def _channels_first(module: nn.Module, inputs: tuple[Tensor]) -> tuple[Tensor]:
    """Turn clips (B, T, 3, S, S) into (B, 3, T, S, S).

    A hook rather than a module around, so that the layers keep the names that weights know.
    """
    return (inputs[0].transpose(1, 2),)
