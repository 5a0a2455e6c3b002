"""Choice sets and participants' lists: drawn once from the study's seed, kept as data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from study.errors import StudyError
from study.fields import Trials
from study.sequence import count_steps, fill_places, version_order
from study.tables import choice_columns

MAX_ORDERS = 30


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


@dataclass(frozen=True)
class _Items:
    """The test clips in the order j = 0, 1, ... by which versions and positions are dealt out.

    Attributes
    ----------
    clips : ndarray of str, (J,)
    actions : ndarray of int, (J,)
        Rows of the table of choices.
    conditions : ndarray of str, (C,)
    stimuli : ndarray of str, (J, C)
    labels : ndarray of str, (actions, k)
        The right label first.
    """

    clips: np.ndarray
    actions: np.ndarray
    conditions: np.ndarray
    stimuli: np.ndarray
    labels: np.ndarray


def draw_lists(
    test_stimuli: pd.DataFrame, choices: pd.DataFrame, settings: Trials, rng: np.random.Generator
) -> pd.DataFrame:
    """Draw all participants' lists of test trials at once.

    Items are test clips in an order j = 0, 1, ... drawn once, the clips of an action next to each
    other. With C versions and k positions, participant p = 0, 1, ... sees item j in version
    (j + s) mod C, where s = `version_shift`, with the right label at position
    (j + j // lcm(C, k) + p // C + b) mod k in block b (0 unless blocked). So each clip and each
    action is seen equally often in each version (at most one apart), in every block the positions
    are used equally often (at most one apart), and over C k participants every item is seen at
    each position in each version. Lists are drawn one after the other: more of them leave the
    earlier ones as they are, as long as the shifts of these stay.

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
        See `study.tables.trials_schema`; all of kind "test".

    Raises
    ------
    StudyError
        When a clip lacks a version.
    """
    items = _items_of(test_stimuli, choices, rng)
    names = participant_names(settings)
    seen = np.zeros((len(items.conditions) + 1, len(items.conditions)), dtype=int)
    lists = []
    for participant, (name, stream) in enumerate(zip(names, rng.spawn(len(names)), strict=True)):
        own = _one_list(participant, items, settings, seen, stream)
        own.insert(0, "participant", name)
        lists.append(own)
    return pd.concat(lists, ignore_index=True)


def participant_names(settings: Trials) -> list[str]:
    """Return the names of the lists: "01", "02", ..., one per participant or more if asked."""
    n_lists = settings.n_lists or settings.n_participants
    width = max(2, len(str(n_lists)))
    return [f"{number:0{width}d}" for number in range(1, n_lists + 1)]


def version_shift(participant: int, n_participants: int, n_versions: int) -> int:
    """Return by how many versions the square is turned for a participant (counted from 0).

    Each full round of C participants takes every shift once. Those of the r participants of the
    last, incomplete round are spread evenly, floor(i C / r): any s neighbours in the order of items
    then get each version floor or ceil(s r / C) times more, which keeps actions of several clips
    at most one apart, too. Participants beyond `n_participants` take the shifts that are left.
    """
    rounds, place = divmod(participant, n_versions)
    full_rounds, n_last = divmod(n_participants, n_versions)
    if rounds != full_rounds or not n_last:
        return place
    spread = [i * n_versions // n_last for i in range(n_last)]
    left = [shift for shift in range(n_versions) if shift not in spread]
    return [*spread, *left][place]


def labels_in_order(
    labels: np.ndarray, positions: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Put the right label (the first) of every row at its position among the shuffled foils.

    Parameters
    ----------
    labels : ndarray of str, (rows, k)
    positions : ndarray of int, (rows,)
        Counted from 0.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of str, (rows, k)
    """
    n_rows, k = labels.shape
    columns = np.zeros((n_rows, k), dtype=int)
    is_foil = np.arange(k) != positions[:, None]
    foils = np.broadcast_to(np.arange(1, k), (n_rows, k - 1))
    columns[is_foil] = rng.permuted(foils, axis=1).ravel()
    return np.take_along_axis(labels, columns, axis=1)


def _items_of(
    test_stimuli: pd.DataFrame, choices: pd.DataFrame, rng: np.random.Generator
) -> _Items:
    conditions = list(dict.fromkeys(test_stimuli["condition"]))
    shown = test_stimuli.pivot(index="clip_id", columns="condition", values="stimulus_id")
    lacking = np.argwhere(shown.isna().to_numpy())
    if len(lacking):
        clip, version = shown.index[lacking[0][0]], shown.columns[lacking[0][1]]
        raise StudyError(f"the test clip {clip} has no version {version}; expected all versions")
    action_of = test_stimuli.drop_duplicates("clip_id").set_index("clip_id")["action"]
    clips = [
        clip
        for action in rng.permutation(sorted(set(action_of)))
        for clip in rng.permutation(sorted(action_of.index[action_of == action]))
    ]
    row_of = {action: row for row, action in enumerate(choices["action"])}
    return _Items(
        clips=np.array(clips, dtype=object),
        actions=np.array([row_of[action_of[clip]] for clip in clips]),
        conditions=np.array(conditions, dtype=object),
        stimuli=shown.loc[clips, conditions].to_numpy(dtype=object),
        labels=choices[choice_columns(choices)].to_numpy(dtype=object),
    )


def _one_list(
    participant: int,
    items: _Items,
    settings: Trials,
    seen: np.ndarray,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Draw one participant's test trials; `seen` counts the neighbours of versions so far."""
    n_versions = len(items.conditions)
    shift = version_shift(participant, settings.n_participants, n_versions)
    block, j, version = _order(participant, shift, items, settings, seen, rng)
    if settings.design == "latin_square":
        seen += count_steps(version, n_versions)
    k = items.labels.shape[1]
    turn = j + j // math.lcm(n_versions, k) + participant // n_versions + block
    labels = labels_in_order(items.labels[items.actions[j]], turn % k, rng)
    table = {
        "session": 1,
        "block": block + 1,
        "trial": np.arange(1, len(j) + 1),
        "kind": "test",
        "stimulus_id": items.stimuli[j, version],
        "clip_id": items.clips[j],
        "action": items.labels[items.actions[j], 0],
        "condition": items.conditions[version],
    }
    table |= {f"choice_{place + 1}": labels[:, place] for place in range(k)}
    return pd.DataFrame(table)


def _order(
    participant: int,
    shift: int,
    items: _Items,
    settings: Trials,
    seen: np.ndarray,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return block, item and version of the trials in the order shown."""
    n_items, n_versions = items.stimuli.shape
    if settings.design == "latin_square":
        version = (np.arange(n_items) + shift) % n_versions
        counts = np.bincount(version, minlength=n_versions)
        best, fewest = np.arange(n_items), n_items
        for _ in range(MAX_ORDERS):
            wanted = version_order(counts, settings.max_run, rng, seen)
            order, clashes = fill_places(wanted, version, items.actions, rng)
            if clashes < fewest:
                best, fewest = order, clashes
            if not fewest:
                break
        return np.zeros(n_items, dtype=int), best, version[best]
    blocks = [shift]
    if settings.design == "blocked":
        blocks = _order_of_blocks(shift, participant // n_versions, n_versions)
    block = np.repeat(np.arange(len(blocks)), n_items)
    j = np.tile(np.arange(n_items), len(blocks))
    order, _ = fill_places(block, block, items.actions[j], rng)
    return block, j[order], np.array(blocks)[block]


def _order_of_blocks(shift: int, n_round: int, n_versions: int) -> list[int]:
    """Return the versions of the blocks: a row of a Williams square (Williams 1949).

    Over C participants each version takes each place once; over C (C even) or 2 C (C odd) each
    version follows each other one equally often.
    """
    zigzag = [(place + 1) // 2 * (1 if place % 2 else -1) for place in range(n_versions)]
    if n_versions % 2 and n_round % 2:
        zigzag.reverse()
    return [(step + shift) % n_versions for step in zigzag]
