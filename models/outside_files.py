"""The files in which another network's outputs come: scores, categories, choices."""

from __future__ import annotations

import csv
import logging
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd

from models.outside_scale import Scale, log_probabilities
from study.errors import StudyError, check_one_of
from study.tables import check_table, read_table, read_text_table

log = logging.getLogger("bodyscene")

SUFFIXES = (".npz", ".csv", ".parquet")
# Reading these runs whatever code stands in them.
PICKLES = {".pt", ".pth", ".pkl", ".pickle", ".joblib", ".npy", ".bin", ".ckpt"}
WHO = ("stimulus_id", "frame")


def read_outputs(
    path: Path,
    condition: str,
    actions: list[str] | None,
    categories: Path | None,
    manifest: Path | None,
    scale: Scale = "probability",
) -> pd.DataFrame:
    """Read one file into stimulus_id, clip_id, action, condition, frame, and log-probabilities."""
    if not path.is_file():
        raise StudyError(f"{path}: no such file; expected the outputs for {condition!r}")
    if path.suffix in PICKLES:
        raise StudyError(
            f"{path}: {path.suffix} files may hold code that runs when they are read, so they are "
            f"not read here; expected one of {', '.join(SUFFIXES)} (see `bodyscene score --help`)"
        )
    check_one_of(f"{path}: the kind of file", path.suffix, SUFFIXES)
    content = _npz_content(path) if path.suffix == ".npz" else None
    if content is not None and "stimulus_id" not in content:
        if actions is None:
            raise StudyError(f"{path}: expected a table of categories beside it, found none")
        return _frames_by_category(path, content, condition, actions, categories, scale)
    if manifest is None:
        raise StudyError(f"{path}: expected a manifest to know its stimuli by, found none")
    table = _read_table(path) if content is None else _table_of_npz(path, content)
    return _frames_by_stimulus(path, table, condition, manifest, scale)


