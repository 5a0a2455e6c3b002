"""What finished weights follow from: only when that changes a network is trained again."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pandas as pd

from models.batches import trained_views
from models.inference import headline
from models.learner import learns
from models.network import Network
from models.validation import versions_as_trained
from models.views import BLANK, LENT_BACKGROUND, MASKS, Reading, version_of
from study.config import Model, Study
from study.fields import Training
from study.files import key_of, sha256_of
from study.results import Results
from study.steps import step_settings


def training_key(
    study: Study, results: Results, network: Network, seed: int, manifest: pd.DataFrame
) -> str:
    """Return a key of everything that the finished weights of a network depend on.

    These are its settings and seed, the classes, and what its streams see of the training clips;
    of the validation clips only where they decide which weights are kept or when training stops.
    Other versions of the clips may come and go.

    Parameters
    ----------
    study : Study
    results : Results
        Holds the masks, for networks that learn from them.
    network : Network
        As it is built, with any weights.
    seed : int
    manifest : DataFrame
        See `study.tables.manifest_schema`.
    """
    model = network.settings
    training = study.training_of(model)
    settings = step_settings(study, "train", model.name)
    # It counts by what it lets the network see, below.
    settings["model"].pop("absent_part", None)
    views = trained_views(network, with_blank=model.blank_share > 0)
    seen = [
        _shown(results, manifest, "train", views),
        _deciding(results, network, model, training, manifest),
    ]
    classes = sorted(manifest["action"].unique())
    return key_of(settings, seed, classes, seen if learns(network) else [])


def _deciding(
    results: Results, network: Network, model: Model, training: Training, manifest: pd.DataFrame
) -> list[Any]:
    """Return what validation shows where it decides, and by which streams it is seen."""
    if training.keep != "best" and training.patience is None:
        return []
    ways = {name: network.readings(name) for name in manifest["condition"].unique()}
    readable = [name for name, found in ways.items() if found]
    readings: dict[str, Reading] = {
        name: headline(ways[name], model.absent_part)
        for name in versions_as_trained(network, readable)
    }
    views = {view for reading in readings.values() for view in reading.values()}
    return [readings, _shown(results, manifest, "validation", views)]


def _shown(
    results: Results, manifest: pd.DataFrame, split: str, views: Collection[str]
) -> list[Any]:
    """Return the clips of a split in their order, and what tells their views from others."""
    versions = {version_of(view) for view in views}
    if BLANK in versions:
        # Its colour is read from there.
        versions.add("body_only")
    rows = manifest[(manifest["split"] == split) & manifest["condition"].isin(versions)]
    if LENT_BACKGROUND in versions:
        # A lender may be of any split.
        lent = manifest["condition"].isin(["swapped_background", "background_only"])
        rows = pd.concat([rows, manifest[lent]])
    clips = manifest.loc[manifest["split"] == split, ["clip_id", "action"]].drop_duplicates()
    stimuli = rows[["stimulus_id", "action", "background_of", "sha256"]].sort_values("stimulus_id")
    content = [clips.to_numpy().tolist(), stimuli.to_numpy().tolist()]
    if MASKS in versions:
        content.append([_hash_of_masks(results, clip) for clip in clips.itertuples()])
    return content


def _hash_of_masks(results: Results, clip: Any) -> str:
    """Return the SHA-256 of a clip's masks; empty where they are missing (frames will say so)."""
    path = results.masks / clip.action / f"{clip.clip_id}.npz"
    return sha256_of(path) if path.is_file() else ""
