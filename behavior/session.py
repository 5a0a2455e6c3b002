"""A session that cannot be lost: what is checked before it, what is written during it."""

from __future__ import annotations

import contextlib
import datetime
import logging
import os
import platform
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from behavior.contents import contents_of, disk_page
from behavior.flow import Step, trials_in, trials_shown
from behavior.folders import journal_path, responses_path, session_folder
from behavior.frozen import check_unchanged
from behavior.journal import Journal
from behavior.material import Material, gather
from behavior.run import ConsentDeclined, Place, run_steps
from behavior.session_tables import write_session_tables
from behavior.stage import SessionStopped, Stage
from behavior.state import Key, Phase, SessionState, state_of
from study.claim import BEAT, Beat, claimed
from study.config import Study
from study.errors import StudyError
from study.fields.session import Session
from study.machine import machine_name
from study.provenance import package_versions
from study.results import Results

log = logging.getLogger("bodyscene")
# The page of a full disk comes back by itself after so many seconds.
ASK_AGAIN_S = 5.0
PEOPLE, SIMULATED = "human", "simulated"
NOTHING: Mapping[str, str] = MappingProxyType({})
# A session writes far less; but a disk this full will fill up from elsewhere.
LEAST_FREE_BYTES = 32_000_000


@dataclass(frozen=True)
class Outcome:
    """How a session ended.

    Attributes
    ----------
    phase : str
        done, stopped or declined.
    n_done, n_trials : int
        Test and catch trials.
    responses : Path
        The participant's response table.
    """

    phase: Phase
    n_done: int
    n_trials: int
    responses: Path

    def sentence(self) -> str:
        """Say it in words."""
        if self.phase == "done":
            return f"The session is complete: {self.n_done} trials."
        if self.phase == "declined":
            return "The participant did not agree to take part; nothing was shown."
        return (
            f"Stopped after {self.n_done} of {self.n_trials} trials. Repeat the command to go on "
            "with the next one."
        )


def hold_session(
    study: Study,
    results: Results,
    participant: str,
    stage: Stage,
    settings: Session,
    *,
    told: Mapping[str, str] = NOTHING,
    group: str = PEOPLE,
    durable: bool = True,
    beat: Beat = BEAT,
) -> Outcome:
    """Hold a participant's session, or go on with one that was interrupted.

    Everything is checked before the stage opens; then each answer is on the disk before the next
    trial begins. The tables are written from the journal at each break and at the end.

    Parameters
    ----------
    study : Study
    results : Results
        With trials.csv, manifest.csv and the stimuli.
    participant : str
        Of the plan, or a replacement, see `behavior.replacements`.
    stage : Stage
        Where it is held; opened and closed here.
    settings : Session
    told : mapping of str to str
        What the participant told in the dialog: the fields of `settings.ask_for`, no others.
    group : str
        human, or simulated where no person answers.
    durable : bool
        Whether each line is forced to the disk (a power cut then loses nothing).
    beat : Beat
        How often the claim on the session is renewed.

    Raises
    ------
    StudyError
        When the participant is unknown, done, or being tested now; when stimuli are missing or
        altered; when study, plan, texts or stimuli changed since the first half; when the journal
        is damaged; when the disk is nearly full.
    """
    _check_told(told, settings)
    material = gather(study, results, participant, settings)
    _check_room(results)
    what = f"participant {participant}: the session"
    with claimed(session_folder(results, participant), what, beat) as claim:
        held = _Held(material, stage, group, told)
        journal = _open_journal(results, participant, held.ask_for_help, claim.check, durable)
        try:
            held.check(journal)
            material.check_stimuli()
            return held.hold(journal)
        finally:
            journal.close()


def _check_told(told: Mapping[str, str], settings: Session) -> None:
    """Keep no personal data but what the study file asks for."""
    more = sorted(set(told) - set(settings.ask_for))
    if more:
        raise StudyError(
            f"session.ask_for = {settings.ask_for}: the dialog gave {', '.join(more)} too, which "
            "the study does not ask for"
        )


def _check_room(results: Results) -> None:
    free = shutil.disk_usage(results.root).free
    if free < LEAST_FREE_BYTES:
        raise StudyError(
            f"{results.root}: only {free / 1e6:.1f} MB are free on this disk; expected at least "
            f"{LEAST_FREE_BYTES / 1e6:.0f} MB before a session begins"
        )


def _open_journal(results: Results, participant: str, *options: object) -> Journal:
    path = journal_path(results, participant)
    try:
        return Journal(path, *options)  # type: ignore[arg-type]
    except OSError as error:
        raise StudyError(f"{path}: cannot be written: {error.strerror}") from error


