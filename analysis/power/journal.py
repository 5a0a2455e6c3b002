"""Simulated studies in blocks: worked on by several processes, each block kept when it is done.

A block's name holds a key of everything on which it depends, so a block on disk is never wrong: it
is read instead of simulated, whether the run before was interrupted or had fewer simulations.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pandas as pd

from analysis.mixed_effects.threads import one_blas_thread
from analysis.power.world import OUTCOME, Laboratory, World
from study.errors import StudyError
from study.files import key_of, whole_file
from study.progress import progress

# Simulations in a block, a few seconds of work: a stopped run loses no more than that.
BLOCK = 50
# Changes when simulated studies change with equal settings, so that older blocks are not used.
METHOD = 1


@dataclass(frozen=True)
class Block:
    """The simulations `start` to `start + BLOCK - 1` of one world, and the file that keeps them."""

    world: World
    start: int
    path: Path


def simulate_worlds(
    worlds: Sequence[World], n: int, folder: Path, processes: int, what: str
) -> list[pd.DataFrame]:
    """Return the outcomes of ``n`` simulated studies of every world.

    Parameters
    ----------
    worlds : sequence of World
    n : int
        Simulations 0 to n - 1.
    folder : Path
        Of the blocks; those of other settings in it are left alone.
    processes : int
        The outcomes do not depend on it.
    what : str
        For the progress bar.

    Returns
    -------
    list of DataFrame
        One per world, columns `analysis.power.world.OUTCOME`.

    Raises
    ------
    StudyError
        When a design cannot be analysed, or a process ended abruptly.
    """
    blocks = [_blocks(world, n, folder) for world in worlds]
    missing = [block for own in blocks for block in own if not block.path.is_file()]
    total = sum(map(len, blocks)) * BLOCK
    with progress(what, total, "studies") as advance:
        advance(total - len(missing) * BLOCK)
        _simulate(missing, processes, lambda: advance(BLOCK))
    return [_outcomes(own, n) for own in blocks]


def _blocks(world: World, n: int, folder: Path) -> list[Block]:
    key = key_of(METHOD, world.settings())
    return [Block(world, start, folder / key / f"{start:07d}.csv") for start in range(0, n, BLOCK)]


def _outcomes(blocks: Sequence[Block], n: int) -> pd.DataFrame:
    table = pd.concat([_read(block.path) for block in blocks], ignore_index=True)
    return table[table["simulation"] < n]


def _read(path: Path) -> pd.DataFrame:
    # No failure is an empty text, a number that is missing is not a number.
    empty = {name: [""] for name in OUTCOME if name not in ("target", "failure")}
    return pd.read_csv(path, keep_default_na=False, na_values=empty)


def _simulate(blocks: Sequence[Block], processes: int, advance: Callable[[], None]) -> None:
    if processes == 1 or len(blocks) <= 1:
        with one_blas_thread():
            for block in blocks:
                _work(block)
                advance()
        return
    try:
        for _ in _in_processes(blocks, processes):
            advance()
    except BrokenProcessPool as error:
        raise StudyError(
            "a process that simulated studies ended abruptly, perhaps for lack of memory; repeat "
            "the command, with fewer --cores: it goes on where it stopped"
        ) from error


def _in_processes(blocks: Sequence[Block], processes: int) -> Iterator[None]:
    spawn = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(processes, len(blocks)), spawn, _start_worker)
    try:
        for done in as_completed([pool.submit(_work, block) for block in blocks]):
            yield done.result()
    finally:
        # Also on Ctrl-C: what is being worked on is finished and kept, which takes seconds.
        pool.shutdown(cancel_futures=True)


def _start_worker() -> None:
    """Leave Ctrl-C to the parent."""
    with suppress(ValueError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _work(block: Block) -> None:
    with one_blas_thread():
        laboratory = _laboratory(block.world)
        numbers = range(block.start, block.start + BLOCK)
        table = pd.concat([laboratory.outcome(number) for number in numbers], ignore_index=True)
    with whole_file(block.path) as partial:
        table.to_csv(partial, index=False, lineterminator="\n")


@lru_cache(maxsize=2)
def _laboratory(world: World) -> Laboratory:
    """Blocks of one world come one after the other; its design is evaluated once per process."""
    return Laboratory(world)
