"""One imagined study, simulated and analysed as often as one likes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
from scipy.special import expit

from analysis.mixed_effects import MixedModelResult, Refitter, fit
from analysis.mixed_effects.design import ModelDesign, build_design
from analysis.mixed_effects.formula import parse_formula
from analysis.mixed_model import formula_for
from analysis.power.designs import Plan, Size, design_table
from analysis.power.targets import Target, cell_rows, wald_test
from analysis.power.truth import Truth, draw_logits
from study.errors import StudyError

Array = np.ndarray
# Why a contrast of a simulated study could not be tested; "" where it could.
SEPARATED, NOT_CONVERGED = "separated", "not converged"
OUTCOME = [
    "simulation",
    "target",
    "failure",
    "singular",
    "estimate",
    "se",
    "df",
    "p_z",
    "p_t",
    "truth_p_z",
    "truth_p_t",
]
# Keeps the simulations apart from other uses of the study's seed.
SIMULATION_STREAM = 402


@dataclass(frozen=True)
class World:
    """Everything on which the outcome of a simulated study depends, but its number.

    Attributes
    ----------
    number : int
        Worlds of one size with different truths have different numbers, so that they do not share
        random numbers.
    """

    plan: Plan
    size: Size
    formula: str
    truth: Truth
    targets: tuple[Target, ...]
    number: int = 0

    def settings(self) -> dict[str, object]:
        """Return what tells this world from any other, JSON-able."""
        content = asdict(self)
        content["plan"]["trials"] = self.plan.trials.model_dump(mode="json")
        return content

    def rng(self, *path: int) -> np.random.Generator:
        """Return the stream of one simulation, whoever runs it and whenever."""
        size = (self.size.n_participants, self.size.n_items, self.size.n_seeds)
        key = (SIMULATION_STREAM, self.number, *size, *path)
        return np.random.default_rng(np.random.SeedSequence(self.plan.seed, spawn_key=key))


@lru_cache(maxsize=4)
def plan_design(plan: Plan, size: Size, formula: str) -> ModelDesign:
    """Evaluate the study's formula on the rows that a study of this size would have.

    Raises
    ------
    StudyError
        When the formula needs what an imagined study does not have.
    """
    table = design_table(plan, size).assign(correct=0)
    try:
        if parse_formula(formula).response != ("correct",):
            raise ValueError("the response must be `correct`")
        return build_design(formula, table)
    except (KeyError, ValueError) as error:
        raise StudyError(
            f"analysis.formula = {formula!r} cannot be simulated: {error.args[0]}"
        ) from error


@dataclass(frozen=True)
class _Kept:
    """The model of the groups that are left, ready to be fitted again and again."""

    rows: Array
    tested: dict[str, tuple[Array, Array]]
    refit: Refitter


class Laboratory:
    """Simulates and analyses studies of one world; the work on the design is done once."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._design = plan_design(world.plan, world.size, world.formula)
        self._table = design_table(world.plan, world.size)
        self._conditions = world.plan.conditions
        codes = self._table[["group", "condition"]].apply(lambda column: column.cat.codes)
        self._cell = (codes["group"] * len(self._conditions) + codes["condition"]).to_numpy(int)
        self._true_values = self._values_in_truth()
        self._kept: dict[tuple[str, ...], _Kept | None] = {}

    def outcome(self, simulation: int) -> pd.DataFrame:
        """Simulate the study of that number and test every target; columns `OUTCOME`."""
        rng = self.world.rng(1, simulation)
        probability = expit(draw_logits(self.world.truth, self._design, rng))
        response = (rng.random(len(probability)) < probability).astype(float)
        groups = self._estimable(response)
        kept = self._model_of(groups)
        if kept is None:
            rows = [_untested(simulation, target, SEPARATED) for target in self.world.targets]
            return pd.DataFrame(rows, columns=OUTCOME)
        result = kept.refit(response[kept.rows])
        rows = [self._tested(simulation, target, kept, result) for target in self.world.targets]
        return pd.DataFrame(rows, columns=OUTCOME)

    def _values_in_truth(self) -> dict[str, Array]:
        """Value of every target, nothing subtracted, where the fixed effects are the true ones."""
        design, groups = self._design, self.world.plan.groups
        cells = cell_rows(design.fixed_spec, groups, self._conditions)
        truth = self.world.truth.fixed(design.fixed_names)
        return {target.name: target.rows(cells)[0] @ truth for target in self.world.targets}

    def _estimable(self, response: Array) -> tuple[str, ...]:
        """Leave groups out that are all right or all wrong in a version, as the analysis does."""
        plan = self.world.plan
        shape = (len(plan.groups), len(self._conditions))
        size = shape[0] * shape[1]
        n = np.bincount(self._cell, minlength=size).reshape(shape)
        right = np.bincount(self._cell, response, minlength=size).reshape(shape)
        pure = ((right == 0) | (right == n)).any(axis=1)
        return tuple(name for name, gone in zip(plan.groups, pure, strict=True) if not gone)

    def _model_of(self, groups: tuple[str, ...]) -> _Kept | None:
        """Return the model of these groups, or None where so few cannot be analysed."""
        if groups not in self._kept:
            self._kept[groups] = self._prepared(groups)
        return self._kept[groups]

    def _prepared(self, groups: tuple[str, ...]) -> _Kept | None:
        rows = self._table["group"].isin(groups).to_numpy()
        try:
            model = self._start(rows)
        except ValueError as error:
            if groups != self.world.plan.groups:
                return None
            size = self.world.size
            raise StudyError(
                f"a study of {size.n_participants} participants, {size.n_items} clips and "
                f"{size.n_seeds} seeds cannot be analysed with analysis.formula = "
                f"{self.world.formula!r}: {error}"
            ) from error
        cells = cell_rows(model.design.fixed_spec, groups, self._conditions)
        tested = {
            target.name: target.rows(cells)
            for target in self.world.targets
            if set(target.groups) <= set(groups)
        }
        return _Kept(rows, tested, Refitter(model))

    def _start(self, rows: Array) -> MixedModelResult:
        """Fit to probabilities instead of answers: close to the truth, and never separated."""
        logits = draw_logits(self.world.truth, self._design, self.world.rng(0))
        table = self._table.assign(correct=expit(logits))[rows]
        formula = formula_for(self.world.formula, table["group"].nunique())
        return fit(formula, table, weights=np.ones(len(table)))

    def _tested(
        self, simulation: int, target: Target, kept: _Kept, result: MixedModelResult
    ) -> tuple[object, ...]:
        if target.name not in kept.tested:
            return _untested(simulation, target, SEPARATED)
        if not result.converged:
            return _untested(simulation, target, NOT_CONVERGED, result.singular)
        rows, shift = kept.tested[target.name]
        value, df = rows @ result.estimate.beta, result.smallest_df
        covariance = rows @ result.estimate.vcov @ rows.T
        against_null = wald_test(value - shift, covariance, df)
        against_truth = wald_test(value - self._true_values[target.name], covariance, df)
        estimate = se = np.nan
        if not target.is_joint:
            estimate, se = float(value[0] - shift[0]), float(np.sqrt(covariance[0, 0]))
        p_values = (*against_null, *against_truth)
        return (simulation, target.name, "", result.singular, estimate, se, df, *p_values)


def _untested(
    simulation: int, target: Target, why: str, singular: bool = False
) -> tuple[object, ...]:
    return (simulation, target.name, why, singular, *[np.nan] * 7)
