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
    """Return the last layer of a stream whose output still has places, for Grad-CAM.

    Raises
    ------
    StudyError
        When no layer has.
    """
    module = network.pictures()[stream]
    order: list[str] = []
    hooks = [
        part.register_forward_hook(_note_maps(order, f"{stream}.{name}"))
        for name, part in module.named_modules()
        if name.startswith("backbone.") and not isinstance(part, nn.Dropout)
    ]
    side = network.image_size
    weight = next(module.parameters())
    try:
        with torch.no_grad():
            module(torch.zeros(1, 3, side, side, device=weight.device))
    finally:
        for hook in hooks:
            hook.remove()
    if not order:
        raise StudyError(f"{network.settings.name}, {stream}: no layer whose output has places")
    return order[-1]


def _note_maps(order: list[str], name: str) -> Callable[..., None]:
    def note(module: nn.Module, inputs: tuple, output: Tensor) -> None:
        shaped = as_map(output) if isinstance(output, Tensor) else None
        if shaped is not None and shaped.shape[-1] > 1:
            order.append(name)

    return note
