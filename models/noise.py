"""Trained networks on versions made of spoiled masks: what good segmentation is worth to them.

The networks were trained on good masks and are not trained again.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from models.score import score_model
from models.score_tables import WHO, write_csv
from stimuli.spoil_sheet import draw_noise_sheet
from stimuli.spoiled import NoiseLevel, delete_stimuli, level_key, make_spoiled, noise_levels
from study.config import Study
from study.files import key_of, sha256_of, write_json
from study.results import Results
from study.steps import step_settings
from study.tables import read_table

log = logging.getLogger("bodyscene")

# What the study's own stimuli are called beside the kinds of noise.
OWN = "none"
# Metric of `models.score_tables` -> column here.
COLUMNS = {"accuracy_choices": "accuracy", "top_1": "top_1"}

# A model of the study and one of its seeds.
NetworkName = tuple[str, int]


@dataclass(frozen=True)
class LevelResults(Results):
    """The results folder of a kind and level; networks and choices are the study's.

    Attributes
    ----------
    own : Results
        The study's.
    """

    own: Results

    def checkpoint(self, name: str, seed: int) -> Path:
        return self.own.checkpoint(name, seed)

    @property
    def choices(self) -> Path:
        return self.own.choices


def score_noise(
    study: Study, results: Results, networks: Sequence[NetworkName], processes: int
) -> list[Path]:
    """Score networks on the test clips at every kind and level of `study.noise`.

    Kind by kind and level by level the versions are made of spoiled masks (see
    `stimuli.spoiled`), then all networks are scored on them as `models.score.score_model` does.
    What is finished is not done again, even where its stimuli were deleted. ``noise/levels.png``
    shows what was made of one clip.

    Parameters
    ----------
    study : Study
    results : Results
        With stimuli, choices and trained networks.
    networks : sequence of (str, int)
        Models of the study, each with a seed.
    processes : int
        For the making of stimuli.

    Returns
    -------
    list of Path
        A table per network, ``noise/NAME-seedN.csv``: observer, group, kind, level, condition,
        reading, n (clips), accuracy (among the choices), top_1 (among all actions). Level 0 of
        the kind "none" is the study's own stimuli. In ``noise/KIND-LEVEL/`` lie the manifest, the
        responses, logits and scores of every level, as in a results folder.

    Raises
    ------
    StudyError
        As `models.score.score_model` and `stimuli.spoiled.make_spoiled`.
    """
    for name, seed in networks:
        score_model(study, results, name, seed)
    # Of spoiled stimuli only the scores of clips are kept.
    scoring = study.scoring.model_copy(update={"frame_logits": False})
    study = study.model_copy(update={"scoring": scoring})
    levels = noise_levels(study)
    for place, noise in enumerate(levels):
        log.info(
            "segmentation noise %d of %d: %s %g", place + 1, len(levels), noise.kind, noise.level
        )
        _score_level(study, results, noise, networks, processes)
    _draw_sheet(study, results)
    return [_write_curve(study, results, name, seed) for name, seed in networks]


def _score_level(
    study: Study,
    results: Results,
    noise: NoiseLevel,
    networks: Sequence[NetworkName],
    processes: int,
) -> None:
    """Make the stimuli of one level and score the networks that were not scored on them."""
    folder = LevelResults(noise.results(results).root, results)
    stimuli = level_key(study, results, noise)
    keys = {_named(*each): _network_key(study, results, *each, stimuli) for each in networks}
    path = folder.root / "scored.json"
    scored = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    missing = [each for each in networks if not _is_scored(folder, each, scored, keys)]
    if not missing:
        return
    make_spoiled(study, results, noise, processes)
    for name, seed in missing:
        score_model(study, folder, name, seed)
        scored[_named(name, seed)] = keys[_named(name, seed)]
        write_json(path, scored)
    if not study.noise.keep_stimuli:
        delete_stimuli(folder)


def _draw_sheet(study: Study, results: Results) -> None:
    """Draw a test clip at the levels whose stimuli are there, unless nothing changed."""
    levels = [noise for noise in noise_levels(study) if noise.results(results).stimuli.is_dir()]
    manifest = read_table("manifest", results.manifest)
    test = manifest.loc[manifest["split"] == "test", "clip_id"]
    shown = [noise.results(results).manifest for noise in levels]
    target = results.noise / "levels.png"
    is_new = target.is_file() and all(
        target.stat().st_mtime_ns >= path.stat().st_mtime_ns for path in shown
    )
    if levels and len(test) and not is_new:
        draw_noise_sheet(study, results, levels, str(test.iloc[0]), target)


def _network_key(study: Study, results: Results, name: str, seed: int, stimuli: str) -> str:
    """Return a key of all that the scores of a network at one level follow from."""
    checkpoint = results.checkpoint(name, seed)
    settings = step_settings(study, "score", name)
    return key_of(stimuli, sha256_of(checkpoint), settings, sha256_of(results.choices))


def _is_scored(
    folder: Results, network: NetworkName, scored: dict[str, str], keys: dict[str, str]
) -> bool:
    name = _named(*network)
    files = (folder.scores(*network), folder.model_responses(*network))
    return scored.get(name) == keys[name] and all(path.is_file() for path in files)


def _write_curve(study: Study, results: Results, name: str, seed: int) -> Path:
    """Put the scores of a network at all levels together."""
    tables = [_scores(results, name, seed, OWN, 0.0)]
    for noise in noise_levels(study):
        tables.append(_scores(noise.results(results), name, seed, noise.kind, noise.level))
    path = results.noise_curve(name, seed)
    write_csv(pd.concat(tables, ignore_index=True), path)
    return path


def _scores(folder: Results, name: str, seed: int, kind: str, level: float) -> pd.DataFrame:
    """Read one level's scores, a row per version and reading."""
    metrics = pd.read_csv(folder.scores(name, seed), keep_default_na=False, na_values=[""])
    metrics = metrics[metrics["metric"].isin(COLUMNS)]
    wide = metrics.pivot(index=WHO, columns="metric", values="value").rename(columns=COLUMNS)
    wide["n"] = metrics[metrics["metric"] == "top_1"].set_index(WHO)["n"]
    # In the order in which versions and readings were scored.
    wide = wide.loc[metrics.set_index(WHO).index.unique()].reset_index()
    columns = [*WHO[:2], "kind", "level", *WHO[2:], "n", *COLUMNS.values()]
    return wide.assign(kind=kind, level=level)[columns]


def _named(name: str, seed: int) -> str:
    return f"{name}-seed{seed}"
