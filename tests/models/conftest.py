"""A small study whose stimuli are drawn here: shapes on stripes, told apart at a glance."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from stimuli.video import Clip, write_clip
from study.conditions import MAIN_CONDITIONS
from study.config import Study
from study.results import Results
from study.tables import write_table

ACTIONS = ("bow", "jump", "reach", "wave")
N_CLIPS = 5
SIZE_WH = (48, 32)
SPLIT_OF_CLIP = ("validation", "test", "train", "train", "train")


@pytest.fixture(autouse=True)
def _two_threads() -> None:
    torch.set_num_threads(2)


@pytest.fixture(scope="session")
def make_study() -> Callable[..., Study]:
    """Make the study of shapes on stripes; keywords change its training."""
    return small_study


def small_study(**training: object) -> Study:
    """Return a study of shapes on stripes with one network of each architecture."""
    settings = {
        "image_size": 32,
        "batch_size": 16,
        "batches_per_epoch": 10,
        "epochs": 2,
        "optimizer": "adamw",
        "lr": 0.003,
        "schedule": "cosine",
        "flip": True,
        "shift": 0.1,
        "device": "cpu",
        "threads": 1,
    }
    return Study.model_validate(
        {
            "name": "shapes",
            "title": "Shapes on stripes",
            "seed": 1,
            "dataset": {"kind": "synthetic", "n_actions": len(ACTIONS), "clips_per_action": 5},
            "masks": {"source": "truth"},
            "trials": {"n_choices": 3},
            "training": settings | training,
            "models": [
                {"name": "whole", "architecture": "baseline", "backbone": "tiny"},
                {"name": "parts", "architecture": "domainnet", "backbone": "tiny"},
            ],
        }
    )


def draw_clip(action: int, clip: int, n_frames: int) -> dict[str, np.ndarray]:
    """Draw the versions of a clip: a square whose place, and stripes whose width, tell the action.

    A corner pixel of every version brightens with time, so that frames differ.
    """
    rng = np.random.default_rng([action, clip])
    width, height = SIZE_WH
    columns = np.arange(width) + rng.integers(8)
    stripes = np.where(columns // (2 + action) % 2, 200, 60).astype(np.uint8)
    background = np.broadcast_to(stripes[None, None, :, None], (n_frames, height, width, 3)).copy()
    body = np.zeros_like(background)
    left = 4 + 10 * action + rng.integers(3)
    body[:, 8:24, left : left + 8] = rng.integers(120, 255, 3)
    whole = np.where(body > 0, body, background)
    versions = {"body_background": whole, "body_only": body, "background_only": background}
    for frames in versions.values():
        frames[:, -1, -1] = (10 + 20 * np.arange(n_frames))[:, None]
    return versions


def make_results(root: Path, n_frames: int = 3) -> Results:
    """Write stimuli, manifest and choices of the small study."""
    results = Results(root)
    rows = []
    for index, action in enumerate(ACTIONS):
        for clip in range(N_CLIPS):
            clip_id = f"{action}_{clip + 1:03d}"
            # Clips differ in length, as real ones do.
            versions = draw_clip(index, clip, n_frames + clip % 2)
            for condition in MAIN_CONDITIONS:
                frames = versions[condition]
                path = results.stimuli / condition / action / f"{clip_id}.mp4"
                path.parent.mkdir(parents=True, exist_ok=True)
                sha256 = write_clip(path, Clip(frames, Fraction(10))).sha256
                rows.append(
                    {
                        "stimulus_id": f"{clip_id}-{condition}",
                        "clip_id": clip_id,
                        "action": action,
                        "condition": condition,
                        "split": SPLIT_OF_CLIP[clip],
                        "path": str(path.relative_to(root)),
                        "n_frames": len(frames),
                        "fps": 10.0,
                        "width": SIZE_WH[0],
                        "height": SIZE_WH[1],
                        "body_fraction": 0.1,
                        "hidden_fraction": 0.0,
                        "luminance": 0.5,
                        "contrast": 0.1,
                        "background_of": "",
                        "sha256": sha256,
                        "source_sha256": hashlib.sha256(clip_id.encode()).hexdigest(),
                    }
                )
    write_table("manifest", pd.DataFrame(rows), results.manifest)
    choices = [
        {f"choice_{k + 1}": ACTIONS[(index + k) % len(ACTIONS)] for k in range(3)}
        for index in range(len(ACTIONS))
    ]
    table = pd.DataFrame(choices)
    table.insert(0, "action", list(ACTIONS))
    write_table("choices", table, results.choices)
    return results


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Results with stimuli, shared by tests that do not change them."""
    return make_results(tmp_path_factory.mktemp("drawn"))


@pytest.fixture
def results(drawn: Results, tmp_path: Path) -> Results:
    """Results with the same stimuli that a test may write into."""
    (tmp_path / "stimuli").symlink_to(drawn.stimuli)
    for name in ("manifest.csv", "choices.csv"):
        (tmp_path / name).write_bytes((drawn.root / name).read_bytes())
    return Results(tmp_path)
