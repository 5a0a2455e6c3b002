"""What the legends of several figures say."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from analysis.groups import Group
from analysis.sentences import NBSP, signed


def simulated_remark(groups: Sequence[Group]) -> str:
    """Say, where it is so, that the observers are no people."""
    simulated = any(group.is_simulated for group in groups)
    return " The observers are simulated; no person took part." if simulated else ""


def level(confidence: float) -> str:
    """Return "95 %"."""
    return f"{100 * confidence:.3g}{NBSP}%"


def with_interval(row: pd.Series, digits: int) -> str:
    """Return columns value, ci_low and ci_high as "0.12 [−0.03, 0.27]"."""
    low, high = signed(row["ci_low"], digits), signed(row["ci_high"], digits)
    return f"{signed(row['value'], digits)} [{low},{NBSP}{high}]"
