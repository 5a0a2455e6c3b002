"""From a table and a formula to arrays: design matrices, grouping indices, response, weights."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from formulaic import Formula, ModelSpec, model_matrix

from analysis.mixed_effects.formula import MixedFormula, RandomTerm, parse_formula

Array = np.ndarray


@dataclass(frozen=True)
class RandomDesign:
    """One random-effect term: columns (n, q), level of each row (n,), and their names."""

    term: RandomTerm
    names: tuple[str, ...]
    levels: tuple[str, ...]
    index: Array
    columns: Array
    spec: ModelSpec

    @property
    def group(self) -> str:
        """Name of the grouping factor."""
        return self.term.group


@dataclass(frozen=True)
class ModelDesign:
    """A mixed model's arrays; ``table`` has the rows that were used."""

    formula: MixedFormula
    table: pd.DataFrame
    fixed: Array
    fixed_names: tuple[str, ...]
    fixed_spec: ModelSpec
    random: tuple[RandomDesign, ...]
    response: Array
    trials: Array | None
    weights: Array
    offset: Array
    n_dropped: int

    @property
    def n_rows(self) -> int:
        """Rows used."""
        return len(self.table)

    @property
    def row_trials(self) -> Array:
        """Trials of each row of a binomial model (n,)."""
        return self.weights if self.trials is None else self.trials


def build_design(
    formula: str,
    data: pd.DataFrame,
    weights: str | Sequence[float] | None = None,
    offset: str | Sequence[float] | None = None,
) -> ModelDesign:
    """Evaluate a formula on a table.

    Parameters
    ----------
    formula : str
        In lme4's syntax.
    data : pandas.DataFrame
        Text columns become categories in sorted order; categorical columns keep theirs, and the
        first category is the reference.
    weights, offset : column name or array, optional

    Raises
    ------
    KeyError
        Naming the columns that ``data`` lacks.
    ValueError
        For a design that cannot be estimated, naming its columns.
    """
    parsed = parse_formula(formula)
    table = _needed_columns(parsed, data, weights, offset)
    complete = table.notna().all(axis=1)
    n_dropped = int((~complete).sum())
    if n_dropped:
        holes = table.columns[table.isna().any()].tolist()
        warnings.warn(
            f"{n_dropped} of {len(table)} rows dropped: missing values in "
            f"{', '.join(map(_public_name, holes))}",
            UserWarning,
            stacklevel=3,
        )
    table = table.loc[complete].reset_index(drop=True)
    if table.empty:
        raise ValueError(f"no complete rows for {formula!r}")
    table = _as_categories(table)
    fixed = model_matrix(parsed.fixed, table)
    random = _order_terms([_random_design(term, table) for term in parsed.random])
    response, trials = _response(parsed, table)
    return ModelDesign(
        parsed,
        table,
        fixed.to_numpy(float),
        tuple(lme4_name(name) for name in fixed.columns),
        fixed.model_spec,
        random,
        response,
        trials,
        _optional_column(table, "_weights", 1.0),
        _optional_column(table, "_offset", 0.0) + _formula_offsets(parsed, table),
        n_dropped,
    )


def lme4_name(column: str) -> str:
    """formulaic's ``condition[T.body_only]`` as lme4 writes it, ``conditionbody_only``."""
    return "(Intercept)" if column == "Intercept" else re.sub(r"\[(?:T\.)?(.*?)\]", r"\1", column)


def expression_columns(expression: str, columns: Iterable[str]) -> set[str]:
    """Names that a formula needs as columns, those missing from ``columns`` included.

    formulaic does not list what stands inside its own transforms such as ``scale(x)``; such
    names count where ``columns`` has them.
    """
    formula = Formula(expression)
    required = {str(name) for name in formula.required_variables}
    inside: set[str] = set()
    for factor in (factor for term in formula for factor in term.factors):
        with suppress(SyntaxError):
            tree = ast.parse(str(factor), mode="eval")
            inside |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return required | (inside & {str(name) for name in columns})


def evaluate(expression: str, table: pd.DataFrame) -> Array:
    """One numeric expression of a formula such as ``log(rt_s)``, (n,)."""
    if expression in table.columns:
        return table[expression].to_numpy()
    columns = model_matrix(f"0 + {expression}", table)
    if columns.shape[1] != 1:
        raise ValueError(f"{expression!r} gives {columns.shape[1]} columns where one is expected")
    return columns.to_numpy(float)[:, 0]


