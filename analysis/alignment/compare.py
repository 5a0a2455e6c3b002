"""Every network against people: each measure with its interval, its ceiling, and differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations

import numpy as np
import pandas as pd

from analysis.alignment.ceilings import Ceiling, against_single, ceiling_of
from analysis.alignment.measures import Measure
from analysis.alignment.pairs import ALL
from analysis.alignment.panel import Panel, Side
from analysis.alignment.resampling import (
    EVERYTHING,
    ITEMS,
    Estimate,
    Weights,
    as_found,
    draw_weights,
    resample,
    settle,
)

BLOCK = 500  # draws at a time: what a block needs fits into some tens of megabytes

VALUE_COLUMNS = [
    "measure", "condition", "group", "reference", "value", "se", "ci_low", "ci_high",
    "split_half", "split_low", "split_high", "reliability", "loo_low", "loo_high", "single",
    "corrected", "n_seeds", "n_observers", "n_items", "n_seed_trials", "n_observer_trials",
    "n_draws", "n_draws_undefined", "n_dropped",
]  # fmt: skip
TEST_COLUMNS = [
    "measure", "condition", "group", "other", "reference", "difference", "se", "df", "ci_low",
    "ci_high", "p_value", "closer", "n_seeds", "n_seeds_other", "n_observers", "n_items",
    "n_draws", "n_draws_undefined", "n_dropped",
]  # fmt: skip


@dataclass(frozen=True)
class Comparison:
    """What all measures are computed with: the panel, the draws, and how sure to be."""

    panel: Panel
    weights: Weights
    confidence: float

    @property
    def sizes(self) -> dict[str, int]:
        """Units of every source of variation."""
        return {ITEMS: len(self.panel.items), **self.panel.sizes}

    @property
    def n_draws(self) -> int:
        """Bootstrap draws."""
        return len(self.weights.items)


def compare(panel: Panel, n_draws: int, confidence: float, rng: np.random.Generator) -> Comparison:
    """Draw the weights that all measures share, so that their differences are paired."""
    weights = draw_weights(len(panel.items), panel.sizes, n_draws, rng)
    return Comparison(panel, weights, confidence)


def value_table(
    comparison: Comparison, measure: Measure, rng: np.random.Generator
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return a measure of every network (columns `VALUE_COLUMNS`) and tests of differences.

    A network's interval covers the expected value with as many observers as there are. `corrected`
    is the correlation with a noiseless mean of people, value / sqrt(reliability).

    Returns
    -------
    values : DataFrame
    tests : DataFrame
        Columns `TEST_COLUMNS`: `difference` is the measure of `group` minus that of `other`, in
        the order of networks as `analysis.patterns` has it; `closer` is the group whose answers
        are more like people's, empty where the interval holds zero.
    """
    panel, people = comparison.panel, comparison.panel.people
    ceiling = ceiling_of(measure, people, rng)
    labels = [ALL] if measure.mass is None else [*panel.conditions, ALL]
    values: list[dict[str, object]] = []
    found, drawn = {}, {}
    for name, network in panel.networks.items():
        likeness = partial(_likeness, measure, network, people)
        found[name] = likeness(as_found(len(panel.items), panel.sizes))
        drawn[name] = in_blocks(comparison, network, likeness)
        single = against_single(measure, network, people)
        for row, label in enumerate(labels):
            one = {source: draws[row] for source, draws in drawn[name].items()}
            estimate = settle(
                found[name][row, 0], one, comparison.sizes, comparison.confidence, measure.limits
            )
            entry = _value_row(estimate, ceiling, row, single[row])
            entry |= {"measure": measure.name, "condition": label, "group": name}
            values.append(entry | _counts(panel, network, label) | _draw_counts(one))
    tests = pd.DataFrame(columns=TEST_COLUMNS)
    if measure.has_test:
        tests = _tests(comparison, measure, labels, found, drawn)
    table = pd.DataFrame(values).reindex(columns=VALUE_COLUMNS)
    table["reference"] = people.name
    return table, tests


def _likeness(measure: Measure, a: Side, b: Side, weights: Weights) -> np.ndarray:
    """Return a measure of two sides for every draw of the weights, (n_rows, n_draws)."""
    return measure.rows(a, weights.sides[a.name], b, weights.sides[b.name], weights.items)


