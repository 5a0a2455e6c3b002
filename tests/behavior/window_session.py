"""Holds a whole session in the real window; run as a child process by the tests.

Usage: window_session.py ROOT PARTICIPANT SETTINGS_JSON SIGNS
"""

from __future__ import annotations

import sys
from pathlib import Path

from behavior.pages import read_texts
from behavior.session import hold_session
from behavior.window import psychopy_stage
from study.config import Study
from study.fields.session import Session
from study.results import Results


def main(root: Path, participant: str, settings_json: str, signs: Path) -> None:
    study = Study.model_validate_json((root / "lab.json").read_text(encoding="utf-8"))
    settings = Session.model_validate_json(settings_json)
    stage = psychopy_stage(settings, read_texts().words, (8, 8), signs=signs)
    outcome = hold_session(study, Results(root), participant, stage, settings)
    print(outcome.phase)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], Path(sys.argv[4]))
