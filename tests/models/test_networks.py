"""Architectures, backbones, readings, the loss, devices and the learning rate."""

from __future__ import annotations

import logging
import math

import numpy as np
import pytest
import torch

from models.architectures import ARCHITECTURES, build_network, trained_on
from models.backbones import backbone_names, build_backbone
from models.baseline import Baseline
from models.devices import pick_device
from models.domainnet import DomainNet
from models.loss import loss_terms
from models.optimization import learning_rate
from models.readings import LENT_BACKGROUND
from study.conditions import MAIN_CONDITIONS
from study.errors import StudyError
from study.fields import Model, Training

N_CLASSES = 7


def _model(architecture: str, backbone: str = "tiny") -> Model:
    return Model(name="network", architecture=architecture, backbone=backbone)


@pytest.mark.parametrize("backbone", ["tiny", "resnet18"])
@pytest.mark.parametrize("architecture", list(ARCHITECTURES))
def test_every_output_scores_every_class(architecture: str, backbone: str) -> None:
    network = build_network(_model(architecture, backbone), N_CLASSES, seed=0)
    frames = {name: torch.rand(2, 3, 32, 32) for name in network.streams}
    scores = network(frames)
    assert "combined" in scores
    assert all(out.shape == (2, N_CLASSES) for out in scores.values())


def test_unknown_backbone_lists_the_names() -> None:
    with pytest.raises(StudyError, match=r"'resnet19'; expected one of 'tiny', .*'resnet50'"):
        build_backbone("resnet19", N_CLASSES)
    assert {"resnet18", "resnet34", "resnet50", "resnet101"} < set(backbone_names())


def test_weights_follow_from_the_seed_and_leave_the_global_generator_alone() -> None:
    before = torch.random.get_rng_state()
    first, again, other = (
        build_network(_model("domainnet"), N_CLASSES, seed).state_dict() for seed in (3, 3, 4)
    )
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(first[name], again[name]) for name in first)
    weight = "body.1.head.weight"
    assert not torch.equal(first[weight], other[weight])
    assert not torch.equal(first[weight], first[weight.replace("body", "background")])


def test_domainnet_sums_the_streams_that_are_given() -> None:
    network = build_network(_model("domainnet"), N_CLASSES, seed=0).eval()
    body, background = torch.rand(2, 2, 3, 32, 32)
    both = network({"body": body, "background": background})
    torch.testing.assert_close(both["combined"], both["body"] + both["background"])
    alone = network({"body": body})
    assert set(alone) == {"body", "combined"}
    torch.testing.assert_close(alone["combined"], both["body"])


def test_a_stream_does_not_learn_from_the_loss_of_the_other() -> None:
    network = build_network(_model("domainnet"), N_CLASSES, seed=0)
    frames = {name: torch.rand(2, 3, 32, 32) for name in network.streams}
    loss_terms(network(frames), torch.tensor([1, 2]))["body"].backward()
    assert all(weight.grad is not None for weight in network.body.parameters())
    assert all(weight.grad is None for weight in network.background.parameters())


def test_readings_of_every_version() -> None:
    for condition in MAIN_CONDITIONS:
        assert Baseline.readings(condition) == {"plain": {"whole": condition}}
    parts = {"body": "body_only", "background": "background_only"}
    assert DomainNet.readings("body_background") == {"blank": parts, "drop": parts}
    assert DomainNet.readings("body_only") == {
        "blank": {"body": "body_only", "background": "blank"},
        "drop": {"body": "body_only"},
    }
    assert DomainNet.readings("background_only") == {
        "blank": {"body": "blank", "background": "background_only"},
        "drop": {"background": "background_only"},
    }


def test_readings_of_the_further_versions() -> None:
    assert DomainNet.readings("silhouette")["drop"] == {"body": "silhouette"}
    assert DomainNet.readings("point_light")["blank"] == {
        "body": "point_light",
        "background": "blank",
    }
    assert DomainNet.readings("swapped_background")["drop"] == {
        "body": "body_only",
        "background": LENT_BACKGROUND,
    }
    # Their parts are not made one by one.
    assert DomainNet.readings("blurred_background") == {}
    assert DomainNet.readings("inpaint_control") == {}


def test_a_version_that_training_needs_is_named() -> None:
    with pytest.raises(StudyError, match="needs the version 'background_only'"):
        trained_on(_model("domainnet"), ["body_background", "body_only"])


def test_loss_is_one_cross_entropy_per_output() -> None:
    labels = torch.tensor([0, 2])
    even = torch.zeros(2, 4)
    sure = torch.tensor([[9.0, 0, 0, 0], [0, 0, 9.0, 0]])
    terms = loss_terms({"body": even, "background": sure, "combined": even + sure}, labels)
    of_sure = math.log(1 + 3 * math.exp(-9))
    np.testing.assert_allclose(terms["body"].item(), math.log(4), rtol=1e-6)
    np.testing.assert_allclose(terms["background"].item(), of_sure, rtol=1e-3)
    np.testing.assert_allclose(terms["combined"].item(), of_sure, rtol=1e-3)


def test_the_device_is_said_aloud(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="bodyscene"):
        device = pick_device("auto")
    assert f"networks run on {device}" in caplog.text


@pytest.mark.parametrize("asked", ["cuda:99", "mps", "tpu"])
def test_an_absent_or_unknown_device_is_an_error(
    asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(StudyError, match=f"training.device = '{asked}'"):
        pick_device(asked)


def test_learning_rate_rises_then_falls_along_a_cosine() -> None:
    training = Training(schedule="cosine", lr=0.1, epochs=10, batches_per_epoch=10)
    rates = [learning_rate(step, training) for step in range(100)]
    assert rates[0] == pytest.approx(0.02)
    assert max(rates) == rates[4] == pytest.approx(0.1)
    # Half of the fall lies at half of the way from step 5 to step 100.
    assert learning_rate(52, training) == pytest.approx(0.05, abs=0.002)
    assert rates[-1] < 1e-4
    assert learning_rate(7, Training(lr=0.3)) == 0.3
