"""What comes before the first test trial: stills with their labels, and practice.

All of it is taken from validation clips, never from test clips.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from study.errors import StudyError
from study.fields import Trials
from study.tables import choice_columns
from study.trials import draw_choice_sets, labels_in_order, version_shift

ORIGINAL = "body_background"


def draw_familiarisation(
    validation: pd.DataFrame,
    actions: Sequence[str],
    participants: Sequence[str],
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Draw a clip of every action whose still is shown, and everyone's own order of them.

    Parameters
    ----------
    validation : DataFrame
        Rows of the manifest: validation clips.
    actions : sequence of str
        Those of the test trials.
    participants : sequence of str
    rng : numpy.random.Generator

    Returns
    -------
    DataFrame
        See `study.tables.familiarisation_schema`.

    Raises
    ------
    StudyError
        When an action has no validation clip; says how to do without.
    """
    originals = validation[validation["condition"] == ORIGINAL].sort_values("clip_id")
    lacking = sorted(set(actions) - set(originals["action"]))
    if lacking:
        raise clips_missing(
            f"familiarisation shows a still of every action, but {len(lacking)} of {len(actions)} "
            f"actions have no validation clip in its original version, e.g. {lacking[0]!r}",
            "trials.familiarisation = false",
        )
    own = originals[originals["action"].isin(actions)]
    shown = own.groupby("action").sample(n=1, random_state=rng).reset_index(drop=True)
    orders = [rng.permutation(len(shown)) for _ in participants]
    table = shown.loc[np.concatenate(orders), ["clip_id", "action", "stimulus_id"]]
    table.insert(0, "participant", np.repeat(np.array(participants, dtype=object), len(shown)))
    table.insert(1, "place", np.tile(np.arange(1, len(shown) + 1), len(orders)))
    return table.reset_index(drop=True)


def draw_practice(
    validation: pd.DataFrame,
    choices: pd.DataFrame,
    conditions: Sequence[str],
    participants: Sequence[str],
    settings: Trials,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Draw everyone's practice trials, of actions that are not tested where there are any.

    Clips and versions take turns over participants, so that what practice teaches is the same for
    all versions. With the design `between` practice shows the participant's own version only.

    Parameters
    ----------
    validation : DataFrame
        Rows of the manifest: validation clips of all actions, tested or not.
    choices : DataFrame
        The labels of the tested actions.
    conditions : sequence of str
        The versions that are tested.
    participants : sequence of str
    settings : Trials
    rng : numpy.random.Generator

    Returns
    -------
    DataFrame
        See `study.tables.trials_schema`; trials are counted from 1.

    Raises
    ------
    StudyError
        When there is no validation clip; says how to do without.
    """
    n, n_versions = settings.n_practice, len(conditions)
    clips = validation[validation["condition"].isin(conditions)].sort_values("clip_id")
    clips = clips[clips.groupby("clip_id")["condition"].transform("nunique") == n_versions]
    if clips.empty:
        raise clips_missing("practice shows validation clips", "trials.n_practice = 0")
    stimuli = clips.set_index(["clip_id", "condition"])
    is_tested = clips["action"].isin(choices["action"])
    untested, tested = (_mixed_by_action(clips[rows], rng) for rows in (~is_tested, is_tested))
    labels = _labels(sorted(set(clips.loc[~is_tested, "action"])), choices, rng)
    n_untested = min(n, len(untested)) if tested else n
    streams = rng.spawn(len(participants))
    lists = []
    for number, (name, stream) in enumerate(zip(participants, streams, strict=True)):
        shown = take_turn(untested, number, n_untested) + take_turn(tested, number, n - n_untested)
        turn = 0 if settings.design == "between" else np.arange(n)
        shift = version_shift(number, settings.n_participants, n_versions)
        versions = np.broadcast_to((turn + shift) % n_versions, n)
        order = stream.permutation(n)
        pairs = [(shown[place], conditions[versions[place]]) for place in order]
        lists.append(as_trials(stimuli.loc[pairs].reset_index(), name, number, labels, stream))
    return pd.concat(lists, ignore_index=True).assign(kind="practice", block=0)


def as_trials(
    shown: pd.DataFrame,
    participant: str,
    number: int,
    labels: Mapping[str, Sequence[str]],
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Make trials of stimuli: session, trial, and labels with the right one all over the places.

    Parameters
    ----------
    shown : DataFrame
        stimulus_id, clip_id, action, condition in the order shown.
    participant : str
    number : int
        Of the participant, counted from 0.
    labels : mapping of str to sequence of str
        The labels of every action, the right one first.
    rng : numpy.random.Generator
    """
    table = shown[["stimulus_id", "clip_id", "action", "condition"]].reset_index(drop=True)
    sets = np.array([labels[action] for action in table["action"]], dtype=object)
    positions = rng.permutation((np.arange(len(sets)) + number) % sets.shape[1])
    ordered = labels_in_order(sets, positions, rng)
    for place in range(sets.shape[1]):
        table[f"choice_{place + 1}"] = ordered[:, place]
    table.insert(0, "participant", participant)
    table.insert(1, "session", 1)
    table.insert(2, "trial", np.arange(1, len(table) + 1))
    return table


def take_turn(pool: Sequence[str], number: int, n: int) -> list[str]:
    """Return the next `n` of a pool for a participant, going round."""
    return [pool[(number * n + place) % len(pool)] for place in range(n)]


def clips_missing(what: str, switch: str) -> StudyError:
    """Say that validation clips are missing, and how to do with them or without."""
    return StudyError(
        f"{what}; the manifest has none. Make some ([split]: validation_clips = 1, or validation "
        f"groups, and 'body_background' among versions.conditions), or set {switch}"
    )


def _mixed_by_action(clips: pd.DataFrame, rng: np.random.Generator) -> list[str]:
    """Put clips in a random order in which every action comes once before one comes twice."""
    table = clips.drop_duplicates("clip_id")[["clip_id", "action"]]
    table = table.iloc[rng.permutation(len(table))]
    return table.iloc[table.groupby("action").cumcount().argsort(kind="stable")]["clip_id"].tolist()


def _labels(
    untested: list[str], choices: pd.DataFrame, rng: np.random.Generator
) -> dict[str, Sequence[str]]:
    """Return the labels of all actions; those not tested are each other's foils if they can be."""
    columns = choice_columns(choices)
    k = len(columns)
    sets = {row[0]: row[1:] for row in choices[["action", *columns]].itertuples(index=False)}
    if len(untested) >= k:
        drawn = draw_choice_sets(untested, k, rng)
        return sets | {row[0]: row[1:] for row in drawn.itertuples(index=False)}
    for action in untested:
        sets[action] = (action, *rng.choice(choices["action"], k - 1, replace=False).tolist())
    return sets
