"""How well networks do by every metric of their scores, averaged over trainings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from analysis.groups import network_names
from study.config import Study
from study.results import Results

KEYS = ["group", "condition", "reading", "metric"]
COLUMNS = [*KEYS, "n_seeds", "n_clips", "mean", "sd", "ci_low", "ci_high", "method"]
# Largest value of each metric; all begin at 0.
MOST = {"log_loss": np.inf, "brier": 2.0}


def read_scores(study: Study, results: Results) -> pd.DataFrame:
    """Put the score tables of all networks together; those not scored here are passed over.

    Returns
    -------
    DataFrame
        observer, group, condition, reading, metric, value, n (clips): the metrics are those of
        `models.score_tables`. Empty where there is none.
    """
    return _read(study, results.scores("", 0).parent)


def read_reliability(study: Study, results: Results) -> pd.DataFrame:
    """Put the tables of reliability of all networks together.

    Returns
    -------
    DataFrame
        observer, group, condition, reading, low, high (edges of a bin of probability), n (clips),
        confidence (their mean probability), accuracy. Empty where there is none.
    """
    return _read(study, results.reliability("", 0).parent)


def networks_table(study: Study, results: Results) -> pd.DataFrame:
    """Average every metric over the trainings of a network.

    The interval is Student's t over trainings: it tells what another training of the same network
    would do on the same clips, not what other clips would. It is cut at what the metric can be.
    There is none of a single training, or of trainings that are all alike.

    Returns
    -------
    DataFrame
        A row per group, version, reading and metric, columns `COLUMNS`.
    """
    scores = read_scores(study, results)
    if scores.empty:
        return pd.DataFrame(columns=COLUMNS)
    rows = [
        {**dict(zip(KEYS, key, strict=True)), **_mean(own, key[-1], study.analysis.confidence)}
        for key, own in scores.groupby(KEYS, sort=False)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def _read(study: Study, folder: Path) -> pd.DataFrame:
    """Read the tables of the study's networks and seeds; an action may be called "null"."""
    tables = []
    for name in network_names(study):
        for path in sorted(folder.glob(f"{name}-seed*.csv")):
            table = pd.read_csv(path, keep_default_na=False, na_values=[""])
            tables.append(table[table["observer"].isin(_observers(study, name, path))])
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def _observers(study: Study, name: str, path: Path) -> list[str]:
    """Return who may stand in a table: of the study's own networks, the seeds that it names."""
    seeds = {model.name: model.seeds for model in study.models}
    return [f"{name}-seed{seed}" for seed in seeds[name]] if name in seeds else [path.stem]


def _mean(rows: pd.DataFrame, metric: str, confidence: float) -> dict[str, object]:
    values = rows["value"].to_numpy(float)
    n, mean = len(values), float(values.mean())
    sd = float(values.std(ddof=1)) if n > 1 else np.nan
    low = high = np.nan
    method = "one seed, no interval"
    if n > 1 and np.ptp(values) == 0:
        method = f"{n} seeds alike, no interval"
    elif n > 1:
        half = stats.t.ppf(0.5 + confidence / 2, n - 1) * sd / np.sqrt(n)
        low, high = max(0.0, mean - half), min(MOST.get(metric, 1.0), mean + half)
        method = f"t over {n} seeds"
    return {
        "n_seeds": n,
        "n_clips": int(rows["n"].max()),
        "mean": mean,
        "sd": sd,
        "ci_low": low,
        "ci_high": high,
        "method": method,
    }
