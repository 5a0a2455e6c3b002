"""What a SLURM cluster buys, and what the coordinator costs.

Run from the repository's root on a machine that finds a SLURM (one node with four free cores is
enough):

    python -m benchmarks.cluster            # speed-up from 1 to 4 job slots, then the plan
    python -m benchmarks.cluster --plan     # only the plan: it needs no SLURM

Two speed-ups of a step: as its user sees it, from the first job that is sent to the last one that
is seen to be done, which depends on how often Snakemake looks; and that of the work, from the times
at which SLURM started and ended the jobs: the sum of those of the run with one slot by the time
from the first start to the last end of the run with several. The plan is Snakemake's dry run for
10,000 clips and 12 models of 10 seeds.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import psutil

from cluster.slurm import partitions
from cluster.submit import prefix_of
from study.config import load_study
from study.results import Results
from study.steps import write_step_settings
from study.workflow import SNAKEFILE

STUDY = """
name = "cluster"
title = "How fast a cluster is"
seed = 1
[dataset]
kind = "synthetic"
n_actions = {n_actions}
clips_per_action = {clips_per_action}
n_frames = {n_frames}
[masks]
source = "truth"
[audit]
run = false
[trials]
n_participants = 6
[training]
image_size = 64
batches_per_epoch = 10
batch_size = 16
epochs = {epochs}
threads = 1
"""
MODEL = """
[[models]]
name = "{name}"
architecture = "baseline"
backbone = "tiny"
seeds = {seeds}
"""
PROFILE = """
executor: slurm
jobs: {slots}
latency-wait: 60
slurm-init-seconds-before-status-checks: 12
slurm-no-requeue: true
config:
  clips_per_shard: {clips_per_shard}
  cores_per_job: 1
set-resources:
{memory}
"""
MEMORY_MB = 4000
STEPS = ("masks_shard", "versions_shard", "train")
LINE = re.compile(r"\d\d:\d\d:\d\d  (?P<step>\w+).*: (?P<event>sent as SLURM job|done \()")
PLANNED = {"clips": 10_000, "actions": 16, "shards": 40, "models": 12, "seeds": 10}
# The aim.
MOST_PLAN_S = 60.0
EVERY_S = 0.05


@dataclass
class Spans:
    """When the jobs of each step were sent and done, s, and the coordinator's memory then, MiB."""

    sent_s: dict[str, list[float]] = field(default_factory=dict)
    done_s: dict[str, list[float]] = field(default_factory=dict)
    memory_mib: list[float] = field(default_factory=list)
    # SLURM's number of a job -> step, start and end.
    jobs: dict[str, tuple[str, datetime, datetime]] = field(default_factory=dict)

    def work_s(self, step: str) -> list[float]:
        """Return how long each job of a step worked, s."""
        jobs = (job for job in self.jobs.values() if job[0] == step)
        return [(end - start).total_seconds() for _, start, end in jobs]

    def makespan_s(self, step: str) -> float:
        """Return the time from the first start to the last end of a step's jobs, s."""
        jobs = [job for job in self.jobs.values() if job[0] == step]
        return (max(end for *_, end in jobs) - min(start for _, start, _ in jobs)).total_seconds()

    def ask(self, prefix: str) -> None:
        """Ask SLURM for the times of the run's jobs that are done."""
        command = ["squeue", "--noheader", "--states=completed", "--format=%i|%j|%k|%S|%e"]
        listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        for line in listed.splitlines():
            number, name, comment, start, end = line.split("|")
            if name.startswith(prefix):
                step = comment.removeprefix("rule_").split("_wildcards_")[0]
                times = datetime.fromisoformat(start), datetime.fromisoformat(end)
                self.jobs[number] = (step, *times)

    def of(self, step: str) -> float:
        """Return the time from the first job sent to the last one done, s."""
        return max(self.done_s[step]) - min(self.sent_s[step])


def write_study(folder: Path, models: list[str], **sizes: object) -> Path:
    """Write a study of some size."""
    file = folder / "study.toml"
    file.write_text(STUDY.format(**sizes) + "".join(models))
    return file


def timed_run(folder: Path, slots: int, options: argparse.Namespace) -> Spans:
    """Run the stimuli and trainings with so many job slots; end when all networks are trained."""
    seeds = list(range(options.seeds))
    study = write_study(
        folder,
        [MODEL.format(name="tiny", seeds=seeds)],
        n_actions=5,
        clips_per_action=options.shards * options.clips_per_shard // 5,
        n_frames=options.frames,
        epochs=options.epochs,
    )
    steps = ("masks_shard", "versions_shard", "stimuli", "frames", "review", "plan", "train")
    # So that as many jobs fit on a node as there are slots; not every SLURM counts memory.
    counts = all(partition.states_memory for partition in partitions().values())
    asked = f"mem_mb: {MEMORY_MB}" if counts else "runtime: 60"
    memory = "\n".join(f"  {step}:\n    {asked}" for step in steps)
    profile = folder / "profile"
    profile.mkdir()
    (profile / "config.yaml").write_text(
        PROFILE.format(slots=slots, clips_per_shard=options.clips_per_shard, memory=memory)
    )
    command = [sys.executable, "-P", "-m", "bodyscene", "run", str(study)]
    command += ["--results", str(folder / "out"), "--profile", str(profile)]
    spans = Spans()
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as run:
        assert run.stderr is not None
        said = []
        for line in run.stderr:
            said.append(line)
            if note(line, spans, run.pid):
                spans.ask(prefix_of(Results(folder / "out")))
            if len(spans.done_s.get("train", [])) == options.seeds:
                run.send_signal(signal.SIGINT)
                break
        else:
            raise SystemExit("the run failed:\n" + "".join(said))
        run.stderr.read()
    return spans


