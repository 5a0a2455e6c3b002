"""The command line: one verb per step, each a few lines; a room is imported when its verb runs."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from study.config import Study
    from study.results import Results

app = typer.Typer(
    name="bodyscene",
    help="Compare people and networks at recognising actions from bodies and backgrounds.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

StudyFile = Annotated[Path, typer.Argument(metavar="STUDY.toml", help="the study file")]
ResultsFolder = Annotated[
    Path | None, typer.Option("--results", help="results folder; default results/STUDY_NAME")
]
Cores = Annotated[
    int, typer.Option("--cores", "-c", min=1, help="processes at once; default all cores")
]
ModelName = Annotated[str | None, typer.Option("--model", help="only this model of the study")]
Seed = Annotated[int | None, typer.Option("--seed", help="only this seed of the model")]

ALL_CORES = os.cpu_count() or 1
# Set for the commands that a workflow starts.
IN_RUN = "BODYSCENE_IN_RUN"
log = logging.getLogger("bodyscene")


@app.command()
def run(study_file: StudyFile, results: ResultsFolder = None, cores: Cores = ALL_CORES) -> None:
    """Do the whole study, from clips to report; only what is missing or changed is done."""
    from study.workflow import run_workflow

    with _step("run", study_file, results) as (study, folder):
        run_workflow(study, study_file, folder, cores, {IN_RUN: "1"})
        _say(f"The report is {folder.report}")


@app.command()
def check(study_file: StudyFile) -> None:
    """Check a study file and print every field with its value."""
    from study.config import dump_study, load_study

    with _errors_in_words():
        typer.echo(dump_study(load_study(study_file)))


@app.command()
def fields() -> None:
    """Print what every field of the study file means, as Markdown."""
    from study.reference import study_file_reference

    typer.echo(study_file_reference())


@app.command()
def stimuli(study_file: StudyFile, results: ResultsFolder = None, cores: Cores = ALL_CORES) -> None:
    """Make the versions of every clip, the manifest and the contact sheets."""
    from stimuli.pipeline import make_stimuli

    with _step("stimuli", study_file, results) as (study, folder):
        summary = make_stimuli(study, folder, cores)
        _stamp(folder, "stimuli", folder.manifest)
        log.info(summary.sentence())
        _say(f"The stimuli are listed in {folder.manifest}")


@app.command()
def plan(study_file: StudyFile, results: ResultsFolder = None) -> None:
    """Draw the choice sets and all participants' lists, and check their balance."""
    from study.plan import make_plan

    with _step("plan", study_file, results) as (study, folder):
        balance = make_plan(study, folder)
        _stamp(folder, "choices", folder.choices)
        _stamp(folder, "plan", folder.trials)
        log.info("%s", " ".join(balance.text().split("\n")).strip())
        _say(f"The lists are {folder.trials}")


@app.command()
def frames(study_file: StudyFile, results: ResultsFolder = None) -> None:
    """Cache all stimuli at the networks' input size (`train` does it too where it is missing)."""
    with _step("frames", study_file, results) as (study, folder):
        from models.frames import open_frames
        from study.tables import read_table

        open_frames(folder, read_table("manifest", folder.manifest), study.training.image_size)
        _stamp(folder, "frames", folder.manifest)
        _say(f"The networks' frames are in {folder.frames}")


@app.command()
def train(
    study_file: StudyFile,
    model: ModelName = None,
    seed: Seed = None,
    results: ResultsFolder = None,
) -> None:
    """Train the study's networks; a training that was stopped goes on where it stopped."""
    with _step(_named("train", model, seed), study_file, results) as (study, folder):
        from models.train import train_model

        for name, number in _networks(study, model, seed):
            train_model(study, folder, name, number)
            _stamp(folder, f"train-{name}-seed{number}", folder.checkpoint(name, number))
        _say(f"The trained networks are in {folder.root / 'models'}")


