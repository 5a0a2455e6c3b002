"""All response files of a study as one table, checked against the study and its manifest."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.groups import OBSERVERS, known_groups
from study.config import Study
from study.errors import StudyError
from study.results import Results
from study.tables import read_table, read_text_table

MAX_NAMED = 5
# Which the sessions of the laboratory write.
REPLACEMENTS = Path("sessions") / "participants.csv"
FIRST_LINE = 2  # of the data, counted as in an editor: the header is line 1


@dataclass
class Responses:
    """The answers of a study.

    Attributes
    ----------
    table : DataFrame
        See `study.tables.responses_schema`; besides, `file` and `line` say where a row is from.
    catch : DataFrame
        Answers of people to the plan's catch trials, which tell who paid attention and nothing
        else: rows as in `table`, which has none of them. One whose time was over has an empty
        response and is not correct.
    notes : list of str
        What a reader must know: rows left out and why, versions or trials that are missing, cells
        and groups without variation.
    n_left_out : int
        Rows of groups and seeds that the study file does not name.
    """

    table: pd.DataFrame
    catch: pd.DataFrame = field(default_factory=pd.DataFrame)
    notes: list[str] = field(default_factory=list)
    n_left_out: int = 0


def read_responses(study: Study, results: Results) -> Responses:
    """Read the manifest and every response file, check them and put them together.

    Rows of groups and seeds that the study file does not name (any more) are left out and
    counted in a note; a row that contradicts the study is an error.

    Raises
    ------
    StudyError
        When there are no responses, or a row shows a stimulus that is not of this study, has
        another action, clip or version than the manifest, other labels than the study's plan, a
        response that was not offered, a wrong `correct`, a time without end, or stands twice. The
        message names file and lines.
    """
    manifest = read_table("manifest", results.manifest).set_index("stimulus_id")
    folder = results.simulated_responses.parent
    # Names with a dot in front are half-written files.
    paths = [path for path in sorted(folder.glob("*.csv")) if not path.name.startswith(".")]
    responses = Responses(pd.DataFrame())
    labels = _planned_labels(results)
    tables = [_read_file(path, study, manifest, labels, responses) for path in paths]
    tables = [table for table in tables if len(table)]
    if not tables:
        notes = "".join(f"; {note}" for note in responses.notes)
        raise StudyError(f"{folder}: no responses of people or networks to analyse{notes}")
    responses.table = pd.concat(tables, ignore_index=True)
    _check_no_trial_twice(responses.table, folder)
    _set_catch_trials_aside(results, responses)
    _note_what_is_missing(study, results, responses)
    _note_what_does_not_vary(responses)
    return responses


def _read_file(
    path: Path,
    study: Study,
    manifest: pd.DataFrame,
    labels: dict[str, frozenset[str]],
    responses: Responses,
) -> pd.DataFrame:
    table = read_table("responses", path)
    table["file"] = path.name
    table["line"] = table.index + FIRST_LINE
    n_rows = len(table)
    table = _without_unknown_groups(table, path, study, responses.notes)
    responses.n_left_out += n_rows - len(table)
    _check_against_manifest(table, path, study, manifest)
    _check_answers(table, path, study)
    _check_labels(table, path, labels)
    return table


def _planned_labels(results: Results) -> dict[str, frozenset[str]]:
    """Return the labels of every action as planned; empty where there is no plan."""
    if not results.choices.is_file():
        return {}
    choices = read_table("choices", results.choices).set_index("action")
    return {action: frozenset(row) for action, *row in choices.itertuples()}


def _without_unknown_groups(
    table: pd.DataFrame, path: Path, study: Study, notes: list[str]
) -> pd.DataFrame:
    """Leave out what the study file does not name, e.g. a network that was taken out of it."""
    for model in study.models:
        seed = re.fullmatch(rf"{model.name}-seed(\d+)\.csv", path.name)
        if seed and int(seed[1]) not in model.seeds:
            notes.append(
                f"{path.name}: all {len(table)} rows left out: seed {seed[1]} is not one of "
                f"{model.name}'s seeds in the study file"
            )
            return table.iloc[:0]
    known = known_groups(study)
    unknown = ~table["group"].isin(known)
    for group, rows in table[unknown].groupby("group"):
        notes.append(
            f"{path.name}: {len(rows)} rows left out: {group!r} is not a group of this study "
            f"(expected one of {', '.join(known)})"
        )
    return table[~unknown]


def _check_against_manifest(
    table: pd.DataFrame, path: Path, study: Study, manifest: pd.DataFrame
) -> None:
    known = table["stimulus_id"].isin(manifest.index)
    strangers = int((~known).sum())
    whose = f"is not in this study's manifest ({strangers} of {len(table)} rows"
    whose += ": is the file of another study?)" if strangers == len(table) else ")"
    _refuse(table[~known], path, "stimulus_id", whose)
    shown = manifest.loc[table["stimulus_id"]]
    for column in ("clip_id", "action", "condition"):
        differs = table[column].to_numpy() != shown[column].to_numpy()
        _refuse(table[differs], path, column, "is not what the manifest says of the stimulus")
    is_version = table["condition"].isin(study.versions.conditions)
    _refuse(table[~is_version], path, "condition", "is not a version of this study")


def _check_answers(table: pd.DataFrame, path: Path, study: Study) -> None:
    offered = table["choices"].str.split("|")
    right_number = offered.str.len() == study.trials.n_choices
    expected = f"does not hold trials.n_choices = {study.trials.n_choices} labels"
    _refuse(table[~right_number], path, "choices", expected)
    pairs = zip(table["response"], offered, strict=True)
    was_offered = pd.Series([label in labels for label, labels in pairs], table.index, dtype=bool)
    _refuse(table[~was_offered], path, "response", "was not among the choices")
    is_right = (table["response"] == table["action"]).astype("int64")
    _refuse(table[table["correct"] != is_right], path, "correct", "contradicts the response")
    _refuse(table[np.isinf(table["rt_s"])], path, "rt_s", "is not a finite number of seconds")


def _check_labels(table: pd.DataFrame, path: Path, labels: dict[str, frozenset[str]]) -> None:
    """Refuse answers to other choice sets: an older plan, or a study with the same clips."""
    if not labels:
        return
    pairs = zip(table["action"], table["choices"].str.split("|"), strict=True)
    as_planned = [labels.get(action) == frozenset(offered) for action, offered in pairs]
    why = "is not the set of labels in choices.csv (an older plan, or another study?)"
    _refuse(table[~pd.Series(as_planned, table.index, dtype=bool)], path, "choices", why)


def _refuse(rows: pd.DataFrame, path: Path, column: str, why: str) -> None:
    """Raise an error that names the rows, if there are any."""
    if rows.empty:
        return
    named = [
        f"line {line} ({value!r})"
        for line, value in zip(rows["line"][:MAX_NAMED], rows[column][:MAX_NAMED], strict=True)
    ]
    more = f" and {len(rows) - MAX_NAMED} more" if len(rows) > MAX_NAMED else ""
    raise StudyError(f"{path}: column {column!r} {why}: {', '.join(named)}{more}")


def _lines(rows: pd.DataFrame) -> str:
    """Name the first lines of rows of one file."""
    more = f" and {len(rows) - MAX_NAMED} more" if len(rows) > MAX_NAMED else ""
    return "lines " + ", ".join(str(line) for line in rows["line"][:MAX_NAMED]) + more


def _check_no_trial_twice(table: pd.DataFrame, folder: Path) -> None:
    key = ["group", "observer", "session", "trial"]
    twice = table[table.duplicated(key, keep=False)]
    if len(twice):
        first = twice.sort_values(key).head(2)
        where = " and ".join(f"{row.file} line {row.line}" for row in first.itertuples())
        raise StudyError(
            f"{folder}: {len(twice)} rows share group, observer, session and trial with another "
            f"row, the first: {where}; expected each trial once"
        )


def _set_catch_trials_aside(results: Results, responses: Responses) -> None:
    """Move people's answers to the plan's catch trials out of what is analysed."""
    planned = _planned_trials(results)
    clips = set() if planned is None else set(planned.loc[planned["kind"] == "catch", "clip_id"])
    table = responses.table
    is_catch = table["clip_id"].isin(clips) & table["group"].isin(OBSERVERS)
    responses.table = table[~is_catch].reset_index(drop=True)
    answered = table[is_catch].reset_index(drop=True)
    missed = _missed_catch_trials(results, planned, table)
    responses.catch = pd.concat([answered, missed], ignore_index=True)


def _missed_catch_trials(
    results: Results, planned: pd.DataFrame | None, table: pd.DataFrame
) -> pd.DataFrame:
    """Return rows for catch trials that were over before somebody answered.

    They leave no response rows, but answers to later trials tell that they were shown. Who answers
    no check in time has not paid attention, and is not somebody who could not be judged.
    """
    if planned is None:
        return table.iloc[:0]
    catch = planned[planned["kind"] == "catch"]
    lists = _lists_of_replacements(results)
    missed = [table.iloc[:0]]
    for (_, observer), own in table[table["group"].isin(OBSERVERS)].groupby(["group", "observer"]):
        shown = catch[catch["participant"] == lists.get(observer, observer)]
        done = set(own[["session", "trial"]].itertuples(index=False, name=None))
        last = own.groupby("session")["trial"].max()
        rows = shown[shown["trial"] < shown["session"].map(last).fillna(0)]
        is_missed = [key not in done for key in zip(rows["session"], rows["trial"], strict=True)]
        columns = [name for name in table.columns if name in rows]
        of_person = own.iloc[0][["observer", "group", "file"]].to_dict()
        missed.append(
            rows.loc[is_missed, columns].assign(**of_person, response="", correct=0, rt_s=np.nan)
        )
    return pd.concat(missed, ignore_index=True)


def _lists_of_replacements(results: Results) -> dict[str, str]:
    """Return whose list of the plan they do who replace somebody."""
    path = results.root / REPLACEMENTS
    if not path.is_file():
        return {}
    table = read_text_table(path)
    if not {"participant", "list"} <= set(table.columns):
        raise StudyError(
            f"{path}: expected the columns participant and list, found {list(table.columns)}"
        )
    return dict(zip(table["participant"], table["list"], strict=True))


def _planned_trials(results: Results) -> pd.DataFrame | None:
    """Return everyone's list without practice, which leaves no response rows."""
    if not results.trials.is_file():
        return None
    trials = read_table("trials", results.trials)
    return trials[trials["kind"] != "practice"]


