"""What is taken as true in a simulation: cell logits and the deviations around them.

Everything is on the scale of the study's own model (logits), so that "the very model used" is
what is simulated and what is fitted. A participant's guessing is in the assumed accuracies, which
are probabilities with guessing and all; it sets no floor below which a hard clip cannot fall.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.special import logit

from analysis.mixed_effects import MixedModelResult
from analysis.mixed_effects.design import ModelDesign
from analysis.power.designs import PEOPLE, Plan
from analysis.power.targets import Target, cell_rows
from study.config import Study
from study.errors import StudyError

Array = np.ndarray
Matrix = tuple[tuple[float, ...], ...]
INTERCEPT = "(Intercept)"


@dataclass(frozen=True)
class Truth:
    """Fixed effects and covariances by name; hashable, so that fits can be kept by it.

    Attributes
    ----------
    beta : tuple of (str, float)
        Fixed effects of the study's model, logits.
    covariances : tuple of (str, matrix)
        Of every random term, named as in `MixedModelResult.random_covariances`.
    seed_scale : float
        Deviations between trainings of a network, relative to those between people.
    item_by_group_sd : float
        Logits between clips of one group beyond what the formula has.
    """

    beta: tuple[tuple[str, float], ...]
    covariances: tuple[tuple[str, Matrix], ...]
    seed_scale: float = 1.0
    item_by_group_sd: float = 0.0

    def fixed(self, names: tuple[str, ...]) -> Array:
        """Fixed effects in the order of ``names`` (p,)."""
        values = dict(self.beta)
        return np.array([values[name] for name in names])


def assumed_truth(study: Study, plan: Plan, design: ModelDesign) -> Truth:
    """Turn the assumed accuracies and deviations of a study file into the model's terms.

    Parameters
    ----------
    design : ModelDesign
        Of the study's formula on any table of the plan.

    Raises
    ------
    StudyError
        Naming the accuracy that is missing or impossible.
    """
    cells = cell_rows(design.fixed_spec, plan.groups, plan.conditions)
    logits = [_assumed_logit(study, *cell) for cell in cells.index]
    beta = np.linalg.lstsq(cells.to_numpy(), np.array(logits), rcond=None)[0]
    settings, observers = study.power, study.observers
    deviations = {"observer": observers.observer_sd, "item": observers.item_sd}
    covariances, known_to_formula = [], False
    for key, term in zip(term_keys(design), design.random, strict=True):
        known_to_formula |= set(term.term.groups) == {"item", "group"}
        own = deviations.get(term.group, settings.item_by_group_sd)
        sds = [own if name == INTERCEPT else settings.slope_sd for name in term.names]
        covariances.append((key, _as_matrix(np.diag(np.square(sds)))))
    scale = 1.0
    if settings.seed_sd is not None and observers.observer_sd > 0:
        scale = settings.seed_sd / observers.observer_sd
    extra = 0.0 if known_to_formula else settings.item_by_group_sd
    names = zip(design.fixed_names, map(float, beta), strict=True)
    return Truth(tuple(names), tuple(covariances), scale, extra)


def pilot_truth(model: MixedModelResult) -> Truth:
    """Take a fitted model as the truth."""
    beta = zip(model.design.fixed_names, map(float, model.estimate.beta), strict=True)
    covariances = [
        (key, _as_matrix(table.to_numpy())) for key, table in model.random_covariances.items()
    ]
    return Truth(tuple(beta), tuple(covariances))


def null_truth(truth: Truth, design: ModelDesign, plan: Plan, targets: list[Target]) -> Truth:
    """Change the cell logits as little as possible so that none of ``targets`` is there.

    Least squares over the cells; the deviations stay as they are.
    """
    cells = cell_rows(design.fixed_spec, plan.groups, plan.conditions)
    parts = [target.rows(cells) for target in targets]
    rows = np.concatenate([part for part, _ in parts])  # (k, p)
    shift = np.concatenate([part for _, part in parts])
    beta = truth.fixed(design.fixed_names)
    metric = np.linalg.pinv(cells.to_numpy().T @ cells.to_numpy())
    step = metric @ rows.T @ np.linalg.pinv(rows @ metric @ rows.T) @ (rows @ beta - shift)
    names = zip(design.fixed_names, map(float, beta - step), strict=True)
    return replace(truth, beta=tuple(names))


def draw_logits(truth: Truth, design: ModelDesign, rng: np.random.Generator) -> Array:
    """Linear predictor of every row (n,) for newly drawn observers and clips."""
    eta = design.fixed @ truth.fixed(design.fixed_names)
    covariances: Mapping[str, Matrix] = dict(truth.covariances)
    for key, term in zip(term_keys(design), design.random, strict=True):
        root = _root(np.array(covariances[key]))
        effects = rng.standard_normal((len(term.levels), len(root))) @ root.T  # (levels, q)
        if term.group == "observer":
            is_person = pd.Index(term.levels).str.startswith(f"{PEOPLE}:")
            effects *= np.where(is_person, 1.0, truth.seed_scale)[:, None]
        eta = eta + np.einsum("nq,nq->n", term.columns, effects[term.index])
    if truth.item_by_group_sd:
        pairs = design.table["item"].astype(str) + ":" + design.table["group"].astype(str)
        code, levels = pd.factorize(pairs, sort=True)
        eta = eta + rng.normal(0.0, truth.item_by_group_sd, len(levels))[code]
    return eta


def term_keys(design: ModelDesign) -> list[str]:
    """Name every random term as `MixedModelResult.random_covariances` does."""
    groups = [term.group for term in design.random]
    repeats = [groups[:k].count(group) for k, group in enumerate(groups)]
    return [f"{g}.{n}" if n else g for g, n in zip(groups, repeats, strict=True)]


def _assumed_logit(study: Study, group: str, condition: str) -> float:
    assumed = study.power.accuracy
    if group == PEOPLE:
        field, table = "observers.accuracy", study.observers.accuracy
        if PEOPLE in assumed:
            field, table = f"power.accuracy.{PEOPLE}", assumed[PEOPLE]
    else:
        name = group if group in assumed else study.model(group).architecture
        field, table = f"power.accuracy.{name}", assumed.get(name, {})
    share = table.get(condition)
    if share is None:
        raise StudyError(f"{field}.{condition}: missing; expected the share correct to assume")
    if not 0.0 < share < 1.0:
        raise StudyError(
            f"{field}.{condition} = {share:g}: a logit model needs a share above 0 and below 1"
        )
    return float(logit(share))


def _root(covariance: Array) -> Array:
    """Matrix whose product with its transpose is ``covariance``, which may be singular."""
    values, vectors = np.linalg.eigh(covariance)
    return vectors * np.sqrt(np.maximum(values, 0.0))


def _as_matrix(matrix: Array) -> Matrix:
    return tuple(tuple(map(float, row)) for row in matrix)
