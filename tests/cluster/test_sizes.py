"""What jobs ask for: measured with a margin, or cautious defaults; never an error."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from cluster.sizes import DEFAULTS, JobSizes, keys_of

STUDY = """
name = "s"
[dataset]
kind = "synthetic"
[masks]
source = "truth"
[training]
epochs = 3
[[models]]
name = "small"
backbone = "tiny"
seeds = [0]
[[models]]
name = "large"
backbone = "resnet50"
seeds = [0]
"""


def entry(step: str, model: str | None = None, **changes: Any) -> dict[str, Any]:
    fields = {
        "step": step,
        "model": model,
        "jobs": 1,
        "work_s": 0.0,
        "start_s": 0.0,
        "memory_mb": 100.0,
        "process_mb": 0.0,
        "alone_s": 0.0,
        "on_gpu": False,
        "basis": "measured",
    }
    return fields | changes


def sizes_of(folder: Path, *entries: dict[str, Any], study: str = STUDY) -> JobSizes:
    """Write a resources.json that was made of STUDY, and a study that is in force; read both."""
    import tomllib

    content = {"version": 1, "keys": keys_of(tomllib.loads(STUDY)), "steps": list(entries)}
    (folder / "resources.json").write_text(json.dumps(content))
    (folder / "study.toml").write_text(study)
    return JobSizes.read(folder)


def test_without_a_measurement_there_are_defaults_for_every_step(tmp_path: Path) -> None:
    sizes = JobSizes.read(tmp_path)
    for step, default in DEFAULTS.items():
        assert sizes.mem_mb(step) == default.mem_mb
        assert sizes.runtime_min(step, "any", 40) == default.minutes
        assert default.why in sizes.why(step)
    assert "plan-resources" in sizes.why("train")


def test_time_is_three_times_what_was_measured(tmp_path: Path) -> None:
    # 3 * (60 s + 10 h / 10 jobs) = 183 minutes, in steps of 5.
    trained = entry("train", "small", jobs=10, work_s=36000.0, start_s=60.0)
    assert sizes_of(tmp_path, trained).runtime_min("train", "small") == 185


def test_times_that_were_assumed_get_a_wider_margin(tmp_path: Path) -> None:
    trained = entry("train", "small", work_s=3600.0, basis="assumed")
    assert sizes_of(tmp_path, trained).runtime_min("train", "small") == 360


def test_short_jobs_ask_for_ten_minutes_and_two_gigabytes(tmp_path: Path) -> None:
    sizes = sizes_of(tmp_path, entry("report"))
    assert (sizes.runtime_min("report"), sizes.mem_mb("report")) == (10, 2000)


def test_memory_is_half_more_than_measured_and_snakemakes_and_grows_with_processes(
    tmp_path: Path,
) -> None:
    sizes = sizes_of(tmp_path, entry("masks_shard", memory_mb=2000.0, process_mb=1000.0))
    assert sizes.mem_mb("masks_shard") == 3500
    assert sizes.mem_mb("masks_shard", cores=4) == 8000


def test_networks_differ_and_without_a_name_the_largest_counts(tmp_path: Path) -> None:
    small = entry("train", "small", memory_mb=2000.0, work_s=3600.0)
    large = entry("train", "large", memory_mb=8000.0, work_s=7200.0)
    sizes = sizes_of(tmp_path, small, large)
    assert sizes.mem_mb("train", "small") == 3500
    assert sizes.mem_mb("train", "large") == sizes.mem_mb("train") == 12500
    assert sizes.runtime_min("train", "small") == 180
    assert sizes.runtime_min("train") == 360


def test_shards_share_the_work_and_other_steps_do_not(tmp_path: Path) -> None:
    sizes = sizes_of(
        tmp_path,
        entry("versions_shard", jobs=4, work_s=36000.0),
        entry("train", "small", work_s=36000.0),
    )
    assert sizes.runtime_min("versions_shard") == math.ceil(3 * 600 / 4)
    assert sizes.runtime_min("versions_shard", None, 10) == 180
    assert sizes.runtime_min("train", "small", 10) == 1800


def test_more_cores_make_shards_faster_but_no_gpu(tmp_path: Path) -> None:
    on_cores = entry("versions_shard", work_s=30690.0, process_mb=100.0)
    on_gpu = entry("segment_shard", work_s=30690.0, process_mb=100.0, on_gpu=True)
    sizes = sizes_of(tmp_path, on_cores, on_gpu)
    # Three further cores at 0.7 each: 3.1 times as fast.
    assert sizes.runtime_min("versions_shard", cores=4) == 495
    assert sizes.runtime_min("segment_shard", cores=4) == 1535


def test_stimuli_without_shards_are_made_by_the_step_that_gathers_them(tmp_path: Path) -> None:
    sizes = sizes_of(tmp_path, entry("stimuli", work_s=600.0, alone_s=6600.0))
    assert sizes.runtime_min("stimuli", None, 40) == 30
    assert sizes.runtime_min("stimuli", None, 1) == 360


def test_what_was_measured_of_another_study_is_not_used(tmp_path: Path) -> None:
    measured = (entry("versions_shard", memory_mb=9000.0), entry("train", "small"))
    changed = STUDY.replace('"truth"', '"files"')
    sizes = sizes_of(tmp_path, *measured, study=changed)
    assert sizes.mem_mb("versions_shard") == DEFAULTS["versions_shard"].mem_mb
    assert sizes.mem_mb("train", "small") == DEFAULTS["train"].mem_mb
    assert "changed" in sizes.why("train", "small")


def test_a_changed_network_leaves_what_is_known_of_the_others(tmp_path: Path) -> None:
    measured = (entry("train", "small", memory_mb=4000.0), entry("train", "large"))
    changed = STUDY.replace("resnet50", "resnet101").replace("seeds = [0]", "seeds = [0, 1]")
    sizes = sizes_of(tmp_path, *measured, entry("report", memory_mb=4000.0), study=changed)
    assert sizes.mem_mb("train", "small") == 6500
    assert sizes.mem_mb("train", "large") == DEFAULTS["train"].mem_mb
    assert sizes.mem_mb("report") == 6500
    assert "model large" in sizes.reason


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        '{"version": 0}',
        '{"version": 1}',
        '{"version": 1, "keys": {}, "steps": [{"step": "train"}]}',
        json.dumps({"version": 1, "keys": {}, "steps": [entry("train", jobs=0)]}),
        json.dumps({"version": 1, "keys": {}, "steps": [entry("train", work_s=math.inf)]}),
        json.dumps({"version": 1, "keys": {}, "steps": [entry("train", memory_mb="much")]}),
    ],
)
def test_files_that_are_damaged_or_older_give_defaults(tmp_path: Path, content: str) -> None:
    (tmp_path / "resources.json").write_text(content)
    sizes = JobSizes.read(tmp_path)
    assert sizes.mem_mb("train") == DEFAULTS["train"].mem_mb
    assert "resources.json" in sizes.reason
