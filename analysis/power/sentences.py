"""Power and calibration in sentences, for the report and the terminal."""

from __future__ import annotations

import pandas as pd

from analysis.sentences import NBSP, listed, percent

ENOUGH = 0.8
# What the toolkit promises of 95 % intervals and of tests at 5 %.
TOLERANCE = 0.01


def power_sentences(table: pd.DataFrame, alpha: float, confidence: float) -> list[str]:
    """Say the power of the study itself, and how many participants 80 % needs.

    Parameters
    ----------
    table : DataFrame
        See `analysis.power.power.POWER`.
    """
    own = table[table["is_own"]].iloc[0]
    said = [
        f"Power by simulation of {own['n_simulations']} studies per size, two-sided tests at "
        f"{_round(alpha)}; the study has {_size(own)}."
    ]
    for _, rows in table.groupby("target", sort=False):
        said.append(_power_sentence(rows, confidence))
    failed = int(table["n_failed"].sum())
    n_simulations = int(table["n_simulations"].sum())
    if failed:
        said.append(
            f"{failed} of {n_simulations} tests could not be made ({table['n_separated'].sum()} "
            f"without right and wrong answers in every version, {table['n_not_converged'].sum()} "
            "without convergence); they count as effects that were not found."
        )
    return said


def calibration_sentences(
    table: pd.DataFrame, inference: str, confidence: float, alpha: float
) -> list[str]:
    """Say how the method of the study does, and where it misses by more than one point.

    Parameters
    ----------
    table : DataFrame
        See `analysis.power.calibration.CALIBRATION`.
    inference : {"t", "z"}
        The study's method.
    """
    own = table[table["method"] == inference]
    first = own.iloc[0]
    name = {"t": "Student's t", "z": "the normal distribution"}[inference]
    said = [
        f"Over {first['n_simulations']} simulated studies of {_size(first)}, intervals at "
        f"{_round(confidence)} by {name} held the true value in {_range(own['coverage'])} and "
        f"tests at {_round(alpha)} found an effect that was not there in "
        f"{_range(own['false_positive'])} (the {len(own)} contrasts from least to most)."
    ]
    for column, nominal in (("coverage", confidence), ("false_positive", alpha)):
        # A miss is told from chance: the whole interval lies outside the tolerance.
        low, high = nominal - TOLERANCE, nominal + TOLERANCE
        missed = own[(own[f"{column}_high"] < low) | (own[f"{column}_low"] > high)]
        said += [
            f"{row['label']}: {column.replace('_', ' ')} {_share(row, column)}, "
            f"more than a point from {_round(nominal)}."
            for _, row in missed.iterrows()
        ]
    too_many = own[own["false_positive"] > alpha + TOLERANCE]
    said += [
        f"{row['label']}: where it was not there p fell below {alpha:g} too often and below "
        f"{row['p_critical']:.3f} in {_round(alpha)}; take that as the limit."
        for _, row in too_many.iterrows()
    ]
    failed = int(own["n_failed"].sum() + own["n_failed_null"].sum())
    if failed:
        said.append(f"{failed} tests could not be made and are not in these shares.")
    return said


def _power_sentence(rows: pd.DataFrame, confidence: float) -> str:
    own = rows[rows["is_own"]].iloc[0]
    text = f"{own['label']}: power {_share(own, 'power')}"
    if own["mean_width"] == own["mean_width"]:
        text += f", {_round(confidence)} interval {own['mean_width']:.2f} logits wide on average"
    varied = rows[(rows["n_items"] == own["n_items"]) & (rows["n_seeds"] == own["n_seeds"])]
    enough = varied[varied["power"] >= ENOUGH]["n_participants"]
    if enough.empty:
        most = varied["n_participants"].max()
        return f"{text}; not {_round(ENOUGH)} with any number of participants tried, up to {most}."
    return f"{text}; {_round(ENOUGH)} or more with {enough.min()} participants, of those tried."


def _share(row: pd.Series, name: str) -> str:
    low, high = 100 * row[f"{name}_low"], 100 * row[f"{name}_high"]
    return f"{percent(row[name])} [{low:.1f},{NBSP}{high:.1f}]"


def _round(share: float) -> str:
    return f"{100 * share:.3g}{NBSP}%"


def _range(shares: pd.Series) -> str:
    return f"{percent(shares.min())} to {percent(shares.max())}"


def _size(row: pd.Series) -> str:
    parts = [f"{row['n_participants']} participants", f"{row['n_items']} clips"]
    n_seeds = int(row["n_seeds"])
    if n_seeds:
        parts.append(f"{n_seeds} seed{'s' if n_seeds > 1 else ''} of each network")
    return listed(parts)
