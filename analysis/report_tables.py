"""The tables of the report: numbers as a reader wants them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from pydantic import BaseModel

from analysis.groups import Group
from analysis.sentences import (
    MINUS,
    NBSP,
    p_value,
    percent_with_interval,
    points_with_interval,
    signed,
)
from study.conditions import CONDITIONS
from study.config import Study

SPLIT_ORDER = ("train", "validation", "test")
WALD_HEAD = ["estimate", "SE", "z", "p", "interval"]


@dataclass(frozen=True)
class Table:
    """A table to print.

    Attributes
    ----------
    head : list of str
        Column titles.
    rows : list of list of str
        Cells; the first column holds names, the others numbers unless `is_text`.
    caption : str
    is_text : bool
        Whether all columns are text.
    """

    head: list[str]
    rows: list[list[str]]
    caption: str
    is_text: bool = False


def accuracy_table(
    accuracy: pd.DataFrame, groups: Sequence[Group], conditions: Sequence[str], caption: str
) -> Table:
    """A row per group, a column per version."""
    rows = []
    for group in groups:
        own = accuracy[accuracy["group"] == group.name].set_index("condition")
        n = int(own["n_observers"].max())
        cells = [
            percent_with_interval(own.loc[name]) if name in own.index else "no answers"
            for name in conditions
        ]
        n_trials = f"{int(own['n_trials'].sum()):,}"
        rows.append([group.label, f"{n} {group.unit}{'s' * (n != 1)}", n_trials, *cells])
    head = ["group", "n", "answers", *[CONDITIONS[name].label for name in conditions]]
    return Table(head, rows, caption)


def distance_table(distances: pd.DataFrame, groups: Sequence[Group], caption: str) -> Table:
    """Distances first, then how networks differ in them."""
    labels = {group.name: group.label for group in groups}
    known = distances[distances["group"].isin(labels) & distances["other"].isin(labels)]
    rows = []
    for _, row in known.iterrows():
        name, other = labels[row["group"]], labels[row["other"]]
        is_distance = row["kind"] == "distance"
        what = f"{name}, from {other}" if is_distance else f"{name} {MINUS} {other}"
        rows.append([what, row["kind"], points_with_interval(row)])
    return Table(["", "what", "percentage points"], rows, caption)


def contrast_table(contrasts: pd.DataFrame, groups: Sequence[Group]) -> Table:
    """Versions against each other within groups."""
    labels = {group.name: group.label for group in groups}
    rows = []
    for _, row in contrasts.iterrows():
        pair = [CONDITIONS[name].label for name in row["contrast"].split(" - ")]
        name = f"{labels.get(row['group'], 'all groups')}: {f' {MINUS} '.join(pair)}"
        rows.append([name, *_wald_cells(row)])
    caption = (
        "Versions compared within each group: differences in log odds of a right answer; p values "
        "are adjusted within the group by Holm's method, intervals are not."
    )
    return Table(["contrast", *WALD_HEAD], rows, caption)


def effects_table(effects: pd.DataFrame, groups: Sequence[Group]) -> Table:
    """Fixed effects of the mixed-effects model."""
    rows = [
        [readable_term(row["term"], groups), *_wald_cells(row)] for _, row in effects.iterrows()
    ]
    caption = "Fixed effects, in log odds of a right answer, with Wald intervals and tests."
    return Table(["term", *WALD_HEAD], rows, caption)


def random_table(random: pd.DataFrame, groups: Sequence[Group]) -> Table:
    """Random effects of the mixed-effects model."""
    rows = [
        [f"{row['group']}: {readable_term(row['term'], groups)}", f"{row['sd']:.2f}"]
        for _, row in random.iterrows()
    ]
    return Table(["random effect", "SD (log odds)"], rows, "Random effects: standard deviations.")


def split_table(clips: pd.DataFrame) -> Table:
    """Numbers of actions and clips in every split."""
    used = clips[clips["split"] != "none"]
    rows = [
        [name, str(own["action"].nunique()), str(len(own))]
        for name, own in ((name, used[used["split"] == name]) for name in SPLIT_ORDER)
    ]
    rows.append(["all", str(used["action"].nunique()), str(len(used))])
    return Table(["split", "actions", "clips"], rows, "Clips used.")


def left_out_table(clips: pd.DataFrame) -> Table | None:
    """Clips that are not used, and why."""
    out = clips[clips["split"] == "none"]
    if out.empty:
        return None
    rows = out[["clip_id", "action", "reason"]].to_numpy().tolist()
    return Table(["clip", "action", "reason"], rows, f"{len(out)} clips left out.", is_text=True)


def settings_table(study: Study) -> Table:
    """Every field of the study file with its value and its meaning."""
    rows = [[name, _shown(value), meaning] for name, value, meaning in _fields(study, "")]
    caption = "Every field of the study file."
    return Table(["field", "value", "meaning"], rows, caption, is_text=True)


def software_table(provenance: dict[str, Any]) -> Table:
    """Versions of everything that made these results."""
    rows = [
        ["commit", provenance.get("git_commit", "unknown")],
        ["python", provenance.get("python", "unknown")],
        ["platform", provenance.get("platform", "unknown")],
        *[[name, version] for name, version in sorted(provenance.get("packages", {}).items())],
    ]
    return Table(["software", "version"], rows, "What made these results.", is_text=True)


def readable_term(term: str, groups: Sequence[Group]) -> str:
    """Turn "groupbaseline:conditionbody_only" into "baseline × body only"."""
    names = {f"group{group.name}": group.label for group in groups}
    names |= {f"condition{name}": condition.label for name, condition in CONDITIONS.items()}
    names["(Intercept)"] = "intercept"
    return " × ".join(names.get(part, part) for part in re.split(":", term))


def _wald_cells(row: pd.Series) -> list[str]:
    interval = f"[{signed(row['ci_low'], 2)},{NBSP}{signed(row['ci_high'], 2)}]"
    numbers = [signed(row["estimate"], 2), f"{row['se']:.2f}", signed(row["z"], 2)]
    return [*numbers, p_value(row["p"]), interval]


def _fields(section: BaseModel, prefix: str) -> Iterable[tuple[str, Any, str]]:
    """Walk the sections of a study file."""
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            yield from _fields(value, f"{prefix}{name}.")
        elif isinstance(value, list) and value and isinstance(value[0], BaseModel):
            for place, entry in enumerate(value, start=1):
                yield from _fields(entry, f"{prefix}{name}[{place}].")
        else:
            yield f"{prefix}{name}", value, field.description or ""


def _shown(value: Any) -> str:
    if value is None:
        return "not set"
    if isinstance(value, dict):
        return ", ".join(f"{key} = {entry}" for key, entry in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
