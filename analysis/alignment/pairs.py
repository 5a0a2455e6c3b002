"""Error consistency of all pairs of observers at once, with bootstrap intervals.

Kappa of a pair in a draw needs four sums over items of products that do not depend on the draw; so
the products of a block of pairs times the draws' item counts, one matrix product, give the kappas
of all these pairs in all draws. The sums are of whole numbers and below 2^24 (2^53 where there are
more items than `MAX_SINGLE`), hence exact: threads and blocks do not change a digit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from analysis.alignment.answers import Answers, answers_of, check_columns, usable_rows
from analysis.alignment.kappa import consistency_bounds, kappa_of_counts
from analysis.alignment.resampling import unit_counts
from study.errors import StudyError

MIN_SHARED = 10
ALL = "all"  # the row that puts the versions together
MAX_SINGLE = 2800  # items: 2 n^2 is exact in single precision
BLOCK = 128  # pairs at a time: a block of 10,000 draws is 5 MB
COLUMNS = [
    "condition", "group_a", "observer_a", "group_b", "observer_b", "n_shared", "accuracy_a",
    "accuracy_b", "observed", "expected", "kappa", "kappa_min", "kappa_max", "ci_low", "ci_high",
    "status", "n_dropped",
]  # fmt: skip
DEFINED, UNDEFINED, TOO_FEW = "defined", "undefined: 0 / 0", "too few shared items"


def error_consistency_table(
    responses: pd.DataFrame,
    *,
    observer: str = "observer",
    item: str = "stimulus_id",
    condition: str = "condition",
    min_shared: int = MIN_SHARED,
    undefined: float = np.nan,
    repeated: str = "error",
    n_draws: int = 10_000,
    confidence: float = 0.95,
    rng: np.random.Generator | None = None,
) -> pd.DataFrame:
    """Return the error consistency of every pair of observers, per version and over versions.

    Parameters
    ----------
    responses : DataFrame
        A row per answer: the columns named below, `correct` (0 or 1), and `group` if observers of
        several groups may share a name. Other columns are passed over.
    observer, item, condition : str
        Names of columns. Observers are compared on items that both answered in the same version.
    min_shared : int
        Pairs with fewer shared items have no kappa.
    undefined : float
        See `analysis.alignment.error_consistency`; also the value in such draws.
    repeated : {"error", "first"}
        What to do where an observer answered an item twice in one version.
    n_draws : int
        Bootstrap draws over items; 0 for no intervals.
    confidence : float
    rng : numpy.random.Generator, optional
        Without one, equal calls give equal intervals.

    Returns
    -------
    DataFrame
        Columns `COLUMNS`. Rows "all" hold the mean of the versions' kappas weighted by shared
        items: a kappa of all versions' trials together would be positive wherever versions differ
        in difficulty for both. ``attrs["notes"]`` says which rows were left out.

    Raises
    ------
    StudyError
        When a column is missing, `correct` is not 0 or 1, or a trial stands twice.
    """
    columns = [observer, item, condition, "correct"]
    check_columns(responses, columns, "error_consistency_table")
    if not 0.0 < confidence < 1.0 or n_draws < 0 or min_shared < 1:
        raise StudyError(
            f"confidence = {confidence}, n_draws = {n_draws}, min_shared = {min_shared}; expected "
            "between 0 and 1, at least 0, at least 1"
        )
    group = responses["group"] if "group" in responses else pd.Series("", responses.index)
    who = pd.Series(list(zip(group, responses[observer], strict=True)), responses.index)
    trials = responses.assign(_who=who)
    trials, notes = usable_rows(trials, ["_who", condition, item], repeated=repeated)
    answers = answers_of(
        trials,
        tuple(sorted(set(trials[condition]))),
        sorted(set(trials[item])),
        observer="_who",
        item=item,
        condition=condition,
        n_dropped=len(responses) - len(trials),
        notes=notes,
    )
    return pair_table(answers, min_shared, undefined, n_draws, confidence, rng)


def pair_table(
    answers: Answers,
    min_shared: int,
    undefined: float,
    n_draws: int,
    confidence: float,
    rng: np.random.Generator | None = None,
) -> pd.DataFrame:
    """Return the table of `error_consistency_table` from arrays.

    The observers of `answers` are pairs (group, name).
    """
    pairs = np.array(list(combinations(range(len(answers.observers)), 2)), int).reshape(-1, 2)
    n_items = len(answers.items)
    counts = np.ones((1, n_items))
    if n_draws and n_items:
        counts = unit_counts(n_items, n_draws, rng or np.random.default_rng(0))
    blocks = [
        _block_rows(answers, block, counts, min_shared, undefined, confidence)
        for block in blocks_of(pairs)
    ]
    table = pd.concat(blocks, ignore_index=True) if blocks else pd.DataFrame(columns=COLUMNS)
    if not n_draws:
        table[["ci_low", "ci_high"]] = np.nan
    order = {name: place for place, name in enumerate([*answers.conditions, ALL])}
    table = table.sort_values("condition", key=lambda c: c.map(order), kind="stable")
    table = table.reset_index(drop=True)[COLUMNS]
    table.attrs["notes"] = list(answers.notes)
    return table


def blocks_of(pairs: np.ndarray) -> Iterator[np.ndarray]:
    """Cut pairs, shape (n_pairs, 2), into blocks that fit the cache."""
    for start in range(0, len(pairs), BLOCK):
        yield pairs[start : start + BLOCK]


def shared_counts(
    right: np.ndarray, seen: np.ndarray, pairs: np.ndarray, counts: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Count the items of pairs: shared, right by both, by the first, by the second.

    Parameters
    ----------
    right, seen : ndarray of shape (n_observers, n_items)
    pairs : ndarray of shape (n_pairs, 2)
    counts : ndarray of shape (n_draws, n_items)
        How often each item counts: whole numbers.

    Returns
    -------
    n, both, right_a, right_b : ndarray of shape (n_pairs, n_draws), or one that broadcasts to it
    """
    kind = np.float32 if right.shape[1] <= MAX_SINGLE else np.float64
    right, seen, weights = right.astype(kind), seen.astype(kind), counts.astype(kind).T
    a, b = pairs.T
    both = (right[a] * right[b]) @ weights
    if seen.all():
        used, places = np.unique(pairs, return_inverse=True)
        single = right[used] @ weights
        first, second = places.reshape(pairs.shape).T
        return weights.sum(axis=0, keepdims=True), both, single[first], single[second]
    n = (seen[a] * seen[b]) @ weights
    return n, both, (right[a] * seen[b]) @ weights, (seen[a] * right[b]) @ weights


