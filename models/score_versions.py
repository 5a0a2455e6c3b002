"""Scores of clips, and of their frames, made version by version where they are missing."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from models.inference import Reader
from models.kept_frames import KeptFrames, check_class_names, moments_table
from models.kept_scores import ALL, KeptScores, score_rows
from models.memory import advice_for_scoring, advice_on_memory
from models.trained import Trained, load_trained
from models.views import LENT_BACKGROUND, Reading, version_of
from study.config import Study
from study.errors import StudyError
from study.files import key_of, sha256_of
from study.progress import progress
from study.results import Results
from study.steps import step_settings

log = logging.getLogger("bodyscene")

# Fields that change no score: how many frames at once, what is kept of scores, and what is made of
# them afterwards.
NO_SCORE = {
    "scoring": {"batch_size", "calibration_bins", "frame_logits", "outside"},
    "model": {"absent_part"},
}
# Columns of the manifest that say what a score is of.
STIMULUS = ["stimulus_id", "action", "sha256"]


def reader_of(study: Study, trained: Trained) -> Reader:
    """Return what reads the frames of a trained network as the study file says."""
    precision = study.training_of(trained.model).precision
    return Reader(trained.network, trained.cache, trained.device, study.scoring, precision)


def all_scores(
    study: Study, results: Results, name: str, seed: int, test: pd.DataFrame
) -> pd.DataFrame:
    """Return the log-probabilities of all test clips, after scoring what is not scored yet.

    Parameters
    ----------
    test : DataFrame
        The rows of the manifest that are scored.

    Returns
    -------
    DataFrame
        stimulus_id, reading, a column per class (float32); reading after reading, each in the
        order of `test`.

    Raises
    ------
    StudyError
        As `models.score.score_model`.
    """
    kept = KeptScores(results.logits(name, seed), results.score_parts(name, seed))
    frames = KeptFrames(results.frame_logits(name, seed), results.frame_logit_parts(name, seed))
    made_of = scores_made_of(study, results, name, seed)
    key = key_of(made_of, test[STIMULUS].to_numpy().tolist())
    by_frame = study.scoring.frame_logits
    if not by_frame:
        frames.drop_unless(key)
    table = kept.whole(key)
    if table is not None and (frames.is_whole(key) or not by_frame):
        log.info("%s, seed %d: already scored, %s", name, seed, kept.path)
        return table
    trained = load_trained(study, results, name, seed)
    check_class_names(trained.classes)
    scorer = _Scorer(study, trained, kept, frames if by_frame else None)
    return scorer.finished(_versions(trained, made_of, test), key, test)


@dataclass(frozen=True)
class _Version:
    """The test stimuli of a version, the ways to read them, and the key of their scores."""

    condition: str
    key: str
    stimuli: pd.DataFrame
    ways: dict[str, Reading]


@dataclass(frozen=True)
class _Scorer:
    """A network, and where its scores are kept: of clips, and, where wanted, of frames."""

    study: Study
    trained: Trained
    kept: KeptScores
    frames: KeptFrames | None

    def finished(self, versions: Sequence[_Version], key: str, test: pd.DataFrame) -> pd.DataFrame:
        """Score what is missing; return the whole table of clips after keeping it."""
        what = f"score {self.trained.model.name}, seed {self.trained.seed}"
        parts = []
        with progress(what, len(versions), "versions") as advance:
            for version in versions:
                parts.append(self._scored(version))
                advance()
        keys = {version.condition: version.key for version in versions} | {ALL: key}
        if self.frames is not None:
            ids = {version.condition: version.stimuli["stimulus_id"] for version in versions}
            self.frames.finish(ids, keys)
        table = _in_order(pd.concat(parts, ignore_index=True), test)
        if self.kept.whole(key) is None:
            self.kept.finish(table, keys)
        return table

    def _scored(self, version: _Version) -> pd.DataFrame:
        """Return the clips' scores of a version; numbers that are there stay as they are."""
        at = (version.condition, version.key)
        part = self.kept.version(*at, version.stimuli["stimulus_id"])
        if part is None or (self.frames is not None and not self.frames.has(*at)):
            scored = self._score(version)
            if part is None:
                self.kept.keep(*at, scored)
                part = scored
        return part

    def _score(self, version: _Version) -> pd.DataFrame:
        reader, trained = reader_of(self.study, self.trained), self.trained
        clips = reader.cache.of_split("test")
        advice = advice_for_scoring(self.study.scoring, trained.network.n_frames)
        with (
            advice_on_memory(f"{trained.model.name}, seed {trained.seed}", advice, trained.device),
            self._noting(version, reader, clips) as noting,
        ):
            scores = reader.scores_by_reading(clips, version.ways, noting)
        place = pd.Index(clips["clip_id"]).get_indexer(version.stimuli["clip_id"])
        by_reading = {name: values[place] for name, values in scores.items()}
        return score_rows(version.stimuli, by_reading, trained.classes)

    @contextlib.contextmanager
    def _noting(
        self, version: _Version, reader: Reader, clips: pd.DataFrame
    ) -> Iterator[Callable[[str, np.ndarray], None] | None]:
        """Give what takes the scores of frames, unless these are not wanted or are there."""
        at = (version.condition, version.key)
        if self.frames is None or self.frames.has(*at):
            yield None
            return
        shown = moments_table(reader.moments(clips), clips, version.stimuli)
        with self.frames.writing(*at, shown, self.trained.classes) as sink:
            yield sink.add


def scores_made_of(study: Study, results: Results, name: str, seed: int) -> dict[str, object]:
    """Return what scores depend on besides the stimuli."""
    checkpoint = results.checkpoint(name, seed)
    if not checkpoint.is_file():
        raise StudyError(f"{checkpoint}: no such checkpoint; train the network first")
    settings = step_settings(study, "score", name)
    for section, fields in NO_SCORE.items():
        settings[section] = {k: v for k, v in settings[section].items() if k not in fields}
    return {"weights": sha256_of(checkpoint), "settings": settings}


def _versions(trained: Trained, made_of: dict[str, object], test: pd.DataFrame) -> list[_Version]:
    """Return the versions that a network can read; name the others."""
    conditions = list(test["condition"].unique())
    ways = {condition: trained.network.readings(condition) for condition in conditions}
    unreadable = [condition for condition in conditions if not ways[condition]]
    if unreadable:
        log.info("%s has no way to read %s: not scored", trained.model.name, ", ".join(unreadable))
    return [
        _Version(
            condition,
            _version_key(made_of, condition, ways[condition], test),
            test[test["condition"] == condition],
            ways[condition],
        )
        for condition in conditions
        if ways[condition]
    ]


def _version_key(
    made_of: dict[str, object], condition: str, ways: dict[str, Reading], test: pd.DataFrame
) -> str:
    """Return a key of all that the scores of one version follow from."""
    views = {view for reading in ways.values() for view in reading.values()}
    shown = {condition, *map(version_of, views)}
    if LENT_BACKGROUND in views:
        shown.add("background_only")
    stimuli = test.loc[test["condition"].isin(shown), STIMULUS]
    return key_of(made_of, ways, stimuli.to_numpy().tolist())


def _in_order(table: pd.DataFrame, test: pd.DataFrame) -> pd.DataFrame:
    """Sort by reading, in the order in which they come, then as in the manifest."""
    reading = table["reading"].map(list(table["reading"].unique()).index)
    stimulus = pd.Index(test["stimulus_id"]).get_indexer(table["stimulus_id"])
    return table.iloc[np.lexsort((stimulus, reading))].reset_index(drop=True)
