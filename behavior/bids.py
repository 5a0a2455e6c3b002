"""Export of all answers as a BIDS data set (behavioural data, https://bids-specification.readthedocs.io).

A session's trials become ``sub-ID/beh/sub-ID_task-NAME_beh.tsv`` with a sidecar. Times of day and
names of computers stay out of these files; the journals that have them go into ``sourcedata``.
"""

from __future__ import annotations

import json
import re
import shutil
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd

from behavior.bids_tables import (
    Subject,
    beh_columns,
    beh_table,
    filled,
    participants_columns,
    participants_table,
    subjects_of,
)
from behavior.folders import session_folder
from behavior.pages import read_texts
from study.config import Study
from study.errors import StudyError
from study.files import whole_file, write_if_changed
from study.results import Results
from study.tables import read_table

BIDS_VERSION = "1.10.0"
SOFTWARE = "bodyscene"
# What a session keeps for itself, half-written files, and what macOS leaves in folders.
NOT_SOURCE = ("claim", ".")
STIMULI = {
    "stimulus_id": {"Description": "The stimulus"},
    "clip_id": {"Description": "The clip of which it is a version"},
    "action": {"Description": "The action of the clip"},
    "condition": {"Description": "The version of the clip"},
    "file": {"Description": "The file, relative to the folder stimuli; it may not be included"},
    "n_frames": {"Description": "Frames"},
    "fps": {"Description": "Frames per second", "Units": "Hz"},
    "width": {"Description": "Width of the picture", "Units": "px"},
    "height": {"Description": "Height of the picture", "Units": "px"},
    "sha256": {"Description": "SHA-256 of the file"},
}


def export_bids(
    study: Study,
    results: Results,
    target: Path,
    *,
    with_stimuli: bool = False,
    with_sourcedata: bool = True,
) -> Path:
    """Write everybody's answers as a BIDS data set.

    Sessions of people are exported, or the simulated observers where there were no sessions;
    their labels begin with "sim" and the name of the data set says so. Exporting again brings
    the folder up to date; fields that somebody added to dataset_description.json (Authors,
    License, ...) and files of other names stay.

    Parameters
    ----------
    study : Study
    results : Results
    target : Path
        The folder of the data set; a new one, or one that this study was exported to before.
    with_stimuli : bool
        Copy the stimuli that were shown. They may be under somebody's licence, so by default they
        are only listed, with hashes.
    with_sourcedata : bool
        Keep the journals, tables and logs of the sessions, which tell times of day.

    Returns
    -------
    Path
        `target`.

    Raises
    ------
    StudyError
        When there is nothing to export, a journal is damaged, `target` is something else, or has
        the `sourcedata` of an earlier export where none are wanted.
    """
    subjects = subjects_of(results)
    _check_target(study, target, subjects)
    if not with_sourcedata and (target / "sourcedata").exists():
        raise StudyError(
            f"{target / 'sourcedata'}: an earlier export left journals and logs there, which tell "
            "times of day; expected none. Remove the folder, or give a new one"
        )
    for subject in subjects:
        _write_subject(study, target, subject)
    participants = participants_table(subjects)
    _write_tsv(target / "participants.tsv", participants)
    _write_json(target / "participants.json", participants_columns(participants))
    _write_description(study, target, subjects)
    write_if_changed(target / "README", _readme(study, subjects, with_stimuli, with_sourcedata))
    _write_stimuli(results, target, subjects, with_stimuli)
    if with_sourcedata:
        _copy_sources(results, target, subjects)
    return target


def task_label(study: Study) -> str:
    """Return the study's name as a BIDS label: letters and digits."""
    return re.sub(r"[^A-Za-z0-9]", "", study.name)


def _check_target(study: Study, target: Path, subjects: list[Subject]) -> None:
    """Refuse a folder that is not an earlier export of this study."""
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return
    description = _described(target)
    ours = any(entry.get("Name") == SOFTWARE for entry in description.get("GeneratedBy", []))
    if not ours:
        raise StudyError(f"{target}: not empty and no data set that was exported from here")
    tasks = {path.name.split("_task-")[1] for path in target.glob("sub-*/**/*_task-*_beh.tsv")}
    others = sorted(tasks - {f"{task_label(study)}_beh.tsv"})
    known = {f"sub-{subject.label}" for subject in subjects}
    gone = sorted({path.name for path in target.glob("sub-*")} - known)
    if others or gone:
        found = f"the task {others[0]}" if others else ", ".join(gone)
        raise StudyError(
            f"{target}: holds {found}, of which this study has no data (any more); remove that "
            "or give a new folder"
        )


def _described(target: Path) -> dict[str, Any]:
    path = target / "dataset_description.json"
    if not path.is_file():
        return {}
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except ValueError as error:
        raise StudyError(f"{path}: not a JSON file: {error}") from error


def _write_subject(study: Study, target: Path, subject: Subject) -> None:
    sessions = sorted(set(subject.trials["session"]))
    for session in sessions:
        own = subject.trials[subject.trials["session"] == session]
        # BIDS has no level of sessions where there is one session.
        parts = [f"sub-{subject.label}"] + ([f"ses-{session}"] if len(sessions) > 1 else [])
        stem = "_".join([*parts, f"task-{task_label(study)}", "beh"])
        folder = target.joinpath(*parts, "beh")
        table = beh_table(own)
        _write_tsv(folder / f"{stem}.tsv", table)
        _write_json(folder / f"{stem}.json", _sidecar(study, subject) | beh_columns(table))


