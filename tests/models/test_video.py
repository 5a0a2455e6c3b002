"""Networks of clips: torchvision's, Hugging Face's from a folder, and one's own."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch
import torchvision

from models.architectures import build_network
from models.backbones import build_backbone
from models.hugging_face import published_in
from models.score import score_model
from models.train import train_model
from study.errors import StudyError
from study.fields import Model
from study.results import Results

SIDE, N_FRAMES = 32, 4


def _model(backbone: str, architecture: str = "video", **fields: object) -> Model:
    fields = {"frames_per_clip": N_FRAMES} | fields
    return Model(name="clips", architecture=architecture, backbone=backbone, **fields)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of small classifiers with random weights, as Hugging Face keeps them."""
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(1)
    root = tmp_path_factory.mktemp("folders")
    common = {
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "image_size": SIDE,
        "patch_size": 16,
        "num_labels": 3,
        "id2label": {0: "bowing", 1: "jumping", 2: "waving"},
    }
    clips = common | {"num_frames": N_FRAMES}
    mae, timesformer = transformers.VideoMAEConfig(**clips), transformers.TimesformerConfig(**clips)
    kinds = {
        "videomae": transformers.VideoMAEForVideoClassification(mae),
        "timesformer": transformers.TimesformerForVideoClassification(timesformer),
        "images": transformers.ViTForImageClassification(transformers.ViTConfig(**common)),
        "headless": transformers.VideoMAEModel(mae),
    }
    for name, network in kinds.items():
        network.save_pretrained(root / name)
    about = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.25, 0.25, 0.25]}
    (root / "videomae" / "preprocessor_config.json").write_text(json.dumps(about))
    return root


@pytest.mark.parametrize("backbone", ["r3d_18", "mc3_18", "r2plus1d_18", "swin3d_t"])
def test_a_network_of_clips_learns(backbone: str) -> None:
    network = build_network(_model(backbone), 5, SIDE, seed=0)
    assert network.n_frames == N_FRAMES
    assert network.pictures() == {}
    scores = network({"whole": torch.rand(2, N_FRAMES, 3, SIDE, SIDE)})["combined"]
    assert scores.shape == (2, 5)
    scores.sum().backward()
    assert all(weight.grad is not None for weight in network.parameters())


def test_it_reads_every_version_like_the_baseline() -> None:
    network = build_network(_model("r3d_18"), 5, SIDE, seed=0)
    assert network.trained_on == ({"whole": "body_background"},)
    assert network.readings("body_only") == {"plain": {"whole": "body_only"}}


def test_the_order_of_frames_counts_and_the_axes_are_torchvisions() -> None:
    backbone, n_features = build_backbone("r3d_18", SIDE, n_frames=N_FRAMES)
    theirs = torchvision.models.video.r3d_18(weights=None)
    theirs.fc = torch.nn.Identity()
    theirs.load_state_dict(backbone.state_dict())
    clips = torch.rand(2, N_FRAMES, 3, SIDE, SIDE)
    with torch.no_grad():
        found = backbone.eval()(clips)
        expected = theirs.eval()(torch.stack([clip.permute(1, 0, 2, 3) for clip in clips]))
        backwards = backbone(clips.flip(1))
    assert n_features == 512
    torch.testing.assert_close(found, expected)
    assert not torch.allclose(found, backwards)


def test_domainnet_of_clips() -> None:
    network = build_network(_model("mc3_18", "video_domainnet"), 5, SIDE, seed=0)
    clips = {name: torch.rand(2, N_FRAMES, 3, SIDE, SIDE) for name in ("body", "background")}
    scores = network(clips)
    assert set(scores) == {"body", "background", "combined"}
    assert all(value.shape == (2, 5) for value in scores.values())
    assert network.n_frames == N_FRAMES
    assert set(network.readings("body_only")) == {"blank", "drop"}


def test_weights_of_kinetics_fit_and_its_normalisation_is_used(tmp_path: Path) -> None:
    theirs = torchvision.models.video.mc3_18(weights=None)
    torch.save(theirs.state_dict(), tmp_path / "mc3.pth")
    network = build_network(_model("mc3_18", weights=tmp_path / "mc3.pth"), 5, SIDE, seed=0)
    assert torch.equal(network.whole.backbone.state_dict()["stem.0.weight"], theirs.stem[0].weight)
    assert network.whole.normalize.mean.flatten().tolist() == pytest.approx(
        [0.43216, 0.394666, 0.37645]
    )
    with pytest.raises(StudyError, match=r"download\.pytorch.org/models/mc3_18"):
        build_network(_model("mc3_18", weights=tmp_path / "none.pth"), 5, SIDE, seed=0)


