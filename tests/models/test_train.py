"""Training: it learns, repeats to the bit, and goes on after a kill as if nothing had happened."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from safetensors.torch import load_file

from models import train as train_module
from models.train import train_model
from study.config import Study, dump_study
from study.errors import StudyError
from study.results import Results
from study.tables import read_table, write_table

ROOT = Path(__file__).parents[2]
MODELS = ["whole", "parts"]


def _weights(path: Path) -> dict[str, bytes]:
    return {name: value.numpy().tobytes() for name, value in load_file(path).items()}


def _curve(results: Results, name: str) -> pd.DataFrame:
    return pd.read_csv(results.learning_curve(name, 0)).drop(columns="images_per_s")


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
    assert train_model(make_study(epochs=1, threads=1), results, "whole", 0) == final
    assert final.stat().st_mtime_ns == written_at
    train_model(make_study(epochs=1, lr=0.01), results, "whole", 0)
    assert _weights(final) != before


@pytest.mark.parametrize("name", MODELS)
def test_kill_9_at_any_moment_changes_nothing(
    name: str, results: Results, make_study: Callable[..., Study], tmp_path: Path
) -> None:
    study = make_study(epochs=6)
    final = train_model(study, results, name, 0)
    expected, curve = final.read_bytes(), _curve(results, name)
    final.unlink()
    results.learning_curve(name, 0).unlink()
    file = tmp_path / "study.toml"
    file.write_text(dump_study(study))
    for after_epochs in (1, 3):
        _train_and_kill(file, results, name, after_epochs)
        assert not final.exists()
    assert train_model(study, results, name, 0).read_bytes() == expected
    pd.testing.assert_frame_equal(_curve(results, name), curve)
    assert [path.name for path in final.parent.glob("*.safetensors")] == ["final.safetensors"]


def _train_and_kill(file: Path, results: Results, name: str, after_epochs: int) -> None:
    """Train in a process of its own, which is killed within the epoch after so many."""
    code = (
        "import sys; from pathlib import Path\n"
        "from models.train import train_model\n"
        "from study.config import load_study\n"
        "from study.results import Results\n"
        "study = load_study(sys.argv[1])\n"
        "train_model(study, Results(Path(sys.argv[2])), sys.argv[3], 0)\n"
    )
    run = subprocess.Popen(
        [sys.executable, "-c", code, str(file), str(results.root), name], cwd=ROOT
    )
    curve = results.learning_curve(name, 0)
    while not curve.is_file() or curve.read_text().count("\n") < after_epochs + 1:
        assert run.poll() is None, "training ended before it was killed"
        time.sleep(0.002)
    time.sleep(random.Random(after_epochs).uniform(0, 0.05))
    os.kill(run.pid, signal.SIGKILL)
    assert run.wait() == -signal.SIGKILL


def test_changed_settings_do_not_go_on_from_an_old_state(
    results: Results, make_study: Callable[..., Study], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = _weights(train_model(make_study(epochs=1), results, "whole", 0))
    results.checkpoint("whole", 0).unlink()

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(train_module, "_write_curve", stop)
        with pytest.raises(KeyboardInterrupt):
            train_model(make_study(epochs=1, lr=0.5), results, "whole", 0)
    train_model(make_study(epochs=1), results, "whole", 0)
    assert _weights(results.checkpoint("whole", 0)) == expected


def test_a_loss_that_is_no_number_stops_training(
    results: Results, make_study: Callable[..., Study]
) -> None:
    study = make_study(optimizer="sgd", lr=1e30, schedule="constant")
    with pytest.raises(StudyError, match=r"whole, seed 0: the loss is .* in epoch 1"):
        train_model(study, results, "whole", 0)
    assert not results.checkpoint("whole", 0).exists()


def test_without_validation_clips_the_curve_has_gaps(
    results: Results, make_study: Callable[..., Study]
) -> None:
    manifest = read_table("manifest", results.manifest)
    manifest["split"] = manifest["split"].replace("validation", "train")
    write_table("manifest", manifest, results.manifest)
    train_model(make_study(epochs=1), results, "parts", 0)
    assert _curve(results, "parts").filter(like="validation_").isna().all(axis=None)


def test_a_missing_version_is_named(results: Results, make_study: Callable[..., Study]) -> None:
    manifest = read_table("manifest", results.manifest)
    write_table("manifest", manifest[manifest["condition"] != "body_only"], results.manifest)
    with pytest.raises(StudyError, match=r"'parts' .* needs the version 'body_only'"):
        train_model(make_study(), results, "parts", 0)
