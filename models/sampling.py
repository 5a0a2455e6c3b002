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
    rng : numpy.random.Generator
        Its state goes into checkpoints.

    Raises
    ------
    StudyError
        When a class has no clip to train on.
    """

    def __init__(self, clips: pd.DataFrame, classes: Sequence[str], rng: np.random.Generator):
        self.rng = rng
        labels = pd.Categorical(clips["action"], categories=list(classes)).codes
        self._n_clips = np.bincount(labels, minlength=len(classes))
        absent = [repr(name) for name, n in zip(classes, self._n_clips, strict=True) if n == 0]
        if absent:
            raise StudyError(
                f"the manifest has no training clip of {', '.join(absent)}; expected at least one "
                "clip of every action with split 'train'"
            )
        # Clips sorted by class, so that (class, clip of the class) is a position.
        ordered = clips.iloc[np.argsort(labels, kind="stable")]
        self._first = np.cumsum(self._n_clips) - self._n_clips
        self._start = ordered["start"].to_numpy()
        self._n_frames = ordered["n_frames"].to_numpy()

    def draw(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Draw `n` frames.

        Returns
        -------
        positions : ndarray
            Where the frames are in the cache, (n,).
        labels : ndarray
            Positions of their classes in `classes`, (n,).
        """
        labels = self.rng.integers(len(self._n_clips), size=n)
        clips = self._first[labels] + self.rng.integers(self._n_clips[labels])
        return self._start[clips] + self.rng.integers(self._n_frames[clips]), labels
