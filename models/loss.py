"""The loss: a cross-entropy for each stream and one for the answer, weighted and added up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from torch import Tensor, nn

from models.network import COMBINED
from study.errors import StudyError

Value = TypeVar("Value")

# A frame with this label is left out of a term: its stream saw nothing of the clip.
IGNORED = -100


def loss_terms(
    outputs: Mapping[str, Tensor],
    labels: Tensor | Mapping[str, Tensor],
    weights: Mapping[str, float] | None = None,
    label_smoothing: float = 0.0,
    counted: Mapping[str, float] | None = None,
    share: float = 1.0,
) -> dict[str, Tensor]:
    """Return the weighted terms of the loss; their sum is the loss.

    Parameters
    ----------
    outputs : mapping of str to Tensor
        Of a network: class scores (B, n_classes) by term; scalars are penalties.
    labels : Tensor or mapping of str to Tensor
        Right classes (B,), for all terms or by term, those of "combined" for terms without; or
        shares of classes (B, n_classes). A frame whose class is `IGNORED`, or whose shares are all
        0, is left out.
    weights : mapping of str to float, optional
        By term, 1 where not named; a term of weight 0 is left out. Penalties carry their own.
    label_smoothing : float
        Share of the target spread over all classes (Szegedy et al., 2016).
    counted : mapping of str to float, optional
        Likewise: the number of frames that a term's mean is over, where these are some rows of a
        larger batch; default the number of frames here that are not left out.
    share : float
        Of these rows in the larger batch: the weight of penalties.

    Returns
    -------
    dict of str to Tensor
        One number per term, at least one. For DomainNet that is CE(body) + CE(background) +
        CE(combined).

    Raises
    ------
    StudyError
        When all weights are 0.
    """
    weights = weights or {}
    terms = {}
    for name, output in outputs.items():
        weight = weights.get(name, 1.0)
        if output.ndim == 0:
            terms[name] = output * share
        elif weight > 0:
            target = _of_term(labels, name) if isinstance(labels, Mapping) else labels
            kept = is_kept(target)
            each = nn.functional.cross_entropy(
                output,
                target,
                ignore_index=IGNORED,
                label_smoothing=label_smoothing,
                reduction="none",
            )
            n = kept.sum().clamp(min=1) if counted is None else max(_of_term(counted, name), 1.0)
            terms[name] = weight * (each * kept).sum() / n
    if not terms:
        raise StudyError(
            f"models.losses: nothing is left to learn by; expected a weight above 0 for one of "
            f"{list(outputs)}, found {dict(weights)}"
        )
    return terms


def _of_term(values: Mapping[str, Value], name: str) -> Value:
    return values[name] if name in values else values[COMBINED]


def is_kept(labels: Tensor) -> Tensor:
    """Tell which frames a term counts, (B,)."""
    return labels != IGNORED if labels.ndim == 1 else labels.sum(dim=1) > 0
