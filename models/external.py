"""Outputs of a network from elsewhere, read out as our own are."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from models.metrics import TOP, top_accuracy
from models.outside_files import read_categories, read_choices, read_outputs
from models.outside_scale import Scale
from models.pooling import How, Pool
from models.readout import read_out, response_rows
from models.score_tables import Scores, ScoreTables, score_tables, write_csv, write_score_tables
from study.conditions import CONDITIONS
from study.config import Study
from study.errors import StudyError, check_one_of
from study.fields import Scoring
from study.files import whole_file
from study.results import Results
from study.tables import choice_columns, read_table, write_table

log = logging.getLogger("bodyscene")

WHO = ["stimulus_id", "clip_id", "action", "condition"]


@dataclass(frozen=True)
class ImportedOutputs:
    """The files that an import wrote.

    Attributes
    ----------
    logits : Path
        Parquet: stimulus_id, frame (counted from 0 within the clip), a column per class with the
        log-probability.
    responses : Path
        Answers per clip.
    accuracy : Path
        CSV, a row per version and level (frame, clip): n, n_actions; chosen, the share right among
        the choices, averaged over actions; unbeaten, the same with ties counted as right; top_1,
        top_5, shares over all rows and classes (of equals, the first class goes first).
    metrics : Path
        CSV, the metrics of clips as for the study's own networks, see
        `models.score_tables.ScoreTables`; confusions and reliability lie beside it.
    """

    logits: Path
    responses: Path
    accuracy: Path
    metrics: Path


@dataclass(frozen=True)
class _Outside:
    """What was read: a row per frame, and the frames of clips put together."""

    frames: pd.DataFrame
    clips: pd.DataFrame
    classes: list[str]
    choices: pd.DataFrame

    def answers(self, observer: str, group: str) -> pd.DataFrame:
        values = self.clips[self.classes].to_numpy()
        return response_rows(self.clips, values, self.classes, self.choices, observer, group)

    def tables(self, observer: str, group: str, n_bins: int) -> ScoreTables:
        who = self.clips[WHO].assign(group=group, reading="plain")
        scores = Scores(who, self.clips[self.classes].to_numpy(), self.classes)
        return score_tables(scores, self.choices, observer, n_bins)


def import_outputs(
    files: Mapping[str, Path],
    choices: Path,
    folder: Path,
    name: str,
    categories: Path | None = None,
    manifest: Path | None = None,
    scale: Scale = "probability",
) -> ImportedOutputs:
    """Import the scores that another network gave to frames or clips.

    Parameters
    ----------
    files : mapping of str to Path
        Version -> file. ``.csv`` or ``.parquet`` with `stimulus_id`, optionally `frame`, and a
        column of scores per class, or as `models.kept_frames` writes them (all versions in one
        file; of several ways of reading a version the first is taken); or ``.npz`` with
        `stimulus_id` (N,), `classes` (C,), `scores` (N, C) and optionally `frame` (N,). Or, without
        ids, ``.npz`` with `probabilities` (frames, classes) and `category_index` (frames,), the
        right class: the frames of a class are taken for one clip, in order.
    choices : Path
        A table of choices (see `study.tables.choices_schema`), or one with columns choice_idx_1,
        choice_idx_2, ... that count the categories, the right one first.
    folder : Path
        Where the files are written.
    name : str
        The network's name: observer and group.
    categories : Path, optional
        For files without ids and choices by index: a CSV table of category_index and action.
    manifest : Path, optional
        For files with ids: which action each stimulus_id shows.
    scale : {"probability", "log", "logit"}
        What the scores are, see `models.outside_scale`.

    Returns
    -------
    ImportedOutputs

    Raises
    ------
    StudyError
        When a file is unreadable, a field is missing or of the wrong shape, the scores are on
        another scale, classes are unknown, or test stimuli are missing; the message names file,
        field, what was expected and what was found.
    """
    found = _read(files, choices, categories, manifest, scale, Scoring().pooling)
    levels = {"frame": found.frames, "clip": found.clips}
    accuracy = [_accuracy(rows, found.classes, found.choices, at) for at, rows in levels.items()]
    tables = found.tables(name, name, Scoring().calibration_bins)
    written = ImportedOutputs(
        folder / f"{name}-logits.parquet",
        folder / f"{name}-responses.csv",
        folder / f"{name}-accuracy.csv",
        folder / f"{name}-metrics.csv",
    )
    _write_logits(written.logits, found.frames[["stimulus_id", "frame", *found.classes]])
    write_table("responses", found.answers(name, name), written.responses)
    write_csv(pd.concat(accuracy), written.accuracy)
    write_csv(tables.metrics, written.metrics)
    write_csv(tables.confusions, folder / f"{name}-confusions.csv")
    write_csv(tables.reliability, folder / f"{name}-reliability.csv")
    return written


def bring_into_study(
    study: Study,
    results: Results,
    name: str,
    files: Mapping[str, Path],
    scale: Scale = "probability",
    seed: int = 0,
) -> Path:
    """Let a network from elsewhere answer as one of the study's.

    Its answers, logits and metrics are written to where those of the study's own networks lie, so
    that `bodyscene fit`, figures and report have it beside them.

    Parameters
    ----------
    study : Study
        `scoring.outside` names the network.
    results : Results
        Holds the manifest and the choices.
    name : str
    files : mapping of str to Path
        Version -> file with stimulus ids, see `import_outputs`.
    scale : {"probability", "log", "logit"}
        What the scores are.
    seed : int
        Of several trainings of the network, which one.

    Returns
    -------
    Path
        The response rows.

    Raises
    ------
    StudyError
        When the study does not name the network or make a version, when a version that was brought
        in before is left out; and as `import_outputs`.
    """
    if name not in study.scoring.outside:
        raise StudyError(
            f"{name!r} is not in scoring.outside of the study file, so the analysis would leave "
            f"it out; found there: {study.scoring.outside}"
        )
    for condition in files:
        check_one_of("the version", condition, study.versions.conditions)
    path = results.model_responses(name, seed)
    _check_keeps_all(path, study, files)
    settings = study.scoring
    found = _read(files, results.choices, None, results.manifest, scale, settings.pooling)
    observer = f"{name}-seed{seed}"
    logits = found.clips[["stimulus_id", *found.classes]]
    logits.insert(1, "reading", "plain")
    _write_logits(results.logits(name, seed), logits)
    tables = found.tables(observer, name, settings.calibration_bins)
    write_score_tables(tables, results, name, seed)
    write_table("responses", found.answers(observer, name), path)
    return path


def _check_keeps_all(path: Path, study: Study, files: Mapping[str, Path]) -> None:
    """Check that no version that was brought in before would be lost: the tables are of one call.

    Raises
    ------
    StudyError
        When the files leave one out.
    """
    if not path.is_file():
        return
    before = set(read_table("responses", path)["condition"]) & set(study.versions.conditions)
    lost = sorted(before - set(files))
    if lost:
        raise StudyError(
            f"{path} holds answers to {lost[0]!r}, for which there is no --logits now; expected "
            f"all versions in one call, found {list(files)}. Delete the file to do without"
        )


def _read(
    files: Mapping[str, Path],
    choices: Path,
    categories: Path | None,
    manifest: Path | None,
    scale: Scale,
    pooling: How,
) -> _Outside:
    actions = None if categories is None else read_categories(categories)
    parts = {}
    for condition, path in files.items():
        check_one_of("the version", condition, CONDITIONS)
        parts[condition] = read_outputs(path, condition, actions, categories, manifest, scale)
    classes = _same_classes(parts, files)
    labels = read_choices(choices, actions)
    frames = pd.concat(parts.values(), ignore_index=True)
    _check_choices(labels, classes, set(frames["action"]), choices)
    if manifest is not None:
        _name_further_classes(classes, manifest)
    return _Outside(frames, _clips(frames, classes, pooling), classes, labels)


def _clips(frames: pd.DataFrame, classes: list[str], pooling: How) -> pd.DataFrame:
    """Pool the frames of every clip, clips in the order in which they come."""
    clip, names = pd.factorize(frames["stimulus_id"])
    order = np.argsort(clip, kind="stable")
    pool = Pool(clip[order], len(names), len(classes), pooling)
    pool.add(frames[classes].to_numpy()[order])
    who = frames.drop_duplicates("stimulus_id")[WHO].reset_index(drop=True)
    return pd.concat([who, pd.DataFrame(pool.log_probabilities(), columns=classes)], axis=1)


def _write_logits(path: Path, table: pd.DataFrame) -> None:
    with whole_file(path) as partial:
        table.to_parquet(partial, index=False)


def _same_classes(parts: dict[str, pd.DataFrame], files: Mapping[str, Path]) -> list[str]:
    """Return the classes, which must be the same in all files."""
    who = {"stimulus_id", "clip_id", "action", "condition", "frame"}
    classes = [[c for c in part.columns if c not in who] for part in parts.values()]
    for path, found in zip(files.values(), classes, strict=True):
        if set(found) != set(classes[0]):
            differ = sorted(set(found) ^ set(classes[0]))
            raise StudyError(
                f"{path}: expected the {len(classes[0])} classes of the first file, found "
                f"{len(found)}; they differ in {differ[:5]}"
            )
    return classes[0]


def _check_choices(labels: pd.DataFrame, classes: list[str], shown: set[str], path: Path) -> None:
    """Check that every choice is a class, and that every action asked for is shown."""
    unknown = sorted(set(labels[choice_columns(labels)].to_numpy().ravel()) - set(classes))
    if unknown:
        raise StudyError(
            f"{path}: expected choices among the {len(classes)} classes of the outputs, found "
            f"{unknown[:5]}"
        )
    unknown = sorted(shown - set(classes))
    if unknown:
        raise StudyError(
            f"the outputs hold frames of {unknown[:5]}, which are not among their {len(classes)} "
            "classes"
        )
    missing = sorted(set(labels["action"]) - shown)
    if missing:
        raise StudyError(f"{path}: the outputs hold no frame of {missing[:5]}")


def _name_further_classes(classes: list[str], manifest: Path) -> None:
    """Name the classes that are no actions: a network may know more, or a column be no class."""
    actions = set(read_table("manifest", manifest)["action"])
    further = [name for name in classes if name not in actions]
    if further:
        log.warning(
            "the outputs hold %d classes besides the %d actions of %s, such as %s: they count as "
            "possible answers. Take out columns that are no classes",
            len(further), len(actions), manifest, ", ".join(map(repr, further[:5])),
        )  # fmt: skip


def _accuracy(
    rows: pd.DataFrame, classes: list[str], labels: pd.DataFrame, level: str
) -> pd.DataFrame:
    """Return a row per version: share right among the choices, and among all classes."""
    return pd.DataFrame(
        [
            {"condition": condition, "level": level, **_shares(part, classes, labels)}
            for condition, part in rows.groupby("condition", sort=False)
        ]
    )


def _shares(rows: pd.DataFrame, classes: list[str], labels: pd.DataFrame) -> dict[str, float]:
    scores = rows[classes].to_numpy()
    right = np.array([classes.index(action) for action in rows["action"]])
    asked = rows[rows["action"].isin(labels["action"])]
    action = asked["action"].to_numpy()
    choices = labels.set_index("action").loc[action, choice_columns(labels)].to_numpy(dtype=object)
    is_right = read_out(asked[classes].to_numpy(), classes, choices) == action
    unbeaten = _right_is_unbeaten(asked[classes], choices)
    return {
        "n": len(rows),
        "n_actions": asked["action"].nunique(),
        "chosen": pd.Series(is_right).groupby(action).mean().mean(),
        "unbeaten": pd.Series(unbeaten).groupby(action).mean().mean(),
        "top_1": top_accuracy(scores, right, 1),
        "top_5": top_accuracy(scores, right, TOP),
    }


def _right_is_unbeaten(scores: pd.DataFrame, choices: np.ndarray) -> np.ndarray:
    """Tell in which rows no choice is likelier than the right one, which stands first."""
    columns = scores.columns.get_indexer(choices.ravel()).reshape(choices.shape)
    values = np.take_along_axis(scores.to_numpy(), columns, axis=1)  # (N, k)
    return values[:, 0] == values.max(axis=1)
