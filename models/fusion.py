"""How the streams of a network become one answer."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from study.errors import check_one_of

HIDDEN = 512


class Sum(nn.Module):
    """The sum of the streams' class scores, as in the paper."""

    needs_all = False

    def __init__(self, streams: Sequence[str], n_features: dict[str, int], n_classes: int) -> None:
        super().__init__()

    def forward(self, scores: dict[str, Tensor], features: dict[str, Tensor]) -> Tensor:
        """Fuse scores (B, n_classes) by stream into (B, n_classes)."""
        return sum(scores.values())


class LearnedWeights(Sum):
    """A weighted sum of class scores; the weights are positive, learned, and start at 1."""

    def __init__(self, streams: Sequence[str], n_features: dict[str, int], n_classes: int) -> None:
        super().__init__(streams, n_features, n_classes)
        self.log_weights = nn.ParameterDict(
            {name: nn.Parameter(torch.zeros(())) for name in streams}
        )

    def forward(self, scores: dict[str, Tensor], features: dict[str, Tensor]) -> Tensor:
        return sum(self.log_weights[name].exp() * value for name, value in scores.items())


class Product(Sum):
    """The product of the streams' probabilities (Hinton, 2002), as logarithms.

    With the softmax over it, this is the same function as the sum of class scores: each stream's
    normalisation is a constant that the softmax takes out again. It differs from `Sum` only in the
    numbers that are written down, and is there because readers ask for it by name.
    """

    def forward(self, scores: dict[str, Tensor], features: dict[str, Tensor]) -> Tensor:
        return sum(value.log_softmax(dim=1) for value in scores.values())


class Mixture(Sum):
    """The mean of the streams' probabilities, as logarithms: one sure stream cannot be vetoed."""

    def forward(self, scores: dict[str, Tensor], features: dict[str, Tensor]) -> Tensor:
        logs = torch.stack([value.log_softmax(dim=1) for value in scores.values()])
        return torch.logsumexp(logs, dim=0) - math.log(len(scores))


class Perceptron(Sum):
    """A hidden layer on the concatenated features of all streams; none may be left out."""

    needs_all = True

    def __init__(self, streams: Sequence[str], n_features: dict[str, int], n_classes: int) -> None:
        super().__init__(streams, n_features, n_classes)
        self.streams = tuple(streams)
        n_in = sum(n_features[name] for name in streams)
        hidden = min(HIDDEN, n_in)
        self.layers = nn.Sequential(
            nn.Linear(n_in, hidden), nn.ReLU(inplace=True), nn.Linear(hidden, n_classes)
        )

    def forward(self, scores: dict[str, Tensor], features: dict[str, Tensor]) -> Tensor:
        return self.layers(torch.cat([features[name] for name in self.streams], dim=1))


FUSIONS: dict[str, Callable[[Sequence[str], dict[str, int], int], Sum]] = {
    "sum": Sum,
    "weights": LearnedWeights,
    "mlp": Perceptron,
    "product": Product,
    "mixture": Mixture,
}


def build_fusion(
    name: str, streams: Sequence[str], n_features: dict[str, int], n_classes: int
) -> Sum:
    """Build a fusion of `streams` by its name in the study file."""
    check_one_of("models.fusion", name, FUSIONS)
    return FUSIONS[name](streams, n_features, n_classes)
