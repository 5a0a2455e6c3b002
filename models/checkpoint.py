"""Checkpoints: tensors and JSON in one safetensors file, so that both are whole or absent.

Nothing in such a file is code: loading runs none.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from study.errors import StudyError
from study.files import whole_file

# The name of the one entry in the file's header; several would come in no fixed order.
ENTRY = "bodyscene"
WEIGHTS = "weights/"
OPTIMIZER = "optimizer/"


@dataclass(frozen=True)
class Checkpoint:
    """A file's content.

    Attributes
    ----------
    facts : dict
        JSON-able: key, architecture, backbone, classes, epoch and so on.
    tensors : dict of str to Tensor
        On the CPU.
    """

    path: Path
    facts: dict[str, Any]
    tensors: dict[str, Tensor]

    def group(self, prefix: str) -> dict[str, Tensor]:
        """Return the tensors of one group by their name in it."""
        return {
            name.removeprefix(prefix): tensor
            for name, tensor in self.tensors.items()
            if name.startswith(prefix)
        }


def save_checkpoint(path: Path, facts: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    """Write facts and tensors, whole or not at all; equal content gives equal bytes."""
    content = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with whole_file(path) as partial:
        save_file(content, partial, metadata={ENTRY: json.dumps(facts)})


def read_facts(path: Path) -> dict[str, Any]:
    """Read what a checkpoint says of itself, without its tensors.

    Raises
    ------
    StudyError
        When the file is missing, cut short, or not a checkpoint of this toolkit.
    """
    return _read(path, with_tensors=False).facts


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a whole checkpoint; errors as `read_facts`."""
    return _read(path, with_tensors=True)


def _read(path: Path, with_tensors: bool) -> Checkpoint:
    if not path.is_file():
        raise StudyError(f"{path}: no such checkpoint; train the network first")
    try:
        with safe_open(path, framework="pt") as content:
            facts = json.loads((content.metadata() or {})[ENTRY])
            names = list(content.keys()) if with_tensors else []
            return Checkpoint(path, facts, {name: content.get_tensor(name) for name in names})
    except (SafetensorError, KeyError, ValueError) as error:
        raise StudyError(
            f"{path}: not a whole checkpoint of this toolkit ({error}). Expected a safetensors "
            f"file with {ENTRY!r} in its header; delete it to train the network again"
        ) from error


def load_weights(network: nn.Module, checkpoint: Checkpoint, expected: dict[str, Any]) -> None:
    """Put a checkpoint's weights into a network.

    Parameters
    ----------
    network : Module
    checkpoint : Checkpoint
    expected : dict
        Facts that must agree, such as architecture, backbone and classes.

    Raises
    ------
    StudyError
        For weights of another architecture, backbone, list of classes, or shape.
    """
    for name, value in expected.items():
        found = checkpoint.facts.get(name)
        if found != value:
            raise StudyError(
                f"{checkpoint.path}: {name} differs from the study's: {_difference(value, found)}"
            )
    try:
        network.load_state_dict(checkpoint.group(WEIGHTS))
    except RuntimeError as error:
        raise StudyError(f"{checkpoint.path}: its weights do not fit: {error}") from error


def _difference(expected: Any, found: Any) -> str:
    """Say how two values differ; of long lists, only what one has and the other lacks."""
    if isinstance(expected, list) and isinstance(found, list) and set(expected) != set(found):
        lacking, extra = sorted(set(expected) - set(found)), sorted(set(found) - set(expected))
        return f"expected {len(expected)}, found {len(found)}; it lacks {lacking}, it adds {extra}"
    return f"expected {expected!r}, found {found!r}"


def training_state(network: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Collect the tensors that training goes on from."""
    tensors = {f"{WEIGHTS}{name}": value for name, value in network.state_dict().items()}
    for index, values in optimizer.state_dict()["state"].items():
        for name, value in values.items():
            if value is not None:
                tensors[f"{OPTIMIZER}{index}/{name}"] = torch.as_tensor(value)
    return tensors


def restore_optimizer(checkpoint: Checkpoint, optimizer: torch.optim.Optimizer) -> None:
    """Put back what `training_state` collected of an optimizer."""
    parameters = [each for group in optimizer.param_groups for each in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in checkpoint.group(OPTIMIZER).items():
        index, field = name.split("/")
        like = parameters[int(index)]
        if value.shape == like.shape:
            # The same order in memory as before, lest sums round differently.
            value = torch.empty_like(like, device="cpu").copy_(value)
        state.setdefault(int(index), {})[field] = value
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
