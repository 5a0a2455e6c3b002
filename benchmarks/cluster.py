"""What a SLURM cluster buys, and what the coordinator costs.

Run from the repository's root on a machine that finds a SLURM (one node with four free cores is
enough):

    python -m benchmarks.cluster            # speed-up from 1 to 4 job slots, then the plan
    python -m benchmarks.cluster --plan     # only the plan: it needs no SLURM

The speed-up is that of a step as its user sees it: from the first job that is sent to the last that
is done, with all waiting. The plan is Snakemake's dry run of 10,000 clips and 12 models of 10 seeds.
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
from pathlib import Path

import psutil

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
n_actions = 5
clips_per_action = {clips_per_action}
n_frames = {n_frames}
[masks]
source = "truth"
[audit]
run = false
[trials]
n_participants = 6
[training]
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
slurm-init-seconds-before-status-checks: 3
slurm-no-requeue: true
config:
  clips_per_shard: {clips_per_shard}
  cores_per_job: 1
set-resources:
{memory}
"""
MEMORY_MB = 1500
STEPS = ("masks_shard", "versions_shard", "train")
LINE = re.compile(r"\d\d:\d\d:\d\d  (?P<step>\w+).*: (?P<event>sent as SLURM job|done \()")
PLANNED = {"clips": 10_000, "shards": 40, "models": 12, "seeds": 10}
# The aim.
MOST_PLAN_S = 60.0
EVERY_S = 0.05


@dataclass
class Spans:
    """When the jobs of each step were sent and done, s, and the coordinator's memory then, MiB."""

    sent_s: dict[str, list[float]] = field(default_factory=dict)
    done_s: dict[str, list[float]] = field(default_factory=dict)
    memory_mib: list[float] = field(default_factory=list)

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
        clips_per_action=options.shards * options.clips_per_shard // 5,
        n_frames=options.frames,
        epochs=options.epochs,
    )
    steps = ("masks_shard", "versions_shard", "stimuli", "frames", "review", "plan", "train")
    memory = "\n".join(f"  {step}:\n    mem_mb: {MEMORY_MB}" for step in steps)
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
            note(line, spans, run.pid)
            if len(spans.done_s.get("train", [])) == options.seeds:
                run.send_signal(signal.SIGINT)
                break
        else:
            raise SystemExit("the run failed:\n" + "".join(said))
        run.stderr.read()
    return spans


def note(line: str, spans: Spans, coordinator: int) -> None:
    """Note when a line of the run says that a job was sent or done."""
    found = LINE.match(line)
    if found is None:
        return
    times_s = spans.sent_s if found["event"].startswith("sent") else spans.done_s
    times_s.setdefault(found["step"], []).append(time.perf_counter())
    spans.memory_mib.append(memory_mib(coordinator))


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
    print_memory("the coordinator of the run with several slots", spans[options.slots].memory_mib)


def measure_plan(options: argparse.Namespace) -> None:
    """Print how long Snakemake takes to plan a large study, and in how much memory."""
    own = PLANNED
    seeds = list(range(own["seeds"]))
    models = [MODEL.format(name=f"model{i}", seeds=seeds) for i in range(own["models"])]
    with tempfile.TemporaryDirectory(dir=options.folder) as place:
        folder = Path(place)
        sizes = {"clips_per_action": own["clips"] // 5, "n_frames": 60, "epochs": 10}
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
    parser.add_argument("--shards", type=int, default=8)
    parser.add_argument("--clips-per-shard", type=int, default=20)
    parser.add_argument("--frames", type=int, default=30)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=10)
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
