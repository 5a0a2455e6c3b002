"""Holds steps of a session in the real window; run as a child process by the tests.

Usage: window_driver.py PLAN.json RESULT.json; the plan names settings, signs and steps.
"""

from __future__ import annotations

import json
import resource
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from behavior.pages import read_texts
from behavior.stage import ClipToShow, Contents, Page, Question, SessionStopped, TrialFacts
from behavior.window import psychopy_stage
from study.fields.session import Session


def main(plan_path: Path, result_path: Path) -> None:
    plan = json.loads(plan_path.read_text())
    result: dict[str, Any] = {"steps": [], "stopped": False, "memory_mb": []}
    stage = psychopy_stage(
        Session.model_validate_json(json.dumps(plan["settings"])),
        read_texts().words,
        tuple(plan["clip_wh"]),
        signs=Path(plan["signs"]),
        pictures=Path(plan["pictures"]) if plan.get("pictures") else None,
    )
    result["facts"] = stage.open()
    try:
        questions = [Question(**each) for each in plan.get("rehearsed", [])]
        stage.rehearse(Contents(questions=questions))
        for step in plan["steps"]:
            result["steps"].append(_do(stage, step))
            result["memory_mb"].append(_memory_mb())
    except SessionStopped:
        result["stopped"] = True
    finally:
        stage.close()
    result_path.write_text(json.dumps(result))


def _memory_mb() -> float:
    with Path("/proc/self/statm").open() as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 2**20


def _do(stage: Any, step: dict[str, Any]) -> dict[str, Any]:
    kind = step.pop("do")
    if kind == "page":
        return asdict(stage.show_page(Page(**step)))
    if kind == "clip":
        clip = ClipToShow(**{**step, "path": Path(step["path"])})
        stage.prepare(clip)
        return asdict(stage.show_clip(clip, TrialFacts("test", "c", "a", "b")))
    if kind == "feedback":
        stage.give_feedback(**step)
        return {}
    reply = (stage.ask if kind == "ask" else stage.rate)(Question(**step))
    return asdict(reply)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
