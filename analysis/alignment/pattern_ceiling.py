"""How far a network's pattern of accuracies would be from people's by noise alone.

A distance is never negative, so noise makes it larger. Two remedies: the distance that a network
made of people's own answers has, and a distance with the noise subtracted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.alignment.compare import Comparison, in_blocks
from analysis.alignment.panel import Side
from analysis.alignment.patterns import accuracies, differences, distance
from analysis.alignment.resampling import (
    EVERYTHING,
    Weights,
    as_found,
    unit_counts,
    variance_parts,
)
from analysis.patterns import pattern_distance

CEILING_COLUMNS = [
    "group", "reference", "distance_pp", "ci_low", "ci_high", "corrected_pp", "human_like_pp",
    "human_like_limit_pp", "p_human_like", "same_order", "split_half_pp", "loo_pp", "n_seeds",
    "n_observers", "n_items", "n_draws", "n_dropped",
]  # fmt: skip


def pattern_ceiling(
    comparison: Comparison, similarity: pd.DataFrame, rng: np.random.Generator
) -> pd.DataFrame:
    """Return every network's distance beside what noise alone makes of it.

    Parameters
    ----------
    comparison : Comparison
    similarity : DataFrame
        The values of `analysis.alignment.patterns.PATTERN_DISTANCE`, see `compare.value_table`.
    rng : numpy.random.Generator

    Returns
    -------
    DataFrame
        Columns `CEILING_COLUMNS`. distance_pp, ci_low, ci_high : as found; corrected_pp : see
        `corrected_distance`; human_like_pp, human_like_limit_pp, p_human_like : see `HumanLike`,
        empty where a version has no two answers to an item; same_order : share of draws in which
        the network and people order the versions alike; split_half_pp, loo_pp : people against
        people. All in percentage points but for the p value and the share.
    """
    panel, people = comparison.panel, comparison.panel.people
    known = similarity[similarity["measure"] == "pattern_distance"].set_index("group")
    rows = []
    for name, network in panel.networks.items():
        row = known.loc[name]
        drawn = in_blocks(comparison, network, _differences_of(network, people))
        ones = as_found(len(panel.items), panel.sizes)
        found = _differences_of(network, people)(ones)[:, 0]
        like = human_like(people, network, comparison.n_draws, comparison.confidence, rng)
        rows.append(
            {
                "group": name,
                "reference": people.name,
                "distance_pp": row["value"],
                "corrected_pp": corrected_distance(found, drawn),
                "human_like_pp": like.expected if like else np.nan,
                "human_like_limit_pp": like.limit if like else np.nan,
                "p_human_like": like.share_farther if like else np.nan,
                "same_order": same_order(comparison, network, rng),
                "split_half_pp": row["split_half"],
                "loo_pp": row["loo_low"],
            }
            | {column: row[column] for column in CEILING_COLUMNS if column in row.index[1:]}
        )
    return pd.DataFrame(rows).reindex(columns=CEILING_COLUMNS)


def same_order(comparison: Comparison, network: Side, rng: np.random.Generator) -> float:
    """Return the share of bootstrap draws in which both order the versions alike.

    These draws are whole ones: what counts is how often an order changes.
    """
    people, n_draws = comparison.panel.people, comparison.n_draws
    items = unit_counts(len(comparison.panel.items), n_draws, rng)
    orders = [
        accuracies(side, unit_counts(side.n, n_draws, rng), items) for side in (network, people)
    ]
    first, second = np.triu_indices(len(orders[0]), 1)
    signs = [np.sign(order[first] - order[second]) for order in orders]
    return float((signs[0] == signs[1]).all(axis=0).mean())


def _differences_of(network: Side, people: Side) -> Callable[[Weights], np.ndarray]:
    def evaluate(weights: Weights) -> np.ndarray:
        sides = weights.sides
        return differences(network, sides[network.name], people, sides[people.name], weights.items)

    return evaluate


@dataclass(frozen=True)
class HumanLike:
    """Distances that a network would have that answers as people do; percentage points.

    Attributes
    ----------
    expected : float
        Mean distance.
    limit : float
        The distance that it stays under with the given confidence.
    share_farther : float
        How often it is at least as far as the network that was found: a p value.
    """

    expected: float
    limit: float
    share_farther: float


def corrected_distance(found: np.ndarray, drawn: dict[str, np.ndarray]) -> float:
    """Return a distance without the part that noise adds, percentage points.

    The mean square of noisy differences is too large by their variances, which resampling knows;
    they are subtracted. Negative (minus the root) where the differences are smaller than noise
    alone makes them on average: then the patterns cannot be told apart.

    Parameters
    ----------
    found : ndarray of shape (n_conditions,)
        Differences of accuracy; NaN where a side has no trial.
    drawn : dict of str to ndarray of shape (n_conditions, n_draws)
        See `analysis.alignment.resampling.resample`.
    """
    variance = []
    for c, value in enumerate(found):
        parts = variance_parts(value, {name: draws[c] for name, draws in drawn.items()})
        cells = parts.pop(EVERYTHING)
        variance.append(max(sum(parts.values()) - cells, *parts.values(), 0.0))
    square = float(np.nanmean(found**2 - np.array(variance)))
    return 100.0 * np.sign(square) * np.sqrt(abs(square))


def human_like(
    people: Side,
    network: Side,
    n_draws: int,
    confidence: float,
    rng: np.random.Generator,
) -> HumanLike | None:
    """Draw networks that answer as people do, and their distances from people.

    In every draw both answer every item that both saw: the network as many times as it has
    trainings, people as many times as they did, with answers drawn with replacement from people's.
    None where no version has an item that two people saw.

    Notes
    -----
    Drawn answers vary by (n - 1) / n less than the n answers they come from; their deviations are
    scaled up by the root of the inverse. Single answers are all the noise there is here: that some
    observers or trainings are better than others adds a little to real distances.
    """
    both = network.answers.seen.any(axis=1) & (people.answers.seen.sum(axis=1) >= 2)
    versions = [c for c in range(len(both)) if both[c].any()]
    if not versions:
        return None
    gaps = []
    for c in versions:
        right, seen = people.answers.right[c][:, both[c]], people.answers.seen[c][:, both[c]]
        k = network.answers.seen[c][:, both[c]].sum(axis=0).astype(int)
        gaps.append(_gap_by_noise(right.sum(axis=0), seen.sum(axis=0), k, n_draws, rng))
    distances = pattern_distance(np.array(gaps), 0.0)
    ones = np.ones((1, people.n)), np.ones((1, network.n)), np.ones((1, len(people.answers.items)))
    found = float(distance(people, ones[0], network, ones[1], ones[2])[0, 0])
    farther = (1 + int((distances >= found).sum())) / (1 + n_draws)
    limit = float(np.quantile(distances, confidence))
    return HumanLike(float(distances.mean()), limit, farther)


def _gap_by_noise(
    n_right: np.ndarray, n: np.ndarray, k: np.ndarray, n_draws: int, rng: np.random.Generator
) -> np.ndarray:
    """Draw how far accuracies in one version are apart by chance, (n_draws,).

    Parameters
    ----------
    n_right, n : ndarray of shape (n_items,)
        People's right answers and answers.
    k : ndarray of shape (n_items,)
        Answers of the network.
    """
    share, scale = n_right / n, np.sqrt(n / (n - 1.0))
    ours = (rng.binomial(k, share, size=(n_draws, len(k))) - k * share) * scale
    theirs = (rng.binomial(n.astype(int), share, size=(n_draws, len(n))) - n_right) * scale
    return ours.sum(axis=1) / k.sum() - theirs.sum(axis=1) / n.sum()
