"""Legends of the figures, with the numbers in them."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from analysis.groups import Group
from analysis.sentences import (
    listed,
    percent,
    percent_with_interval,
    points_with_interval,
    subject,
)
from study.conditions import CONDITIONS


def stimuli_legend(examples: pd.DataFrame, conditions: Sequence[str]) -> str:
    """Legend of the example stimuli; `examples` is the figure's data."""
    clips = list(dict.fromkeys(examples["clip_id"]))
    labels = listed([CONDITIONS[name].label for name in conditions])
    return (
        f"Example stimuli: the middle frames of the test clips {listed(clips)} in each version "
        f"({labels})."
    )


def accuracy_legend(
    accuracy: pd.DataFrame,
    groups: Sequence[Group],
    conditions: Sequence[str],
    chance: float,
    confidence: float,
) -> str:
    """Legend of accuracy by version and group."""
    numbers = ". ".join(_group_numbers(accuracy, group, conditions) for group in groups)
    methods = "; ".join(dict.fromkeys(accuracy["method"]))
    return (
        "Accuracy by version and group. Small points are single observers, or single trainings "
        "(seeds) of a network; large points are the share of all answers that were right, bars "
        f"their {100 * confidence:.3g}\u00a0% intervals ({methods}). The dashed line is chance, "
        f"{percent(chance)}. {numbers}." + simulated_remark(groups)
    )


def pattern_legend(distances: pd.DataFrame, groups: Sequence[Group], confidence: float) -> str:
    """Legend of the patterns and their distances."""
    text = (
        "Patterns of accuracy over versions, with the intervals of the figure of accuracies; "
        "solid: observers, dashed: networks."
    )
    by_name = {group.name: group.label for group in groups}
    rows = distances[(distances["kind"] == "distance") & distances["group"].isin(by_name)]
    if len(rows):
        numbers = listed(
            [f"{by_name[row['group']]} {points_with_interval(row)}" for _, row in rows.iterrows()]
        )
        text += (
            " Right: root mean square distance from the observers' pattern in percentage points, "
            f"with {100 * confidence:.3g}\u00a0% bootstrap intervals over observers, seeds and "
            f"clips: {numbers}. A distance cannot be negative, so chance variation alone makes "
            "it larger than zero."
        )
    return text + simulated_remark(groups)


def learning_legend(curves: pd.DataFrame, groups: Sequence[Group], n_actions: int) -> str:
    """Legend of the learning curves; `curves` is the figure's data."""
    labels = {group.name: subject(group) for group in groups}
    ends = []
    for model, own in curves.groupby("model", sort=False):
        last = own[own["epoch"] == own["epoch"].max()]
        shown = [name for name in last.columns if name.startswith("validation_")]
        parts = [
            f"{CONDITIONS[name.removeprefix('validation_')].label} {percent(last[name].mean())}"
            for name in shown
            if last[name].notna().any()
        ]
        parts = parts or ["no validation"]
        ends.append(f"{labels[model]}, epoch {own['epoch'].max()}: {listed(parts)}")
    return (
        "Learning curves. Above: training loss; below: share of single frames whose action is "
        f"named right among all {n_actions}, in training and in validation clips. Thin lines are "
        f"single seeds, thick lines their mean. {'. '.join(ends)}."
    )


def simulated_remark(groups: Sequence[Group]) -> str:
    """Say, where it is so, that the observers are no people."""
    simulated = any(group.is_simulated for group in groups)
    return " The observers are simulated; no person took part." if simulated else ""


def _group_numbers(accuracy: pd.DataFrame, group: Group, conditions: Sequence[str]) -> str:
    rows = accuracy[accuracy["group"] == group.name].set_index("condition")
    parts = [
        f"{CONDITIONS[name].label} {percent_with_interval(rows.loc[name])}"
        for name in conditions
        if name in rows.index
    ]
    return f"{subject(group)}: {', '.join(parts)}"
