"""Checkpoints that are damaged, or of another network, say so."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from models.architectures import build_network
from models.checkpoint import WEIGHTS, load_weights, read_checkpoint, read_facts, save_checkpoint
from study.errors import StudyError
from study.fields import Model

FACTS = {"architecture": "baseline", "classes": ["bow", "wave"]}


@pytest.fixture
def network() -> torch.nn.Module:
    model = Model(name="whole", architecture="baseline", backbone="tiny")
    return build_network(model, 2, 32, seed=0)


@pytest.fixture
def saved(network: torch.nn.Module, tmp_path: Path) -> Path:
    path = tmp_path / "final.safetensors"
    weights = {f"{WEIGHTS}{name}": value for name, value in network.state_dict().items()}
    save_checkpoint(path, FACTS, weights)
    return path


def test_weights_and_facts_come_back(network: torch.nn.Module, saved: Path) -> None:
    expected = {name: value.clone() for name, value in network.state_dict().items()}
    for value in network.state_dict().values():
        value.zero_()
    checkpoint = read_checkpoint(saved)
    assert checkpoint.facts == FACTS == read_facts(saved)
    load_weights(network, checkpoint, FACTS)
    assert all(torch.equal(network.state_dict()[name], expected[name]) for name in expected)


@pytest.mark.parametrize("kept", [0, 4, 300, -1])
def test_a_truncated_file_is_an_error(saved: Path, kept: int) -> None:
    content = saved.read_bytes()
    saved.write_bytes(content[:kept])
    with pytest.raises(StudyError, match=r"final\.safetensors: not a whole checkpoint"):
        read_checkpoint(saved)


def test_a_pickle_is_refused_and_not_run(tmp_path: Path) -> None:
    trace = tmp_path / "ran"

    class Payload:
        def __reduce__(self) -> tuple[object, ...]:
            return Path.touch, (trace,)

    path = tmp_path / "final.safetensors"
    path.write_bytes(pickle.dumps(Payload()))
    with pytest.raises(StudyError, match="not a whole checkpoint"):
        read_checkpoint(path)
    assert not trace.exists()


def test_a_safetensors_file_from_elsewhere_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"x": torch.zeros(2)}, path)
    with pytest.raises(StudyError, match="not a whole checkpoint of this toolkit"):
        read_checkpoint(path)


def test_a_missing_file_says_to_train(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="no such checkpoint; train the network first"):
        read_facts(tmp_path / "final.safetensors")


@pytest.mark.parametrize(
    ("expected", "message"),
    [
        ({"architecture": "domainnet"}, "expected 'domainnet', found 'baseline'"),
        ({"classes": ["bow", "jump", "wave"]}, r"it lacks \['jump'\], it adds \[\]"),
        ({"classes": ["wave", "bow"]}, r"expected \['wave', 'bow'\], found \['bow', 'wave'\]"),
    ],
)
def test_another_network_or_other_classes_are_named(
    network: torch.nn.Module, saved: Path, expected: dict[str, object], message: str
) -> None:
    with pytest.raises(StudyError, match=message):
        load_weights(network, read_checkpoint(saved), expected)


def test_weights_of_another_shape_are_an_error(saved: Path) -> None:
    model = Model(name="whole", architecture="baseline", backbone="tiny")
    wider = build_network(model, 3, 32, seed=0)
    with pytest.raises(StudyError, match="its weights do not fit"):
        load_weights(wider, read_checkpoint(saved), FACTS)
