"""Choice sets and participants' lists: drawn once from the study's seed, kept as data."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from study.errors import StudyError
from study.fields import Trials
from study.tables import choice_columns


def draw_choice_sets(
    actions: Sequence[str], n_choices: int, rng: np.random.Generator
) -> pd.DataFrame:
    """Draw the fixed set of labels of every action.

    The foils are balanced: every action is a foil of exactly ``n_choices - 1`` others. They come
    from a random order of the actions, shifted by ``n_choices - 1`` different random amounts.

    Parameters
    ----------
    actions : sequence of str
        The actions, at least `n_choices` of them.
    n_choices : int
        Labels per action, the right one included.
    rng : numpy.random.Generator

    Returns
    -------
    DataFrame
        Columns action, choice_1 .. choice_k; choice_1 is the right one.

    Raises
    ------
    StudyError
        When there are fewer actions than choices.
    """
    n_actions = len(actions)
    if n_choices > n_actions:
        raise StudyError(
            f"trials.n_choices = {n_choices} but only {n_actions} actions have test clips: "
            f"{', '.join(actions)}; expected at most {n_actions}"
        )
    order = rng.permutation(n_actions)
    shifts = rng.choice(np.arange(1, n_actions), size=n_choices - 1, replace=False)
    rows = []
    for place, right in enumerate(order):
        foils = [actions[order[(place + shift) % n_actions]] for shift in shifts]
        rows.append((int(right), [actions[right], *foils]))
    labels = [row for _, row in sorted(rows, key=lambda row: row[0])]
    table = pd.DataFrame(labels, columns=[f"choice_{k + 1}" for k in range(n_choices)], dtype=str)
    table.insert(0, "action", list(actions))
    return table


def draw_lists(
    test_stimuli: pd.DataFrame, choices: pd.DataFrame, settings: Trials, rng: np.random.Generator
) -> pd.DataFrame:
    """Draw all participants' lists at once.

    Items are test clips, in a random order j = 0, 1, ... drawn once. With C versions and k
    positions, participant p = 0, 1, ... sees item j in version (j + p) mod C with the right
    label at position (j + j // lcm(C, k) + p // C) mod k. So each item is seen equally often in
    each version (at most one apart), in every list the positions are used equally often (at most
    one apart), and over C k participants every item is seen at each position in each version.

    Parameters
    ----------
    test_stimuli : DataFrame
        Rows of the manifest: the test clips of the actions of `choices` in all versions.
    choices : DataFrame
        See `draw_choice_sets`.
    settings : Trials
    rng : numpy.random.Generator

    Returns
    -------
    DataFrame
        See `study.tables.trials_schema`.
    """
    conditions = list(dict.fromkeys(test_stimuli["condition"]))
    clips = sorted(set(test_stimuli["clip_id"]))
    clips = [clips[j] for j in rng.permutation(len(clips))]
    shown = test_stimuli.set_index(["clip_id", "condition"])
    label_columns = choice_columns(choices)
    labels = choices.set_index("action")[label_columns].T.to_dict("list")
    cycle = math.lcm(len(conditions), len(label_columns))
    lists = []
    for participant in range(settings.n_participants):
        rows = []
        blocks = _blocks(participant, len(clips), conditions, settings, rng)
        for block, items in enumerate(blocks, start=1):
            for j, condition in items:
                stimulus_id, action = shown.loc[(clips[j], condition), ["stimulus_id", "action"]]
                turn = j + j // cycle + participant // len(conditions)
                ordered = _ordered(labels[action], turn % len(label_columns), rng)
                rows.append((block, stimulus_id, clips[j], action, condition, *ordered))
        lists.append(_as_table(participant, rows, label_columns, settings))
    return pd.concat(lists, ignore_index=True)


def _blocks(
    participant: int,
    n_items: int,
    conditions: list[str],
    settings: Trials,
    rng: np.random.Generator,
) -> list[list[tuple[int, str]]]:
    """Return the blocks of one participant: lists of (item, version) in the order shown."""
    n_conditions = len(conditions)
    if settings.design == "latin_square":
        versions = [conditions[(j + participant) % n_conditions] for j in range(n_items)]
        return [_mixed_order(versions, settings.max_run, rng)]
    first = participant % n_conditions
    if settings.design == "between":
        return [[(int(j), conditions[first]) for j in rng.permutation(n_items)]]
    rotated = conditions[first:] + conditions[:first]
    return [[(int(j), version) for j in rng.permutation(n_items)] for version in rotated]


def _mixed_order(
    versions: list[str], max_run: int, rng: np.random.Generator
) -> list[tuple[int, str]]:
    """Shuffle items so that no version comes more than `max_run` times in a row."""
    left = {
        version: [int(j) for j in rng.permutation(np.flatnonzero(np.array(versions) == version))]
        for version in dict.fromkeys(versions)
    }
    order: list[tuple[int, str]] = []
    while any(left.values()):
        allowed = [version for version in left if _may_come_next(version, left, order, max_run)]
        if not allowed:
            # Only where one version outnumbers the others by far, in very short lists.
            allowed = [version for version in left if left[version]]
        weights = np.array([len(left[version]) for version in allowed], dtype=float)
        version = allowed[int(rng.choice(len(allowed), p=weights / weights.sum()))]
        order.append((left[version].pop(), version))
    return order


def _may_come_next(
    version: str, left: dict[str, list[int]], order: list[tuple[int, str]], max_run: int
) -> bool:
    """Tell whether `version` fits here and leaves an order for the rest."""
    if not left[version] or _run_of(version, order) >= max_run:
        return False
    counts = {name: len(items) - (name == version) for name, items in left.items()}
    for name, count in counts.items():
        others = sum(counts.values()) - count
        # The others make gaps, each takes a run; the first gap may be partly used already.
        first_gap = max_run - (_run_of(version, order) + 1) if name == version else max_run
        if count > others * max_run + first_gap:
            return False
    return True


def _run_of(version: str, order: list[tuple[int, str]]) -> int:
    """Return how many times `version` stands at the end of the order so far."""
    run = 0
    for _, previous in reversed(order):
        if previous != version:
            break
        run += 1
    return run


def _ordered(labels: list[str], position: int, rng: np.random.Generator) -> list[str]:
    """Put the right label (the first) at `position` among the shuffled foils."""
    foils = [labels[1 + int(place)] for place in rng.permutation(len(labels) - 1)]
    return [*foils[:position], labels[0], *foils[position:]]


def _as_table(
    participant: int, rows: list[tuple], label_columns: list[str], settings: Trials
) -> pd.DataFrame:
    width = max(2, len(str(settings.n_participants)))
    columns = ["block", "stimulus_id", "clip_id", "action", "condition", *label_columns]
    table = pd.DataFrame(rows, columns=columns)
    table.insert(0, "participant", f"{participant + 1:0{width}d}")
    table.insert(1, "session", 1)
    table.insert(3, "trial", np.arange(1, len(rows) + 1))
    return table
