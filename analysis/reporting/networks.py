"""Networks by every metric of their scores: sentences and a table."""

from __future__ import annotations

import pandas as pd

from analysis.groups import Group
from analysis.reporting.content import Block, Sentence, Table, fold, paragraph
from analysis.reporting.material import Material, sources_of
from analysis.sentences import NBSP, clips_of, listed, percent, subject
from study.conditions import CONDITIONS

FILE = "analysis/networks.csv"
# Metrics that are printed as percentages.
PERCENT = ("accuracy_choices", "top_1", "top_5", "precision", "recall", "f1", "ece")
# Column of the printed table -> metric.
PRINTED = {
    "among choices": "accuracy_choices",
    "top-1": "top_1",
    "top-5": "top_5",
    "precision": "precision",
    "recall": "recall",
    "F1": "f1",
    "log loss": "log_loss",
    "Brier": "brier",
    "ECE": "ece",
}


def network_blocks(material: Material) -> list[Block]:
    """Return what stands in the section on the networks' scores; empty where none was scored."""
    table = material.read(FILE)
    if table.empty:
        return []
    said = [
        sentence
        for group in material.networks
        for sentence in (
            *_top_sentence(material, table, group),
            *_calibration_sentence(material, table, group),
        )
    ]
    return [*paragraph(said, "list"), *fold("All metrics", [metrics_table(material, table)])]


def metrics_table(material: Material, table: pd.DataFrame) -> Table:
    """Return a row per network and version, a column per metric; means over trainings."""
    groups = [*material.networks, *(each for each in material.supplements if each.unit == "seed")]
    rows = []
    for group in groups:
        own = table[table["group"] == group.name]
        for condition in material.conditions:
            means = own[own["condition"] == condition].set_index("metric")["mean"]
            if len(means):
                cells = [_cell(metric, means.get(metric)) for metric in PRINTED.values()]
                rows.append([f"{group.label}: {CONDITIONS[condition].label}", *cells])
    caption = (
        "Networks among the choices and among all actions, mean over trainings; shares and ECE "
        "(expected calibration error) in percent. Precision, recall (which is balanced accuracy) "
        "and F1 are means over actions; an action that is never answered has a precision of zero. "
        "Log loss is in nats, the Brier score runs from zero to two. Intervals stand in the file."
    )
    return Table(["", *PRINTED], rows, caption, file=FILE)


def _top_sentence(material: Material, table: pd.DataFrame, group: Group) -> list[Sentence]:
    """Say how often a network names the action among all."""
    rows = _rows(material, table, group, "top_1")
    if rows.empty:
        return []
    parts = []
    for _, row in rows.iterrows():
        low, high = 100 * row["ci_low"], 100 * row["ci_high"]
        ends = "" if pd.isna(low) else f" [{low:.1f},{NBSP}{high:.1f}]"
        parts.append(f"{percent(row['mean'])}{ends} of {clips_of(row['condition'])}")
    t_interval = " (t interval over trainings)" if rows["ci_low"].notna().any() else ""
    text = f"{subject(group)} named the right one of all actions in {listed(parts)}{t_interval}."
    return [Sentence(text, sources_of(FILE, rows))]


def _calibration_sentence(material: Material, table: pd.DataFrame, group: Group) -> list[Sentence]:
    """Say how far a network's certainty is from its accuracy."""
    rows = _rows(material, table, group, "ece")
    if rows.empty:
        return []
    parts = [
        f"{percent(row['mean'])} on {clips_of(row['condition'])}" for _, row in rows.iterrows()
    ]
    text = (
        f"{subject(group)}’s probabilities were off by {listed(parts)} (expected calibration "
        "error)."
    )
    return [Sentence(text, sources_of(FILE, rows))]


def _rows(material: Material, table: pd.DataFrame, group: Group, metric: str) -> pd.DataFrame:
    """Return a group's rows of one metric, in the order of the versions."""
    own = table[(table["group"] == group.name) & (table["metric"] == metric)]
    return own.sort_values("condition", key=lambda name: name.map(_place(material)))


def _place(material: Material) -> dict[str, int]:
    return {name: index for index, name in enumerate(material.conditions)}


def _cell(metric: str, mean: float | None) -> str:
    if mean is None or pd.isna(mean):
        return ""
    return f"{100 * mean:.1f}" if metric in PERCENT else f"{mean:.3f}"
