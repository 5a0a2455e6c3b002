"""Public classifiers as they are: their categories stand for the actions."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import torchvision
from safetensors.torch import load_file

from models.architectures import build_network, network_facts
from models.pretrained import Pretrained, action_of_label, categories_of, positions_by_action
from models.score import score_model
from models.train import train_model
from study.config import Study
from study.errors import StudyError
from study.fields import Model
from study.results import Results
from study.tables import read_table

LABELS = "label,action\narchery,reach\nbowling,reach\njuggling balls,wave\n"


def _labels(tmp_path: Path, text: str = LABELS) -> Path:
    path = tmp_path / "labels.csv"
    path.write_text(text)
    return path


def _model(tmp_path: Path, backbone: str = "mc3_18", **fields: object) -> Model:
    fields = {"labels": tmp_path / "labels.csv", "frames_per_clip": 2} | fields
    return Model(name="public", architecture="pretrained", backbone=backbone, **fields)


def _saved(tmp_path: Path, network: torch.nn.Module) -> Path:
    path = tmp_path / "weights.pth"
    torch.save(network.state_dict(), path)
    return path


def test_an_action_has_the_summed_probability_of_its_categories(tmp_path: Path) -> None:
    torch.manual_seed(3)
    theirs = torchvision.models.video.mc3_18(weights=None).eval()
    _labels(tmp_path)
    network = build_network(_model(tmp_path, weights=_saved(tmp_path, theirs)), 2, 32, seed=0)
    assert network.n_frames == 2
    clips = torch.rand(2, 2, 3, 32, 32)
    found = network({"whole": clips})["combined"].exp().numpy()
    mean = torch.tensor([0.43216, 0.394666, 0.37645]).view(3, 1, 1)
    sd = torch.tensor([0.22803, 0.22145, 0.216989]).view(3, 1, 1)
    with torch.no_grad():
        shown = ((clips - mean) / sd).permute(0, 2, 1, 3, 4)
        probability = theirs(shown).softmax(dim=1).numpy()
    names = torchvision.models.video.MC3_18_Weights.DEFAULT.meta["categories"]
    of = {name: probability[:, names.index(name)] for name in names}
    expected = np.stack([of["archery"] + of["bowling"], of["juggling balls"]], axis=1)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_nothing_of_it_learns_or_changes(tmp_path: Path) -> None:
    theirs = torchvision.models.resnet18(weights=None)
    _labels(tmp_path, "label,action\ntench,reach\n5,wave\n")
    model = _model(tmp_path, "resnet18", weights=_saved(tmp_path, theirs))
    network = build_network(model, 2, 64, seed=0)
    assert network.n_frames == 1
    assert not any(weight.requires_grad for weight in network.parameters())
    before = {name: value.clone() for name, value in network.state_dict().items()}
    network.train()({"whole": torch.rand(2, 3, 64, 64)})
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert network.readings("silhouette") == {"plain": {"whole": "silhouette"}}


def test_weights_with_categories_of_their_own_are_named_by_number(tmp_path: Path) -> None:
    theirs = torchvision.models.resnet18(weights=None, num_classes=3)
    _labels(tmp_path, "label,action\n2,reach\n0,wave\n")
    model = _model(tmp_path, "resnet18", weights=_saved(tmp_path, theirs))
    network = build_network(model, 2, 64, seed=0)
    frames = torch.full((1, 3, 64, 64), 0.5)
    normal = (frames - torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)) / torch.tensor(
        [0.229, 0.224, 0.225]
    ).view(3, 1, 1)
    with torch.no_grad():
        expected = theirs.eval()(normal).log_softmax(dim=1)[:, [2, 0]]
    torch.testing.assert_close(network({"whole": frames})["combined"], expected)


@pytest.mark.parametrize(
    ("name", "n", "first"),
    [("resnet18", 1000, "tench"), ("timm:resnet18", 1000, "tench"), ("r3d_18", 400, "abseiling")],
)
def test_categories_come_with_the_published_weights(name: str, n: int, first: str) -> None:
    assert categories_of(name, n)[0] == first
    assert categories_of(name, 7) == tuple("0123456")


def test_a_folder_of_hugging_face_has_its_own_categories(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    config = transformers.ViTConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        image_size=32,
        patch_size=16,
        id2label={0: "bowing", 1: "jumping", 2: "waving"},
    )
    theirs = transformers.ViTForImageClassification(config).eval()
    theirs.save_pretrained(tmp_path / "vit")
    _labels(tmp_path, "label,action\nwaving,wave\nbowing,bow\n")
    network = build_network(_model(tmp_path, f"hf:{tmp_path / 'vit'}"), 2, 32, seed=0)
    with torch.no_grad():
        grey = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1).expand(1, 3, 32, 32)
        scores = theirs(torch.zeros(1, 3, 32, 32)).logits.log_softmax(dim=1)
    found = network({"whole": grey})["combined"]
    torch.testing.assert_close(found, scores[:, [0, 2]], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("label,action\narchary,reach\n", "'archary' is none of the network's 400.*'archery'"),
        ("label,action\n400,reach\n", "'400' is none of the network's 400"),
        ("label,action\narchery,reach\narchery,wave\n", "label 'archery' is there twice"),
        ("label,action\narchery,reach\n5,wave\n", r"'archery' \(5\) is there twice"),
        ("name,action\narchery,reach\n", r"expected the columns \['label', 'action'\]"),
        ("label,action\narchery,\n", "line 2: expected a label and an action"),
    ],
)
def test_labels_that_cannot_be(tmp_path: Path, text: str, said: str) -> None:
    model = _model(tmp_path, labels=_labels(tmp_path, text))
    with pytest.raises(StudyError, match=said):
        positions_by_action(model.labels, action_of_label(model), categories_of("r3d_18", 400))


def test_a_name_of_two_categories_needs_its_number() -> None:
    with pytest.raises(StudyError, match=r"'crane' names the categories \[0, 2\]; give"):
        positions_by_action(Path("l.csv"), {"crane": "lift"}, ("crane", "heron", "crane"))
    found = positions_by_action(Path("l.csv"), {"2": "lift"}, ("crane", "heron", "crane"))
    assert found == {"lift": [2]}


def test_every_action_needs_a_label_and_no_other_may_have_one(tmp_path: Path) -> None:
    model = _model(tmp_path, labels=_labels(tmp_path))
    Pretrained.check_classes(model, ["reach", "wave"])
    with pytest.raises(StudyError, match="no label stands for 'bow', 'jump'; every action"):
        Pretrained.check_classes(model, ["bow", "jump", "reach", "wave"])
    with pytest.raises(StudyError, match=r"'reach' is no action of the study$"):
        Pretrained.check_classes(model, ["wave"])


def test_the_study_is_checked_before_anything_is_built(tmp_path: Path, make_study, drawn) -> None:
    study: Study = make_study()
    model = _model(tmp_path, labels=_labels(tmp_path))
    study = study.model_copy(update={"models": [model]})
    with pytest.raises(StudyError, match="no label stands for 'bow', 'jump'"):
        network_facts(study, model, read_table("manifest", drawn.manifest))


def test_it_is_scored_without_training(results: Results, make_study, tmp_path: Path) -> None:
    theirs = torchvision.models.resnet18(weights=None, num_classes=5)
    _labels(tmp_path, "label,action\n0,bow\n1,jump\n2,reach\n3,wave\n4,wave\n")
    model = _model(tmp_path, "resnet18", weights=_saved(tmp_path, theirs))
    study = make_study().model_copy(update={"models": [model]})
    trained = load_file(train_model(study, results, "public", 0))
    given = theirs.state_dict()["layer4.0.conv1.weight"]
    assert any(
        value.shape == given.shape and torch.equal(value, given) for value in trained.values()
    )
    rows = pd.read_csv(score_model(study, results, "public", 0))
    assert len(rows) == 4 * 3 and set(rows["group"]) == {"public"}
    logits = pd.read_parquet(results.logits("public", 0))
    actions = ["bow", "jump", "reach", "wave"]
    np.testing.assert_array_less(logits[actions].to_numpy(), 0.0)


def test_without_weights_or_labels_it_says_what_is_missing(tmp_path: Path) -> None:
    model = _model(tmp_path, labels=None)
    with pytest.raises(StudyError, match=r"needs labels, a CSV file of label, action; found none"):
        action_of_label(model)
    _labels(tmp_path)
    with pytest.raises(StudyError, match=r"needs weights; the published file of mc3_18 is https"):
        build_network(_model(tmp_path), 2, 32, seed=0)


def test_sums_of_very_small_probabilities_stay_numbers() -> None:
    network = Pretrained.__new__(Pretrained)
    torch.nn.Module.__init__(network)
    network.whole = torch.nn.Identity()
    network.register_buffer("positions", torch.tensor([[0, 0], [1, 2]]))
    network.register_buffer("absent", torch.tensor([[0.0, -torch.inf], [0.0, 0.0]]))
    found = network({"whole": torch.tensor([[300.0, 0.0, 0.0]])})["combined"]
    assert found[0, 0].item() == pytest.approx(0.0)
    assert found[0, 1].item() == pytest.approx(-300 + math.log(2), rel=1e-6)
