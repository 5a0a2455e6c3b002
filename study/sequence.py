"""The order in which one participant meets the versions, and which clip stands at which place.

An order of versions is a walk over a graph: versions are the nodes, "v came after u" is a step.
How often each step is taken is decided first, as evenly as can be; then a random walk that takes
each step exactly so often is drawn. So neighbours are balanced by construction, not by luck.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

MAX_WALKS = 1000
MAX_ENDS = 4


def version_order(
    counts: Sequence[int], max_run: int, rng: np.random.Generator, seen: np.ndarray
) -> np.ndarray:
    """Draw an order of versions in which each follows each other one equally often.

    Parameters
    ----------
    counts : sequence of int, C
        How often each version comes; versions that come are at most one apart.
    max_run : int
        Most times that a version comes in a row.
    rng : numpy.random.Generator
    seen : ndarray of int, (C + 1, C)
        How often version v followed version u in the lists so far; the last row counts how often v
        came first. What was rare is preferred.

    Returns
    -------
    ndarray of int, (sum of counts,)
        Any two versions that come follow each other equally often, at most one apart; a version
        follows itself about as often where `max_run` lets it.
    """
    counts = np.asarray(counts)
    used = np.flatnonzero(counts)
    if len(used) == 1:
        return np.repeat(used, counts[used])
    repeats = _repeats(counts[used], max_run)
    runs = counts[used] - repeats
    own = seen[np.ix_([*used, -1], used)]
    for attempt in range(MAX_WALKS):
        # A little chance among equals; more and more of it where steps do not make one walk.
        noise = rng.random(own.shape) * 0.5 * (1 + attempt)
        steps, first, last = _steps(runs, own + noise, rng)
        walk = _random_walk(steps, first, last, rng)
        if walk is not None:
            return used[_with_repeats(walk, repeats, max_run, rng)]
    raise RuntimeError(f"no order of versions for {counts.tolist()} with runs up to {max_run}")


def count_steps(order: np.ndarray, n_versions: int) -> np.ndarray:
    """Count which version follows which, (C + 1, C); the last row says which came first."""
    steps = np.zeros((n_versions + 1, n_versions), dtype=int)
    np.add.at(steps, (np.concatenate([[n_versions], order[:-1]]), order), 1)
    return steps


def fill_places(
    wanted: np.ndarray, versions: np.ndarray, actions: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, int]:
    """Put an item of the wanted version at every place; no action beside itself if possible.

    Parameters
    ----------
    wanted : ndarray of int, (n,)
        The version of each place (or the block that it is in).
    versions, actions : ndarray of int, (n,)
        Of each item; `versions` holds the same numbers as `wanted` in another order.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of int, (n,)
        The item at each place.
    int
        How many neighbours still share an action.
    """
    order = np.empty(len(wanted), dtype=int)
    for version in np.unique(wanted):
        order[wanted == version] = rng.permutation(np.flatnonzero(versions == version))
    shown = actions[order]
    for _ in range(4 * len(order)):
        clashes = np.flatnonzero(shown[1:] == shown[:-1])
        if not len(clashes):
            return order, 0
        place = int(rng.choice(clashes)) + int(rng.integers(2))
        other = _better_place(place, wanted, shown, rng)
        if other is not None:
            order[[place, other]] = order[[other, place]]
            shown[[place, other]] = shown[[other, place]]
    return order, int((shown[1:] == shown[:-1]).sum())


def _better_place(
    place: int, wanted: np.ndarray, shown: np.ndarray, rng: np.random.Generator
) -> int | None:
    """Return a place of the same version to swap with, such that fewer neighbours clash.

    Where none is better, one that is as good moves the search on.
    """
    as_good = None
    for other in rng.permutation(np.flatnonzero(wanted == wanted[place])):
        if shown[other] == shown[place]:
            continue
        change = -_clashes_around(shown, place, other)
        shown[[place, other]] = shown[[other, place]]
        change += _clashes_around(shown, place, other)
        shown[[place, other]] = shown[[other, place]]
        if change < 0:
            return int(other)
        if change == 0 and as_good is None:
            as_good = int(other)
    return as_good


def _clashes_around(shown: np.ndarray, *places: int) -> int:
    """Count neighbours with one action among the pairs that these places are part of."""
    pairs = {left for place in places for left in (place - 1, place)}
    return sum(int(shown[left] == shown[left + 1]) for left in pairs if 0 <= left < len(shown) - 1)


def _repeats(counts: np.ndarray, max_run: int) -> np.ndarray:
    """Return how often each version follows itself.

    As often as it follows each other one, which is every C-th time; but no more than half of what
    runs of `max_run` could hold, or all runs would be of full length and easy to foresee.
    """
    least = int(counts.min())
    if max_run == 1:
        return np.zeros_like(counts)
    share = min(1 / len(counts), (max_run - 1) / (max_run + 1))
    # What a version comes more often than another goes into its runs, so all have equally many.
    return int(least * share) + counts - least


def _steps(
    runs: np.ndarray, cost: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, int, int]:
    """Decide how often each version follows each other one, and which come first and last.

    A walk leaves a version as often as it comes to it, but for the first and the last. Entries off
    the diagonal are q or q + 1; where the extra steps go costs least in total (an assignment with
    capacities, solved as a linear programme, whose corners are whole numbers).
    """
    n = len(runs)
    ends = np.flatnonzero(runs == runs.max())
    first = int(ends[np.argmin(cost[-1, ends])])
    best: tuple[float, np.ndarray, int] | None = None
    for last in rng.permutation(ends)[:MAX_ENDS]:
        leave, come = runs.copy(), runs.copy()
        leave[last] -= 1
        come[first] -= 1
        q = min(leave.min(), come.min()) // (n - 1)
        extra = _cheapest_extra(leave - q * (n - 1), come - q * (n - 1), cost[:-1])
        if extra is None:
            continue
        total = float((extra * cost[:-1]).sum())
        if best is None or total < best[0]:
            best = (total, extra + q * (1 - np.eye(n, dtype=int)), int(last))
    if best is None:
        raise RuntimeError(f"no balanced steps between versions with {runs.tolist()} runs")
    return best[1], first, best[2]


def _cheapest_extra(rows: np.ndarray, columns: np.ndarray, cost: np.ndarray) -> np.ndarray | None:
    """Find the cheapest 0/1 matrix, zero on the diagonal, with these sums of rows and columns."""
    from scipy.optimize import linprog

    n = len(rows)
    ones = np.ones((1, n))
    sums = np.vstack([np.kron(np.eye(n), ones), np.kron(ones, np.eye(n))])
    most = 1.0 - np.eye(n)
    # The simplex method ends in a corner, and all corners of this programme are whole numbers.
    found = linprog(
        cost.ravel(),
        A_eq=sums,
        b_eq=np.concatenate([rows, columns]),
        bounds=np.column_stack([np.zeros(n * n), most.ravel()]),
        method="highs-ds",
    )
    return np.rint(found.x).astype(int).reshape(n, n) if found.status == 0 else None


def _random_walk(
    steps: np.ndarray, first: int, last: int, rng: np.random.Generator
) -> list[int] | None:
    """Draw a walk that takes every step exactly as often as it is counted; None if there is none.

    All such walks are equally likely: the last step out of each node is drawn as a random tree
    towards the end (Wilson 1996), the others are shuffled (the BEST theorem; van
    Aardenne-Ehrenfest & de Bruijn 1951).
    """
    tree = _random_tree(steps, last, rng)
    if tree is None:
        return None
    exits = []
    for node, row in enumerate(steps):
        left = row.copy()
        if node in tree:
            left[tree[node]] -= 1
        ways = rng.permutation(np.repeat(np.arange(len(row)), left)).tolist()
        exits.append(([tree[node]] if node in tree else []) + ways)
    walk = [first]
    while exits[walk[-1]]:
        walk.append(exits[walk[-1]].pop())
    return walk


def _random_tree(steps: np.ndarray, root: int, rng: np.random.Generator) -> dict[int, int] | None:
    """Draw the step by which each node is left for the last time; None if one cannot reach root."""
    can_reach = {root}
    while True:
        more = {int(node) for node in np.flatnonzero(steps[:, list(can_reach)].any(axis=1))}
        if more <= can_reach:
            break
        can_reach |= more
    if len(can_reach) < len(steps):
        return None
    tree: dict[int, int] = {}
    for start in range(len(steps)):
        node, way = start, dict[int, int]()
        while node != root and node not in tree:
            way[node] = int(rng.choice(len(steps), p=steps[node] / steps[node].sum()))
            node = way[node]
        # The last way out of each node on the walk; rounds that it made are thereby forgotten.
        node = start
        while node != root and node not in tree:
            tree[node] = way[node]
            node = way[node]
    return tree


def _with_repeats(
    walk: list[int], repeats: np.ndarray, max_run: int, rng: np.random.Generator
) -> np.ndarray:
    """Make some of the runs longer: version v gets `repeats[v]` more places, at random."""
    visits = np.array(walk)
    length = np.ones(len(visits), dtype=int)
    for version, n_more in enumerate(repeats):
        if n_more:
            room = np.repeat(np.flatnonzero(visits == version), max_run - 1)
            np.add.at(length, rng.choice(room, size=n_more, replace=False), 1)
    return np.repeat(visits, length)
