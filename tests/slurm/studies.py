"""Tiny studies, profiles for the private SLURM, runs of both, and what a run must have made."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from tests.slurm.local_cluster import LocalCluster
from tests.tiny_world import TINY_WORLD

STIMULI_ONLY = (
    """
name = "tiny"
title = "A tiny study"
seed = 5
"""
    + TINY_WORLD
    + """[trials]
n_participants = 6
[audit]
run = false
[analysis]
n_bootstrap = 100
"""
)
WITH_NETWORKS = (
    STIMULI_ONLY
    + """
[training]
image_size = 32
epochs = 1
batches_per_epoch = 3
batch_size = 5
threads = 1
[[models]]
name = "baseline"
architecture = "baseline"
backbone = "tiny"
seeds = [0, 1]
"""
)
# The first look at jobs comes after the time that a tiny step takes; later looks come slower.
PROFILE = """
executor: slurm
jobs: 8
retries: {retries}
latency-wait: 20
slurm-init-seconds-before-status-checks: {look_s}
slurm-no-account: true
slurm-no-requeue: true
config:
  clips_per_shard: {clips_per_shard}
  cores_per_job: 1
default-resources:
  slurm_partition: cpu
{resources}
"""
TRAINED_ON_GPUS = """set-resources:
  train:
    slurm_partition: gpu
    gres: "gpu:a100:1"
"""
# How long a run took, what it said, where and when it ran; and the journal in the order in which
# clips happened to be done.
OF_ONE_RUN = (".snakemake", ".claims", "logs", "tensorboard")
NAMES_OF_ONE_RUN = ("log.csv", "provenance.json", "bodyscene.log", "index.jsonl")
WAIT_S = 240.0


def write_study(folder: Path, text: str) -> None:
    (folder / "tiny.toml").write_text(text)


def write_profile(
    folder: Path,
    resources: str = TRAINED_ON_GPUS,
    clips_per_shard: int = 7,
    retries: int = 2,
    look_s: int = 8,
) -> None:
    (folder / "profile").mkdir(exist_ok=True)
    text = PROFILE.format(
        resources=resources,
        clips_per_shard=clips_per_shard,
        retries=retries,
        look_s=look_s,
    )
    (folder / "profile" / "config.yaml").write_text(text)


class Run:
    """`bodyscene run` of the study in a folder, on the cluster unless `local`."""

    def __init__(self, folder: Path, local: bool = False, **environment: str) -> None:
        where = ["--cores", "2"] if local else ["--profile", "profile"]
        self.said = folder / f"said-{time.monotonic_ns()}.txt"
        with self.said.open("wb") as out:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-P", "-m", "bodyscene", "run", "tiny.toml"),
                    *("--results", "out", *where),
                ],
                cwd=folder,
                env=os.environ | environment,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    def text(self) -> str:
        return self.said.read_text()

    def finish(self) -> int:
        """Return the exit code when the run has ended."""
        try:
            return self.process.wait(timeout=WAIT_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the run does not end\n{self.text()[-3000:]}") from None

    def kill(self) -> None:
        """End the coordinator outright, and nothing else."""
        self.process.kill()
        self.process.wait()

    def interrupt(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.finish()


def wait_for(ready: Callable[[], bool], run: Run | None = None) -> None:
    end = time.monotonic() + WAIT_S
    while not ready():
        said = run.text()[-3000:] if run else ""
        assert run is None or run.process.poll() is None, f"the run ended too early\n{said}"
        assert time.monotonic() < end, f"waited in vain\n{said}"
        time.sleep(0.1)


def running(slurm: LocalCluster, step: str) -> list[str]:
    """Return the ids of running jobs of a step."""
    found = slurm.run("squeue", "--noheader", "--states=running", "--format=%i %k")
    jobs = (line.split(maxsplit=1) for line in found.stdout.splitlines())
    return [number for number, comment in jobs if comment.startswith(f"rule_{step}")]


def worker_of(slurm: LocalCluster, verb: str) -> psutil.Process | None:
    """Return the process of a step in a job, not the shells and Snakemakes around it."""
    for process in slurm.processes():
        try:
            words = process.cmdline()
        except psutil.Error:
            continue
        if words[1:5] == ["-P", "-m", "bodyscene", verb]:
            return process
    return None


def hashes(results: Path) -> dict[str, str]:
    """Return path -> hash of all that a run made and that must not depend on where it ran."""
    return {
        name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(results.rglob("*"))
        if path.is_file() and not _is_of_one_run(path, name := path.relative_to(results).as_posix())
    }


def _is_of_one_run(path: Path, name: str) -> bool:
    # Stamps of shards exist only where there are shards.
    is_stamp_of_shard = name.startswith(("steps/masks-", "steps/versions-"))
    apart = set(OF_ONE_RUN) & set(name.split("/"))
    return bool(apart) or path.name in NAMES_OF_ONE_RUN or is_stamp_of_shard
