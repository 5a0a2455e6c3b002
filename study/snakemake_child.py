"""Snakemake, ended with the process that started it, and with a log of its own.

A run that is killed outright must not leave a Snakemake behind that goes on sending jobs while the
next run begins. Interrupted, Snakemake cancels the jobs that it sent to a cluster.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

from snakemake.cli import main
from snakemake_interface_logger_plugins.registry import LoggerPluginRegistry

import study.workflow_log

# From linux/prctl.h.
PR_SET_PDEATHSIG = 1


def end_with_parent() -> None:
    """Be interrupted when the parent ends; only Linux has a way to ask for it."""
    # What is started by nohup or cron ignores interrupts, and so would Snakemake.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if not sys.platform.startswith("linux"):
        return
    parent = os.getppid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGINT)
    if os.getppid() != parent:
        # It ended before the kernel was asked.
        signal.raise_signal(signal.SIGINT)


if __name__ == "__main__":
    end_with_parent()
    # By this name Snakemake finds plugins among the installed packages; this one is not one.
    LoggerPluginRegistry().register_plugin("snakemake_logger_plugin_bodyscene", study.workflow_log)
    main()
