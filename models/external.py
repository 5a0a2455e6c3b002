"""Outputs of a network from elsewhere, read out as our own are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from models.outside_files import read_categories, read_choices, read_outputs
from models.readout import read_out, response_rows
from study.conditions import CONDITIONS
from study.errors import StudyError, check_one_of
from study.files import whole_file, write_if_changed
from study.tables import choice_columns, write_table

TOP = 5


@dataclass(frozen=True)
class ImportedOutputs:
    """The files that an import wrote.

    Attributes
    ----------
    logits : Path
        Parquet: stimulus_id, frame (counted from 0 within the clip), a column per class with the
        log-probability.
    responses : Path
        Answers per clip (mean of the frames' log-probabilities).
    accuracy : Path
        CSV, a row per version and level (frame, clip): n, n_actions; chosen, the share right among
        the choices, averaged over actions; unbeaten, the same with ties counted as right; top_1,
        top_5, shares over all rows and classes (of equals, the first class goes first).
    """

    logits: Path
    responses: Path
    accuracy: Path


def import_outputs(
    files: Mapping[str, Path],
    choices: Path,
    folder: Path,
    name: str,
    categories: Path | None = None,
    manifest: Path | None = None,
) -> ImportedOutputs:
    """Import the probabilities that another network gave to frames or clips.

    Parameters
    ----------
    files : mapping of str to Path
        Version -> file. Either ``.npz`` with `probabilities` (frames, classes) and
        `category_index` (frames,), the right class: the frames of a class are taken for one clip,
        in order. Or ``.csv`` or ``.parquet`` with `stimulus_id`, optionally `frame`, and a column
        of probabilities per class.
    choices : Path
        A table of choices (see `study.tables.choices_schema`), or one with columns choice_idx_1,
        choice_idx_2, ... that count the categories, the right one first.
    folder : Path
        Where the three files are written.
    name : str
        The network's name: observer and group.
    categories : Path, optional
        For ``.npz`` files and choices by index: a CSV table of category_index and action.
    manifest : Path, optional
        For tables: which action each stimulus_id shows.

    Returns
    -------
    ImportedOutputs

    Raises
    ------
    StudyError
        When a file is unreadable, a field is missing or of the wrong shape, a row is no
        distribution, classes are unknown, or test stimuli are missing; the message names file,
        field, what was expected and what was found.
    """
    actions = None if categories is None else read_categories(categories)
    parts = {}
    for condition, path in files.items():
        check_one_of("the version", condition, CONDITIONS)
        parts[condition] = read_outputs(path, condition, actions, categories, manifest)
    classes = _same_classes(parts, files)
    labels = read_choices(choices, actions)
    frames = pd.concat(parts.values(), ignore_index=True)
    _check_choices(labels, classes, set(frames["action"]), choices)
    who = ["stimulus_id", "clip_id", "action", "condition"]
    clips = frames.groupby(who, sort=False)[classes].mean().reset_index()
    answers = response_rows(
        clips, clips[classes].to_numpy(), classes, labels, observer=name, group=name
    )
    levels = {"frame": frames, "clip": clips}
    accuracy = pd.concat([_accuracy(rows, classes, labels, at) for at, rows in levels.items()])
    return _write(folder, name, frames[["stimulus_id", "frame", *classes]], answers, accuracy)


def _write(
    folder: Path, name: str, logits: pd.DataFrame, answers: pd.DataFrame, accuracy: pd.DataFrame
) -> ImportedOutputs:
    written = ImportedOutputs(
        folder / f"{name}-logits.parquet",
        folder / f"{name}-responses.csv",
        folder / f"{name}-accuracy.csv",
    )
    with whole_file(written.logits) as partial:
        logits.to_parquet(partial, index=False)
    write_table("responses", answers, written.responses)
    write_if_changed(written.accuracy, accuracy.to_csv(index=False, lineterminator="\n"))
    return written


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
    missing = sorted(set(labels["action"]) - shown)
    if missing:
        raise StudyError(f"{path}: the outputs hold no frame of {missing[:5]}")


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
    best = np.argsort(-scores, axis=1, kind="stable")[:, :TOP]
    hits = best == right[:, None]
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
        "top_1": hits[:, 0].mean(),
        "top_5": hits.any(axis=1).mean(),
    }


def _right_is_unbeaten(scores: pd.DataFrame, choices: np.ndarray) -> np.ndarray:
    """Tell in which rows no choice is likelier than the right one, which stands first."""
    columns = scores.columns.get_indexer(choices.ravel()).reshape(choices.shape)
    values = np.take_along_axis(scores.to_numpy(), columns, axis=1)  # (N, k)
    return values[:, 0] == values.max(axis=1)
