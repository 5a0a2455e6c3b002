"""Everything random of a training step: it follows from the seed and the step's number alone.

So a training that goes on after a kill needs no generator's state, several processes draw the same
batch and take their rows of it, and the clips of any step can be named later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from models.augment import Coloring, Placement, draw_coloring, draw_placement
from models.network import Network
from models.sampling import BalancedSampler
from models.views import BLANK, MASKS, flow_of, is_flow
from study.conditions import CONDITIONS
from study.fields import Model, Training


class Purpose(IntEnum):
    """What is drawn; each purpose has a random stream of its own, so that none shifts another."""

    FRAMES = 0
    READING = 1
    ABSENCE = 2
    PLACEMENT = 3
    MIXING = 4
    LAYERS = 5
    # The streams of a network are coloured each by itself: its number is added.
    COLORING = 16


@dataclass(frozen=True)
class Draws:
    """What is drawn for a batch.

    Attributes
    ----------
    positions : ndarray of int
        Where the frames are in the cache: (B,), or (B, T) for networks of clips.
    labels : ndarray of int
        (B,).
    reading : ndarray of int
        (B,): which of the network's `trained_on` each frame is seen by.
    lacking : dict of str to ndarray of bool
        Stream -> (B,): whether it sees the blank frame.
    placement : Placement
    coloring : dict of str to Coloring
        By stream.
    share : float
        Of a frame in its mixture with its neighbour (see `partners`); 1: frames are not mixed.
    """

    positions: np.ndarray
    labels: np.ndarray
    reading: np.ndarray
    lacking: dict[str, np.ndarray]
    placement: Placement
    coloring: dict[str, Coloring]
    share: float

    def rows(self, rows: slice) -> Draws:
        """Return what is drawn for some frames of the batch."""
        return Draws(
            self.positions[rows],
            self.labels[rows],
            self.reading[rows],
            {stream: lacks[rows] for stream, lacks in self.lacking.items()},
            self.placement.rows(rows),
            {stream: coloring.rows(rows) for stream, coloring in self.coloring.items()},
            self.share,
        )


class Drawer:
    """Draws the batches of one training.

    Parameters
    ----------
    sampler : BalancedSampler
    network : Network
    model : Model
    training : Training
    seed : int
    """

    def __init__(
        self,
        sampler: BalancedSampler,
        network: Network,
        model: Model,
        training: Training,
        seed: int,
    ) -> None:
        self.sampler, self.training, self.seed = sampler, training, seed
        self.n_frames, self.n_readings = network.n_frames, len(network.trained_on)
        self.streams = list(network.trained_on[0])
        self.colored = [name for name in self.streams if is_colored(network.trained_on[0][name])]
        self.blank_share = model.blank_share if network.mixes_parts else 0.0
        self.parts = parts_of(network)

    def at(self, step: int) -> Draws:
        """Draw the whole batch of a step."""
        training, n = self.training, self.training.batch_size
        positions, labels = self.sampler.draw(n, self._rng(Purpose.FRAMES, step), self.n_frames)
        return Draws(
            positions,
            labels,
            self._rng(Purpose.READING, step).integers(self.n_readings, size=n),
            self._lacking(n, self._rng(Purpose.ABSENCE, step)),
            draw_placement(n, training.image_size, training, self._rng(Purpose.PLACEMENT, step)),
            {
                name: draw_coloring(n, training, self._rng(Purpose.COLORING + index, step))
                for index, name in enumerate(self.streams)
                if name in self.colored
            },
            self._share(self._rng(Purpose.MIXING, step)),
        )

    def layers_seed(self, step: int, rank: int) -> int:
        """Return the seed of layers that draw (dropout), of one process."""
        return int(self._rng(Purpose.LAYERS, step, rank).integers(2**63))

    def _rng(self, purpose: int, step: int, *more: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, purpose, step, *more])

    def _lacking(self, n: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
        if self.blank_share == 0:
            return {}
        lacks = rng.random(n) < self.blank_share
        part = rng.integers(len(self.parts), size=n)
        return {
            stream: lacks & np.isin(part, [i for i, one in enumerate(self.parts) if stream in one])
            for stream in sorted(set().union(*self.parts))
        }

    def _share(self, rng: np.random.Generator) -> float:
        strength = self.training.mixup
        return float(rng.beta(strength, strength)) if strength > 0 else 1.0


def parts_of(network: Network) -> list[frozenset[str]]:
    """Return the streams that lack a part together on some version, for every such part.

    Each stream by itself where no version tells.
    """
    streams = [name for name, view in network.trained_on[0].items() if view != MASKS]
    found = []
    for condition in CONDITIONS:
        seen = network.readings(condition).get("blank", {})
        lacking = frozenset(name for name, view in seen.items() if view in (BLANK, flow_of(BLANK)))
        if lacking and lacking not in found:
            found.append(lacking)
    return found or [frozenset([name]) for name in streams]


def is_colored(view: str) -> bool:
    """Tell whether a view's colours may be changed: masks and flow are no colours."""
    return view != MASKS and not is_flow(view)


def partners(n: int) -> np.ndarray:
    """Return with which frame of a batch each is mixed: its neighbour (a last odd one: itself).

    Frames are drawn independently, so neighbours are as good as any random pairs, and the rows of
    a process hold whole pairs.

    >>> partners(5)
    array([1, 0, 3, 2, 4])
    """
    return np.minimum(np.arange(n) ^ 1, n - 1)


def clip_names(clips: Sequence[str], starts: np.ndarray, positions: np.ndarray) -> list[str]:
    """Name the clips that positions lie in; `starts` are their first positions, rising."""
    first = positions.reshape(len(positions), -1)[:, 0]
    return [clips[index] for index in np.searchsorted(starts, first, side="right") - 1]
