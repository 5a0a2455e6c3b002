"""Power and interval width by number of participants, clips and seeds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from analysis.figures.power import power_figure
from analysis.power.designs import Size, sizes_to_try
from analysis.power.journal import simulate_worlds
from analysis.power.outputs import write_outputs
from analysis.power.sentences import power_sentences
from analysis.power.settings import Question, power_folder, read_question
from analysis.power.shares import mean_width, share_with_interval
from analysis.power.world import NOT_CONVERGED, SEPARATED
from study.config import Study
from study.results import Results

POWER = [
    "target",
    "label",
    "n_participants",
    "n_items",
    "n_seeds",
    "is_own",
    "power",
    "power_low",
    "power_high",
    "mean_width",
    "n_simulations",
    "n_failed",
    "n_separated",
    "n_not_converged",
    "n_singular",
]


def run_power(study: Study, results: Results, processes: int = 1) -> Path:
    """Write power/power.csv, a figure of it and power.txt, which says it in sentences.

    Sizes vary one number at a time around the study's own. Studies that were simulated before
    with the same settings are not simulated again.

    Parameters
    ----------
    processes : int
        The tables do not depend on it.

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
    sizes = sizes_to_try(study, question.own)
    worlds = [question.world(size) for size in sizes]
    what = f"power of {len(sizes)} sizes of the study"
    outcomes = simulate_worlds(worlds, settings.n_simulations, folder / "blocks", processes, what)
    table = power_table(study, question, sizes, outcomes)
    sentences = power_sentences(table, settings.alpha, study.analysis.confidence)
    return write_outputs(folder, "power", table, sentences, lambda: power_figure(table))


def power_table(
    study: Study, question: Question, sizes: Sequence[Size], outcomes: Sequence[pd.DataFrame]
) -> pd.DataFrame:
    """Return a row per target and size, columns `POWER`.

    A study whose model cannot be fitted, or leaves out a group of the contrast, has not found the
    effect: failures count against power and stand beside it. Widths are those of the other studies.
    """
    rows = []
    p_column = f"p_{study.analysis.inference}"
    for size, outcome in zip(sizes, outcomes, strict=True):
        for target in question.targets:
            own = outcome[outcome["target"] == target.name]
            tested = own[own["failure"] == ""]
            rows.append(
                {
                    "target": target.name,
                    "label": target.label,
                    "n_participants": size.n_participants,
                    "n_items": size.n_items,
                    "n_seeds": size.n_seeds if question.plan.models else 0,
                    "is_own": size == question.own,
                    **share_with_interval((own[p_column] < study.power.alpha).to_numpy(), "power"),
                    "mean_width": mean_width(
                        tested, study.analysis.confidence, study.analysis.inference
                    ),
                    "n_simulations": len(own),
                    "n_failed": len(own) - len(tested),
                    "n_separated": int((own["failure"] == SEPARATED).sum()),
                    "n_not_converged": int((own["failure"] == NOT_CONVERGED).sum()),
                    "n_singular": int(tested["singular"].sum()),
                }
            )
    return pd.DataFrame(rows, columns=POWER)
