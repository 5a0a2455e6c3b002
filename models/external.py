"""Outputs of a network from elsewhere, read out as our own are."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from models.readout import read_out, response_rows
from study.conditions import CONDITIONS
from study.errors import StudyError, check_one_of
from study.files import whole_file
from study.tables import check_table, choice_columns, read_table, write_table

# Probabilities of half precision that are added up over hundreds of classes.
SUM_TOLERANCE = 0.02
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
    actions = None if categories is None else _read_categories(categories)
    parts = {}
    for condition, path in files.items():
        check_one_of("the version", condition, CONDITIONS)
        parts[condition] = _read_outputs(path, condition, actions, categories, manifest)
    classes = _same_classes(parts, files)
    labels = _read_choices(choices, actions)
    frames = pd.concat(parts.values(), ignore_index=True)
    _check_choices(labels, classes, set(frames["action"]), choices)
    who = ["stimulus_id", "clip_id", "action", "condition"]
    clips = frames.groupby(who, sort=False)[classes].mean().reset_index()
    answers = response_rows(
        clips, clips[classes].to_numpy(), classes, labels, observer=name, group=name
    )
    levels = {"frame": frames, "clip": clips}
    accuracy = pd.concat([_accuracy(rows, classes, labels, at) for at, rows in levels.items()])
    written = ImportedOutputs(
        folder / f"{name}-logits.parquet",
        folder / f"{name}-responses.csv",
        folder / f"{name}-accuracy.csv",
    )
    with whole_file(written.logits) as partial:
        frames[["stimulus_id", "frame", *classes]].to_parquet(partial, index=False)
    write_table("responses", answers, written.responses)
    with whole_file(written.accuracy) as partial:
        accuracy.to_csv(partial, index=False, lineterminator="\n")
    return written


def _read_outputs(
    path: Path,
    condition: str,
    actions: list[str] | None,
    categories: Path | None,
    manifest: Path | None,
) -> pd.DataFrame:
    """Read one file into stimulus_id, clip_id, action, condition, frame, and log-probabilities."""
    if not path.is_file():
        raise StudyError(f"{path}: no such file; expected the outputs for {condition!r}")
    check_one_of(f"{path}: the kind of file", path.suffix, (".npz", ".csv", ".parquet"))
    if path.suffix == ".npz":
        if actions is None:
            raise StudyError(f"{path}: expected a table of categories beside it, found none")
        return _read_npz(path, condition, actions, categories)
    if manifest is None:
        raise StudyError(f"{path}: expected a manifest to know its stimuli by, found none")
    return _read_frame_table(path, condition, read_table("manifest", manifest), manifest)


def _read_npz(
    path: Path, condition: str, actions: list[str], categories: Path | None
) -> pd.DataFrame:
    try:
        # Pickled objects are refused: reading them would run code.
        with np.load(path, allow_pickle=False) as content:
            found = {field: content[field] for field in content.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise StudyError(f"{path}: not a readable .npz file: {error}") from error
    for field in ("probabilities", "category_index"):
        if field not in found:
            raise StudyError(f"{path}: expected the field {field!r}, found {sorted(found)}")
    probabilities, index = found["probabilities"], found["category_index"]
    if probabilities.ndim != 2 or probabilities.shape[1] != len(actions):
        raise StudyError(
            f"{path}: field 'probabilities': expected frames x {len(actions)} classes as in "
            f"{categories}, found shape {probabilities.shape}"
        )
    if index.shape != probabilities.shape[:1] or index.dtype.kind not in "iu":
        raise StudyError(
            f"{path}: field 'category_index': expected {len(probabilities)} whole numbers, one per "
            f"row of 'probabilities', found {index.dtype} of shape {index.shape}"
        )
    if len(index) and not 0 <= index.min() <= index.max() < len(actions):
        raise StudyError(
            f"{path}: field 'category_index': expected 0 to {len(actions) - 1}, found "
            f"{index.min()} to {index.max()}"
        )
    action = pd.Series(actions, dtype=object)[index].reset_index(drop=True)
    who = pd.DataFrame({"stimulus_id": action + f"-{condition}", "clip_id": action})
    who = who.assign(action=action, condition=condition, frame=action.groupby(action).cumcount())
    scores = _log_probabilities(path, "probabilities", probabilities)
    return pd.concat([who, pd.DataFrame(scores, columns=actions)], axis=1)


def _read_frame_table(
    path: Path, condition: str, manifest: pd.DataFrame, manifest_path: Path
) -> pd.DataFrame:
    read = pd.read_csv if path.suffix == ".csv" else pd.read_parquet
    try:
        table = read(path)
    except (OSError, ValueError) as error:
        raise StudyError(f"{path}: not a readable table: {error}") from error
    if "stimulus_id" not in table:
        raise StudyError(
            f"{path}: expected the column 'stimulus_id', found {list(table.columns[:8])}"
        )
    stimuli = manifest[(manifest["condition"] == condition) & (manifest["split"] == "test")]
    table["stimulus_id"] = table["stimulus_id"].astype(str)
    _same_stimuli(path, table["stimulus_id"], stimuli["stimulus_id"], condition, manifest_path)
    classes = [column for column in table.columns if column not in ("stimulus_id", "frame")]
    for column in classes:
        if not pd.api.types.is_numeric_dtype(table[column]):
            raise StudyError(
                f"{path}: column {column!r}: expected probabilities, found {table[column].dtype}"
            )
    who = table[["stimulus_id"]].merge(stimuli, on="stimulus_id", how="left")
    who = who[["stimulus_id", "clip_id", "action", "condition"]]
    who = who.assign(frame=table.groupby("stimulus_id").cumcount())
    scores = _log_probabilities(path, "the class columns", table[classes].to_numpy())
    return pd.concat([who, pd.DataFrame(scores, columns=classes)], axis=1)


def _same_stimuli(
    path: Path, found: pd.Series, expected: pd.Series, condition: str, manifest: Path
) -> None:
    missing = sorted(set(expected) - set(found))
    unknown = sorted(set(found) - set(expected))
    if missing or unknown:
        raise StudyError(
            f"{path}: column 'stimulus_id': expected the {len(expected)} test stimuli of "
            f"{condition!r} in {manifest}; missing {missing[:5]}, unknown {unknown[:5]}"
        )


def _log_probabilities(path: Path, field: str, probabilities: np.ndarray) -> np.ndarray:
    """Check that every row is a distribution; return its logarithm, (N, C) float64.

    A probability of zero is one too small for its precision: it counts as half the smallest number
    of that precision, so that one frame cannot rule an action out for the whole clip.
    """
    values = probabilities.astype(np.float64)
    if values.size == 0:
        raise StudyError(f"{path}: {field}: expected at least one row and class, found none")
    sums = values.sum(axis=1)
    is_wrong = ~(np.abs(sums - 1) <= SUM_TOLERANCE) | (values < 0).any(axis=1)
    if is_wrong.any():
        row = int(is_wrong.argmax())
        raise StudyError(
            f"{path}: {field}, row {row}: expected probabilities that sum to 1, found the sum "
            f"{sums[row]:.4g} and the smallest {values[row].min():.4g}"
        )
    kind = probabilities.dtype if probabilities.dtype.kind == "f" else np.dtype(np.float64)
    log_of_zero = np.log(float(np.finfo(kind).smallest_subnormal)) - np.log(2)
    return np.log(values, where=values > 0, out=np.full(values.shape, log_of_zero))


def _read_categories(path: Path) -> list[str]:
    """Return the actions in the order of their category_index, which must count from 0."""
    table = _read_csv(path, ("category_index", "action"))
    index = pd.to_numeric(table["category_index"], errors="coerce")
    if sorted(index) != list(range(len(table))) or table["action"].duplicated().any():
        raise StudyError(
            f"{path}: columns 'category_index', 'action': expected the numbers 0 to "
            f"{len(table) - 1}, each once, and as many different actions"
        )
    return list(table["action"].iloc[np.argsort(index.to_numpy())])


def _read_choices(path: Path, actions: list[str] | None) -> pd.DataFrame:
    """Read choices by label, or by index into the categories, as a table of choices."""
    table = _read_csv(path, ())
    indexed = [column for column in table.columns if column.startswith("choice_idx_")]
    if not indexed:
        return read_table("choices", path)
    if actions is None:
        raise StudyError(
            f"{path}: {indexed[0]!r} counts the categories, but no table of them was given"
        )
    indexed.sort(key=lambda column: int(column.removeprefix("choice_idx_")))
    named = pd.DataFrame(index=table.index)
    for k, column in enumerate(indexed, start=1):
        index = pd.to_numeric(table[column], errors="coerce")
        wrong = ~index.isin(range(len(actions)))
        if wrong.any():
            raise StudyError(
                f"{path}: column {column!r}, line {int(wrong.to_numpy().argmax()) + 2}: expected 0 "
                f"to {len(actions) - 1}, found {table[column][wrong].iloc[0]!r}"
            )
        named[f"choice_{k}"] = [actions[int(position)] for position in index]
    named.insert(0, "action", named["choice_1"])
    return check_table("choices", named, path)


def _read_csv(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    if not path.is_file():
        raise StudyError(f"{path}: no such file")
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise StudyError(f"{path}: not a readable CSV table: {error}") from error
    missing = [column for column in columns if column not in table]
    if missing:
        raise StudyError(f"{path}: expected the column {missing[0]!r}, found {list(table.columns)}")
    return table


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
