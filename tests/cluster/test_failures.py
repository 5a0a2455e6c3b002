"""Why a job failed is said in words, with the field to change."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cluster.failures import explain_failures, read_failures
from cluster.profile import read_profile

# What the executor and SLURM 22.05 printed of real jobs.
ENDED = "SLURM-job '9' failed, SLURM status is: '{}'. For further error details see the log."
REFUSED = (
    "SLURM sbatch failed. The error message was 'sbatch: error: Batch job submission failed: "
    "Invalid qos specification'.\n    sbatch call:\n        sbatch --parsable ..."
)
TIME_LIMIT = "slurmstepd: error: *** STEP 7.0 ON n1 CANCELLED AT 2026-11-21 DUE TO TIME LIMIT ***"
OVER_MEMORY = "slurmstepd: error: StepId=9.0 exceeded memory limit (601 > 524), being killed"


def explained(tmp_path: Path, reason: str, log: str = "") -> str:
    log_file = tmp_path / "9.log"
    log_file.write_text(log)
    events = tmp_path / "jobs.jsonl"
    facts = {"job": 1, "step": "train", "title": "train baseline, seed 3"}
    lines = [
        {**facts, "event": "sent"},
        {**facts, "event": "failed", "reason": reason, "logs": [str(log_file)]},
    ]
    events.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return explain_failures(events, read_profile("slurm"))


@pytest.mark.parametrize(
    ("state", "log", "said"),
    [
        ("TIMEOUT", "", "set-resources.train.runtime in"),
        ("FAILED", TIME_LIMIT, "set-resources.train.runtime in"),
        ("OUT_OF_MEMORY", "", "set-resources.train.mem_mb in"),
        ("FAILED", OVER_MEMORY, "set-resources.train.mem_mb in"),
        ("FAILED", "numpy: MemoryError: Unable to allocate", "set-resources.train.mem_mb in"),
        ("FAILED", "error: x.npz: the disk is full (No space)", "quota of your account"),
        ("FAILED", "OSError: [Errno 122] Disk quota exceeded", "quota of your account"),
        ("FAILED", "nothing that is known", "SLURM says FAILED"),
        ("CANCELLED", "", "it was cancelled"),
    ],
)
def test_the_cause_is_said(tmp_path: Path, state: str, log: str, said: str) -> None:
    text = explained(tmp_path, ENDED.format(state), log)
    assert "- train baseline, seed 3: " in text
    assert said in text
    assert str(tmp_path / "9.log") in text
    assert "Repeat the command" in text


def test_a_lost_node_is_said(tmp_path: Path) -> None:
    # The executor has other words for it.
    text = explained(
        tmp_path, "SLURM-job '9' failed due to a node failure, SLURM status is: 'NODE_FAIL'. Failed"
    )
    assert "its node was lost (NODE_FAIL)" in text


def test_what_is_no_refusal_is_not_called_one(tmp_path: Path) -> None:
    text = explained(tmp_path, "Missing files after 60 seconds: steps/fit.done.json")
    assert "train baseline, seed 3: Missing files after 60 seconds" in text
    assert "did not take" not in text
    assert "stands above" in explained(tmp_path, "")


def test_a_line_that_a_full_disk_cut_short_is_passed_over(tmp_path: Path) -> None:
    explained(tmp_path, ENDED.format("TIMEOUT"))
    events = tmp_path / "jobs.jsonl"
    events.write_text(events.read_text() + '{"event": "fai')
    assert [failure.step for failure in read_failures(events)] == ["train"]


def test_a_jobs_own_words_are_passed_on(tmp_path: Path) -> None:
    log = "12:00 train\nerror: no class 'run' in the checkpoint\nRuleException: in line 3"
    text = explained(tmp_path, ENDED.format("FAILED"), log)
    assert "It said: no class 'run' in the checkpoint" in text


def test_a_training_that_saved_its_state_says_so(tmp_path: Path) -> None:
    log = "baseline, seed 3: stopped by the cluster at step 412; it goes on from there"
    text = explained(tmp_path, ENDED.format("TIMEOUT"), log)
    assert "it goes on from step 412" in text


def test_what_slurm_refused_is_said_without_the_command(tmp_path: Path) -> None:
    text = explained(tmp_path, REFUSED)
    assert "SLURM did not take the job: sbatch: error: Batch job submission failed" in text
    assert "--parsable" not in text


def test_only_jobs_that_failed_at_last_are_told(tmp_path: Path) -> None:
    def line(event: str, job: int, title: str) -> str:
        more = {"reason": ENDED.format("FAILED"), "logs": []} if event == "failed" else {}
        return json.dumps({"event": event, "job": job, "step": "score", "title": title, **more})

    events = tmp_path / "jobs.jsonl"
    lines = [
        *(line("sent", 1, "mended"), line("failed", 1, "mended"), line("sent", 1, "mended")),
        *(line("done", 1, "mended"), line("sent", 2, "lost"), line("failed", 2, "lost")),
    ]
    events.write_text("\n".join(lines) + "\n")
    assert [failure.title for failure in read_failures(events)] == ["lost"]
    assert read_failures(tmp_path / "none.jsonl") == []