def group_labels(groups: tuple[str, ...], table: pd.DataFrame) -> pd.Series:
    """Level of a grouping factor for each row, as text; interactions join with a colon."""
    labels = table[groups[0]].astype(str)
    for name in groups[1:]:
        labels = labels + ":" + table[name].astype(str)
    return labels


def _public_name(column: str) -> str:
    return column.removeprefix("_") if column in ("_weights", "_offset") else column


def _needed_columns(
    parsed: MixedFormula,
    data: pd.DataFrame,
    weights: str | Sequence[float] | None,
    offset: str | Sequence[float] | None,
) -> pd.DataFrame:
    """The columns that the formula names, plus weights and offset."""
    needed: list[str] = []
    expressions = [*parsed.response, parsed.fixed, *parsed.offsets]
    for expression in [*expressions, *(term.expression for term in parsed.random)]:
        needed.extend(sorted(expression_columns(expression, data.columns)))
    needed.extend(name for term in parsed.random for name in term.groups)
    needed.extend(extra for extra in (weights, offset) if isinstance(extra, str))
    needed = list(dict.fromkeys(needed))
    missing = [name for name in needed if name not in data.columns]
    if missing:
        raise KeyError(
            f"columns {missing} of the formula {parsed.text!r} are not in the table, "
            f"which has {list(map(str, data.columns))}"
        )
    table = data[needed].copy()
    for name, extra in (("_weights", weights), ("_offset", offset)):
        if extra is not None:
            values = data[extra].to_numpy() if isinstance(extra, str) else np.asarray(extra)
            if len(values) != len(table):
                raise ValueError(
                    f"{name.removeprefix('_')} must have one value for each of {len(table)} rows; "
                    f"got {len(values)}"
                )
            table[name] = values
    return table


def _as_categories(table: pd.DataFrame) -> pd.DataFrame:
    """Text to categories; categories that no row has are removed."""
    out = table.copy()
    for name in out.columns:
        column = out[name]
        if isinstance(column.dtype, pd.CategoricalDtype):
            out[name] = column.cat.remove_unused_categories()
        elif not pd.api.types.is_numeric_dtype(column):
            out[name] = pd.Categorical(column)
    return out


def _optional_column(table: pd.DataFrame, name: str, default: float) -> Array:
    return table[name].to_numpy(float) if name in table else np.full(len(table), default)


def _formula_offsets(parsed: MixedFormula, table: pd.DataFrame) -> Array:
    total = np.zeros(len(table))
    for expression in parsed.offsets:
        total += evaluate(expression, table).astype(float)
    return total


def _response(parsed: MixedFormula, table: pd.DataFrame) -> tuple[Array, Array | None]:
    """Response values; for cbind(hits, misses) the hits and the trials."""
    parts = [evaluate(expression, table) for expression in parsed.response]
    if len(parts) == 1:
        return parts[0], None
    hits, misses = (np.asarray(part, dtype=float) for part in parts)
    return hits, hits + misses


def _random_design(term: RandomTerm, table: pd.DataFrame) -> RandomDesign:
    matrix = model_matrix(term.expression, table)
    single = len(term.groups) == 1
    labels = table[term.groups[0]] if single else group_labels(term.groups, table)
    index, values = pd.factorize(labels, sort=True)
    levels = tuple(str(value) for value in values)
    if len(levels) < 2:
        raise ValueError(
            f"grouping factor {term.group!r} has one level ({levels[0]!r}); "
            "a random effect needs at least two"
        )
    names = tuple(lme4_name(name) for name in matrix.columns)
    return RandomDesign(
        term, names, levels, index.astype(np.int64), matrix.to_numpy(float), matrix.model_spec
    )


def _order_terms(terms: list[RandomDesign]) -> tuple[RandomDesign, ...]:
    """lme4's order: most levels first, as given if they come so already."""
    counts = [len(term.levels) for term in terms]
    if all(a >= b for a, b in pairwise(counts)):
        return tuple(terms)
    order = sorted(range(len(terms)), key=lambda k: (counts[k], k), reverse=True)
    return tuple(terms[k] for k in order)
