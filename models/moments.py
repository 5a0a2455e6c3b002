"""Which frames of its clips a network reads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Moments:
    """What is read of some clips, clip after clip.

    Attributes
    ----------
    positions : ndarray of int
        Places of frames in the cache: (n,), or (n, T) where T frames are read at once.
    clip : ndarray of int
        (n,): which of the clips each entry is of, never falling.
    n_clips : int
    """

    positions: np.ndarray
    clip: np.ndarray
    n_clips: int


def moments_of(clips: pd.DataFrame, at_once: int = 1, per_clip: int | None = None) -> Moments:
    """Choose the frames, or the spans of frames, that are read of every clip.

    Parameters
    ----------
    clips : DataFrame
        `start` and `n_frames`: where the clips lie in the cache.
    at_once : int
        Frames that a network reads at once.
    per_clip : int, optional
        Frames per clip, evenly spaced; default all. For spans, as many spans as this holds (at
        least one).
    """
    chosen = [
        clip.start + (
            evenly_spaced(clip.n_frames, per_clip)
            if at_once == 1
            else spans(clip.n_frames, at_once, per_clip)
        )
        for clip in clips.itertuples()
    ]  # fmt: skip
    empty = np.zeros((0,) if at_once == 1 else (0, at_once), int)
    counts = [len(places) for places in chosen]
    return Moments(
        np.concatenate([empty, *chosen]), np.repeat(np.arange(len(clips)), counts), len(clips)
    )


def evenly_spaced(n_frames: int, wanted: int | None) -> np.ndarray:
    """Return the middles of `wanted` equal parts of a clip; all frames where it has no more.

    >>> evenly_spaced(10, 2)
    array([2, 7])
    """
    if wanted is None or wanted >= n_frames:
        return np.arange(n_frames)
    return (2 * np.arange(wanted) + 1) * n_frames // (2 * wanted)


def spans(n_frames: int, at_once: int, per_clip: int | None) -> np.ndarray:
    """Cut a clip into spans of consecutive frames, (n_spans, at_once).

    As few spans as cover the clip, evenly spaced, so that neighbours may overlap; fewer where
    `per_clip` frames are asked for. A clip that is shorter than a span is stretched: its frames
    are repeated.

    >>> spans(5, 3, None)
    array([[0, 1, 2],
           [2, 3, 4]])
    """
    if n_frames < at_once:
        return (np.arange(at_once) * n_frames // at_once)[None]
    n_spans = -(-n_frames // at_once)
    if per_clip is not None:
        n_spans = min(n_spans, max(1, per_clip // at_once))
    last = n_frames - at_once
    first = np.round(np.linspace(0, last, n_spans)) if n_spans > 1 else np.array([last // 2])
    return first.astype(int)[:, None] + np.arange(at_once)
