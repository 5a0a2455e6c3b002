"""The short measurement: a small study of a few clips goes through the real code."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cluster.child import NotMeasured, in_child
from cluster.counts import Counts
from cluster.measure_stimuli import measure_masks, measure_versions
from cluster.options import PlanOptions
from cluster.sample import Sample, sample_of
from study.config import Study, dump_study
from study.files import write_text
from study.progress import progress
from study.results import Results

# Of the time that the user allows, for the networks; clips take what they take.
SHARE_OF_NETWORKS = 0.6
START_ROUNDS = 2


@dataclass(frozen=True)
class Measured:
    """What was measured, as the functions of `measure_stimuli` and `measure_networks` return it.

    Attributes
    ----------
    start_s : float
        What every job takes before it works: Snakemake, and the imports of a command.
    masks : dict, optional
        None where masks of the study's own kind could not be made here.
    known_masks, versions : dict
        Of clips whose masks are known, where `masks` is None; else `known_masks` is `masks`.
    frames : dict, optional
        None without networks, or where they could not be made.
    networks : dict of str to dict
        By model; without those that could not be measured.
    said : list of str
        On what was measured, and what was not and why.
    """

    start_s: float
    masks: dict[str, Any] | None
    known_masks: dict[str, Any]
    versions: dict[str, Any]
    frames: dict[str, Any] | None = None
    networks: dict[str, dict[str, Any]] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)


def measure(study: Study, results: Results, counts: Counts, options: PlanOptions) -> Measured:
    """Measure what the clips and networks of a study cost on this machine.

    Everything is made in a temporary folder, which is gone afterwards, also after Ctrl-C.

    Raises
    ------
    NotMeasured
        When no version of a clip could be made.
    """
    models = [model.name for model in study.models] if options.measure_networks else []
    with (
        tempfile.TemporaryDirectory(prefix="bodyscene-plan-") as folder,
        progress("measuring", 4 + len(models), "parts") as advance,
    ):
        root = Path(folder)
        sample = sample_of(study, results, counts, root)
        said = [*sample.said, f"on {machine()}"]
        start_s = _start_s(study, root)
        advance(note="masks")
        masks, known = _masks(sample, root, said)
        advance(note="versions")
        made, place = sample.made, str(root / "made")
        versions = in_child(measure_versions, made, place)
        advance(note="frames")
        frames, networks = None, {}
        if models:
            frames = _or_said(said, "frames", _measure_frames, made, place)
        advance(note=models[0] if models else "")
        budget_s = 60 * options.minutes * SHARE_OF_NETWORKS / max(1, len(models))
        for name in models if frames else []:
            more = (counts.actions, budget_s, options.gpu is not None)
            found = _or_said(said, f"model {name}", _measure_network, made, place, name, *more)
            if found is not None:
                networks[name] = found
            advance(note=name)
        return Measured(start_s, masks, known, versions, frames, networks, said)


def _masks(
    sample: Sample, root: Path, said: list[str]
) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """Make the masks of the sample as the study does, and those that its versions need."""
    masks = None
    if sample.segmented is not None:
        folder = "made" if sample.segmented is sample.made else "segmented"
        work = (measure_masks, sample.segmented, str(root / folder))
        masks = _or_said(said, "masks", *work)
    if sample.segmented is sample.made and masks is not None:
        return masks, masks
    return masks, in_child(measure_masks, sample.made, str(root / "made"))


def _or_said(
    said: list[str], what: str, work: Callable[..., dict[str, Any]], *args: Any
) -> dict[str, Any] | None:
    try:
        return in_child(work, *args)
    except NotMeasured as error:
        said.append(f"{what}: not measured: {error}")
        return None


def _measure_frames(study: Study, root: str) -> dict[str, Any]:
    _keep_torch_in(root)
    from cluster.measure_networks import measure_frames

    return measure_frames(study, root)


def _measure_network(study: Study, root: str, *more: Any) -> dict[str, Any]:
    _keep_torch_in(root)
    from cluster.measure_networks import measure_network

    return measure_network(study, root, *more)


def _keep_torch_in(root: str) -> None:
    """Before torch is loaded, in the measuring process alone: let it keep its folder here.

    It makes one for compiled code, which stays empty.
    """
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(Path(root) / "torchinductor")


def _start_s(study: Study, root: Path) -> float:
    """Return what a job of the cluster takes to start: two Snakemakes and one command."""
    file = root / "study.toml"
    write_text(file, dump_study(study))
    python = [sys.executable, "-P", "-m"]
    snakemake = _least_s([*python, "snakemake", "--version"])
    return 2 * snakemake + _least_s([*python, "bodyscene", "check", str(file)])


def _least_s(command: list[str]) -> float:
    seconds = []
    for _ in range(START_ROUNDS):
        start_s = time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        seconds.append(time.perf_counter() - start_s)
    return min(seconds)


def machine() -> str:
    """Name this machine's processor, as far as the system tells."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                name = line.partition(":")[2].strip()
                break
    return f"{name}, {os.cpu_count()} cores"
