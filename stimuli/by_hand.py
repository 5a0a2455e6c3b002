"""What the user decided by hand: clips to leave out, and splits from an edited table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from stimuli.datasets import Source
from study.errors import StudyError
from study.fields import Split
from study.tables import SPLITS, read_text_table

DEFAULT_REASON = "no reason given"


@dataclass(frozen=True)
class ChoiceByHand:
    """The two tables a study file may name, read and checked.

    Attributes
    ----------
    excluded : mapping of str to str
        Clip id to why it is left out.
    splits : mapping of str to str, optional
        Clip id to split, where a table decides.
    fields : Split
        Names the files.
    """

    excluded: Mapping[str, str]
    splits: Mapping[str, str] | None
    fields: Split

    def check(self, sources: Sequence[Source]) -> None:
        """Raise a `StudyError` where a table names clips that the data set does not have."""
        known = {source.clip_id for source in sources}
        _check_known(self.fields.exclude, self.excluded, known)
        _check_known(self.fields.file, self.splits or {}, known)

    def why_excluded(self, clip_id: str) -> str:
        """Return why a clip is left out by hand, or nothing."""
        reason = self.excluded.get(clip_id)
        return f"excluded by hand: {reason}" if reason is not None else ""

    def splits_of(self, reasons: Mapping[str, str]) -> dict[str, tuple[str, str]]:
        """Return split and reason of every clip as the table says; an unusable one stays out."""
        chosen = {}
        for clip_id, reason in reasons.items():
            named = (self.splits or {}).get(clip_id)
            if not reason and named in (None, "none"):
                verb = "does not name it" if named is None else "leaves it out"
                reason = f"{self.fields.file.name} {verb}"
            chosen[clip_id] = ("none", reason) if reason else (named, "")
        return chosen


def read_choice_by_hand(split: Split) -> ChoiceByHand:
    """Read the tables of `split.exclude` and `split.file`.

    Raises
    ------
    StudyError
        When a file is missing, no table, or lacks a column; when a clip is named twice or a split
        is none.
    """
    excluded: dict[str, str] = {}
    splits = None
    if split.exclude is not None:
        table = _table(split.exclude, "split.exclude", ["clip_id"])
        given = table["reason"] if "reason" in table else pd.Series("", index=table.index)
        excluded = dict(zip(table["clip_id"], given.replace("", DEFAULT_REASON), strict=True))
    if split.by == "file":
        table = _table(split.file, "split.file", ["clip_id", "split"])
        wrong = ~table["split"].isin(SPLITS)
        if wrong.any():
            row = int(wrong.to_numpy().argmax())
            raise StudyError(
                f"{split.file}: column 'split', line {row + 2}: expected one of {list(SPLITS)}, "
                f"found {table['split'].iloc[row]!r}"
            )
        splits = dict(zip(table["clip_id"], table["split"], strict=True))
    return ChoiceByHand(excluded, splits, split)


def _table(path: Path, field: str, columns: list[str]) -> pd.DataFrame:
    if not path.is_file():
        raise StudyError(f"{path}: no such file ({field})")
    table = read_text_table(path)
    missing = [name for name in columns if name not in table]
    if missing:
        raise StudyError(
            f"{path} ({field}): lacks the column {missing[0]!r}, found {list(table.columns)}"
        )
    repeated = table["clip_id"].duplicated().to_numpy()
    if repeated.any():
        row = int(repeated.argmax())
        raise StudyError(
            f"{path}: column 'clip_id', line {row + 2}: {table['clip_id'].iloc[row]!r} for the "
            "second time; expected each clip once"
        )
    return table


def _check_known(path: Path | None, named: Mapping[str, str], known: set[str]) -> None:
    unknown = sorted(set(named) - known)
    if unknown:
        more = f" and {len(unknown) - 3} more" if len(unknown) > 3 else ""
        listed = ", ".join(repr(name) for name in unknown[:3])
        raise StudyError(
            f"{path}: column 'clip_id' names {listed}{more}, which the data set does not have"
        )