def kappa_draws(
    right: np.ndarray, seen: np.ndarray, pairs: np.ndarray, counts: np.ndarray
) -> np.ndarray:
    """Return kappa of every pair in every draw, shape (n_pairs, n_draws); NaN where it is 0 / 0.

    The parameters are those of `shared_counts`.
    """
    n, both, right_a, right_b = shared_counts(right, seen, pairs, counts)
    disagree = right_a * (n - right_b) + right_b * (n - right_a)
    both *= n
    both -= right_a * right_b
    both += both
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.divide(both, disagree, out=both)


def row_intervals(draws: np.ndarray, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """Return percentile intervals of rows of draws, those that are NaN left out.

    Sorts `draws` in place.
    """
    draws.sort(axis=1)  # NaN last
    n_known = np.isfinite(draws).sum(axis=1)
    tail = (1.0 - confidence) / 2.0
    limits = []
    for share in (tail, 1.0 - tail):
        place = share * np.maximum(n_known - 1, 0)
        below = np.floor(place).astype(int)
        above = np.minimum(below + 1, np.maximum(n_known - 1, 0))
        rows = np.arange(len(draws))
        low, high = draws[rows, below].astype(float), draws[rows, above].astype(float)
        limits.append(low + (place - below) * (high - low))
    return limits[0], limits[1]


def _block_rows(
    answers: Answers,
    pairs: np.ndarray,
    counts: np.ndarray,
    min_shared: int,
    undefined: float,
    confidence: float,
) -> pd.DataFrame:
    """Return the rows of a block of pairs: every version, then the versions together."""
    once = np.ones((1, len(answers.items)))
    tables, drawn = [], []
    for right, seen, name in zip(answers.right, answers.seen, answers.conditions, strict=True):
        table = _found(right, seen, pairs, once, min_shared, undefined).assign(condition=name)
        draws = kappa_draws(right, seen, pairs, counts)
        if not np.isnan(undefined):
            draws[np.isnan(draws)] = undefined
        draws[table["kappa"].isna().to_numpy()] = np.nan
        drawn.append(draws)
        tables.append(table)
    together = _together(tables).assign(condition=ALL)
    pooled = _pooled(drawn, [table["n_shared"].to_numpy() for table in tables])
    for table, draws in zip([*tables, together], [*drawn, pooled], strict=True):
        table["ci_low"], table["ci_high"] = row_intervals(draws, confidence)
    rows = pd.concat([*tables, together], ignore_index=True)
    for side, places in zip("ab", pairs.T, strict=True):
        who = [answers.observers[place] for place in places] * (len(tables) + 1)
        rows[f"group_{side}"] = [group for group, _ in who]
        rows[f"observer_{side}"] = [name for _, name in who]
    return rows.assign(n_dropped=answers.n_dropped)


def _found(
    right: np.ndarray,
    seen: np.ndarray,
    pairs: np.ndarray,
    once: np.ndarray,
    min_shared: int,
    undefined: float,
) -> pd.DataFrame:
    """Return the pairs' agreement in one version, in the data as they are."""
    found = shared_counts(right, seen, pairs, once)
    n, both, right_a, right_b = (np.broadcast_to(part, (len(pairs), 1))[:, 0] for part in found)
    n, both, right_a, right_b = (part.astype(float) for part in (n, both, right_a, right_b))
    kappa, observed, expected = kappa_of_counts(n, both, right_a, right_b)
    is_few, is_undefined = n < min_shared, np.isnan(kappa)
    with np.errstate(invalid="ignore", divide="ignore"):
        p, q = right_a / n, right_b / n
    bounds = np.array([consistency_bounds(*pair) for pair in zip(p, q, strict=True)])
    columns = {
        "n_shared": n.astype(int),
        "accuracy_a": p,
        "accuracy_b": q,
        "observed": observed,
        "expected": expected,
        "kappa": np.where(is_few, np.nan, np.where(is_undefined, undefined, kappa)),
        "kappa_min": bounds[:, 0],
        "kappa_max": bounds[:, 1],
        "status": np.where(is_few, TOO_FEW, np.where(is_undefined, UNDEFINED, DEFINED)),
    }
    return pd.DataFrame(columns)


def _together(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return the means over versions, weighted by the shared items of those that have a kappa."""
    numbers = ["accuracy_a", "accuracy_b", "observed", "expected", "kappa"]
    numbers += ["kappa_min", "kappa_max"]
    n = np.array([table["n_shared"].where(table["kappa"].notna(), 0) for table in tables])
    columns: dict[str, np.ndarray] = {"n_shared": n.sum(axis=0)}
    for name in numbers:
        values = np.array([table[name] for table in tables])
        with np.errstate(invalid="ignore", divide="ignore"):
            columns[name] = (np.where(n > 0, values, 0.0) * n).sum(axis=0) / n.sum(axis=0)
    status = np.array([table["status"] for table in tables])
    none = np.where((status == UNDEFINED).any(axis=0), UNDEFINED, TOO_FEW)
    columns["status"] = np.where(n.any(axis=0), DEFINED, none)
    return pd.DataFrame(columns)


def _pooled(drawn: Sequence[np.ndarray], n_shared: Sequence[np.ndarray]) -> np.ndarray:
    """Return the draws of the weighted mean over versions; a draw without a kappa is left out."""
    total, weight = np.zeros_like(drawn[0]), np.zeros_like(drawn[0])
    for draws, n in zip(drawn, n_shared, strict=True):
        known = np.isfinite(draws)
        total += np.where(known, draws, 0.0) * n[:, None].astype(draws.dtype)
        weight += known * n[:, None].astype(draws.dtype)
    with np.errstate(invalid="ignore", divide="ignore"):
        return total / weight
