"""A training that a cluster is about to end saves its state first.

SLURM sends SIGTERM before the time limit's SIGKILL (KillWait, 30 s by default, lies between them),
on scancel, and when a job of higher priority needs the machine; SIGUSR1 where a job asks for it
(--signal=USR1@120). srun and torchrun pass them on, so that each may come more than once.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import TypeVar

T = TypeVar("T")

SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGUSR1") if hasattr(signal, name))


class Stopped(SystemExit):
    """Ends the command as SIGTERM would have done, now that the state is saved."""

    def __init__(self) -> None:
        super().__init__(128 + signal.SIGTERM)


class _Interrupted(BaseException):
    """Raised where a signal comes in work that may be left at any moment."""


class StopRequest:
    """Notes that the process shall end, while its block runs.

    Attributes
    ----------
    came : bool
        Whether one of the signals has come.
    """

    def __init__(self) -> None:
        self.came = False
        self._may_interrupt = False
        self._before: dict[int, object] = {}

    def __enter__(self) -> StopRequest:
        # Python lets the main thread alone handle signals.
        if threading.current_thread() is threading.main_thread():
            self._before = {each: signal.signal(each, self._note) for each in SIGNALS}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for each, handler in self._before.items():
            signal.signal(each, handler)  # type: ignore[arg-type]

    def unless_it_comes(self, work: Callable[[], T]) -> T | None:
        """Return what `work` returns; None when a signal came before its end.

        For work that takes longer than a cluster waits, and changes nothing that is saved.
        """
        if self.came:
            return None
        try:
            self._may_interrupt = True
            return work()
        except _Interrupted:
            return None
        finally:
            self._may_interrupt = False

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.came = True
        if self._may_interrupt:
            self._may_interrupt = False
            raise _Interrupted
