"""From what a few clips and steps took to what a study needs; numbers worked out by hand."""

from __future__ import annotations

import dataclasses
import doctest
import json
import re
from pathlib import Path
from typing import Any

import pytest

from cluster import gpus, resources_report
from cluster.costs import plan_from
from cluster.counts import Counts, Probe
from cluster.gpus import gpu_seconds, yolo_operations
from cluster.measure import Measured
from cluster.options import PlanOptions
from cluster.sizes import JobSizes
from cluster.step_costs import StepCost, wall_hours
from study.config import Study, dump_study
from study.results import Results

COUNTS = Counts(
    clips=1000,
    actions=10,
    probe=Probe(50.0, 1.0, 100, 2.0, (640, 360), "50 frames per clip"),
    used={"train": 600, "validation": 100, "test": 100},
    versions=3,
    said=["1000 clips listed"],
)
DISK = {
    "sources": {"bytes": 0, "files": 0},
    "masks": {"bytes": 6_000, "files": 6},
    "stimuli": {"bytes": 600_000, "files": 37},
    "contact_sheets": {"bytes": 2_000, "files": 2},
    "review": {"bytes": 60_000, "files": 18},
}
MASKS = {
    "frame_s": 0.3, "render_s": 0.0, "load_s": 4.0, "network_s": 0.26, "on_gpu": False,
    "frames": 50, "base_mb": 400.0, "peak_mb": 500.0,
}  # fmt: skip
VERSIONS = {
    "frame_s": 0.02, "gather_s": 0.01, "review_s": 0.1, "clips": 6, "actions": 2,
    "frames_in_all": 300, "frames": 50, "base_mb": 100.0, "peak_mb": 300.0, "disk": DISK,
}  # fmt: skip
FRAMES = {"clip_frame_s": 0.005, "setup_s": 1.0, "row_bytes": 1000.0, "files": 3, "peak_mb": 900.0}
NETWORK = {
    "setup_s": 5.0, "device": "cpu", "threads": 2, "weights_bytes": 1_000_000,
    "image_s": 0.1, "measured_batch": 8, "train_operations": 24e9, "read_operations": 24e9,
    "saved_bytes": 10_000_000, "step_mb": 1500.0, "cuda_mb": 0.0, "state_bytes": 2_000_000,
    "read_s": 0.2, "frames_at_once": 1, "ways": 4, "peak_mb": 1500.0,
}  # fmt: skip
MEASURED = Measured(2.0, MASKS, MASKS, VERSIONS, FRAMES, {"net": NETWORK}, ["on this machine"])


def study_of(tmp_path: Path, **sections: Any) -> Study:
    content = {
        "name": "s",
        "title": "S",
        "seed": 1,
        "dataset": {"kind": "haa500", "path": tmp_path},
        "masks": {"source": "yolo", "weights": "yolov8n-seg.pt"},
        "training": {"image_size": 64, "epochs": 2, "batches_per_epoch": 10, "batch_size": 32},
        "models": [{"name": "net", "architecture": "baseline", "seeds": [0, 1, 2]}],
    }
    return Study.model_validate_json(json.dumps(content | sections, default=str))


def steps_of(study: Study, **options: Any) -> dict[str, StepCost]:
    plan = plan_from(study, COUNTS, MEASURED, PlanOptions(**options))
    return {each.step: each for each in plan.steps}


def test_the_examples_in_the_docstrings_hold() -> None:
    for module in (gpus, resources_report):
        result = doctest.testmod(module)
        assert result.attempted
        assert not result.failed


def test_time_with_several_jobs_at_once() -> None:
    def cost(step: str, jobs: int, hours: float) -> StepCost:
        return StepCost(step, jobs, jobs * hours * 3600, 0.0, 100.0, "measured")

    steps = [cost("versions_shard", 4, 1.0), cost("train", 3, 2.0), cost("report", 1, 0.5)]
    assert wall_hours(steps, 1) == pytest.approx(4 + 6 + 0.5)
    # Two rounds of shards; of three trainings on two slots no schedule needs less than 3 h.
    assert wall_hours(steps, 2) == pytest.approx(2 + 3 + 0.5)
    assert wall_hours(steps, 100) == pytest.approx(1 + 2 + 0.5)


