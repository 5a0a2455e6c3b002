"""Whether the study's own model keeps its promises at the study's own size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.figures.power import calibration_figure
from analysis.power.journal import simulate_worlds
from analysis.power.outputs import write_outputs
from analysis.power.sentences import calibration_sentences
from analysis.power.settings import Question, power_folder, read_question
from analysis.power.shares import mean_width, share_with_interval
from analysis.power.targets import Target
from analysis.power.truth import null_truth
from analysis.power.world import World, plan_design
from study.config import Study
from study.results import Results

METHODS = ("t", "z")
CALIBRATION = [
    "target",
    "label",
    "method",
    "n_participants",
    "n_items",
    "n_seeds",
    "coverage",
    "coverage_low",
    "coverage_high",
    "false_positive",
    "false_positive_low",
    "false_positive_high",
    "p_critical",
    "mean_width",
    "n_simulations",
    "n_failed",
    "n_failed_null",
    "n_singular",
]


def run_calibration(study: Study, results: Results, processes: int = 1) -> Path:
    """Write power/calibration.csv, a figure of it and calibration.txt.

    Coverage is measured where the assumed (or the pilot's) effects are true, false positives
    where none of the tested effects is: for contrasts between versions and groups, and for those
    with chance, in a world each.

    Returns
    -------
    Path
        The table.

    Raises
    ------
    StudyError
        For what cannot be simulated; see `analysis.power.settings.read_question`.
    """
    question, settings = read_question(study, results), study.power
    folder = power_folder(results)
    worlds = _worlds(question)
    outcomes = simulate_worlds(
        worlds, settings.n_calibration, folder / "blocks", processes, "calibration of the model"
    )
    table = calibration_table(study, question, outcomes[0], pd.concat(outcomes[1:]))
    confidence, alpha = study.analysis.confidence, settings.alpha
    sentences = calibration_sentences(table, study.analysis.inference, confidence, alpha)
    return write_outputs(
        folder,
        "calibration",
        table,
        sentences,
        lambda: calibration_figure(table, confidence, alpha),
    )


def _worlds(question: Question) -> list[World]:
    """The world as assumed, then those in which the targets tested in them are absent."""
    world = question.world(question.own)
    design = plan_design(question.plan, question.own, question.formula)
    worlds = [world]
    for number, with_chance in enumerate((False, True), start=1):
        targets = tuple(t for t in question.targets if bool(t.chance) == with_chance)
        if targets:
            truth = null_truth(question.truth, design, question.plan, list(targets))
            worlds.append(replace(world, truth=truth, targets=targets, number=number))
    return worlds


def calibration_table(
    study: Study, question: Question, assumed: pd.DataFrame, null: pd.DataFrame
) -> pd.DataFrame:
    """Return a row per target and method, columns `CALIBRATION`; shares are of fitted studies.

    ``p_critical`` is the limit below which p falls in a share alpha of the studies without the
    effect. To call an effect found where p is below it, instead of below alpha, is a test by
    parametric bootstrap (Davison & Hinkley, 1997, chapter 4), with the false positives asked for.

    Parameters
    ----------
    assumed, null : DataFrame
        Outcomes where the effects are there, and where they are not.
    """
    rows = []
    for target in question.targets:
        for method in METHODS:
            parts = [table[table["target"] == target.name] for table in (assumed, null)]
            rows.append(_row(study, question, target, method, parts))
    return pd.DataFrame(rows, columns=CALIBRATION)


def _row(
    study: Study, question: Question, target: Target, method: str, parts: Sequence[pd.DataFrame]
) -> dict[str, object]:
    tested, null = (part[part["failure"] == ""] for part in parts)
    covered = (tested[f"truth_p_{method}"] >= 1 - study.analysis.confidence).to_numpy()
    found = (null[f"p_{method}"] < study.power.alpha).to_numpy()
    return {
        "target": target.name,
        "label": target.label,
        "method": method,
        "n_participants": question.own.n_participants,
        "n_items": question.own.n_items,
        "n_seeds": question.own.n_seeds if question.plan.models else 0,
        **share_with_interval(covered, "coverage"),
        **share_with_interval(found, "false_positive"),
        "p_critical": _critical(null[f"p_{method}"].to_numpy(), study.power.alpha),
        "mean_width": mean_width(tested, study.analysis.confidence, method),
        "n_simulations": len(parts[0]),
        "n_failed": len(parts[0]) - len(tested),
        "n_failed_null": len(parts[1]) - len(null),
        "n_singular": int(tested["singular"].sum()),
    }


def _critical(p_values: np.ndarray, alpha: float) -> float:
    """The alpha quantile of p where there is no effect; NaN of none."""
    return float(np.quantile(p_values, alpha)) if len(p_values) else np.nan
