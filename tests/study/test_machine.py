"""How many cores are ours, and who we are."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from study.machine import CORES_OF_JOB, machine_name, process_space, usable_cores


@pytest.fixture(autouse=True)
def _outside_of_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in CORES_OF_JOB:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="processes are not bound here")
def test_only_cores_that_the_process_is_bound_to_count() -> None:
    core = min(os.sched_getaffinity(0))
    code = f"import os; os.sched_setaffinity(0, [{core}])\nimport study.machine\n"
    code += "print(study.machine.usable_cores())"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert found.stdout.strip() == b"1"


def test_a_job_keeps_to_what_it_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)), raising=False)
    assert usable_cores() == 16
    monkeypatch.setenv("SLURM_CPUS_ON_NODE", "8")
    assert usable_cores() == 8
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "2")
    assert usable_cores() == 2, "of one of four tasks"
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "64")
    assert usable_cores() == 16, "never more than there are"
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "")
    assert usable_cores() == 8


def test_a_system_without_binding_counts_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert usable_cores() == 6
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert usable_cores() == 1


def test_names_are_the_same_in_another_process() -> None:
    code = "from study.machine import *; print(machine_name(), process_space())"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == f"{machine_name()} {process_space()}".strip()
