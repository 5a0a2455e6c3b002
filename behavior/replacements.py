"""Who has which list: a replacement does the list of the participant whom it replaces."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Collection, Iterator
from pathlib import Path

import pandas as pd

from behavior.folders import check_id, replacements_path
from study.errors import StudyError
from study.files import write_if_changed
from study.results import Results
from study.tables import read_text_table

COLUMNS = ["participant", "list", "replaces"]
# To change the table takes a moment; who takes so long was killed.
CHANGE_MOST_S = 10.0


def read_replacements(results: Results) -> pd.DataFrame:
    """Return who replaces whom: participant, list (of the plan), replaces (a participant)."""
    path = replacements_path(results)
    if not path.is_file():
        return pd.DataFrame(columns=COLUMNS, dtype=str)
    table = read_text_table(path)
    if list(table.columns) != COLUMNS:
        raise StudyError(f"{path}: expected the columns {COLUMNS}, found {list(table.columns)}")
    if table["participant"].duplicated().any():
        repeated = table["participant"][table["participant"].duplicated()].iloc[0]
        raise StudyError(f"{path}: participant {repeated!r} stands twice; expected once")
    return table


def list_of(results: Results, participant: str, lists: Collection[str]) -> str:
    """Return the list that a participant does.

    Parameters
    ----------
    results : Results
    participant : str
    lists : collection of str
        The lists of the plan.

    Raises
    ------
    StudyError
        When nobody of that id is planned; lists those who are.
    """
    check_id(participant)
    if participant in lists:
        return participant
    table = read_replacements(results)
    own = table.loc[table["participant"] == participant, "list"]
    if own.empty:
        known = [*sorted(lists), *table["participant"]]
        raise StudyError(
            f"participant {participant!r} is not in the plan; expected one of {', '.join(known)}. "
            "Somebody new who does the list of 07, who is left out: --participant 07b --replaces 07"
        )
    if own.iloc[0] not in lists:
        raise StudyError(
            f"{replacements_path(results)}: participant {participant!r} has the list "
            f"{own.iloc[0]!r}, which the plan does not hold"
        )
    return own.iloc[0]


def check_not_replaced(results: Results, participant: str) -> None:
    """Refuse somebody whose list is done by somebody else.

    Raises
    ------
    StudyError
    """
    table = read_replacements(results)
    others = table.loc[table["replaces"] == participant, "participant"]
    if len(others):
        raise StudyError(
            f"participant {participant!r} was replaced by {others.iloc[0]!r}, who does the list; "
            f"see {replacements_path(results)}"
        )


def replace_participant(
    results: Results, participant: str, replaces: str, lists: Collection[str]
) -> str:
    """Give a new participant the list of one who is left out; return the list.

    The plan stays as it is, so its balance does: each list is done once by somebody who is
    analysed. Announcing the same replacement again changes nothing.

    Raises
    ------
    StudyError
        When the new id is taken (ids that differ only in case too: they are one file on Windows
        and macOS), or the other is unknown or replaced already.
    """
    check_id(participant)
    with _alone(replacements_path(results)):
        return _add(results, participant, replaces, lists)


def merge_replacements(results: Results, theirs: Results) -> None:
    """Add who replaces whom in another results folder; who is known here stays as here."""
    others = read_replacements(theirs)
    if others.empty:
        return
    with _alone(replacements_path(results)):
        tables = [read_replacements(results), others]
        _write(results, pd.concat(tables, ignore_index=True).drop_duplicates("participant"))


def _add(results: Results, participant: str, replaces: str, lists: Collection[str]) -> str:
    table = read_replacements(results)
    same = (table["participant"] == participant) & (table["replaces"] == replaces)
    if same.any():
        return table.loc[same, "list"].iloc[0]
    taken = {name.casefold(): name for name in [*lists, *table["participant"]]}
    if participant.casefold() in taken:
        raise StudyError(
            f"participant {participant!r}: {taken[participant.casefold()]!r} exists already; "
            f"expected a new id, e.g. {next_id(replaces, taken.values())!r}"
        )
    if (table["replaces"] == replaces).any():
        other = table.loc[table["replaces"] == replaces, "participant"].iloc[0]
        raise StudyError(f"participant {replaces!r} is replaced by {other!r} already")
    list_id = list_of(results, replaces, lists)
    table.loc[len(table)] = [participant, list_id, replaces]
    _write(results, table)
    return list_id


def _write(results: Results, table: pd.DataFrame) -> None:
    write_if_changed(replacements_path(results), table.to_csv(index=False, lineterminator="\n"))


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Change a table while no other computer does: both would read it, the first line be lost."""
    path.parent.mkdir(parents=True, exist_ok=True)
    guard = path.with_name(f"{path.name}.changing")
    end_s = time.monotonic() + CHANGE_MOST_S
    while True:
        try:
            guard.open("x").close()
            break
        # Windows refuses a name whose file is just being deleted.
        except (FileExistsError, PermissionError) as error:
            if time.monotonic() > end_s and not guard.is_file():
                raise StudyError(f"{path}: cannot be changed: {error.strerror}") from error
            if time.monotonic() > end_s:
                with contextlib.suppress(OSError):
                    guard.unlink()
                end_s += CHANGE_MOST_S
        time.sleep(0.02)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            guard.unlink()


def next_id(replaces: str, taken: Collection[str]) -> str:
    """Return an id for the replacement of a participant: 07b after 07, 07c after 07b."""
    stem = replaces.rstrip("bcdefghijklmnopqrstuvwxyz")
    taken_ids = {name.casefold() for name in taken}
    for letter in "bcdefghijklmnopqrstuvwxyz":
        if f"{stem}{letter}".casefold() not in taken_ids:
            return f"{stem}{letter}"
    raise StudyError(f"participant {replaces!r} was replaced 25 times; choose an id by hand")
