"""Scores of single frames on disk: written as they come, whole or absent, version by version."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from models.kept_scores import ALL, header_of, read_keys
from models.moments import Moments
from study.errors import StudyError
from study.files import whole_file

# Of a row group: so much of every reading is in memory at once. Smaller groups would save nothing:
# Parquet keeps about 1 KB per group and column in memory until a file is closed.
ROWS_AT_ONCE = 16384
WHO = ("stimulus_id", "reading", "frame", "n_frames")


class FrameSink:
    """Takes the scores of frames as they are made, and writes them in groups of equal size.

    A group holds rows of one reading.

    Parameters
    ----------
    writer : ParquetWriter
    moments : DataFrame
        See `moments_table`: what the rows of every reading are of, in their order.
    """

    def __init__(self, writer: pq.ParquetWriter, moments: pd.DataFrame) -> None:
        self._writer, self._moments = writer, moments
        self._waiting: dict[str, list[np.ndarray]] = {}
        self._written: dict[str, int] = {}

    def add(self, reading: str, log_probabilities: np.ndarray) -> None:
        """Take the next frames of a reading, (b, n_classes)."""
        waiting = self._waiting.setdefault(reading, [])
        waiting.append(log_probabilities.astype(np.float32))
        if sum(map(len, waiting)) >= ROWS_AT_ONCE:
            rows = np.concatenate(waiting)
            n_full = len(rows) // ROWS_AT_ONCE * ROWS_AT_ONCE
            self._write(reading, rows[:n_full])
            self._waiting[reading] = [rows[n_full:]]

    def finish(self) -> None:
        """Write what is left."""
        for reading, waiting in self._waiting.items():
            self._write(reading, np.concatenate(waiting))

    def _write(self, reading: str, rows: np.ndarray) -> None:
        done = self._written.get(reading, 0)
        self._written[reading] = done + len(rows)
        who = self._moments.iloc[done : done + len(rows)].assign(reading=reading)
        columns = [who[name].to_numpy() for name in WHO] + list(rows.T)
        schema = self._writer.schema
        arrays = [
            pa.array(column, kind) for column, kind in zip(columns, schema.types, strict=True)
        ]
        if len(rows):
            self._writer.write_table(pa.Table.from_arrays(arrays, schema=schema), ROWS_AT_ONCE)


@dataclass(frozen=True)
class KeptFrames:
    """The frame scores of one network: the whole table, and parts of one that is not finished.

    Attributes
    ----------
    path : Path
        The whole table: stimulus_id, reading, frame (the first that was read, counted from 0 in
        the stimulus), n_frames (so many were read at once), a column per class with the
        log-probability (float32). Version after version, within it reading after reading.
    parts : Path
        Folder of single versions; removed when the table is whole.
    """

    path: Path
    parts: Path

    def is_whole(self, key: str) -> bool:
        """Tell whether the whole table was made of what `key` stands for."""
        return read_keys(self.path).get(ALL) == key

    def has(self, condition: str, key: str) -> bool:
        """Tell whether there are the rows of one version, made of what `key` stands for."""
        return self._source(condition, key) is not None

    @contextlib.contextmanager
    def writing(
        self, condition: str, key: str, moments: pd.DataFrame, classes: Sequence[str]
    ) -> Iterator[FrameSink]:
        """Give a sink for the rows of one version; they are kept if the block succeeds."""
        schema = _schema(classes, {condition: key})
        with whole_file(self._part(condition)) as partial, _writer(partial, schema) as writer:
            sink = FrameSink(writer, moments)
            yield sink
            sink.finish()

    def finish(self, stimuli: Mapping[str, pd.Series], keys: Mapping[str, str]) -> None:
        """Put the versions together, a row group in memory at a time.

        Parameters
        ----------
        stimuli : mapping of str to Series
            Version -> its stimulus_id.
        keys : mapping of str to str
            By version, and of `ALL`.
        """
        sources = {each: self._source(each, keys[each]) for each in stimuli}
        with whole_file(self.path) as partial, contextlib.ExitStack() as stack:
            writer = None
            for condition, source in sources.items():
                with pq.ParquetFile(source) as content:
                    if writer is None:
                        schema = header_of(content.schema_arrow, keys)
                        writer = stack.enter_context(_writer(partial, schema))
                    for group in _groups_of(content, set(stimuli[condition])):
                        writer.write_table(content.read_row_group(group), ROWS_AT_ONCE)
        shutil.rmtree(self.parts, ignore_errors=True)

    def drop_unless(self, key: str) -> None:
        """Delete what is of other weights, settings or stimuli, where no new ones are wanted."""
        if not self.is_whole(key):
            self.path.unlink(missing_ok=True)
        shutil.rmtree(self.parts, ignore_errors=True)

    def _source(self, condition: str, key: str) -> Path | None:
        paths = (self._part(condition), self.path)
        return next((path for path in paths if read_keys(path).get(condition) == key), None)

    def _part(self, condition: str) -> Path:
        return self.parts / f"{condition}.parquet"


def moments_table(moments: Moments, clips: pd.DataFrame, stimuli: pd.DataFrame) -> pd.DataFrame:
    """Say of every moment which stimulus it is of, and which of its frames.

    Parameters
    ----------
    moments : Moments
        Of `clips`.
    clips : DataFrame
        clip_id, start: a row per clip.
    stimuli : DataFrame
        clip_id, stimulus_id: of one version.

    Returns
    -------
    DataFrame
        stimulus_id, frame, n_frames.
    """
    stimulus_of = stimuli.set_index("clip_id")["stimulus_id"]
    own = clips.iloc[moments.clip]
    read = moments.positions.reshape(len(own), -1)
    # Of a clip that is shorter than a span the frames are repeated, and rise all the same.
    return pd.DataFrame(
        {
            "stimulus_id": stimulus_of.loc[own["clip_id"]].to_numpy(),
            "frame": read[:, 0] - own["start"].to_numpy(),
            "n_frames": read[:, -1] - read[:, 0] + 1,
        }
    )


def check_class_names(classes: Sequence[str]) -> None:
    """Check that no class is called as one of the tables' own columns.

    Raises
    ------
    StudyError
        Names the class.
    """
    taken = sorted(set(classes) & set(WHO))
    if taken:
        raise StudyError(
            f"the action {taken[0]!r}: tables of scores have a column of this name for something "
            f"else, besides one per action; expected another name than {', '.join(WHO)}"
        )


def _schema(classes: Sequence[str], keys: Mapping[str, str]) -> pa.Schema:
    kinds = [pa.string(), pa.string(), pa.int32(), pa.int32()]
    who = list(zip(WHO, kinds, strict=True))
    return header_of(pa.schema([*who, *((name, pa.float32()) for name in classes)]), keys)


def _writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    """Open a writer; numbers that hardly repeat gain nothing from a dictionary or statistics."""
    named = list(WHO[:2])
    return pq.ParquetWriter(path, schema, use_dictionary=named, write_statistics=named)


def _groups_of(content: pq.ParquetFile, stimuli: set[str]) -> list[int]:
    """Return the row groups of some stimuli, reading after reading in the order they come."""
    found: dict[str, list[int]] = {}
    for group in range(content.num_row_groups):
        first = content.read_row_group(group, columns=["stimulus_id", "reading"]).slice(0, 1)
        row = first.to_pylist()[0]
        if row["stimulus_id"] in stimuli:
            found.setdefault(row["reading"], []).append(group)
    return [group for groups in found.values() for group in groups]
