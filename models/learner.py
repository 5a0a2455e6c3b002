"""A network with its loss: what is computed, differentiated and compiled in one step."""

from __future__ import annotations

from torch import Tensor, nn

from models.batches import Batch
from models.loss import loss_terms
from models.network import COMBINED, Network
from study.fields import Model


class Learner(nn.Module):
    """A network and its loss as one module.

    Parts that no term of the loss depends on are then seen as unused by the module that shares
    gradients between processes, and torch.compile sees all of a step's forward pass.
    """

    def __init__(self, network: Network, model: Model, label_smoothing: float) -> None:
        super().__init__()
        self.network, self.losses, self.label_smoothing = network, model.losses, label_smoothing

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Return the terms of the loss, and "right": the share of frames answered rightly.

        Of the whole batch: the results of all processes add up to it.
        """
        outputs = self.network(batch.frames)
        terms = loss_terms(
            outputs, batch.labels, self.losses, self.label_smoothing, batch.counted, batch.share
        )
        labels = batch.labels[COMBINED]
        classes = labels if labels.ndim == 1 else labels.argmax(dim=1)
        right = (outputs[COMBINED].detach().argmax(dim=1) == classes).float().mean()
        return {**terms, "right": right * batch.share}


def set_training_mode(network: nn.Module) -> None:
    """Put what learns into training mode; frozen parts stay as they are when networks are read."""
    network.train()
    for module in network.modules():
        weights = list(module.parameters())
        if weights and not any(weight.requires_grad for weight in weights):
            module.eval()


def learns(network: nn.Module) -> bool:
    """Tell whether any weight of a network learns."""
    return any(weight.requires_grad for weight in network.parameters())
