"""The layers of a network by name, and what they put out."""

from __future__ import annotations

import contextlib
import fnmatch
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn

from models.network import Network
from study.errors import StudyError

SEQUENCES = (nn.Sequential, nn.ModuleList)
# As many places by so many have the last maps of a ResNet at 224 pixels.
LEAST_SIDE = 7


def layer_names(network: Network) -> list[str]:
    """Return the layers that features are taken from unless others are asked for.

    They are, for every stream, the blocks that its backbone is made of, as STREAM.LAYER.
    """
    return [
        f"{stream}.{layer}"
        for stream, module in network.pictures().items()
        for layer in _blocks(module.backbone, "backbone", is_top=True)
    ]


def _blocks(module: nn.Module, prefix: str, is_top: bool = False) -> list[str]:
    found = []
    for name, child in module.named_children():
        path = f"{prefix}.{name}"
        if not any(True for _ in child.parameters()):
            continue
        inner = list(child.children())
        # A sequence of blocks, or (as torchvision's encoders are) a module around one.
        is_sequence = isinstance(child, SEQUENCES) and any(list(each.children()) for each in inner)
        holds_sequence = is_top and any(isinstance(each, SEQUENCES) for each in inner)
        found += _blocks(child, path) if is_sequence or holds_sequence else [path]
    return found


def chosen_layers(network: Network, patterns: Sequence[str]) -> list[str]:
    """Return the layers that some patterns name, with ``*`` for anything.

    Raises
    ------
    StudyError
        When a pattern names no layer of the network, or the network has no streams of pictures.
    """
    known = [
        f"{stream}.{name}"
        for stream, module in network.pictures().items()
        for name, _ in module.named_modules()
        if name
    ]
    if not known:
        raise StudyError(
            f"{network.settings.architecture}: this network has no streams that see single pictures"
        )
    if not patterns:
        return layer_names(network)
    for pattern in patterns:
        if not fnmatch.filter(known, pattern):
            raise StudyError(
                f"no layer {pattern!r} in {network.settings.name}; there are, among others, "
                f"{', '.join(layer_names(network))}"
            )
    return [name for name in known if any(fnmatch.fnmatch(name, pattern) for pattern in patterns)]


@contextlib.contextmanager
def outputs_of(network: Network, layers: Sequence[str]) -> Iterator[dict[str, Tensor]]:
    """Collect the outputs of layers, STREAM.LAYER, of the last pass through the network."""
    found: dict[str, Tensor] = {}
    hooks = []
    for layer in layers:
        stream, _, name = layer.partition(".")
        module = network.pictures()[stream].get_submodule(name)
        hooks.append(module.register_forward_hook(_keep(found, layer)))
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


def _keep(found: dict[str, Tensor], layer: str) -> Callable[..., None]:
    def keep(module: nn.Module, inputs: tuple, output: Tensor) -> None:
        if isinstance(output, Tensor):
            found[layer] = output

    return keep


def as_map(output: Tensor) -> Tensor | None:
    """Return a layer's output as maps (B, C, H, W), or None where it has no places.

    Convolutions give (B, C, H, W), Swin transformers (B, H, W, C), ViTs tokens (B, N, C), of which
    those before the last square number stand for no place. Frames are square, and so are maps.
    """
    if output.ndim == 4:
        if output.shape[2] == output.shape[3]:
            return output
        return output.permute(0, 3, 1, 2) if output.shape[1] == output.shape[2] else None
    if output.ndim == 3:
        side = int(output.shape[1] ** 0.5)
        if output.shape[1] - side * side > 5 or side < 2:
            return None
        tokens = output[:, -side * side :]
        return tokens.transpose(1, 2).reshape(len(output), -1, side, side)
    return None


def last_map(network: Network, stream: str) -> str:
    """Return the layer of a stream for Grad-CAM: the last whose output shows where things are.

    That is the last one with at least `LEAST_SIDE` by so many places (or, in small pictures, the
    last with places at all) on which the features depend place by place. A ViT that is read by its
    class token has no such thing after its last attention.

    Raises
    ------
    StudyError
        When no layer has.
    """
    module = network.pictures()[stream]
    outputs: dict[str, Tensor] = {}
    hooks = [
        part.register_forward_hook(_note_maps(outputs, f"{stream}.{name}", module.n_features))
        for name, part in module.named_modules()
        if name.startswith("backbone.")
    ]
    side = network.image_size
    weight = next(module.parameters())
    frames = torch.linspace(0, 1, 3 * side * side, device=weight.device).view(1, 3, side, side)
    try:
        with torch.enable_grad():
            features = module.features(frames.requires_grad_(True))
            slopes = torch.autograd.grad(
                features.square().sum(), list(outputs.values()), allow_unused=True
            )
    finally:
        for hook in hooks:
            hook.remove()
    sides = {
        name: as_map(slope).shape[-1]
        for name, slope in zip(outputs, slopes, strict=True)
        if slope is not None and as_map(slope).any()
    }
    if not sides:
        raise StudyError(f"{network.settings.name}, {stream}: no layer whose output has places")
    fine = [name for name, size in sides.items() if size >= LEAST_SIDE]
    return (fine or list(sides))[-1]


def _note_maps(outputs: dict[str, Tensor], name: str, most_channels: int) -> Callable[..., None]:
    """Note maps; of more channels than there are features are queries, keys and values in one."""

    def note(module: nn.Module, inputs: tuple, output: Tensor) -> None:
        shaped = as_map(output) if isinstance(output, Tensor) else None
        if shaped is None or shaped.shape[1] > most_channels or not output.requires_grad:
            return
        if shaped.shape[-1] > 1:
            # Taken out and put in again: a later layer shall come later, also where one is reused.
            outputs.pop(name, None)
            outputs[name] = output

    return note
