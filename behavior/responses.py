"""The row that an answer leaves in the response table."""

from __future__ import annotations

from typing import Any

from behavior.trial import Answer, Trial
from study.errors import StudyError

SEPARATOR = "|"


def response_row(trial: Trial, answer: Answer, group: str, time_utc: str) -> dict[str, Any]:
    """Return one row of `study.tables.responses_schema`.

    Parameters
    ----------
    trial : Trial
        What was shown.
    answer : Answer
        What was chosen, and when.
    group : str
        human or simulated.
    time_utc : str
        ISO 8601; empty where it would make equal runs differ.

    Raises
    ------
    StudyError
        When the chosen position is not one of those shown, or a label holds the separator.
    """
    if not 0 <= answer.position < len(trial.choices):
        raise StudyError(
            f"participant {trial.participant}, trial {trial.trial}: position {answer.position} was "
            f"chosen; expected 0 to {len(trial.choices) - 1}"
        )
    for label in trial.choices:
        if SEPARATOR in label:
            raise StudyError(f"the label {label!r} holds {SEPARATOR!r}, which separates choices")
    response = trial.choices[answer.position]
    return {
        "observer": trial.participant,
        "group": group,
        "session": trial.session,
        "trial": trial.trial,
        "stimulus_id": trial.stimulus_id,
        "clip_id": trial.clip_id,
        "action": trial.action,
        "condition": trial.condition,
        "choices": SEPARATOR.join(trial.choices),
        "response": response,
        "correct": int(response == trial.action),
        "rt_s": answer.rt_s,
        "time_utc": time_utc,
    }
