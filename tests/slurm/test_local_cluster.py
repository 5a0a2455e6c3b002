"""The SLURM that the tests start is a real one: it places, limits, kills and remembers jobs."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.slurm.local_cluster import CPU_NODE, LocalCluster
from tests.slurm.studies import wait_for

REPOSITORY = Path(__file__).resolve().parents[2]


def submit(slurm: LocalCluster, command: str, *options: str) -> str:
    done = slurm.run("sbatch", "--parsable", "--output=/dev/null", *options, f"--wrap={command}")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_gpu_job_runs_on_the_node_with_gpus(slurm: LocalCluster) -> None:
    command = ("srun", "-p", "gpu", "--gres=gpu:a100:1", "--mem=100", "sh", "-c")
    done = slurm.run(*command, "echo $SLURMD_NODENAME $CUDA_VISIBLE_DEVICES")
    assert done.stdout.split() == ["node2", "0"], done.stderr


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--partition=nowhere", "Invalid partition name"),
        ("--gres=gpu:h100:1", "node configuration is not available"),
        ("--mem=900000", "Memory specification can not be satisfied"),
    ],
)
def test_what_it_does_not_have_is_refused(slurm: LocalCluster, option: str, said: str) -> None:
    refused = slurm.run("sbatch", option, "--wrap=true")
    assert refused.returncode != 0
    assert said in refused.stderr


def test_a_step_over_its_memory_is_killed(slurm: LocalCluster) -> None:
    greedy = "python3 -c 'import time; x = bytearray(300 << 20); time.sleep(30)'"
    killed = slurm.run("srun", "--mem=100", "sh", "-c", greedy)
    assert killed.returncode != 0
    assert "exceeded memory limit" in killed.stderr


def test_jobs_survive_a_restart_of_the_controller(slurm: LocalCluster) -> None:
    running, waiting = submit(slurm, "sleep 60"), submit(slurm, "sleep 60", "--exclusive")
    wait_for(lambda: slurm.jobs("running") == [running])
    slurm.restart_controller()
    assert slurm.jobs("running") == [running]
    assert slurm.jobs("pending") == [waiting]
    slurm.run("scancel", running, waiting)
    wait_for(lambda: slurm.jobs("cancelled") == [running, waiting])


def test_a_lost_node_ends_its_job(slurm: LocalCluster) -> None:
    job = submit(slurm, "sleep 60", "--no-requeue")
    wait_for(lambda: slurm.jobs("running") == [job])
    slurm.end(CPU_NODE)
    slurm.run("scontrol", "update", f"NodeName={CPU_NODE}", "State=DOWN", "Reason=lost")
    wait_for(lambda: slurm.jobs("node_fail") == [job])


def test_nothing_is_left_behind(slurm: LocalCluster) -> None:
    submit(slurm, "(sleep 300 &) ; setsid sleep 300")
    wait_for(lambda: bool(slurm.jobs("running")))
    wait_for(lambda: "sleep" in [process.name() for process in slurm.processes()])
    slurm.stop()
    assert slurm.processes() == []
    assert slurm.run("scontrol", "ping").returncode != 0


def test_a_killed_test_leaves_nothing_behind(turn: None) -> None:
    code = (
        "import pathlib, sys, time; from tests.slurm.local_cluster import LocalCluster\n"
        "cluster = LocalCluster(pathlib.Path(sys.argv[1])); cluster.start()\n"
        "job = cluster.run('sbatch', '--output=/dev/null', '--wrap=sleep 300')\n"
        "print(job.stdout, flush=True); time.sleep(300)\n"
    )
    left = LocalCluster(Path(tempfile.mkdtemp(prefix="slurm-")))
    command = [sys.executable, "-c", code, str(left.folder)]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as killed:
        assert killed.stdout is not None
        assert killed.stdout.readline().startswith("Submitted")
        wait_for(lambda: "sleep" in [process.name() for process in left.processes()])
        killed.kill()
    wait_for(lambda: left.processes() == [] and not left.folder.exists())
