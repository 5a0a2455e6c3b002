"""The sessions of a study at a glance: who is done, in progress, excluded or missing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from behavior.flow import trials_shown
from behavior.folders import journal_path, session_folder
from behavior.journal import read_journal
from behavior.replacements import next_id, read_replacements
from behavior.state import SessionState, is_right, state_of
from behavior.trial import Trial, trials_of
from study.claim import holder
from study.config import Study
from study.errors import StudyError
from study.fields.session import Session
from study.results import Results
from study.tables import read_table

# States whose list nobody will finish unless somebody new does it.
LEFT_OUT = ("excluded", "declined")


def sessions_overview(study: Study, results: Results, settings: Session) -> pd.DataFrame:
    """Return a row per participant, of the plan or replacing one.

    participant, list : who, and whose list of the plan
    state : done, in progress (being held now), stopped (begun, not held now), declined, missing,
        spare (a list beyond trials.n_participants that nobody began), excluded (by the study file's
        rules), replaced, or damaged (its journal cannot be read)
    excluded : whether the study file's rules leave somebody out, replaced or not
    why : of excluded and damaged ones; who replaces of replaced ones
    n_done, n_trials : test and catch trials; next_trial : the number of the next one, 0 for none
    n_interrupted : how often a trial was interrupted; n_timed_out : trials without an answer
    since_utc, last_utc : when it began and when something happened last, by the computer's clock
    machine : on which computer last
    catch_accuracy : share right of attention checks; empty where there were none
    rt_s_VERSION : median over right and wrong answers to test trials, seconds
    replacement : the id that a new participant for the list would get, where one is needed

    Raises
    ------
    StudyError
        When there is no plan, or the table of replacements is damaged.
    """
    table = read_table("trials", results.trials)
    lists = sorted(set(table["participant"]))
    replacements = read_replacements(results)
    who = [(name, name) for name in lists]
    who += list(replacements[["participant", "list"]].itertuples(index=False, name=None))
    by = dict(zip(replacements["replaces"], replacements["participant"], strict=True))
    shown = set(table["condition"])
    conditions = [name for name in study.versions.conditions if name in shown]
    rows = []
    for participant, list_id in who:
        trials = trials_shown(settings, trials_of(table, participant, list_id))
        row = {"participant": participant, "list": list_id}
        row |= _row(study, results, participant, trials, conditions)
        if participant in by:
            row |= {"state": "replaced", "why": f"replaced by {by[participant]}"}
        if row["state"] == "missing" and list_id in lists[study.trials.n_participants :]:
            row["state"] = "spare"
        is_open = row["state"] in LEFT_OUT
        taken = [name for name, _ in who]
        rows.append({**row, "replacement": next_id(participant, taken) if is_open else ""})
    order = pd.DataFrame(rows)
    return order.sort_values(["list", "participant"], ignore_index=True)


def overview_text(overview: pd.DataFrame) -> str:
    """Say an overview in words and a table."""
    counts = overview["state"].value_counts()
    total = ", ".join(f"{counts[state]} {state}" for state in sorted(counts.index))
    lines = [f"{len(overview)} participants: {total}.", "", _header(overview)]
    lines += [_line(row) for row in overview.to_dict("records")]
    lines += ["", *_advice(overview)]
    return "\n".join(lines).rstrip() + "\n"


def _row(
    study: Study,
    results: Results,
    participant: str,
    trials: Sequence[Trial],
    conditions: Sequence[str],
) -> dict[str, Any]:
    main = [trial for trial in trials if trial.kind != "practice"]
    try:
        state = state_of(read_journal(journal_path(results, participant)).events)
        problem = ""
    except StudyError as error:
        state, problem = SessionState(), str(error)
    done = [trial for trial in main if trial.key in state.answered]
    left = [trial for trial in trials if trial.key not in state.answered]
    held = holder(session_folder(results, participant))
    catch_accuracy = _catch_accuracy(state, done)
    phase: str = state.phase
    if phase == "in progress" and held is None:
        # Killed, or the power went: no event tells of it.
        phase = "stopped"
    why = problem or _exclusion(study, participant, phase, catch_accuracy)
    if why:
        phase = "damaged" if problem else "excluded"
    return {
        "state": phase,
        "excluded": phase == "excluded",
        "why": why,
        "n_done": len(done),
        "n_trials": len(main),
        "next_trial": left[0].trial if left else 0,
        "n_interrupted": _n_interrupted(state),
        "n_timed_out": sum(event["position"] is None for event in state.answered.values()),
        "since_utc": state.started.get("time_utc", ""),
        "last_utc": state.last_utc,
        "machine": (held or {}).get("machine", state.started.get("machine", "")),
        "catch_accuracy": catch_accuracy,
        **{f"rt_s_{name}": _median_rt(state, done, name) for name in conditions},
    }


def _exclusion(study: Study, participant: str, phase: str, catch_accuracy: float) -> str:
    """Return why the study file's rules leave somebody out, as far as a session alone tells."""
    rules = study.exclusions
    if participant in rules.by_hand:
        return rules.by_hand[participant]
    if phase == "done" and catch_accuracy < rules.min_catch_accuracy:
        return (
            f"right in {catch_accuracy:.2f} of the attention checks, expected at least "
            f"{rules.min_catch_accuracy:.2f}"
        )
    return ""


