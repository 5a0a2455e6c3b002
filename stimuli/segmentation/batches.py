"""Work in batches that get smaller where memory is short."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from stimuli.parallel import BatchError

log = logging.getLogger("bodyscene")


def in_batches(
    work: Callable[[Sequence[Any], int], list[Any]],
    items: Sequence[Any],
    size: int,
    lacks_memory: Callable[[Exception], bool],
) -> list[Any]:
    """Return what `work` makes of the items, in their order.

    Parameters
    ----------
    work : callable
        A batch of items, and how many there may be at most -> a result for each.
    items : sequence
    size : int
        Most items in a batch; halved as long as memory is short.
    lacks_memory : callable
        Whether an error says that there is too little memory for the batch.

    Raises
    ------
    StudyError
        When even one item is too much.
    """
    results: list[Any] = []
    while len(results) < len(items):
        batch = items[len(results) : len(results) + size]
        try:
            results += work(batch, size)
            continue
        except Exception as error:
            if not lacks_memory(error):
                raise
            if size == 1:
                raise BatchError(
                    "the GPU has too little memory even for one frame at a time: set a smaller "
                    'masks.image_size, smaller weights, or masks.device = "cpu"'
                ) from error
        size = (size + 1) // 2
        log.warning("the GPU's memory is short: going on with batches of %d", size)
    return results
