"""Work that a thread does ahead, so that a network does not wait for its frames."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import TypeVar

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import Tensor

T = TypeVar("T")

# Batches that lie ready beside the one in use: memory is bounded by their number.
AHEAD = 2
# How often a full queue looks whether anyone still wants its items.
LOOK_S = 0.1


def prefetched(items: Iterable[T], ahead: int = AHEAD) -> Iterator[T]:
    """Yield the items of an iterable, which a thread makes up to `ahead` items before their use.

    An error of the iterable is raised where its item would have come. When the consumer stops
    early (and closes the generator), the thread ends.
    """
    ready: queue.Queue[tuple[str, object]] = queue.Queue(ahead)
    stop = threading.Event()

    def put(kind: str, content: object) -> bool:
        while not stop.is_set():
            try:
                ready.put((kind, content), timeout=LOOK_S)
            except queue.Full:
                continue
            return True
        return False

    def work() -> None:
        try:
            # OpenMP keeps a limit per thread. A second team beside the network's own would fight it
            # for the cores, and teams spin while they wait: that cost a factor of 100. torch sets
            # its own limit when a thread first asks for it, so that comes before.
            torch.get_num_threads()
            with threadpool_limits(1, "openmp"):
                for item in items:
                    if not put("item", item):
                        return
            put("end", None)
        except BaseException as error:
            put("error", error)

    worker = threading.Thread(target=work, name="prefetch", daemon=True)
    worker.start()
    try:
        while True:
            kind, content = ready.get()
            if kind == "end":
                return
            if kind == "error":
                raise content  # type: ignore[misc]
            yield content  # type: ignore[misc]
    finally:
        stop.set()
        worker.join()


class Courier:
    """Brings arrays to a device; on CUDA beside the computation, on a stream of its own.

    `send` is called by the thread that prepares batches, `receive` by the one that uses them.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None

    def send(self, array: np.ndarray) -> Tensor:
        """Copy an array to the device; the copy is whole when this returns."""
        tensor = torch.from_numpy(array)
        if self._stream is None:
            return tensor.to(self.device)
        with torch.cuda.stream(self._stream):
            sent = tensor.pin_memory().to(self.device, non_blocking=True)
        self._stream.synchronize()
        return sent

    def receive(self, sent: Tensor) -> Tensor:
        """Keep the allocator from giving memory away that the calling thread's stream reads."""
        if self._stream is not None:
            sent.record_stream(torch.cuda.current_stream(self.device))
        return sent
