"""The tables of the report: numbers as a reader wants them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd
from pydantic import BaseModel

from analysis.groups import Group
from analysis.reporting.content import Table
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
PS = ("p", "p_adjusted")


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
    return Table(head, rows, caption, file="analysis/accuracy.csv")


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
    head = ["", "what", "percentage points"]
    return Table(head, rows, caption, file="analysis/pattern_distance.csv")


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
    return Table(["contrast", *wald_head(contrasts)], rows, caption, file="analysis/contrasts.csv")


def effects_table(effects: pd.DataFrame, groups: Sequence[Group]) -> Table:
    """Fixed effects of the mixed-effects model."""
    rows = [
        [readable_term(row["term"], groups), *_wald_cells(row)] for _, row in effects.iterrows()
    ]
    caption = "Fixed effects, in log odds of a right answer, with Wald intervals and tests."
    return Table(["term", *wald_head(effects)], rows, caption, file="analysis/mixed_effects.csv")


def random_table(random: pd.DataFrame, groups: Sequence[Group]) -> Table:
    """Random effects of the mixed-effects model."""
    rows = [
        [f"{row['group']}: {readable_term(row['term'], groups)}", f"{row['sd']:.2f}"]
        for _, row in random.iterrows()
    ]
    head = ["random effect", "SD (log odds)"]
    caption = "Random effects: standard deviations."
    return Table(head, rows, caption, file="analysis/random_effects.csv")


def split_table(clips: pd.DataFrame) -> Table:
    """Numbers of actions and clips in every split."""
    used = clips[clips["split"] != "none"]
    rows = [
        [name, str(own["action"].nunique()), str(len(own))]
        for name, own in ((name, used[used["split"] == name]) for name in SPLIT_ORDER)
    ]
    rows.append(["all", str(used["action"].nunique()), str(len(used))])
    return Table(["split", "actions", "clips"], rows, "Clips used.", file="clips.csv")


def left_out_table(clips: pd.DataFrame) -> Table | None:
    """Clips that are not used, and why."""
    out = clips[clips["split"] == "none"]
    if out.empty:
        return None
    rows = [
        [f"`{row.clip_id}`", row.action, row.reason]
        for row in out[["clip_id", "action", "reason"]].itertuples()
    ]
    return Table(
        ["clip", "action", "reason"],
        rows,
        f"{len(out)} clip{'s' * (len(out) > 1)} left out.",
        True,
        "clips.csv",
    )


def settings_table(study: Study) -> Table:
    """Every field of the study file with its value and its meaning."""
    rows = [[f"`{name}`", _shown(value), meaning] for name, value, meaning in _fields(study, "")]
    caption = "Every field of the study file."
    return Table(["field", "value", "meaning"], rows, caption, True, "study.toml")


def software_table(provenance: dict[str, Any]) -> Table:
    """Versions of everything that made these results."""
    rows = [
        ["commit", provenance.get("git_commit", "unknown")],
        ["python", provenance.get("python", "unknown")],
        ["platform", provenance.get("platform", "unknown")],
        *[[name, version] for name, version in sorted(provenance.get("packages", {}).items())],
    ]
    return Table(["software", "version"], rows, "What made these results.", True, "provenance.json")


def tests_table(tests: Mapping[str, pd.DataFrame], labels: Mapping[str, str]) -> Table:
    """A row per test of the paper; `tests` by name, `labels` of groups by name."""
    rows = []
    for name, table in tests.items():
        for _, row in table.iterrows():
            groups = _relabelled(row["groups"], labels)
            shown = {key: condition.label for key, condition in CONDITIONS.items()}
            what = f"{groups}: {_relabelled(row['conditions'], shown)}"
            numbers = [_or_empty(row[column], 2) for column in ("estimate", "se", "statistic")]
            df = "" if pd.isna(row["df"]) else f"{row['df']:.1f}"
            p = ["" if pd.isna(row[column]) else p_value(row[column]) for column in PS]
            rows.append([f"{name.removeprefix('test_')}, {what}", *numbers, df, *p])
    caption = (
        "Tests with p values, as they are and adjusted by Holm’s method within their family "
        "(units, methods and notes stand in the tables test_*.csv)."
    )
    return Table(["test", "estimate", "SE", "statistic", "df", "p", "adjusted"], rows, caption)


def exclusions_table(flow: pd.DataFrame) -> Table:
    """The rules on observers and answers, step by step."""
    rows = [
        [
            row["step"],
            row["rule"],
            f"{row['n_observers_before']} → {row['n_observers_after']}",
            f"{row['n_trials_before']:,} → {row['n_trials_after']:,}",
            row["who"].replace(":", " "),
        ]
        for _, row in flow.iterrows()
    ]
    head = ["step", "rule", "observers", "answers", "who"]
    return Table(head, rows, "Exclusions, step by step.", True, "analysis/exclusions.csv")


def wald_head(table: pd.DataFrame) -> list[str]:
    """Titles of the columns of Wald's tests, with the degrees of freedom where they are one."""
    df = table["df"].dropna().unique() if "df" in table else []
    test = f"t({df[0]:.3g})" if len(df) == 1 else "t" if len(df) else "z"
    return ["estimate", "SE", test, "p", "interval"]


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


def _relabelled(text: str, labels: Mapping[str, str]) -> str:
    """Put labels for names in "a - b" or "a, b"."""
    parts = re.split(r"( - |, )", text)
    return "".join(f" {MINUS} " if part == " - " else labels.get(part, part) for part in parts)


def _or_empty(value: float, digits: int) -> str:
    return "" if pd.isna(value) else signed(value, digits)


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
