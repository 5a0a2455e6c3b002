"""Backbones by name: what they are built for, their features, their widened forms."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torchvision

from models.architectures import build_network
from models.backbones import Normalize, build_backbone, channel_statistics
from models.widening import build_wide, widened
from models.zoo import build_torchvision, clip_names, image_names
from study.errors import StudyError
from study.fields import Model

WriteModule = Callable[[str], str]


@pytest.fixture
def write_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> WriteModule:
    """Return a function that writes a module of a name of its own into the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    name = "net_" + "".join(c if c.isalnum() else "_" for c in request.node.name)

    def write(code: str) -> str:
        head = "import torch\nfrom torch import nn\n\n"
        (tmp_path / f"{name}.py").write_text(head + code)
        return name

    return write


# Features of each network as their papers give them.
@pytest.mark.parametrize(
    ("name", "side", "n_features"),
    [
        ("tiny", 32, 128),
        ("resnet18", 32, 512),
        ("resnet50", 32, 2048),
        ("convnext_tiny", 32, 768),
        ("vit_b_32", 64, 768),
        ("swin_t", 64, 768),
        ("efficientnet_b0", 32, 1280),
        ("densenet121", 32, 1024),
        ("mobilenet_v3_small", 32, 1024),
        ("squeezenet1_1", 64, 512),
        ("regnet_y_400mf", 32, 440),
        ("googlenet", 64, 1024),
        ("timm:resnet18", 32, 512),
        ("timm:vit_tiny_patch16_224", 64, 192),
        ("timm:convnext_atto.d2_in1k", 32, 320),
    ],
)
def test_a_backbone_turns_frames_into_features(name: str, side: int, n_features: int) -> None:
    backbone, found = build_backbone(name, side)
    assert found == n_features
    frames = torch.rand(2, 3, side, side)
    assert backbone.train()(frames).shape == (2, n_features)


# torchvision's RegNets cannot be built without being made; one is among the networks above.
WITHOUT_REGNETS = [n for n in (*image_names(), *clip_names()) if not n.startswith("regnet")]


@pytest.mark.parametrize("name", WITHOUT_REGNETS)
def test_the_layer_taken_out_is_the_one_that_scores_the_categories(name: str) -> None:
    weights = torchvision.models.get_model_weights(name).DEFAULT
    n_frames = 16 if name in clip_names() else 1
    with torch.device("meta"):
        side = 518 if name == "vit_h_14" else 224
        whole = build_torchvision(name, side, n_frames, None, given=False)
    head = whole.module.get_submodule(whole.heads[0])
    assert head.weight.shape[0] == len(weights.meta["categories"])
    others = [
        layer.weight.shape[0]
        for layer_name, layer in whole.module.named_modules()
        if isinstance(layer, torch.nn.Linear) and layer_name != whole.heads[0]
    ]
    assert len(weights.meta["categories"]) not in others


def test_one_frame_is_enough_to_learn_from() -> None:
    model = Model(name="one", architecture="baseline", backbone="tiny")
    network = build_network(model, 3, 32, seed=0).train()
    network({"whole": torch.rand(1, 3, 32, 32)})["combined"].sum().backward()
    assert all(weight.grad is not None for weight in network.parameters())


@pytest.mark.parametrize("name", ["tiny", "resnet18", "resnet50", "timm:convnext_atto"])
def test_widened_has_as_many_parameters_as_asked(name: str) -> None:
    plain, _ = build_backbone(name, 64)
    wide, _ = build_backbone(widened(name, 64, 2.0), 64)
    ratio = _size(wide) / _size(plain)
    assert ratio == pytest.approx(2.0, rel=0.02)


def test_a_widened_resnet_of_factor_one_is_torchvisions() -> None:
    theirs = torchvision.models.resnet18(num_classes=1)
    theirs.fc = torch.nn.Identity()
    ours = build_wide("resnet18", 1.0, 64)
    # The shortcuts may have other names in timm; the order is the same.
    state = dict(zip(ours.state_dict(), theirs.state_dict().values(), strict=True))
    ours.load_state_dict(state)
    frames = torch.rand(2, 3, 64, 64)
    torch.testing.assert_close(ours.eval()(frames), theirs.eval()(frames))
    # Nor does any block start as the identity.
    fresh = build_wide("resnet18", 1.0, 64).state_dict()
    assert fresh["layer1.0.bn2.weight"].min() == 1


