"""Checks of attention: easy trials between the test trials, spread evenly, hard to foresee."""

from __future__ import annotations

import numpy as np
import pandas as pd

from study.errors import StudyError
from study.fields import Trials
from study.practice import ORIGINAL, as_trials, clips_missing
from study.tables import choice_columns

TRIALS_PER_CATCH = 20
MAX_TRIES = 30


def draw_catch_trials(
    validation: pd.DataFrame,
    choices: pd.DataFrame,
    trials: pd.DataFrame,
    settings: Trials,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Draw everyone's catch trials: originals of tested actions, which look like any other trial.

    A list is cut into equal stretches; each gets one catch trial at a random place in it, never
    first or last of all, not beside another one, and such that runs of the original stay within
    `max_run` and no neighbour shows the same action, where there is such a place. Clips take turns
    over participants; a clip of somebody's practice is avoided where there are enough.

    Parameters
    ----------
    validation : DataFrame
        Rows of the manifest: validation clips.
    choices : DataFrame
        The labels of the tested actions.
    trials : DataFrame
        Everyone's practice and test trials; test trials counted from 1.
    settings : Trials
    rng : numpy.random.Generator

    Returns
    -------
    DataFrame
        See `study.tables.trials_schema`; `trial` is that of the test trial that it follows.
        Empty where the lists are short and n_catch is not set.

    Raises
    ------
    StudyError
        When there are not the clips for it; says how to do without.
    """
    is_test = trials["kind"] == "test"
    lists = list(trials[is_test].groupby("participant", sort=False))
    n_test = len(lists[0][1])
    if not (round(n_test / TRIALS_PER_CATCH) if settings.n_catch is None else settings.n_catch):
        return trials.iloc[:0]
    pool = _pool(validation, choices, settings)
    n = _how_many(n_test, len(pool), settings)
    pool = pool.iloc[rng.permutation(len(pool))]
    labels = {row[0]: row[1:] for row in choices[["action", *choice_columns(choices)]].to_numpy()}
    practised = trials[~is_test].groupby("participant")["clip_id"].agg(set).to_dict()
    drawn = []
    for number, ((name, own), stream) in enumerate(zip(lists, rng.spawn(len(lists)), strict=True)):
        turned = pool.iloc[(np.arange(len(pool)) + number * n) % len(pool)]
        known = turned["clip_id"].isin(practised.get(name, set()))
        shown, after = _placed(pd.concat([turned[~known], turned[known]]), n, own, settings, stream)
        catch = as_trials(shown, name, number, labels, stream)
        drawn.append(catch.assign(trial=after, block=own["block"].to_numpy()[after - 1]))
    return pd.concat(drawn, ignore_index=True).assign(kind="catch")


def _how_many(n_test: int, n_clips: int, settings: Trials) -> int:
    """Return how many checks a list gets; a number that is asked for is never cut down."""
    if settings.n_catch is None:
        return min(round(n_test / TRIALS_PER_CATCH), n_clips)
    if settings.n_catch > n_test // 3:
        raise StudyError(
            f"trials.n_catch = {settings.n_catch} in lists of {n_test} test trials; expected at "
            f"most one in three, {n_test // 3}"
        )
    if settings.n_catch > n_clips:
        raise StudyError(
            f"trials.n_catch = {settings.n_catch} needs as many different validation clips of "
            f"tested actions, found {n_clips}"
        )
    return settings.n_catch


def _pool(validation: pd.DataFrame, choices: pd.DataFrame, settings: Trials) -> pd.DataFrame:
    """Return the stimuli that may check attention."""
    pool = validation[
        (validation["condition"] == ORIGINAL) & validation["action"].isin(choices["action"])
    ].sort_values("clip_id")
    if settings.catch_clips:
        unknown = sorted(set(settings.catch_clips) - set(pool["clip_id"]))
        if unknown:
            raise StudyError(
                f"trials.catch_clips: {unknown} are not validation clips of tested actions in "
                "their original version"
            )
        pool = pool[pool["clip_id"].isin(settings.catch_clips)]
    if pool.empty:
        raise clips_missing("catch trials show validation clips", "trials.n_catch = 0")
    return pool


def _placed(
    turned: pd.DataFrame, n: int, own: pd.DataFrame, settings: Trials, rng: np.random.Generator
) -> tuple[pd.DataFrame, np.ndarray]:
    """Return n stimuli in an order, and after which test trial each of them comes.

    They are the first n whose turn it is, or others where these find no good places.
    """
    best, fewest = (turned.head(n), np.arange(n)), np.inf
    for attempt in range(2 * MAX_TRIES):
        order = rng.permutation(n if attempt < MAX_TRIES else len(turned))[:n]
        places, faults = _places(own, turned["action"].to_numpy()[order], settings, rng)
        if faults < fewest:
            best, fewest = (turned.iloc[order], places), faults
        if not faults:
            break
    return best


def _places(
    own: pd.DataFrame, actions: np.ndarray, settings: Trials, rng: np.random.Generator
) -> tuple[np.ndarray, int]:
    """Return after which test trial (counted from 1) each catch trial comes, and what is wrong."""
    is_original = (own["condition"] == ORIGINAL).to_numpy()
    if settings.design != "latin_square":
        # Blocks are of one version, so runs are no matter there.
        is_original = np.zeros_like(is_original)
    shown = own["action"].to_numpy()
    length = len(own) / len(actions)
    places: list[int] = []
    total = 0
    for number, action in enumerate(actions):
        # A stretch without a good place borrows from its neighbours.
        for more in (0.0, 0.5):
            start, end = (number - more) * length, (number + 1 + more) * length
            gaps = np.arange(max(round(start), 1), min(round(end), len(own)))
            beside = (shown[gaps - 1] == action) | (shown[gaps] == action)
            too_long = np.array([_run_at(is_original, gap) for gap in gaps]) > settings.max_run
            too_close = gaps - (places[-1] if places else -len(own)) <= settings.max_run
            faults = 4 * too_close + 2 * too_long + beside
            if not faults.min():
                break
        places.append(int(rng.choice(gaps[faults == faults.min()])))
        total += int(faults.min())
    return np.array(places), total


def _run_at(is_original: np.ndarray, gap: int) -> int:
    """Return how long a run of originals is that an original put into this gap is part of."""
    before = np.flatnonzero(~is_original[:gap])
    after = np.flatnonzero(~is_original[gap:])
    left = gap - 1 - before[-1] if len(before) else gap
    right = after[0] if len(after) else len(is_original) - gap
    return int(left + 1 + right)
