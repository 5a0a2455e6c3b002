"""Clips that fail while versions are made: few others are touched, and nothing is made twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from stimuli import version_stage
from stimuli.make import MakeJob
from stimuli.make import make as make_of_clip
from stimuli.pipeline import make_stimuli
from stimuli.shards import Shard, make_masks_of_shard, make_versions_of_shard
from study.config import Study
from study.results import Results
from study.tables import read_table

SWAPPED = ["body_background", "background_only", "swapped_background"]


def _with(tree: Study, conditions: list[str], seed: int = 0) -> Study:
    versions = tree.versions.model_copy(update={"conditions": conditions})
    return tree.model_copy(update={"versions": versions, "seed": seed})


def _files(results: Results) -> dict[str, bytes]:
    return {
        path.relative_to(results.root).as_posix(): path.read_bytes()
        for path in results.root.rglob("*")
        if path.is_file()
    }


def _times(results: Results) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in results.root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("seed", range(4))
def test_a_bad_clip_alone_is_left_out_and_a_repeated_run_makes_nothing(
    tree: Study, tmp_path: Path, seed: int
) -> None:
    study, results = _with(tree, SWAPPED, seed), Results(tmp_path / "results")
    summary = make_stimuli(study, results, 1)
    assert (summary.made, summary.kept, summary.clips_used) == (18, 0, 6)
    clips = read_table("clips", results.clips).set_index("clip_id")
    assert set(clips.index[clips["split"] == "none"]) == {"run_b", "run_c"}
    before = _times(results)
    again = make_stimuli(study, results, 1)
    assert (again.made, again.kept) == (0, 18)
    assert _times(results) == before


def test_a_clip_that_cannot_lend_is_used_all_the_same(tree: Study, tmp_path: Path) -> None:
    for seed in range(4):
        results = Results(tmp_path / str(seed))
        make_stimuli(_with(tree, ["body_only", "swapped_background"], seed), results, 1)
        manifest = read_table("manifest", results.manifest)
        assert "run_c" in set(manifest["clip_id"])
        swapped = manifest[manifest["condition"] == "swapped_background"]
        assert "run_c" not in set(swapped["background_of"])
        assert (swapped["background_of"].str[:3] != swapped["action"]).all()


@pytest.mark.parametrize("n_tried", range(1, 7))
def test_a_run_stopped_anywhere_ends_as_one_that_was_not(
    tree: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n_tried: int
) -> None:
    study = _with(tree, SWAPPED, seed=3)
    whole, stopped = Results(tmp_path / "whole"), Results(tmp_path / "stopped")
    make_stimuli(study, whole, 1)
    tried: list[str] = []

    def make_some(job: MakeJob) -> object:
        tried.append(job.clip.clip_id)
        if len(tried) > n_tried:
            raise KeyboardInterrupt
        return make_of_clip(job)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(version_stage, "make", make_some)
        make_stimuli(study, stopped, 1)
    make_stimuli(study, stopped, 1)
    assert _files(stopped) == _files(whole)


@pytest.mark.parametrize("seed", range(3))
def test_after_shards_only_those_are_made_again_whose_lender_failed(
    tree: Study, tmp_path: Path, seed: int
) -> None:
    study = _with(tree, SWAPPED, seed)
    whole, parts = Results(tmp_path / "whole"), Results(tmp_path / "parts")
    make_stimuli(study, whole, 1)
    for work in (make_masks_of_shard, make_versions_of_shard):
        for index in (1, 2, 3):
            work(study, parts, 1, Shard(index, 3))
    summary = make_stimuli(study, parts, 1)
    # The borrower of the failed clip, in all its versions.
    assert summary.made <= 3
    assert _files(parts) == _files(whole)


def test_an_action_that_a_bad_clip_ends_is_not_made_again(tree: Study, tmp_path: Path) -> None:
    dataset = tree.dataset.model_copy(update={"min_clips": 3})
    study, results = tree.model_copy(update={"dataset": dataset}), Results(tmp_path / "results")
    summary = make_stimuli(study, results, 1)
    assert (summary.made, summary.kept, summary.actions) == (12, 0, 1)
    reasons = read_table("clips", results.clips).set_index("clip_id")["reason"]
    assert reasons["run_a"] == "only 2 usable clips, 3 needed"
    before = _times(results)
    assert make_stimuli(study, results, 1).made == 0
    assert _times(results) == before


def test_a_clip_whose_failure_may_pass_is_tried_again(
    tree: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = _with(tree, SWAPPED, seed=2)
    whole, results = Results(tmp_path / "whole"), Results(tmp_path / "results")
    make_stimuli(study, whole, 1)

    def make_all_but_one(job: MakeJob) -> object:
        if job.clip.clip_id == "sit_b":
            raise MemoryError
        return make_of_clip(job)

    with monkeypatch.context() as patched:
        patched.setattr(version_stage, "make", make_all_but_one)
        assert make_stimuli(study, results, 1).clips_used == 5
    assert make_stimuli(study, results, 1).clips_used == 6
    assert _files(results) == _files(whole)
