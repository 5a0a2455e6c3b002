"""Architectures, backbones, readings, the loss, devices and the learning rate."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from models.architectures import build_network, check_networks, check_versions
from models.devices import pick_device
from models.domainnet import EXCHANGED, OWN
from models.loss import IGNORED, loss_terms
from models.network import Network
from models.optimization import learning_rate
from models.views import LENT_BACKGROUND
from study.conditions import CONDITIONS, MAIN_CONDITIONS
from study.config import load_study
from study.errors import StudyError
from study.fields import Model, Training

ROOT = Path(__file__).resolve().parents[2]
N_CLASSES = 7
SIDE = 32
PICTURE_NETWORKS = (
    "baseline",
    "baseline_wide",
    "mixed",
    "domainnet",
    "domainnet_random",
    "domainnet_swapped",
    "two_streams",
)


def _model(architecture: str, backbone: str = "tiny", **fields: object) -> Model:
    return Model(name="network", architecture=architecture, backbone=backbone, **fields)


def _network(architecture: str, seed: int = 0, **fields: object) -> Network:
    return build_network(_model(architecture, **fields), N_CLASSES, SIDE, seed)


def _frames(streams: Iterable[str]) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(5)
    return {name: torch.rand(2, 3, SIDE, SIDE, generator=generator) for name in streams}


@pytest.mark.parametrize("architecture", PICTURE_NETWORKS)
def test_every_output_scores_every_class(architecture: str) -> None:
    network = _network(architecture)
    scores = network(_frames(network.trained_on[0]))
    assert "combined" in scores
    assert all(out.shape == (2, N_CLASSES) for out in scores.values() if out.ndim)


@pytest.mark.parametrize("architecture", PICTURE_NETWORKS)
@pytest.mark.parametrize("condition", CONDITIONS)
def test_every_reading_can_be_read(architecture: str, condition: str) -> None:
    network = _network(architecture).eval()
    for reading in network.readings(condition).values():
        assert network(_frames(reading))["combined"].shape == (2, N_CLASSES)


def test_weights_follow_from_the_seed_and_leave_the_global_generator_alone() -> None:
    before = torch.random.get_rng_state()
    first, again, other = (_network("domainnet", seed).state_dict() for seed in (3, 3, 4))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(first[name], again[name]) for name in first)
    weight = "streams.body.head.weight"
    assert not torch.equal(first[weight], other[weight])
    assert not torch.equal(first[weight], first[weight.replace("body", "background")])


def test_domainnet_sums_the_streams_that_are_given() -> None:
    network = _network("domainnet").eval()
    frames = _frames(["body", "background"])
    both = network(frames)
    torch.testing.assert_close(both["combined"], both["body"] + both["background"])
    alone = network({"body": frames["body"]})
    assert set(alone) == {"body", "combined"}
    torch.testing.assert_close(alone["combined"], both["body"])


def test_a_stream_does_not_learn_from_the_loss_of_the_other() -> None:
    network = _network("domainnet")
    loss_terms(network(_frames(OWN)), torch.tensor([1, 2]))["body"].backward()
    body, background = network.streams["body"], network.streams["background"]
    assert all(weight.grad is not None for weight in body.parameters())
    assert all(weight.grad is None for weight in background.parameters())


def test_the_product_answers_as_the_sum_does_and_the_mixture_does_not() -> None:
    frames = _frames(OWN)
    probabilities = {}
    for fusion in ("sum", "product", "mixture"):
        network = _network("domainnet", fusion=fusion).eval()
        found = network(frames)
        probabilities[fusion] = found["combined"].softmax(dim=1)
    torch.testing.assert_close(probabilities["product"], probabilities["sum"])
    mean = (found["body"].softmax(dim=1) + found["background"].softmax(dim=1)) / 2
    torch.testing.assert_close(probabilities["mixture"], mean)


def test_learned_weights_start_as_the_sum_and_learn() -> None:
    frames, labels = _frames(OWN), torch.tensor([1, 2])
    network = _network("domainnet", fusion="weights").eval()
    torch.testing.assert_close(
        network(frames)["combined"], _network("domainnet").eval()(frames)["combined"]
    )
    loss_terms(network(frames), labels)["combined"].backward()
    assert all(weight.grad.abs() > 0 for weight in network.fusion.log_weights.values())


def test_a_perceptron_cannot_leave_a_stream_out() -> None:
    network = _network("domainnet", fusion="mlp").eval()
    assert set(network.readings("body_only")) == {"blank"}
    frames = _frames(OWN)
    before = network(frames)["combined"]
    # It reads features: the classifiers of the streams do not matter to it.
    torch.nn.init.zeros_(network.streams["body"].head.weight)
    torch.testing.assert_close(network(frames)["combined"], before)


def test_temperature_divides_a_streams_scores_before_fusion() -> None:
    frames = _frames(OWN)
    cooled = _network("domainnet", temperature={"body": 4.0}).eval()(frames)
    torch.testing.assert_close(cooled["combined"], cooled["body"] / 4 + cooled["background"])


@pytest.mark.parametrize("field", ["losses", "temperature"])
def test_an_unknown_stream_in_the_settings_is_named(field: str) -> None:
    with pytest.raises(StudyError, match=rf"{field}\.hands: domainnet has no such .*'background'"):
        _network("domainnet", **{field: {"hands": 1.0}})


@pytest.mark.parametrize(
    ("architecture", "settings", "said"),
    [
        ("domainnet", {"temperature": {"combined": 2.0}}, r"temperature\.combined"),
        ("baseline", {"temperature": {"body": 2.0}}, r"temperature\.body: .* nothing is fused"),
        ("baseline", {"losses": {"body": 0.0}}, r"losses\.body: .* expected 'combined'"),
        ("baseline", {"fusion": "mlp"}, "one stream and nothing to fuse"),
        ("baseline", {"blank_share": 0.2}, "blank_share = 0.2"),
        ("domainnet", {"losses": {"combined": 0.0}, "fusion": "mlp"}, "losses.combined = 0"),
        ("domainnet", {"losses": {"combined": 0.0}, "fusion": "weights"}, "losses.combined = 0"),
    ],
)
def test_settings_that_would_do_nothing_are_refused(
    architecture: str, settings: dict[str, object], said: str
) -> None:
    model = Model(name="net", architecture=architecture, backbone="tiny", **settings)
    with pytest.raises(StudyError, match=said):
        build_network(model, 3, 64, seed=0)


@pytest.mark.parametrize("architecture", ["baseline", "domainnet"])
def test_a_loss_without_terms_is_an_error(architecture: str) -> None:
    network = _network(architecture)
    outputs = {name: torch.zeros(2, 3) for name in [*network.trained_on[0], "combined"]}
    with pytest.raises(StudyError, match="nothing is left to learn by"):
        loss_terms(outputs, torch.tensor([0, 1]), dict.fromkeys(outputs, 0.0))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"architecture": "domainnett"}, "'domainnett'; expected one of"),
        ({"backbone": "resnet51"}, "'resnet51' .did you mean"),
        ({"weights": Path("absent.pth"), "backbone": "resnet18"}, "absent.pth.*no such file"),
        ({"temperature": {"hands": 2.0}}, r"temperature\.hands"),
    ],
)
def test_mistakes_in_networks_show_before_anything_is_made(
    settings: dict[str, object], said: str
) -> None:
    demo = load_study(ROOT / "studies" / "demo.toml")
    check_networks(demo)
    wrong = demo.models[1].model_copy(update=settings)
    with pytest.raises(StudyError, match=said):
        check_networks(demo.model_copy(update={"models": [demo.models[0], wrong]}))


def test_a_network_of_a_version_that_is_not_made_is_named() -> None:
    demo = load_study(ROOT / "studies" / "demo.toml")
    versions = demo.versions.model_copy(update={"conditions": ("body_background", "body_only")})
    with pytest.raises(StudyError, match=r"'domainnet'.* needs the version 'background_only'"):
        check_networks(demo.model_copy(update={"versions": versions}))


def test_the_wide_baseline_has_as_many_parameters_as_two_backbones() -> None:
    n_wide, n_one = (
        sum(weight.numel() for weight in _network(name).whole.backbone.parameters())
        for name in ("baseline_wide", "baseline")
    )
    assert n_wide == pytest.approx(2 * n_one, rel=0.02)


def test_readings_of_every_version() -> None:
    whole, parts = _network("baseline"), _network("domainnet")
    for condition in MAIN_CONDITIONS:
        assert whole.readings(condition) == {"plain": {"whole": condition}}
    assert parts.readings("body_background") == {"blank": OWN, "drop": OWN}
    assert parts.readings("body_only") == {
        "blank": {"body": "body_only", "background": "blank"},
        "drop": {"body": "body_only"},
    }
    assert parts.readings("background_only") == {
        "blank": {"body": "blank", "background": "background_only"},
        "drop": {"background": "background_only"},
    }


def test_readings_of_the_further_versions() -> None:
    network = _network("domainnet")
    assert network.readings("silhouette")["drop"] == {"body": "silhouette"}
    assert network.readings("point_light")["blank"] == {
        "body": "point_light",
        "background": "blank",
    }
    assert network.readings("swapped_background")["drop"] == {
        "body": "body_only",
        "background": LENT_BACKGROUND,
    }
    # Their parts are not made one by one.
    assert network.readings("blurred_background") == {}
    assert network.readings("inpaint_control") == {}


def test_readings_of_the_controls() -> None:
    assert _network("two_streams").readings("body_only") == {
        "plain": {"first": "body_only", "second": "body_only"}
    }
    exchanged = _network("domainnet_swapped")
    assert exchanged.trained_on == (OWN,)
    assert exchanged.readings("body_background")["drop"] == EXCHANGED
    assert exchanged.readings("body_only")["drop"] == {"background": "body_only"}
    assert _network("domainnet_random").trained_on == (OWN, EXCHANGED)
    assert {each["whole"] for each in _network("mixed").trained_on} == set(MAIN_CONDITIONS)


def test_a_version_that_training_needs_is_named() -> None:
    with pytest.raises(StudyError, match="needs the version 'background_only'"):
        check_versions(_model("domainnet"), ["body_background", "body_only"])


def test_a_network_of_ones_own_is_found_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_networks.py").write_text(
        "from models.streams import OneStream\n"
        "class BodyNet(OneStream):\n"
        "    trained_on = ({'whole': 'body_only'},)\n"
        "class NoNet:\n"
        "    pass\n"
    )
    monkeypatch.chdir(tmp_path)
    network = _network("my_networks:BodyNet")
    assert network(_frames(["whole"]))["combined"].shape == (2, N_CLASSES)
    for name, said in {
        "my_networks:NoNet": "expected a class derived from Network",
        "my_networks:Absent": "has no",
        "no_such_module:Net": "no_such_module",
    }.items():
        with pytest.raises(StudyError, match=said):
            _network(name)


def test_an_unknown_architecture_lists_the_names() -> None:
    with pytest.raises(StudyError, match=r"'domainet'; expected one of 'baseline'"):
        _network("domainet")


def test_terms_are_weighted_ignored_and_switched_off() -> None:
    labels = torch.tensor([0, 1])
    scores = torch.tensor([[2.0, 0.0], [0.0, 1.0]])
    each = -scores.log_softmax(dim=1).diagonal()
    outputs = {"body": scores, "background": scores, "combined": scores, "mask": torch.tensor(0.3)}
    terms = loss_terms(
        outputs,
        {"body": torch.tensor([0, IGNORED]), "background": labels, "combined": labels},
        {"combined": 0.5, "background": 0.0},
    )
    assert set(terms) == {"body", "combined", "mask"}
    torch.testing.assert_close(terms["body"], each[0])
    torch.testing.assert_close(terms["combined"], each.mean() / 2)
    assert terms["mask"] == outputs["mask"]


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
