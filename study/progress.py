"""A progress bar with a time estimate on a terminal, plain lines in a log."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

log = logging.getLogger("bodyscene")

SECONDS_BETWEEN_LINES = 15.0


@contextlib.contextmanager
def progress(what: str, total: int, unit: str = "") -> Iterator[Callable[..., None]]:
    """Show how far a piece of work is; yields `advance(n=1, note="")`.

    On a terminal a bar with the time left, elsewhere a log line every 15 seconds, so that a
    batch log stays short.
    """
    console = Console(stderr=True)
    show = _bar if console.is_terminal else _lines
    with show(what, total, unit, console) as advance:
        yield advance


@contextlib.contextmanager
def _bar(what: str, total: int, unit: str, console: Console) -> Iterator[Callable[..., None]]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=console, transient=True) as bars:
        task = bars.add_task(what, total=total, note="")
        yield lambda n=1, note="": bars.update(task, advance=n, note=note)


@contextlib.contextmanager
def _lines(what: str, total: int, unit: str, console: Console) -> Iterator[Callable[..., None]]:
    start = last = time.monotonic()
    done = 0

    def advance(n: int = 1, note: str = "") -> None:
        nonlocal done, last
        done += n
        now = time.monotonic()
        if now - last >= SECONDS_BETWEEN_LINES:
            last = now
            left = (now - start) / max(done, 1) * (total - done)
            log.info("%s: %d of %d %s, about %.0f s left %s", what, done, total, unit, left, note)

    yield advance
