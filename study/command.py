"""What every command does: hold the results folder, log, put errors in words, stamp what is done.

It is imported with the command line's help, so it loads nothing heavy before it is needed.
"""

from __future__ import annotations

import contextlib
import logging
import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from study.machine import usable_cores

if TYPE_CHECKING:
    from study.config import Study
    from study.results import Results

# Of every verb.
ALL_CORES = usable_cores()
StudyFile = Annotated[Path, typer.Argument(metavar="STUDY.toml", help="the study file")]
ResultsFolder = Annotated[
    Path | None, typer.Option("--results", help="results folder; default results/STUDY_NAME")
]
Cores = Annotated[
    int, typer.Option("--cores", "-c", min=1, help="processes at once; default all cores")
]

# Set for the commands that a workflow starts.
IN_RUN = "BODYSCENE_IN_RUN"
log = logging.getLogger("bodyscene")


@contextlib.contextmanager
def step(
    name: str, study_file: Path, results_folder: Path | None, by_several: bool = False
) -> Iterator[tuple[Study, Results]]:
    """Load the study, hold its results folder, log to it, and put errors in words.

    Of processes that torchrun or srun start together the first one does the step, alone unless it
    is one that is done `by_several`.
    """
    from study.config import load_study
    from study.files import sweep_partial_files
    from study.provenance import record_provenance
    from study.results import SESSIONS, Results
    from study.steps import write_step_settings
    from study.writers import only_writer

    with errors_in_words():
        study = load_study(study_file)
        results = Results(results_folder or Path("results") / study.name)
        if is_beside_first():
            if not by_several:
                raise typer.Exit()
            yield study, results
            return
        with only_writer(results.root):
            log_to_screen(name)
            if _in_run():
                # Its steps write at the same time, on a cluster from several machines.
                _log_to_file(results.step_log(name), name)
            else:
                _log_to_file(results.log, name)
                # Nobody else writes here now, but for sessions on other computers: what has a
                # partial name was left by a kill.
                sweep_partial_files(results.root, but=SESSIONS)
                record_provenance(study, results)
                write_step_settings(study, results)
            yield study, results


@contextlib.contextmanager
def errors_in_words() -> Iterator[None]:
    from study.errors import EXTRA_OF, StudyError, missing_package

    try:
        yield
    except StudyError as error:
        log.debug("failed", exc_info=True)
        typer.secho(f"error: {error}", err=True, fg="red")
        raise typer.Exit(1) from None
    except ModuleNotFoundError as error:
        if error.name not in EXTRA_OF:
            raise
        typer.secho(f"error: {missing_package(error.name)}", err=True, fg="red")
        raise typer.Exit(1) from None
    except Exception:
        log.debug("an error that nobody foresaw", exc_info=True)
        raise
    except KeyboardInterrupt:
        typer.secho("Stopped. Repeat the command to go on where it stopped.", err=True)
        raise typer.Exit(130) from None


def log_to_screen(name: str) -> None:
    """Show what is logged; among the parallel steps of a run, with the time and the step's name."""
    log.setLevel(logging.DEBUG)
    screen = logging.StreamHandler(sys.stderr)
    screen.setLevel(logging.INFO)
    line = f"%(asctime)s  {name:<24} %(message)s" if _in_run() else "%(message)s"
    screen.setFormatter(logging.Formatter(line, datefmt="%H:%M:%S"))
    log.addHandler(screen)


def _log_to_file(path: Path, name: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    file = logging.FileHandler(path, encoding="utf-8")
    file.setFormatter(logging.Formatter(f"%(asctime)s {name} %(levelname)s %(message)s"))
    log.addHandler(file)
    log.debug("on %s", platform.node())


def _in_run() -> bool:
    return IN_RUN in os.environ


def is_beside_first() -> bool:
    """Tell whether torchrun or srun started this process beside a first one, which alone writes."""
    from study import launch

    return launch.is_beside_first(os.environ)


def stamp(results: Results, name: str, *paths: Path) -> None:
    """Note that a step is done; the workflow redoes what follows only if these hashes change."""
    from study.files import sha256_of, write_json
    from study.writers import only_writer

    if is_beside_first():
        return
    # Whoever took the folder over meanwhile goes by the stamps: they are no longer ours to write.
    with only_writer(results.root) as claim:
        claim.check()
    write_json(results.stamp(name), {path.name: sha256_of(path) for path in paths})


def say(line: str) -> None:
    """Print the line that ends a command; within a run it is one of the log's lines."""
    if _in_run():
        log.info(line)
    elif not is_beside_first():
        typer.echo(line)
