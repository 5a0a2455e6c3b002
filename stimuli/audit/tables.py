"""What the probes found, as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from stimuli.audit.folds import units_of
from stimuli.audit.intervals import accuracy_draws, drawn_weights, interval, swap_p
from stimuli.audit.probes import ProbeResult
from stimuli.audit.views import View

# What is compared: the picture, what it should say no more than, and what a difference means.
GHOST, LEFTOVERS = "ghost of the body", "scene inside the mask"


@dataclass(frozen=True)
class Audited:
    """The clips that a probe saw.

    Attributes
    ----------
    clip_ids, actions, groups : ndarray of str
        (clips,)
    """

    clip_ids: np.ndarray
    actions: np.ndarray
    groups: np.ndarray

    def only(self, kept: np.ndarray) -> Audited:
        """Return some of the clips."""
        return Audited(self.clip_ids[kept], self.actions[kept], self.groups[kept])


@dataclass(frozen=True)
class Found:
    """One probe's result with its clips."""

    clips: Audited
    result: ProbeResult

    @property
    def names(self) -> np.ndarray:
        """The actions in the order of their numbers."""
        return np.unique(self.clips.actions)

    @property
    def numbers(self) -> np.ndarray:
        """The action of every clip as a number."""
        return np.searchsorted(self.names, self.clips.actions)

    @property
    def right(self) -> np.ndarray:
        """Whether every clip's action was told."""
        return self.result.predicted == self.numbers


@dataclass(frozen=True)
class Resampling:
    """Settings of the intervals."""

    confidence: float
    n_draws: int
    seed: int


ACCURACY_COLUMNS = [
    "family", "condition", "hole", "inpainting", "picture", "probe", "n_clips", "n_actions",
    "n_folds", "accuracy", "ci_low", "ci_high", "chance", "chance_permuted", "p",
]  # fmt: skip
DIFFERENCE_COLUMNS = [
    "meaning", "condition", "picture", "reference", "probe", "n_clips", "accuracy",
    "reference_accuracy", "difference", "ci_low", "ci_high", "p",
]  # fmt: skip
PREDICTION_COLUMNS = ["picture", "probe", "clip_id", "group", "action", "predicted", "correct"]


def accuracy_table(found: Mapping[View, Found], how: Resampling) -> pd.DataFrame:
    """Return a row per view with its accuracy, interval, chance and p."""
    rows = []
    for view, one in found.items():
        units = units_of(one.clips.groups)
        weights = drawn_weights(units, how.n_draws, how.seed)
        draws = accuracy_draws(one.right, one.numbers, units, weights)
        low, high = interval(draws, how.confidence)
        permuted = one.result.permuted
        rows.append(
            {
                **_names(view),
                "n_clips": len(one.right),
                "n_actions": len(one.names),
                "n_folds": one.result.n_folds,
                "accuracy": one.result.accuracy,
                "ci_low": low,
                "ci_high": high,
                "chance": 1 / len(one.names),
                "chance_permuted": permuted.mean() if len(permuted) else np.nan,
                "p": one.result.p if len(permuted) else np.nan,
            }
        )
    return pd.DataFrame(rows, columns=ACCURACY_COLUMNS)


def prediction_table(found: Mapping[View, Found]) -> pd.DataFrame:
    """Return a row per view and clip."""
    parts = [
        pd.DataFrame(
            {
                "picture": view.picture,
                "probe": view.probe,
                "clip_id": one.clips.clip_ids,
                "group": one.clips.groups,
                "action": one.clips.actions,
                "predicted": one.names[one.result.predicted],
                "correct": one.right.astype(int),
            }
        )
        for view, one in found.items()
    ]
    return pd.concat([pd.DataFrame(columns=PREDICTION_COLUMNS), *parts], ignore_index=True)


def difference_table(found: Mapping[View, Found], own_hole: str, how: Resampling) -> pd.DataFrame:
    """Return what pictures without the body owe to it, and body-only pictures to the scene."""
    rows = [
        _difference(meaning, view, reference, found, how)
        for meaning, view, reference in _comparisons(list(found), own_hole)
    ]
    return pd.DataFrame(rows, columns=DIFFERENCE_COLUMNS)


def _comparisons(views: Sequence[View], own_hole: str) -> list[tuple[str, View, View]]:
    """Pair views: as made or hidden in some way with the truth or the outside of the same hole."""
    by_name = {(view.picture, view.probe): view for view in views}
    pairs = []
    for view in views:
        if view.probe != "plain" or view.condition != "background_only" or view.family == "hole":
            continue
        references = ("true background", f"outside of the hole: {view.hole or own_hole}")
        pairs += [
            (GHOST, view, by_name[name, "plain"])
            for name in references
            if (name, "plain") in by_name
        ]
    rim, next_rim = (("rim of the body", "color"), ("next rim inwards", "color"))
    if rim in by_name and next_rim in by_name:
        pairs.append((LEFTOVERS, by_name[rim], by_name[next_rim]))
    return pairs


def _difference(
    meaning: str, view: View, reference: View, found: Mapping[View, Found], how: Resampling
) -> dict[str, object]:
    """Compare two views on the clips that both have."""
    one, other = found[view], found[reference]
    _, places, other_places = np.intersect1d(
        one.clips.clip_ids, other.clips.clip_ids, return_indices=True
    )
    right, other_right = one.right[places], other.right[other_places]
    clips = one.clips.only(places)
    actions = np.unique(clips.actions, return_inverse=True)[1]
    units = units_of(clips.groups)
    weights = drawn_weights(units, how.n_draws, how.seed)
    accuracies = [
        accuracy_draws(hits, actions, units, drawn)
        for hits in (right, other_right)
        for drawn in (np.ones((1, weights.shape[1])), weights)
    ]
    low, high = interval(accuracies[1] - accuracies[3], how.confidence)
    return {
        "meaning": meaning,
        "condition": view.condition,
        "picture": view.picture,
        "reference": reference.picture,
        "probe": view.probe,
        "n_clips": len(places),
        "accuracy": accuracies[0][0],
        "reference_accuracy": accuracies[2][0],
        "difference": accuracies[0][0] - accuracies[2][0],
        "ci_low": low,
        "ci_high": high,
        "p": swap_p(right, other_right, actions, units, how.seed),
    }


def _names(view: View) -> dict[str, str]:
    return {name: getattr(view, name) for name in ACCURACY_COLUMNS[:6]}
