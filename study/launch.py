"""Which of several processes this one is, by the environment in which torchrun or srun started it.

    torchrun --nproc_per_node 4 -m bodyscene train STUDY.toml
    srun --ntasks 4 python -m bodyscene train STUDY.toml

SLURM sets SLURM_NTASKS and SLURM_PROCID in batch scripts and in salloc's shell, too, where one
process runs alone; only a step that srun started has SLURM_STEP_NUM_TASKS. A script that was
submitted from within a step inherits it, but is the only task of its node. (Seen with SLURM 22.05.)
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from study.errors import StudyError

ALL_HERE = "127.0.0.1"
# Ports below those that Linux gives to outgoing connections.
FIRST_PORT, N_PORTS = 12_000, 20_000
# Odd, and larger than a job's usual number of steps: jobs beside each other get ports of their own.
PORTS_BETWEEN_JOBS = 37


@dataclass(frozen=True)
class Launch:
    """One process of a command that was started several times at once.

    Attributes
    ----------
    rank : int
        Of this process; the first is 0.
    count : int
        Of processes.
    local_rank : int
        Of this process on its machine.
    by : str
        "torchrun", "srun", or "" for a process alone.
    host : str
        Where the first process runs, for the others to find it; "" where torchrun says it.
    port : int
        Likewise; 0 where torchrun says it.
    """

    rank: int = 0
    count: int = 1
    local_rank: int = 0
    by: str = ""
    host: str = ""
    port: int = 0


ALONE = Launch()


def read_launch(environment: Mapping[str, str]) -> Launch:
    """Read from the environment which of several processes this one is.

    torchrun's variables come before SLURM's: torchrun itself may run in a step. MASTER_ADDR and
    MASTER_PORT, where they are set, say where the first process of a step is found.

    Parameters
    ----------
    environment : mapping of str to str

    Raises
    ------
    StudyError
        When one of the variables is no number.
    """
    if "RANK" in environment and "WORLD_SIZE" in environment:
        count = _number(environment, "WORLD_SIZE")
        rank = _number(environment, "RANK")
        local = "LOCAL_RANK" if "LOCAL_RANK" in environment else "RANK"
        return Launch(rank, count, _number(environment, local), "torchrun") if count > 1 else ALONE
    if not _is_task_of_step(environment):
        return ALONE
    return Launch(
        _number(environment, "SLURM_PROCID"),
        _number(environment, "SLURM_STEP_NUM_TASKS"),
        _number(environment, "SLURM_LOCALID"),
        "srun",
        environment.get("MASTER_ADDR") or _first_host(environment),
        _number(environment, "MASTER_PORT")
        if environment.get("MASTER_PORT")
        else _port_of_step(environment),
    )


def is_beside_first(environment: Mapping[str, str]) -> bool:
    """Tell whether a process was started beside a first one, which alone writes."""
    return read_launch(environment).rank > 0


def first_of_hosts(hosts: str) -> str:
    """Return the first host of a list as SLURM writes it.

    >>> first_of_hosts("gpu[03-05,11],login1")
    'gpu03'
    """
    first = re.match(r"(?:[^,\[]|\[[^\]]*\])*", hosts)
    return re.sub(r"\[([^\],-]*)[^\]]*\]", r"\1", first.group() if first else hosts)


def _is_task_of_step(environment: Mapping[str, str]) -> bool:
    if "SLURM_PROCID" not in environment or "SLURM_STEP_NUM_TASKS" not in environment:
        return False
    per_node = environment.get("SLURM_STEP_TASKS_PER_NODE", "")  # "2(x3),1"
    inherited = environment.get("SLURM_GTIDS") == "0" and re.match("1(?![0-9])", per_node) is None
    return _number(environment, "SLURM_STEP_NUM_TASKS") > 1 and not inherited


def _n_nodes(environment: Mapping[str, str]) -> int:
    return _number(environment, "SLURM_STEP_NUM_NODES")


def _first_host(environment: Mapping[str, str]) -> str:
    if _n_nodes(environment) == 1:
        return ALL_HERE
    return first_of_hosts(environment.get("SLURM_STEP_NODELIST", ""))


def _port_of_step(environment: Mapping[str, str]) -> int:
    job = _number(environment, "SLURM_JOB_ID")
    step = _number(environment, "SLURM_STEP_ID")
    return FIRST_PORT + (PORTS_BETWEEN_JOBS * job + step) % N_PORTS


def _number(environment: Mapping[str, str], name: str) -> int:
    found = environment.get(name, "")
    if not found.isdecimal():
        raise StudyError(
            f"environment variable {name} is {found!r}; expected a number, as torchrun and srun "
            "set it. Start the command by one of them, or unset it"
        )
    return int(found)
