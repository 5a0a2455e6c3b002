"""From response files to the tables of estimates that figures and report are made of."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.accuracy import accuracy_by_observer, accuracy_table, draw_accuracies
from analysis.alignment import alignment_tables
from analysis.exclusions import apply_exclusions
from analysis.groups import Group, groups_of
from analysis.hypotheses import hypothesis_tables
from analysis.mixed_model import fit_mixed_model
from analysis.networks import networks_table
from analysis.noise import noise_table
from analysis.patterns import pattern_table
from analysis.reaction_times import reaction_time_tables
from analysis.responses import read_responses
from analysis.saliency import saliency_table
from study.config import Study
from study.files import whole_file, write_text
from study.results import Results
from study.tables import read_table

log = logging.getLogger("bodyscene")

# Keeps the bootstrap's stream apart from the other uses of the study's seed.
BOOTSTRAP_STREAM = 301


def fit_study(study: Study, results: Results) -> Path:
    """Write every table of estimates into the results' analysis folder.

    accuracy.csv, accuracy_by_observer.csv, pattern_distance.csv, mixed_effects.csv (and .txt),
    marginal_means.csv, random_effects.csv, contrasts.csv, confusions.csv, exclusions.csv,
    networks.csv (every metric of the networks' scores), saliency.csv (without rows where no network
    was looked at), the
    tables of `analysis.hypotheses.hypothesis_tables`, `analysis.alignment.alignment_tables` and
    `analysis.reaction_times.reaction_time_tables`, and notes.txt with what was left out.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    StudyError
        When responses contradict the study; see `analysis.responses.read_responses`.
    """
    responses = read_responses(study, results)
    kept = apply_exclusions(study, responses.table, responses.catch)
    notes = [*responses.notes, *kept.notes]
    for note in notes:
        log.warning("%s", note)
    table = _with_covariates(kept.table, results)
    groups = groups_of(study, table["group"])
    conditions = study.versions.conditions
    main = [group for group in groups if group.role != "supplement"]

    tables = _accuracy_tables(study, table, groups)
    settings = study.analysis
    model = fit_mixed_model(
        table, main, conditions, settings.formula, settings.confidence, settings.inference
    )
    tables |= {
        "mixed_effects": model.effects,
        "contrasts": model.contrasts,
        "random_effects": model.random,
        "marginal_means": model.means,
        "confusions": _confusions(table),
        "exclusions": kept.flow,
    }
    tables |= hypothesis_tables(study, table, groups, kept.left_out)
    tables |= alignment_tables(study, results, table, groups)
    tables["networks"] = networks_table(study, results)
    tables["saliency"] = saliency_table(study, results)
    tables["noise"] = noise_table(study, results)
    tables |= reaction_time_tables(table, groups, conditions, settings.confidence)
    for name, content in tables.items():
        _write(content, results.analysis / f"{name}.csv")
    write_text(results.analysis / "mixed_effects.txt", model.text)
    write_text(results.analysis / "notes.txt", "".join(f"{note}\n" for note in notes))
    return results.analysis


def read_estimates(results: Results, name: str) -> pd.DataFrame:
    """Read one of the tables that `fit_study` wrote; an action may be called "null"."""
    return pd.read_csv(results.analysis / f"{name}.csv", keep_default_na=False, na_values=[""])


def _with_covariates(table: pd.DataFrame, results: Results) -> pd.DataFrame:
    """Add what a formula may use of the stimuli: how much of the frame is person or hidden."""
    manifest = read_table("manifest", results.manifest)
    covariates = manifest[["stimulus_id", "body_fraction", "hidden_fraction"]]
    return table.merge(covariates, on="stimulus_id", validate="many_to_one")


def _accuracy_tables(
    study: Study, table: pd.DataFrame, groups: Sequence[Group]
) -> dict[str, pd.DataFrame]:
    settings = study.analysis
    rng = np.random.default_rng([study.seed, BOOTSTRAP_STREAM])
    names = [group.name for group in groups]
    draws = draw_accuracies(table, names, study.versions.conditions, settings.n_bootstrap, rng)
    observers = [group.name for group in groups if group.role == "observers"]
    # Networks read in their other way have a distance too.
    models = [group.name for group in groups if group.unit == "seed"]
    reference = observers[0] if observers else None
    return {
        "accuracy": accuracy_table(table, draws, groups, settings.confidence),
        "accuracy_by_observer": accuracy_by_observer(table),
        "pattern_distance": pattern_table(draws, models, reference, settings.confidence),
    }


def _confusions(table: pd.DataFrame) -> pd.DataFrame:
    """Count which label was chosen for which action."""
    keys = ["group", "condition", "action", "response"]
    return table.groupby(keys, sort=True).size().rename("n").reset_index()


def _write(table: pd.DataFrame, path: Path) -> None:
    with whole_file(path) as partial:
        table.to_csv(partial, index=False, lineterminator="\n")
