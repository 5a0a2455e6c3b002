"""Training: it learns, repeats to the bit, and goes on after a kill as if nothing had happened."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from models import train as train_module
from models import training_loop
from models.architectures import build_network
from models.batches import Batch
from models.checkpoint import read_facts
from models.inference import Reader
from models.train import train_model
from models.training_log import TrainingLog
from models.validation import estimate_statistics, versions_as_trained
from study.conditions import MAIN_CONDITIONS
from study.config import Study
from study.errors import StudyError
from study.fields import Model, Training
from study.results import Results
from study.tables import read_table, write_table

MODELS = ["whole", "parts"]


@pytest.fixture
def make_study(make_study: Callable[..., Study]) -> Callable[..., Study]:
    """Make the study of shapes, for one core: several wait for each other where others work."""
    return lambda **training: make_study(**{"threads": 1} | training)


def _weights(path: Path) -> dict[str, bytes]:
    return {name: value.numpy().tobytes() for name, value in load_file(path).items()}


def _curve(results: Results, name: str) -> pd.DataFrame:
    return pd.read_csv(results.learning_curve(name, 0)).drop(columns=["images_per_s", "memory_mib"])


@pytest.mark.parametrize("name", MODELS)
def test_it_learns_and_writes_a_curve(
    name: str, results: Results, make_study: Callable[..., Study]
) -> None:
    train_model(make_study(epochs=3), results, name, 0)
    curve = _curve(results, name)
    terms = [column for column in curve if column.startswith("loss_")]
    assert terms == (
        ["loss_combined"] if name == "whole" else ["loss_body", "loss_background", "loss_combined"]
    )
    assert list(curve["epoch"]) == [1, 2, 3]
    assert list(curve["step"]) == [10, 20, 30]
    assert curve["loss"].to_numpy() == pytest.approx(curve[terms].sum(axis=1).to_numpy(), rel=1e-5)
    assert curve["loss"].iloc[-1] < curve["loss"].iloc[0] / 2
    assert curve["train_accuracy"].iloc[-1] > 0.9
    assert curve["validation_body_background"].iloc[-1] >= 0.75
    assert curve.filter(like="validation_").shape[1] == 3


@pytest.mark.parametrize("name", MODELS)
def test_equal_runs_give_equal_bytes_and_seeds_differ(
    name: str, results: Results, make_study: Callable[..., Study]
) -> None:
    study = make_study(epochs=1)
    final = train_model(study, results, name, 0)
    first, curve = final.read_bytes(), _curve(results, name)
    final.unlink()
    assert train_model(study, results, name, 0).read_bytes() == first
    pd.testing.assert_frame_equal(_curve(results, name), curve)
    assert _weights(train_model(study, results, name, 1)) != _weights(final)


def test_a_finished_training_is_kept_until_its_settings_change(
    results: Results, make_study: Callable[..., Study], monkeypatch: pytest.MonkeyPatch
) -> None:
    final = train_model(make_study(epochs=1), results, "whole", 0)
    written_at, before = final.stat().st_mtime_ns, _weights(final)
    assert train_model(make_study(epochs=1, threads=2), results, "whole", 0) == final
    assert final.stat().st_mtime_ns == written_at
    train_model(make_study(epochs=1, lr=0.01), results, "whole", 0)
    assert _weights(final) != before


def test_changed_settings_do_not_go_on_from_an_old_state(
    results: Results, make_study: Callable[..., Study]
) -> None:
    expected = _weights(train_model(make_study(epochs=1), results, "whole", 0))
    results.checkpoint("whole", 0).unlink()
    _train_and_stop(make_study(epochs=2, lr=0.5), results, "whole", after_epochs=1)
    train_model(make_study(epochs=1), results, "whole", 0)
    assert _weights(results.checkpoint("whole", 0)) == expected


class _Stopped(Exception):
    pass


def _train_and_stop(study: Study, results: Results, name: str, after_epochs: int) -> None:
    """Train until so many epochs are written down; leave what a kill then would leave."""

    write_down = TrainingLog.write

    def write(self: TrainingLog, curve: list[dict[str, float]]) -> None:
        if len(curve) == after_epochs:
            raise _Stopped
        write_down(self, curve)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(_Stopped):
        patch.setattr(TrainingLog, "write", write)
        train_model(study, results, name, 0)
    assert (results.model(name, 0) / "unfinished.safetensors").is_file()


@pytest.mark.parametrize("kind", [{"keep": "best"}, {"mixup": 0.4, "precision": "bfloat16"}])
def test_every_setting_goes_on_to_the_bit(
    kind: dict[str, object], results: Results, make_study: Callable[..., Study]
) -> None:
    study = make_study(epochs=3, max_gradient=1.0, **kind)
    parts = study.model("parts").model_copy(update={"blank_share": 0.3, "fusion": "weights"})
    study = study.model_copy(update={"models": [parts]})
    final = train_model(study, results, "parts", 0)
    expected, curve = final.read_bytes(), _curve(results, "parts")
    final.unlink()
    _train_and_stop(study, results, "parts", after_epochs=2)
    assert train_model(study, results, "parts", 0).read_bytes() == expected
    pd.testing.assert_frame_equal(_curve(results, "parts"), curve)


def test_a_loss_that_is_no_number_names_step_and_clips(
    results: Results, make_study: Callable[..., Study]
) -> None:
    study = make_study(optimizer="sgd", lr=1e30, schedule="constant")
    with pytest.raises(StudyError) as error:
        train_model(study, results, "whole", 0)
    text = str(error.value)
    assert re.search(r"whole, seed 0: the loss is (nan|inf) in epoch 1, step \d+ of 10", text)
    assert re.search(r"clips (\w+_00[345](, )?)+\. The last good state is kept", text)
    assert not results.checkpoint("whole", 0).exists()


def test_the_state_before_a_loss_that_is_no_number_is_kept(
    results: Results, make_study: Callable[..., Study], monkeypatch: pytest.MonkeyPatch
) -> None:
    study = make_study(epochs=3)
    expected = train_model(study, results, "whole", 0)
    weights = expected.read_bytes()
    expected.unlink()
    rate = training_loop.learning_rate

    def wild(step: int, training: Training) -> float:
        return 1e30 if step == 24 else rate(step, training)

    with monkeypatch.context() as patch, pytest.raises(StudyError, match="in epoch 3, step 6 of"):
        patch.setattr(training_loop, "learning_rate", wild)
        train_model(study, results, "whole", 0)
    assert len(_curve(results, "whole")) == 2
    # Once the cause is mended, it goes on as if nothing had been.
    assert train_model(study, results, "whole", 0).read_bytes() == weights


def test_weights_that_are_no_numbers_are_not_saved(
    results: Results, make_study: Callable[..., Study], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        training_loop, "learning_rate", lambda step, training: 1e38 if step == 9 else 1e-3
    )
    study = make_study(optimizer="sgd", epochs=1, weight_decay=1e3)
    with pytest.raises(StudyError, match=r"weights are no numbers any more in epoch 1, step 10 of"):
        train_model(study, results, "whole", 0)
    assert not list(results.model("whole", 0).glob("*.safetensors"))


def _decided_by(monkeypatch: pytest.MonkeyPatch, values: list[float]) -> None:
    """Let validation give these values, epoch after epoch."""
    given = iter(values)

    def accuracy(self: Reader, classes: list[str], absent_part: str) -> dict[str, float]:
        return {"body_background": next(given), "body_only": 1.0, "background_only": 1.0}

    monkeypatch.setattr(Reader, "validation_accuracy", accuracy)


def test_the_best_epoch_is_kept_and_the_earliest_of_equals(
    results: Results, make_study: Callable[..., Study], monkeypatch: pytest.MonkeyPatch
) -> None:
    states: list[dict[str, bytes]] = []
    decide = training_loop.validated

    def noting(reader: Reader, classes: list[str], absent_part: str) -> dict[str, float]:
        state = reader.network.state_dict()
        states.append({f"weights/{key}": value.numpy().tobytes() for key, value in state.items()})
        return decide(reader, classes, absent_part)

    monkeypatch.setattr(training_loop, "validated", noting)
    _decided_by(monkeypatch, [0.2, 0.7, 0.7, 0.5])
    final = train_model(make_study(epochs=4, keep="best"), results, "whole", 0)
    assert len(states) == 4
    assert _weights(final) == states[1]
    assert read_facts(final)["epoch"] == 2
    _decided_by(monkeypatch, [0.2, 0.7, 0.7, 0.5])
    assert _weights(train_model(make_study(epochs=4), results, "whole", 0)) == states[-1]


def test_training_stops_when_it_gets_no_better(
    results: Results, make_study: Callable[..., Study], monkeypatch: pytest.MonkeyPatch
) -> None:
    _decided_by(monkeypatch, [0.2, 0.7, 0.7, 0.6, 0.9, 0.9])
    train_model(make_study(epochs=6, patience=2), results, "whole", 0)
    assert len(_curve(results, "whole")) == 4
    _decided_by(monkeypatch, [0.2, 0.7, 0.7, 0.6, 0.9, 0.9])
    train_model(make_study(epochs=6, patience=3), results, "whole", 0)
    assert len(_curve(results, "whole")) == 6


@pytest.mark.parametrize("field", [{"keep": "best"}, {"patience": 3}])
def test_without_validation_clips_nothing_can_be_best(
    field: dict[str, object], results: Results, make_study: Callable[..., Study]
) -> None:
    _without_validation(results)
    with pytest.raises(StudyError, match=r"goes by validation clips, the manifest has none"):
        train_model(make_study(**field), results, "whole", 0)


def test_the_versions_that_decide_are_those_read_as_trained(
    make_study: Callable[..., Study],
) -> None:
    expected = {
        "baseline": ["body_background"],
        "mixed": list(MAIN_CONDITIONS),
        "domainnet": ["body_background"],
        "domainnet_random": ["body_background"],
        # Exchanged after training, it reads nothing as it was trained.
        "domainnet_swapped": ["body_only", "background_only"],
        "two_streams": ["body_background"],
        "soft_mask": ["body_background"],
    }
    for architecture, versions in expected.items():
        model = Model(name="network", architecture=architecture, backbone="tiny")
        network = build_network(model, 2, 32, seed=0)
        assert versions_as_trained(network, MAIN_CONDITIONS) == versions, architecture


def test_statistics_are_the_mean_of_their_batches() -> None:
    model = Model(name="network", architecture="baseline", backbone="tiny")
    network = build_network(model, 2, 32, seed=0)
    generator = torch.Generator().manual_seed(0)
    batches = [
        Batch(step, {"whole": torch.rand(8, 3, 32, 32, generator=generator) * 0.3}, {}, {}, 1.0)
        for step in range(3)
    ]
    norm = network.whole.backbone.stem[1]
    norm.running_mean += 50.0
    inputs: list[torch.Tensor] = []
    hook = norm.register_forward_pre_hook(lambda _, seen: inputs.append(seen[0].detach()))
    before = {name: value.clone() for name, value in network.named_parameters()}
    estimate_statistics(network, batches, "float32")
    hook.remove()
    assert not network.training and not norm.training and norm.momentum == 0.1
    mean = torch.stack([seen.mean(dim=(0, 2, 3)) for seen in inputs]).mean(dim=0)
    variance = torch.stack([seen.var(dim=(0, 2, 3)) for seen in inputs]).mean(dim=0)
    torch.testing.assert_close(norm.running_mean, mean)
    torch.testing.assert_close(norm.running_var, variance)
    assert all(torch.equal(value, before[name]) for name, value in network.named_parameters())


def test_accuracy_does_not_swing_while_weights_move_fast(
    results: Results, make_study: Callable[..., Study], monkeypatch: pytest.MonkeyPatch
) -> None:
    study = make_study(epochs=4, lr=0.03, schedule="constant")
    train_model(study, results, "parts", 0)
    steady = _curve(results, "parts")["accuracy_as_trained"]
    results.checkpoint("parts", 0).unlink()
    monkeypatch.setattr(training_loop, "estimate_statistics", lambda *_: None)
    train_model(study, results, "parts", 0)
    swinging = _curve(results, "parts")["accuracy_as_trained"]
    assert steady.min() > 0.6
    assert swinging.min() < 0.4


def test_with_a_frozen_backbone_only_the_head_learns(
    results: Results, make_study: Callable[..., Study]
) -> None:
    study = make_study(epochs=1)
    model = study.model("parts").model_copy(update={"train": "head"})
    study = study.model_copy(update={"models": [model]})
    final = load_file(train_model(study, results, "parts", 0))
    start = build_network(model, 4, 32, seed=0).state_dict()
    changed = {
        name for name, value in start.items() if not torch.equal(value, final[f"weights/{name}"])
    }
    assert changed == {
        f"streams.{stream}.head.{part}"
        for stream in ("body", "background")
        for part in ("weight", "bias")
    }


def test_a_network_that_cannot_learn_is_saved_at_once(
    results: Results, make_study: Callable[..., Study], monkeypatch: pytest.MonkeyPatch
) -> None:
    build = train_module.build_network

    def frozen(*arguments: object, **more: object) -> torch.nn.Module:
        return build(*arguments, **more).requires_grad_(False)

    monkeypatch.setattr(train_module, "build_network", frozen)
    study = make_study()
    final = _weights(train_model(study, results, "whole", 0))
    start = build(study.model("whole"), 4, 32, 0).state_dict()
    assert final == {f"weights/{name}": value.numpy().tobytes() for name, value in start.items()}


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB"),
        MemoryError(),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 12 bytes"),
        RuntimeError("MPS backend out of memory (MPS allocated: 8.00 GB)"),
        RuntimeError("CUDA error: out of memory"),
    ],
)
def test_lack_of_memory_brings_advice(
    error: Exception,
    results: Results,
    make_study: Callable[..., Study],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(training_loop.TrainingLoop, "_step", fail)
    expected = (
        r"whole, seed 0: out of memory on cpu: at most \d+ MiB .*"
        r"batch_size = 8 \(now 16\) and training.image_size = 22 \(now 32\)"
    )
    with pytest.raises(StudyError, match=expected):
        train_model(make_study(), results, "whole", 0)


def test_other_errors_stay_what_they_are(
    results: Results, make_study: Callable[..., Study], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("shapes do not fit")

    monkeypatch.setattr(training_loop.TrainingLoop, "_step", fail)
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        train_model(make_study(), results, "whole", 0)


def test_tensorboard_shows_the_curve_of_the_training_that_counts(
    results: Results, make_study: Callable[..., Study]
) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    # Other settings before: what it wrote is void.
    train_model(make_study(epochs=2, lr=0.5), results, "whole", 0)
    study = make_study(epochs=3)
    _train_and_stop(study, results, "whole", after_epochs=2)
    train_model(study, results, "whole", 0)
    events = EventAccumulator(str(results.model("whole", 0) / "tensorboard")).Reload()
    curve = _curve(results, "whole").set_index("step")
    for tag, column in (("loss", "loss"), ("validation/body_only", "validation_body_only")):
        found = {event.step: event.value for event in events.Scalars(tag)}
        # The training was stopped before it wrote the events of the second epoch.
        assert found == pytest.approx(curve[column].drop(20).to_dict())


def test_without_tensorboard_the_table_is_written(
    results: Results,
    make_study: Callable[..., Study],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    # It was imported by other tests; None in its place is how Python marks what is not there.
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with caplog.at_level("INFO", logger="bodyscene"):
        train_model(make_study(epochs=1), results, "whole", 0)
    assert caplog.text.count("TensorBoard is not installed") == 1
    assert len(_curve(results, "whole")) == 1
    assert not (results.model("whole", 0) / "tensorboard").exists()


def _without_validation(results: Results) -> None:
    manifest = read_table("manifest", results.manifest)
    manifest["split"] = manifest["split"].replace("validation", "train")
    write_table("manifest", manifest, results.manifest)


def test_without_validation_clips_the_curve_has_gaps(
    results: Results, make_study: Callable[..., Study]
) -> None:
    _without_validation(results)
    train_model(make_study(epochs=1), results, "parts", 0)
    assert _curve(results, "parts").filter(like="validation_").isna().all(axis=None)


def test_a_missing_version_is_named(results: Results, make_study: Callable[..., Study]) -> None:
    manifest = read_table("manifest", results.manifest)
    write_table("manifest", manifest[manifest["condition"] != "body_only"], results.manifest)
    with pytest.raises(StudyError, match=r"'parts' .* needs the version 'body_only'"):
        train_model(make_study(), results, "parts", 0)
