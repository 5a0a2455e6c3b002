"""Given weights: read without running code, and put into a network name by name."""

from __future__ import annotations

import logging
import pickle
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from study.errors import StudyError
from study.files import sha256_of

log = logging.getLogger("bodyscene")

SUFFIXES = (".safetensors", ".pth", ".pt", ".bin")

# Under these names a file may hold its state dict among other things.
CONTAINERS = ("state_dict", "model_state_dict", "model")

# What wrappers put in front of names: DataParallel, and networks made of parts.
BACKBONE = "backbone."
PREFIXES = ("module.", "model.", BACKBONE)

# torchvision's DenseNet files are older than its names.
DENSE_NAME = re.compile(r"(denselayer\d+\.(?:norm|relu|conv))\.([12]\.)")


def read_weights(path: Path, source: str = "", field: str = "models.weights") -> dict[str, Tensor]:
    """Read a file of named tensors.

    Parameters
    ----------
    path : Path
        .safetensors, or a state dict in .pth, .pt or .bin, which torch's restricted reader opens:
        it builds tensors and nothing else.
    source : str
        Where the file is found, for the message when it is missing.
    field : str
        Of the study file, for messages.

    Raises
    ------
    StudyError
        When the file is missing, cut short, of another format, or holds more than tensors.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise StudyError(
            f"{field} = {str(path)!r}: expected a file that ends in {', '.join(SUFFIXES)}"
        )
    if not path.is_file():
        where = f". The published file is {source}" if source else ""
        raise StudyError(
            f"{field} = {str(path)!r}: no such file. Nothing is downloaded while a study "
            f"runs: put the file there{where}"
        )
    if path.suffix.lower() == ".safetensors":
        return _read_safetensors(path)
    return _tensors_of(path, _read_pickle(path))


def load_into(
    module: nn.Module, path: Path, left_out: Sequence[str] = (), source: str = ""
) -> None:
    """Put the weights of a file into a network.

    Names must be the same after the prefixes of `PREFIXES` are taken off; a file whose names begin
    with "backbone." may hold other parts, which are not read.

    Parameters
    ----------
    module : Module
    path, source
        As in `read_weights`.
    left_out : sequence of str
        Layers of the file that the network does not have (its last one); said aloud.

    Raises
    ------
    StudyError
        As `read_weights`, and for tensors that are missing, unexpected or of another shape: the
        first five, and how many.
    """
    expected = module.state_dict()
    content = read_weights(path, source)
    found = without_prefixes(content, expected)
    if len(found) < len(content):
        log.info("%s: %d tensors of other parts left out", path.name, len(content) - len(found))
    heads = {
        name for name in found if name not in expected and name.startswith(_with_dot(left_out))
    }
    if heads:
        log.info("%s: %s left out, learnt anew", path.name, _listed(sorted(heads), found))
    state = {name: value for name, value in found.items() if name not in heads}
    wrong = [
        f"{name} {tuple(value.shape)}, expected {tuple(expected[name].shape)}"
        for name, value in state.items()
        if name in expected and value.shape != expected[name].shape
    ]
    if wrong:
        raise StudyError(_misfit(path, "of another shape", wrong))
    # Not strict, since torch itself knows some old names; what then remains is an error.
    missing, unexpected = module.load_state_dict(state, strict=False)
    for what, names in (("missing", missing), ("unexpected", unexpected)):
        if names:
            raise StudyError(_misfit(path, what, names))
    log.info("%s: %d tensors loaded", path.name, len(state))


def without_prefixes(found: dict[str, Tensor], expected: dict[str, Any]) -> dict[str, Tensor]:
    """Take known prefixes off the names, unless the network's own begin with them."""
    prefix = _prefix_of(found, expected)
    while prefix is not None:
        has = {name: value for name, value in found.items() if name.startswith(prefix)}
        if prefix == BACKBONE:
            found = has
        found = {name.removeprefix(prefix): value for name, value in found.items()}
        prefix = _prefix_of(found, expected)
    return {DENSE_NAME.sub(r"\1\2", name): value for name, value in found.items()}


def _prefix_of(found: dict[str, Tensor], expected: dict[str, Any]) -> str | None:
    """Return a prefix of `PREFIXES` that names of the file have, and none of the network's."""
    for prefix in PREFIXES:
        theirs = any(name.startswith(prefix) for name in found)
        if theirs and not any(name.startswith(prefix) for name in expected):
            return prefix
    return None


def n_outputs(found: dict[str, Tensor], head: str) -> int | None:
    """Return how many classes the last layer of a file has, where the file has that layer."""
    weight = found.get(f"{head}.weight")
    return None if weight is None else len(weight)


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (SafetensorError, ValueError) as error:
        raise StudyError(f"{path}: not a whole safetensors file ({error})") from error


def _read_pickle(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        named = re.search(r"GLOBAL (\S+)", str(error))
        holds = f"it names {named[1].rstrip('.')}" if named else "it is no state dict"
        raise StudyError(
            f"{path} (SHA-256 {sha256_of(path)}): holds more than tensors ({holds}), so reading it "
            "could run code on this computer, and it was not read. Expected a state dict; "
            "safetensors files never hold code"
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        said = " ".join(str(error).split())[:200]
        raise StudyError(f"{path}: not a whole file of weights ({said})") from error


def _tensors_of(path: Path, content: Any) -> dict[str, Tensor]:
    """Return the named tensors of a file, which may lie in a container."""
    for name in CONTAINERS:
        if isinstance(content, dict) and isinstance(content.get(name), dict):
            content = content[name]
    tensors = isinstance(content, dict) and all(
        isinstance(value, Tensor) for value in content.values()
    )
    if not tensors or not content:
        raise StudyError(
            f"{path}: expected a state dict (name -> tensor), as it is or under one of "
            f"{', '.join(CONTAINERS)}; found {type(content).__name__}"
        )
    return content


def _with_dot(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"{name}." for name in names)


def _listed(names: list[str], found: dict[str, Tensor]) -> str:
    return ", ".join(f"{name} {tuple(found[name].shape)}" for name in names[:5])


def _misfit(path: Path, what: str, entries: Sequence[str]) -> str:
    hint = ""
    if what == "of another shape" and any("pos" in entry for entry in entries):
        hint = ". Positions are learned for one size of frames: see training.image_size"
    return (
        f"{path}: the weights do not fit the backbone: {len(entries)} tensors {what}, such as "
        f"{'; '.join(entries[:5])}{hint}"
    )
