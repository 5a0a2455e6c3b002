"""The whole study as jobs of a real SLURM makes the same bytes as on one machine."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

from tests.slurm.local_cluster import CPU_NODE, LocalCluster
from tests.slurm.studies import (
    STIMULI_ONLY,
    WITH_NETWORKS,
    Run,
    hashes,
    running,
    wait_for,
    worker_of,
    write_profile,
    write_study,
)


def run_alone(folder: Path, text: str) -> dict[str, str]:
    """Run a study on this machine alone; return what it must be on the cluster."""
    write_study(folder, text)
    run = Run(folder, local=True)
    assert run.finish() == 0, run.text()
    return hashes(folder / "out")


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the tiny study with networks is on one machine."""
    return run_alone(tmp_path_factory.mktemp("alone"), WITH_NETWORKS)


def assert_same(found: dict[str, str], expected: dict[str, str]) -> None:
    assert set(found) == set(expected)
    assert [name for name in expected if found[name] != expected[name]] == []


def of(kind: str, found: dict[str, str]) -> int:
    return sum(name.startswith(kind) for name in found)


def test_start_to_report_is_the_same_as_on_one_machine(
    alone: dict[str, str], slurm: LocalCluster, tmp_path: Path
) -> None:
    write_study(tmp_path, WITH_NETWORKS)
    write_profile(tmp_path)
    run = Run(tmp_path)
    assert run.finish() == 0, run.text()
    found = hashes(tmp_path / "out")
    assert_same(found, alone)
    # It is the comparison of all that matters: 20 clips, 2 networks, the report.
    assert of("stimuli/", found) >= 60
    assert of("models/", found) >= 2
    assert of("responses/", found) == 3
    assert {"manifest.csv", "report.html", "analysis/numbers.csv"} <= set(found)
    # Three shards of at most seven clips, twice, on the partitions that the profile names.
    listed = slurm.run("squeue", "--noheader", "--states=all", "--format=%P %k %T").stdout
    jobs = sorted(line.split() for line in listed.splitlines())
    assert all(state == "COMPLETED" for _, _, state in jobs)
    shards = [comment for _, comment, _ in jobs if "masks_shard" in comment]
    assert len(shards) == 3
    assert {comment for partition, comment, _ in jobs if partition == "gpu"} == {
        "rule_train_wildcards_baseline_0",
        "rule_train_wildcards_baseline_1",
    }


@pytest.mark.slow
def test_a_study_hit_three_ways_ends_the_same(
    alone: dict[str, str], slurm: LocalCluster, tmp_path: Path
) -> None:
    write_study(tmp_path, WITH_NETWORKS)
    write_profile(tmp_path)
    run = Run(tmp_path)
    # A job is cancelled, as an administrator or a preempting user does.
    wait_for(lambda: bool(running(slurm, "masks_shard")), run)
    cancelled = running(slurm, "masks_shard")[0]
    slurm.run("scancel", cancelled)
    # The controller is away for longer than it takes to ask it how jobs are.
    wait_for(lambda: bool(running(slurm, "versions_shard")), run)
    slurm.end("slurmctld", gently=True)
    time.sleep(15)
    slurm.start_controller()
    # The process of a training is killed, as the kernel does when a node has no memory left.
    wait_for(lambda: worker_of(slurm, "train") is not None, run)
    worker = worker_of(slurm, "train")
    assert worker is not None
    os.kill(worker.pid, signal.SIGKILL)
    assert run.finish() == 0, run.text()
    assert slurm.jobs("cancelled") == [cancelled]
    assert f"SLURM job {cancelled}: CANCELLED" in run.text()
    assert len(slurm.jobs("failed")) == 1
    assert_same(hashes(tmp_path / "out"), alone)


@pytest.mark.slow
def test_a_killed_coordinator_is_followed_by_the_same_command(
    alone: dict[str, str], slurm: LocalCluster, tmp_path: Path
) -> None:
    write_study(tmp_path, WITH_NETWORKS)
    write_profile(tmp_path)
    first = Run(tmp_path)
    wait_for(lambda: bool(running(slurm, "train")), first)
    first.kill()
    second = Run(tmp_path)
    assert second.finish() == 0, second.text()
    assert_same(hashes(tmp_path / "out"), alone)
    # Shards that were done are not sent again.
    listed = slurm.run("squeue", "--noheader", "--states=all", "--format=%k").stdout
    assert sum("masks_shard" in line for line in listed.splitlines()) == 3


@pytest.mark.slow
def test_a_lost_node_loses_a_shard_and_no_more(slurm: LocalCluster, tmp_path: Path) -> None:
    write_study(tmp_path, STIMULI_ONLY)
    write_profile(tmp_path, resources="")
    run = Run(tmp_path)
    wait_for(lambda: bool(running(slurm, "versions_shard")), run)
    slurm.end(CPU_NODE)
    slurm.run("scontrol", "update", f"NodeName={CPU_NODE}", "State=DOWN", "Reason=lost")
    wait_for(lambda: bool(slurm.jobs("node_fail")), run)
    lost = len(slurm.jobs("node_fail"))
    slurm.start_node(CPU_NODE)
    slurm.run("scontrol", "update", f"NodeName={CPU_NODE}", "State=RESUME")
    assert run.finish() == 0, run.text()
    events = (tmp_path / "out" / "logs" / "jobs.jsonl").read_text().splitlines()
    failed = [event for event in map(json.loads, events) if event["event"] == "failed"]
    assert len(failed) == lost
    assert {event["step"] for event in failed} == {"versions_shard"}
    (tmp_path / "alone").mkdir()
    assert_same(hashes(tmp_path / "out"), run_alone(tmp_path / "alone", STIMULI_ONLY))
