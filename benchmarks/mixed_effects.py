"""Mixed models beside lme4: the same table, the same optimum, both timed in one run.

Run from the repository's root, with Rscript and lme4 installed for the comparison:

    python -m benchmarks.mixed_effects --observers 28 --items 80 --rows full
    python -m benchmarks.mixed_effects --observers 5000 --items 200 --no-lme4
    python -m benchmarks.mixed_effects --observers 28 --items 600 --seeds 3
    python -m benchmarks.mixed_effects --table humans_and_models.csv \
        --formula "correct ~ group * condition + (1 + condition | observer) + (1 | item)"
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.mixed_effects import Refitter, fit

FORMULA = "correct ~ condition + (1 + condition | observer) + (1 | item)"
# Three groups: the default formula of a study, and the richest one of its tests.
GROUPS = "correct ~ group * condition + (1 | observer) + (1 | item) + (1 | item:group)"
EVERY_TERM = (
    f"{GROUPS} + (1 | observer:condition) + (1 | item:condition) + (1 | item:group:condition)"
)
CONDITIONS = ("body_background", "body_only", "background_only")
ORDERS = {"condition": CONDITIONS, "group": ("human", "baseline", "domainnet")}
LME4 = """
suppressMessages(library(lme4))
a <- commandArgs(TRUE)
d <- read.csv(a[1], stringsAsFactors = TRUE)
for (k in seq_len((length(a) - 2) / 2)) d[[a[2 * k + 1]]] <- factor(d[[a[2 * k + 1]]],
  levels = strsplit(a[2 * k + 2], ",")[[1]])
control <- glmerControl(optimizer = "bobyqa", optCtrl = list(maxfun = 2e5))
s <- system.time(m <- glmer(as.formula(a[2]), d, family = binomial, control = control))
cat("RESULT", s[["elapsed"]], format(as.numeric(logLik(m)), digits = 12), "\\n")
"""


def draw_study(
    n_observers: int, n_items: int, latin: bool, rng: np.random.Generator
) -> pd.DataFrame:
    """Observers see every item in one condition (Latin square) or in all three."""
    observer = np.repeat(np.arange(n_observers), n_items)
    item = np.tile(np.arange(n_items), n_observers)
    condition = (observer + item) % 3
    if not latin:
        observer, item = np.repeat(observer, 3), np.repeat(item, 3)
        condition = np.tile(np.arange(3), n_observers * n_items)
    own = rng.normal(0, (0.6, 0.35, 0.3), (n_observers, 3))
    eta = np.array([1.9, 1.5, 0.7])[condition] + rng.normal(0, 0.8, n_items)[item]
    eta += own[observer, 0] + np.where(condition > 0, own[observer, condition], 0.0)
    return pd.DataFrame(
        {
            "observer": pd.Categorical(observer),
            "item": pd.Categorical(item),
            "condition": pd.Categorical.from_codes(condition, list(CONDITIONS)),
            "correct": (rng.random(len(eta)) < 1 / (1 + np.exp(-eta))).astype(int),
        }
    )


def draw_groups(
    n_observers: int, n_items: int, n_seeds: int, rng: np.random.Generator
) -> pd.DataFrame:
    """People see every item in one condition; two networks, ``n_seeds`` trainings each, in all.

    Items are harder for one group than for another.
    """
    means = {"human": (1.9, 1.5, 0.7), "baseline": (1.2, 0.5, 0.6), "domainnet": (1.4, 0.3, 0.8)}
    item = rng.normal(0, 0.8, n_items)
    parts = []
    for group, mean in means.items():
        people = group == "human"
        own_item = item + rng.normal(0, 0.5, n_items)
        for k in range(n_observers if people else n_seeds):
            shown = np.repeat(np.arange(n_items), 1 if people else 3)
            condition = (shown + k) % 3 if people else np.tile(np.arange(3), n_items)
            eta = np.array(mean)[condition] + own_item[shown] + rng.normal(0, 0.5)
            rows = {
                "group": group,
                "observer": f"{group}{k:02d}",
                "item": shown,
                "condition": condition,
                "correct": (rng.random(len(eta)) < 1 / (1 + np.exp(-eta))).astype(int),
            }
            parts.append(pd.DataFrame(rows))
    table = pd.concat(parts, ignore_index=True)
    table["item"] = table["item"].map("i{:04d}".format)
    table["condition"] = pd.Categorical.from_codes(table["condition"], list(CONDITIONS))
    return table.assign(group=pd.Categorical(table["group"], list(means)))


def read_table(path: Path) -> pd.DataFrame:
    """A table with the levels of condition and group in the study's order."""
    table = pd.read_csv(path)
    for name, order in ORDERS.items():
        if name in table:
            table[name] = pd.Categorical(
                table[name], [x for x in order if (table[name] == x).any()]
            )
    return table