@app.command()
def margins(study_file: StudyFile, results: ResultsFolder = None) -> None:
    """Measure how sure `trials.margin_model` is of every action, on the validation clips."""
    with _step("margins", study_file, results) as (study, folder):
        import pandas as pd

        from models.score import score_margins
        from study.tables import write_table

        networks = _networks(study, study.trials.margin_model, None)
        found = [score_margins(study, folder, name, number) for name, number in networks]
        write_table("margins", pd.concat(found, ignore_index=True), folder.margins)
        _stamp(folder, "margins", folder.margins)
        _say(f"The margins are {folder.margins}")


@app.command()
def score(
    study_file: Annotated[
        Path | None, typer.Argument(metavar="[STUDY.toml]", help="the study file")
    ] = None,
    model: ModelName = None,
    seed: Seed = None,
    results: ResultsFolder = None,
    logits: Annotated[
        list[str] | None,
        typer.Option(help="an outside model's outputs, CONDITION=FILE (npz, csv, parquet); repeat"),
    ] = None,
    categories: Annotated[
        Path | None, typer.Option(help="with --logits: CSV of category_index, action")
    ] = None,
    choices: Annotated[
        Path | None, typer.Option(help="with --logits: CSV of each action's choices")
    ] = None,
    manifest: Annotated[
        Path | None, typer.Option(help="with --logits as tables: manifest.csv of their stimuli")
    ] = None,
    name: Annotated[str, typer.Option(help="with --logits: the model's name")] = "outside",
    out: Annotated[Path, typer.Option(help="with --logits: where to write the responses")] = Path(
        "outside"
    ),
) -> None:
    """Score the study's networks on all versions, or read out an outside model's --logits."""
    if logits:
        with _errors_in_words():
            _read_out_outside(logits, categories, choices, manifest, name, out)
        return
    if study_file is None:
        raise typer.BadParameter("give a STUDY.toml, or --logits with --choices")
    with _step(_named("score", model, seed), study_file, results) as (study, folder):
        from models.score import score_model

        for network, number in _networks(study, model, seed):
            score_model(study, folder, network, number)
            responses = folder.model_responses(network, number)
            _stamp(folder, f"score-{network}-seed{number}", responses)
        _say(f"The responses of the networks are in {folder.root / 'responses'}")


@app.command()
def simulate(study_file: StudyFile, results: ResultsFolder = None) -> None:
    """Let simulated observers do every participant's list; their rows are marked simulated."""
    from behavior.simulated import simulate_observers

    with _step("simulate", study_file, results) as (study, folder):
        path = simulate_observers(study, folder)
        _stamp(folder, "simulate", path)
        _say(f"The simulated responses are {path}")


@app.command()
def fit(study_file: StudyFile, results: ResultsFolder = None) -> None:
    """Estimate accuracies, the mixed-effects model and the distances between patterns."""
    from analysis.estimates import fit_study

    with _step("fit", study_file, results) as (study, folder):
        path = fit_study(study, folder)
        _stamp(folder, "fit", *sorted(folder.analysis.glob("*.csv")))
        _say(f"The estimates are in {path}")


@app.command()
def figures(study_file: StudyFile, results: ResultsFolder = None) -> None:
    """Draw every figure as PDF, SVG and PNG, with its data as CSV."""
    from analysis.figures import make_figures

    with _step("figures", study_file, results) as (study, folder):
        paths = make_figures(study, folder)
        _stamp(folder, "figures", *sorted(folder.figures.glob("*.csv")))
        _say(f"{len(paths)} files in {folder.figures}")


@app.command()
def report(study_file: StudyFile, results: ResultsFolder = None) -> None:
    """Write the report, one HTML file that needs no other."""
    from analysis.report import write_report

    with _step("report", study_file, results) as (study, folder):
        path = write_report(study, folder)
        _stamp(folder, "report", path)
        _say(f"The report is {path}")


@app.command()
def clip(
    video: Annotated[Path, typer.Argument(help="a video or a photograph")],
    out: Annotated[Path, typer.Option(help="folder for the versions and the contact sheet")],
    weights: Annotated[
        Path, typer.Option(help="YOLO segmentation weights, by path or official name")
    ] = Path("yolov8x-seg.pt"),
) -> None:
    """Make the three versions and a contact sheet of one clip, for a first look."""
    with _errors_in_words():
        from stimuli.one_clip import make_versions_of_one_clip
        from study.fields import Masks, Versions

        _log_to_screen("clip")
        masks = Masks(source="yolo", weights=weights)
        sheet = make_versions_of_one_clip(video, out, weights, Versions(), masks)
        _say(f"The contact sheet is {sheet}")


