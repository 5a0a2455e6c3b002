"""The few clips on which is measured: a study's own, or drawn ones that are like them."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from cluster.counts import count_study
from cluster.options import PlanOptions
from cluster.sample import MOST_FRAMES, Sample, sample_of
from stimuli.video import Clip, write_clip
from study.config import Study
from study.results import Results

TOLD = PlanOptions(clips=100, frames_per_clip=90.0, actions=10)


def study_of(dataset: dict[str, Any], masks: dict[str, Any]) -> Study:
    content = {"name": "s", "title": "S", "seed": 1, "dataset": dataset, "masks": masks}
    return Study.model_validate_json(json.dumps(content, default=str))


def sampled(study: Study, folder: Path, options: PlanOptions | None = None) -> Sample:
    results = Results(folder / "results")
    counts = count_study(study, results, options or PlanOptions())
    return sample_of(study, results, counts, folder / "sample")


def write_tree(folder: Path, n_frames: int = 3) -> None:
    """Write five clips of each of four actions with their masks, and one of a fifth."""
    for action in "abcde":
        for number in range(5 if action != "e" else 1):
            name = f"{action}{number}"
            frames = np.zeros((n_frames, 32, 48, 3), np.uint8)
            write_clip(folder / "clips" / action / f"{name}.mp4", Clip(frames, Fraction(10)))
            (folder / "masks" / action).mkdir(parents=True, exist_ok=True)
            np.savez(folder / "masks" / action / f"{name}.npz", masks=frames[..., 0] == 0)


def test_own_clips_are_linked_with_their_masks(tmp_path: Path) -> None:
    write_tree(tmp_path)
    dataset = {"kind": "folder", "folders": [{"path": tmp_path / "clips"}], "min_clips": 4}
    masks = {"source": "files", "path": tmp_path / "masks", "persons": "exactly_one"}
    sample = sampled(study_of(dataset, masks), tmp_path)
    assert sample.segmented is sample.made
    clips = sorted((tmp_path / "sample" / "clips").rglob("*.mp4"))
    assert len(clips) == 9
    # Three of each of three actions, none of the action that has one.
    assert len({clip.parent.name for clip in clips}) == 3
    assert "e" not in {clip.parent.name for clip in clips}
    assert all(clip.is_symlink() for clip in clips)
    linked = sample.made.masks.path
    assert all((linked / clip.parent.name / f"{clip.stem}.npz").is_file() for clip in clips)
    assert sample.made.masks.persons == "main"
    assert sample.made.dataset.min_clips == 1


def test_long_clips_are_cut(tmp_path: Path) -> None:
    write_tree(tmp_path, n_frames=100)
    dataset = {"kind": "folder", "folders": [{"path": tmp_path / "clips"}]}
    masks = {"source": "files", "path": tmp_path / "masks"}
    study = study_of(dataset, masks)
    sample = sampled(study, tmp_path)
    # Ten frames per second; versions.max_seconds leaves 60 of 100 anyway.
    assert sample.made.versions.max_seconds * 10 <= MOST_FRAMES


def test_clips_that_are_not_here_are_stood_in_for(tmp_path: Path) -> None:
    dataset = {"kind": "haa500", "path": tmp_path / "none"}
    masks = {"source": "yolo", "weights": tmp_path / "none.pt"}
    sample = sampled(study_of(dataset, masks), tmp_path, TOLD)
    assert sample.segmented is None
    assert sample.made.dataset.kind == "synthetic"
    assert (sample.made.dataset.width, sample.made.dataset.height) == (1280, 720)
    assert sample.made.dataset.n_frames == MOST_FRAMES
    assert sample.made.masks.source == "truth"
    assert any("none.pt" in line for line in sample.said)


def test_own_clips_without_a_network_to_segment_are_stood_in_for_too(tmp_path: Path) -> None:
    write_tree(tmp_path)
    dataset = {"kind": "folder", "folders": [{"path": tmp_path / "clips"}]}
    masks = {"source": "yolo", "weights": tmp_path / "none.pt"}
    sample = sampled(study_of(dataset, masks), tmp_path)
    assert sample.segmented is None
    # As large and as long as the clips that are here.
    data = sample.made.dataset
    assert (data.width, data.height, data.n_frames) == (64, 36, 3)


def test_the_synthetic_world_is_measured_on_a_few_of_its_clips(tmp_path: Path) -> None:
    dataset = {"kind": "synthetic", "n_actions": 12, "clips_per_action": 99, "fps": 5.0}
    sample = sampled(study_of(dataset | {"n_frames": 10}, {"source": "truth"}), tmp_path)
    assert sample.segmented is sample.made
    data = sample.made.dataset
    assert (data.n_actions * data.clips_per_action, data.n_frames, data.fps) == (9, 10, 5.0)
