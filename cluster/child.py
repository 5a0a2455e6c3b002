"""Measurements in processes of their own: each has its own peak of memory, and may fail alone."""

from __future__ import annotations

import multiprocessing
import os
import resource
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from study.errors import StudyError

STATUS = Path("/proc/self/status")


class NotMeasured(StudyError):
    """Something could not be measured; says why."""


def in_child(work: Callable[..., dict[str, Any]], *args: Any) -> dict[str, Any]:
    """Do some work in a new process; return its result and "peak_mb", the most memory it held.

    Parameters
    ----------
    work : callable
        A function of a module, which returns plain data.

    Raises
    ------
    NotMeasured
        When the work fails, or the process ends abruptly.
    """
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    child = context.Process(target=_answer, args=(there, work, args))
    child.start()
    there.close()
    try:
        found = here.recv()
    except EOFError:
        child.join()
        raise NotMeasured(
            f"the measuring process ended with code {child.exitcode}, perhaps for lack of memory"
        ) from None
    finally:
        # Also on Ctrl-C: nobody waits for the result any more.
        child.terminate()
        child.join()
    if isinstance(found, str):
        raise NotMeasured(found)
    return found


def _answer(there: Connection, work: Callable[..., dict[str, Any]], args: tuple[Any, ...]) -> None:
    _be_silent()
    try:
        found: dict[str, Any] | str = work(*args)
        found["peak_mb"] = peak_mb()
    except StudyError as error:
        found = str(error)
    except KeyboardInterrupt:
        os._exit(130)
    except Exception as error:  # whatever a foreign network may raise
        found = f"{type(error).__name__}: {error}"
    there.send(found)


def _be_silent() -> None:
    """Say nothing: the work has progress bars of its own, and what fails is sent as a message."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
        os.dup2(nowhere, stream.fileno())


def peak_mb() -> float:
    """Return the most memory that this process held, in MB (10^6 bytes).

    On Linux not by getrusage, whose peak a new process inherits from the one that started it.
    """
    if STATUS.is_file():
        for line in STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6
