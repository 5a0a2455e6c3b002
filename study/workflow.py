"""The whole study by Snakemake: only what is missing or changed, in parallel, safe to interrupt."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from study.claim import Claim
from study.config import Study
from study.errors import StudyError, missing_package
from study.own_code import WORKING_DIRECTORY, working_directory
from study.results import Results
from study.writers import only_writer

LOOK_EVERY_S, PATIENCE_S = 15.0, 60.0
SNAKEFILE = Path(__file__).resolve().parent.parent / "Snakefile"


@dataclass(frozen=True)
class Place:
    """Where the steps of a study run.

    Attributes
    ----------
    arguments : tuple of str
        For Snakemake.
    config : mapping of str to str
        What the Snakefile must know of the place.
    environment : mapping of str to str
        That the steps see besides the caller's own.
    """

    arguments: tuple[str, ...]
    config: Mapping[str, str]
    environment: Mapping[str, str] = field(default_factory=dict)


def this_machine(cores: int, dry_run: bool = False) -> Place:
    """Return the place of steps that run here; what they log is all that is shown."""
    shown = ("--logger", "bodyscene") if dry_run else ("--quiet", "all")
    # Snakemake would take a folder `default` of the user's for a profile.
    own = ("--workflow-profile", "none")
    return Place((*own, "--cores", str(cores), *shown), {"cores": str(cores)})


def check_packages(study: Study) -> None:
    """Say before hours of work that a package for a later step is missing.

    Raises
    ------
    StudyError
        Names the package and how to install it.
    """
    needs: list[str] = []
    if study.models:
        needs += ["torch", "torchvision", "safetensors"]
    if study.masks.source == "yolo":
        needs += ["torch", "ultralytics"]
    for package in needs:
        if importlib.util.find_spec(package) is None:
            raise missing_package(package)


def run_workflow(
    study_file: Path,
    results: Results,
    place: Place,
    environment: Mapping[str, str],
    dry_run: bool = False,
) -> int:
    """Run every step that is missing or whose settings or inputs changed.

    The results folder is held meanwhile, so Snakemake's own lock, which outlives a killed run, is
    not used.

    Parameters
    ----------
    study_file : Path
    results : Results
    place : Place
    environment : mapping of str to str
        That the steps see besides the caller's own and the place's.
    dry_run : bool
        Only say what there is to do.

    Returns
    -------
    int
        0 if all steps succeeded; those that did not have said why.

    Raises
    ------
    StudyError
        When the toolkit is not installed from its repository, and when another process took the
        results folder over, because this machine gave no sign of life.
    """
    if not SNAKEFILE.is_file():
        raise StudyError(
            f"{SNAKEFILE}: no such file; install bodyscene from its repository: pip install -e ."
        )
    # Snakemake resolves the study file from the results folder, which it works in.
    config = {"study": str(study_file.resolve()), **place.config}
    command = [
        *(sys.executable, "-P", "-m", "study.snakemake_child", "--snakefile", str(SNAKEFILE)),
        *("--directory", str(results.root.resolve()), *place.arguments),
        # Not one that the user has for other work (SNAKEMAKE_PROFILE).
        *("--profile", "none"),
        *("--rerun-triggers", "mtime", "--rerun-incomplete", "--nolock", "--keep-going"),
        *(["--dry-run"] if dry_run else []),
        *("--config", *(f"{name}={value}" for name, value in config.items())),
    ]
    # The user's own code and folders are sought where the user is, not where the steps work.
    here = {WORKING_DIRECTORY: str(working_directory())}
    with only_writer(results.root) as claim:
        workflow = subprocess.Popen(
            command, env=os.environ | here | dict(place.environment) | dict(environment)
        )
        try:
            return _end_of(workflow, claim)
        except KeyboardInterrupt:
            _interrupt(workflow)
            raise
        except BaseException:
            # Whatever it was: no Snakemake is left behind.
            workflow.send_signal(signal.SIGINT)
            workflow.wait()
            raise


def _interrupt(workflow: subprocess.Popen) -> None:
    """End Snakemake as Ctrl-C does; a second one would disturb it while it cancels its jobs."""
    if _is_in_foreground():
        # The terminal has interrupted it, too.
        with contextlib.suppress(subprocess.TimeoutExpired):
            workflow.wait(PATIENCE_S)
            return
    workflow.send_signal(signal.SIGINT)
    workflow.wait()


def _is_in_foreground() -> bool:
    """Tell whether a terminal's Ctrl-C goes to this process and those that it started."""
    try:
        return os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except (OSError, ValueError, AttributeError):
        return False


def _end_of(workflow: subprocess.Popen, claim: Claim) -> int:
    """Wait for Snakemake, as long as nobody took the results folder over."""
    while True:
        try:
            return workflow.wait(LOOK_EVERY_S)
        except subprocess.TimeoutExpired:
            claim.check()
