"""The numbers of the analysis as sentences: the answer of the report and the figures' legends."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from analysis.groups import Group
from study.conditions import CONDITIONS

NBSP = "\u00a0"
MINUS = "\u2212"


def percent(share: float) -> str:
    """Return 0.8541 as "85.4 %"."""
    return f"{100 * share:.1f}{NBSP}%"


def percent_with_interval(row: pd.Series) -> str:
    """Return an accuracy with its interval, "85.4 % [77.8, 91.7]"."""
    low, high = 100 * row["ci_low"], 100 * row["ci_high"]
    return f"{percent(row['accuracy'])} [{low:.1f},{NBSP}{high:.1f}]"


def points_with_interval(row: pd.Series) -> str:
    """Return percentage points with their interval, "12.1 [7.2, 22.6]"."""
    low, high = signed(row["ci_low"], 1), signed(row["ci_high"], 1)
    return f"{signed(row['value_pp'], 1)} [{low},{NBSP}{high}]"


def signed(value: float, digits: int) -> str:
    """Return a number with a true minus sign; what rounds to zero has none."""
    text = f"{value:.{digits}f}"
    return text.replace("-", MINUS) if float(text) else text.replace("-", "")


def p_value(p: float) -> str:
    """Return p as journals print it."""
    return f"<{NBSP}.001" if p < 0.001 else f"{p:.3f}".removeprefix("0")


def p_equals(p: float) -> str:
    """Return "p = .031" or "p < .001"."""
    text = p_value(p)
    return f"p{NBSP}{text}" if text.startswith("<") else f"p{NBSP}={NBSP}{text}"


def number(value: float, digits: int, below_one: bool = False) -> str:
    """Return a number; what cannot exceed one, as a correlation, has no zero before the point."""
    text = signed(value, digits)
    return (
        text.replace("0.", ".", 1) if below_one and abs(float(f"{value:.{digits}f}")) < 1 else text
    )


def interval(
    low: float, high: float, digits: int, confidence: float, below_one: bool = False
) -> str:
    """Return "95 % CI [0.12, 0.34]"."""
    ends = f"{number(low, digits, below_one)},{NBSP}{number(high, digits, below_one)}"
    return f"{100 * confidence:.3g}{NBSP}%{NBSP}CI [{ends}]"


def clips_of(condition: str) -> str:
    """Return what the clips of a version are called, e.g. "body-only clips"."""
    return f"{CONDITIONS[condition].label.replace(' ', '-')} clips"


def listed(parts: Sequence[str]) -> str:
    """Join as in "a, b and c"."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def subject(group: Group) -> str:
    """Return a group's name as the first word of a sentence."""
    text = named(group)
    # A name such as DomainNet or resnet18 keeps its own letters.
    is_word = group.role == "observers" or group.label == "baseline"
    return text[0].upper() + text[1:] if is_word else text


def accuracy_sentence(
    accuracy: pd.DataFrame, group: Group, conditions: Sequence[str], chance: float
) -> str:
    """Say how often a group was right in every version, and where that may be chance."""
    rows = accuracy[accuracy["group"] == group.name].set_index("condition")
    parts = []
    for condition in conditions:
        if condition in rows.index:
            row = rows.loc[condition]
            guessed = row["ci_low"] <= chance <= row["ci_high"]
            remark = " (not told from chance)" if guessed else ""
            parts.append(f"{percent_with_interval(row)} of {clips_of(condition)}{remark}")
    verb = "were" if group.role == "observers" else "was"
    return f"{subject(group)} {verb} right in {listed(parts)}."


def verdict(distances: pd.DataFrame, groups: Sequence[Group]) -> list[str]:
    """Say, for every two networks, which is closer to the observers, if that can be told."""
    by_name = {group.name: group for group in groups}
    pairs = distances[
        (distances["kind"] == "difference")
        & distances["group"].isin(by_name)
        & distances["other"].isin(by_name)
    ]
    return [
        _difference_sentence(
            row, by_name[row["group"]], by_name[row["other"]], by_name[row["reference"]]
        )
        for _, row in pairs.iterrows()
    ]


def distance_sentences(distances: pd.DataFrame, groups: Sequence[Group]) -> list[str]:
    """Say how far each network's pattern is from the observers', in one sentence if any."""
    by_name = {group.name: group for group in groups}
    rows = distances[(distances["kind"] == "distance") & distances["group"].isin(by_name)]
    if rows.empty:
        return []
    observers = by_name[rows["reference"].iloc[0]]
    parts = [
        f"{points_with_interval(row)} percentage points for {named(by_name[row['group']])}"
        for _, row in rows.iterrows()
    ]
    n = int(rows["n_conditions"].iloc[0])
    over = f"root mean square over {n} versions" if n > 1 else "in one version"
    return [
        f"The distance of the pattern of accuracies from that of the {observers.label} ({over}) "
        f"is {listed(parts)}."
    ]


def _difference_sentence(row: pd.Series, group: Group, other: Group, observers: Group) -> str:
    low, high, value = row["ci_low"], row["ci_high"], row["value_pp"]
    if low <= 0.0 <= high:
        return (
            f"Which is closer to the {observers.label} in the pattern of accuracies over versions, "
            f"{named(group)} or {named(other)}, cannot be told: their distances differ by "
            f"{points_with_interval(row)} percentage points."
        )
    closer, farther = (group, other) if value < 0 else (other, group)
    sizes = sorted((abs(low), abs(high)))
    return (
        f"In the pattern of accuracies over versions, {named(closer)} is closer to the "
        f"{observers.label} than {named(farther)}, by {abs(value):.1f} percentage points "
        f"[{sizes[0]:.1f},{NBSP}{sizes[1]:.1f}]."
    )


def named(group: Group) -> str:
    """Return a group's name within a sentence."""
    return "the baseline" if group.label == "baseline" else group.label
