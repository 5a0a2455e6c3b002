"""What a run on a cluster shows of its jobs, a line each, and what it notes of them.

It takes the place of Snakemake's own log, which says much more than a user wants to read (that one
lies in ``.snakemake/log``). Where the environment names a file, the events of the jobs are appended
to it as JSON lines: ``{"event": "sent" | "failed" | "done", "job": number, "step": name, ...}``.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from logging import WARNING, LogRecord
from pathlib import Path
from typing import Any

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

EVENTS = "BODYSCENE_WORKFLOW_EVENTS"
# Stand among the steps where Snakemake counts its jobs.
NO_STEPS = ("all", "total")
# The executor says these of every job, whether or not the cluster has accounts or counts memory.
NOISE = (
    "No SLURM account given",
    "No account was given",
    "Unable to guess SLURM account",
    "No job memory information",
    "Exiting because a job execution failed",
    "At least one job did not complete",
)
# How the executor says these two; of a lost node it says "failed due to a node failure, ...".
SUBMITTED = re.compile(r"Job (\d+) has been submitted with SLURM jobid (\S+)")
ENDED = re.compile(r"SLURM-job '(?P<number>[^']*)' failed.*SLURM status is: '(?P<state>\w+)'")


def title(step: str, wildcards: dict[str, str]) -> str:
    """Return what a job is called, for instance ``train baseline, seed 3``."""
    words = [wildcards.get("model", "")]
    words += [f"{name} {value}" for name, value in wildcards.items() if name != "model"]
    return f"{step} {', '.join(word for word in words if word)}".strip()


class LogHandler(LogHandlerBase):
    """Snakemake's interface for logs; the name is given by it."""

    def __post_init__(self) -> None:
        self._titles: dict[int, str] = {}
        self._steps: dict[int, str] = {}
        self._just_done = self._plan = ""
        path = os.environ.get(EVENTS)
        self._events = Path(path) if path else None

    def emit(self, record: LogRecord) -> None:
        # An exception would end the thread that shows all further records.
        try:
            self._show(record)
        except Exception:
            self.handleError(record)

    def _show(self, record: LogRecord) -> None:
        known = {
            LogEvent.RUN_INFO: self._is_planned,
            LogEvent.JOB_INFO: self._job_is_sent,
            LogEvent.JOB_ERROR: self._job_failed,
            LogEvent.JOB_FINISHED: self._job_is_done,
            LogEvent.PROGRESS: self._progress,
        }
        event = getattr(record, "event", None)
        if event in known:
            known[event](vars(record))
        elif event == LogEvent.ERROR:
            # Of Snakemake itself, for instance of a field of the profile.
            self._say_news(record.getMessage().strip())
        elif event is None:
            self._other(record)

    def _other(self, record: LogRecord) -> None:
        text = record.getMessage().strip()
        if submitted := SUBMITTED.match(text):
            job, number = int(submitted[1]), submitted[2]
            self._say(f"{self._titles.get(job, 'a job')}: sent as SLURM job {number}")
        elif record.levelno >= WARNING:
            self._say_news(text)

    def _is_planned(self, facts: dict[str, Any]) -> None:
        jobs = dict(facts.get("stats") or {})
        counts = (f"{count} {step}" for step, count in jobs.items() if step not in NO_STEPS)
        plan = f"To do: {', '.join(counts)}"
        # A dry run says it again at its end.
        if plan != self._plan:
            self._say(plan)
        self._plan = plan

    def _job_is_sent(self, facts: dict[str, Any]) -> None:
        job, step = facts["jobid"], facts["rule_name"]
        self._steps[job] = step
        self._titles[job] = title(step, dict(facts["wildcards"]))
        self._note("sent", job)

    def _job_failed(self, facts: dict[str, Any]) -> None:
        job, reason = facts["jobid"], facts["rule_msg"] or ""
        logs = [str(log) for log in facts["log"]]
        ended = ENDED.search(reason)
        # Otherwise SLURM did not take it; then follows the call, which is long.
        words = " ".join(reason.partition("sbatch call:")[0].split())
        shown = f"SLURM job {ended['number']}: {ended['state']}" if ended else words
        self._say(f"{self._titles.get(job, facts['rule_name'])}: failed. {shown}".strip())
        self._note("failed", job, reason=reason, logs=logs)

    def _job_is_done(self, facts: dict[str, Any]) -> None:
        job = facts["job_id"]
        if job in self._titles:
            self._just_done = self._titles[job]
            self._note("done", job)

    def _progress(self, facts: dict[str, Any]) -> None:
        # Snakemake says it after every job that ends.
        self._say(f"{self._just_done}: done ({facts['done']} of {facts['total']} jobs)")

    def _say_news(self, text: str) -> None:
        if text and not any(part in text for part in NOISE):
            self._say(text)

    def _say(self, text: str) -> None:
        print(f"{time.strftime('%H:%M:%S')}  {text}", file=sys.stderr, flush=True)

    def _note(self, event: str, job: int, **more: Any) -> None:
        if self._events is not None:
            line = {"event": event, "job": job, "step": self._steps.get(job, ""), **more}
            line["title"] = self._titles.get(job, "")
            with self._events.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")

    @property
    def writes_to_stream(self) -> bool:
        return True

    @property
    def writes_to_file(self) -> bool:
        return False

    @property
    def has_filter(self) -> bool:
        # Its own choice of what is shown is made above.
        return True

    @property
    def has_formatter(self) -> bool:
        return True

    @property
    def needs_rulegraph(self) -> bool:
        return False
