"""Log-probabilities of frames and clips, a bounded batch at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from models.backbones import as_input
from models.devices import autocast
from models.frames import FrameCache
from models.readings import BLANK, LENT_BACKGROUND, Reading

FRAMES_PER_BATCH = 64

# Validation while training looks at so many frames of a clip, evenly spaced.
FRAMES_PER_VALIDATION_CLIP = 8


@dataclass(frozen=True)
class Reader:
    """A network and the frames that it reads.

    Attributes
    ----------
    network : Module
    cache : FrameCache
    device : torch.device
        Where the network is.
    """

    network: nn.Module
    cache: FrameCache
    device: torch.device

    def clip_scores(self, clips: pd.DataFrame, reading: Reading) -> np.ndarray:
        """Return the mean of the frames' log-probabilities of every clip.

        Parameters
        ----------
        clips : DataFrame
            Rows of the cache's `clips`.
        reading : dict
            What each stream sees.

        Returns
        -------
        ndarray of float64
            (n_clips, n_classes).
        """
        n_frames = clips["n_frames"].to_numpy()
        clip_of_frame = np.repeat(np.arange(len(clips)), n_frames)
        sums, done = None, 0
        for scores in self.frame_scores(_positions(clips), reading):
            sums = np.zeros((len(clips), scores.shape[1])) if sums is None else sums
            np.add.at(sums, clip_of_frame[done : done + len(scores)], scores)
            done += len(scores)
        return sums / n_frames[:, None]

    def frame_scores(self, positions: np.ndarray, reading: Reading) -> Iterator[np.ndarray]:
        """Yield the log-probabilities (n, n_classes) of frames, batch after batch."""
        self.network.eval()
        for start in range(0, len(positions), FRAMES_PER_BATCH):
            seen = self._seen(positions[start : start + FRAMES_PER_BATCH], reading)
            with torch.inference_mode(), autocast(self.device):
                scores = self.network(seen)["combined"].float()
            yield torch.log_softmax(scores, dim=1).cpu().numpy()

    def validation_accuracy(self, classes: list[str], absent_part: str) -> dict[str, float]:
        """Return version -> share of validation frames whose most probable class is right.

        Versions whose absent part may be read in two ways are read as `absent_part` says. Without
        validation clips there is no number (NaN).
        """
        clips = self.cache.of_split("validation")
        clips = clips[clips["action"].isin(classes)]
        picked = [_evenly_spaced(clip.start, clip.n_frames) for clip in clips.itertuples()]
        right = np.repeat(
            [classes.index(action) for action in clips["action"]], [len(some) for some in picked]
        )
        accuracy = {}
        for condition in self.cache.frames:
            readings = self.network.readings(condition)
            if not readings:
                continue
            reading = headline(readings, absent_part)
            found = [
                scores.argmax(axis=1)
                for scores in self.frame_scores(np.concatenate([[], *picked]).astype(int), reading)
            ]
            share = float(np.mean(np.concatenate(found) == right)) if found else float("nan")
            accuracy[condition] = share
        return accuracy

    def _seen(self, positions: np.ndarray, reading: Reading) -> dict[str, Tensor]:
        return {
            stream: as_input(torch.from_numpy(self._frames(positions, condition)), self.device)
            for stream, condition in reading.items()
        }

    def _frames(self, positions: np.ndarray, condition: str) -> np.ndarray:
        """Return the frames (n, S, S, 3) of a version, or what stands for one."""
        if condition == BLANK:
            side = next(iter(self.cache.frames.values())).shape[1]
            return np.zeros((len(positions), side, side, 3), np.uint8)
        if condition == LENT_BACKGROUND:
            return self.cache.frames["background_only"][self.cache.lent[positions]]
        return self.cache.frames[condition][positions]


def headline(readings: dict[str, Reading], absent_part: str) -> Reading:
    """Return the reading that the study reports first: `absent_part`, or the only one there is."""
    return readings[absent_part] if absent_part in readings else next(iter(readings.values()))


def _positions(clips: pd.DataFrame) -> np.ndarray:
    """Return where all frames of some clips lie, clip after clip."""
    spans = [np.arange(clip.start, clip.start + clip.n_frames) for clip in clips.itertuples()]
    return np.concatenate(spans) if spans else np.zeros(0, int)


def _evenly_spaced(start: int, n_frames: int) -> np.ndarray:
    n = min(n_frames, FRAMES_PER_VALIDATION_CLIP)
    return start + (np.arange(n) * n_frames) // n
