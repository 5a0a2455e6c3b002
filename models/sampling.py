"""Class-balanced batches: a class, then one of its clips, then one of its frames."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from study.errors import StudyError


class BalancedSampler:
    """Draws frames so that neither long clips nor large classes weigh more.

    Parameters
    ----------
    clips : DataFrame
        The training clips: `action`, `start` and `n_frames` (where their frames are).
    classes : sequence of str
        All classes, in the order of the labels.

    Raises
    ------
    StudyError
        When a class has no clip to train on.
    """

    def __init__(self, clips: pd.DataFrame, classes: Sequence[str]) -> None:
        _check_all_are_among(clips, classes)
        labels = pd.Categorical(clips["action"], categories=list(classes)).codes
        self._n_clips = np.bincount(labels, minlength=len(classes))
        # Clips sorted by class, so that (class, clip of the class) is a position.
        ordered = clips.iloc[np.argsort(labels, kind="stable")]
        self._first = np.cumsum(self._n_clips) - self._n_clips
        self._start = ordered["start"].to_numpy()
        self._n_frames = ordered["n_frames"].to_numpy()

    def draw(
        self, n: int, rng: np.random.Generator, at_once: int = 1
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draw `n` frames, or `n` spans of `at_once` consecutive frames.

        Every start of a span within its clip is as likely. A clip that is shorter than a span is
        stretched as in scoring (`models.moments.spans`): its frames are repeated.

        Returns
        -------
        positions : ndarray
            Where the frames are in the cache, (n,); (n, at_once) for spans.
        labels : ndarray
            Positions of their classes in `classes`, (n,).
        """
        labels = rng.integers(len(self._n_clips), size=n)
        clips = self._first[labels] + rng.integers(self._n_clips[labels])
        start, n_frames = self._start[clips], self._n_frames[clips]
        if at_once == 1:
            return start + rng.integers(n_frames), labels
        first = start + rng.integers(np.maximum(n_frames - at_once, 0) + 1)
        steps = np.arange(at_once)
        stretched = steps * n_frames[:, None] // at_once
        return first[:, None] + np.where(n_frames[:, None] < at_once, stretched, steps), labels


def check_training_clips(manifest: pd.DataFrame, classes: Sequence[str]) -> None:
    """Check that a network can learn every class, before frames are made for it.

    Raises
    ------
    StudyError
        When a class has no clip to train on.
    """
    _check_all_are_among(manifest[manifest["split"] == "train"], classes)


def _check_all_are_among(clips: pd.DataFrame, classes: Sequence[str]) -> None:
    trained = set(clips["action"])
    absent = [repr(name) for name in classes if name not in trained]
    if absent:
        raise StudyError(
            f"the manifest has no training clip of {', '.join(absent)}; expected at least one "
            "clip of every action with split 'train'"
        )