def _sidecar(study: Study, subject: Subject) -> dict[str, Any]:
    texts = read_texts(study.session.texts)
    n = study.trials.n_choices
    about: dict[str, Any] = {
        "TaskName": study.name,
        "TaskDescription": (
            f"A clip is shown once; then the action is chosen from {n} labels (chance {1 / n:.3g})."
        ),
        "Instructions": texts.pages["instructions"],
        "Simulated": subject.group == "simulated",
    }
    packages = subject.started.get("packages", {})
    if "psychopy" in packages:
        about["StimulusPresentation"] = {
            "OperatingSystem": subject.started["system"],
            "SoftwareName": "PsychoPy",
            "SoftwareRRID": "SCR_006571",
            "SoftwareVersion": packages["psychopy"],
        }
    if subject.started.get("stage"):
        about["Display"] = subject.started["stage"]
    return about


def _write_description(study: Study, target: Path, subjects: list[Subject]) -> None:
    ours = {
        "Name": (study.title or study.name) + (" (SIMULATED DATA)" if _simulated(subjects) else ""),
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "raw",
        "GeneratedBy": [{"Name": SOFTWARE, "Version": metadata.version(SOFTWARE)}],
    }
    _write_json(target / "dataset_description.json", _described(target) | ours)


def _readme(study: Study, subjects: list[Subject], stimuli: bool, sources: bool) -> str:
    """Return what a reader must know, in a few paragraphs."""
    n_people = sum(subject.group == "human" for subject in subjects)
    n_simulated = len(subjects) - n_people
    simulated = (
        f"{n_simulated} subjects are SIMULATED (group 'simulated' in participants.tsv): their "
        "answers come from a statistical model and say nothing about people."
        if n_simulated
        else ""
    )
    paragraphs = [
        f"# {study.title or study.name}",
        f"Answers {f'of {n_people} people ' if n_people else ''}to short clips of actions. A clip "
        "is shown once, as it is or in a version in which its body, its background or another "
        f"part is hidden; then the action is chosen from {study.trials.n_choices} labels.",
        simulated,
        "Each trial is a row of sub-*/beh/*_beh.tsv; the JSON file beside it says what the columns "
        "mean. Trials of kind 'practice' and 'catch' are not for analysis of accuracy: the first "
        "are practice with feedback, the second check attention. participants.tsv says which trial "
        "list each subject had; a subject who replaces another has that one's list.",
        "stimuli/stimuli.tsv lists what was shown, with the SHA-256 of every file"
        + (". The files are in that folder." if stimuli else "; the files are not included."),
        "sourcedata/ holds the sessions as they were recorded: the journal of every event, the "
        "table of trials, and logs. They tell times of day and names of computers; leave the "
        "folder out where that could tell who took part."
        if sources and n_people
        else "",
        f"Written by {SOFTWARE} {metadata.version(SOFTWARE)} from the study file of "
        f"{study.name!r}.",
    ]
    return "\n\n".join(paragraph for paragraph in paragraphs if paragraph) + "\n"


def _write_stimuli(
    results: Results, target: Path, subjects: list[Subject], with_files: bool
) -> None:
    """List what was shown; copy the files where that is wanted."""
    shown = sorted({name for subject in subjects for name in subject.trials["stimulus_id"]})
    manifest = read_table("manifest", results.manifest).set_index("stimulus_id", drop=False)
    unknown = [name for name in shown if name not in manifest.index]
    if unknown:
        raise StudyError(f"{results.manifest}: no stimulus {unknown[0]!r}, which was shown")
    rows = manifest.loc[shown]
    files = [Path(path).relative_to("stimuli").as_posix() for path in rows["path"]]
    _write_tsv(target / "stimuli" / "stimuli.tsv", rows.assign(file=files)[list(STIMULI)])
    _write_json(target / "stimuli" / "stimuli.json", STIMULI)
    if with_files:
        for path, file in zip(rows["path"], files, strict=True):
            _copy(results.root / path, target / "stimuli" / file)


def _copy_sources(results: Results, target: Path, subjects: list[Subject]) -> None:
    for subject in subjects:
        folder = session_folder(results, subject.label)
        if not subject.started or not folder.is_dir():
            continue
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.name.startswith(NOT_SOURCE):
                place = target / "sourcedata" / folder.name / path.relative_to(folder)
                _copy(path, place)


def _copy(source: Path, target: Path) -> None:
    with whole_file(target) as partial:
        shutil.copyfile(source, partial)


def _write_tsv(path: Path, table: pd.DataFrame) -> None:
    write_if_changed(path, filled(table).to_csv(sep="\t", index=False, lineterminator="\n"))


def _write_json(path: Path, content: dict[str, Any]) -> None:
    write_if_changed(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def _simulated(subjects: list[Subject]) -> bool:
    return all(subject.group == "simulated" for subject in subjects)
