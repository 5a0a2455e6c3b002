"""The verbs of the laboratory: sessions with people, and what travels to and from their computers.

They belong to the command line of `bodyscene.py` and, like it, import the room when a verb runs.
Other than its steps they do not hold the results folder: several computers may share it.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from study.command import StudyFile, errors_in_words, log_to_screen, say

log = logging.getLogger("bodyscene")

LabFolder = Annotated[
    Path | None,
    typer.Option(
        "--results", help="results folder; default that of the pack, else results/STUDY_NAME"
    ),
]


def session(
    study_file: StudyFile,
    participant: Annotated[
        str | None, typer.Option("--participant", "-p", help="e.g. 07; default a dialog asks")
    ] = None,
    replaces: Annotated[
        str | None, typer.Option(help="whose list a new participant does, e.g. 03")
    ] = None,
    results: LabFolder = None,
    signs: Annotated[Path | None, typer.Option(hidden=True)] = None,
) -> None:
    """Hold a participant's session (PsychoPy), or go on with one that was interrupted."""
    with errors_in_words():
        from behavior.desk import open_study, seat_participant

        log_to_screen("session")
        study, folder = open_study(study_file, results)
        outcome = seat_participant(study, folder, participant, replaces, signs)
        say(outcome.sentence() if outcome else "The dialog was cancelled; nothing was begun.")


def sessions(
    study_file: StudyFile,
    results: LabFolder = None,
    csv: Annotated[Path | None, typer.Option(help="write the overview to this table")] = None,
) -> None:
    """Show who is done, in progress, stopped, excluded or missing, and who may be replaced."""
    with errors_in_words():
        from behavior.desk import open_study
        from behavior.overview import overview_text, sessions_overview
        from behavior.session_tables import write_all_tables
        from study.files import write_text

        log_to_screen("sessions")
        study, folder = open_study(study_file, results)
        for problem in write_all_tables(folder):
            log.warning("%s", problem)
        overview = sessions_overview(study, folder, study.session)
        typer.echo(overview_text(overview), nl=False)
        if csv:
            write_text(csv, overview.to_csv(index=False, lineterminator="\n"))
            say(f"The table is {csv}")


def texts(
    folder: Annotated[Path, typer.Argument(help="where they are to be; files there stay")],
) -> None:
    """Copy the pages and words of a session, to be edited or translated (`session.texts`)."""
    with errors_in_words():
        from behavior.pages import copy_texts

        written = copy_texts(folder)
        say(f"{len(written)} new files in {folder}; name it as session.texts in the study file")


def check_timing(
    study_file: StudyFile,
    results: LabFolder = None,
    out: Annotated[
        Path | None, typer.Option(help="folder of the page; default one in the results")
    ] = None,
) -> None:
    """Measure how well this computer keeps time and write a page on it (takes a minute)."""
    with errors_in_words():
        from behavior.desk import measure_computer, open_study

        log_to_screen("check-timing")
        study, folder = open_study(study_file, results)
        page, verdict = measure_computer(study, folder, out)
        typer.echo(verdict)
        say(f"The page is {page}")


def pack(
    study_file: StudyFile,
    target: Annotated[Path, typer.Argument(help="a new folder, or a file that ends in .zip")],
    results: LabFolder = None,
) -> None:
    """Put all that a lab computer needs into one folder or zip file, with hashes."""
    with errors_in_words():
        from behavior.desk import open_study
        from behavior.pack import pack as make_pack

        log_to_screen("pack")
        say(f"The pack is {make_pack(*open_study(study_file, results), target)}")


def unpack(
    source: Annotated[Path, typer.Argument(metavar="PACK", help="the zip file or the folder")],
    folder: Annotated[
        Path | None, typer.Argument(help="where a zip file goes: a new folder")
    ] = None,
) -> None:
    """Unpack on the lab computer what `pack` made and check every file; a folder is checked."""
    with errors_in_words():
        from behavior.desk import receive_pack

        log_to_screen("unpack")
        where, n_files = receive_pack(source, folder)
        say(f"{n_files} files are as they were packed. The study file is {where}")


def collect(
    study_file: StudyFile,
    source: Annotated[Path, typer.Argument(help="the pack as it came back from the lab")],
    results: LabFolder = None,
) -> None:
    """Merge the sessions of a lab computer into the study's results; repeat it as you like."""
    with errors_in_words():
        from behavior.desk import open_study
        from behavior.pack_return import collect as collect_sessions

        log_to_screen("collect")
        study, folder = open_study(study_file, results)
        say(collect_sessions(study, folder, source).sentence())


def bids(
    study_file: StudyFile,
    target: Annotated[Path, typer.Argument(help="the folder of the data set")],
    results: LabFolder = None,
    stimuli: Annotated[bool, typer.Option(help="copy the stimuli, too")] = False,
    sourcedata: Annotated[
        bool, typer.Option(help="keep journals and logs, which tell times of day")
    ] = True,
) -> None:
    """Export everybody's answers as a BIDS data set."""
    with errors_in_words():
        from behavior.bids import export_bids
        from behavior.desk import open_study

        log_to_screen("bids")
        study, folder = open_study(study_file, results)
        export_bids(study, folder, target, with_stimuli=stimuli, with_sourcedata=sourcedata)
        say(f"The data set is {target}")


def add_lab_commands(app: typer.Typer) -> None:
    """Add the verbs to the command line, in the order in which a laboratory needs them."""
    for verb in (session, sessions, texts, check_timing, pack, unpack, collect, bids):
        app.command(verb.__name__.replace("_", "-"))(verb)
