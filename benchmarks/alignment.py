"""Error consistency of all pairs with bootstrap intervals, beside a plain loop, in one run.

Run from the repository's root:

    python -m benchmarks.alignment --observers 100 --items 240 --draws 10000
"""

from __future__ import annotations

import argparse
import time
from itertools import combinations

import numpy as np
import pandas as pd

from analysis.alignment import error_consistency, error_consistency_table


def draw_answers(n_observers: int, n_items: int, rng: np.random.Generator) -> np.ndarray:
    """Items differ in difficulty and observers in ability; (n_observers, n_items) of 0 and 1."""
    eta = rng.normal(1.0, 1.0, n_items) + rng.normal(0.0, 0.5, (n_observers, 1))
    return (rng.random((n_observers, n_items)) < 1.0 / (1.0 + np.exp(-eta))).astype(int)


def as_table(answers: np.ndarray) -> pd.DataFrame:
    """A row per answer."""
    observer, item = np.indices(answers.shape).reshape(2, -1)
    return pd.DataFrame(
        {
            "observer": [f"o{k:04d}" for k in observer],
            "stimulus_id": [f"s{k:04d}" for k in item],
            "condition": "body_only",
            "correct": answers.ravel(),
        }
    )


def time_loop(answers: np.ndarray, n_pairs: int, n_draws: int, rng: np.random.Generator) -> float:
    """Seconds per pair and draw of drawing items and computing kappa one by one."""
    pairs = list(combinations(range(len(answers)), 2))[:n_pairs]
    begin = time.perf_counter()
    for a, b in pairs:
        for _ in range(n_draws):
            items = rng.integers(answers.shape[1], size=answers.shape[1])
            error_consistency(answers[a, items], answers[b, items])
    return (time.perf_counter() - begin) / (len(pairs) * n_draws)


def main() -> None:
    """Print best seconds of the table, and those of the loop for as many pairs and draws."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--observers", type=int, default=100)
    parser.add_argument("--items", type=int, default=240)
    parser.add_argument("--draws", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    rng = np.random.default_rng(1)
    answers = draw_answers(options.observers, options.items, rng)
    table = as_table(answers)
    seconds = []
    for _ in range(options.repeats):
        begin = time.perf_counter()
        error_consistency_table(table, n_draws=options.draws)
        seconds.append(time.perf_counter() - begin)
    n_pairs = options.observers * (options.observers - 1) // 2
    per_kappa = min(time_loop(answers, 3, 300, rng) for _ in range(options.repeats))
    loop = per_kappa * n_pairs * options.draws
    best = min(seconds)
    print(f"{n_pairs} pairs, {options.items} items, {options.draws} draws: {best:.2f} s")
    print(
        f"plain loop: {per_kappa * 1e6:.0f} us a kappa, hence {loop:.0f} s; ratio {loop / best:.0f}"
    )


if __name__ == "__main__":
    main()
