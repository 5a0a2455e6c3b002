"""What comes back from a lab computer: sessions, merged into the study's own results."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from behavior.folders import journal_path, sessions_folder
from behavior.frozen import frozen_trials
from behavior.journal import Event, read_journal
from behavior.pack import RESULTS
from behavior.replacements import merge_replacements, read_replacements
from behavior.session_tables import write_session_tables
from behavior.trial import trials_of
from study.config import Study
from study.errors import StudyError
from study.files import whole_file
from study.results import Results
from study.tables import read_table

JOURNAL = "journal.jsonl"
# A claim says who holds a session on the other computer; it means nothing here. Names with a dot
# in front are half-written files, or what macOS leaves in folders.
STAYS = ("claim-", ".")


@dataclass(frozen=True)
class Collected:
    """Whose sessions came, and whose were here already, as far or further."""

    new: list[str]
    continued: list[str]
    known: list[str]

    def sentence(self) -> str:
        """Say it in words."""
        return (
            f"{len(self.new)} new sessions, {len(self.continued)} that went on, "
            f"{len(self.known)} that were here already."
        )


def collect(study: Study, results: Results, source: Path) -> Collected:
    """Merge the sessions of a lab computer into the study's results.

    A session that is here already is replaced only by its own continuation. Everything is checked
    before anything is copied; doing it again changes nothing.

    Parameters
    ----------
    study : Study
    results : Results
        The study's own, with the plan.
    source : Path
        The pack as it came back, or its results folder.

    Raises
    ------
    StudyError
        Names every session that is of another study, damaged, unknown to the plan, or another
        session of a participant who has one here.
    """
    theirs = Results(source / RESULTS if (source / RESULTS).is_dir() else source)
    found = sorted(sessions_folder(theirs).glob(f"sub-*/{JOURNAL}"))
    if not found:
        raise StudyError(f"{source}: no sessions in {sessions_folder(theirs)}")
    collected, problems = Collected([], [], []), _conflicts(results, theirs)
    plan = read_table("trials", results.trials)
    here = {
        folder.name.casefold(): folder.name for folder in sessions_folder(results).glob("sub-*")
    }
    for journal in found:
        name = journal.parent.name.removeprefix("sub-")
        try:
            _check_same_name(journal.parent.name, here)
            _sort_in(study, results, journal, name, plan, collected)
        except StudyError as error:
            problems.append(str(error))
    if problems:
        raise StudyError("nothing was collected:\n  " + "\n  ".join(problems))
    merge_replacements(results, theirs)
    for name in [*collected.new, *collected.continued]:
        _take(sessions_folder(theirs) / f"sub-{name}", sessions_folder(results) / f"sub-{name}")
        write_session_tables(results, name)
    return collected


def _check_same_name(name: str, here: dict[str, str]) -> None:
    other = here.get(name.casefold(), name)
    if other != name:
        raise StudyError(f"{name}: here is {other}, on Windows and macOS the same folder")


def _sort_in(
    study: Study,
    results: Results,
    journal: Path,
    name: str,
    plan: pd.DataFrame,
    collected: Collected,
) -> None:
    """Find out whether a session is new, goes on, or is known; refuse another one."""
    theirs = read_journal(journal).events
    if not theirs:
        return
    _check_study(study, name, theirs[0], plan)
    own = journal_path(results, name)
    if not own.is_file():
        collected.new.append(name)
        return
    ours = read_journal(own).events
    length = min(len(ours), len(theirs))
    if ours[:length] != theirs[:length]:
        raise StudyError(
            f"participant {name}: another session is here already ({_begun(ours[0])}; the one that "
            f"comes: {_begun(theirs[0])}). One of them needs another id, as a replacement"
        )
    (collected.continued if len(theirs) > len(ours) else collected.known).append(name)


def _begun(started: Event) -> str:
    return f"begun {started.get('time_utc', '')} on {started.get('machine', '')}"


def _check_study(study: Study, name: str, started: Event, plan: pd.DataFrame) -> None:
    """Refuse answers to other trials than those of the plan that is here."""
    frozen = started.get("frozen", {})
    for field, expected in (("study.name", study.name), ("study.seed", study.seed)):
        if frozen.get(field) != expected:
            raise StudyError(
                f"participant {name}: a session of another study: {field} = "
                f"{frozen.get(field)!r}, expected {expected!r}"
            )
    if started.get("list") not in set(plan["participant"]):
        raise StudyError(
            f"participant {name}: did the list {started.get('list')!r}, which the plan has not"
        )
    planned = frozen_trials(trials_of(plan, name, started["list"]))
    shown = {trial: key for trial, key in frozen.items() if trial.startswith("trial ")}
    if shown != planned:
        first = min(
            (trial for trial in {*shown, *planned} if shown.get(trial) != planned.get(trial)),
            key=lambda trial: [int(number) for number in re.findall(r"\d+", trial)],
        )
        raise StudyError(
            f"participant {name}: was shown another plan than the one that is here, from {first} "
            "on; put back the study's results folder from which the pack was made"
        )


def _conflicts(results: Results, theirs: Results) -> list[str]:
    """Name participants who replace somebody there and somebody else here."""
    both = read_replacements(results).merge(
        read_replacements(theirs), on="participant", suffixes=("", "_there")
    )
    differ = both[
        (both["list"] != both["list_there"]) | (both["replaces"] != both["replaces_there"])
    ]
    return [
        f"participant {row.participant}: replaces {row.replaces_there} there, {row.replaces} here"
        for row in differ.itertuples()
    ]


def _take(source: Path, target: Path) -> None:
    """Copy a session's files, the journal last: with it the session is here."""
    files = [path for path in sorted(source.rglob("*")) if path.is_file()]
    for path in sorted(files, key=lambda path: path.name == JOURNAL):
        if not path.name.startswith(STAYS):
            with whole_file(target / path.relative_to(source)) as partial:
                shutil.copyfile(path, partial)
