"""Log-probabilities of frames and clips, a bounded batch at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from models.backbones import as_input
from models.devices import autocast
from models.frames import FrameCache
from models.moments import Moments, moments_of
from models.network import COMBINED, Network
from models.pooling import Pool
from models.prefetch import Courier, prefetched
from models.views import Reading
from study.fields import Scoring

# Validation while training looks at so many frames of a clip, evenly spaced.
FRAMES_PER_VALIDATION_CLIP = 8

# After so many batches the frames that were read are let go, so that memory does not grow.
BATCHES_TO_LET_GO = 64

DEFAULTS = Scoring()

# Batches whose scores are still on the device: reading them at once would make it wait.
BEHIND = 2


@dataclass(frozen=True)
class Reader:
    """A network and the frames that it reads.

    Attributes
    ----------
    network : Network
    cache : FrameCache
    device : torch.device
        Where the network is.
    settings : Scoring
        Frames per clip, frames at once, and how the frames of a clip are pooled.
    precision : str
        As `training.precision`.
    """

    network: Network
    cache: FrameCache
    device: torch.device
    settings: Scoring = DEFAULTS
    precision: str = "auto"

    def clip_scores(self, clips: pd.DataFrame, reading: Reading) -> np.ndarray:
        """Return the log-probabilities of every clip.

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
        return self.scores_by_reading(clips, {"": reading})[""]

    def moments(self, clips: pd.DataFrame) -> Moments:
        """Return what is read of some clips: frames, or spans of frames."""
        return moments_of(clips, self.network.n_frames, self.settings.frames_per_clip)

    def scores_by_reading(
        self,
        clips: pd.DataFrame,
        readings: Mapping[str, Reading],
        noting: Callable[[str, np.ndarray], None] | None = None,
    ) -> dict[str, np.ndarray]:
        """Return reading -> log-probabilities of every clip, as `clip_scores`.

        A frame that several readings show is read from disk once, and readings that come to the
        same are computed once.

        Parameters
        ----------
        noting : callable, optional
            Is given every reading's log-probabilities (b, n_classes) of the next of `moments`,
            before they are pooled.
        """
        moments = self.moments(clips)
        pools: dict[str, Pool] = {}
        for scores in self._batches(moments, readings):
            if noting is not None:
                for name in readings:
                    noting(name, scores[_same_as(name, readings)])
            for name, values in scores.items():
                if name not in pools:
                    n_classes = values.shape[1]
                    pools[name] = Pool(
                        moments.clip, moments.n_clips, n_classes, self.settings.pooling
                    )
                pools[name].add(values)
        pooled = {name: pool.log_probabilities() for name, pool in pools.items()}
        nothing = np.zeros((0, self.network.n_classes))
        return {name: pooled.get(_same_as(name, readings), nothing) for name in readings}

    def validation_accuracy(self, classes: list[str], absent_part: str) -> dict[str, float]:
        """Return version -> share of validation frames whose most probable class is right.

        Versions whose absent part may be read in two ways are read as `absent_part` says. Without
        validation clips there is no number (NaN).
        """
        clips = self.cache.of_split("validation")
        clips = clips[clips["action"].isin(classes)]
        moments = moments_of(clips, self.network.n_frames, FRAMES_PER_VALIDATION_CLIP)
        labels = np.array([classes.index(action) for action in clips["action"]], dtype=int)
        right = labels[moments.clip]
        accuracy = {}
        for condition in self.cache.conditions:
            readings = self.network.readings(condition)
            if not readings:
                continue
            reading = headline(readings, absent_part)
            found = [each[""].argmax(axis=1) for each in self._batches(moments, {"": reading})]
            share = float(np.mean(np.concatenate(found) == right)) if found else float("nan")
            accuracy[condition] = share
        return accuracy

    def _batches(
        self, moments: Moments, readings: Mapping[str, Reading]
    ) -> Iterator[dict[str, np.ndarray]]:
        """Yield reading -> log-probabilities (b, n_classes), batch after batch.

        Of readings that come to the same only the first is there.
        """
        self.network.eval()
        distinct = {
            name: each for name, each in readings.items() if _same_as(name, readings) == name
        }
        waiting: deque[dict[str, Tensor]] = deque()
        for seen in self._seen(moments, distinct):
            waiting.append(self._scored(seen, distinct))
            if len(waiting) > BEHIND:
                yield _on_host(waiting.popleft())
        while waiting:
            yield _on_host(waiting.popleft())

    def _seen(
        self, moments: Moments, readings: Mapping[str, Reading]
    ) -> Iterator[dict[str, Tensor]]:
        """Yield every view that some readings need, ready for the network, each once per batch.

        A thread fetches the bytes; on a CPU it also turns them into numbers, else the device does.
        """
        courier = Courier(self.device)
        sent = self._sent(moments, readings, courier)
        if self.device.type == "cpu":
            yield from prefetched(map(self._as_input, sent))
            return
        for views in prefetched(sent):
            yield self._as_input({view: courier.receive(each) for view, each in views.items()})

    def _sent(
        self, moments: Moments, readings: Mapping[str, Reading], courier: Courier
    ) -> Iterator[dict[str, Tensor]]:
        """Bring the bytes of views to the device."""
        views = dict.fromkeys(view for each in readings.values() for view in each.values())
        n_at_once = max(1, self.settings.batch_size // self.network.n_frames)
        edges = [*range(0, len(moments.positions), n_at_once), len(moments.positions)]
        for place, (start, stop) in enumerate(pairwise(edges)):
            positions = moments.positions[start:stop]
            yield {view: courier.send(self.cache.take(view, positions)) for view in views}
            if place % BATCHES_TO_LET_GO == BATCHES_TO_LET_GO - 1:
                self.cache.let_go()

    def _as_input(self, views: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {view: as_input(frames, self.device) for view, frames in views.items()}

    @torch.inference_mode()
    def _scored(
        self, seen: Mapping[str, Tensor], readings: Mapping[str, Reading]
    ) -> dict[str, Tensor]:
        scores = {}
        for name, reading in readings.items():
            with autocast(self.device, self.precision):
                outputs = self.network({stream: seen[view] for stream, view in reading.items()})
            scores[name] = torch.log_softmax(outputs[COMBINED].float(), dim=1)
        return scores


def headline(readings: dict[str, Reading], absent_part: str) -> Reading:
    """Return the reading that the study reports first: `absent_part`, or the only one there is."""
    return readings[absent_part] if absent_part in readings else next(iter(readings.values()))


def _same_as(name: str, readings: Mapping[str, Reading]) -> str:
    """Return the first reading that shows the streams the same."""
    return next(other for other, reading in readings.items() if reading == readings[name])


def _on_host(scores: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
    return {name: values.cpu().numpy() for name, values in scores.items()}
