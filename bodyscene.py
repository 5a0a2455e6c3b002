"""The command line: one verb per step, each a few lines; a room is imported when its verb runs."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from behavior.commands import add_lab_commands
from cluster.commands import add_cluster_commands
from models.commands import add_model_commands
from study.command import (
    ALL_CORES,
    IN_RUN,
    Cores,
    ResultsFolder,
    StudyFile,
    errors_in_words,
    log_to_screen,
    say,
    stamp,
    step,
)

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

log = logging.getLogger("bodyscene")


@app.command()
def run(
    study_file: StudyFile,
    results: ResultsFolder = None,
    cores: Annotated[
        int | None,
        typer.Option("--cores", "-c", min=1, help="processes at once; default all cores"),
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option(help="run on a cluster: slurm, or the folder of a profile of your own"),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "-n", help="only say how many jobs of each step there are")
    ] = False,
) -> None:
    """Do the whole study, from clips to report; only what is missing or changed is done."""
    with step("run", study_file, results) as (study, folder):
        if profile is not None:
            from cluster.submit import run_on_cluster

            run_on_cluster(study, study_file, folder, profile, {IN_RUN: "1"}, cores, dry_run)
        else:
            _run_here(study, study_file, folder, cores or ALL_CORES, dry_run)
        if not dry_run:
            say(f"The report is {folder.report}")


@app.command()
def check(
    study_file: StudyFile,
    networks: Annotated[
        bool, typer.Option("--networks", help="also build every network, as a run does first")
    ] = False,
) -> None:
    """Check a study file and print every field with its value."""
    from study.config import dump_study, load_study

    with errors_in_words():
        study = load_study(study_file)
        if networks:
            _check_networks(study)
        typer.echo(dump_study(study))


@app.command()
def fields() -> None:
    """Print what every field of the study file means, as Markdown."""
    from study.reference import study_file_reference

    typer.echo(study_file_reference())


@app.command()
def stimuli(
    study_file: StudyFile,
    results: ResultsFolder = None,
    cores: Cores = ALL_CORES,
    stage: Annotated[
        str | None, typer.Option(help="on a cluster, of a part: masks, then versions")
    ] = None,
    shard: Annotated[
        str | None, typer.Option(help="with --stage: which part of how many, for instance 3/40")
    ] = None,
) -> None:
    """Make the versions of every clip, the manifest and the contact sheets."""
    with step(" ".join(["stimuli", stage or "", shard or ""]).strip(), study_file, results) as (
        study,
        folder,
    ):
        if stage is not None or shard is not None:
            from stimuli.shards import make_stage_of_shard

            journal, part = make_stage_of_shard(study, folder, cores, stage, shard)
            stamp(folder, f"{stage}-{part.name}", journal)
            say(f"What was done is listed in {journal}")
            return
        from stimuli.pipeline import make_stimuli

        summary = make_stimuli(study, folder, cores)
        stamp(folder, "stimuli", folder.manifest)
        log.info(summary.sentence())
        say(f"The stimuli are listed in {folder.manifest}")


@app.command()
def review(study_file: StudyFile, results: ResultsFolder = None, cores: Cores = ALL_CORES) -> None:
    """Write the page on which people look at every clip and mark those to exclude."""
    from stimuli.review import write_review

    with step("review", study_file, results) as (study, folder):
        page = write_review(study, folder, cores)
        stamp(folder, "review", page, page.with_name("data.js"))
        say(f"Open {page} in a browser")


@app.command()
def audit(study_file: StudyFile, results: ResultsFolder = None, cores: Cores = ALL_CORES) -> None:
    """Measure how well simple probes tell the action from what a version should not show."""
    from analysis.audit import audit_sentences
    from stimuli.audit import run_audit

    with step("audit", study_file, results) as (study, folder):
        table = run_audit(study, folder, cores)
        stamp(folder, "audit", table)
        for sentence in audit_sentences(study, folder):
            log.info(sentence)
        say(f"The audit is {table}")


@app.command()
def plan(
    study_file: StudyFile,
    results: ResultsFolder = None,
    check_only: Annotated[
        bool, typer.Option("--check", help="only check the lists that are there")
    ] = False,
) -> None:
    """Draw the choice sets and all participants' lists, and check their balance."""
    from study.plan import check_plan, make_plan

    with step("plan", study_file, results) as (study, folder):
        balance = check_plan(study, folder) if check_only else make_plan(study, folder)
        if not check_only:
            stamp(folder, "choices", folder.choices)
            stamp(folder, "plan", folder.trials, folder.familiarisation)
        log.info("%s", " ".join(balance.text().split("\n")).strip())
        say(f"The lists are {folder.trials}")