def _note_what_is_missing(study: Study, results: Results, responses: Responses) -> None:
    table = responses.table
    for (group, observer), rows in table.groupby(["group", "observer"]):
        is_person = group in OBSERVERS
        seen = set(rows["condition"])
        missing = [name for name in study.versions.conditions if name not in seen]
        if missing and not (is_person and study.trials.design == "between"):
            responses.notes.append(
                f"{rows['file'].iloc[0]}: {group} {observer} has no answer to {', '.join(missing)}"
            )
        again = int(rows.duplicated(["session", "stimulus_id"]).sum())
        if again:
            responses.notes.append(
                f"{rows['file'].iloc[0]}: {group} {observer} answered {again} stimuli more than "
                "once; every answer counts"
            )
    people = table[table["group"].isin(OBSERVERS)]
    if len(people):
        answered = responses.catch[responses.catch["response"] != ""]
        _note_short_lists(results, pd.concat([people, answered]), responses.notes)
        untimed = people[people["rt_s"].isna()]
        for name, rows in untimed.groupby("file"):
            count = f"{len(rows)} answers of observers have no reaction time"
            responses.notes.append(f"{name}: {count}: {_lines(rows)}")


def _note_what_does_not_vary(responses: Responses) -> None:
    """Name what has no finite log odds, and groups whose observers are all alike."""
    table = responses.table
    for group, rows in table.groupby("group"):
        share = rows.groupby("condition")["correct"].agg(["mean", "size"])
        for condition, mean, n in share[share["mean"].isin([0.0, 1.0])].itertuples():
            what = "right" if mean else "wrong"
            responses.notes.append(
                f"{group}: all {n} answers to {condition} are {what}, so log odds have no finite "
                "estimate there; exact intervals are given instead"
            )
        by_observer = rows.groupby(["observer", "condition"])["correct"].mean().unstack()
        if len(by_observer) > 1 and (by_observer.nunique() == 1).all():
            responses.notes.append(
                f"{group}: its {len(by_observer)} observers or seeds have the same accuracy in "
                "every version, so they tell nothing of variation between them"
            )


def _note_short_lists(results: Results, people: pd.DataFrame, notes: list[str]) -> None:
    trials = _planned_trials(results)
    if trials is None:
        return
    planned = trials.groupby("participant").size()
    lists = _lists_of_replacements(results)
    for (group, observer), rows in people.groupby(["group", "observer"]):
        n_planned = int(planned.get(lists.get(observer, observer), 0))
        if len(rows) != n_planned:
            notes.append(
                f"{rows['file'].iloc[0]}: {group} {observer} answered {len(rows)} trials of a "
                f"list of {n_planned}"
            )
