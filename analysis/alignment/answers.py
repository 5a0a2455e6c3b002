"""Answers as arrays: who answered which item, right or wrong, in which version."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from study.errors import StudyError

MAX_NAMED = 5


@dataclass(frozen=True)
class Answers:
    """The answers of some observers (or of the trainings of one network).

    Attributes
    ----------
    observers, items, conditions : tuple of str
        What the axes of the arrays stand for.
    right, seen : ndarray of shape (n_conditions, n_observers, n_items)
        1 where an answer was right; 1 where there is an answer.
    n_dropped : int
        Rows of the table that are not in the arrays; `notes` say why.
    notes : tuple of str
    """

    observers: tuple[str, ...]
    items: tuple[str, ...]
    conditions: tuple[str, ...]
    right: np.ndarray
    seen: np.ndarray
    n_dropped: int = 0
    notes: tuple[str, ...] = ()

    @property
    def n_trials(self) -> np.ndarray:
        """Answers per version, shape (n_conditions,)."""
        return self.seen.sum(axis=(1, 2)).astype(int)


def check_columns(table: pd.DataFrame, columns: Sequence[str], what: str) -> None:
    """Raise a `StudyError` that names the columns that a table lacks; others are no harm."""
    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise StudyError(
            f"{what}: no column {', '.join(map(repr, missing))}; expected {', '.join(columns)}, "
            f"found {', '.join(map(str, table.columns)) or 'none'}"
        )


def name_rows(rows: pd.DataFrame) -> str:
    """Return where some rows are from: file and line where the table says it, else the row."""
    if {"file", "line"} <= set(rows.columns):
        named = [f"{row.file} line {row.line}" for row in rows[:MAX_NAMED].itertuples()]
    else:
        named = [f"row {label}" for label in rows.index[:MAX_NAMED]]
    more = f" and {len(rows) - MAX_NAMED} more" if len(rows) > MAX_NAMED else ""
    return ", ".join(named) + more


def usable_rows(
    table: pd.DataFrame, keys: Sequence[str], *, repeated: str = "error"
) -> tuple[pd.DataFrame, list[str]]:
    """Leave out rows without an answer and, if asked to, second answers.

    Parameters
    ----------
    table : DataFrame
        Columns `keys` and correct.
    keys : sequence of str
        What makes a trial: observer, version and item.
    repeated : {"error", "first"}
        What to do with a trial that stands twice: refuse the table, or keep the first row and say
        in a note which rows were left out.

    Returns
    -------
    DataFrame
    list of str
        What was left out, with rows (and files).

    Raises
    ------
    StudyError
        When `correct` holds anything but 0, 1 and NaN, or a trial stands twice.
    """
    correct = pd.to_numeric(table["correct"], errors="coerce")
    is_text = correct.isna() & table["correct"].notna()
    wrong = table[is_text | ~(correct.isna() | correct.isin([0, 1]))]
    if len(wrong):
        value = wrong["correct"].iloc[0]
        raise StudyError(
            f"column 'correct' holds {value!r}; expected 0, 1 or nothing: {name_rows(wrong)}"
        )
    notes = []
    if correct.isna().any():
        empty = table[correct.isna()]
        notes.append(f"{len(empty)} rows without an answer left out: {name_rows(empty)}")
    found = table.assign(correct=correct)[correct.notna()]
    again = found.duplicated(list(keys))
    if again.any() and repeated == "error":
        raise StudyError(
            f"{int(again.sum())} trials stand twice ({', '.join(keys)}): "
            f"{name_rows(found[again])}; expected one answer per observer, version and item"
        )
    if again.any():
        notes.append(f"{int(again.sum())} second answers left out: {name_rows(found[again])}")
    return found[~again], notes


def answers_of(
    table: pd.DataFrame,
    conditions: Sequence[str],
    items: Sequence[str],
    *,
    observer: str = "observer",
    item: str = "clip_id",
    condition: str = "condition",
    n_dropped: int = 0,
    notes: Sequence[str] = (),
) -> Answers:
    """Put the rows of a table, each trial once, into arrays."""
    observers = pd.Index(sorted(set(table[observer])))
    place = (
        pd.Index(conditions).get_indexer(table[condition]),
        observers.get_indexer(table[observer]),
        pd.Index(items).get_indexer(table[item]),
    )
    shape = (len(conditions), len(observers), len(items))
    right, seen = np.zeros(shape), np.zeros(shape)
    right[place] = table["correct"].to_numpy(dtype=float)
    seen[place] = 1.0
    return Answers(
        tuple(observers), tuple(items), tuple(conditions), right, seen, n_dropped, tuple(notes)
    )