def note(line: str, spans: Spans, coordinator: int) -> bool:
    """Note when a line of the run says that a job was sent or done; tell whether it was done."""
    found = LINE.match(line)
    if found is None:
        return False
    is_sent = found["event"].startswith("sent")
    times_s = spans.sent_s if is_sent else spans.done_s
    times_s.setdefault(found["step"], []).append(time.perf_counter())
    spans.memory_mib.append(memory_mib(coordinator))
    return not is_sent


def memory_mib(process_id: int) -> float:
    """Return the memory of a process and those that it started, MiB."""
    total = 0
    try:
        process = psutil.Process(process_id)
        for each in (process, *process.children(recursive=True)):
            total += each.memory_info().rss
    except psutil.NoSuchProcess:
        pass
    return total / 2**20


def measure_speed_up(options: argparse.Namespace) -> None:
    """Print how much faster steps are with more job slots."""
    spans = {}
    for slots in (1, options.slots):
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            spans[slots] = timed_run(Path(folder), slots, options)
    print(f"{options.shards} shards of {options.clips_per_shard} clips, {options.seeds} seeds")
    for step in STEPS:
        one, several = spans[1].of(step), spans[options.slots].of(step)
        print(
            f"  {step}: {one:.0f} s with 1 job slot, {several:.0f} s with {options.slots}: "
            f"{one / several:.2f} times as fast"
        )
        work_s, span_s = sum(spans[1].work_s(step)), spans[options.slots].makespan_s(step)
        print(
            f"    work alone: {work_s:.0f} s one after the other, {span_s:.0f} s with "
            f"{options.slots}: {work_s / span_s:.2f} times as fast"
        )
    print_memory("the coordinator of the run with several slots", spans[options.slots].memory_mib)


def measure_plan(options: argparse.Namespace) -> None:
    """Print how long Snakemake takes to plan a large study, and in how much memory."""
    own = PLANNED
    seeds = list(range(own["seeds"]))
    models = [MODEL.format(name=f"model{i}", seeds=seeds) for i in range(own["models"])]
    with tempfile.TemporaryDirectory(dir=options.folder) as place:
        folder = Path(place)
        sizes = {"n_frames": 60, "epochs": 10}
        sizes |= {"n_actions": own["actions"], "clips_per_action": own["clips"] // own["actions"]}
        study = write_study(folder, models, **sizes)
        results = Results(folder / "out")
        write_step_settings(load_study(study), results)
        command = [sys.executable, "-P", "-m", "snakemake", "--snakefile", str(SNAKEFILE)]
        command += ["--directory", str(results.root), "--dry-run", "--cores", "4", "--nolock"]
        command += ["--config", f"study={study}", "cores=4", f"shards={own['shards']}"]
        start_s = time.perf_counter()
        with planning(command) as (process, listing):
            taken = list(memory_over_time(process))
            wall_s = time.perf_counter() - start_s
            jobs = re.search(r"^total +(\d+)", listing.read_text(), re.MULTILINE)
    if process.returncode or jobs is None:
        raise SystemExit(f"planning failed: {' '.join(command)}")
    print(f"{own['clips']} clips, {own['models']} models of {own['seeds']} seeds: {jobs[1]} jobs")
    print(f"  planned in {wall_s:.1f} s (aim: at most {MOST_PLAN_S:.0f} s)")
    print_memory("the planning process", taken)


@contextmanager
def planning(command: list[str]) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """Start a process whose words go to a file."""
    with tempfile.NamedTemporaryFile(suffix=".txt") as said:
        yield subprocess.Popen(command, stdout=said, stderr=said), Path(said.name)


def memory_over_time(process: subprocess.Popen[bytes]) -> Iterator[float]:
    """Yield the memory of a process until it ends, MiB."""
    while process.poll() is None:
        yield memory_mib(process.pid)
        time.sleep(EVERY_S)


def print_memory(whose: str, taken_mib: list[float]) -> None:
    """Print memory at the quarters of the time and its maximum."""
    n = len(taken_mib) - 1
    quarters = ", ".join(f"{taken_mib[round(n * part / 4)]:.0f}" for part in range(5))
    print(f"  memory of {whose} over its time: {quarters} MiB; at most {max(taken_mib):.0f} MiB")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--plan", action="store_true", help="only the plan; needs no SLURM")
    parser.add_argument("--slots", type=int, default=4)
    parser.add_argument("--shards", type=int, default=4)
    parser.add_argument("--clips-per-shard", type=int, default=20)
    parser.add_argument("--frames", type=int, default=30)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--folder", type=Path, help="shared by the nodes; default: here")
    options = parser.parse_args()
    options.folder = options.folder or Path.cwd()
    # Every job has one core.
    os.environ["OMP_NUM_THREADS"] = "1"
    if not options.plan:
        measure_speed_up(options)
    measure_plan(options)


if __name__ == "__main__":
    main()
