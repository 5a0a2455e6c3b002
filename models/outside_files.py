"""The files in which another network's outputs come: probabilities, categories, choices."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pandas as pd

from study.errors import StudyError, check_one_of
from study.tables import check_table, read_table, read_text_table

# Probabilities of half precision that are added up over hundreds of classes.
SUM_TOLERANCE = 0.02


def read_outputs(
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


def read_categories(path: Path) -> list[str]:
    """Return the actions in the order of their category_index, which must count from 0."""
    table = _read_csv(path, ("category_index", "action"))
    index = pd.to_numeric(table["category_index"], errors="coerce")
    if sorted(index) != list(range(len(table))) or table["action"].duplicated().any():
        raise StudyError(
            f"{path}: columns 'category_index', 'action': expected the numbers 0 to "
            f"{len(table) - 1}, each once, and as many different actions"
        )
    return list(table["action"].iloc[np.argsort(index.to_numpy())])


def read_choices(path: Path, actions: list[str] | None) -> pd.DataFrame:
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
    table = read_text_table(path)
    missing = [column for column in columns if column not in table]
    if missing:
        raise StudyError(f"{path}: expected the column {missing[0]!r}, found {list(table.columns)}")
    return table
