"""What goes wrong on a cluster is said in words, with the field of the profile to change."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.slurm.local_cluster import CPU_NODE, LocalCluster
from tests.slurm.studies import (
    STIMULI_ONLY,
    Run,
    wait_for,
    worker_of,
    write_profile,
    write_study,
)


def refused(folder: Path, **environment: str) -> str:
    """Return what a run says that must fail."""
    run = Run(folder, **environment)
    assert run.finish() == 1, run.text()
    return run.text()


@pytest.fixture
def study(tmp_path: Path) -> Path:
    write_study(tmp_path, STIMULI_ONLY)
    return tmp_path


def test_no_slurm_here(study: Path) -> None:
    write_profile(study, resources="")
    said = refused(study, PATH=str(Path(sys.executable).parent))
    assert "no SLURM found on this machine" in said
    assert "--profile" in said
    assert not (study / "out" / "manifest.csv").exists()


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        (
            "  stimuli:\n    slurm_partition: nowhere",
            ("stimuli.slurm_partition", "'nowhere'", "cpu, gpu"),
        ),
        (
            '  stimuli:\n    slurm_partition: gpu\n    gres: "gpu:h100:1"',
            ("stimuli.gres", "gpu:h100:1", "gpu:a100:2"),
        ),
        ('  stimuli:\n    gres: "gpu:a100:1"', ("stimuli.gres", "'cpu'", "gpu: gpu:a100:2")),
        ("  stimuli:\n    runtime: 600", ("stimuli.runtime", "600 minutes", "60")),
        ("  stimuli:\n    mem_mb: 900000", ("stimuli.mem_mb", "900000", "100000")),
    ],
)
def test_what_the_cluster_does_not_have(
    slurm: LocalCluster, study: Path, resources: str, expected: tuple[str, ...]
) -> None:
    write_profile(study, resources=f"set-resources:\n{resources}")
    said = refused(study)
    for words in (*expected, str(study / "profile")):
        assert words in said, said
    # It is said before anything is sent.
    assert slurm.jobs() == []


def test_a_job_over_its_memory(slurm: LocalCluster, study: Path) -> None:
    write_profile(
        study, resources="set-resources:\n  stimuli:\n    mem_mb: 150", clips_per_shard=0, retries=0
    )
    said = refused(study)
    assert "needed more memory than it had asked for" in said
    assert "stimuli.mem_mb" in said
    assert str(study / "profile") in said


@pytest.mark.slow
def test_a_job_over_its_time(slurm: LocalCluster, study: Path) -> None:
    write_profile(
        study, resources="set-resources:\n  stimuli:\n    runtime: 1", clips_per_shard=0, retries=0
    )
    run = Run(study)
    wait_for(lambda: worker_of(slurm, "stimuli") is not None, run)
    worker = worker_of(slurm, "stimuli")
    assert worker is not None
    # A minute is the least that SLURM counts: the step does nothing for that time.
    worker.suspend()
    assert run.finish() == 1
    assert "needed more time than it had asked for" in run.text()
    assert "stimuli.runtime" in run.text()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 900 kB below the test's folder."""
    folder = tmp_path / "out"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=900k", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no small disk can be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.slow
def test_a_full_disk(slurm: LocalCluster, study: Path, small_disk: Path) -> None:
    write_profile(study, resources="", clips_per_shard=0, retries=0)
    said = refused(study)
    assert "the disk is full" in said, said
    # Nothing half-written was kept, and with more room the same command goes on.
    assert not list(small_disk.rglob("*.partial*"))
    subprocess.run(["mount", "-o", "remount,size=200m", str(small_disk)], check=True)
    run = Run(study)
    assert run.finish() == 0, run.text()


def test_two_runs_from_two_login_nodes(slurm: LocalCluster, study: Path) -> None:
    if shutil.which("unshare") is None:
        pytest.skip("a second name for this machine needs unshare")
    write_profile(study, resources="")
    slurm.run("scontrol", "update", f"NodeName={CPU_NODE}", "State=DRAIN", "Reason=busy")
    first = Run(study)
    wait_for(lambda: len(slurm.jobs("pending")) == 3, first)
    command = f"{sys.executable} -P -m bodyscene run tiny.toml --profile profile --results out"
    second = subprocess.run(
        ["unshare", "--uts", "sh", "-c", f"hostname login2 && exec {command}"],
        cwd=study,
        env=os.environ | slurm.environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert second.returncode == 1
    assert f"process {first.process.pid}" in second.stderr, second.stderr
    # The refused one touched nothing of the first; interrupted, that one takes its jobs with it.
    assert len(slurm.jobs("pending")) == 3
    assert first.interrupt() == 130
    wait_for(lambda: slurm.jobs("pending") == [])
