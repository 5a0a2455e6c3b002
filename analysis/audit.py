"""The leak audit in words: what the probes of `bodyscene audit` found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from analysis.sentences import NBSP, listed, p_value, percent, percent_with_interval, signed
from study.conditions import CONDITIONS
from study.config import Study
from study.errors import StudyError
from study.results import Results

SIGNIFICANT = 0.05
GHOST, LEFTOVERS = "ghost of the body", "scene inside the mask"
NUMBERS = {
    "accuracy": ("n_clips", "n_actions", "n_folds", "accuracy", "ci_low", "ci_high", "chance",
                 "chance_permuted", "p"),
    "differences": ("n_clips", "accuracy", "reference_accuracy", "difference", "ci_low", "ci_high",
                    "p"),
}  # fmt: skip


def read_audit(results: Results, name: str) -> pd.DataFrame:
    """Read one of the audit's tables, `accuracy` or `differences`.

    Raises
    ------
    StudyError
        When the audit has not been made or a column is missing.
    """
    path = _path(results, name)
    if not path.is_file():
        raise StudyError(f"{path}: no such file; `bodyscene audit` makes it")
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    missing = [column for column in NUMBERS[name] if column not in table]
    if missing:
        raise StudyError(
            f"{path}: lacks the column {missing[0]!r}; `bodyscene audit` makes it anew"
        )
    for column in NUMBERS[name]:
        table[column] = pd.to_numeric(table[column].where(table[column] != "", np.nan))
    return table


def has_audit(results: Results) -> bool:
    """Whether there is an audit to read."""
    return _path(results, "accuracy").is_file()


def own_way(study: Study) -> str:
    """Return the study's own way of hiding the person, as the audit calls it."""
    return f"{study.versions.hole_name}, {study.versions.inpainting}"


def audit_sentences(study: Study, results: Results) -> list[str]:
    """Say what the versions give away, to simple probes at least.

    Raises
    ------
    StudyError
        When the audit has not been made.
    """
    accuracy = read_audit(results, "accuracy")
    differences = read_audit(results, "differences")
    if accuracy.empty:
        return ["Nothing was audited: there are too few clips."]
    said = [_versions_sentence(accuracy, study.analysis.confidence)]
    said += [_ghost_sentence(row) for _, row in _own_ghosts(differences).iterrows()]
    said += _ways_sentences(accuracy, own_way(study))
    said += [
        _leftovers_sentence(row)
        for _, row in differences[differences["meaning"] == LEFTOVERS].iterrows()
    ]
    said.append("Simple probes show the least that can be told; networks may find more.")
    return said


def _path(results: Results, name: str) -> Path:
    return results.audit / f"{name}.csv"


def _versions_sentence(accuracy: pd.DataFrame, confidence: float) -> str:
    """Say how well the plain probe does on every version."""
    rows = accuracy[(accuracy["family"] == "version") & (accuracy["probe"] == "plain")]
    parts = [
        f"{percent_with_interval(row)} of {_called(row['picture'])}" for _, row in rows.iterrows()
    ]
    first = rows.iloc[0]
    unit = f"{100 * confidence:.3g}{NBSP}% intervals"
    return (
        f"A simple probe tells the action (chance {percent(first['chance'])}, "
        f"{int(first['n_actions'])} actions, {int(rows['n_clips'].max())} clips; {unit}) in "
        f"{listed(parts)}."
    )


def _called(picture: str) -> str:
    if picture in CONDITIONS:
        return f"the {CONDITIONS[picture].label.replace(' ', '-')} clips"
    return f"the {picture}"


def _own_ghosts(differences: pd.DataFrame) -> pd.DataFrame:
    """Return the study's own background-only version against the best reference there is."""
    rows = differences[
        (differences["meaning"] == GHOST) & (differences["picture"] == "background_only")
    ]
    true = rows[rows["reference"] == "true background"]
    return true if len(true) else rows


def _ghost_sentence(row: pd.Series) -> str:
    reference = row["reference"].split(":")[0]
    size = _points(row)
    if row["p"] >= SIGNIFICANT:
        return (
            f"No ghost of the body is proven: background only and the {reference} "
            f"({percent(row['reference_accuracy'])}) differ by {size}."
        )
    if row["difference"] < 0:
        return (
            f"Background only says less than the {reference} "
            f"({percent(row['reference_accuracy'])}): {size}."
        )
    return (
        f"Background only owes {size} to the ghost of the body: the {reference} says "
        f"{percent(row['reference_accuracy'])}."
    )


def _ways_sentences(accuracy: pd.DataFrame, own: str) -> list[str]:
    """Say how the ways of hiding the person compare, and what the outlines of the holes tell."""
    ways = accuracy[accuracy["family"] == "hiding"]
    if ways.empty:
        return []
    name = ways["hole"] + ", " + ways["inpainting"]
    parts = [
        f"{percent(share)} ({way}{'; this study' if way == own else ''})"
        for way, share in sorted(zip(name, ways["accuracy"], strict=True), key=lambda pair: pair[1])
    ]
    outlines = accuracy[(accuracy["family"] == "hole") & (accuracy["probe"] == "outline")]
    shapes = [f"{percent(row['accuracy'])} ({row['hole']})" for _, row in outlines.iterrows()]
    return [
        f"By the way of hiding the person, a probe tells the action in {listed(parts)}; by the "
        f"outline of the hole alone in {listed(shapes)}."
    ]


def _leftovers_sentence(row: pd.Series) -> str:
    proven = row["p"] < SIGNIFICANT and row["difference"] > 0
    verdict = "body only shows some of the scene" if proven else "no scene in body only is proven"
    return (
        f"The colours of the rim of the body tell the action in {percent(row['accuracy'])}, those "
        f"of the next rim inwards in {percent(row['reference_accuracy'])}: {verdict} "
        f"({_points(row)})."
    )


def _points(row: pd.Series) -> str:
    """Return a difference in percentage points with interval and p."""
    value, low, high = (signed(100 * row[name], 1) for name in ("difference", "ci_low", "ci_high"))
    sign = "" if row["p"] < 0.001 else f"={NBSP}"
    return f"{value} points [{low},{NBSP}{high}; p{NBSP}{sign}{p_value(row['p'])}]"
