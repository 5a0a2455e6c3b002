"""The frame cache: right pixels, aligned versions, whole or absent, safe to start together."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models import frames as frames_module
from models.frames import fit_square, open_frames
from stimuli.video import read_clip
from study.errors import StudyError
from study.results import Results
from study.tables import read_table, write_table

SIDE = 32


def test_fit_square_centres_without_stretching() -> None:
    frame = np.full((20, 40, 3), 200, np.uint8)
    square = fit_square(frame, 32)
    assert square.shape == (32, 32, 3)
    assert (square[8:24] == 200).all()
    assert not square[:8].any() and not square[24:].any()


def test_rows_hold_the_same_moment_of_every_version(results: Results) -> None:
    manifest = read_table("manifest", results.manifest)
    cache = open_frames(results, manifest, SIDE)
    for clip in cache.clips.itertuples():
        rows = slice(clip.start, clip.start + clip.n_frames)
        for condition, frames in cache.frames.items():
            stimulus = manifest[
                (manifest["clip_id"] == clip.clip_id) & (manifest["condition"] == condition)
            ].iloc[0]
            source = read_clip(results.root / stimulus["path"]).frames_thwc
            expected = np.stack([fit_square(frame, SIDE) for frame in source])
            np.testing.assert_array_equal(frames[rows], expected)
            assert stimulus["action"] == clip.action and stimulus["split"] == clip.split
    assert cache.clips["n_frames"].sum() == len(cache.frames["body_only"])


def test_borrowed_backgrounds_are_found_in_the_lenders_frames(results: Results) -> None:
    manifest = read_table("manifest", results.manifest)
    assert open_frames(results, manifest, SIDE).lent is None
    originals = manifest[manifest["condition"] == "body_background"]
    lender_of = dict(zip(originals["clip_id"], np.roll(originals["clip_id"], 1), strict=True))
    swapped = originals.assign(
        stimulus_id=originals["clip_id"] + "-swapped",
        condition="swapped_background",
        background_of=originals["clip_id"].map(lender_of),
    )
    cache = open_frames(results, pd.concat([manifest, swapped], ignore_index=True), SIDE)
    clips = cache.clips.set_index("clip_id")
    for clip_id, clip in clips.iterrows():
        lender = clips.loc[lender_of[clip_id]]
        own = np.arange(clip["start"], clip["start"] + clip["n_frames"])
        theirs = cache.lent[own] - lender["start"]
        assert (theirs >= 0).all() and (theirs < lender["n_frames"]).all()
        assert np.abs(np.diff(theirs)).max() == 1
        assert theirs[0] == 0


def test_the_cache_is_made_once_and_again_when_a_stimulus_changes(
    results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = read_table("manifest", results.manifest)
    open_frames(results, manifest, SIDE)
    made = []
    monkeypatch.setattr(frames_module, "_build", lambda path, *_: made.append(path) or _copy(path))

    def _copy(path: Path) -> None:
        path.write_bytes(next(results.frames.glob(f"{SIDE}px-*.npy")).read_bytes())

    open_frames(results, manifest, SIDE)
    assert not made
    changed = manifest.assign(sha256=["0" * 64, *manifest["sha256"][1:]])
    open_frames(results, changed, SIDE)
    assert len(made) == 1
    assert list(results.frames.glob("*.npy")) == made, "the stale cache should be gone"


def test_frames_cannot_be_written(results: Results) -> None:
    cache = open_frames(results, read_table("manifest", results.manifest), SIDE)
    with pytest.raises(ValueError, match="read-only"):
        cache.frames["body_only"][0] = 1


def test_a_stimulus_of_another_length_is_named_and_nothing_is_left(results: Results) -> None:
    manifest = read_table("manifest", results.manifest)
    clip = manifest["clip_id"] == manifest["clip_id"].iloc[0]
    manifest.loc[clip, "n_frames"] += 1
    with pytest.raises(StudyError, match=r"bow_001\.mp4: expected 4 frames .* found 3"):
        open_frames(results, manifest, SIDE)
    assert [path.name for path in results.frames.iterdir()] == [".lock"]


def test_versions_of_unequal_length_or_missing_are_named(results: Results) -> None:
    manifest = read_table("manifest", results.manifest)
    uneven = manifest.copy()
    uneven.loc[4, "n_frames"] += 1
    with pytest.raises(StudyError, match=r"clip 'bow_002', column 'n_frames'"):
        open_frames(results, uneven, SIDE)
    with pytest.raises(StudyError, match=r"clip 'bow_002', column 'n_frames'"):
        open_frames(results, manifest.drop(index=4), SIDE)


def test_processes_that_start_together_make_one_cache(results: Results) -> None:
    table = read_table("manifest", results.manifest)
    write_table("manifest", table, results.manifest)
    code = (
        "import sys, hashlib; from pathlib import Path\n"
        "from models.frames import open_frames\n"
        "from study.results import Results\n"
        "from study.tables import read_table\n"
        "results = Results(Path(sys.argv[1]))\n"
        "cache = open_frames(results, read_table('manifest', results.manifest), 32)\n"
        "print(sum(int(frames.sum()) for frames in cache.frames.values()))\n"
    )
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(results.root)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        for _ in range(2)
    ]
    sums = [run.communicate(timeout=60)[0].strip() for run in runs]
    assert sums[0] == sums[1] != ""
    assert len(list(results.frames.glob("*.npy"))) == 1


def test_many_stimuli_are_spread_over_processes(
    results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = read_table("manifest", results.manifest)
    alone = open_frames(results, manifest, SIDE)
    expected = {name: frames.copy() for name, frames in alone.frames.items()}
    for made in results.frames.glob("*.npy"):
        made.unlink()
    monkeypatch.setattr(frames_module, "STIMULI_PER_PROCESS", 20)
    monkeypatch.setattr(frames_module.os, "cpu_count", lambda: 2)
    together = open_frames(results, manifest, SIDE)
    for name, frames in together.frames.items():
        np.testing.assert_array_equal(frames, expected[name])
