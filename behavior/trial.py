"""One trial as an observer meets it, and the answer that comes back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from study.errors import StudyError
from study.tables import choice_columns

Kind = Literal["practice", "test", "catch"]


@dataclass(frozen=True)
class Trial:
    """What is shown in one trial, and where it stands in the session.

    Attributes
    ----------
    participant : str
        Who does it.
    session, block, trial : int
        Counted from 1; practice is block 0.
    stimulus_id, clip_id, action, condition : str
        The version of the clip that is shown.
    choices : tuple of str
        The labels in the order shown.
    kind : {"practice", "test", "catch"}
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
    kind: Kind = "test"

    @property
    def key(self) -> tuple[int, int]:
        """Session and trial, which tell it from the participant's others."""
        return self.session, self.trial

    @classmethod
    def of_event(cls, event: dict[str, Any]) -> Trial:
        """Make the trial that a journal's event carries."""
        values = {name: event[name] for name in cls.__dataclass_fields__}
        return cls(**values | {"choices": tuple(event["choices"])})


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


def trials_of(table: pd.DataFrame, participant: str, list_id: str | None = None) -> list[Trial]:
    """Return one participant's trials in the order in which they are shown.

    Parameters
    ----------
    table : DataFrame
        All lists, see `study.tables.trials_schema`.
    participant : str
        E.g. "01".
    list_id : str, optional
        Whose list it is, as in the table; default the participant's own.

    Raises
    ------
    StudyError
        When the table has no such list.
    """
    wanted = participant if list_id is None else list_id
    own = table[table["participant"] == wanted].sort_values(["session", "trial"])
    if own.empty:
        known = sorted(set(table["participant"]))
        raise StudyError(
            f"participant {wanted!r} has no list; expected one of {known[0]} .. {known[-1]}"
        )
    labels = list(own[choice_columns(own)].itertuples(index=False, name=None))
    fields = ["session", "block", "trial", "stimulus_id", "clip_id", "action", "condition"]
    return [
        Trial(participant, *values, choices=choices, kind=kind)
        for values, choices, kind in zip(
            own[fields].itertuples(index=False, name=None), labels, own["kind"], strict=True
        )
    ]
