"""What made a results folder: study, seed, versions, commit, machine."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path

from study.config import Study, dump_study
from study.files import key_of, write_if_changed
from study.results import Results

PACKAGES = (
    "bodyscene",
    "av",
    "numpy",
    "opencv-python-headless",
    "opencv-python",
    "pandas",
    "psychopy",
    "scipy",
    "snakemake",
    "statsmodels",
    "torch",
    "torchvision",
    "ultralytics-opencv-headless",
)


def package_versions() -> dict[str, str]:
    """Return the versions of the packages that results depend on, where installed."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def git_commit() -> str:
    """Return the toolkit's commit, with "+changes" if files differ from it, or "unknown"."""
    folder = Path(__file__).resolve().parent
    git = ["git", "-C", str(folder)]
    try:
        commit = subprocess.run(
            [*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True
        ).stdout.strip()
        changed = subprocess.run(
            [*git, "status", "--porcelain", "--untracked-files=no"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        # A container has no git, but a note of the commit that it was built from.
        note = folder.parent / "COMMIT"
        return note.read_text(encoding="utf-8").strip() if note.is_file() else "unknown"
    return commit + ("+changes" if changed else "")


def record_provenance(study: Study, results: Results) -> None:
    """Write the resolved study file and the provenance, each only if it changed."""
    write_if_changed(results.study, dump_study(study))
    content = {
        "study": study.name,
        "seed": study.seed,
        "study_key": key_of(study.model_dump(mode="json")),
        "packages": package_versions(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu_count": os.cpu_count(),
        "git_commit": git_commit(),
    }
    write_if_changed(results.provenance, json.dumps(content, indent=2, sort_keys=True) + "\n")
