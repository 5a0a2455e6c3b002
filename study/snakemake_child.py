"""Snakemake, ended with the process that started it, and with a log of its own.

A run that is killed outright must not leave a Snakemake behind that goes on sending jobs while the
next run begins. Interrupted, Snakemake cancels the jobs that it sent to a cluster.
"""

from __future__ import annotations

import argparse
import ctypes
import importlib
import importlib.util
import os
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

from snakemake.cli import main
from snakemake_interface_logger_plugins.registry import LoggerPluginRegistry

import study.workflow_log

# From linux/prctl.h.
PR_SET_PDEATHSIG = 1
EXECUTOR = "snakemake_executor_plugin_slurm"
LONG_S = 10**9
# A scheduler that is busy takes a minute to cancel jobs.
DEAF_S = 50.0


def end_with_parent() -> None:
    """Be interrupted when the parent ends; only Linux has a way to ask for it."""
    # What is started by nohup or cron ignores interrupts, and so would Snakemake.
    signal.signal(signal.SIGINT, _interrupt_once)
    if not sys.platform.startswith("linux"):
        return
    parent = os.getppid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGINT)
    if os.getppid() != parent:
        # It ended before the kernel was asked.
        signal.raise_signal(signal.SIGINT)


def _interrupt_once(number: int, frame: FrameType | None) -> None:
    """Stop Snakemake; impatient further Ctrl-C would leave jobs that it is about to cancel.

    After a while they are heard again: a SLURM that does not answer is waited for.
    """
    until = time.monotonic() + DEAF_S

    def again(number: int, frame: FrameType | None) -> None:
        if time.monotonic() > until:
            signal.default_int_handler(number, frame)

    # A function, not SIG_IGN, which the commands that it starts would inherit.
    signal.signal(signal.SIGINT, again)
    signal.default_int_handler(number, frame)


def see_jobs_end() -> None:
    """Mend three cases in which the executor for SLURM 2.8 waits for ever.

    It leaves squeue for a sacct without records when the controller is away just as it asks for
    MinJobAge, which `cluster.submit` has looked at. It does not know "CANCELLED by 1000", as sacct
    says it, for an end. And it takes preempted jobs for waiting ones, though SLURM was told not to
    queue them again.
    """
    if importlib.util.find_spec(EXECUTOR) is None:
        return
    executor = importlib.import_module(EXECUTOR)
    executor.get_min_job_age = lambda: LONG_S
    executor.query_job_status = _in_known_words(executor.query_job_status)


def _in_known_words(query: Callable[..., Any]) -> Callable[..., Any]:
    async def ask(*arguments: Any) -> Any:
        states, seconds = await query(*arguments)
        if states is not None:
            states = {job: _known_word(state) for job, state in states.items()}
        return states, seconds

    return ask


def _known_word(state: str) -> str:
    return "CANCELLED" if state.startswith(("CANCELLED", "PREEMPTED")) else state


if __name__ == "__main__":
    end_with_parent()
    see_jobs_end()
    # Two hundred lines of it would hide which field of a profile is wrong.
    argparse.ArgumentParser.print_usage = lambda *_: None  # type: ignore[method-assign]
    # By this name Snakemake finds plugins among the installed packages; this one is not one.
    LoggerPluginRegistry().register_plugin("snakemake_logger_plugin_bodyscene", study.workflow_log)
    main()
