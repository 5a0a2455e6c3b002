"""Lists to answer, drawn as a study draws them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from study.config import Study
from study.results import Results
from study.tables import write_table
from study.trials import draw_choice_sets, draw_lists
from tests.behavior.lab import make_lab


@pytest.fixture(scope="session")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., tuple[Study, Results]]:
    """Make a study with so many participants and clips and write its lists."""

    def make(n_participants: int, n_clips: int, **observers: Any) -> tuple[Study, Results]:
        content = {
            "name": "planned",
            "title": "",
            "seed": 3,
            "dataset": {"kind": "synthetic"},
            "masks": {"source": "truth"},
            "trials": {"n_participants": n_participants},
            "observers": observers,
        }
        study = Study.model_validate_json(json.dumps(content))
        results = Results(tmp_path_factory.mktemp("planned"))
        actions = [f"action{number:03d}" for number in range(n_clips)]
        rng = np.random.default_rng(0)
        choices = draw_choice_sets(actions, 5, rng)
        rows = [
            (f"{action}-{name}", f"{action}_001", action, name)
            for name in study.versions.conditions
            for action in actions
        ]
        columns = ["stimulus_id", "clip_id", "action", "condition"]
        stimuli = pd.DataFrame(rows, columns=columns)
        lists = draw_lists(stimuli, choices, study.trials, rng)
        write_table("trials", lists, results.trials)
        return study, results

    return make


@pytest.fixture
def lab(tmp_path: Path) -> tuple[Study, Results]:
    """A results folder of three participants with 12 short trials each."""
    return make_lab(tmp_path)
