"""One trial as an observer meets it, and the answer that comes back."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from study.errors import StudyError
from study.tables import choice_columns


@dataclass(frozen=True)
class Trial:
    """What is shown in one trial, and where it stands in the session.

    Attributes
    ----------
    participant : str
        Whose list it is from.
    session, block, trial : int
        Counted from 1.
    stimulus_id, clip_id, action, condition : str
        The version of the clip that is shown.
    choices : tuple of str
        The labels in the order shown.
    """

    participant: str
    session: int
    block: int
    trial: int
    stimulus_id: str
    clip_id: str
    action: str
    condition: str
    choices: tuple[str, ...]


@dataclass(frozen=True)
class Answer:
    """What an observer did in one trial.

    Attributes
    ----------
    position : int
        Of the label chosen, counted from 0 in the order shown.
    rt_s : float
        Seconds from the onset of the choices.
    """

    position: int
    rt_s: float


def trials_of(table: pd.DataFrame, participant: str) -> list[Trial]:
    """Return one participant's trials in the order in which they are shown.

    Parameters
    ----------
    table : DataFrame
        All lists, see `study.tables.trials_schema`.
    participant : str
        As in the table, e.g. "01".

    Raises
    ------
    StudyError
        When the table has no list of that participant.
    """
    own = table[table["participant"] == participant].sort_values(["session", "trial"])
    if own.empty:
        known = sorted(set(table["participant"]))
        raise StudyError(
            f"participant {participant!r} has no list; expected one of {known[0]} .. {known[-1]}"
        )
    labels = list(own[choice_columns(own)].itertuples(index=False, name=None))
    fields = ["session", "block", "trial", "stimulus_id", "clip_id", "action", "condition"]
    return [
        Trial(participant, *values, choices=choices)
        for values, choices in zip(
            own[fields].itertuples(index=False, name=None), labels, strict=True
        )
    ]
