"""Scores of all versions of the clips: logits, answers, and margins on the validation clips."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from models.architectures import build_network, network_facts
from models.checkpoint import load_weights, read_checkpoint
from models.devices import pick_device
from models.frames import open_frames
from models.inference import Reader, headline
from models.readout import response_rows
from study.config import Study
from study.errors import StudyError
from study.files import whole_file
from study.progress import progress
from study.results import Results
from study.tables import check_table, read_table, write_table

log = logging.getLogger("bodyscene")


def score_model(study: Study, results: Results, name: str, seed: int) -> Path:
    """Score every version of every test clip and let the network answer the five-choice question.

    A clip's score is the mean of its frames' log-probabilities. A network that may read a version
    in two ways ("blank" and "drop", see `models.domainnet`) is scored in both: the one that the
    study file names answers as the group `name`, the other one as `name` and the way, for
    instance "domainnet_drop".

    Parameters
    ----------
    study : Study
    results : Results
        Holds the manifest, the stimuli, the choices and the trained network; gets the logits
        (Parquet: stimulus_id, reading, a column per class) and the response rows. Equal runs give
        equal bytes.
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
    reader, classes, manifest = _trained(study, results, name, seed)
    stimuli = _readable(reader, manifest[manifest["split"] == "test"], name)
    scores = _scores_by_reading(reader, stimuli, f"score {name}, seed {seed}")
    _write_logits(results.logits(name, seed), stimuli, scores, classes)
    headline_reading = study.model(name).absent_part
    rows = [
        response_rows(
            stimuli,
            values,
            classes,
            choices,
            observer=f"{name}-seed{seed}",
            group=name if reading in ("plain", headline_reading) else f"{name}_{reading}",
        )
        for reading, values in scores.items()
    ]
    path = results.model_responses(name, seed)
    write_table("responses", pd.concat(rows, ignore_index=True), path)
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
    reader, classes, _ = _trained(study, results, name, seed)
    clips = reader.cache.of_split("validation")
    absent = [action for action in classes if action not in set(clips["action"])]
    if absent:
        raise StudyError(
            f"the margin of {absent[0]!r} needs a validation clip, the manifest has none; expected "
            "split.validation_clips of at least 1"
        )
    reading = headline(reader.network.readings("body_background"), study.model(name).absent_part)
    scores = reader.clip_scores(clips, reading)
    right = [classes.index(action) for action in clips["action"]]
    rows = np.arange(len(clips))
    others = scores.copy()
    others[rows, right] = -np.inf
    margin = pd.Series(scores[rows, right] - others.max(axis=1)).groupby(clips["action"]).mean()
    table = pd.DataFrame(
        {"model": name, "seed": seed, "action": margin.index, "margin": margin.to_numpy()}
    )
    return check_table("margins", table, results.margins)


def _trained(
    study: Study, results: Results, name: str, seed: int
) -> tuple[Reader, list[str], pd.DataFrame]:
    """Load a trained network; return it with its frames, its classes and the manifest."""
    model, training = study.model(name), study.training
    manifest = read_table("manifest", results.manifest)
    facts = network_facts(model, training, manifest)
    checkpoint = read_checkpoint(results.checkpoint(name, seed))
    if training.threads is not None:
        torch.set_num_threads(training.threads)
    device = pick_device(training.device)
    network = build_network(model, len(facts["classes"]), seed)
    load_weights(network, checkpoint, facts)
    cache = open_frames(results, manifest, training.image_size)
    return Reader(network.to(device), cache, device), facts["classes"], manifest


def _readable(reader: Reader, stimuli: pd.DataFrame, name: str) -> pd.DataFrame:
    """Keep the versions that a network can read, and say which it cannot."""
    unreadable = [
        condition
        for condition in stimuli["condition"].unique()
        if not reader.network.readings(condition)
    ]
    if unreadable:
        log.info("%s has no way to read %s: not scored", name, ", ".join(unreadable))
    return stimuli[~stimuli["condition"].isin(unreadable)].reset_index(drop=True)


def _scores_by_reading(reader: Reader, stimuli: pd.DataFrame, what: str) -> dict[str, np.ndarray]:
    """Return reading -> (n_stimuli, n_classes), rows as in `stimuli`."""
    clips = reader.cache.of_split("test")
    conditions = list(stimuli["condition"].unique())
    found: dict[str, dict[str, pd.DataFrame]] = {}
    with progress(what, len(conditions), "versions") as advance:
        for condition in conditions:
            seen: list[tuple[dict[str, str], pd.DataFrame]] = []
            for reading, streams in reader.network.readings(condition).items():
                # Two ways of reading may come to the same, where no part is absent.
                scores = next((scores for same, scores in seen if same == streams), None)
                if scores is None:
                    values = reader.clip_scores(clips, streams)
                    scores = pd.DataFrame(values, index=clips["clip_id"])
                    seen.append((streams, scores))
                found.setdefault(reading, {})[condition] = scores
            advance()
    keys = list(zip(stimuli["condition"], stimuli["clip_id"], strict=True))
    return {
        reading: pd.concat(by_condition).loc[keys].to_numpy()
        for reading, by_condition in found.items()
    }


def _write_logits(
    path: Path, stimuli: pd.DataFrame, scores: dict[str, np.ndarray], classes: list[str]
) -> None:
    tables = []
    for reading, values in scores.items():
        table = pd.DataFrame(values.astype(np.float32), columns=classes)
        table.insert(0, "reading", reading)
        table.insert(0, "stimulus_id", stimuli["stimulus_id"])
        tables.append(table)
    with whole_file(path) as partial:
        pd.concat(tables, ignore_index=True).to_parquet(partial, index=False)
