"""What has happened in a session so far, read from its events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from behavior.journal import Event
from behavior.trial import Trial
from study.errors import StudyError

Phase = Literal["missing", "in progress", "stopped", "declined", "done"]
PHASE_AFTER: dict[str, Phase] = {
    "started": "in progress",
    "resumed": "in progress",
    "stopped": "stopped",
    "failed": "stopped",
    "declined": "declined",
    "finished": "done",
}
Key = tuple[int, int]


@dataclass
class SessionState:
    """Where a session stands.

    Attributes
    ----------
    phase : str
    started : dict
        The event that began it; empty before.
    last_utc : str
        The time of day of the last event that tells it.
    pages_left : set of str
        Pages that were read to the end.
    begun : dict
        The event of each trial's last beginning, by (session, trial), in the order shown.
    times_begun : Counter
    shown, answered, rated : dict
        The event of each trial's last showing, answer and rating.
    open_trial : tuple, optional
        The trial that was begun last, has no answer and is not marked as interrupted yet.
    """

    phase: Phase = "missing"
    started: Event = field(default_factory=dict)
    last_utc: str = ""
    pages_left: set[str] = field(default_factory=set)
    begun: dict[Key, Event] = field(default_factory=dict)
    times_begun: Counter[Key] = field(default_factory=Counter)
    shown: dict[Key, Event] = field(default_factory=dict)
    answered: dict[Key, Event] = field(default_factory=dict)
    rated: dict[Key, Event] = field(default_factory=dict)
    open_trial: Key | None = None

    def check_order(self, trials: Sequence[Trial]) -> None:
        """Check that the answers are those of the first trials of the list, each once.

        Raises
        ------
        StudyError
            When a trial was skipped or one is not of this list.
        """
        planned = [trial.key for trial in trials]
        done = list(self.answered)
        if done != planned[: len(done)]:
            place = next(i for i, key in enumerate(done) if planned[i : i + 1] != [key])
            raise StudyError(
                f"the journal's answer {place + 1} is to trial {done[place][1]}; the plan has "
                f"another order. Nothing was changed."
            )


def state_of(events: Iterable[Event]) -> SessionState:
    """Follow the events of a journal.

    Raises
    ------
    StudyError
        When a trial was answered twice, or without having begun.
    """
    state = SessionState()
    for event in events:
        follow(state, event)
    return state


def is_right(state: SessionState, trial: Trial) -> bool:
    """Tell whether an answered trial was answered in time and rightly."""
    position = state.answered[trial.key]["position"]
    return position is not None and trial.choices[position] == trial.action


def follow(state: SessionState, event: Event) -> None:
    """Bring a state up to date with one more event."""
    name = event["event"]
    state.last_utc = event.get("time_utc", state.last_utc)
    state.phase = PHASE_AFTER.get(name, state.phase)
    if name == "started":
        state.started = event
    elif name == "page":
        state.pages_left.add(event["page"])
    elif name == "trial":
        key = _key(event)
        state.begun[key] = event
        state.times_begun[key] += 1
        state.open_trial = key
    elif name == "interrupted":
        state.open_trial = None
    elif name == "shown":
        state.shown[_key(event)] = event
    elif name == "answered":
        _take_answer(state, event)
    elif name == "rated":
        state.rated[_key(event)] = event


def _take_answer(state: SessionState, event: Event) -> None:
    key = _key(event)
    if key in state.answered or state.open_trial != key:
        problem = "answered twice" if key in state.answered else "answered before it began"
        raise StudyError(f"the journal's trial {key[1]} was {problem}. Nothing was changed.")
    state.answered[key] = event
    state.open_trial = None


def _key(event: dict[str, Any]) -> Key:
    return event["session"], event["trial"]
