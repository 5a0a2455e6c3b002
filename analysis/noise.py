"""Accuracy of networks over levels of segmentation noise, and what the noise costs them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from analysis.accuracy import accuracy_table, draw_accuracies
from analysis.bootstrap import two_way_variance
from analysis.groups import Group, groups_of
from analysis.sentences import NBSP, clips_of, listed, percent, signed, subject
from study.config import Study
from study.results import Results
from study.tables import read_table

# A fixed number per use keeps the streams of one seed apart.
BOOTSTRAP_STREAM = 337
# What the study's own stimuli are called beside the kinds of noise.
OWN = ("none", 0.0)


@dataclass(frozen=True)
class Kind:
    """A kind of noise in words.

    Attributes
    ----------
    name : str
        Stands above a panel.
    unit : str
        What a level is a share of.
    done : str
        What a share does, in a sentence; the share stands for {}.
    """

    name: str
    unit: str
    done: str


SIZE = "person’s size"
KINDS = {
    "flips": Kind("flips", "pixels", "{} of all pixels flipped"),
    "flips_in_box": Kind("flips in box", "pixels in box", "{} of the person’s box flipped"),
    "erosion": Kind("erosion", SIZE, "masks eroded by {} of the person’s size"),
    "dilation": Kind("dilation", SIZE, "masks dilated by {} of the person’s size"),
    "missing": Kind("missing", "frames", "{} of the frames’ masks missing"),
    "shift": Kind("shift", SIZE, "masks shifted by {} of the person’s size"),
}
COLUMNS = [
    "group", "kind", "level", "condition", "n_observers", "n_items", "accuracy", "ci_low",
    "ci_high", "change_pp", "change_low", "change_high",
]  # fmt: skip


def read_noise(study: Study, results: Results) -> pd.DataFrame:
    """Put the answers of all networks at all levels of `study.noise` together.

    Networks that were not scored at a level are passed over, and so are levels that the study
    file does not name (any more).

    Returns
    -------
    DataFrame
        group, observer, kind, level, condition, clip_id, correct; the study's own stimuli stand
        as level 0 of the kind "none". Empty where nothing was scored on spoiled masks.
    """
    levels = [(kind, level) for kind, values in study.noise.levels.items() for level in values]
    asked = study.noise.models
    models = [model for model in study.models if asked is None or model.name in asked]
    tables = []
    for name, seed in [(model.name, seed) for model in models for seed in model.seeds]:
        if not results.noise_curve(name, seed).is_file():
            continue
        for kind, level in (OWN, *levels):
            folder = results if (kind, level) == OWN else results.noise_level(kind, level)
            path = folder.model_responses(name, seed)
            if path.is_file():
                tables.append(read_table("responses", path).assign(kind=kind, level=level))
    columns = ["group", "observer", "kind", "level", "condition", "clip_id", "correct"]
    return pd.concat(tables, ignore_index=True)[columns] if tables else pd.DataFrame()


def noise_table(study: Study, results: Results) -> pd.DataFrame:
    """Average over clips and trainings, with intervals over both.

    Returns
    -------
    DataFrame
        The columns `COLUMNS`: a row per network (and reading), kind, level and version. Every
        kind begins with level 0, the study's own stimuli. `change_pp` is the accuracy less that
        of level 0 in percentage points, with an interval, see `mean_change`. No rows where no
        network was scored on spoiled masks.
    """
    answers = read_noise(study, results)
    if answers.empty:
        return pd.DataFrame(columns=COLUMNS)
    groups = groups_of(study, answers["group"])
    rng = np.random.default_rng([study.seed, BOOTSTRAP_STREAM])
    keys = ["kind", "level", "condition"]
    cells = answers.groupby(keys, sort=False).ngroup()
    table = _accuracies(study, answers.assign(condition=cells), groups, rng)
    names = answers.assign(cell=cells).drop_duplicates("cell").set_index("cell")[keys]
    table = table.drop(columns="condition").join(names, on="cell").drop(columns="cell")
    table = table.merge(_changes(study, answers), on=["group", *keys], how="left")
    with_own = [_with_own(table, kind) for kind in study.noise.levels if kind in set(table["kind"])]
    return pd.concat(with_own, ignore_index=True)[COLUMNS] if with_own else table.iloc[:0][COLUMNS]


def _accuracies(
    study: Study, answers: pd.DataFrame, groups: Sequence[Group], rng: np.random.Generator
) -> pd.DataFrame:
    """Return accuracies by cell, a number in the column `condition`."""
    settings = study.analysis
    cells = list(answers["condition"].unique())
    names = [group.name for group in groups]
    draws = draw_accuracies(answers, names, cells, settings.n_bootstrap, rng)
    table = accuracy_table(answers, draws, groups, settings.confidence)
    n_items = answers.groupby(["group", "condition"])["clip_id"].nunique().rename("n_items")
    table = table.join(n_items, on=["group", "condition"])
    return table.assign(cell=table["condition"])


def _changes(study: Study, answers: pd.DataFrame) -> pd.DataFrame:
    """Compare every level with the study's own stimuli, answer by answer."""
    rows = []
    for (group, condition), own in answers.groupby(["group", "condition"], sort=False):
        tables = {
            (kind, level): part.pivot(index="observer", columns="clip_id", values="correct")
            for (kind, level), part in own.groupby(["kind", "level"], sort=False)
        }
        before = tables.pop(OWN, None)
        for (kind, level), after in tables.items() if before is not None else ():
            change = (after.reindex_like(before) - before).to_numpy(float)
            points = mean_change(change, study.analysis.confidence)
            rows.append((group, kind, level, condition, *points))
    columns = ["group", "kind", "level", "condition", *COLUMNS[-3:]]
    return pd.DataFrame(rows, columns=columns)


