"""A small private SLURM on this machine, with its own key, ports and folder, for tests."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil

COMMANDS = ("sbatch", "scancel", "scontrol", "sinfo", "squeue", "srun")
PROGRAMS = ("munged", "slurmctld", "slurmd", *COMMANDS)
CPU_NODE, GPU_NODE = "node1", "node2"
START_S, STOP_S = 30.0, 10.0


def missing_for_a_cluster() -> str | None:
    """Return why no SLURM can be started here, or None."""
    absent = [program for program in PROGRAMS if shutil.which(program) is None]
    if absent:
        return f"no SLURM to start here: {', '.join(absent)} not found (Debian: slurm-wlm, munge)"
    if os.geteuid() != 0:
        return "the private SLURM of the tests is started as root"
    return None


@dataclass(frozen=True)
class ClusterOptions:
    """What the cluster pretends to have; both nodes are this machine.

    Attributes
    ----------
    cpus, memory_mb
        Of each node, whatever this machine has.
    gpus
        Of the node of the partition `gpu`, called a100. There is no device behind them.
    max_minutes
        The longest time that a job may ask for, in both partitions.
    min_job_age_s
        How long squeue shows a job that has ended.
    """

    cpus: int = 4
    memory_mb: int = 100_000
    gpus: int = 2
    max_minutes: int = 60
    min_job_age_s: int = 3600


@dataclass
class LocalCluster:
    """Two nodes, the partitions `cpu` (default) and `gpu`, jobs killed over their memory and time.

    Every daemon runs in the foreground as a child of this process, and what jobs start is found by
    the SLURM_CONF in its environment. A guard ends all of it if this process is killed.
    """

    folder: Path
    options: ClusterOptions = field(default_factory=ClusterOptions)
    daemons: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def conf(self) -> Path:
        return self.folder / "slurm.conf"

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs in its environment to find this cluster and no other."""
        path = f"{self.folder}/bin{os.pathsep}{os.environ['PATH']}"
        return {"SLURM_CONF": str(self.conf), "PATH": path}

    def start(self) -> None:
        """Start all daemons and return when both nodes take jobs."""
        for part in ("state", "log", "munge", "bin"):
            (self.folder / part).mkdir(parents=True, exist_ok=True)
        self._write_settings()
        self._write_commands()
        self._start_guard()
        self._start_munge()
        self.start_controller()
        for node in (CPU_NODE, GPU_NODE):
            self.start_node(node)
        self.wait_until_idle()

    def start_controller(self) -> None:
        self._start("slurmctld", "slurmctld", "-D")
        self._wait(self._controller_answers, "slurmctld does not answer")

    def start_node(self, node: str) -> None:
        self._start(node, "slurmd", "-D", "-N", node)

    def restart_controller(self) -> None:
        """End the controller as an administrator does, and start it again."""
        self.end("slurmctld", gently=True)
        self.start_controller()

    def end(self, daemon: str, gently: bool = False) -> None:
        """End the controller (`slurmctld`) or a node; not gently means without any warning."""
        process = self.daemons.pop(daemon)
        process.terminate() if gently else process.kill()
        process.wait()

    def wait_until_idle(self) -> None:
        self._wait(self._all_idle, "the nodes are not ready")

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run one of SLURM's commands, or any other, on this cluster."""
        return subprocess.run(
            command,
            env=os.environ | self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def jobs(self, state: str = "all") -> list[str]:
        """Return the ids of jobs in a state, in the order of their submission."""
        found = self.run("squeue", "--noheader", "--format=%i", f"--states={state}", "--sort=i")
        return found.stdout.split()

    def stop(self) -> None:
        """End every job, every daemon and whatever still belongs to this cluster."""
        end = time.monotonic() + STOP_S
        # A process may start another while the list is made.
        while (left := self.processes()) and time.monotonic() < end:
            for process in left:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            time.sleep(0.02)
        for daemon in self.daemons.values():
            daemon.kill()
            daemon.wait()
            if daemon.stdin is not None:
                daemon.stdin.close()
        self.daemons.clear()

    def processes(self) -> list[psutil.Process]:
        """Return all processes of the cluster: daemons, job steps, and what jobs started."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
                return False
            # psutil reads no further than the title that slurmstepd writes over its environment.
            variables = Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0")
        except (psutil.NoSuchProcess, OSError):
            return False
        return f"SLURM_CONF={self.conf}".encode() in variables

    def _start(self, name: str, *command: str) -> None:
        with (self.folder / "log" / f"{name}.out").open("ab") as out:
            self.daemons[name] = subprocess.Popen(
                command,
                env=os.environ | self.environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    def _start_guard(self) -> None:
        # It waits for the end of its input, which comes when this process is no more.
        command = [sys.executable, __file__, str(self.folder)]
        self.daemons["guard"] = subprocess.Popen(
            command, stdin=subprocess.PIPE, start_new_session=True
        )

    def _start_munge(self) -> None:
        folder = self.folder / "munge"
        key = folder / "key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o600)
        places = {"socket": "socket", "key-file": "key", "pid-file": "pid"}
        places |= {"log-file": "log", "seed-file": "seed"}
        options = [f"--{option}={folder / place}" for option, place in places.items()]
        # Folders above the test's own belong to others: munged says so, and starts by --force.
        self._start("munged", "munged", "--foreground", "--force", *options)
        self._wait((folder / "socket").exists, "munged does not answer")

    def _write_settings(self) -> None:
        controller, *node_ports = _free_ports(3)
        here, own, folder = socket.gethostname().split(".")[0], self.options, self.folder
        node = f"NodeHostname={here} NodeAddr=127.0.0.1 CPUs={own.cpus} RealMemory={own.memory_mb}"
        settings = {
            "ClusterName": "private",
            "SlurmctldHost": f"{here}(127.0.0.1)",
            "SlurmctldPort": controller,
            "SlurmUser": "root",
            "SlurmdUser": "root",
            "AuthInfo": f"socket={folder}/munge/socket",
            "StateSaveLocation": f"{folder}/state",
            "SlurmdSpoolDir": f"{folder}/spool-%n",
            "SlurmctldPidFile": f"{folder}/slurmctld.pid",
            "SlurmdPidFile": f"{folder}/%n.pid",
            "ProctrackType": "proctrack/linuxproc",
            "TaskPlugin": "task/none",
            "SlurmdParameters": "config_overrides",
            "SelectType": "select/cons_tres",
            "SelectTypeParameters": "CR_Core_Memory",
            "GresTypes": "gpu",
            # A step over its memory is killed within a second.
            "JobAcctGatherType": "jobacct_gather/linux",
            "JobAcctGatherFrequency": "task=1",
            "JobAcctGatherParams": "OverMemoryKill",
            "OverTimeLimit": 0,
            "KillWait": 2,
            "MinJobAge": own.min_job_age_s,
            "SlurmdTimeout": 10,
            "ReturnToService": 2,
            "MpiDefault": "none",
            "SchedulerParameters": "bf_interval=1,sched_min_interval=0",
        }
        lines = [f"{name}={value}" for name, value in settings.items()]
        gpus = f"Gres=gpu:a100:{own.gpus}"
        lines += [
            f"NodeName={CPU_NODE} {node} Port={node_ports[0]}",
            f"NodeName={GPU_NODE} {node} Port={node_ports[1]} {gpus}",
            f"PartitionName=cpu Nodes={CPU_NODE} Default=YES MaxTime={own.max_minutes}",
            f"PartitionName=gpu Nodes={GPU_NODE} MaxTime={own.max_minutes}",
        ]
        self.conf.write_text("\n".join(lines) + "\n")
        # SLURM counts a GPU by its device: any device of the machine does.
        device = f"NodeName={GPU_NODE} Name=gpu Type=a100 File=/dev/"
        devices = ["null", "zero", "full", "random"][: own.gpus]
        (folder / "gres.conf").write_text("".join(f"{device}{name}\n" for name in devices))

    def _write_commands(self) -> None:
        """Write SLURM's commands such that they find this cluster.

        Snakemake's executor drops SLURM_CONF from the environment of `srun` in a job.
        """
        for name in COMMANDS:
            command = self.folder / "bin" / name
            found = shutil.which(name)
            command.write_text(f'#!/bin/sh\nSLURM_CONF={self.conf} exec {found} "$@"\n')
            command.chmod(0o755)

    def _controller_answers(self) -> bool:
        return self.run("scontrol", "ping").returncode == 0

    def _all_idle(self) -> bool:
        states = self.run("sinfo", "--noheader", "--Node", "--format=%t").stdout.split()
        return states == ["idle", "idle"]

    def _wait(self, ready: Callable[[], bool], otherwise: str) -> None:
        end = time.monotonic() + START_S
        while not ready():
            if time.monotonic() > end:
                logs = sorted((self.folder / "log").glob("*.out"))
                told = "\n".join(f"{log.name}: {log.read_text()[-1500:]}" for log in logs)
                self.stop()
                raise RuntimeError(f"{otherwise} after {START_S:.0f} s\n{told}")
            time.sleep(0.05)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


if __name__ == "__main__":
    sys.stdin.read()
    LocalCluster(Path(sys.argv[1])).stop()
    shutil.rmtree(sys.argv[1], ignore_errors=True)
