"""Draws the three data sets of this folder. Run: python simulate.py FOLDER

The truth is in the code; single trials, `correct` 0 or 1, `rt_s` in seconds.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd

CONDITIONS = np.array(["original", "body", "background"])


def draw(groups: dict[str, int], n_items: int, latin_groups: set[str], seed: int) -> pd.DataFrame:
    """Observers of each group see every item in one condition (latin) or in all three."""
    rng = np.random.default_rng(seed)
    means = {"human": (1.8, 1.4, 0.6), "baseline": (0.4, -1.0, 0.1), "twostream": (0.9, 0.6, 0.2)}
    item, coverage = rng.normal(0, 0.7, n_items), rng.uniform(0.05, 0.6, n_items).round(3)
    parts, n_before = [], 0
    for group, n in groups.items():
        for k in range(n):
            own = rng.normal(0, (0.55, 0.4, 0.35), 3)
            shown = np.arange(n_items)
            condition = (shown + k) % 3
            if group not in latin_groups:
                shown, condition = np.repeat(shown, 3), np.tile(np.arange(3), n_items)
            eta = np.array(means[group])[condition] + item[shown] + 0.8 * coverage[shown]
            eta += own[0] + np.where(condition > 0, own[condition], 0.0)
            rt_s = np.exp(rng.normal(0.2 - 0.1 * eta + 0.15 * own[0], 0.3))
            parts.append(
                pd.DataFrame(
                    {
                        "observer": f"o{n_before + k:02d}",
                        "group": group,
                        "lab": f"l{k % 4}",
                        "item": [f"i{i:02d}" for i in shown],
                        "condition": CONDITIONS[condition],
                        "coverage": coverage[shown],
                        "correct": (rng.random(len(eta)) < 1 / (1 + np.exp(-eta))).astype(int),
                        "rt_s": rt_s.round(4),
                    }
                )
            )
        n_before += n
    return pd.concat(parts, ignore_index=True)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    draw({"human": 28}, 80, {"human"}, 21).to_csv(folder / "latin.csv", index=False)
    draw({"human": 20}, 40, set(), 22).to_csv(folder / "full.csv", index=False)
    groups = {"human": 28, "baseline": 5, "twostream": 5}
    draw(groups, 40, {"human"}, 23).to_csv(folder / "groups.csv", index=False)
