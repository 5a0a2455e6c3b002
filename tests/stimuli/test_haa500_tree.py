"""A tree in HAA500's layout, from index to the lists of the protocol."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from stimuli.pipeline import make_stimuli
from study.config import Study
from study.fields import Haa500Data, Masks, Split, Trials, Versions
from study.plan import make_plan
from study.results import Results
from study.tables import choice_columns, read_table

MakeVideo = Callable[..., Path]

N_CLIPS, N_FRAMES, WIDTH, HEIGHT = 20, 5, 48, 32
REASONS = {
    "two": "not exactly one person in 1 of 5 frames",
    "nobody": "no person found in 5 of 5 frames",
    "broken": "not a readable video",
    "unmasked": "no mask file",
}


@dataclass(frozen=True)
class Tree:
    """What was laid out: the kind of every clip, by class, in order."""

    root: Path
    kinds: dict[str, list[str]]


def _lay_out(tmp_path: Path, make_video: MakeVideo, n_classes: int, n_good: int) -> Tree:
    """Link a handful of files into a tree; `n_good` classes have enough usable clips."""
    rng = np.random.default_rng(5)
    noise = rng.integers(0, 256, (N_FRAMES, HEIGHT, WIDTH, 3), np.uint8)
    video = make_video("base.mp4", noise)
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(video.read_bytes()[:300])
    person = np.zeros((N_FRAMES, HEIGHT, WIDTH), bool)
    person[:, 6:18, 12:20] = True
    counts = {"good": [1] * N_FRAMES, "two": [1, 1, 2, 1, 1], "nobody": [0] * N_FRAMES}
    masks = {}
    for kind, n_persons in counts.items():
        masks[kind] = tmp_path / f"{kind}.npz"
        shown = person if kind != "nobody" else np.zeros_like(person)
        np.savez(masks[kind], masks=shown, n_persons=n_persons)
    kinds = {}
    for number in range(n_classes):
        action = f"action_{number:03d}"
        n_bad = int(rng.integers(0, 6) if number < n_good else rng.integers(6, 12))
        bad = rng.choice(list(REASONS), n_bad)
        kinds[action] = list(rng.permutation(["good"] * (N_CLIPS - n_bad) + bad.tolist()))
        for folder in ("video", "masks"):
            (tmp_path / folder / action).mkdir(parents=True)
        for clip, kind in enumerate(kinds[action], 1):
            name = f"{action}_{clip:03d}"
            source = broken if kind == "broken" else video
            os.link(source, tmp_path / "video" / action / f"{name}.mp4")
            if kind != "unmasked":
                mask = masks.get(kind, masks["good"])
                os.link(mask, tmp_path / "masks" / action / f"{name}.npz")
    return Tree(tmp_path, kinds)


def _study(tree: Tree) -> Study:
    return Study(
        name="tree",
        title="t",
        seed=2,
        dataset=Haa500Data(kind="haa500", path=tree.root),
        split=Split(validation_clips=1, test_clips=1),
        masks=Masks(source="files", path=tree.root / "masks", persons="exactly_one"),
        versions=Versions(width=WIDTH, height=HEIGHT, inpainting="harmonic"),
        trials=Trials(n_choices=5, n_participants=28, actions="all"),
        models=[],
    )


def _check(tree: Tree, results: Results, n_good: int) -> None:
    """Compare the tables with what was laid out."""
    clips = read_table("clips", results.clips).set_index("clip_id")
    assert len(clips) == sum(len(kinds) for kinds in tree.kinds.values())
    used_actions = []
    for action, kinds in tree.kinds.items():
        names = [f"{action}_{clip:03d}" for clip in range(1, N_CLIPS + 1)]
        good = [name for name, kind in zip(names, kinds, strict=True) if kind == "good"]
        for name, kind in zip(names, kinds, strict=True):
            if kind != "good":
                assert REASONS[kind] in clips.loc[name, "reason"]
                assert clips.loc[name, "split"] == "none"
        if len(good) < 15:
            expected = f"only {len(good)} usable clips, 15 needed"
            assert (clips.loc[good, "reason"] == expected).all()
            continue
        used_actions.append(action)
        assert clips.loc[good[:15], "split"].tolist() == ["validation", "test"] + ["train"] * 13
        assert (clips.loc[good[15:], "reason"] == "beyond the first 15 usable clips").all()
    assert len(used_actions) == n_good
    manifest = read_table("manifest", results.manifest)
    assert manifest.groupby("condition").size().tolist() == [15 * n_good] * 3
    assert sorted(manifest["action"].unique()) == sorted(used_actions)


def _check_lists(results: Results, n_good: int) -> None:
    """Check that everybody sees the test clip of every action once, in one version."""
    trials = read_table("trials", results.trials)
    trials = trials[trials["kind"] == "test"]
    assert trials["participant"].nunique() == 28
    assert (trials.groupby("participant")["action"].nunique() == n_good).all()
    assert trials.groupby("participant").size().unique().tolist() == [n_good]
    shown = pd.crosstab(trials["action"], trials["condition"])
    assert (shown.max(axis=1) - shown.min(axis=1)).max() <= 1
    assert len(choice_columns(trials)) == 5


def test_a_small_tree(tmp_path: Path, make_video: MakeVideo) -> None:
    tree = _lay_out(tmp_path, make_video, n_classes=12, n_good=6)
    results = Results(tmp_path / "results")
    study = _study(tree)
    make_stimuli(study, results, 2)
    _check(tree, results, 6)
    make_plan(study, results)
    _check_lists(results, 6)


@pytest.mark.slow
def test_the_whole_of_haa500(tmp_path: Path, make_video: MakeVideo) -> None:
    tree = _lay_out(tmp_path, make_video, n_classes=500, n_good=121)
    results = Results(tmp_path / "results")
    study = _study(tree)
    summary = make_stimuli(study, results, os.cpu_count() or 1)
    assert (summary.clips_used, summary.actions) == (1815, 121)
    _check(tree, results, 121)
    make_plan(study, results)
    _check_lists(results, 121)
    assert make_stimuli(study, results, 1).made == 0
