"""From the log-probabilities of frames to those of their clip."""

from __future__ import annotations

from typing import Literal

import numpy as np

How = Literal["log_probability", "probability", "vote"]

# A probability too small to hold counts as the smallest that can be held.
SMALLEST = np.finfo(np.float64).tiny


class Pool:
    """Pools frames clip by clip as they come, in memory of the clips alone.

    Parameters
    ----------
    clip : ndarray of int
        (n,): the clip of every frame (or span of frames), never falling.
    n_clips, n_classes : int
    how : {"log_probability", "probability", "vote"}
        log_probability: the mean of the frames' log-probabilities (before it is scaled to sum to
        1, see `models.metrics`). probability: the logarithm of the mean probability. vote: every
        frame votes for its most probable class (of equals the first), and one further vote is
        split by mean probability, which decides between equals and leaves no class at zero.
    """

    def __init__(self, clip: np.ndarray, n_clips: int, n_classes: int, how: How) -> None:
        self.clip, self.how = clip, how
        self._sums = np.zeros((n_clips, n_classes))
        self._votes = np.zeros((n_clips, n_classes))
        self._done = 0

    def add(self, log_probabilities: np.ndarray) -> None:
        """Take the next frames, (b, n_classes)."""
        clip = self.clip[self._done : self._done + len(log_probabilities)]
        self._done += len(clip)
        values = log_probabilities.astype(np.float64)
        if self.how == "vote":
            np.add.at(self._votes, (clip, values.argmax(axis=1)), 1)
        if self.how != "log_probability":
            np.exp(values, out=values)
        first = np.flatnonzero(np.diff(clip, prepend=-1))
        self._sums[clip[first]] += np.add.reduceat(values, first, axis=0)

    def log_probabilities(self) -> np.ndarray:
        """Return one row per clip, (n_clips, n_classes) float64."""
        n = np.bincount(self.clip, minlength=len(self._sums))[:, None]
        means = self._sums / n
        if self.how == "log_probability":
            return means
        if self.how == "vote":
            means = (self._votes + means) / (n + 1)
        return np.log(np.maximum(means, SMALLEST))
