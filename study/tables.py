"""The tables that rooms exchange: one schema each, one way to read, check and write them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pandera.pandas as pa

from study.conditions import CONDITION_NAMES
from study.errors import StudyError
from study.files import write_if_changed

SPLITS = ("train", "validation", "test", "none")
TRIAL_KINDS = ("practice", "test", "catch")
SHA256 = r"^[0-9a-f]{64}$"


def clips_schema() -> pa.DataFrameSchema:
    """Clips found, used or not.

    clip_id, action, group (recording session, may be empty) : text
    split : train, validation, test, or none for a clip that is left out
    reason : why it is left out, empty otherwise
    source : path of the source file
    n_frames : frames used; fps : frames per second; width, height : pixels of the source
    n_persons_max : most persons in one frame (-1 where the masks do not tell)
    mask_found : share of frames in which the person was found
    mask_quality : 0 (poor) to 1, from the four that follow
    mask_confidence : the segmenter's, mean over frames
    edge_agreement : how well the outline follows edges of the picture
    area_jumps : how much the person's area jumps from frame to frame
    share_filled : share of frames in which the person was missed and filled in
    source_sha256 : of the source file
    """
    return _schema(
        clip_id=_id(unique=True),
        action=_id(),
        group=_text(),
        split=pa.Column(str, pa.Check.isin(SPLITS)),
        reason=_text(),
        source=_id(),
        n_frames=_count(),
        fps=_number(0),
        width=_count(),
        height=_count(),
        n_persons_max=pa.Column("int64", pa.Check.ge(-1)),
        mask_found=_number(0, 1),
        mask_quality=_number(0, 1),
        mask_confidence=_number(),
        edge_agreement=_number(),
        area_jumps=_number(),
        share_filled=_number(0, 1),
        source_sha256=_text(),
    )


def manifest_schema() -> pa.DataFrameSchema:
    """A row per version of a clip.

    stimulus_id, clip_id, action : text
    condition : name of the version
    split : train, validation or test
    path : file, relative to the results folder
    n_frames : frames; fps : frames per second; width, height : pixels
    body_fraction : mean share of the frame that is person
    hidden_fraction : mean share of the frame that this version hides
    luminance, contrast : mean luma and its RMS contrast within frames, 0..1 of white
    background_of : the clip whose background is shown, empty where it is the clip's own
    sha256, source_sha256 : of the version's file and of the source file
    """
    return _schema(
        stimulus_id=_id(unique=True),
        clip_id=_id(),
        action=_id(),
        condition=pa.Column(str, pa.Check.isin(CONDITION_NAMES)),
        split=pa.Column(str, pa.Check.isin(SPLITS[:3])),
        path=_id(),
        n_frames=_count(1),
        fps=_number(0),
        width=_count(1),
        height=_count(1),
        body_fraction=_number(0, 1),
        hidden_fraction=_number(0, 1),
        luminance=_number(0, 1),
        contrast=_number(0, 1),
        background_of=_text(),
        sha256=pa.Column(str, pa.Check.str_matches(SHA256)),
        source_sha256=pa.Column(str, pa.Check.str_matches(SHA256)),
    )


def choices_schema() -> pa.DataFrameSchema:
    """The fixed labels of every action: action, choice_1 .. choice_k; choice_1 is the right one."""
    return _schema(strict=False, action=_id(unique=True), choice_1=_id(), choice_2=_id())


def trials_schema() -> pa.DataFrameSchema:
    """A row per trial of a participant.

    participant : "01", "02", ...; session, trial : counted from 1
    block : counted from 1; practice is block 0
    kind : practice, test, or catch (a check of attention)
    stimulus_id, clip_id, action, condition : what is shown
    choice_1 .. choice_k : labels in the order shown
    """
    return _schema(
        strict=False,
        unique=["participant", "session", "trial"],
        participant=_id(),
        session=_count(1),
        block=_count(),
        trial=_count(1),
        kind=pa.Column(str, pa.Check.isin(TRIAL_KINDS)),
        stimulus_id=_id(),
        clip_id=_id(),
        action=_id(),
        condition=pa.Column(str, pa.Check.isin(CONDITION_NAMES)),
        choice_1=_id(),
        choice_2=_id(),
    )


def familiarisation_schema() -> pa.DataFrameSchema:
    """A row per still that a participant sees, with its action's label, before the first trial.

    participant : "01", "02", ...; place : counted from 1
    clip_id, action, stimulus_id : the original of a validation clip
    """
    return _schema(
        unique=["participant", "place"],
        participant=_id(),
        place=_count(1),
        clip_id=_id(),
        action=_id(),
        stimulus_id=_id(),
    )


def responses_schema() -> pa.DataFrameSchema:
    """A row per answer, of people and of networks alike.

    observer : who answered, e.g. "01" or "baseline-seed0"
    group : human, simulated, or a model's name
    session, trial : counted from 1
    stimulus_id, clip_id, action, condition : what was shown
    choices : the labels in the order shown, joined by "|"
    response : the label chosen
    correct : 0 or 1
    rt_s : seconds from the onset of the choices (empty for networks)
    time_utc : ISO 8601 (empty where it would make equal runs differ: networks, simulated)
    """
    return _schema(
        unique=["observer", "group", "session", "trial"],
        observer=_id(),
        group=_id(),
        session=_count(1),
        trial=_count(1),
        stimulus_id=_id(),
        clip_id=_id(),
        action=_id(),
        condition=pa.Column(str, pa.Check.isin(CONDITION_NAMES)),
        choices=_id(),
        response=_id(),
        correct=pa.Column("int64", pa.Check.isin([0, 1])),
        rt_s=_number(0, nullable=True),
        time_utc=_text(),
    )


def margins_schema() -> pa.DataFrameSchema:
    """How sure a network is of an action.

    model : text; seed : number; action : text; margin : mean over the validation clips of the
    log-probability of the right action minus the best other one
    """
    return _schema(
        unique=["model", "seed", "action"],
        model=_id(),
        seed=_count(),
        action=_id(),
        margin=_number(),
    )


SCHEMAS: dict[str, Callable[[], pa.DataFrameSchema]] = {
    "clips": clips_schema,
    "manifest": manifest_schema,
    "choices": choices_schema,
    "trials": trials_schema,
    "familiarisation": familiarisation_schema,
    "responses": responses_schema,
    "margins": margins_schema,
}


def read_table(kind: str, path: Path) -> pd.DataFrame:
    """Read and check one of the tables in `SCHEMAS`.

    Raises
    ------
    StudyError
        When the file is missing or a column is missing, unknown, of a wrong type, or out of range;
        names the file, the column, the row (counted as in an editor) and the value.
    """
    schema = SCHEMAS[kind]()
    if not path.is_file():
        raise StudyError(f"{path}: no such file; the table of {kind} has not been made yet")
    return check_table(kind, _with_numbers(read_text_table(path), schema, path), path)


def read_text_table(path: Path) -> pd.DataFrame:
    """Read a CSV file in which all is text: an action may be called "null", a participant "01".

    Raises
    ------
    StudyError
        When there is no such file or it is not a CSV table.
    """
    if not path.is_file():
        raise StudyError(f"{path}: no such file")
    try:
        return pd.read_csv(path, dtype=str, keep_default_na=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise StudyError(f"{path}: not a readable CSV table: {error}") from error


def check_table(kind: str, table: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Check a table against its schema; `path` is named in the error."""
    schema = SCHEMAS[kind]()
    keys = list(schema.unique or [])
    if keys and set(keys) <= set(table.columns):
        repeated = table.duplicated(keys).to_numpy()
        if repeated.any():
            row = int(repeated.argmax())
            found = table[keys].iloc[row].to_dict()
            raise StudyError(
                f"{path}: not a valid table of {kind}: line {row + 2} repeats {found} "
                f"({int(repeated.sum())} such lines); expected each once"
            )
    try:
        return schema.validate(table, lazy=True)
    except pa.errors.SchemaErrors as error:
        raise StudyError(f"{path}: not a valid table of {kind}: {_explain(error)}") from error


