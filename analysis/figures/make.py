"""Which figures a study has, and the making of them all."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import matplotlib
import pandas as pd
from matplotlib.figure import Figure

from analysis.estimates import read_estimates
from analysis.figures.accuracy import accuracy_figure
from analysis.figures.learning import learning_figure, read_learning_curves
from analysis.figures.pattern import pattern_figure
from analysis.figures.stimuli import example_stimuli, stimuli_figure
from analysis.figures.style import STYLE, save_figure
from analysis.groups import groups_of
from study.config import Study
from study.results import Results
from study.tables import read_table

log = logging.getLogger("bodyscene")

FIGURES = ("stimuli", "accuracy", "pattern", "learning_curves")


def make_figures(study: Study, results: Results) -> list[Path]:
    """Draw every figure that the results allow; `analysis.estimates.fit_study` comes first.

    A figure without its material (clips that lie elsewhere, networks that were trained
    elsewhere) is passed over with a word in the log, and an old one of its name is removed.

    Returns
    -------
    list of Path
        NAME.pdf, .svg, .png and .csv for the names in `FIGURES`.
    """
    paths: list[Path] = []
    with matplotlib.rc_context(STYLE):
        for name, figure, data in _drawn(study, results):
            paths += save_figure(figure, data, results.figures, name)
    if results.figures.is_dir():
        for name in FIGURES:
            for old in sorted(set(results.figures.glob(f"{name}.*")) - set(paths)):
                old.unlink()
    return paths


def _drawn(study: Study, results: Results) -> Iterator[tuple[str, Figure, pd.DataFrame]]:
    manifest = read_table("manifest", results.manifest)
    conditions = study.versions.conditions
    examples = example_stimuli(manifest)
    missing = [path for path in examples["path"] if not (results.root / path).is_file()]
    if missing:
        log.warning("no figure of the stimuli: %s is not here", results.root / missing[0])
    elif len(examples):
        yield "stimuli", *stimuli_figure(examples, results.root, conditions)

    accuracy = read_estimates(results, "accuracy")
    by_observer = read_estimates(results, "accuracy_by_observer")
    distances = read_estimates(results, "pattern_distance")
    chance = 1.0 / study.trials.n_choices
    groups = [group for group in groups_of(study, accuracy["group"]) if group.role != "supplement"]
    yield "accuracy", *accuracy_figure(accuracy, by_observer, groups, conditions, chance)
    if len(groups) > 1 and len(conditions) > 1:
        yield "pattern", *pattern_figure(accuracy, distances, groups, conditions, chance)

    curves = read_learning_curves(study, results)
    if len(curves):
        trained = groups_of(study, curves["model"])
        yield "learning_curves", *learning_figure(curves, trained, 1 / manifest["action"].nunique())
