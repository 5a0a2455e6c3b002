"""The tables of a BIDS data set of answers: a file per session, and who took part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from behavior.folders import journal_path, sessions_folder
from behavior.journal import read_journal
from behavior.session_tables import detail_rows
from behavior.state import SessionState, state_of
from study.conditions import CONDITIONS
from study.errors import StudyError
from study.results import Results
from study.tables import read_table

ABSENT = "n/a"
# BIDS asks that ages above 89 are written as 89.
OLDEST = 89
# Name in BIDS, name in the session's table, what it is.
COLUMNS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("trial", "trial", {"Description": "Number of the trial in the session, counted from 1"}),
    (
        "kind",
        "kind",
        {
            "Description": "What the trial is for",
            "Levels": {
                "practice": "practice with feedback, of clips that are not tested",
                "test": "a trial that is analysed",
                "catch": "an easy trial that only checks attention",
            },
        },
    ),
    ("block", "block", {"Description": "Block, counted from 1; practice is block 0"}),
    ("stimulus_id", "stimulus_id", {"Description": "The stimulus; see stimuli/stimuli.tsv"}),
    ("clip_id", "clip_id", {"Description": "The clip of which the stimulus is a version"}),
    ("action", "action", {"Description": "The action of the clip, which is the right label"}),
    (
        "condition",
        "condition",
        {
            "Description": "The version of the clip",
            "Levels": {name: version.label for name, version in CONDITIONS.items()},
        },
    ),
    (
        "choices",
        "choices",
        {"Description": "The labels to choose from, in the order shown", "Delimiter": "|"},
    ),
    ("response", "response", {"Description": "The label chosen; n/a where the time was over"}),
    (
        "correct",
        "correct",
        {"Description": "Whether the label is right", "Levels": {"0": "wrong", "1": "right"}},
    ),
    (
        "response_time",
        "rt_s",
        {"Description": "From the onset of the labels to the choice", "Units": "s"},
    ),
    ("device", "device", {"Description": "What the answer was given with"}),
    ("confidence", "confidence", {"Description": "Rating after the answer, 1 is least sure"}),
    (
        "confidence_time",
        "confidence_rt_s",
        {"Description": "From the onset of the scale to the rating", "Units": "s"},
    ),
    (
        "times_interrupted",
        "times_interrupted",
        {"Description": "How often the trial was begun before without an answer, and shown again"},
    ),
    (
        "run",
        "run",
        {"Description": "Start of the program, counted from 1; more than 1 after a stop"},
    ),
    (
        "clip_onset",
        "onset_s",
        {"Description": "The flip with the clip's first frame, on the clock of the run",
         "Units": "s"},
    ),
    (
        "clip_duration",
        "duration_s",
        {"Description": "From that flip to the one that took the last frame away", "Units": "s"},
    ),
    (
        "clip_duration_intended",
        "intended_s",
        {"Description": "The clip's own duration", "Units": "s"},
    ),
    ("frames_shown", "n_frames", {"Description": "Frames of the clip that reached the screen"}),
    ("frames_dropped", "n_dropped", {"Description": "Frames of the clip that never did"}),
    (
        "flips_late",
        "n_late",
        {"Description": "Flips that came more than half a screen frame late"},
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Subject:
    """One participant's data.

    Attributes
    ----------
    label : str
        Of BIDS, without "sub-".
    group : {"human", "simulated"}
    trials : DataFrame
        As the session's table has them, see `behavior.session_tables.detail_rows`.
    facts : mapping
        What participants.tsv says besides the group.
    started : mapping
        The event that began the session; empty for observers that had none.
    """

    label: str
    group: str
    trials: pd.DataFrame
    facts: Mapping[str, Any]
    started: Mapping[str, Any] = field(default_factory=dict)


def subjects_of(results: Results) -> list[Subject]:
    """Read everybody's answers: sessions, or the simulated observers where there was no session.

    Who declined to take part has left nothing that is exported.

    Raises
    ------
    StudyError
        When there are no answers, or journals are damaged (all of them are named).
    """
    subjects, problems = [], []
    for journal in sorted(sessions_folder(results).glob("sub-*/journal.jsonl")):
        participant = journal.parent.name.removeprefix("sub-")
        try:
            subject = _held(results, participant)
        except StudyError as error:
            problems.append(str(error))
            continue
        subjects += [subject] if subject is not None else []
    if problems:
        raise StudyError("\n".join(problems))
    if not subjects and results.simulated_responses.is_file():
        subjects = _simulated(results)
    if not subjects:
        raise StudyError(
            f"{results.root}: nothing to export: no session has an answer and there is no "
            f"{results.simulated_responses.name}"
        )
    return subjects


def beh_table(trials: pd.DataFrame) -> pd.DataFrame:
    """Return trials with BIDS's names and marks; columns that nobody filled are left out."""
    table = pd.DataFrame(
        {name: trials[own] for name, own, _ in COLUMNS if own in trials}, index=trials.index
    )
    return filled(table.loc[:, [not _is_empty(table[name]) for name in table]])


