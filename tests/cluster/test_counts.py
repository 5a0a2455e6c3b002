"""Counting a study: exact where that is possible, a sample with its error elsewhere."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cluster.counts import count_study, probe_of, sampled
from cluster.options import PlanOptions
from stimuli.datasets import Source
from stimuli.video import Clip, write_clip
from study.config import Study
from study.errors import StudyError
from study.results import Results


def study_of(dataset: dict[str, Any], **sections: Any) -> Study:
    source = "truth" if dataset["kind"] == "synthetic" else "yolo"
    content = {"name": "s", "title": "S", "seed": 1, "dataset": dataset}
    content |= {"masks": {"source": source}, "trials": {"n_choices": 2}}
    return Study.model_validate_json(json.dumps(content | sections, default=str))


def write_videos(folder: Path, lengths: dict[str, list[int]]) -> dict[str, Any]:
    """Write clips of so many frames by action; return the section of the study file."""
    for action, n_frames in lengths.items():
        for number, n in enumerate(n_frames):
            clip = Clip(np.zeros((n, 32, 48, 3), np.uint8), Fraction(10))
            write_clip(folder / action / f"{action}{number}.mp4", clip)
    return {"kind": "folder", "folders": [{"path": folder}]}


def test_the_synthetic_world_is_counted_by_arithmetic(tmp_path: Path) -> None:
    data = {"kind": "synthetic", "n_actions": 3, "clips_per_action": 7, "n_frames": 10, "fps": 5}
    study = study_of(data, split={"validation_clips": 1, "test_clips": 2})
    counts = count_study(study, Results(tmp_path), PlanOptions())
    assert (counts.clips, counts.actions, counts.frames) == (21, 3, 210)
    assert counts.used == {"train": 12, "validation": 3, "test": 6}
    assert counts.probe.seconds == 2.0
    assert counts.probe.frames_se == 0.0
    assert counts.versions == 3


def test_a_tree_is_listed_and_its_headers_are_read(tmp_path: Path) -> None:
    dataset = write_videos(tmp_path / "clips", {"a": [4, 6, 8, 10], "b": [2, 3, 5], "few": [9]})
    (tmp_path / "clips" / "b" / "broken.mp4").write_bytes(b"no video")
    study = study_of(dataset | {"min_clips": 3, "max_clips": 3})
    counts = count_study(study, Results(tmp_path / "results"), PlanOptions())
    assert (counts.clips, counts.actions) == (9, 3)
    # Three clips of a and of b; few has too few.
    assert counts.used == {"train": 2, "validation": 2, "test": 2}
    assert counts.probe.frames == pytest.approx(47 / 8)
    assert counts.probe.longest == 10
    assert counts.probe.size_wh == (48, 32)


def test_the_standard_error_of_a_sample() -> None:
    probe = probe_of([10, 20, 30], [1.0, 2.0, 3.0], [(8, 6)] * 3, n_clips=12)
    # s = 10 of n = 3 out of N = 12: 10 / sqrt(3) * sqrt(1 - 3 / 12) = 5.
    assert probe.frames == 20
    assert probe.frames_se == pytest.approx(5.0)
    assert probe_of([10, 20, 30], [1.0] * 3, [(8, 6)] * 3, n_clips=3).frames_se == 0.0


def test_a_sample_is_the_same_for_a_seed_and_covers_what_it_can() -> None:
    sources = [Source(f"c{n}", "a", "", Path(f"c{n}.mp4")) for n in range(100)]
    once = sampled(sources, 10, seed=1)
    assert once == sampled(sources, 10, seed=1) != sampled(sources, 10, seed=2)
    assert len({source.clip_id for source in once}) == 10
    assert sampled(sources[:4], 10, seed=1) == sources[:4]


def test_data_that_is_not_here_is_counted_as_told(tmp_path: Path) -> None:
    dataset = {"kind": "haa500", "path": tmp_path / "none", "min_clips": 15, "max_clips": 15}
    study = study_of(dataset)
    options = PlanOptions(clips=10_000, frames_per_clip=59.1, actions=500)
    counts = count_study(study, Results(tmp_path), options)
    assert counts.frames == pytest.approx(591_000)
    assert counts.used == {"train": 6500, "validation": 500, "test": 500}
    fewer = PlanOptions(clips=10_000, frames_per_clip=59.1, actions=500, clips_used=1815)
    assert count_study(study, Results(tmp_path), fewer).clips_used == pytest.approx(1815, abs=1)


def test_data_that_is_not_here_must_be_told(tmp_path: Path) -> None:
    study = study_of({"kind": "haa500", "path": tmp_path / "none"})
    with pytest.raises(StudyError, match="--clips, --frames-per-clip and --actions"):
        count_study(study, Results(tmp_path), PlanOptions(clips=10))


def test_sessions_are_held_out_whole(tmp_path: Path) -> None:
    for session in "xyz":
        write_videos(tmp_path / "clips" / session, {f"a{session}": [2, 2], f"b{session}": [2]})
    folder = {"path": tmp_path / "clips", "pattern": r"^(?P<group>\w)/(?P<action>\w)"}
    study = study_of(
        {"kind": "folder", "folders": [folder]},
        split={"by": "group", "test_groups": ["z"], "validation_groups": ["y"]},
    )
    counts = count_study(study, Results(tmp_path / "results"), PlanOptions())
    assert counts.used == {"train": 3, "validation": 3, "test": 3}


@pytest.mark.parametrize(
    ("field", "value"),
    [("minutes", 0), ("clips", -1), ("segment_ms", 0.0), ("utilisation", 1.5), ("gpu", "a1000")],
)
def test_options_that_make_no_sense_are_refused(field: str, value: object) -> None:
    with pytest.raises(StudyError, match=field.replace("_", "-")):
        PlanOptions(**{field: value})
