"""The tables of one session, written from its journal: answers, and how each trial was shown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from behavior.folders import detail_path, journal_path, responses_path, sessions_folder
from behavior.journal import Event, read_journal
from behavior.responses import SEPARATOR, response_row
from behavior.state import SessionState, state_of
from behavior.trial import Answer, Trial
from study.claim import holder
from study.errors import StudyError
from study.files import write_if_changed
from study.results import Results
from study.tables import write_table

SHOWN = (
    "onset_s",
    "duration_s",
    "intended_s",
    "waited_s",
    "n_frames",
    "n_dropped",
    "n_late",
)
NOT_SHOWN = dict.fromkeys(SHOWN, "")


def response_rows(events: Sequence[Event]) -> list[dict[str, Any]]:
    """Return a row of `study.tables.responses_schema` per answer to a test or catch trial.

    Trials without an answer in time have none; the detail table has them.
    """
    state = state_of(events)
    rows = []
    for key, answer in state.answered.items():
        trial = Trial.of_event(state.begun[key])
        if trial.kind == "practice" or answer["position"] is None:
            continue
        given = Answer(answer["position"], answer["rt_s"])
        group, time_utc = state.started["group"], answer.get("time_utc", "")
        rows.append(response_row(trial, given, group, time_utc))
    return rows


def detail_rows(events: Sequence[Event]) -> list[dict[str, Any]]:
    """Return a row per trial that was begun, practice and interrupted ones included.

    Besides the columns of the responses: participant, list, kind, block; position (counted from
    0), timed_out (0 or 1), device; confidence (counted from 1) and its confidence_rt_s;
    times_interrupted (how often the trial had begun before without an answer), run (1 for the
    first start of the session, 2 for the next, ...); the presentation of `behavior.stage`, seconds
    on the clock of that run. Empty where something is not known.
    """
    state = state_of(events)
    run_of = _runs(events)
    return [_detail_row(state, key, run_of[key]) for key in state.begun]


def write_session_tables(results: Results, participant: str) -> Path:
    """Write the participant's tables from the journal; return the response table's path."""
    events = read_journal(journal_path(results, participant)).events
    rows, details = response_rows(events), detail_rows(events)
    path = responses_path(results, participant)
    if rows:
        write_table("responses", pd.DataFrame(rows), path)
    if details:
        text = pd.DataFrame(details).to_csv(index=False, lineterminator="\n")
        write_if_changed(detail_path(results, participant), text)
    return path


def write_all_tables(results: Results) -> list[str]:
    """Write the tables of all sessions but those that are held now, which write their own.

    After a kill they are as old as the last break; the journal has the rest.

    Returns
    -------
    list of str
        What is wrong with those that cannot be read or written.
    """
    problems = []
    for journal in sorted(sessions_folder(results).glob("sub-*/journal.jsonl")):
        if holder(journal.parent) is not None:
            continue
        try:
            write_session_tables(results, journal.parent.name.removeprefix("sub-"))
        except (OSError, StudyError) as error:
            problems.append(str(error))
    return problems


def _detail_row(state: SessionState, key: tuple[int, int], run: int) -> dict[str, Any]:
    trial = Trial.of_event(state.begun[key])
    answer = state.answered.get(key, {})
    rating = state.rated.get(key, {})
    shown = state.shown.get(key, NOT_SHOWN)
    position = answer.get("position")
    response = "" if position is None else trial.choices[position]
    return {
        "participant": trial.participant,
        "list": state.started["list"],
        "group": state.started["group"],
        "kind": trial.kind,
        "session": trial.session,
        "block": trial.block,
        "trial": trial.trial,
        "stimulus_id": trial.stimulus_id,
        "clip_id": trial.clip_id,
        "action": trial.action,
        "condition": trial.condition,
        "choices": SEPARATOR.join(trial.choices),
        "position": "" if position is None else position,
        "response": response,
        "correct": "" if position is None else int(response == trial.action),
        "rt_s": "" if position is None else answer["rt_s"],
        "timed_out": int(position is None) if answer else "",
        "device": answer.get("device", ""),
        "confidence": rating.get("step", ""),
        "confidence_rt_s": rating.get("rt_s", ""),
        "times_interrupted": state.times_begun[key] - bool(answer),
        "run": run,
        **{name: shown[name] for name in SHOWN},
        "time_utc": answer.get("time_utc", ""),
    }


def _runs(events: Sequence[Event]) -> dict[tuple[int, int], int]:
    """Return the run in which each trial was begun last."""
    run, runs = 0, {}
    for event in events:
        run += event["event"] in ("started", "resumed")
        if event["event"] == "trial":
            runs[event["session"], event["trial"]] = run
    return runs
