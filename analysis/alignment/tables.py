"""All tables of a study about how alike its networks and its observers answer."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from analysis.alignment.answers import Answers, check_columns
from analysis.alignment.compare import (
    TEST_COLUMNS,
    VALUE_COLUMNS,
    Comparison,
    compare,
    value_table,
)
from analysis.alignment.confusions import confusion_measures
from analysis.alignment.margins import SHAPE_COLUMNS, read_margins, shape_table
from analysis.alignment.measures import ERROR_CONSISTENCY, ITEM_CORRELATION, RT_MARGIN
from analysis.alignment.pairs import COLUMNS, MIN_SHARED, pair_table
from analysis.alignment.panel import COLUMNS as PANEL_COLUMNS
from analysis.alignment.panel import Panel, Side, make_panel
from analysis.alignment.pattern_ceiling import CEILING_COLUMNS, pattern_ceiling
from analysis.alignment.patterns import PATTERN_CORRELATION, PATTERN_DISTANCE, RANK_AGREEMENT
from analysis.groups import Group
from study.config import Study
from study.results import Results

log = logging.getLogger("bodyscene")

# Keeps these draws apart from the other uses of the study's seed.
ALIGNMENT_STREAM = 302


def alignment_tables(
    study: Study, results: Results, responses: pd.DataFrame, groups: Sequence[Group]
) -> dict[str, pd.DataFrame]:
    """Compare every network with the observers, in all measures.

    Parameters
    ----------
    study : Study
        Gives versions, seed, number of draws and confidence.
    results : Results
        Where the networks' logits are; without them there are no margins.
    responses : DataFrame
        See `analysis.responses.read_responses`.
    groups : sequence of Group
        The first one of observers is the reference.

    Returns
    -------
    dict of str to DataFrame
        error_consistency, item_correlation, confusion_similarity, pattern_similarity, rt_margin :
        a row per network, version and measure; see `compare.value_table`. error_consistency has
        rows of the observers among themselves too (`group` equals `reference`).
        error_consistency_pairs : a row per pair of observers; see `error_consistency_table`.
        pattern_ceiling : distances beside those of networks made of people's answers.
        rt_margin_shape : reaction time in fifths of the margin.
        alignment_tests : differences between networks in every measure.
        alignment_notes : what was left out and why, a row each.
        All are empty, with their columns, where there are no observers or no answers.
    """
    check_columns(responses, PANEL_COLUMNS, "alignment_tables")
    tables = _empty()
    observers = [group.name for group in groups if group.role == "observers"]
    present = set(responses["group"]) if len(responses) else set()
    if not observers or observers[0] not in present:
        return tables
    networks = [group.name for group in groups if group.unit == "seed" and group.name in present]
    conditions = study.versions.conditions
    margins, notes = read_margins(study, results, networks, responses)
    panel = make_panel(responses, observers[0], networks, conditions, margins)
    rng = np.random.default_rng([study.seed, ALIGNMENT_STREAM])
    settings = study.analysis
    comparison = compare(panel, settings.n_bootstrap, settings.confidence, rng)

    tables["error_consistency_pairs"] = pair_table(
        _together(panel), MIN_SHARED, np.nan, settings.n_bootstrap, settings.confidence, rng
    )
    measured = {
        "error_consistency": [ERROR_CONSISTENCY],
        "item_correlation": [ITEM_CORRELATION],
        "confusion_similarity": list(confusion_measures(panel.actions)),
        "pattern_similarity": [PATTERN_DISTANCE, PATTERN_CORRELATION, RANK_AGREEMENT],
        "rt_margin": [RT_MARGIN],
    }
    tests = []
    for name, measures in measured.items():
        pairs = [value_table(comparison, measure, rng) for measure in measures]
        tables[name] = _stack([values for values, _ in pairs], VALUE_COLUMNS)
        tests += [test for _, test in pairs]
    tables["alignment_tests"] = _stack(tests, TEST_COLUMNS)
    among = _among_observers(comparison, rng)
    tables["error_consistency"] = _stack([among, tables["error_consistency"]], VALUE_COLUMNS)
    tables["pattern_ceiling"] = pattern_ceiling(comparison, tables["pattern_similarity"], rng)
    tables["rt_margin_shape"] = _stack([shape_table(comparison)], SHAPE_COLUMNS)
    notes += [note for side in _sides(panel) for note in side.answers.notes]
    notes += _what_is_missing(panel)
    tables["alignment_notes"] = pd.DataFrame({"note": notes}, dtype=str)
    for note in notes:
        log.warning("alignment: %s", note)
    return tables


def _empty() -> dict[str, pd.DataFrame]:
    names = ("error_consistency", "item_correlation", "confusion_similarity")
    names += ("pattern_similarity", "rt_margin")
    tables = {name: pd.DataFrame(columns=VALUE_COLUMNS) for name in names}
    return tables | {
        "error_consistency_pairs": pd.DataFrame(columns=COLUMNS),
        "pattern_ceiling": pd.DataFrame(columns=CEILING_COLUMNS),
        "rt_margin_shape": pd.DataFrame(columns=SHAPE_COLUMNS),
        "alignment_tests": pd.DataFrame(columns=TEST_COLUMNS),
        "alignment_notes": pd.DataFrame(columns=["note"]),
    }


def _sides(panel: Panel) -> list[Side]:
    return [panel.people, *panel.networks.values()]


def _together(panel: Panel) -> Answers:
    """Return all observers of all groups as one, named by group and observer."""
    sides = _sides(panel)
    names = tuple((side.name, name) for side in sides for name in side.answers.observers)
    right = np.concatenate([side.answers.right for side in sides], axis=1)
    seen = np.concatenate([side.answers.seen for side in sides], axis=1)
    n_dropped = sum(side.answers.n_dropped for side in sides)
    return Answers(names, panel.items, panel.conditions, right, seen, n_dropped)


def _among_observers(comparison: Comparison, rng: np.random.Generator) -> pd.DataFrame:
    """Return the error consistency of observers with each other: the ceiling, with its interval."""
    people = comparison.panel.people
    if people.n < 2:
        return pd.DataFrame(columns=VALUE_COLUMNS)
    alone = replace(comparison.panel, networks={people.name: people})
    return value_table(replace(comparison, panel=alone), ERROR_CONSISTENCY, rng)[0]


def _what_is_missing(panel: Panel) -> list[str]:
    """Name observers without a trial in a version, and those who were always right or wrong."""
    notes = []
    for side in _sides(panel):
        n = side.answers.seen.sum(axis=2)  # (n_conditions, n_observers)
        n_right = side.answers.right.sum(axis=2)
        for what, where in (
            ("no trial in {}: in no comparison there", n == 0),
            ("only right answers in {}: no error consistency with each other", n_right == n),
            ("only wrong answers in {}: no error consistency with each other", n_right == 0),
        ):
            found = where if what.startswith("no trial") else where & (n > 0)
            for version, who in zip(side.answers.conditions, found, strict=True):
                if who.any():
                    names = ", ".join(np.array(side.answers.observers, str)[who])
                    notes.append(f"{side.name}, {what.format(version)}: {names}")
    return notes


def _stack(tables: Sequence[pd.DataFrame], columns: Sequence[str]) -> pd.DataFrame:
    full = [table for table in tables if len(table)]
    if not full:
        return pd.DataFrame(columns=list(columns))
    return pd.concat(full, ignore_index=True)[list(columns)]
