"""Scores on disk, each version with the key of what it was made of: nothing is scored twice."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from study.files import whole_file

# In the header of the Parquet files.
ENTRY = b"bodyscene"
# Stands for all versions together.
ALL = "all"


@dataclass(frozen=True)
class KeptScores:
    """The scores of one network: the whole table, and parts of one that is not finished.

    Attributes
    ----------
    path : Path
        The whole table.
    parts : Path
        Folder of single versions; removed when the table is whole.
    """

    path: Path
    parts: Path

    def whole(self, key: str) -> pd.DataFrame | None:
        """Return the whole table if it was made of what `key` stands for."""
        return pd.read_parquet(self.path) if read_keys(self.path).get(ALL) == key else None

    def version(self, condition: str, key: str, stimuli: pd.Series) -> pd.DataFrame | None:
        """Return the rows of one version, of the part or of a whole table, if the key is theirs.

        Parameters
        ----------
        condition : str
        key : str
        stimuli : Series of str
            The version's stimulus_id.
        """
        for path in (self._part(condition), self.path):
            if read_keys(path).get(condition) == key:
                table = pd.read_parquet(path)
                return table[table["stimulus_id"].isin(stimuli)].reset_index(drop=True)
        return None

    def keep(self, condition: str, key: str, table: pd.DataFrame) -> None:
        """Write the rows of one version."""
        _write(self._part(condition), table, {condition: key})

    def finish(self, table: pd.DataFrame, keys: dict[str, str]) -> None:
        """Write the whole table; `keys` by version, and of `ALL`."""
        _write(self.path, table, keys)
        shutil.rmtree(self.parts, ignore_errors=True)

    def _part(self, condition: str) -> Path:
        return self.parts / f"{condition}.parquet"


def score_rows(
    stimuli: pd.DataFrame, scores: dict[str, np.ndarray], classes: list[str]
) -> pd.DataFrame:
    """Return stimulus_id, reading and a column per class (float32), reading after reading."""
    tables = []
    for reading, values in scores.items():
        table = pd.DataFrame(values.astype(np.float32), columns=classes)
        table.insert(0, "reading", reading)
        table.insert(0, "stimulus_id", stimuli["stimulus_id"].to_numpy())
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def read_keys(path: Path) -> dict[str, str]:
    """Return the keys in a table's header by version; none where there is no (whole) table."""
    try:
        return json.loads((pq.read_schema(path).metadata or {})[ENTRY])
    except (OSError, pa.ArrowInvalid, KeyError, ValueError):
        return {}


def header_of(schema: pa.Schema, keys: Mapping[str, str]) -> pa.Schema:
    """Return a schema whose header holds these keys by version."""
    entry = json.dumps(dict(keys), sort_keys=True).encode()
    return schema.with_metadata({**(schema.metadata or {}), ENTRY: entry})


def _write(path: Path, table: pd.DataFrame, keys: dict[str, str]) -> None:
    content = pa.Table.from_pandas(table, preserve_index=False)
    header = header_of(content.schema, keys).metadata
    with whole_file(path) as partial:
        pq.write_table(content.replace_schema_metadata(header), partial)
