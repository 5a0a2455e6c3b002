"""The networks that a study file may name, and how they are built."""

from __future__ import annotations

from typing import Any

import pandas as pd
import torch
from torch import nn

from models.baseline import Baseline
from models.domainnet import DomainNet
from study.config import Model
from study.errors import StudyError, check_one_of
from study.fields import Training

ARCHITECTURES: dict[str, type[nn.Module]] = {"baseline": Baseline, "domainnet": DomainNet}


def build_network(model: Model, n_classes: int, seed: int) -> nn.Module:
    """Build a network of the study with random weights that follow from `seed`.

    Its class has `streams` (stream to the version that it is trained on) and `readings` (what the
    streams see on a version); it maps frames by stream to class scores by loss term, the one named
    "combined" being the answer.
    """
    check_one_of("models.architecture", model.architecture, ARCHITECTURES)
    # torch draws initial weights from its global generator only: borrow it, then give it back.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = ARCHITECTURES[model.architecture](model.backbone, n_classes)
    return network.to(memory_format=torch.channels_last)


def trained_on(model: Model, conditions: list[str]) -> dict[str, str]:
    """Return stream -> version that it is trained on, all of which the study must make.

    Raises
    ------
    StudyError
        When the study does not make one of them.
    """
    streams = ARCHITECTURES[model.architecture].streams
    missing = [name for name in streams.values() if name not in conditions]
    if missing:
        raise StudyError(
            f"model {model.name!r} ({model.architecture}) needs the version {missing[0]!r}, but "
            f"versions.conditions makes only {conditions}"
        )
    return streams


def network_facts(model: Model, training: Training, manifest: pd.DataFrame) -> dict[str, Any]:
    """Return what trained weights must agree with to be of use to a study."""
    return {
        "architecture": model.architecture,
        "backbone": model.backbone,
        "image_size": training.image_size,
        "classes": sorted(manifest["action"].unique()),
    }