def time_ours(formula: str, table: pd.DataFrame, repeats: int) -> tuple[float, float]:
    """Best seconds of ``repeats`` complete calls, and the log-likelihood."""
    seconds = []
    for _ in range(repeats):
        begin = time.perf_counter()
        result = fit(formula, table)
        seconds.append(time.perf_counter() - begin)
    return min(seconds), result.loglik


def time_lme4(formula: str, table: pd.DataFrame) -> tuple[float, float]:
    """Seconds of one glmer call with bobyqa, and its log-likelihood."""
    orders = []
    for name in ORDERS:
        if name in table:
            orders += [name, ",".join(table[name].cat.categories)]
    with tempfile.TemporaryDirectory() as folder:
        data, script = Path(folder) / "data.csv", Path(folder) / "fit.R"
        table.to_csv(data, index=False)
        script.write_text(LME4)
        command = ["Rscript", str(script), str(data), formula, *orders]
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    line = next(line for line in output.splitlines() if line.startswith("RESULT"))
    _, seconds, loglik = line.split()
    return float(seconds), float(loglik)


def time_refits(formula: str, table: pd.DataFrame, n: int) -> float:
    """Seconds per simulated refit."""
    rng = np.random.default_rng(2)
    model = fit(formula, table)
    refit, draws = Refitter(model), model.simulate(rng, n)
    begin = time.perf_counter()
    for draw in draws:
        refit(draw)
    return (time.perf_counter() - begin) / n


def chosen_table(options: argparse.Namespace) -> pd.DataFrame:
    """The table that the options ask for."""
    rng = np.random.default_rng(1)
    if options.table:
        return read_table(options.table)
    if options.seeds:
        return draw_groups(options.observers, options.items, options.seeds, rng)
    return draw_study(options.observers, options.items, options.rows == "latin", rng)


def main() -> None:
    """Print one line per engine."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", type=Path, help="a responses table instead of a simulation")
    parser.add_argument("--formula", help=f"by default {FORMULA}; with --seeds, {GROUPS}")
    parser.add_argument("--every-term", action="store_true", help=EVERY_TERM)
    parser.add_argument("--observers", type=int, default=28)
    parser.add_argument("--items", type=int, default=80)
    parser.add_argument("--rows", choices=("latin", "full"), default="latin")
    parser.add_argument("--seeds", type=int, default=0, help="trainings of each of two networks")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--refits", type=int, default=0, help="simulated refits to time")
    parser.add_argument("--no-lme4", action="store_true")
    options = parser.parse_args()
    table = chosen_table(options)
    formula = options.formula or (GROUPS if options.seeds else FORMULA)
    formula = EVERY_TERM if options.every_term else formula
    ours, loglik = time_ours(formula, table, options.repeats)
    print(f"{len(table)} rows, {formula}")
    print(f"bodyscene  {ours:10.3f} s  logLik {loglik:.6f}", flush=True)
    if options.refits:
        seconds = time_refits(formula, table, options.refits)
        print(f"refit      {seconds:10.3f} s  (mean of {options.refits} simulated data sets)")
    if not options.no_lme4:
        theirs, reference = time_lme4(formula, table)
        print(f"lme4       {theirs:10.3f} s  logLik {reference:.6f}  ({theirs / ours:.0f} times)")


if __name__ == "__main__":
    sys.exit(main())
