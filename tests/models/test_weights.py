"""Given weights: what is read, what is refused, and what must fit."""

from __future__ import annotations

import logging
import os
import pickle
from pathlib import Path

import pytest
import torch
import torchvision
from safetensors.torch import save_file

from models.architectures import build_network
from models.backbones import build_backbone
from models.weights import load_into, read_weights
from study.config import Study
from study.errors import StudyError
from study.fields import Model
from study.steps import step_settings


@pytest.fixture(scope="module")
def resnet() -> torch.nn.Module:
    torch.manual_seed(5)
    return torchvision.models.resnet18(weights=None, num_classes=7)


def _same_features(backbone: torch.nn.Module, whole: torch.nn.Module) -> None:
    frames = torch.rand(2, 3, 64, 64)
    features = backbone.eval()(frames)
    torch.testing.assert_close(whole.fc(features), whole.eval()(frames))


@pytest.mark.parametrize("prefix", ["", "module.", "model.", "backbone.", "module.backbone."])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors", ".pt", ".bin"])
def test_weights_of_any_wrapper_and_format_fit(
    resnet: torch.nn.Module, tmp_path: Path, prefix: str, suffix: str, caplog
) -> None:
    state = {prefix + name: value for name, value in resnet.state_dict().items()}
    path = tmp_path / f"weights{suffix}"
    save_file(state, path) if suffix == ".safetensors" else torch.save(state, path)
    with caplog.at_level(logging.INFO, logger="bodyscene"):
        backbone, _ = build_backbone("resnet18", 64, path)
    _same_features(backbone, resnet)
    assert "fc.bias (7,), fc.weight (7, 512) left out" in caplog.text


@pytest.mark.parametrize("container", ["state_dict", "model", "model_state_dict"])
def test_a_state_dict_may_lie_in_a_container(
    resnet: torch.nn.Module, tmp_path: Path, container: str
) -> None:
    path = tmp_path / "checkpoint.pth"
    torch.save({container: resnet.state_dict(), "epoch": 3}, path)
    backbone, _ = build_backbone("resnet18", 64, path)
    _same_features(backbone, resnet)


def test_other_parts_of_a_file_are_left_out_aloud(
    resnet: torch.nn.Module, tmp_path: Path, caplog
) -> None:
    path = tmp_path / "parts.pth"
    state = {f"backbone.{name}": value for name, value in resnet.state_dict().items()}
    torch.save(state | {"decoder.weight": torch.zeros(3)}, path)
    with caplog.at_level(logging.INFO, logger="bodyscene"):
        backbone, _ = build_backbone("resnet18", 64, path)
    _same_features(backbone, resnet)
    assert "1 tensors of other parts left out" in caplog.text


def test_old_files_of_torchvision_fit(tmp_path: Path) -> None:
    """Files of before 2018 count no batches and name DenseNet's and ViT's layers otherwise."""
    network = torchvision.models.densenet121(weights=None)
    old = {
        name.replace("norm1.", "norm.1.").replace("conv2.", "conv.2."): value
        for name, value in network.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    torch.save(old, tmp_path / "dense.pth")
    backbone, _ = build_backbone("densenet121", 64, tmp_path / "dense.pth")
    frames = torch.rand(1, 3, 64, 64)
    expected = network.eval()(frames)
    torch.testing.assert_close(network.classifier(backbone.eval()(frames)), expected)


def test_vit_keeps_its_positions(tmp_path: Path) -> None:
    network = torchvision.models.vit_b_32(weights=None, image_size=64)
    old = {name.replace("mlp.0.", "mlp.linear_1."): v for name, v in network.state_dict().items()}
    torch.save(old, tmp_path / "vit.pth")
    backbone, _ = build_backbone("vit_b_32", 64, tmp_path / "vit.pth")
    assert torch.equal(backbone.encoder.pos_embedding, network.encoder.pos_embedding)
    with pytest.raises(
        StudyError, match=r"1 tensors of another shape.*pos_embedding \(1, 5, 768\).*image_size"
    ):
        build_backbone("vit_b_32", 96, tmp_path / "vit.pth")


def test_side_lines_of_training_are_left_out(tmp_path: Path) -> None:
    network = torchvision.models.googlenet(weights=None, aux_logits=True, init_weights=False)
    torch.save(network.state_dict(), tmp_path / "google.pth")
    backbone, n_features = build_backbone("googlenet", 64, tmp_path / "google.pth")
    assert n_features == 1024
    assert torch.equal(backbone.conv1.conv.weight, network.conv1.conv.weight)
    # Its published weights normalise frames otherwise than the toolkit does.
    assert backbone.transform_input


class _Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch was_run",)


def test_a_pickle_with_code_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"a": torch.zeros(1), "b": _Evil()}, tmp_path / "evil.pth")
    (tmp_path / "raw.pt").write_bytes(pickle.dumps(_Evil(), protocol=2))
    for name in ("evil.pth", "raw.pt"):
        with pytest.raises(StudyError, match=rf"{name} \(SHA-256 .*could run code.*not read"):
            read_weights(tmp_path / name)
    assert not (tmp_path / "was_run").exists()


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("end", [0, 100_000, -5])
def test_a_file_cut_short_is_named(
    resnet: torch.nn.Module, tmp_path: Path, suffix: str, end: int
) -> None:
    path = tmp_path / f"cut{suffix}"
    save = save_file if suffix == ".safetensors" else torch.save
    save(resnet.state_dict(), path)
    path.write_bytes(path.read_bytes()[:end])
    with pytest.raises(StudyError, match=rf"cut\{suffix}: not a whole"):
        read_weights(path)


