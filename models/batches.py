"""Training batches: drawn, fetched and changed ahead of their use, so that the network never waits.

Frames travel as bytes and become numbers on the device. A thread fetches them; on a CPU it also
makes the changes, on other devices these are queued there between the network's steps.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from models.augment import place, recolor
from models.backbones import as_input
from models.draws import Drawer, Draws, is_colored, partners
from models.frame_sources import HostFrames
from models.loss import IGNORED
from models.network import COMBINED, Network
from models.prefetch import prefetched
from models.views import BLANK, Reading, flow_of, is_flow

# Frames that are mapped from files count as memory of a job; a cluster ends jobs by that.
STEPS_TO_LET_GO = 64


@dataclass(frozen=True)
class Batch:
    """Some rows of a batch, ready for the network.

    Attributes
    ----------
    step : int
    frames : dict of str to Tensor
        By stream: (B, 3, S, S) in 0..1; (B, T, 3, S, S) for networks of clips.
    labels : dict of str to Tensor
        By term, "combined" standing for all that are not there: classes (B,), or shares of
        classes (B, n_classes).
    counted : dict of str to float
        Likewise: how many frames of the whole batch the term counts.
    share : float
        Of these rows in the whole batch.
    """

    step: int
    frames: dict[str, Tensor]
    labels: dict[str, Tensor]
    counted: dict[str, float]
    share: float


def trained_views(network: Network, with_blank: bool) -> list[str]:
    """Return the views that training batches show."""
    views = {view for reading in network.trained_on for view in reading.values()}
    blanks = {flow_of(BLANK) if is_flow(view) else BLANK for view in views}
    return sorted(views | (blanks if with_blank else set()))


class Batches:
    """Makes the batches of a training, this process's rows of each.

    Parameters
    ----------
    network : Network
        For what its streams see.
    drawer : Drawer
    source : HostFrames
    rows : slice
        Of each batch.
    device : torch.device
    """

    def __init__(
        self,
        network: Network,
        drawer: Drawer,
        source: HostFrames,
        rows: slice,
        device: torch.device,
    ) -> None:
        self.trained_on: tuple[Reading, ...] = network.trained_on
        self.n_classes = network.n_classes
        self.drawer, self.source, self.rows, self.device = drawer, source, rows, device

    def run(self, steps: range) -> Iterator[Batch]:
        """Yield the batches of some steps, made ahead by a thread."""
        if self.device.type == "cpu":
            yield from prefetched(self._finished(*raw) for raw in self._fetched(steps))
            return
        for raw in prefetched(self._fetched(steps)):
            yield self._finished(*raw)

    def _fetched(self, steps: range) -> Iterator[tuple[int, Draws, dict[str, Tensor]]]:
        """Bring the pixels of every step; what two streams see alike, once."""
        for step in steps:
            draws = self.drawer.at(step)
            here = draws.rows(self.rows)
            pixels: dict[str, Tensor] = {}
            for stream in self.trained_on[0]:
                key = self._key(stream)
                if key not in pixels:
                    pixels[key] = self._pixels(stream, here)
            for stream, lacks in here.lacking.items():
                if lacks.any():
                    blank = self._blank(stream)
                    pixels[f"{stream} lacks"] = self.source.send(blank, here.positions[lacks])
            yield step, draws, pixels
            if step % STEPS_TO_LET_GO == STEPS_TO_LET_GO - 1:
                self.source.let_go()

    def _pixels(self, stream: str, draws: Draws) -> Tensor:
        """Fetch what one stream sees, each frame by the reading that is drawn for it."""
        views = [reading[stream] for reading in self.trained_on]
        if len(set(views)) == 1:
            return self.source.send(views[0], draws.positions)
        order = np.argsort(draws.reading, kind="stable")
        parts = [
            self.source.send(view, draws.positions[draws.reading == index])
            for index, view in enumerate(views)
            if (draws.reading == index).any()
        ]
        return torch.cat(parts)[torch.from_numpy(np.argsort(order)).to(self.device)]

    def _finished(self, step: int, draws: Draws, pixels: dict[str, Tensor]) -> Batch:
        """Place, colour and mix the frames, and put the blank ones in."""
        here = draws.rows(self.rows)
        pixels = {key: self.source.receive(sent) for key, sent in pixels.items()}
        placed = {
            self._key(stream): place(
                pixels[self._key(stream)], here.placement, is_flow(self.trained_on[0][stream])
            )
            for stream in self.trained_on[0]
        }
        frames = {}
        for stream in self.trained_on[0]:
            seen = self._changed(stream, placed[self._key(stream)], here)
            if f"{stream} lacks" in pixels:
                where = torch.from_numpy(np.flatnonzero(here.lacking[stream])).to(self.device)
                blank = as_input(pixels[f"{stream} lacks"], self.device)
                seen.index_copy_(0, where, blank)
            frames[stream] = seen
        labels, counted = self._labels(draws)
        return Batch(step, frames, labels, counted, len(here.labels) / len(draws.labels))

    def _changed(self, stream: str, pixels: Tensor, draws: Draws) -> Tensor:
        """Turn pixels into numbers, colour and mix them."""
        seen = as_input(pixels, self.device)
        if is_colored(self.trained_on[0][stream]):
            n_at_once = 1 if seen.ndim == 4 else seen.shape[1]
            flat = seen.flatten(0, seen.ndim - 4)
            seen = recolor(flat, draws.coloring[stream].repeated(n_at_once)).view(seen.shape)
        if draws.share < 1:
            other = torch.from_numpy(partners(len(seen))).to(self.device)
            seen = torch.lerp(seen[other], seen, draws.share)
        return seen

    def _labels(self, draws: Draws) -> tuple[dict[str, Tensor], dict[str, float]]:
        """Return the labels of these rows by term, and what the term counts of the batch."""
        all_there = np.zeros(len(draws.labels), bool)
        labels, counted = {}, {}
        for term, lacks in {COMBINED: all_there, **draws.lacking}.items():
            counted[term] = float((~lacks).sum())
            kept = torch.from_numpy(~lacks[self.rows])
            target = self._target(torch.from_numpy(draws.labels[self.rows]), kept, draws.share)
            labels[term] = target.to(self.device, non_blocking=True)
        return labels, counted

    def _target(self, classes: Tensor, kept: Tensor, share: float) -> Tensor:
        """Return classes, or shares of classes where frames are mixed; nothing where not kept."""
        if share == 1:
            return classes.where(kept, IGNORED)
        one_hot = nn.functional.one_hot(classes, self.n_classes).float()
        return torch.lerp(one_hot[partners(len(classes))], one_hot, share) * kept[:, None]

    def _key(self, stream: str) -> str:
        return " | ".join(reading[stream] for reading in self.trained_on)

    def _blank(self, stream: str) -> str:
        return flow_of(BLANK) if is_flow(self.trained_on[0][stream]) else BLANK