def write_table(kind: str, table: pd.DataFrame, path: Path) -> None:
    """Check a table, then write it, whole or not at all; an equal file keeps its time."""
    checked = check_table(kind, table, path)
    write_if_changed(path, checked.to_csv(index=False, lineterminator="\n"))


def choice_columns(table: pd.DataFrame) -> list[str]:
    """Return the columns choice_1 .. choice_k in order."""
    found = [name for name in table.columns if name.startswith("choice_")]
    return sorted(found, key=lambda name: int(name.removeprefix("choice_")))


def _schema(
    strict: bool = True, unique: list[str] | None = None, **columns: pa.Column
) -> pa.DataFrameSchema:
    return pa.DataFrameSchema(columns, strict=strict, unique=unique)


def _id(unique: bool = False) -> pa.Column:
    return pa.Column(str, pa.Check.str_length(min_value=1), unique=unique)


def _text() -> pa.Column:
    return pa.Column(str)


def _count(least: int = 0) -> pa.Column:
    return pa.Column("int64", pa.Check.ge(least))


def _number(
    least: float | None = None, most: float | None = None, nullable: bool = False
) -> pa.Column:
    checks = []
    if least is not None:
        checks.append(pa.Check.ge(least))
    if most is not None:
        checks.append(pa.Check.le(most))
    return pa.Column("float64", checks, nullable=nullable)


def _with_numbers(table: pd.DataFrame, schema: pa.DataFrameSchema, path: Path) -> pd.DataFrame:
    """Turn the columns that the schema calls numbers into numbers."""
    table = table.copy()
    for name, column in schema.columns.items():
        if name not in table or str(column.dtype) not in ("int64", "float64"):
            continue
        text = table[name]
        numbers = pd.to_numeric(text.where(text != ""), errors="coerce")
        wrong = numbers.isna() & ((text != "") | (not column.nullable))
        if wrong.any():
            row = int(wrong.to_numpy().argmax())
            raise StudyError(
                f"{path}: column {name!r}, line {row + 2}: expected a number, "
                f"found {text.iloc[row]!r}"
            )
        whole = str(column.dtype) == "int64" and (numbers % 1 == 0).all()
        table[name] = numbers.astype("int64" if whole else "float64")
    return table


def _explain(error: pa.errors.SchemaErrors) -> str:
    """Say the first few failures with column, line and value."""
    said = []
    for case in error.failure_cases.head(5).itertuples():
        where = f"column {case.column!r}" if case.column else "the table"
        line = f", line {int(case.index) + 2}" if pd.notna(case.index) else ""
        said.append(f"{where}{line}: {case.check} (found {case.failure_case!r})")
    more = len(error.failure_cases) - len(said)
    return "; ".join(said) + (f"; and {more} more" if more > 0 else "")
