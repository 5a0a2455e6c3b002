"""Where training takes its frames from: memory and disk, or the device that computes."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from models.frames import FrameCache
from models.prefetch import Courier

# Frames stay on the device where they take at most this share of its free memory.
SHARE_OF_MEMORY = 0.25
FRAMES_PER_COPY = 4096


class HostFrames:
    """Frames that are read from memory or disk when they are needed, in the thread that fetches."""

    def __init__(self, cache: FrameCache, device: torch.device) -> None:
        self.cache, self.device = cache, device
        self._courier = Courier(device)

    def send(self, view: str, positions: np.ndarray) -> Tensor:
        """Bring pixels (n, [T,] S, S, 3) uint8 to the device; they are there on return."""
        return self._courier.send(self.cache.take(view, positions))

    def receive(self, sent: Tensor) -> Tensor:
        """Take over what `send` brought, in the thread that computes."""
        return self._courier.receive(sent)

    def let_go(self) -> None:
        """Count what was read no longer as memory of this process; see `FrameCache.let_go`."""
        self.cache.let_go()


class DeviceFrames(HostFrames):
    """Frames that lie on the device from the start: what travels is where they are."""

    def __init__(self, cache: FrameCache, device: torch.device, views: Iterable[str]) -> None:
        super().__init__(cache, device)
        clips = cache.of_split("train")
        self.first = int(clips["start"].min())
        stop = int((clips["start"] + clips["n_frames"]).max())
        self.frames = {}
        for view in views:
            shape = (stop - self.first, cache.side, cache.side, 3)
            self.frames[view] = torch.empty(shape, dtype=torch.uint8, device=device)
            for start in range(self.first, stop, FRAMES_PER_COPY):
                positions = np.arange(start, min(start + FRAMES_PER_COPY, stop))
                taken = torch.from_numpy(cache.take(view, positions))
                self.frames[view][start - self.first :][: len(taken)] = taken.to(device)

    def send(self, view: str, positions: np.ndarray) -> Tensor:
        places = torch.from_numpy(positions - self.first).to(self.device)
        return self.frames[view][places]

    def receive(self, sent: Tensor) -> Tensor:
        return sent


def frames_for(device: torch.device, cache: FrameCache, views: Iterable[str]) -> HostFrames:
    """Return the source of a training's frames: on the device where they fit, on CUDA."""
    views = list(views)
    if device.type != "cuda":
        return HostFrames(cache, device)
    n_frames = int(cache.of_split("train")["n_frames"].sum())
    needed = len(views) * n_frames * cache.side**2 * 3
    free, _ = torch.cuda.mem_get_info(device)
    if needed > SHARE_OF_MEMORY * free:
        return HostFrames(cache, device)
    return DeviceFrames(cache, device, views)
