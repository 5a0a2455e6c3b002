"""This machine: its name, its user, its processes, and how many of its cores are ours."""

from __future__ import annotations

import contextlib
import getpass
import os
import platform
import uuid
from pathlib import Path

# Set where the MAC address that names a computer is a random number.
RANDOM_NODE = 1 << 40
# What a batch job may use, as SLURM says it: per process, else in all on this machine.
CORES_OF_JOB = ("SLURM_CPUS_PER_TASK", "SLURM_CPUS_ON_NODE")


def machine_name() -> str:
    """Return a name of this computer that no second one has."""
    node = uuid.getnode()
    return platform.node() + ("" if node & RANDOM_NODE else f"-{node:012x}")


def user_name() -> str:
    """Return who runs this process, or "" where nobody knows (a container without users)."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""


def process_space() -> str:
    """Return a name of the processes that this one sees.

    A container may see its own only: whoever is outside is missing there, but not dead.
    """
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""


def usable_cores() -> int:
    """Return how many cores this process may use.

    A batch system gives a job a part of a machine: by binding it to some cores, or by a number that
    the job must keep to by itself.
    """
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    cores = bound or 1
    for name in CORES_OF_JOB:
        with contextlib.suppress(KeyError, ValueError):
            return max(1, min(cores, int(os.environ[name])))
    return cores
