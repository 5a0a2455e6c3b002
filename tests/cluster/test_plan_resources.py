"""The measurement itself, on a study of a few tiny clips; nothing of it may be left behind."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest

from cluster.child import NotMeasured, in_child, peak_mb
from cluster.costs import ResourcePlan, plan_resources
from cluster.options import PlanOptions
from cluster.step_costs import StepCost
from study.config import Study
from study.results import Results

MB = 10**6


def tiny_study() -> Study:
    return Study.model_validate(
        {
            "name": "tiny",
            "title": "Tiny",
            "seed": 1,
            "dataset": {
                "kind": "synthetic",
                "n_actions": 4,
                "clips_per_action": 5,
                "width": 64,
                "height": 36,
                "n_frames": 4,
            },
            "masks": {"source": "truth"},
            "versions": {"width": 64, "height": 36},
            "trials": {"n_choices": 3},
            "training": {
                "image_size": 32,
                "batch_size": 8,
                "batches_per_epoch": 3,
                "epochs": 2,
                "threads": 1,
                "device": "cpu",
            },
            "models": [{"name": "net", "architecture": "baseline", "backbone": "tiny"}],
        }
    )


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> tuple[ResourcePlan, Path]:
    """Plan with a folder for temporary files of its own."""
    place = tmp_path_factory.mktemp("temporary")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(place))
        patch.setenv("TMPDIR", str(place))
        options = PlanOptions(minutes=0.05, clips_per_shard=7)
        return plan_resources(tiny_study(), Results(place / "results"), options), place


def cost(planned: tuple[ResourcePlan, Path], step: str) -> StepCost:
    return next(each for each in planned[0].steps if each.step == step)


def test_nothing_is_left_behind(planned: tuple[ResourcePlan, Path]) -> None:
    assert not list(planned[1].iterdir())


def test_all_steps_of_the_study_are_planned(planned: tuple[ResourcePlan, Path]) -> None:
    steps = [each.step for each in planned[0].steps]
    assert set(steps) == {
        *("masks_shard", "versions_shard", "stimuli", "review", "audit", "frames", "train"),
        *("plan", "score", "simulate", "fit", "figures", "report"),
    }
    assert cost(planned, "masks_shard").jobs == 3
    assert all(each.job_s > 0 and each.memory_mb > 50 for each in planned[0].steps)


def test_frames_take_exactly_their_pixels(planned: tuple[ResourcePlan, Path]) -> None:
    # 20 clips of 4 frames, 3 versions of 32 x 32 pixels, and the files' headers.
    pixels = 20 * 4 * 3 * 32 * 32 * 3
    assert cost(planned, "frames").kept_bytes == pytest.approx(pixels, rel=0.02)
    assert cost(planned, "frames").files == 3


def test_every_version_has_a_video(planned: tuple[ResourcePlan, Path]) -> None:
    assert 20 * 3 <= cost(planned, "versions_shard").files < 20 * 3 * 3
    assert cost(planned, "versions_shard").kept_bytes > 20 * 3 * 500


def test_each_measurement_has_its_own_peak_of_memory() -> None:
    held = in_child(hold, 300)["peak_mb"]
    assert held - in_child(hold, 0)["peak_mb"] == pytest.approx(300, abs=30)
    assert peak_mb() > 20


def hold(n_mb: int) -> dict[str, object]:
    block = np.ones(n_mb * MB, np.uint8)
    return {"sum": int(block[-1:].sum())}


def fail(message: str) -> dict[str, object]:
    raise ValueError(message)


def end_abruptly() -> dict[str, object]:
    import os

    os._exit(9)


def test_what_fails_is_told() -> None:
    with pytest.raises(NotMeasured, match="ValueError: too odd"):
        in_child(fail, "too odd")
    with pytest.raises(NotMeasured, match="ended with code 9"):
        in_child(end_abruptly)