@pytest.mark.parametrize(
    ("backbone", "n_frames", "said"),
    [
        ("resnet18", 4, "'resnet18' reads frames, not clips"),
        ("tiny", 4, "'tiny' reads frames, not clips"),
        ("r3d_18", 1, "needs frames_per_clip of at least 2, found 1"),
        ("r3d_81", 4, "did you mean 'r3d_18'"),
        ("mvit_v2_s", 4, "reads 16 frames of 224 pixels, found frames_per_clip = 4 and"),
        ("s3d", 4, r"cannot read frames of shape \(2, 4, 3, 32, 32\).*trained at 224 pixels"),
    ],
)
def test_what_no_network_of_clips_can_read(backbone: str, n_frames: int, said: str) -> None:
    with pytest.raises(StudyError, match=said):
        build_network(_model(backbone, frames_per_clip=n_frames), 5, SIDE, seed=0)


OWN = """
from torch import nn

class TinyClips(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv3d(3, 4, 3, stride=(1, 2, 2), padding=1)

    def forward(self, clips):
        return self.first(clips.transpose(1, 2)).relu().mean(dim=(2, 3, 4))
"""


@pytest.mark.parametrize("architecture", ["video", "video_domainnet"])
def test_clips_are_trained_on_and_scored(
    architecture: str, results: Results, make_study, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / f"clips_{architecture}.py").write_text(OWN)
    model = _model(f"clips_{architecture}:TinyClips", architecture)
    study = make_study(epochs=1, batches_per_epoch=2)
    study = study.model_copy(update={"models": [model]})
    train_model(study, results, model.name, 0)
    rows = pd.read_csv(score_model(study, results, model.name, 0))
    assert set(rows["condition"]) == {"body_background", "body_only", "background_only"}
    groups = {"clips"} | ({"clips_drop"} if architecture == "video_domainnet" else set())
    assert set(rows["group"]) == groups


@pytest.mark.parametrize("name", ["videomae", "timesformer", "headless"])
def test_a_folder_of_hugging_face_is_a_backbone(folders: Path, name: str) -> None:
    network = build_network(_model(f"hf:{folders / name}"), 5, SIDE, seed=0)
    assert network.whole.n_features == 16
    scores = network({"whole": torch.rand(2, N_FRAMES, 3, SIDE, SIDE)})["combined"]
    assert scores.shape == (2, 5)
    scores.sum().backward()


def test_its_weights_and_normalisation_are_those_of_the_folder(folders: Path) -> None:
    transformers = pytest.importorskip("transformers")
    folder = folders / "videomae"
    theirs = transformers.VideoMAEForVideoClassification.from_pretrained(folder).eval()
    network = build_network(_model(f"hf:{folder}"), 5, SIDE, seed=0).eval()
    clips = torch.rand(2, N_FRAMES, 3, SIDE, SIDE)
    with torch.no_grad():
        expected = theirs(pixel_values=(clips - 0.5) / 0.25).logits
        found = theirs.classifier(network.whole.features(clips))
    torch.testing.assert_close(found, expected)
    assert published_in(f"hf:{folder}").categories == ("bowing", "jumping", "waving")


@pytest.mark.parametrize(
    ("name", "fields", "said"),
    [
        ("videomae", {"frames_per_clip": 8}, "made for frames_per_clip = 4, found 8"),
        ("images", {}, "reads frames, not clips"),
        ("nothing", {}, r"no config\.json in .*Nothing is downloaded"),
    ],
)
def test_a_folder_that_does_not_fit(folders: Path, name: str, fields: dict, said: str) -> None:
    with pytest.raises(StudyError, match=said):
        build_network(_model(f"hf:{folders / name}", **fields), 5, SIDE, seed=0)


def test_a_folder_brings_its_weights_and_runs_no_code(folders: Path, tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"brings its weights; leave out models\.weights"):
        build_network(
            _model(f"hf:{folders / 'videomae'}", weights=tmp_path / "x.pth"), 5, SIDE, seed=0
        )
    evil = tmp_path / "evil"
    evil.mkdir()
    config = {"model_type": "own", "auto_map": {"AutoConfig": "own.Own"}}
    (evil / "config.json").write_text(json.dumps(config))
    ran = tmp_path / "ran"
    (evil / "own.py").write_text(f"from pathlib import Path\nPath({str(ran)!r}).touch()\n")
    with pytest.raises(StudyError, match="not a configuration that the installed transformers"):
        build_network(_model(f"hf:{evil}"), 5, SIDE, seed=0)
    assert not ran.exists()


def test_without_transformers_it_says_what_to_install(
    folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(StudyError, match=r"needs transformers.*\[video\]"):
        build_network(_model(f"hf:{folders / 'videomae'}"), 5, SIDE, seed=0)


def test_a_folder_with_a_pickle_is_refused(folders: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pickled"
    folder.mkdir()
    (folder / "config.json").write_bytes((folders / "videomae" / "config.json").read_bytes())
    torch.save({"a": torch.zeros(1)}, folder / "pytorch_model.bin")
    with pytest.raises(StudyError, match="with weights in safetensors"):
        build_network(_model(f"hf:{folder}"), 5, SIDE, seed=0)
