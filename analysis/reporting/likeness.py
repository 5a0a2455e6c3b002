"""How alike networks and observers answer, in sentences and a table."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from analysis.groups import Group
from analysis.reporting.content import Block, Sentence, Table, fold, paragraph
from analysis.reporting.material import Material, sources_of
from analysis.reporting.tables import distance_table
from analysis.sentences import (
    NBSP,
    distance_sentences,
    interval,
    listed,
    named,
    number,
    p_equals,
    signed,
    verdict,
)
from study.conditions import CONDITIONS

ALL = "all"
# Table of the measure, measure, what it is, symbol, whether it is a correlation or a kappa, which
# have no zero before the point.
MEASURES = (
    ("error_consistency", "error_consistency",
     "error consistency (mean κ over pairs)", "κ"),
    ("item_correlation", "item_correlation", "correlation of accuracies over clips", "r"),
    ("confusion_similarity", "confusion_correlation", "correlation of the wrong labels chosen",
     "r"),
    ("pattern_similarity", "pattern_correlation", "correlation of accuracies over versions", "r"),
    ("rt_margin", "rt_margin", "rank correlation of reaction time with a network’s margin", "r"),
)  # fmt: skip


def likeness_blocks(material: Material) -> list[Block]:
    """Return sentences and tables of all measures that were made."""
    observers = material.observers
    if observers is None:
        return []
    said = paragraph(
        [*distance_findings(material), *verdict_sentences(material), *_ceiling(material, observers)]
    )
    for entry in MEASURES:
        said += paragraph(measure_sentences(material, observers, *entry))
    tables: list[Block] = []
    distances = material.table("pattern_distance")
    if len(distances):
        caption = "Distances of patterns, root mean square over versions."
        tables.append(distance_table(distances, material.main, caption))
    by_version = _by_version(material)
    if by_version is not None:
        tables += fold("Every measure by version", [by_version])
    return [*said, *tables]


def verdict_sentences(material: Material, only_first: bool = False) -> list[Sentence]:
    """Say, for every two networks, which is closer to the observers, if that can be told.

    Parameters
    ----------
    material : Material
    only_first : bool
        Only pairs with the study's first network.
    """
    distances = material.table("pattern_distance")
    if distances.empty:
        return []
    if only_first and material.networks:
        distances = distances[distances["other"] == material.networks[0].name]
    return [
        Sentence(text, sources_of("analysis/pattern_distance.csv", distances.loc[[label]]))
        for label in distances.index
        for text in verdict(distances.loc[[label]], material.main)
    ]


def distance_findings(material: Material) -> list[Sentence]:
    """Say how far every network is from the observers."""
    distances = material.table("pattern_distance")
    if distances.empty:
        return []
    sources = sources_of("analysis/pattern_distance.csv", distances)
    return [Sentence(text, sources) for text in distance_sentences(distances, material.main)]


def measure_sentences(
    material: Material, observers: Group, table: str, measure: str, what: str, symbol: str
) -> list[Sentence]:
    """Say a measure of every network over all versions, its ceiling, and the differences."""
    values, file = material.table(table), f"analysis/{table}.csv"
    if values.empty:
        return []
    values = values[
        (values["measure"] == measure) & (values["condition"] == ALL) & values["value"].notna()
    ]
    own = values[values["group"] == observers.name]
    networks = _of_networks(values, material.networks)
    if networks.empty:
        return _among(own, observers, material, f"{what[0].upper()}{what[1:]}", symbol, file)
    labels = {group.name: named(group) for group in material.networks}
    parts = [
        f"{_value(row, symbol, material.confidence)} for {labels[row['group']]}"
        for _, row in networks.iterrows()
    ]
    text = f"With the {observers.label}, the {what} was {listed(parts)}"
    used = networks
    if len(own):
        among = _value(own.iloc[0], symbol, material.confidence)
        text += f"; among the {observers.label} themselves it was {among}"
        used = values.loc[[*networks.index, *own.index]]
    elif networks["split_half"].notna().any():
        half = _equals(symbol, networks["split_half"].iloc[0])
        text += f"; between halves of the {observers.label} it was {half}"
    sources = (*sources_of(file, used), material.settings())
    return [Sentence(f"{text}.", sources), *_difference_sentences(material, measure, symbol)]


def _among(
    own: pd.DataFrame, observers: Group, material: Material, what: str, symbol: str, file: str
) -> list[Sentence]:
    """Say a measure of the observers themselves, where there is nothing to compare them with."""
    return [
        Sentence(
            f"{what} among the {observers.label}: {_value(row, symbol, material.confidence)}.",
            (*sources_of(file, own), material.settings()),
        )
        for _, row in own.iterrows()
    ]


def _ceiling(material: Material, observers: Group) -> list[Sentence]:
    ceiling = material.table("pattern_ceiling")
    if ceiling.empty:
        return []
    rows = _of_networks(ceiling[ceiling["human_like_pp"].notna()], material.networks)
    labels = {group.name: named(group) for group in material.networks}
    said = []
    for label, row in rows.iterrows():
        who, p = labels[row["group"]], p_equals(row["p_human_like"])
        text = (
            f"For a network that answers as the {observers.label} do, chance alone would make the "
            f"distance {row['human_like_pp']:.1f} percentage points on average, and at most "
            f"{row['human_like_limit_pp']:.1f} in {_share(material.confidence)} of studies; that "
            f"of {who} was {row['distance_pp']:.1f}, {p}."
        )
        used = ceiling.loc[[label]]
        limit = material.settings()
        said.append(Sentence(text, (*sources_of("analysis/pattern_ceiling.csv", used), limit)))
    return said


def _difference_sentences(material: Material, measure: str, symbol: str) -> list[Sentence]:
    tests = material.table("alignment_tests")
    if tests.empty:
        return []
    labels = {group.name: named(group) for group in material.networks}
    rows = tests[
        (tests["measure"] == measure)
        & (tests["condition"] == ALL)
        & tests["group"].isin(labels)
        & tests["other"].isin(labels)
        & tests["se"].notna()
    ]
    said = []
    for label, row in rows.iterrows():
        group, other = labels[row["group"]], labels[row["other"]]
        verb = "differed" if row["closer"] else "were not shown to differ"
        text = (
            f"{group[0].upper() + group[1:]} and {other} {verb} in it: difference in {symbol}"
            f"{NBSP}={NBSP}{signed(row['difference'], 2)}, SE{NBSP}={NBSP}{row['se']:.2f}, "
            f"{interval(row['ci_low'], row['ci_high'], 2, material.confidence)}, "
            f"{p_equals(row['p_value'])}."
        )
        sources = sources_of("analysis/alignment_tests.csv", tests.loc[[label]])
        said.append(Sentence(text, (*sources, material.settings())))
    return said


def _by_version(material: Material) -> Table | None:
    """Return a row per measure, version and group."""
    labels = {group.name: group.label for group in material.groups}
    rows = []
    for table, measure, what, symbol in MEASURES:
        values = material.table(table)
        if values.empty:
            continue
        for _, row in values[(values["measure"] == measure) & values["value"].notna()].iterrows():
            if row["group"] in labels:
                name = f"{what.split(' (')[0]}, {labels[row['group']]}"
                columns = ("value", "ci_low", "ci_high", "split_half")
                numbers = [_cell(row[column]) for column in columns]
                rows.append([f"{name}, {_version(row)}", symbol, *numbers])
    if not rows:
        return None
    head = ["measure", "", "value", "from", "to", "halves"]
    caption = (
        "Likeness by version, with intervals; between random halves of the observers at the right."
    )
    return Table(head, rows, caption)


def _of_networks(rows: pd.DataFrame, networks: Sequence[Group]) -> pd.DataFrame:
    return rows[rows["group"].isin([group.name for group in networks])]


def _value(row: pd.Series, symbol: str, confidence: float) -> str:
    value = _equals(symbol, row["value"])
    if pd.isna(row["ci_low"]):
        return value
    return f"{value} ({interval(row['ci_low'], row['ci_high'], 2, confidence, below_one=True)})"


def _equals(symbol: str, value: float) -> str:
    return f"{symbol}{NBSP}={NBSP}{number(value, 2, below_one=True)}"


def _cell(value: float) -> str:
    return "" if pd.isna(value) else number(value, 2, below_one=True)


def _version(row: pd.Series) -> str:
    return "all versions" if row["condition"] == ALL else CONDITIONS[row["condition"]].label


def _share(confidence: float) -> str:
    return f"{100 * confidence:.3g}%"
