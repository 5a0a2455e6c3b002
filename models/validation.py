"""What is measured after every epoch, and which epoch's weights are kept.

Batch normalisation keeps running means and variances of its inputs, which average over the last ten
batches or so. While weights still move fast these lag behind them, and the network that is read is
another one than the network that was trained: on the synthetic world DomainNet's accuracy on
validation frames swung between chance and nine in ten from one epoch to the next. So the statistics
are taken anew, with the weights at rest, before anything is read ("precise BN", Wu & Johnson,
2021, Rethinking "Batch" in BatchNorm).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from models.batches import Batch
from models.devices import autocast
from models.inference import Reader
from models.learner import set_training_mode
from models.network import Network
from models.views import MASKS, version_of
from study.errors import StudyError
from study.fields import Training

# Batches whose statistics are averaged. With 5 of 32 frames the figures were as steady as with 20.
STATISTICS_BATCHES = 10

# The column of the learning curve by which epochs are compared.
MEAN = "accuracy_as_trained"


def learning_norms(network: nn.Module) -> list[_BatchNorm]:
    """Return the layers whose statistics follow from training frames."""
    set_training_mode(network)
    return [
        module
        for module in network.modules()
        if isinstance(module, _BatchNorm) and module.training and module.track_running_stats
    ]


@torch.no_grad()
def estimate_statistics(network: Network, batches: Iterable[Batch], precision: str) -> None:
    """Put the mean statistics of some batches into the layers that normalise by them.

    Parameters
    ----------
    network : Network
        In evaluation mode afterwards.
    batches : iterable of Batch
    precision : str
        As `training.precision`.
    """
    norms = learning_norms(network)
    network.eval()
    momentum = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # torch's way to say: the plain mean of all batches
        norm.train()
    if norms:
        for batch in batches:
            device = next(iter(batch.frames.values())).device
            with autocast(device, precision):
                network(batch.frames)
    for norm, before in zip(norms, momentum, strict=True):
        norm.momentum = before
    network.eval()


def versions_as_trained(network: Network, conditions: Sequence[str]) -> list[str]:
    """Return the versions that a network reads just as it was trained.

    Where there are none (streams that are exchanged after training), the versions of the views
    that it was trained on.
    """
    trained = [
        {stream: view for stream, view in reading.items() if view != MASKS}
        for reading in network.trained_on
    ]
    found = [
        name
        for name in conditions
        if any(reading in trained for reading in network.readings(name).values())
    ]
    views = {version_of(view) for reading in trained for view in reading.values()}
    return found or [name for name in conditions if name in views]


def validated(reader: Reader, classes: list[str], absent_part: str) -> dict[str, float]:
    """Return a row of the learning curve: accuracy per version, and the mean that decides.

    The mean is over the versions that the network reads as it was trained.
    """
    found = reader.validation_accuracy(classes, absent_part)
    deciding = [found[name] for name in versions_as_trained(reader.network, list(found))]
    mean = sum(deciding) / len(deciding) if deciding else math.nan
    return {f"validation_{name}": value for name, value in found.items()} | {MEAN: mean}


def check_can_decide(training: Training, n_clips: int) -> None:
    """Check that there are validation clips where the study file lets them decide.

    Raises
    ------
    StudyError
        When there are none.
    """
    asked = "keep = 'best'" if training.keep == "best" else f"patience = {training.patience}"
    if n_clips == 0 and (training.keep == "best" or training.patience is not None):
        raise StudyError(
            f"training.{asked} goes by validation clips, the manifest has none; expected "
            "split.validation_clips of at least 1"
        )


def best_epoch(curve: Sequence[dict[str, float]]) -> int:
    """Return the epoch (from 1) with the best validation accuracy, of equals the earliest; or 0."""
    values = [row[MEAN] for row in curve]
    return values.index(max(values)) + 1 if values and not math.isnan(max(values)) else 0


def is_over(curve: Sequence[dict[str, float]], training: Training) -> bool:
    """Tell whether a training has ended: by its epochs, or because it got no better."""
    if len(curve) >= training.epochs:
        return True
    return training.patience is not None and len(curve) - best_epoch(curve) >= training.patience
