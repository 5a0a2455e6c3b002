"""What a fitted mixed model says of other rows, other draws and other responses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from analysis.mixed_effects.design import RandomDesign, evaluate, group_labels
from analysis.mixed_effects.estimation import Estimator

if TYPE_CHECKING:
    from analysis.mixed_effects.result import MixedModelResult

Array = np.ndarray
SCALES = ("link", "response")


def predict(
    model: MixedModelResult,
    data: pd.DataFrame | None = None,
    random: bool = True,
    scale: str = "response",
    new_levels: bool = False,
    offset: Sequence[float] | None = None,
) -> Array:
    """Predicted means.

    Parameters
    ----------
    data : pandas.DataFrame, optional
        Rows to predict; without it the rows of the fit.
    random : bool
        Add the conditional modes of the random effects.
    scale : {"link", "response"}
    new_levels : bool
        Levels that the fit did not see get a random effect of zero instead of an error.
    offset : (n,) array, optional
        If the fit's offset was an argument rather than in the formula.

    Returns
    -------
    (n,) array
    """
    if scale not in SCALES:
        raise ValueError(f"scale must be one of {', '.join(SCALES)}; got {scale!r}")
    table = model.design.table if data is None else data
    if data is None:
        eta = model.design.fixed @ model.estimate.beta + model.design.offset
    else:
        matrix = model.design.fixed_spec.get_model_matrix(table)
        eta = matrix.to_numpy(float) @ model.estimate.beta
        for expression in model.design.formula.offsets:
            eta = eta + evaluate(expression, table).astype(float)
        eta = eta + (0.0 if offset is None else np.asarray(offset, dtype=float))
    if random:
        for position, term in enumerate(model.design.random):
            eta = eta + _random_part(model, position, term, table, new_levels)
    family = model.specification.family
    return eta if scale == "link" or family is None else family.mean(eta)


def simulate(
    model: MixedModelResult, rng: np.random.Generator, n: int = 1, random: str = "new"
) -> Array:
    """Draw responses from the fitted model.

    Parameters
    ----------
    rng : numpy.random.Generator
    n : int
        Number of data sets.
    random : {"new", "fitted"}
        Draw random effects anew, or keep the conditional modes.

    Returns
    -------
    (n, n_rows) array
        Successes per row (0 or 1 for single trials), or gaussian responses.
    """
    if random not in ("new", "fitted"):
        raise ValueError(f"random must be 'new' or 'fitted'; got {random!r}")
    design, family = model.design, model.specification.family
    fixed = design.fixed @ model.estimate.beta + design.offset
    out = np.empty((n, design.n_rows))
    for k in range(n):
        eta = model.linear_predictor if random == "fitted" else fixed + _draw_effects(model, rng)
        if family is None:
            out[k] = rng.normal(eta, model.estimate.sigma / np.sqrt(design.weights))
        else:
            out[k] = rng.binomial(design.row_trials.astype(np.int64), family.mean(eta))
    return out


class Refitter:
    """Fits the same model to other responses; the work on the design is done once.

    Parameters
    ----------
    model : MixedModelResult
        Its estimates are where each refit starts.
    """

    def __init__(self, model: MixedModelResult) -> None:
        self.model = model
        self._estimator = Estimator(model.design, model.specification)

    def __call__(self, response: Array) -> MixedModelResult:
        """Fit to ``response`` (n_rows,): successes per row, or gaussian values."""
        response = np.asarray(response, dtype=float)
        if response.shape != (self.model.n_rows,):
            raise ValueError(
                f"response must have shape ({self.model.n_rows},); got {response.shape}"
            )
        estimate, loglik = self._estimator.estimate(response, self.model.estimate)
        return replace(self.model, estimate=estimate, loglik=loglik, response=response)


def _draw_effects(model: MixedModelResult, rng: np.random.Generator) -> Array:
    """Z b for new random effects (n,)."""
    total = np.zeros(model.n_rows)
    for position, term in enumerate(model.design.random):
        lam = model.plan.shape.term_factor(model.estimate.theta, position)
        spherical = rng.standard_normal((len(term.levels), len(lam)))
        effects = model.estimate.sigma * spherical @ lam.T
        total += np.einsum("nq,nq->n", term.columns, effects[term.index])
    return total


def _random_part(
    model: MixedModelResult,
    position: int,
    term: RandomDesign,
    table: pd.DataFrame,
    new_levels: bool,
) -> Array:
    labels = group_labels(term.term.groups, table)
    index = pd.Index(term.levels).get_indexer(labels)
    unknown = sorted(set(labels[index < 0]))
    if unknown and not new_levels:
        raise ValueError(
            f"levels of {term.group!r} that the fit did not see: {unknown[:5]}; "
            "new_levels=True gives them a random effect of zero"
        )
    shape = model.plan.shape.terms[position]
    part = slice(shape.start, shape.start + shape.width)
    effects = model.estimate.effects[shape.factor][:, part]
    columns = term.spec.get_model_matrix(table).to_numpy(float)
    values = np.einsum("nq,nq->n", columns, effects[np.maximum(index, 0)])
    return np.where(index < 0, 0.0, values)
