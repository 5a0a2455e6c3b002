"""Tables of how well a network does, version by version, from its log-probabilities of clips."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from models.metrics import classification_metrics, reliability_bins
from models.readout import read_out
from study.errors import StudyError
from study.files import write_if_changed
from study.results import Results
from study.tables import choice_columns

WHO = ["observer", "group", "condition", "reading"]
# What keeps the digits of a float32, and hides how sums were ordered.
DIGITS = "%.7g"


@dataclass(frozen=True)
class Scores:
    """Log-probabilities of clips.

    Attributes
    ----------
    stimuli : DataFrame
        stimulus_id, clip_id, action, condition, group, reading: a row per row of `values`.
    values : ndarray
        (N, C).
    classes : list of str
        The C classes.
    """

    stimuli: pd.DataFrame
    values: np.ndarray
    classes: list[str]

    def by(self, *columns: str) -> Iterator[tuple[tuple[str, ...], Scores]]:
        """Yield the parts that agree in some columns, in the order in which they come."""
        for key, rows in self.stimuli.groupby(list(columns), sort=False):
            place = rows.index.to_numpy()
            yield key, Scores(rows.reset_index(drop=True), self.values[place], self.classes)

    @property
    def labels(self) -> np.ndarray:
        """Positions of the right classes, (N,)."""
        return pd.Index(self.classes).get_indexer(self.stimuli["action"])


@dataclass(frozen=True)
class ScoreTables:
    """What is made of scores.

    Attributes
    ----------
    metrics : DataFrame
        observer, group, condition, reading, metric, value, n (clips): see
        `models.metrics.classification_metrics`; besides, accuracy_choices, the share right among
        the choices, of the clips whose action has choices.
    confusions : DataFrame
        observer, group, condition, reading, action, response (among all classes), n.
    reliability : DataFrame
        observer, group, condition, reading, and a row per bin: see
        `models.metrics.reliability_bins`.
    """

    metrics: pd.DataFrame
    confusions: pd.DataFrame
    reliability: pd.DataFrame


def score_tables(scores: Scores, choices: pd.DataFrame, observer: str, n_bins: int) -> ScoreTables:
    """Measure how well a network does, by group, version and reading.

    Parameters
    ----------
    scores : Scores
    choices : DataFrame
        See `study.tables.choices_schema`.
    observer : str
        Who answered.
    n_bins : int
        Of the calibration.

    Raises
    ------
    StudyError
        When an action that is shown, or a choice, is not among the classes.
    """
    strangers = sorted(set(scores.stimuli["action"]) - set(scores.classes))
    if strangers:
        raise StudyError(
            f"{observer}: the clips show {strangers[0]!r}, which is not among its "
            f"{len(scores.classes)} classes ({len(strangers)} such actions)"
        )
    metrics, confusions, reliability = [], [], []
    for key, part in scores.by(*WHO[1:]):
        who = dict(zip(WHO, (observer, *key), strict=True))
        metrics.append(_metrics(part, choices, n_bins).assign(**who))
        confusions.append(_confusions(part).assign(**who))
        bins = pd.DataFrame(reliability_bins(part.values, part.labels, n_bins))
        reliability.append(bins.assign(**who))
    return ScoreTables(_joined(metrics), _joined(confusions), _joined(reliability))


def write_score_tables(tables: ScoreTables, results: Results, name: str, seed: int) -> None:
    """Write the tables to where the analysis looks for them."""
    write_csv(tables.metrics, results.scores(name, seed))
    write_csv(tables.confusions, results.score_confusions(name, seed))
    write_csv(tables.reliability, results.reliability(name, seed))


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """Write a table; an equal file keeps its time."""
    text = table.to_csv(index=False, lineterminator="\n", float_format=DIGITS)
    write_if_changed(path, text)


def _metrics(part: Scores, choices: pd.DataFrame, n_bins: int) -> pd.DataFrame:
    found = classification_metrics(part.values, part.labels, n_bins)
    n = dict.fromkeys(found, len(part.values))
    asked = part.stimuli["action"].isin(choices["action"]).to_numpy()
    if asked.any():
        action = part.stimuli.loc[asked, "action"].to_numpy()
        labels = choices.set_index("action").loc[action, choice_columns(choices)]
        answers = read_out(part.values[asked], part.classes, labels.to_numpy(dtype=object))
        found = {"accuracy_choices": float((answers == action).mean()), **found}
        n["accuracy_choices"] = int(asked.sum())
    rows = [(metric, value, n[metric]) for metric, value in found.items()]
    return pd.DataFrame(rows, columns=["metric", "value", "n"])


def _confusions(part: Scores) -> pd.DataFrame:
    answers = np.asarray(part.classes, dtype=object)[part.values.argmax(axis=1)]
    table = pd.DataFrame({"action": part.stimuli["action"], "response": answers})
    return table.groupby(["action", "response"], sort=True).size().rename("n").reset_index()


def _joined(tables: list[pd.DataFrame]) -> pd.DataFrame:
    table = pd.concat(tables, ignore_index=True)
    return table[[*WHO, *[column for column in table if column not in WHO]]]
