"""Scores of all versions of the clips: logits, answers, and margins on the validation clips."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from models.inference import headline
from models.readout import response_rows
from models.score_tables import Scores, score_tables, write_score_tables
from models.score_versions import all_scores, reader_of
from models.trained import load_trained
from study.config import Study
from study.errors import StudyError
from study.results import Results
from study.tables import check_table, read_table, write_table


def score_model(study: Study, results: Results, name: str, seed: int) -> Path:
    """Score every version of every test clip and let the network answer the five-choice question.

    The frames of a clip are pooled as `scoring.pooling` says. A network that may read a version
    in two ways ("blank" and "drop", see `models.streams`) is scored in both: the one that the
    study file names answers as the group `name`, the other one as `name` and the way, for
    instance "domainnet_drop".

    Scores are kept version by version as they are made; a call that was stopped goes on with the
    version at which it was, and what was scored with the same weights, settings and stimuli is
    not scored again. With `scoring.frame_logits` the scores of frames are kept too (see
    `models.kept_frames.KeptFrames`).

    Parameters
    ----------
    study : Study
    results : Results
        Holds the manifest, the stimuli, the choices and the trained network; gets the logits
        (Parquet: stimulus_id, reading, a column per class), the response rows, and the tables of
        `models.score_tables`. Equal runs give equal bytes.
    name : str
        A model of the study.
    seed : int

    Returns
    -------
    Path
        The response rows.

    Raises
    ------
    StudyError
        When the network is not trained, or was trained on other classes or settings.
    """
    choices = read_table("choices", results.choices)
    manifest = read_table("manifest", results.manifest)
    test = manifest[manifest["split"] == "test"].reset_index(drop=True)
    table = all_scores(study, results, name, seed, test)
    scores = _scores(table, test, name, study.model(name).absent_part)
    observer = f"{name}-seed{seed}"
    rows = [
        response_rows(own.stimuli, own.values, own.classes, choices, observer, str(group))
        for (group,), own in scores.by("group")
    ]
    path = results.model_responses(name, seed)
    write_table("responses", pd.concat(rows, ignore_index=True), path)
    tables = score_tables(scores, choices, observer, study.scoring.calibration_bins)
    write_score_tables(tables, results, name, seed)
    return path


def score_margins(study: Study, results: Results, name: str, seed: int) -> pd.DataFrame:
    """Measure how sure a network is of every action, on the originals of the validation clips.

    Returns
    -------
    DataFrame
        See `study.tables.margins_schema`: per action the mean, over its validation clips, of the
        log-probability of the right action minus that of the best other one.

    Raises
    ------
    StudyError
        When an action has no validation clip, and as `score_model`.
    """
    trained = load_trained(study, results, name, seed)
    clips, classes = trained.cache.of_split("validation"), trained.classes
    absent = [action for action in classes if action not in set(clips["action"])]
    if absent:
        raise StudyError(
            f"the margin of {absent[0]!r} needs a validation clip, the manifest has none; expected "
            "split.validation_clips of at least 1"
        )
    reading = headline(trained.network.readings("body_background"), trained.model.absent_part)
    scores = reader_of(study, trained).clip_scores(clips, reading)
    right = [classes.index(action) for action in clips["action"]]
    rows = np.arange(len(clips))
    others = scores.copy()
    others[rows, right] = -np.inf
    margin = pd.Series(scores[rows, right] - others.max(axis=1)).groupby(clips["action"]).mean()
    table = pd.DataFrame(
        {"model": name, "seed": seed, "action": margin.index, "margin": margin.to_numpy()}
    )
    return check_table("margins", table, results.margins)


def _scores(table: pd.DataFrame, test: pd.DataFrame, name: str, absent_part: str) -> Scores:
    """Say of every row which stimulus it is of, and as which group the network answers there."""
    classes = list(table.columns[2:])
    stimuli = test.set_index("stimulus_id", drop=False).loc[table["stimulus_id"]]
    stimuli = stimuli.reset_index(drop=True).assign(reading=table["reading"])
    group = stimuli["reading"].radd(f"{name}_")
    for _, rows in stimuli.groupby("condition"):
        ways = rows["reading"].unique()
        first = absent_part if absent_part in ways else ways[0]
        group[rows.index[rows["reading"] == first]] = name
    return Scores(stimuli.assign(group=group), table[classes].to_numpy(np.float64), classes)
