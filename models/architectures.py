"""The networks that a study file may name, and how they are built."""

from __future__ import annotations

from typing import Any

import pandas as pd
import torch
from torch import nn

from models.baseline import Baseline, BaselineWide, Mixed
from models.domainnet import DomainNet, DomainNetRandom, DomainNetSwapped, TwoStreams
from models.flow import flow_method
from models.flow_networks import BaselineFlow, DomainNetFlow
from models.network import Network
from models.pretrained import Pretrained, action_of_label
from models.soft_mask import SoftMaskNet
from models.video import Video, VideoDomainNet
from models.views import MASKS, is_flow, version_of
from study.config import Model, Study
from study.errors import StudyError, check_one_of
from study.files import sha256_of
from study.model_files import model_files
from study.own_code import named_class

ARCHITECTURES: dict[str, type[Network]] = {
    "baseline": Baseline,
    "baseline_flow": BaselineFlow,
    "baseline_wide": BaselineWide,
    "mixed": Mixed,
    "domainnet": DomainNet,
    "domainnet_flow": DomainNetFlow,
    "domainnet_random": DomainNetRandom,
    "domainnet_swapped": DomainNetSwapped,
    "soft_mask": SoftMaskNet,
    "two_streams": TwoStreams,
    "video": Video,
    "video_domainnet": VideoDomainNet,
    "pretrained": Pretrained,
}


def architecture_of(model: Model) -> type[Network]:
    """Return the class of a network: of the registry, or one's own as module:Class.

    Raises
    ------
    StudyError
        For an unknown name, or a class that is no `models.network.Network`.
    """
    if ":" in model.architecture:
        return named_class("models.architecture", model.architecture, Network)
    check_one_of("models.architecture", model.architecture, ARCHITECTURES)
    return ARCHITECTURES[model.architecture]


def build_network(model: Model, n_classes: int, image_size: int, seed: int) -> nn.Module:
    """Build a network of the study with random weights that follow from `seed`.

    Raises
    ------
    StudyError
        For settings that the architecture cannot have, see the errors of `models.streams`,
        `models.backbones` and `models.pretrained`.
    """
    # torch draws initial weights from its global generator only: borrow it, then give it back.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = architecture_of(model)(model, n_classes, image_size)
    if model.blank_share > 0 and not network.mixes_parts:
        raise StudyError(
            f"model {model.name!r}: blank_share = {model.blank_share}, but no stream of "
            f"{model.architecture} is ever given the blank frame; expected 0"
        )
    # That layout is of images; clips have one dimension more.
    return network.to(memory_format=torch.channels_last) if network.n_frames == 1 else network


def check_networks(study: Study) -> None:
    """Build every network of a study once, so that mistakes show before hours of work are done.

    Raises
    ------
    StudyError
        For an unknown architecture or backbone, missing weights, settings that do not fit, and a
        version that is needed and not made.
    """
    for model in study.models:
        training, kind = study.training_of(model), architecture_of(model)
        check_versions(model, list(study.versions.conditions))
        if any(is_flow(view) for each in kind.trained_on for view in each.values()):
            flow_method(training)
        # Only the labels of a public classifier say how many actions it is for; any number does
        # for the others.
        is_public = issubclass(kind, Pretrained)
        n_classes = len(set(action_of_label(model).values())) if is_public else 2
        build_network(model, n_classes, training.image_size, seed=0)


def check_versions(model: Model, conditions: list[str]) -> None:
    """Check that the study makes the versions that a network is trained on.

    Raises
    ------
    StudyError
        When the study does not make one of them.
    """
    needed = {
        version_of(view) for each in architecture_of(model).trained_on for view in each.values()
    }
    missing = sorted(needed - set(conditions) - {MASKS})
    if missing:
        raise StudyError(
            f"model {model.name!r} ({model.architecture}) needs the version {missing[0]!r}, but "
            f"versions.conditions makes only {conditions}"
        )


def network_facts(study: Study, model: Model, manifest: pd.DataFrame) -> dict[str, Any]:
    """Return what trained weights must agree with to be of use to a study.

    Raises
    ------
    StudyError
        For an unknown architecture, or one that is not made for the study's actions.
    """
    classes = sorted(manifest["action"].unique())
    architecture_of(model).check_classes(model, classes)
    return {
        "architecture": model.architecture,
        "backbone": model.backbone,
        "fusion": model.fusion,
        "image_size": study.training_of(model).image_size,
        "classes": classes,
        "files": {file: sha256_of(path) for file, path in model_files(model).items()},
    }
