"""Draws of observers and items together, for any measure, and what follows from them.

A measure is computed with weights for people, for every network's trainings and for items. Units
are drawn as in `analysis.bootstrap` (n - 1 of n with replacement, so that the variance is right for
three trainings), but weights go only half of the way from one to what was drawn. Full resampling
doubles the noise in the means of items that nine people saw and flattens every correlation of
them; half steps do not, and variances are scaled back by four.

The measure is evaluated when everything is drawn anew, and when only people, only one network's
trainings, or only items are. The latter give each source's part V_k of the variance. Their sum
counts the chance in single answers (observer by item) once too often; that part is the variance of
what a draw of everything adds to the sum of the single ones. So

    V = sum(V_k) - V_cell,   at least the largest V_k,

which for means is the two-way cluster-robust variance that `analysis.bootstrap` uses (Owen, 2007;
Cameron, Gelbach & Miller, 2011). Few units know little of their variance: degrees of freedom follow
Satterthwaite (1946), V^2 / sum(V_k^2 / (n_k - 1)), at least those of the smallest source, and
intervals and p values are Student's with these. docs/alignment.md says how often they are right in
simulations.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

ITEMS = "items"
EVERYTHING = "everything"


@dataclass(frozen=True)
class Weights:
    """How often each unit counts in each draw.

    Attributes
    ----------
    items : ndarray of shape (n_draws, n_items) or (1, n_items)
    sides : mapping of str to ndarray of shape (n_draws, n_observers) or (1, n_observers)
        Per group. Whole numbers everywhere, known up to a factor: sums of them are exact, in any
        order and on any number of threads.
    """

    items: np.ndarray
    sides: Mapping[str, np.ndarray]

    def only(self, source: str) -> Weights:
        """Return the same draws with one source drawn and everything else as found."""
        items = self.items if source == ITEMS else np.ones((1, self.items.shape[1]))
        sides = {
            name: drawn if source == name else np.ones((1, drawn.shape[1]))
            for name, drawn in self.sides.items()
        }
        return Weights(items, sides)


@dataclass(frozen=True)
class Estimate:
    """A value with what resampling says of it: standard error, interval, degrees of freedom."""

    value: float
    se: float
    df: float
    ci_low: float
    ci_high: float

    @property
    def p_value(self) -> float:
        """Two-sided, of the hypothesis that the value is zero."""
        return (
            float(2.0 * stats.t.sf(abs(self.value) / self.se, self.df)) if self.se > 0 else np.nan
        )


def unit_counts(n_units: int, n_draws: int, rng: np.random.Generator) -> np.ndarray:
    """Draw n - 1 of n units with replacement; return the counts, shape (n_draws, n_units)."""
    if n_units == 1:
        return np.ones((n_draws, 1))
    shares = np.full(n_units, 1.0 / n_units)
    return rng.multinomial(n_units - 1, shares, size=n_draws).astype(float)


def half_steps(counts: np.ndarray) -> np.ndarray:
    """Return weights half way between one and what was drawn, as whole numbers.

    A unit drawn c times weighs c n / (n - 1), hence half way (1 + c n / (n - 1)) / 2, times
    2 (n - 1) here.
    """
    n = counts.shape[1]
    return (n - 1.0) + n * counts if n > 1 else counts


def draw_weights(
    n_items: int, sizes: Mapping[str, int], n_draws: int, rng: np.random.Generator
) -> Weights:
    """Draw weights for the items and for every group of the given sizes, by half steps."""
    items = half_steps(unit_counts(n_items, n_draws, rng))
    sides = {name: half_steps(unit_counts(n, n_draws, rng)) for name, n in sizes.items()}
    return Weights(items, sides)


def as_found(n_items: int, sizes: Mapping[str, int]) -> Weights:
    """Return weights of one for everything."""
    return Weights(np.ones((1, n_items)), {name: np.ones((1, n)) for name, n in sizes.items()})


def resample(
    measure: Callable[[Weights], np.ndarray], weights: Weights, groups: Sequence[str]
) -> dict[str, np.ndarray]:
    """Evaluate a measure with everything drawn, and with each source alone.

    Parameters
    ----------
    measure : callable
        Takes weights, returns an array of shape (n_rows, n_draws).
    weights : Weights
    groups : sequence of str
        The groups that the measure uses.

    Returns
    -------
    dict
        Source ("everything", "items", a group) -> (n_rows, n_draws). A source of one unit is not
        in it.
    """
    wanted = Weights(weights.items, {name: weights.sides[name] for name in groups})
    drawn = {EVERYTHING: measure(wanted)}
    sources = {ITEMS: wanted.items, **wanted.sides}
    for source, counts in sources.items():
        if counts.shape[1] > 1:
            # A measure that does not use a source comes back with one column.
            moved = measure(wanted.only(source))
            drawn[source] = np.broadcast_to(moved, drawn[EVERYTHING].shape)
    return drawn


def settle(
    value: float,
    drawn: Mapping[str, np.ndarray],
    sizes: Mapping[str, int],
    confidence: float,
    limits: tuple[float, float] = (-np.inf, np.inf),
) -> Estimate:
    """Return a value with standard error and interval from draws of every source.

    Parameters
    ----------
    value : float
        The measure of the data as found.
    drawn : mapping of str to ndarray of shape (n_draws,)
        As `resample` returns them, one row.
    sizes : mapping of str to int
        Number of units of every source, the items' too. One unit tells nothing of how units
        vary: the interval is then over the other sources alone.
    confidence : float
    limits : tuple of float
        What the measure can be; the interval is cut there.
    """
    parts = variance_parts(value, drawn)
    cells = parts.pop(EVERYTHING)
    parts = {name: part for name, part in parts.items() if part > 0 and sizes[name] > 1}
    if np.isnan(value) or not parts:
        return Estimate(float(value), np.nan, np.nan, np.nan, np.nan)
    variance = max(sum(parts.values()) - cells, *parts.values())
    df = variance**2 / sum(part**2 / (sizes[name] - 1) for name, part in parts.items())
    df = max(df, min(sizes[name] - 1.0 for name in parts))
    se = float(np.sqrt(variance))
    reach = float(stats.t.ppf(0.5 + confidence / 2.0, df)) * se
    low, high = np.clip([value - reach, value + reach], *limits)
    return Estimate(float(value), se, float(df), float(low), float(high))


def variance_parts(value: float, drawn: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Return every source's part of the variance; under "everything", that of single answers."""
    single = [draws for name, draws in drawn.items() if name != EVERYTHING]
    # What is left of a draw of everything when each source's own effect is taken out.
    rest = drawn[EVERYTHING] - sum(draws - value for draws in single) - value
    parts = {name: _variance(draws) * 4.0 for name, draws in drawn.items()}
    # An interaction of two half steps is a quarter of that of two whole ones.
    return parts | {EVERYTHING: _variance(rest) * 16.0}


def _variance(draws: np.ndarray) -> float:
    known = draws[np.isfinite(draws)]
    return float(known.var()) if len(known) > 1 else 0.0
