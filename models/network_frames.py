"""The frames that a network of the study sees, opened (and made) by what it reads."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import pandas as pd

from models.architectures import build_network
from models.flow import flow_method
from models.frames import FrameCache, make_frames_ahead, open_frames
from models.learner import learns
from models.network import Network
from models.sampling import check_training_clips
from models.views import BLANK
from study.config import Study
from study.fields import Training
from study.results import Results
from study.tables import read_table


def views_of(network: Network, conditions: Sequence[str], to_train: bool) -> list[str]:
    """Return the views by which a network reads the versions, and those that it is trained on.

    Parameters
    ----------
    network : Network
    conditions : sequence of str
        The versions that the study makes.
    to_train : bool
        Whether it shall be trained: masks, for instance, are seen only then.
    """
    read = [reading for name in conditions for reading in network.readings(name).values()]
    if to_train:
        read += network.trained_on
    views = [view for reading in read for view in reading.values()]
    if to_train and network.mixes_parts:
        views.append(BLANK)
    return sorted(set(views))


def open_for(
    network: Network,
    results: Results,
    manifest: pd.DataFrame,
    training: Training,
    to_train: bool = False,
    further: Collection[str] = (),
) -> FrameCache:
    """Open the frames that a network sees, at its size; see `models.frames.open_frames`.

    Parameters
    ----------
    further : collection of str
        Views that are wanted besides, for instance the masks.
    """
    conditions = list(manifest["condition"].unique())
    views = [*views_of(network, conditions, to_train), *further]
    return open_frames(results, manifest, training.image_size, views, flow_method(training))


def make_for(
    network: Network, results: Results, manifest: pd.DataFrame, training: Training
) -> None:
    """Make the frames that a network is trained on, where they are missing, without opening them.

    Raises
    ------
    StudyError
        As `models.frames.open_frames`.
    """
    views = views_of(network, list(manifest["condition"].unique()), to_train=True)
    make_frames_ahead(results, manifest, training.image_size, views, flow_method(training))


def make_frames(study: Study, results: Results) -> None:
    """Make the frames of all networks of a study, as training them would.

    Raises
    ------
    StudyError
        As `models.frames.open_frames`, when a network cannot be built, and when one shall learn a
        class that no training clip shows.
    """
    manifest = read_table("manifest", results.manifest)
    classes = sorted(manifest["action"].unique())
    for model in study.models:
        training = study.training_of(model)
        network = build_network(model, len(classes), training.image_size, seed=0)
        if learns(network):
            check_training_clips(manifest, classes)
        make_for(network, results, manifest, training)