@pytest.mark.parametrize("content", [[torch.zeros(2)], {"a": 3}, {}, {"state_dict": {"a": "b"}}])
def test_what_is_no_state_dict_is_refused(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "odd.pth")
    with pytest.raises(StudyError, match="expected a state dict"):
        read_weights(tmp_path / "odd.pth")


def test_missing_and_unexpected_and_misshapen_tensors_are_counted(
    resnet: torch.nn.Module, tmp_path: Path
) -> None:
    backbone, _ = build_backbone("resnet18", 64)
    state = resnet.state_dict()
    path = tmp_path / "odd.pth"
    torch.save({n: v for n, v in state.items() if not n.startswith("layer4")}, path)
    with pytest.raises(StudyError, match=r"tensors missing, such as (layer4\S+; ){4}layer4\S+$"):
        load_into(backbone, path, ("fc",))
    torch.save(state | {"neck.weight": torch.zeros(2)}, path)
    with pytest.raises(StudyError, match=r"1 tensors unexpected, such as neck\.weight"):
        load_into(backbone, path, ("fc",))
    torch.save(state | {"bn1.weight": torch.zeros(65)}, path)
    with pytest.raises(StudyError, match=r"bn1.weight \(65,\), expected \(64,\)"):
        load_into(backbone, path, ("fc",))
    torch.save(torchvision.models.resnet34(weights=None).state_dict(), path)
    with pytest.raises(StudyError, match="tensors unexpected"):
        load_into(backbone, path, ("fc",))


def test_a_missing_file_says_what_to_get(tmp_path: Path) -> None:
    path = tmp_path / "resnet18.pth"
    with pytest.raises(StudyError, match=r"no such file.*download.pytorch.org/models/resnet18-"):
        build_backbone("resnet18", 64, path)
    with pytest.raises(StudyError, match=r"huggingface.co/timm/convnext_atto.d2_in1k, file model"):
        build_backbone("timm:convnext_atto", 64, path)
    with pytest.raises(StudyError, match=r"ends in \.safetensors"):
        build_backbone("resnet18", 64, tmp_path / "weights.npz")
    with pytest.raises(StudyError, match="wider than the network that weights are for"):
        build_backbone("resnet18*1.4", 64, path)


def test_both_streams_start_from_the_weights_and_the_heads_from_the_seed(
    resnet: torch.nn.Module, tmp_path: Path
) -> None:
    path = tmp_path / "given.safetensors"
    save_file(resnet.state_dict(), path)
    model = Model(name="n", architecture="domainnet", backbone="resnet18", weights=path)
    first, second = (build_network(model, 4, 64, seed).streams for seed in (0, 1))
    for stream in (first["body"], first["background"], second["body"]):
        assert torch.equal(stream.backbone.conv1.weight, resnet.conv1.weight)
    assert not torch.equal(first["body"].head.weight, second["body"].head.weight)


def test_training_depends_on_the_content_of_the_weights(make_study, tmp_path: Path) -> None:
    path = tmp_path / "given.safetensors"
    study: Study = make_study()
    model = study.models[0].model_copy(update={"weights": path})
    study = study.model_copy(update={"models": [model]})
    keys = []
    for value in (0.0, 1.0):
        save_file({"a": torch.full((2,), value)}, path)
        keys.append(step_settings(study, "train", model.name)["files"])
    assert keys[0].keys() == keys[1].keys() == {"weights: given.safetensors"}
    assert keys[0] != keys[1]