def beh_columns(table: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Describe the columns of `beh_table`, of versions only those that occur."""
    described = {name: dict(meaning) for name, _, meaning in COLUMNS if name in table}
    shown = set(table["condition"])
    levels = described["condition"]["Levels"]
    described["condition"]["Levels"] = {k: text for k, text in levels.items() if k in shown}
    return described


def participants_table(subjects: Sequence[Subject]) -> pd.DataFrame:
    """Return participants.tsv."""
    rows = [
        {"participant_id": f"sub-{subject.label}", "group": subject.group, **subject.facts}
        for subject in subjects
    ]
    return filled(pd.DataFrame(rows))


def participants_columns(table: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Describe the columns of participants.tsv."""
    known: dict[str, dict[str, Any]] = {
        "group": {
            "Description": "Who answered",
            "Levels": {
                "human": "a person",
                "simulated": "nobody: answers of a statistical model, made to test the software",
            },
        },
        "list": {"Description": "The trial list that was done; a replacement does another's"},
        "complete": {"Description": "Whether the session was done to its end: yes or no"},
        "n_answers": {"Description": "Answers to test and catch trials"},
    }
    asked = {"Description": "As told in the dialog at the beginning of the session"}
    names = [name for name in table.columns if name != "participant_id"]
    units = {"age": {"Units": "year"}}
    return {name: known.get(name, asked | units.get(name, {})) for name in names}


def filled(table: pd.DataFrame) -> pd.DataFrame:
    """Put BIDS's mark where nothing is."""
    return table.astype(object).where(~(table.isna() | (table == "")), ABSENT)


def _held(results: Results, participant: str) -> Subject | None:
    """Return what a session left; None where there is no answer, or no consent."""
    events = read_journal(journal_path(results, participant)).events
    state = state_of(events)
    trials = pd.DataFrame(detail_rows(events))
    if state.phase == "declined" or trials.empty or not state.answered:
        return None
    facts = {
        "list": state.started["list"],
        "complete": "yes" if state.phase == "done" else "no",
        "n_answers": _n_answers(trials),
        **{name: _told(name, value) for name, value in state.started["told"].items()},
    }
    return Subject(participant, state.started["group"], trials, facts, _software(state))


def _simulated(results: Results) -> list[Subject]:
    """Return simulated observers as subjects whose labels say so."""
    answers = read_table("responses", results.simulated_responses)
    plan = read_table("trials", results.trials)
    place = plan[["participant", "session", "trial", "kind", "block"]]
    place = place.rename(columns={"participant": "observer"})
    answers = answers.merge(place, on=["observer", "session", "trial"], how="left")
    subjects = []
    for name, own in answers.groupby("observer"):
        facts = {"list": name, "complete": "yes", "n_answers": _n_answers(own)}
        subjects.append(Subject(f"sim{name}", "simulated", own.reset_index(drop=True), facts))
    return subjects


def _n_answers(trials: pd.DataFrame) -> int:
    return int(((trials["kind"] != "practice") & (trials["response"] != "")).sum())


def _told(name: str, value: str) -> str:
    """Return what a participant told; an age above the limit cut to it."""
    if name.casefold() == "age" and value.strip().isdecimal() and int(value) > OLDEST:
        return str(OLDEST)
    # A tab or a line break would end the cell.
    return " ".join(value.split())


def _software(state: SessionState) -> dict[str, Any]:
    """Keep of the session's beginning what says how it was shown, not who sat where."""
    names = ("system", "packages", "stage", "frozen")
    return {name: state.started[name] for name in names if name in state.started}


def _is_empty(column: pd.Series) -> bool:
    return bool((column.isna() | (column == "")).all())
