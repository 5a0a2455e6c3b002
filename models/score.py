"""Scores of all versions of the clips: logits, answers, and margins on the validation clips."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pandas as pd

from models.inference import Reader, headline
from models.kept_scores import ALL, KeptScores, score_rows
from models.memory import advice_for_scoring, advice_on_memory
from models.readout import response_rows
from models.score_tables import Scores, score_tables, write_score_tables
from models.trained import Trained, load_trained
from models.views import LENT_BACKGROUND, Reading, version_of
from study.config import Study
from study.errors import StudyError
from study.files import key_of, sha256_of
from study.progress import progress
from study.results import Results
from study.steps import step_settings
from study.tables import check_table, read_table, write_table

log = logging.getLogger("bodyscene")

# Fields that change no score: how many frames at once, and what is made of scores afterwards.
NO_SCORE = {"scoring": {"batch_size", "calibration_bins", "outside"}, "model": {"absent_part"}}


def score_model(study: Study, results: Results, name: str, seed: int) -> Path:
    """Score every version of every test clip and let the network answer the five-choice question.

    The frames of a clip are pooled as `scoring.pooling` says. A network that may read a version
    in two ways ("blank" and "drop", see `models.streams`) is scored in both: the one that the
    study file names answers as the group `name`, the other one as `name` and the way, for
    instance "domainnet_drop".

    Scores are kept version by version as they are made; a call that was stopped goes on with the
    version at which it was, and what was scored with the same weights, settings and stimuli is
    not scored again.

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
    table = _all_scores(study, results, name, seed, test)
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
    scores = _reader(study, trained).clip_scores(clips, reading)
    right = [classes.index(action) for action in clips["action"]]
    rows = np.arange(len(clips))
    others = scores.copy()
    others[rows, right] = -np.inf
    margin = pd.Series(scores[rows, right] - others.max(axis=1)).groupby(clips["action"]).mean()
    table = pd.DataFrame(
        {"model": name, "seed": seed, "action": margin.index, "margin": margin.to_numpy()}
    )
    return check_table("margins", table, results.margins)


def _reader(study: Study, trained: Trained) -> Reader:
    precision = study.training_of(trained.model).precision
    return Reader(trained.network, trained.cache, trained.device, study.scoring, precision)


def _all_scores(
    study: Study, results: Results, name: str, seed: int, test: pd.DataFrame
) -> pd.DataFrame:
    """Return the table of logits, after scoring what is not scored yet."""
    kept = KeptScores(results.logits(name, seed), results.score_parts(name, seed))
    made_of = _made_of(study, results, name, seed)
    key = key_of(made_of, test[["stimulus_id", "action", "sha256"]].to_numpy().tolist())
    table = kept.whole(key)
    if table is not None:
        log.info("%s, seed %d: already scored, %s", name, seed, kept.path)
        return table
    trained = load_trained(study, results, name, seed)
    readings = _readings(trained, list(test["condition"].unique()))
    keys = {each: _version_key(made_of, each, readings[each], test) for each in readings}
    advice = advice_for_scoring(study.scoring, trained.network.n_frames)
    parts = []
    with progress(f"score {name}, seed {seed}", len(readings), "versions") as advance:
        for condition, ways in readings.items():
            stimuli = test[test["condition"] == condition]
            part = kept.version(condition, keys[condition], stimuli["stimulus_id"])
            if part is None:
                with advice_on_memory(f"{name}, seed {seed}", advice, trained.device):
                    part = _score(_reader(study, trained), stimuli, ways, trained.classes)
                kept.keep(condition, keys[condition], part)
            parts.append(part)
            advance()
    table = _in_order(pd.concat(parts, ignore_index=True), test)
    kept.finish(table, {**keys, ALL: key})
    return table


def _made_of(study: Study, results: Results, name: str, seed: int) -> dict[str, object]:
    """Return what scores depend on besides the stimuli."""
    checkpoint = results.checkpoint(name, seed)
    if not checkpoint.is_file():
        raise StudyError(f"{checkpoint}: no such checkpoint; train the network first")
    settings = step_settings(study, "score", name)
    for section, fields in NO_SCORE.items():
        settings[section] = {k: v for k, v in settings[section].items() if k not in fields}
    return {"weights": sha256_of(checkpoint), "settings": settings}


def _readings(trained: Trained, conditions: list[str]) -> dict[str, dict[str, Reading]]:
    """Return version -> ways to read it, of those that a network can read; name the others."""
    found = {condition: trained.network.readings(condition) for condition in conditions}
    unreadable = [condition for condition, ways in found.items() if not ways]
    if unreadable:
        log.info("%s has no way to read %s: not scored", trained.model.name, ", ".join(unreadable))
    return {condition: ways for condition, ways in found.items() if ways}


def _version_key(
    made_of: dict[str, object], condition: str, ways: dict[str, Reading], test: pd.DataFrame
) -> str:
    """Return a key of all that the scores of one version follow from."""
    views = {view for reading in ways.values() for view in reading.values()}
    shown = {condition, *map(version_of, views)}
    if LENT_BACKGROUND in views:
        shown.add("background_only")
    stimuli = test.loc[test["condition"].isin(shown), ["stimulus_id", "action", "sha256"]]
    return key_of(made_of, ways, stimuli.to_numpy().tolist())


def _score(
    reader: Reader, stimuli: pd.DataFrame, ways: dict[str, Reading], classes: list[str]
) -> pd.DataFrame:
    clips = reader.cache.of_split("test")
    place = pd.Index(clips["clip_id"]).get_indexer(stimuli["clip_id"])
    scores = reader.scores_by_reading(clips, ways)
    return score_rows(stimuli, {name: values[place] for name, values in scores.items()}, classes)


def _in_order(table: pd.DataFrame, test: pd.DataFrame) -> pd.DataFrame:
    """Sort by reading, in the order in which they come, then as in the manifest."""
    reading = table["reading"].map(list(table["reading"].unique()).index)
    stimulus = pd.Index(test["stimulus_id"]).get_indexer(table["stimulus_id"])
    return table.iloc[np.lexsort((stimulus, reading))].reset_index(drop=True)


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
