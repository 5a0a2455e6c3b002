"""How processes on one machine or several find each other before they train together."""

from __future__ import annotations

import re
import socket
import subprocess
from datetime import timedelta

import torch
from torch import distributed

from study.errors import StudyError
from study.launch import Launch

IN_USE = ("EADDRINUSE", "address already in use")


def connect(launch: Launch, steps: timedelta, patience: timedelta) -> distributed.ProcessGroup:
    """Connect all processes of a launch.

    Parameters
    ----------
    launch : Launch
    steps : timedelta
        How long torch's default group waits for a process, now and later. It is NCCL for tensors
        on CUDA.
    patience : timedelta
        How long the group that is returned waits. It is Gloo, for tensors on the CPU.

    Raises
    ------
    StudyError
        Says where the first process was sought, and what to set.
    """
    where: dict[str, object] = {}
    if launch.host:
        address = _address_of(launch.host)
        where = {"init_method": f"tcp://{address}:{launch.port}"}
        where |= {"rank": launch.rank, "world_size": launch.count}
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    try:
        distributed.init_process_group(backend, timeout=steps, **where)
        patient = distributed.new_group(timeout=patience, backend="gloo")
        distributed.barrier(group=patient)
    except (RuntimeError, ValueError) as error:
        raise StudyError(_unmet(launch, steps, error)) from error
    return patient


def _address_of(host: str) -> str:
    """Return the address of a machine; SLURM may know one by a name that nobody else does.

    Raises
    ------
    StudyError
        When neither the name service nor SLURM knows it.
    """
    try:
        socket.getaddrinfo(host, None)
    except OSError:
        found = _address_in_slurm(host)
        if not found:
            raise StudyError(
                f"the first process runs on {host!r}, a name that this machine does not know; "
                "expected one that it does. Set MASTER_ADDR to its address"
            ) from None
        return found
    return host


def _address_in_slurm(host: str) -> str:
    try:
        said = subprocess.run(
            ["scontrol", "show", "node", host], capture_output=True, text=True, timeout=60
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""
    found = re.search(r"\bNodeAddr=(\S+)", said)
    return found.group(1) if found else ""


def _unmet(launch: Launch, steps: timedelta, error: Exception) -> str:
    who = f"process {launch.rank + 1} of {launch.count} (started by {launch.by})"
    found = str(error).strip().splitlines()[0]
    if any(mark in str(error) for mark in IN_USE):
        port = launch.port or "its port"
        return (
            f"{who}: {port} is taken by another program; expected a free one. Set MASTER_PORT to "
            f"another number for all processes, or repeat the command. Found: {found}"
        )
    sought = f" The first was sought at {launch.host}:{launch.port}." if launch.host else ""
    return (
        f"{who} did not meet the others within {steps.total_seconds() / 60:g} minutes.{sought} If "
        "another one failed, its message says why. Else the machines do not reach each other: "
        "set GLOO_SOCKET_IFNAME (and NCCL_SOCKET_IFNAME) to the network interface that connects "
        "them (`ip address` lists them), or MASTER_ADDR to the first one's address. With CUDA each "
        f"process needs a GPU of its own (--gpus-per-task=1). Found: {found}"
    )
