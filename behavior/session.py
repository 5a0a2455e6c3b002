"""The loop over a participant's trials, the same for people at a screen and simulated observers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from behavior.responses import response_row
from behavior.trial import Answer, Trial


class Responder(Protocol):
    """Whoever answers: a person at a screen, a robot, or a model of an observer."""

    def respond(self, trial: Trial) -> Answer:
        """Be shown one trial and answer it."""
        ...


def no_time() -> str:
    """Give no time of day, so that equal runs leave equal bytes."""
    return ""


def run_session(
    trials: Sequence[Trial],
    responder: Responder,
    record: Callable[[dict[str, Any]], None],
    group: str,
    time_utc: Callable[[], str] = no_time,
) -> None:
    """Show the trials one after the other and hand each answer's row to `record`.

    Parameters
    ----------
    trials : sequence of Trial
        In the order shown; a session that goes on after a stop is given the rest.
    responder : Responder
    record : callable
        Takes a row of the response table. It returns before the next trial begins, so a recorder
        that writes to disk loses at most the trial that was interrupted.
    group : str
        human or simulated.
    time_utc : callable
        Gives the time of an answer as ISO 8601 text.
    """
    for trial in trials:
        answer = responder.respond(trial)
        record(response_row(trial, answer, group, time_utc()))