def test_hours_count_cores_and_gpus() -> None:
    cost = StepCost("train", 2, 7200.0, 1800.0, 1.0, "measured", cores=4, on_gpu=True)
    assert cost.job_s == 5400
    assert cost.gpu_hours == pytest.approx(3.0)
    assert cost.core_hours == pytest.approx(12.0)


def test_processes_share_the_clips_of_a_job() -> None:
    alone = StepCost("review", 1, 3100.0, 10.0, 500.0, "measured", process_mb=300.0)
    assert (alone.job_s, alone.job_mb) == (3110, 500)
    # Three further cores at 0.7 each.
    shared = StepCost("review", 1, 3100.0, 10.0, 500.0, "measured", process_mb=300.0, cores=4)
    assert shared.job_s == pytest.approx(1010)
    assert shared.job_mb == 1400
    assert shared.core_hours == pytest.approx(4 * 1010 / 3600)


def test_clips_cost_what_their_frames_cost(tmp_path: Path) -> None:
    steps = steps_of(study_of(tmp_path), clips_per_shard=300)
    masks, versions, stimuli = (
        steps[name] for name in ("segment_shard", "versions_shard", "stimuli")
    )
    # 50,000 frames of all clips, 40,000 of those that are used.
    assert masks.jobs == versions.jobs == 4
    assert masks.work_s == pytest.approx(15_000)
    assert masks.start_s == 6.0
    assert versions.work_s == pytest.approx(800)
    assert versions.kept_bytes == pytest.approx(40_000 * 2_000)
    assert versions.files == pytest.approx(800 * 37 / 6)
    # Clips twice as long as the measured ones: twice what clips add.
    assert masks.memory_mb == 400 + 2 * 100
    assert versions.memory_mb == 100 + 2 * 200
    assert stimuli.alone_s == pytest.approx(15_800)
    assert stimuli.work_s == pytest.approx(8)
    assert not masks.on_gpu


def test_segmentation_on_a_gpu_is_as_fast_as_the_slower_of_network_and_cores(
    tmp_path: Path,
) -> None:
    small = steps_of(study_of(tmp_path), gpu="a100", utilisation=0.5)["segment_shard"]
    # 12.6 GFLOP are 0.08 ms there; (0.3 - 0.26) s of four cores are 10 ms.
    assert small.work_s == pytest.approx(50_000 * 0.01)
    large = {"masks": {"source": "yolo", "weights": "yolov8x-seg.pt", "image_size": 1280}}
    slow = steps_of(study_of(tmp_path, **large), gpu="v100", utilisation=0.5)["segment_shard"]
    assert slow.work_s == pytest.approx(50_000 * 4 * 344.1e9 / (0.5 * 15.7e12))
    assert slow.on_gpu
    assert slow.basis == "assumed"
    told = steps_of(study_of(tmp_path), segment_ms=25.0)["segment_shard"]
    assert told.work_s == pytest.approx(50_000 * 0.025)


def test_operations_of_yolo() -> None:
    assert yolo_operations("yolov8x-seg", 320) == pytest.approx(344.1e9 / 4)
    assert yolo_operations("mine", 640) is None
    assert gpu_seconds(31.2e12, "a100", 0.1) == pytest.approx(1.0)


def test_a_training_is_its_steps_statistics_and_validation(tmp_path: Path) -> None:
    steps = steps_of(study_of(tmp_path))
    # Per epoch: 10 batches and a third of 10 more of 32 images, and 8 frames of 100 clips read.
    epoch_s = (10 + 10 / 3) * 32 * 0.1 + 800 * 0.2
    train = steps["train"]
    assert train.jobs == 3
    assert train.work_s == pytest.approx(3 * 2 * epoch_s)
    assert train.cores == 2
    assert train.start_s == 7.0
    # 24 more images than were measured, 10 MB each and what the allocator adds.
    assert train.memory_mb == pytest.approx(1500 + 1.3 * 240)
    assert train.kept_bytes == 3_000_000
    assert train.passing_bytes == 12_000_000
    # 100 test clips of 50 frames.
    assert steps["score"].work_s == pytest.approx(3 * 5000 * 0.2)
    assert steps["frames"].work_s == pytest.approx(40_000 * 0.005)
    assert steps["frames"].kept_bytes == pytest.approx(40_000_000)


