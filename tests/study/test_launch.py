"""Which of several processes this one is, by variables as SLURM and torchrun really set them."""

from __future__ import annotations

import pytest

from study.errors import StudyError
from study.launch import ALONE, Launch, first_of_hosts, is_beside_first, read_launch

# What SLURM 22.05 set in a job of four tasks on one node (`sbatch -n 4`, `srun env`).
JOB = {
    "SLURM_JOB_ID": "3",
    "SLURM_JOB_NODELIST": "vm",
    "SLURM_JOB_NUM_NODES": "1",
    "SLURM_NNODES": "1",
    "SLURM_NODELIST": "vm",
    "SLURM_NPROCS": "4",
    "SLURM_NTASKS": "4",
    "SLURM_TASKS_PER_NODE": "4",
}
IN_SCRIPT = JOB | {"SLURM_PROCID": "0", "SLURM_LOCALID": "0", "SLURM_GTIDS": "0"}
STEP = {
    "SLURM_STEP_ID": "0",
    "SLURM_STEP_NODELIST": "vm",
    "SLURM_STEP_NUM_NODES": "1",
    "SLURM_STEP_NUM_TASKS": "4",
    "SLURM_STEP_TASKS_PER_NODE": "4",
}
TASK_2 = JOB | STEP | {"SLURM_PROCID": "2", "SLURM_LOCALID": "2", "SLURM_GTIDS": "0,1,2,3"}
TWO_NODES = TASK_2 | {
    "SLURM_STEP_NODELIST": "gpu[07,11]",
    "SLURM_STEP_NUM_NODES": "2",
    "SLURM_STEP_TASKS_PER_NODE": "2(x2)",
    "SLURM_LOCALID": "0",
    "SLURM_GTIDS": "2,3",
}
TORCHRUN = {"RANK": "5", "WORLD_SIZE": "8", "LOCAL_RANK": "1"}


@pytest.mark.parametrize("environment", [{}, JOB, IN_SCRIPT], ids=["none", "salloc", "sbatch"])
def test_alone_where_srun_started_nothing(environment: dict[str, str]) -> None:
    assert read_launch(environment) == ALONE
    assert not is_beside_first(environment)


def test_alone_in_a_step_of_one_task_of_a_job_of_four() -> None:
    one = {"SLURM_STEP_NUM_TASKS": "1", "SLURM_STEP_TASKS_PER_NODE": "1", "SLURM_GTIDS": "0"}
    assert read_launch(TASK_2 | one | {"SLURM_PROCID": "0"}) == ALONE


def test_a_script_submitted_from_within_a_step_is_alone() -> None:
    assert read_launch(IN_SCRIPT | STEP) == ALONE


def test_a_task_of_a_step() -> None:
    launch = read_launch(TASK_2)
    assert (launch.rank, launch.count, launch.local_rank, launch.by) == (2, 4, 2, "srun")
    assert launch.host == "127.0.0.1"
    assert is_beside_first(TASK_2)


def test_tasks_on_two_nodes_meet_on_the_first() -> None:
    launch = read_launch(TWO_NODES)
    assert (launch.rank, launch.count, launch.local_rank) == (2, 4, 0)
    assert launch.host == "gpu07"
    one_each = {"SLURM_STEP_NUM_TASKS": "2", "SLURM_STEP_TASKS_PER_NODE": "1(x2)"}
    first = TWO_NODES | one_each | {"SLURM_PROCID": "0", "SLURM_GTIDS": "0"}
    assert read_launch(first).count == 2
    assert not is_beside_first(first)


def test_the_user_can_say_where_they_meet() -> None:
    launch = read_launch(TWO_NODES | {"MASTER_ADDR": "10.0.0.7", "MASTER_PORT": "4444"})
    assert (launch.host, launch.port) == ("10.0.0.7", 4444)


def test_jobs_and_steps_have_ports_of_their_own() -> None:
    steps = [
        TASK_2 | {"SLURM_JOB_ID": str(job), "SLURM_STEP_ID": str(step)}
        for job in range(41_000, 41_100)
        for step in range(8)
    ]
    ports = {read_launch(each).port for each in steps}
    assert len(ports) == len(steps)
    assert min(ports) > 1024
    # Linux gives ports from 32768 on to whoever connects.
    assert max(ports) < 32_768


def test_torchrun_comes_first() -> None:
    assert read_launch(TASK_2 | TORCHRUN) == Launch(5, 8, 1, "torchrun")
    assert read_launch(TASK_2 | {"RANK": "0", "WORLD_SIZE": "1"}) == ALONE
    # A world size alone is of a user's script.
    assert read_launch(TASK_2 | {"WORLD_SIZE": "4"}).by == "srun"


def test_no_number() -> None:
    with pytest.raises(StudyError, match="RANK is 'first'; expected a number"):
        read_launch({"RANK": "first", "WORLD_SIZE": "2"})


@pytest.mark.parametrize(
    ("hosts", "first"),
    [
        ("vm", "vm"),
        ("a1,b2", "a1"),
        ("gpu[03-05,11],login", "gpu03"),
        ("rack[2,4]node[10-12]", "rack2node10"),
        ("n[9]-ib,n[1-3]", "n9-ib"),
    ],
)
def test_first_of_hosts(hosts: str, first: str) -> None:
    assert first_of_hosts(hosts) == first