@contextlib.contextmanager
def _step(
    name: str, study_file: Path, results_folder: Path | None
) -> Iterator[tuple[Study, Results]]:
    """Load the study, hold its results folder, log to it, and put errors in words."""
    from study.config import load_study
    from study.files import only_writer, sweep_partial_files
    from study.provenance import record_provenance
    from study.results import Results
    from study.steps import write_step_settings

    with _errors_in_words():
        study = load_study(study_file)
        results = Results(results_folder or Path("results") / study.name)
        with only_writer(results.root):
            _log_to_screen(name)
            _log_to_file(results.log, name)
            if not _in_run():
                # Nobody else writes here now: what has a partial name was left by a kill.
                sweep_partial_files(results.root)
            record_provenance(study, results)
            write_step_settings(study, results)
            yield study, results


@contextlib.contextmanager
def _errors_in_words() -> Iterator[None]:
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


def _log_to_screen(name: str) -> None:
    """Show what is logged; among the parallel steps of a run, with the time and the step's name."""
    log.setLevel(logging.DEBUG)
    screen = logging.StreamHandler(sys.stderr)
    screen.setLevel(logging.INFO)
    line = f"%(asctime)s  {name:<24} %(message)s" if _in_run() else "%(message)s"
    screen.setFormatter(logging.Formatter(line, datefmt="%H:%M:%S"))
    log.addHandler(screen)


def _log_to_file(path: Path, name: str) -> None:
    file = logging.FileHandler(path, encoding="utf-8")
    file.setFormatter(logging.Formatter(f"%(asctime)s {name} %(levelname)s %(message)s"))
    log.addHandler(file)


def _in_run() -> bool:
    return IN_RUN in os.environ


def _named(step: str, model: str | None, seed: int | None) -> str:
    return " ".join([step, model or "", "" if seed is None else f"seed {seed}"]).strip()


def _networks(study: Study, model: str | None, seed: int | None) -> list[tuple[str, int]]:
    """Return the (model, seed) pairs that were asked for."""
    from study.errors import StudyError

    wanted = [study.model(model)] if model else study.models
    pairs = [(m.name, s) for m in wanted for s in m.seeds if seed is None or s == seed]
    if not pairs:
        seeds = {m.name: m.seeds for m in wanted}
        raise StudyError(f"no network with model = {model}, seed = {seed}; the study has {seeds}")
    return pairs


def _read_out_outside(
    logits: list[str],
    categories: Path | None,
    choices: Path | None,
    manifest: Path | None,
    name: str,
    out: Path,
) -> None:
    import pandas as pd

    from models.external import import_outputs
    from study.errors import StudyError

    files = dict(pair.split("=", 1) for pair in logits if "=" in pair)
    if len(files) < len(logits) or choices is None:
        raise StudyError("--logits expects CONDITION=FILE, once per condition, and --choices FILE")
    written = import_outputs(
        {condition: Path(file) for condition, file in files.items()},
        categories=categories,
        choices=choices,
        manifest=manifest,
        name=name,
        folder=out,
    )
    accuracy = pd.read_csv(written.accuracy)
    typer.echo(accuracy.to_string(index=False, float_format="{:.4f}".format))
    _say(f"The responses are {written.responses}")


def _stamp(results: Results, name: str, *paths: Path) -> None:
    """Note that a step is done; the workflow redoes what follows only if these hashes change."""
    from study.files import sha256_of, write_json

    write_json(results.stamp(name), {path.name: sha256_of(path) for path in paths})


def _say(line: str) -> None:
    """Print the line that ends a command; within a run it is one of the log's lines."""
    if _in_run():
        log.info(line)
    else:
        typer.echo(line)


if __name__ == "__main__":
    app()