def test_networks_on_a_named_gpu_follow_from_their_operations(tmp_path: Path) -> None:
    plan = plan_from(
        study_of(tmp_path), COUNTS, MEASURED, PlanOptions(gpu="a100", utilisation=0.25)
    )
    train = next(each for each in plan.steps if each.step == "train")
    image_s = 24e9 / (0.25 * 312e12)
    epoch_s = (10 + 10 / 3) * 32 * image_s + 800 * image_s
    assert train.work_s == pytest.approx(3 * 2 * epoch_s)
    assert train.gpu_hours == pytest.approx((3 * 7 + train.work_s) / 3600)
    assert train.basis == "assumed"
    assert any("assumed, not measured" in line for line in plan.said)


def test_a_gpu_that_was_measured_counts_whatever_is_named(tmp_path: Path) -> None:
    on_gpu = NETWORK | {"device": "NVIDIA H100", "cuda_mb": 3000.0}
    measured = dataclasses.replace(MEASURED, networks={"net": on_gpu})
    plan = plan_from(study_of(tmp_path), COUNTS, measured, PlanOptions(gpu="v100"))
    train = next(each for each in plan.steps if each.step == "train")
    assert (train.on_gpu, train.basis, train.gpu_mb) == (True, "measured", 3000.0)
    assert train.work_s == pytest.approx(3 * 2 * ((10 + 10 / 3) * 32 * 0.1 + 800 * 0.2))
    assert "networks: measured on NVIDIA H100" in plan.said
    assert not any("counted operations" in line for line in plan.said)


def test_noise_and_margins_read_in_one_job(tmp_path: Path) -> None:
    study = study_of(
        tmp_path,
        noise={"run": True, "levels": {"flips": [0.1, 0.2]}},
        trials={"actions": "margin", "n_actions": 5, "margin_model": "net"},
    )
    steps = steps_of(study)
    made_s = 5000 * (0.02 + 0.005)
    assert steps["noise"].work_s == pytest.approx(2 * (made_s + 3 * 5000 * 0.2))
    # As many validation as test clips, one of three versions.
    assert steps["margins"].work_s == pytest.approx(3 * 5000 * 0.2 / 3)


def test_what_is_not_measured_is_left_out_and_said(tmp_path: Path) -> None:
    measured = Measured(2.0, None, MASKS, VERSIONS, FRAMES, {}, ["model net: not measured: why"])
    plan = plan_from(study_of(tmp_path), COUNTS, measured, PlanOptions())
    assert not any(each.step == "train" for each in plan.steps)
    assert "model net is not in it" in plan.text()
    masks = next(each for each in plan.steps if each.step == "segment_shard")
    assert masks.basis == "assumed"


def test_the_plan_is_written_and_read_as_sizes_of_jobs(tmp_path: Path) -> None:
    study, results = study_of(tmp_path), Results(tmp_path / "results")
    plan = plan_from(study, COUNTS, MEASURED, PlanOptions())
    path = plan.write(results)
    first = path.read_bytes()
    plan.write(results)
    assert path.read_bytes() == first
    content = json.loads(first)
    assert content["totals"]["jobs"] == sum(each["jobs"] for each in content["steps"])
    assert content["counts"]["frames"] == 50_000
    assert set(content["wall_hours"]) == {"1", "4", "32", "100"}
    results.study.write_text(dump_study(study), encoding="utf-8")
    sizes = JobSizes.read(results.root)
    assert not sizes.reason
    # (1500 + 312) MB and half more, in steps of 500.
    assert sizes.mem_mb("train", "net") == 3500
    assert "measured" in sizes.why("train", "net")


def test_the_text_fits_a_terminal_and_adds_up(tmp_path: Path) -> None:
    plan = plan_from(study_of(tmp_path), COUNTS, MEASURED, PlanOptions(gpu="h100"))
    text = plan.text()
    assert max(map(len, text.splitlines())) <= 100
    assert "1,000 clips of 10 actions, 50,000 frames" in text
    assert re.search(r"train net \* +3 ", text)
    assert plan.peak_bytes == plan.kept_bytes + 12_000_000
