"""What the review page is told: every clip, its versions, and the numbers to sort and filter by."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from study.conditions import CONDITIONS
from study.files import key_of

# What the manifest repeats from the table of clips.
REPEATED = ("clip_id", "action", "condition", "split", "source_sha256")
# Not about what a reviewer sees, or the same as another column in other words.
NOT_SCORES = ("clip_id", "source_sha256", "sha256", "path", "stimulus_id", "source")
LABELS = {
    "body_fraction": "person share",
    "hidden_fraction": "hidden share",
    "share_filled": "frames filled in",
    "n_persons_max": "persons",
    "n_frames": "frames",
    "mask_found": "person found",
}
# These first, in the order in which a reviewer asks; then whatever else the tables hold.
FIRST = (
    "mask_quality",
    "body_fraction",
    "hidden_fraction",
    "share_filled",
    "n_persons_max",
    "luminance",
    "contrast",
)
SIGNIFICANT_DIGITS = 6


@dataclass(frozen=True)
class Score:
    """A number of every clip by which the page sorts and filters.

    Attributes
    ----------
    label : str
    column : str
        In the table of clips, or in the manifest where a condition is named.
    condition : str
        The version whose number it is; empty for a column of the table of clips.
    """

    label: str
    column: str
    condition: str


def known_numbers(clips: pd.DataFrame) -> pd.DataFrame:
    """Return the table of clips with nothing where the table has numbers that say "unknown".

    Of a clip that could not be read every number is 0; -1 persons means that nobody counted.
    """
    known = clips.copy()
    for name in _numeric(clips):
        unread = clips["n_frames"] == 0
        uncounted = (clips[name] < 0) if name == "n_persons_max" else False
        known[name] = clips[name].astype(object).where(~(unread | uncounted), None)
    return known


def by_version(
    clips: pd.DataFrame, manifest: pd.DataFrame, conditions: Sequence[str]
) -> dict[str, pd.DataFrame]:
    """Return the manifest's own columns per condition, a row per clip of `clips`, in its order."""
    own = [name for name in manifest.columns if name not in REPEATED]
    return {
        condition: manifest[manifest["condition"] == condition]
        .set_index("clip_id")[own]
        .reindex(clips["clip_id"])
        for condition in conditions
    }


def scores(clips: pd.DataFrame, versions: Mapping[str, pd.DataFrame]) -> list[Score]:
    """Return the numbers worth sorting by: those that differ between clips.

    A number of the manifest that is the same for all versions of each clip is offered once.
    """
    found = [
        Score(_label(name), name, "")
        for name in _numeric(clips)
        if pd.to_numeric(clips[name]).nunique() > 1
    ]
    names = dict.fromkeys(
        name for table in versions.values() for name in _numeric(table) if name not in clips
    )
    for name in names:
        tables = {c: table[name] for c, table in versions.items() if table[name].nunique() > 1}
        if len(tables) == len(versions) and _all_equal(list(tables.values())):
            found.append(Score(_label(name), name, next(iter(tables))))
            continue
        found += [
            Score(f"{_label(name)}, {CONDITIONS[condition].label}", name, condition)
            for condition in tables
        ]
    rank = {name: number for number, name in enumerate(FIRST)}
    return sorted(found, key=lambda score: rank.get(score.column, len(rank)))


def content_hash(clips: pd.DataFrame) -> str:
    """Return what tells one set of clips from another: marks belong to clips, not to settings."""
    return key_of(sorted(zip(clips["clip_id"], clips["source_sha256"], strict=True)))


def columns_of(table: pd.DataFrame) -> dict[str, list[Any]]:
    """Return a table as JSON-able lists; numbers are rounded, missing ones become None."""
    return {str(name): [_plain(value) for value in table[name]] for name in table.columns}


def script(content: Any) -> str:
    """Return a script that hands `content` to the page.

    A page opened as a file may not read other files, but may run a script beside it. Whatever
    could end a script or start a comment in HTML is written as an escape.
    """
    text = json.dumps(content, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return f"window.bodysceneReview = {text};\n"


def _numeric(table: pd.DataFrame) -> list[str]:
    return [
        str(name)
        for name in table.columns
        if name not in NOT_SCORES and _holds_numbers(table[name])
    ]


def _holds_numbers(column: pd.Series) -> bool:
    if column.dtype != object:
        return pd.api.types.is_numeric_dtype(column)
    return column.notna().any() and all(
        isinstance(value, int | float | np.number) for value in column.dropna()
    )


def _all_equal(columns: Sequence[pd.Series]) -> bool:
    return all(column.equals(columns[0]) for column in columns[1:])


def _label(name: str) -> str:
    return LABELS.get(name, name.replace("_", " "))


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return value
    if value is None or not np.isfinite(value):
        return None
    rounded = float(f"{float(value):.{SIGNIFICANT_DIGITS}g}")
    return int(rounded) if rounded.is_integer() else rounded
