"""Where networks look, summed up: the share of their evidence that lies inside the body."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.bootstrap import (
    percentile_interval,
    two_way_variance,
    unit_weights,
    weighted_accuracy,
    with_variance,
)
from analysis.sentences import listed, percent, percent_with_interval
from study.conditions import CONDITIONS
from study.config import Study
from study.results import Results

# A fixed number per use keeps the streams of one seed apart.
BOOTSTRAP_STREAM = 331
WHOLE = "whole"
# `saliency.target` -> what the maps are evidence for.
EVIDENCE_FOR = {"right": "the right action", "answer": "its own answer"}
KEYS = ["group", "condition", "stream"]
AVERAGES = (
    "n_observers",
    "n_items",
    "share_in_body",
    "ci_low",
    "ci_high",
    "body_share",
    "no_evidence",
)


def read_saliency(study: Study, results: Results) -> pd.DataFrame:
    """Put the tables of all networks together; those not looked at are passed over.

    Returns
    -------
    DataFrame
        observer, group, condition, stream, clip_id, action, n_frames, share_in_body, body_share,
        no_evidence: a row per network, test clip, version and stream; empty where there is none.
    """
    paths = [results.saliency(model.name, seed) for model in study.models for seed in model.seeds]
    # An action or a clip may be called "null".
    how = {"dtype": {"clip_id": str}, "keep_default_na": False, "na_values": [""]}
    tables = [pd.read_csv(path, **how) for path in paths if path.is_file()]
    # Networks that see no single pictures have a table without rows, whose columns have no type.
    tables = [table for table in tables if len(table)]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def saliency_table(study: Study, results: Results) -> pd.DataFrame:
    """Average over clips and trainings, with intervals over both.

    Returns
    -------
    DataFrame
        group, condition, stream, n_observers, n_items, share_in_body, ci_low, ci_high, body_share
        (what a map without preference would have), no_evidence.
    """
    table = read_saliency(study, results)
    if table.empty:
        return pd.DataFrame(columns=[*KEYS, *AVERAGES])
    rng = np.random.default_rng([study.seed, BOOTSTRAP_STREAM])
    settings = study.analysis
    rows = [
        dict(zip(KEYS, key, strict=True))
        | _averages(part, settings.n_bootstrap, settings.confidence, rng)
        for key, part in table.groupby(KEYS, sort=False)
    ]
    return pd.DataFrame(rows)


def _averages(
    part: pd.DataFrame, n_draws: int, confidence: float, rng: np.random.Generator
) -> dict[str, float]:
    shares = part.pivot(index="observer", columns="clip_id", values="share_in_body").to_numpy()
    known = (~np.isnan(shares)).astype(float)
    shares = np.nan_to_num(shares)
    averages = {
        "n_observers": shares.shape[0],
        "n_items": shares.shape[1],
        "share_in_body": float("nan"),
        "ci_low": float("nan"),
        "ci_high": float("nan"),
        "body_share": float(part["body_share"].mean()),
        "no_evidence": float(part["no_evidence"].mean()),
    }
    if not known.any():
        return averages
    estimate = float(shares.sum() / known.sum())
    weights = [unit_weights(n, n_draws, rng) for n in shares.shape]
    draws = weighted_accuracy(shares, known, *weights)
    draws = with_variance(draws, estimate, two_way_variance(shares, known))
    low, high = percentile_interval(draws, confidence)
    return averages | {"share_in_body": estimate, "ci_low": low, "ci_high": high}


def stream_label(group: str, stream: str) -> str:
    """Name a network's stream; the only one of a network is not named."""
    return group if stream == WHOLE else f"{group}, {stream.replace('_', ' ')} stream"


def saliency_sentences(table: pd.DataFrame, labels: dict[str, str], target: str) -> list[str]:
    """Say where each network looks, a sentence per network and stream.

    Parameters
    ----------
    table : DataFrame
        See `saliency_table`.
    labels : dict of str to str
        Group to its name in sentences.
    target : str
        Of the study's `saliency`.
    """
    said = []
    for (group, stream), rows in table.groupby(["group", "stream"], sort=False):
        parts = [
            f"{percent_with_interval(row)} on {CONDITIONS[row['condition']].label} (the body "
            f"covers {percent(row['body_share'])})"
            for _, row in rows.rename(columns={"share_in_body": "accuracy"}).iterrows()
            if not np.isnan(row["accuracy"])
        ]
        if parts:
            name = stream_label(labels[group], stream)
            said.append(f"{name}: of its evidence for {EVIDENCE_FOR[target]}, {listed(parts)}.")
    return said
