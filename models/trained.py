"""A trained network of a study, with its frames and its classes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from models.architectures import build_network, network_facts
from models.backbones import as_input
from models.checkpoint import load_weights, read_checkpoint
from models.devices import pick_device
from models.frames import FrameCache
from models.network import Network
from models.network_frames import open_for
from models.views import Reading
from study.config import Study
from study.fields import Model
from study.results import Results
from study.tables import read_table


@dataclass(frozen=True)
class Trained:
    """What a checkpoint needs around it to be used.

    Attributes
    ----------
    model : Model
        Its section of the study file.
    seed : int
    network : Network
        In evaluation mode, on `device`.
    device : torch.device
    classes : list of str
    cache : FrameCache
    manifest : DataFrame
    """

    model: Model
    seed: int
    network: Network
    device: torch.device
    classes: list[str]
    cache: FrameCache
    manifest: pd.DataFrame

    @property
    def observer(self) -> str:
        """Its name in tables of answers."""
        return f"{self.model.name}-seed{self.seed}"

    def frames(self, reading: Reading, positions: np.ndarray) -> dict[str, Tensor]:
        """Return what each stream of a reading sees at some places (n,): (n, 3, S, S) in 0..1."""
        return {
            stream: as_input(torch.from_numpy(self.cache.take(view, positions)), self.device)
            for stream, view in reading.items()
        }


def load_trained(
    study: Study, results: Results, name: str, seed: int, views: Collection[str] = ()
) -> Trained:
    """Load a network that `models.train.train_model` has trained.

    Parameters
    ----------
    views : collection of str
        Further views (see `models.views`) that the frames shall hold.

    Raises
    ------
    StudyError
        When the network is not trained, or was trained on other classes or settings.
    """
    model = study.model(name)
    training = study.training_of(model)
    manifest = read_table("manifest", results.manifest)
    facts = network_facts(study, model, manifest)
    checkpoint = read_checkpoint(results.checkpoint(name, seed))
    if training.threads is not None:
        torch.set_num_threads(training.threads)
    device = pick_device(training.device)
    network = build_network(model, len(facts["classes"]), training.image_size, seed)
    load_weights(network, checkpoint, facts)
    cache = open_for(network, results, manifest, training, further=views)
    return Trained(
        model, seed, network.to(device).eval(), device, facts["classes"], cache, manifest
    )
