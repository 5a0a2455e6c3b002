"""The whole study by Snakemake: only what is missing or changed, in parallel, safe to interrupt."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
from pathlib import Path

from study.config import Study
from study.errors import StudyError, missing_package
from study.own_code import WORKING_DIRECTORY, working_directory
from study.results import Results

SNAKEFILE = Path(__file__).resolve().parent.parent / "Snakefile"


def run_workflow(
    study: Study, study_file: Path, results: Results, cores: int, environment: dict[str, str]
) -> None:
    """Run every step that is missing or whose settings or inputs changed.

    The caller holds the results folder, so Snakemake's own lock, which outlives a killed run, is
    not used. The steps see `environment` besides the caller's own.

    Raises
    ------
    StudyError
        When a step failed; the step has said why.
    """
    _check_packages(study)
    # Snakemake resolves the study file from the results folder, which it works in.
    command = [
        *(sys.executable, "-P", "-m", "snakemake", "--snakefile", str(SNAKEFILE)),
        *("--directory", str(results.root.resolve()), "--cores", str(cores)),
        *("--config", f"study={study_file.resolve()}"),
        *("--rerun-triggers", "mtime", "--rerun-incomplete", "--nolock", "--keep-going"),
        *("--quiet", "all"),
    ]
    # The user's own code and folders are sought where the user is, not where the steps work.
    here = {WORKING_DIRECTORY: str(working_directory())}
    workflow = subprocess.Popen(command, env=os.environ | here | environment)
    try:
        code = workflow.wait()
    except KeyboardInterrupt:
        workflow.send_signal(signal.SIGINT)
        workflow.wait()
        raise
    if code:
        raise StudyError(
            f"a step did not succeed (its message is above and in {results.log}); what was done is "
            "kept. Repeat the command when the cause is mended."
        )


def _check_packages(study: Study) -> None:
    """Say before hours of work that a package for a later step is missing."""
    if not SNAKEFILE.is_file():
        raise StudyError(
            f"{SNAKEFILE}: no such file; install bodyscene from its repository: pip install -e ."
        )
    needs: list[str] = []
    if study.models:
        needs += ["torch", "torchvision", "safetensors"]
    if study.masks.source == "yolo":
        needs += ["torch", "ultralytics"]
    for package in needs:
        if importlib.util.find_spec(package) is None:
            raise missing_package(package)
