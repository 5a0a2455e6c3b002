"""The loss: a cross-entropy for each stream and one for the answer, added up."""

from __future__ import annotations

from torch import Tensor, nn


def loss_terms(scores: dict[str, Tensor], labels: Tensor) -> dict[str, Tensor]:
    """Return the cross-entropy of every output of a network.

    Parameters
    ----------
    scores : dict of str to Tensor
        Class scores (B, n_classes): "combined", and one per stream where there are several.
    labels : Tensor
        Right classes (B,).

    Returns
    -------
    dict of str to Tensor
        One number per output; the loss is their sum. For DomainNet that is
        CE(body) + CE(background) + CE(body + background).
    """
    return {name: nn.functional.cross_entropy(out, labels) for name, out in scores.items()}