class _Held:
    """A session that is being held."""

    def __init__(
        self, material: Material, stage: Stage, group: str, told: Mapping[str, str]
    ) -> None:
        self.material = material
        self.stage = stage
        self.group = group
        self.told = dict(told)

    def check(self, journal: Journal) -> None:
        """Refuse a session that is over, another's, or begun with other settings."""
        who, state = f"participant {self.material.participant}", state_of(journal.events)
        if journal.torn is not None:
            log.warning("%s: the journal's last line was torn, as a power cut does; it was put "
                        "into %s. What it told of is done again.", who, journal.torn)  # fmt: skip
        if not state.started:
            return
        if state.phase == "done":
            raise StudyError(
                f"{who}: the session is complete; an id is used once. Somebody new who does the "
                f"same list needs a new id, and --replaces {self.material.participant}"
            )
        if state.started["group"] != self.group:
            raise StudyError(
                f"{who}: the session was begun as {state.started['group']}; it cannot go on as "
                f"{self.group}"
            )
        check_unchanged(state.started["frozen"], self.material.frozen)
        state.check_order(trials_shown(self.material.settings, self.material.trials))

    def hold(self, journal: Journal) -> Outcome:
        """Open the stage, do what is left, and write the tables."""
        steps = self.material.steps()
        try:
            stage_facts = self.stage.open()
            self.stage.rehearse(contents_of(self.material.settings, self.material.texts, steps))
        except BaseException:
            # Nothing has begun: the journal need not know.
            self.stage.close()
            raise
        try:
            self._begin(journal, stage_facts)
            run_steps(self._place(journal), steps)
            # Before the end is noted: after it nobody comes back to write them.
            self._write_tables()
            self._end(journal, "finished")
        except SessionStopped:
            self._write_tables()
            self._end(journal, "stopped")
        except ConsentDeclined:
            self._end(journal, "declined")
        except BaseException as error:
            # One attempt: what broke may be the disk. The journal is whole either way.
            journal.note("failed", error=repr(error), time_utc=_time_utc())
            raise
        finally:
            self.stage.close()
        return self._outcome(journal, steps)

    def ask_for_help(self, error: OSError) -> None:
        """Say on the stage that the disk did not take a line, and come back to try again."""
        log.error("The last answer could not be saved: %s", error)
        problem = error.strerror or str(error)
        self.stage.show_page(disk_page(self.material.texts, problem, ASK_AGAIN_S))

    def _begin(self, journal: Journal, stage_facts: dict[str, Any]) -> None:
        state = state_of(journal.events)
        facts = {
            "machine": machine_name(),
            "system": platform.platform(),
            "python": platform.python_version(),
            "process": os.getpid(),
            "packages": package_versions(),
            "stage": stage_facts,
            "time_utc": _time_utc(),
        }
        if not state.started:
            material = self.material
            facts |= {"participant": material.participant, "list": material.list_id}
            facts |= {"group": self.group, "told": self.told, "frozen": material.frozen}
            journal.write("started", **facts)
            return
        if state.open_trial is not None:
            self._mark_interrupted(journal, state, state.open_trial)
        journal.write("resumed", torn=journal.torn and journal.torn.name, **facts)

    def _mark_interrupted(self, journal: Journal, state: SessionState, key: Key) -> None:
        was_shown = state.shown.get(key, {"n": 0})["n"] > state.begun[key]["n"]
        journal.write("interrupted", session=key[0], trial=key[1], was_shown=was_shown)
        log.warning("Participant %s: trial %d was interrupted and is shown again.",
                    self.material.participant, key[1])  # fmt: skip

    def _place(self, journal: Journal) -> Place:
        return Place(
            stage=self.stage,
            record=journal,
            settings=self.material.settings,
            texts=self.material.texts,
            clips=self.material.clips(),
            time_utc=_time_utc,
            at_break=self._write_tables,
        )

    def _end(self, journal: Journal, name: str) -> None:
        # Who asks to stop while the last line is being saved has stopped when it is.
        with contextlib.suppress(SessionStopped):
            journal.write(name, time_utc=_time_utc())

    def _write_tables(self) -> None:
        """Write the tables as far as the session is; the journal has it all if that fails."""
        try:
            write_session_tables(self.material.results, self.material.participant)
        except (OSError, StudyError) as error:
            log.warning("The tables could not be written and will be later: %s", error)

    def _outcome(self, journal: Journal, steps: list[Step]) -> Outcome:
        state = state_of(journal.events)
        main = [trial for trial in trials_in(steps) if trial.kind != "practice"]
        n_done = sum(trial.key in state.answered for trial in main)
        path = responses_path(self.material.results, self.material.participant)
        return Outcome(state.phase, n_done, len(main), path)


def _time_utc() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
