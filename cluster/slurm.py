"""What the SLURM of this cluster has, as its own commands tell it."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from study.errors import StudyError

# A partition in a state other than this takes no jobs.
UP = "up"
# sinfo: partition, state of the partition, time limit, CPUs, memory in MB and devices of a node.
NODE_FORMAT = "%R|%a|%l|%c|%m|%G"
TIME = re.compile(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)")
GRES = re.compile(r"(\w+)(?::([^:(]+?))?(?::(\d+))?(?:\(.*)?")
TIMEOUT_S = 60


@dataclass(frozen=True)
class Device:
    """Devices of one kind in a node, or asked for by a job.

    Attributes
    ----------
    name : str
        For instance "gpu".
    kind : str
        For instance "a100"; empty where the cluster (or the job) names none.
    count : int
    """

    name: str
    kind: str
    count: int

    def __str__(self) -> str:
        return ":".join(part for part in (self.name, self.kind, str(self.count)) if part)


@dataclass(frozen=True)
class Nodes:
    """Nodes of a partition that are alike.

    Attributes
    ----------
    cpus : int
    mem_mb : int
        1 where the cluster does not say: it then refuses every request for memory.
    devices : tuple of Device
    """

    cpus: int
    mem_mb: int
    devices: tuple[Device, ...]

    def have(self, asked: Device) -> bool:
        """Tell whether each of them has what a job asks for; without a kind, any kinds count."""
        alike = (
            device.count
            for device in self.devices
            if device.name == asked.name and asked.kind in ("", device.kind)
        )
        return sum(alike) >= asked.count


@dataclass(frozen=True)
class Partition:
    """A partition.

    Attributes
    ----------
    name : str
    is_up : bool
    max_minutes : float
        Its time limit; infinite where there is none.
    nodes : tuple of Nodes
    """

    name: str
    is_up: bool
    max_minutes: float
    nodes: tuple[Nodes, ...]

    @property
    def states_memory(self) -> bool:
        """Whether its nodes say how much memory they have."""
        return any(node.mem_mb > 1 for node in self.nodes)


def partitions() -> dict[str, Partition]:
    """Return the partitions that this user may see, the default one first.

    Raises
    ------
    StudyError
        When this is no machine of a SLURM cluster, or its controller does not answer.
    """
    found: dict[str, Partition] = {}
    for line in ask("sinfo", "--noheader", "--exact", "--format", NODE_FORMAT).splitlines():
        name, state, limit, cpus, memory, gres = line.split("|")
        known = found.get(name)
        # Some versions add a plus where nodes differ.
        node = Nodes(int(cpus.rstrip("+")), int(memory.rstrip("+")), devices(gres))
        nodes = (*(known.nodes if known else ()), node)
        found[name] = Partition(name, state == UP, minutes(limit), nodes)
    if not found:
        raise StudyError("this SLURM shows you no partition (see the command sinfo)")
    default = [
        name.removesuffix("*")
        for name in ask("sinfo", "--noheader", "--format", "%P").split()
        if name.endswith("*")
    ]
    return {name: found[name] for name in sorted(found, key=lambda name: name not in default)}


def ask(*command: str) -> str:
    """Return what a command of SLURM prints.

    Raises
    ------
    StudyError
        When there is no such command here, or it fails; SLURM's own words stand in the message.
    """
    if shutil.which(command[0]) is None:
        raise StudyError(
            f"no SLURM found on this machine: there is no command {command[0]!r}. Start the run on "
            "a login node of the cluster, or leave out --profile to run on this machine alone"
        )
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired as error:
        raise StudyError(
            f"SLURM gave no answer to {' '.join(command)!r} in {TIMEOUT_S} s; try again later"
        ) from error
    if answer.returncode:
        said = answer.stderr.strip() or answer.stdout.strip()
        raise StudyError(f"SLURM did not answer to {' '.join(command)!r}: {said}")
    return answer.stdout


def devices(gres: str) -> tuple[Device, ...]:
    """Read what sinfo or a profile says of devices, for instance ``gpu:a100:4(S:0-1),shard:8``."""
    found = []
    # Commas stand inside brackets as well: gpu:4(IDX:0,2).
    for part in re.sub(r"\([^)]*\)", "", gres).split(","):
        read = GRES.fullmatch(part.strip())
        if read is None or part.strip() == "null":
            continue
        name, kind, count = read.groups()
        if kind is not None and count is None and kind.isdigit():
            kind, count = None, kind
        found.append(Device(name, kind or "", int(count or 1)))
    return tuple(found)


def minutes(limit: str) -> float:
    """Read a time limit of sinfo: ``infinite``, ``30:00``, ``12:00:00`` or ``7-00:00:00``."""
    read = TIME.fullmatch(limit.strip())
    if read is None:
        return float("inf")
    days, hours, mins, seconds = (int(part or 0) for part in read.groups())
    return 1440 * days + 60 * hours + mins + seconds / 60


def remembers_s() -> float:
    """Return for how long squeue shows a job that has ended (MinJobAge), in seconds."""
    read = re.search(r"^MinJobAge\s*=\s*(\d+)", ask("scontrol", "show", "config"), re.MULTILINE)
    return float(read[1]) if read else float("inf")


def keeps_accounts() -> bool:
    """Tell whether the cluster records ended jobs (slurmdbd), so that sacct can be asked."""
    try:
        ask("sacct", "--noheader", "--allocations", "--starttime", "now")
    except StudyError:
        return False
    return True


def jobs_by_prefix(prefix: str) -> dict[str, str]:
    """Return number -> state of this user's jobs that wait or run and whose name begins so."""
    lines = ask("squeue", "--me", "--noheader", "--format", "%i|%T|%j").splitlines()
    jobs = (line.split("|", 2) for line in lines)
    return {number: state for number, state, name in jobs if name.startswith(prefix)}


def cancel(jobs: Sequence[str]) -> None:
    """Ask SLURM to end jobs; those that ended meanwhile are no error."""
    if jobs:
        ask("scancel", "--quiet", *jobs)