def in_blocks(
    comparison: Comparison, network: Side, measure: Callable[[Weights], np.ndarray]
) -> dict[str, np.ndarray]:
    """Return `resample`'s draws of a measure of a network and people, some hundred at a time."""
    weights = comparison.weights
    names = list(dict.fromkeys([comparison.panel.people.name, network.name]))
    parts = []
    for start in range(0, comparison.n_draws, BLOCK):
        rows = slice(start, start + BLOCK)
        sides = {name: weights.sides[name][rows] for name in names}
        parts.append(resample(measure, Weights(weights.items[rows], sides), names))
    return {source: np.hstack([part[source] for part in parts]) for source in parts[0]}


def _tests(
    comparison: Comparison,
    measure: Measure,
    labels: Sequence[str],
    found: dict[str, np.ndarray],
    drawn: dict[str, dict[str, np.ndarray]],
) -> pd.DataFrame:
    """Return the differences between all pairs of networks."""
    panel, rows = comparison.panel, []
    for first, second in combinations(panel.networks, 2):
        for row, label in enumerate(labels):
            parts = _difference(found, drawn, second, first, row)
            value = found[second][row, 0] - found[first][row, 0]
            estimate = settle(value, parts, comparison.sizes, comparison.confidence)
            gain = estimate.value if measure.higher_is_closer else -estimate.value
            is_clear = estimate.ci_low > 0 or estimate.ci_high < 0
            counts = _counts(panel, panel.networks[second], label)
            other = panel.networks[first]
            entry = {
                "measure": measure.name,
                "condition": label,
                "group": second,
                "other": first,
                "reference": panel.people.name,
                "difference": estimate.value,
                "se": estimate.se,
                "df": estimate.df,
                "ci_low": estimate.ci_low,
                "ci_high": estimate.ci_high,
                "p_value": estimate.p_value,
                "closer": (second if gain > 0 else first) if is_clear else "",
                "n_seeds_other": other.n,
            }
            entry |= counts | _draw_counts(parts)
            entry["n_dropped"] = counts["n_dropped"] + other.answers.n_dropped
            rows.append(entry)
    return pd.DataFrame(rows).reindex(columns=TEST_COLUMNS)


def _difference(
    found: dict[str, np.ndarray],
    drawn: dict[str, dict[str, np.ndarray]],
    group: str,
    other: str,
    row: int,
) -> dict[str, np.ndarray]:
    """Return draws of a difference per source; what a source does not move stays as found."""
    sources = list(dict.fromkeys([*drawn[group], *drawn[other]]))
    parts = {}
    for source in sources:
        one, two = (
            drawn[name][source][row] if source in drawn[name] else found[name][row]
            for name in (group, other)
        )
        parts[source] = one - two
    return parts


def _value_row(
    estimate: Estimate, ceiling: Ceiling | None, row: int, single: float
) -> dict[str, object]:
    entry: dict[str, object] = {
        "value": estimate.value,
        "se": estimate.se,
        "ci_low": estimate.ci_low,
        "ci_high": estimate.ci_high,
        "single": single,
    }
    if ceiling is None:
        return entry
    names = ("split_half", "split_low", "split_high", "reliability", "loo_low", "loo_high")
    entry |= {name: getattr(ceiling, name)[row] for name in names}
    entry["corrected"] = estimate.value / np.sqrt(ceiling.reliability[row])
    return entry


def _counts(panel: Panel, network: Side, label: str) -> dict[str, int]:
    """Return what a row rests on: observers, items that both answered, trials, rows left out."""
    people = panel.people
    chosen = [label in (ALL, name) for name in panel.conditions]
    ours, theirs = network.answers.seen[chosen], people.answers.seen[chosen]
    sides = {side.name: side for side in (network, people)}  # people may be compared with people
    shared = ours.any(axis=(0, 1)) & theirs.any(axis=(0, 1))
    return {
        "n_seeds": int(ours.any(axis=(0, 2)).sum()),
        "n_observers": int(theirs.any(axis=(0, 2)).sum()),
        "n_items": int(shared.sum()),
        "n_seed_trials": int(ours.sum()),
        "n_observer_trials": int(theirs.sum()),
        "n_dropped": sum(side.answers.n_dropped for side in sides.values()),
    }


def _draw_counts(drawn: dict[str, np.ndarray]) -> dict[str, int]:
    draws = drawn[EVERYTHING]
    return {"n_draws": len(draws), "n_draws_undefined": int((~np.isfinite(draws)).sum())}