add_model_commands(app)


@app.command()
def simulate(study_file: StudyFile, results: ResultsFolder = None) -> None:
    """Let simulated observers do every participant's list; their rows are marked simulated."""
    from behavior.simulated import simulate_observers

    with step("simulate", study_file, results) as (study, folder):
        path = simulate_observers(study, folder)
        stamp(folder, "simulate", path)
        say(f"The simulated responses are {path}")


@app.command()
def fit(study_file: StudyFile, results: ResultsFolder = None) -> None:
    """Estimate accuracies, the mixed-effects model and the distances between patterns."""
    from analysis.estimates import fit_study

    with step("fit", study_file, results) as (study, folder):
        path = fit_study(study, folder)
        # The report adds numbers.csv, which says where its own numbers come from.
        tables = {path for path in folder.analysis.glob("*.csv") if path.name != "numbers.csv"}
        stamp(folder, "fit", *sorted(tables))
        say(f"The estimates are in {path}")


@app.command()
def power(study_file: StudyFile, results: ResultsFolder = None, cores: Cores = ALL_CORES) -> None:
    """Find power and interval width by the number of participants, clips and trainings."""
    from analysis.power import run_power

    with step("power", study_file, results) as (study, folder):
        table = run_power(study, folder, cores)
        stamp(folder, "power", table)
        say(f"The power analysis is {table}")


@app.command()
def calibrate(
    study_file: StudyFile, results: ResultsFolder = None, cores: Cores = ALL_CORES
) -> None:
    """Simulate studies to find the error rate and the coverage of the very model used."""
    from analysis.power import run_calibration

    with step("calibrate", study_file, results) as (study, folder):
        table = run_calibration(study, folder, cores)
        stamp(folder, "calibrate", table)
        say(f"The calibration is {table}")


@app.command()
def figures(study_file: StudyFile, results: ResultsFolder = None) -> None:
    """Draw every figure as PDF, SVG and PNG, with its data as CSV."""
    from analysis.figures import make_figures

    with step("figures", study_file, results) as (study, folder):
        paths = make_figures(study, folder)
        stamp(folder, "figures", *sorted(folder.figures.glob("*.csv")))
        say(f"{len(paths)} files in {folder.figures}")


@app.command()
def report(study_file: StudyFile, results: ResultsFolder = None) -> None:
    """Write the report as HTML (one file), Markdown and LaTeX, every number with its source."""
    from analysis.report import write_report

    with step("report", study_file, results) as (study, folder):
        path = write_report(study, folder)
        stamp(folder, "report", path, path.with_suffix(".md"), path.with_suffix(".tex"))
        say(f"The report is {path}")


@app.command()
def clip(
    video: Annotated[Path, typer.Argument(help="a video or a photograph")],
    out: Annotated[Path, typer.Option(help="folder for the versions and the contact sheet")],
    weights: Annotated[
        Path, typer.Option(help="YOLO segmentation weights, by path or official name")
    ] = Path("yolov8x-seg.pt"),
) -> None:
    """Make the three versions and a contact sheet of one clip, for a first look."""
    with errors_in_words():
        from stimuli.one_clip import make_versions_of_one_clip
        from study.fields import Masks, Versions

        log_to_screen("clip")
        masks = Masks(source="yolo", weights=weights)
        sheet = make_versions_of_one_clip(video, out, weights, Versions(), masks)
        say(f"The contact sheet is {sheet}")


def _run_here(study: Study, study_file: Path, results: Results, cores: int, dry_run: bool) -> None:
    from study.errors import StudyError
    from study.workflow import check_packages, run_workflow, this_machine

    # Before hours of stimuli, not after.
    check_packages(study)
    _check_networks(study)
    if run_workflow(study_file, results, this_machine(cores, dry_run), {IN_RUN: "1"}, dry_run):
        raise StudyError(
            f"a step did not succeed (its message is above and in {results.root / 'logs'}); what "
            "was done is kept. Repeat the command when the cause is mended."
        )


def _check_networks(study: Study) -> None:
    if study.models:
        from models.architectures import check_networks

        check_networks(study)


add_lab_commands(app)
add_cluster_commands(app)

if __name__ == "__main__":
    app()
