"""A model's design as the arrays of the engine: equal rows counted once, terms by factor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.mixed_effects.covariance import CovarianceShape, TermShape
from analysis.mixed_effects.design import ModelDesign
from analysis.mixed_effects.gaussian import GaussianArrays
from analysis.mixed_effects.laplace import BinomialArrays
from analysis.mixed_effects.scaling import Scaling
from analysis.mixed_effects.structure import GroupedColumns, encode_rows, first_rows

Array = np.ndarray


@dataclass(frozen=True)
class FactorPlan:
    """Which random terms share a grouping factor, and where each term's columns start."""

    members: list[list[int]]
    shape: CovarianceShape


def plan_factors(design: ModelDesign) -> FactorPlan:
    """Terms over the same grouping columns become one factor with a block-diagonal Lambda."""
    keys: list[tuple[str, ...]] = []
    members: list[list[int]] = []
    shapes: list[TermShape] = []
    widths: list[int] = []
    for position, term in enumerate(design.random):
        key, width = term.term.groups, term.columns.shape[1]
        if key not in keys:
            keys.append(key)
            members.append([])
            widths.append(0)
        factor = keys.index(key)
        shapes.append(TermShape(factor, widths[factor], width))
        members[factor].append(position)
        widths[factor] += width
    return FactorPlan(members, CovarianceShape(shapes, widths))


class BinomialAssembly:
    """Rows of a design mapped to distinct rows once, for any number of responses.

    Rows with the same fixed and random columns, levels and offset have the same probability, so
    that their successes and trials add up. Arrays are in the units of ``scaling``.
    """

    def __init__(self, design: ModelDesign) -> None:
        self.plan = plan_factors(design)
        codes = [encode_rows(np.column_stack([design.fixed, design.offset]))[0]]
        for term in design.random:
            codes.extend([term.index, encode_rows(term.columns)[0]])
        self.row, self.n_distinct = encode_rows(np.column_stack(codes))
        order = first_rows(self.row, self.n_distinct)
        order, self.row = _sorted_by_levels(design, order, self.row)
        self._offset = design.offset[order]
        self.scaling, self._fixed, self._factors = _standard_columns(design, self.plan, order)

    def arrays(self, successes: Array, trials: Array) -> BinomialArrays:
        """Arrays for one response, (n,) successes of (n,) trials."""
        return BinomialArrays(
            self._fixed,
            self._factors,
            self.plan.shape,
            np.bincount(self.row, successes, minlength=self.n_distinct),
            np.bincount(self.row, trials, minlength=self.n_distinct),
            self._offset,
        )


class GaussianAssembly:
    """The same for a linear mixed model, whose rows are summed by the engine itself."""

    def __init__(self, design: ModelDesign) -> None:
        self.plan, self._design = plan_factors(design), design
        rows = np.arange(design.n_rows)
        self.scaling, self._fixed, self._factors = _standard_columns(design, self.plan, rows)

    def arrays(self, response: Array) -> GaussianArrays:
        """Arrays for one response (n,), which includes the offset."""
        centred = response - self._design.offset
        return GaussianArrays(
            self._fixed, self._factors, self.plan.shape, centred, self._design.weights
        )


def _standard_columns(
    design: ModelDesign, plan: FactorPlan, rows: Array
) -> tuple[Scaling, GroupedColumns, list[GroupedColumns]]:
    """Fixed and random columns of ``rows`` in the engine's units."""
    columns = [
        np.hstack([design.random[k].columns for k in members])[rows] for members in plan.members
    ]
    fixed = design.fixed[rows]
    scaling = Scaling.of(fixed, columns, plan.shape)
    factors = []
    for members, own, scale in zip(plan.members, columns, scaling.factors, strict=True):
        term = design.random[members[0]]
        factors.append(GroupedColumns(term.index[rows], own / scale, len(term.levels)))
    zero = np.zeros(len(rows), dtype=np.int64)
    return scaling, GroupedColumns(zero, fixed / scaling.fixed, 1), factors


def _sorted_by_levels(design: ModelDesign, order: Array, row: Array) -> tuple[Array, Array]:
    """Rows of one level side by side, which memory likes; returns new order and codes."""
    sort = np.lexsort([term.index[order] for term in design.random])
    rank = np.empty_like(sort)
    rank[sort] = np.arange(len(sort))
    return order[sort], rank[row]


def effect_table(
    design: ModelDesign, plan: FactorPlan, effects: list[Array], sds: list[Array]
) -> pd.DataFrame:
    """Conditional modes as a long table: group, level, term, estimate, sd."""
    parts = []
    for position, term in enumerate(design.random):
        shape = plan.shape.terms[position]
        own = slice(shape.start, shape.start + shape.width)
        parts.append(
            pd.DataFrame(
                {
                    "group": term.group,
                    "level": np.repeat(term.levels, shape.width),
                    "term": np.tile(term.names, len(term.levels)),
                    "estimate": effects[shape.factor][:, own].ravel(),
                    "sd": sds[shape.factor][:, own].ravel(),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)
