"""The same work on many clips in several processes: one bad clip does not stop the others."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any

import cv2

from study.errors import StudyError
from study.files import DISK_FULL
from study.progress import progress

log = logging.getLogger("bodyscene")


class BatchError(StudyError):
    """A failure that every clip would meet: it stops the batch at once."""


@dataclass(frozen=True)
class Failed:
    """Why the work on one clip failed.

    Attributes
    ----------
    reason : str
        For the table of clips.
    lasting : bool
        Whether the same clip would fail again, so that trying again is no use.
    """

    reason: str
    lasting: bool


def outcomes(
    work: Callable[[Any], Any],
    jobs: Mapping[str, Any],
    processes: int,
    what: str,
    unit: str = "clips",
) -> Iterator[tuple[str, Any]]:
    """Do `work` on every job; yield (name, result or `Failed`) as they end.

    Parameters
    ----------
    work : callable
        A function of a module (it is sent to other processes), job -> result.
    jobs : mapping of str to job
    processes : int
        One works in this process.
    what : str
        Stands before the progress bar.
    unit : str
        What a job is, in the progress bar.

    Raises
    ------
    StudyError
        When the work cannot go on for any clip, for instance on a full disk.
    """
    with progress(what, len(jobs), unit) as advance:
        run = _here if processes == 1 or len(jobs) == 1 else _in_processes
        for name, outcome in run(work, dict(jobs), min(processes, max(len(jobs), 1))):
            advance(note=name)
            yield name, outcome


def _attempt(work: Callable[[Any], Any], job: Any) -> Any:
    """Do one job; its own failures become a result, those of the whole batch are raised."""
    try:
        return work(job)
    except BatchError:
        raise
    except StudyError as error:
        if getattr(error.__cause__, "errno", None) in DISK_FULL:
            raise BatchError(str(error)) from error
        return Failed(str(error), lasting=True)
    except OSError as error:
        # Readers turn a bad file into a StudyError, so what remains is about writing.
        raise BatchError(f"cannot write the results: {error}") from error
    except MemoryError:
        return Failed("the clip needs more memory than there is", lasting=False)
    except Exception as error:
        log.debug("unexpected error", exc_info=True)
        where = traceback.extract_tb(error.__traceback__)[-1]
        reason = f"unexpected {type(error).__name__} in {where.name}: {error}"
        return Failed(" ".join(reason.split()), lasting=False)


def _here(
    work: Callable[[Any], Any], jobs: dict[str, Any], processes: int
) -> Iterator[tuple[str, Any]]:
    for name, job in jobs.items():
        yield name, _attempt(work, job)


def _in_processes(
    work: Callable[[Any], Any], jobs: dict[str, Any], processes: int
) -> Iterator[tuple[str, Any]]:
    """Work in a pool; where a process dies, find out whose fault it was and go on."""
    waiting = dict(jobs)
    while waiting:
        running: dict[Future[Any], str] = {}
        try:
            for name, outcome in _through_pool(work, waiting, running, processes):
                del waiting[name]
                yield name, outcome
        except BrokenProcessPool:
            suspects = [name for name in running.values() if name in waiting]
            for name in suspects:
                yield name, _alone(work, waiting.pop(name))


def _through_pool(
    work: Callable[[Any], Any],
    jobs: dict[str, Any],
    running: dict[Future[Any], str],
    processes: int,
) -> Iterator[tuple[str, Any]]:
    """Keep the processes busy; `running` always holds the jobs that they may be working on."""
    queue = iter(list(jobs.items()))
    others = set(multiprocessing.active_children())
    pool = _pool(processes)
    try:
        while True:
            for name, job in queue:
                running[pool.submit(_attempt, work, job)] = name
                if len(running) >= 2 * processes:
                    break
            if not running:
                return
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                outcome = future.result()
                yield running.pop(future), outcome
    finally:
        # Also on an error or an interrupt: what runs is ended, its half-written files are swept.
        pool.shutdown(wait=False, cancel_futures=True)
        for child in set(multiprocessing.active_children()) - others:
            child.terminate()
            child.join()


def _alone(work: Callable[[Any], Any], job: Any) -> Any:
    """Repeat a job in a process of its own, to learn whether it was the one that broke it."""
    with _pool(1) as pool:
        try:
            return pool.submit(_attempt, work, job).result()
        except BrokenProcessPool:
            reason = "the process that worked on it ended abruptly, perhaps for lack of memory"
            return Failed(reason, lasting=False)


def _pool(processes: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(
        processes,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start_worker,
    )


def _start_worker() -> None:
    """Leave Ctrl-C to the parent, end with it, and use one core."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
