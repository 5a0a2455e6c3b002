"""The optimizer and its learning rate."""

from __future__ import annotations

import math

import torch
from torch import nn

from study.fields import Training

# The share of all steps over which a schedule raises the learning rate to its peak.
WARM_UP = 0.05

FUSED_DEVICES = ("cpu", "cuda")


def learning_rate(step: int, training: Training) -> float:
    """Return the learning rate of a step: constant, or a linear rise and half a cosine down."""
    if training.schedule == "constant":
        return training.lr
    n_steps = training.epochs * training.batches_per_epoch
    n_rising = max(1, round(WARM_UP * n_steps))
    if step < n_rising:
        return training.lr * (step + 1) / n_rising
    done = (step - n_rising) / max(1, n_steps - n_rising)
    return training.lr * 0.5 * (1 + math.cos(math.pi * done))


def build_optimizer(network: nn.Module, training: Training) -> torch.optim.Optimizer:
    """Return the optimizer that the study file names, for all that learns.

    Its steps are fused into few kernels where torch can.
    """
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    fused = all(weight.device.type in FUSED_DEVICES for weight in weights)
    settings = {"lr": training.lr, "weight_decay": training.weight_decay, "fused": fused}
    if training.optimizer == "sgd":
        return torch.optim.SGD(weights, momentum=training.momentum, **settings)
    return torch.optim.AdamW(weights, **settings)
