"""Backbones with more channels, for controls of size."""

from __future__ import annotations

import torch
from timm.models.convnext import ConvNeXt
from timm.models.resnet import ResNet
from timm.models.vision_transformer import VisionTransformer
from torch import nn

from models.tiny import TinyResNet
from models.zoo import build_timm, is_timm
from study.errors import StudyError
from study.model_files import TIMM

# torchvision fixes the channels of its residual networks; timm's of the same names are the same
# networks (apart from the initial weights of one layer, which `build_wide` sets) and do not.
TORCHVISION_RESNETS = ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152")

STEPS = 20


def name_and_factor(name: str) -> tuple[str, float]:
    """Split NAME*FACTOR; without a factor it is 1.

    Raises
    ------
    StudyError
        When the factor is not a number above 0.
    """
    plain, star, factor = name.partition("*")
    try:
        value = float(factor) if star else 1.0
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise StudyError(
            f"models.backbone = {name!r}: expected a number above 0 after the *, found {factor!r}"
        )
    return plain, value


def build_wide(name: str, factor: float, image_size: int) -> nn.Module:
    """Build a backbone whose channels are `factor` times as many.

    Parameters
    ----------
    name : str
        tiny, a ResNet of torchvision, or of timm a ResNet, ConvNeXt or ViT.
    factor : float
    image_size : int
        Pixels.

    Raises
    ------
    StudyError
        For other networks.
    """
    if name == "tiny":
        return TinyResNet(factor)
    if name in TORCHVISION_RESNETS:
        channels = tuple(round(factor * n) for n in (64, 128, 256, 512))
        # As torchvision starts them: timm would start each block as the identity.
        options = {"channels": channels, "zero_init_last": False}
        return build_timm(TIMM + name, image_size, 0, **options).module
    if is_timm(name):
        with torch.device("meta"):
            plain = build_timm(name, image_size, 0).module
        return build_timm(name, image_size, 0, **_wider(name, plain, factor)).module
    raise _cannot_widen(name)


def widened(name: str, image_size: int, times: float) -> str:
    """Name the backbone whose channels are widened until it has `times` as many parameters.

    Parameters
    ----------
    name : str
        As `build_wide`, with a factor or without.
    image_size : int
        Pixels.
    times : float
        Of the parameters of the backbone, its last layer not counted.

    Returns
    -------
    str
        NAME*FACTOR.
    """
    plain, factor = name_and_factor(name)
    wanted = times * _n_parameters(plain, factor, image_size)
    low, high = factor, factor * times
    for _ in range(STEPS):
        middle = (low + high) / 2
        if _n_parameters(plain, middle, image_size) < wanted:
            low = middle
        else:
            high = middle
    return f"{plain}*{high:.4f}"


def _wider(name: str, plain: nn.Module, factor: float) -> dict[str, object]:
    """Return the options by which timm builds a network with more channels."""
    if isinstance(plain, ResNet):
        return {"channels": tuple(round(factor * n) for n in (64, 128, 256, 512))}
    if isinstance(plain, ConvNeXt):
        dims = [stage.blocks[-1].conv_dw.out_channels for stage in plain.stages]
        return {"dims": tuple(round(factor * n) for n in dims)}
    if isinstance(plain, VisionTransformer):
        # Every head of the attention has as many channels as the others.
        step = plain.blocks[0].attn.num_heads
        return {"embed_dim": max(1, round(factor * plain.embed_dim / step)) * step}
    raise _cannot_widen(name)


def _n_parameters(name: str, factor: float, image_size: int) -> int:
    with torch.device("meta"):  # counted without being made
        backbone = build_wide(name, factor, image_size)
    return sum(parameter.numel() for parameter in backbone.parameters())


def _cannot_widen(name: str) -> StudyError:
    return StudyError(
        f"models.backbone: {name!r} cannot be widened (as NAME*FACTOR, or by architecture = "
        f"'baseline_wide'); expected tiny, one of {', '.join(TORCHVISION_RESNETS)}, or of timm a "
        "ResNet, ConvNeXt or ViT, such as timm:convnext_tiny or timm:vit_small_patch16_224"
    )