def mean_change(change: np.ndarray, confidence: float) -> tuple[float, float, float]:
    """Return the mean of changes, with its interval over observers and items.

    Few answers change at a low level. Resampling would then leave zero out of the interval because
    of a single answer, so this is the normal one, of the two-way cluster-robust standard error
    (Cameron, Gelbach & Miller, 2011).

    Parameters
    ----------
    change : ndarray
        (n_observers, n_items): 1, 0 or -1; NaN where there is no answer.
    confidence : float

    Returns
    -------
    tuple of float
        Percentage points; without an interval (NaN) where all changes are the same.
    """
    known = (~np.isnan(change)).astype(float)
    if not known.any():
        return (float("nan"),) * 3
    changed = np.nan_to_num(change)
    mean = 100.0 * float(changed.sum() / known.sum())
    error = 100.0 * float(np.sqrt(two_way_variance(changed, known)))
    half = float(stats.norm.ppf((1.0 + confidence) / 2.0)) * error if error else float("nan")
    # No share can fall or rise by more than all of it.
    return mean, float(np.maximum(mean - half, -100.0)), float(np.minimum(mean + half, 100.0))


def _with_own(table: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Put the study's own stimuli before the levels of a kind, as its level 0."""
    own = table[table["kind"] == OWN[0]].assign(kind=kind, change_pp=0.0)
    levels = table[table["kind"] == kind].sort_values("level", kind="stable")
    return pd.concat([own, levels])


def changed_only(table: pd.DataFrame) -> pd.DataFrame:
    """Keep the versions of which some network's answers change with the masks."""
    changed = table.loc[_differs(table), "condition"]
    return table[table["condition"].isin(changed)].reset_index(drop=True)


def noise_sentences(
    table: pd.DataFrame, group: Group, conditions: Sequence[str]
) -> list[tuple[str, pd.DataFrame]]:
    """Say what the strongest noise of every kind costs a network, beside the rows it is from.

    Parameters
    ----------
    table : DataFrame
        See `noise_table`.
    group : Group
        The network.
    conditions : sequence of str
        The versions to speak of; those that the network reads as before are passed over.
    """
    own = table[(table["group"] == group.name) & table["condition"].isin(conditions)]
    highest = own.groupby("kind")["level"].transform("max")
    own = own[(own["level"] == highest) & _differs(own)]
    said = []
    for kind, rows in own.groupby("kind", sort=False):
        share = f"{100 * rows['level'].iloc[0]:g}{NBSP}%"
        costs = listed([_cost(row) for _, row in rows.iterrows()])
        text = f"{subject(group)} with {KINDS[str(kind)].done.format(share)}: {costs}."
        said.append((text, rows))
    return said


def _differs(table: pd.DataFrame) -> pd.Series:
    """Tell which rows have answers that are not those of level 0."""
    return (table["change_pp"] != 0) | table["change_low"].notna()


def _cost(row: pd.Series) -> str:
    change = f"{signed(row['change_pp'], 1)} points"
    if pd.notna(row["change_low"]):
        low, high = signed(row["change_low"], 1), signed(row["change_high"], 1)
        change += f" [{low},{NBSP}{high}]"
    return f"{percent(row['accuracy'])} of {clips_of(row['condition'])} right ({change})"