def test_the_wide_baseline_matches_two_backbones() -> None:
    models = [
        build_network(Model(name="n", architecture=name, backbone="tiny"), 5, 32, seed=0)
        for name in ("baseline_wide", "domainnet")
    ]
    wide, parts = (_size(model) for model in models)
    assert wide == pytest.approx(parts, rel=0.03)


@pytest.mark.parametrize(
    ("name", "side", "said"),
    [
        ("resnet19", 32, r"'resnet19' \(did you mean 'resnet18', .*expected 'tiny'"),
        ("tinny", 32, "did you mean 'tiny'"),
        ("timm:resnet51", 32, "did you mean .*'timm:resnet50'"),
        ("timm:hf-hub:some/network", 32, "expected 'tiny'"),
        ("timm:resnet18.nowhere", 32, "Invalid pretrained tag"),
        ("vit_b_16", 100, "multiple of 16, found 100"),
        ("timm:vit_tiny_patch16_224", 100, "multiple of 16, found 100"),
        ("inception_v3", 64, r"cannot read frames of shape .*64.*trained at 342|trained at 299"),
        ("maxvit_t", 64, "cannot be built for frames of 64 pixels"),
        ("r3d_18", 64, "reads clips, not frames"),
        ("tiny*wide", 64, r"a number above 0 after the \*, found 'wide'"),
        ("tiny*0", 64, "a number above 0"),
        ("swin_t*2", 64, "'swin_t' cannot be widened"),
        ("nothing:Here", 64, "no module 'nothing'"),
    ],
)
def test_what_cannot_be_built_says_why(name: str, side: int, said: str) -> None:
    with pytest.raises(StudyError, match=said):
        build_backbone(name, side)


def test_a_network_of_frames_does_not_read_clips() -> None:
    with pytest.raises(StudyError, match=r"'resnet18' reads frames, not clips.*r3d_18"):
        build_backbone("resnet18", 32, n_frames=4)


def test_a_module_of_ones_own(write_module: WriteModule) -> None:
    name = write_module(
        "class Means(nn.Module):\n"
        "    def forward(self, frames):\n"
        "        return frames.mean(dim=(2, 3))\n"
    )
    backbone, n_features = build_backbone(f"{name}:Means", 16)
    assert n_features == 3
    torch.testing.assert_close(backbone(torch.ones(2, 3, 16, 16)), torch.ones(2, 3))
    # Two frames of a dry run must not change what it learns from.
    assert backbone.training


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            "def forward(self, x): return x",
            r"expected features \(2, n_features\).*\(2, 3, 16, 16\)",
        ),
        ("def forward(self, x): return [x]", "found list"),
        ("def forward(self, x): return x.mean()", r"found \(\)"),
        ("def forward(self, x): return self.lost(x)", "cannot read frames.*AttributeError"),
        ("def __init__(self, depth): pass", "built without arguments: TypeError"),
    ],
)
def test_a_module_that_keeps_no_promise(write_module: WriteModule, body: str, said: str) -> None:
    name = write_module(f"class Own(nn.Module):\n    {body}\n")
    with pytest.raises(StudyError, match=f"{name}:Own.*{said}"):
        build_backbone(f"{name}:Own", 16)


def test_a_class_that_is_no_module(write_module: WriteModule) -> None:
    name = write_module("class Own: pass\n")
    with pytest.raises(StudyError, match=r"expected a class derived from Module"):
        build_backbone(f"{name}:Own", 16)


def test_frames_are_normalised_as_the_given_weights_expect(tmp_path: Path) -> None:
    imagenet = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    half = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)
    vit = "timm:vit_tiny_patch16_224"
    assert channel_statistics(vit, None) == imagenet
    assert channel_statistics(vit, tmp_path / "vit.safetensors") == half
    assert channel_statistics("tiny", tmp_path / "tiny.safetensors") == imagenet
    kinetics = channel_statistics("r3d_18", tmp_path / "r3d.pth")
    assert kinetics[0] == (0.43216, 0.394666, 0.37645)
    shown = Normalize(*half)(torch.ones(1, 3, 2, 2))
    torch.testing.assert_close(shown, torch.ones(1, 3, 2, 2))


def _size(module: torch.nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())