def _n_interrupted(state: SessionState) -> int:
    return sum(n - (key in state.answered) for key, n in state.times_begun.items())


def _catch_accuracy(state: SessionState, done: Sequence[Trial]) -> float:
    right = [is_right(state, trial) for trial in done if trial.kind == "catch"]
    return float(np.mean(right)) if right else np.nan


def _median_rt(state: SessionState, done: Sequence[Trial], condition: str) -> float:
    events = [
        state.answered[trial.key]
        for trial in done
        if trial.kind == "test" and trial.condition == condition
    ]
    times = [event["rt_s"] for event in events if event["position"] is not None]
    return float(np.median(times)) if times else np.nan


def _rt_columns(overview: pd.DataFrame) -> list[str]:
    return [name for name in overview.columns if name.startswith("rt_s_")]


def _header(overview: pd.DataFrame) -> str:
    versions = [name.removeprefix("rt_s_") for name in _rt_columns(overview)]
    return "who       state        trials     checks right  " + "  ".join(
        f"RT {name}" for name in versions
    )


def _line(row: dict[str, Any]) -> str:
    checks = "-" if np.isnan(row["catch_accuracy"]) else f"{row['catch_accuracy']:.2f}"
    times = []
    for name, value in row.items():
        if name.startswith("rt_s_"):
            width = len(name) - len("rt_s_") + len("RT ")
            times.append(("-" if np.isnan(value) else f"{value:.2f} s").ljust(width))
    trials = f"{row['n_done']} of {row['n_trials']}"
    note = f"  {row['why']}" if row["why"] else ""
    line = f"{row['participant']:<9} {row['state']:<12} {trials:<10} {checks:<13} "
    return (line + "  ".join(times) + note).rstrip()


def _minute(time_utc: str) -> str:
    return time_utc[:16].replace("T", " ") + " UTC"


def _advice(overview: pd.DataFrame) -> list[str]:
    """Say what the assistant may do next."""
    said = []
    for row in overview.to_dict("records"):
        who = row["participant"]
        if row["state"] == "in progress":
            said.append(
                f"{who} is at trial {row['next_trial']} on {row['machine']}, since "
                f"{_minute(row['since_utc'])}."
            )
        elif row["state"] == "stopped":
            when = _minute(row["last_utc"])
            said.append(
                f"{who} stopped before trial {row['next_trial']} at {when}; the same command goes "
                "on there."
            )
        if row["replacement"]:
            verb = "declined" if row["state"] == "declined" else f"is {row['state']}"
            said.append(
                f"{who} {verb}: somebody new who does list {row['list']} gets the id "
                f"{row['replacement']}."
            )
        if row["state"] == "replaced" and row["n_done"] and not row["excluded"]:
            said.append(
                f"{who} is {row['why']} but not excluded: name {who} in exclusions.by_hand, or "
                "both are analysed."
            )
    return said
