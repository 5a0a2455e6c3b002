"""What the Snakefile asks for, what a run shows of its jobs, and how it sees them end."""

from __future__ import annotations

import asyncio
import json
import logging
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from snakemake_interface_logger_plugins.common import LogEvent

from study.config import load_study
from study.results import Results
from study.snakemake_child import _in_known_words, _interrupt_once
from study.steps import write_step_settings
from study.workflow import SNAKEFILE
from study.workflow_log import LogHandler

STUDY = """
name = "small"
title = "Small"
seed = 1
[dataset]
kind = "synthetic"
n_actions = 5
clips_per_action = 4
[masks]
source = "truth"
"""


def dry_run(folder: Path, study_name: str, **config: str) -> str:
    path = folder / study_name
    path.write_text(STUDY, encoding="utf-8")
    results = folder / "results"
    write_step_settings(load_study(path), Results(results))
    fields = [f"{name}={value}" for name, value in {"study": str(path), **config}.items()]
    told = subprocess.run(
        [
            *(sys.executable, "-P", "-m", "snakemake", "--snakefile", str(SNAKEFILE), "-n", "-p"),
            *("--directory", str(results), "--config", *fields),
        ],
        cwd=SNAKEFILE.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stdout + told.stderr
    return told.stdout


def test_jobs_are_cut_to_the_limits_and_name_the_study_as_a_shell_reads_it(tmp_path: Path) -> None:
    limits = {"stimuli": {"mem_mb": 4000, "minutes": 30}}
    told = dry_run(tmp_path, "it's a study.toml", cores="2", limits=json.dumps(limits))
    stimuli = told.split("rule stimuli:")[1].split("rule ")[0]
    assert "mem_mb=4000," in stimuli
    assert "runtime=30" in stimuli
    command = next(line for line in stimuli.splitlines() if " -m bodyscene " in line)
    assert str(tmp_path / "it's a study.toml") in shlex.split(command)


def record(text: str, level: int = logging.INFO, **more: object) -> logging.LogRecord:
    made = logging.LogRecord("snakemake", level, "", 0, text, None, None)
    vars(made).update(more)
    return made


@pytest.fixture
def handler() -> LogHandler:
    made = LogHandler.__new__(LogHandler)
    logging.Handler.__init__(made)
    made.__post_init__()
    return made


def test_what_is_to_do_and_errors_of_snakemake_itself_are_shown(
    handler: LogHandler, capsys: pytest.CaptureFixture[str]
) -> None:
    stats = {"all": 1, "fit": 1, "train": 6, "total": 8}
    handler.emit(record("Job stats", event=LogEvent.RUN_INFO, stats=stats))
    handler.emit(record("TypeError in line 44", logging.ERROR, event=LogEvent.ERROR))
    known = "WorkflowError:\nAt least one job did not complete successfully."
    handler.emit(record(known, logging.ERROR, event=LogEvent.ERROR))
    shown = capsys.readouterr().err.splitlines()
    assert [line.split("  ", 1)[1] for line in shown] == [
        "To do: 1 fit, 6 train",
        "TypeError in line 44",
    ]


def test_a_refused_job_is_shown_without_the_call(
    handler: LogHandler, capsys: pytest.CaptureFixture[str]
) -> None:
    reason = "The error message was 'bad\nworse'.\n    sbatch call:\n        sbatch --wrap=x"
    facts = {"jobid": 3, "rule_name": "fit", "rule_msg": reason, "log": []}
    handler.emit(record("", logging.ERROR, event=LogEvent.JOB_ERROR, **facts))
    shown = capsys.readouterr().err
    assert shown.rstrip().endswith("fit: failed. The error message was 'bad worse'.")


def test_jobs_that_ended_are_seen_to_have_ended() -> None:
    async def sacct(command: str) -> tuple[dict[str, str] | None, float | None]:
        if not command:
            return None, None
        return {"1": "CANCELLED by 1000", "2": "PREEMPTED", "3": "RUNNING"}, 0.1

    ask = _in_known_words(sacct)
    states, _ = asyncio.run(ask("sacct"))
    assert states == {"1": "CANCELLED", "2": "CANCELLED", "3": "RUNNING"}
    assert asyncio.run(ask("")) == (None, None)


def test_a_second_interrupt_does_not_disturb_the_first() -> None:
    before = signal.signal(signal.SIGINT, _interrupt_once)
    try:
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
