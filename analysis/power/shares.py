"""Shares of simulated studies, with the interval that their number leaves."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

Array = np.ndarray
# Of the intervals that say how exact a simulation is.
LEVEL = 0.95


def wilson_interval(successes: int, n: int, level: float = LEVEL) -> tuple[float, float]:
    """Return Wilson's score interval of a share (Wilson, 1927); 0 to 1 where n is 0."""
    if n == 0:
        return 0.0, 1.0
    z = float(stats.norm.ppf(0.5 + level / 2))
    share = successes / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    # The ends of 0 and n successes are 0 and 1, but for rounding.
    return max(0.0, float(centre - half)), min(1.0, float(centre + half))


def share_with_interval(hits: Array, name: str) -> dict[str, float]:
    """Return the share of true ``hits`` (n,) as NAME, NAME_low and NAME_high; NaN of none."""
    n, successes = len(hits), int(np.sum(hits))
    low, high = wilson_interval(successes, n)
    return {name: successes / n if n else np.nan, f"{name}_low": low, f"{name}_high": high}


def mean_width(outcomes: pd.DataFrame, confidence: float, method: str) -> float:
    """Mean width of the intervals in logits, by Student's t or the normal distribution.

    NaN for a joint test, which has none.
    """
    se, df = outcomes["se"].to_numpy(), outcomes["df"].to_numpy()
    tail = 0.5 + confidence / 2
    quantile = stats.t.ppf(tail, df) if method == "t" else stats.norm.ppf(tail)
    widths = 2.0 * quantile * se
    return float(widths.mean()) if len(widths) else np.nan