def _npz_content(path: Path) -> dict[str, np.ndarray]:
    try:
        # Pickled objects are refused: reading them would run code.
        found = np.load(path, allow_pickle=False)
        if not isinstance(found, np.lib.npyio.NpzFile):
            raise ValueError("it holds a single array")
        with found:
            return {field: found[field] for field in found.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise StudyError(f"{path}: not a readable .npz file: {error}") from error


def _frames_by_category(
    path: Path,
    content: dict[str, np.ndarray],
    condition: str,
    actions: list[str],
    categories: Path | None,
    scale: Scale,
) -> pd.DataFrame:
    """Read frames that say only which category they show: those of a category are one clip."""
    for field in ("probabilities", "category_index"):
        if field not in content:
            raise StudyError(f"{path}: expected the field {field!r}, found {sorted(content)}")
    values, index = content["probabilities"], content["category_index"]
    if values.ndim != 2 or values.shape[1] != len(actions) or values.dtype.kind not in "fiu":
        raise StudyError(
            f"{path}: field 'probabilities': expected frames x {len(actions)} classes as in "
            f"{categories}, found {values.dtype} of shape {values.shape}"
        )
    if index.shape != values.shape[:1] or index.dtype.kind not in "iu":
        raise StudyError(
            f"{path}: field 'category_index': expected {len(values)} whole numbers, one per "
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
    scores = log_probabilities(path, "probabilities", values, scale)
    return pd.concat([who, pd.DataFrame(scores, columns=actions)], axis=1)


def _table_of_npz(path: Path, content: dict[str, np.ndarray]) -> pd.DataFrame:
    """Turn stimulus_id, classes, scores (and frame) of an .npz file into a table."""
    for field in ("classes", "scores"):
        if field not in content:
            raise StudyError(f"{path}: expected the field {field!r}, found {sorted(content)}")
    ids, classes, scores = content["stimulus_id"], content["classes"], content["scores"]
    if scores.shape != (len(ids), len(classes)) or scores.dtype.kind not in "fiu":
        raise StudyError(
            f"{path}: field 'scores': expected {len(ids)} x {len(classes)} numbers (stimulus_id x "
            f"classes), found {scores.dtype} of shape {scores.shape}"
        )
    names = [str(name) for name in classes]
    _check_columns(path, names)
    table = pd.DataFrame(scores, columns=names)
    if "frame" in content:
        table.insert(0, "frame", content["frame"])
    table.insert(0, "stimulus_id", [str(name) for name in ids])
    return table


def _read_table(path: Path) -> pd.DataFrame:
    try:
        if path.suffix == ".parquet":
            table = pd.read_parquet(path)
        else:
            with path.open(newline="", encoding="utf-8") as content:
                _check_columns(path, next(csv.reader(content), []))
            # Ids stay text: a stimulus may be called "007", or "null".
            table = pd.read_csv(path, dtype={"stimulus_id": str}, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise StudyError(f"{path}: not a readable table: {error}") from error
    if "stimulus_id" not in table:
        raise StudyError(
            f"{path}: expected the column 'stimulus_id', found {list(table.columns[:8])}"
        )
    return table.assign(stimulus_id=table["stimulus_id"].astype(str))


def _check_columns(path: Path, names: list[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice or "" in names:
        raise StudyError(
            f"{path}: expected a name for every column, each once, found "
            f"{'one without a name' if '' in names else f'{twice[0]!r} more than once'}"
        )


def _frames_by_stimulus(
    path: Path, table: pd.DataFrame, condition: str, manifest: Path, scale: Scale
) -> pd.DataFrame:
    """Match rows to the test stimuli of a version, of which there must be all and no others."""
    stimuli = read_table("manifest", manifest)
    stimuli = stimuli[stimuli["split"] == "test"]
    if _is_of_this_toolkit(table):
        others = stimuli.loc[stimuli["condition"] != condition, "stimulus_id"]
        table = _first_reading(path, table[~table["stimulus_id"].isin(others)], condition)
    stimuli = stimuli[stimuli["condition"] == condition]
    _same_stimuli(path, table["stimulus_id"], stimuli["stimulus_id"], condition, manifest)
    _no_more_than_frames(path, table["stimulus_id"], stimuli)
    table = _in_order_of_frames(path, table)
    classes = [column for column in table.columns if column not in WHO]
    for column in classes:
        if not pd.api.types.is_numeric_dtype(table[column]):
            raise StudyError(
                f"{path}: column {column!r}: expected numbers, found {table[column].dtype}"
            )
    who = table[["stimulus_id"]].merge(stimuli, on="stimulus_id", how="left")
    who = who[["stimulus_id", "clip_id", "action", "condition"]]
    who = who.assign(frame=table.groupby("stimulus_id").cumcount())
    scores = log_probabilities(path, "the class columns", table[classes].to_numpy(), scale)
    return pd.concat([who, pd.DataFrame(scores, columns=classes)], axis=1)


def _is_of_this_toolkit(table: pd.DataFrame) -> bool:
    """Tell whether a table was written by scoring a study's own network, all versions in one.

    A class may be called "reading", but then its column holds numbers.
    """
    return "reading" in table and not pd.api.types.is_numeric_dtype(table["reading"])


def _first_reading(path: Path, table: pd.DataFrame, condition: str) -> pd.DataFrame:
    """Return the rows of one way of reading a version, without the columns that are no scores."""
    readings = list(table["reading"].unique())
    if len(readings) > 1:
        log.warning(
            "%s: %s is read in %d ways there: %r is taken, and not %s. Leave only the rows of "
            "another one in the file to take that",
            path, condition, len(readings), readings[0], ", ".join(map(repr, readings[1:])),
        )  # fmt: skip
    table = table[table["reading"].isin(readings[:1])]
    return table.drop(columns=["reading", "n_frames"], errors="ignore")


def _no_more_than_frames(path: Path, found: pd.Series, stimuli: pd.DataFrame) -> None:
    n_frames = stimuli.set_index("stimulus_id")["n_frames"]
    n_rows = found.value_counts().reindex(n_frames.index)
    too_many = n_rows[n_rows > n_frames]
    if len(too_many):
        name = too_many.index[0]
        raise StudyError(
            f"{path}: column 'stimulus_id': expected at most a row per frame, found "
            f"{too_many.iloc[0]} rows of {name!r}, which has {n_frames[name]} frames "
            f"({len(too_many)} such stimuli); are rows repeated?"
        )


def _in_order_of_frames(path: Path, table: pd.DataFrame) -> pd.DataFrame:
    """Sort a stimulus's rows by `frame`; without that column they are its frames in order."""
    if "frame" not in table:
        return table.reset_index(drop=True)
    twice = table.duplicated(list(WHO)).to_numpy()
    if twice.any():
        found = table.loc[table.index[twice.argmax()], list(WHO)].to_dict()
        raise StudyError(
            f"{path}: expected every frame of a stimulus once, found {found} again "
            f"({int(twice.sum())} such rows)"
        )
    return table.sort_values("frame", kind="stable").reset_index(drop=True)


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
