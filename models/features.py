"""What the layers of a network put out for every stimulus, for analyses elsewhere."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from models.inference import headline
from models.layers import as_map, chosen_layers, outputs_of
from models.trained import Trained, load_trained
from models.views import Reading, seen_by
from study.config import Study
from study.files import whole_file
from study.progress import progress
from study.results import Results

log = logging.getLogger("bodyscene")


def write_features(
    study: Study, results: Results, name: str, seed: int, layers: Sequence[str] = ()
) -> list[Path]:
    """Write the features of every test stimulus, layer by layer.

    A stimulus is read as in scoring (its headline reading); a feature is the mean over places and
    over the clip's frames. A layer has no row of a version that its stream does not see.

    Parameters
    ----------
    study : Study
    results : Results
        Gets ``features/NAME-seedN/STREAM.LAYER.parquet``: stimulus_id, condition, and a column of
        float32 per channel.
    name : str
        A model of the study.
    seed : int
    layers : sequence of str
        STREAM.LAYER, ``*`` for anything; by default the blocks of every backbone.

    Returns
    -------
    list of Path
        The files.

    Raises
    ------
    StudyError
        When the network is not trained, has no streams of pictures, or has no such layer.
    """
    trained = load_trained(study, results, name, seed)
    chosen = chosen_layers(trained.network, layers)
    stimuli = trained.manifest[trained.manifest["split"] == "test"]
    conditions = [c for c in stimuli["condition"].unique() if trained.network.readings(c)]
    rows: dict[str, list[pd.DataFrame]] = {layer: [] for layer in chosen}
    with progress(f"features {name}, seed {seed}", len(conditions), "versions") as advance:
        for condition in conditions:
            reading = headline(trained.network.readings(condition), trained.model.absent_part)
            for layer, table in _clip_features(trained, reading, chosen).items():
                rows[layer].append(table.assign(condition=condition))
            advance()
    ids = stimuli.set_index(["clip_id", "condition"])["stimulus_id"]
    return [_write(results.features(name, seed), layer, rows[layer], ids) for layer in chosen]


def _clip_features(
    trained: Trained, reading: Reading, layers: Sequence[str]
) -> dict[str, pd.DataFrame]:
    """Return layer -> table of clip_id and a column per channel, for streams that see something."""
    wanted = [layer for layer in layers if seen_by(reading, layer.partition(".")[0])]
    clips = trained.cache.of_split("test")
    found: dict[str, list[np.ndarray]] = {layer: [] for layer in wanted}
    for clip in clips.itertuples():
        sums: dict[str, np.ndarray] = {}
        for positions in _batches(clip.start, clip.n_frames):
            for layer, values in _frame_features(trained, reading, wanted, positions).items():
                sums[layer] = sums.get(layer, 0.0) + values.sum(axis=0, dtype=np.float64)
        for layer, total in sums.items():
            found[layer].append(total / clip.n_frames)
    return {
        layer: pd.DataFrame(np.array(values, np.float32)).assign(clip_id=clips["clip_id"])
        for layer, values in found.items()
    }


def _batches(start: int, n_frames: int, size: int = 64) -> Iterator[np.ndarray]:
    positions = np.arange(start, start + n_frames)
    for first in range(0, n_frames, size):
        yield positions[first : first + size]


def _frame_features(
    trained: Trained, reading: Reading, layers: Sequence[str], positions: np.ndarray
) -> dict[str, np.ndarray]:
    with torch.inference_mode(), outputs_of(trained.network, layers) as outputs:
        trained.network(trained.frames(reading, positions))
    values = {}
    for layer, output in outputs.items():
        shaped = as_map(output)
        if shaped is not None:
            output = shaped.mean(dim=(2, 3))
        values[layer] = output.float().reshape(len(positions), -1).cpu().numpy()
    return values


def _write(folder: Path, layer: str, tables: list[pd.DataFrame], ids: pd.Series) -> Path:
    table = pd.concat(tables, ignore_index=True)
    keys = list(zip(table.pop("clip_id"), table.pop("condition"), strict=True))
    table.columns = [f"feature_{column}" for column in table.columns]
    table.insert(0, "condition", [condition for _, condition in keys])
    table.insert(0, "stimulus_id", ids.loc[keys].to_numpy())
    path = folder / f"{re.sub(r'[^A-Za-z0-9_.-]', '_', layer)}.parquet"
    with whole_file(path) as partial:
        table.to_parquet(partial, index=False)
    return path
