"""Test clips with versions made of spoiled masks: the right clips, the right pixels, once."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy import ndimage

from stimuli.letterbox import Letterbox
from stimuli.masks import PersonMasks, read_masks, write_masks
from stimuli.pipeline import make_stimuli
from stimuli.spoil_masks import SpoilJob, spoil_masks
from stimuli.spoil_sheet import draw_noise_sheet
from stimuli.spoiled import NoiseLevel, delete_stimuli, level_key, make_spoiled, noise_levels
from stimuli.video import read_clip
from study.conditions import CONDITION_NAMES
from study.config import Study
from study.errors import StudyError
from study.results import Results
from study.tables import read_table

EROSION = NoiseLevel("erosion", 0.15)
FLIPS = NoiseLevel("flips", 0.1)


def tiny_study(**changes: object) -> Study:
    content = {
        "name": "tiny",
        "title": "t",
        "seed": 3,
        "dataset": {
            "kind": "synthetic",
            "n_actions": 2,
            "clips_per_action": 3,
            "width": 96,
            "height": 54,
            "n_frames": 3,
        },
        "masks": {"source": "truth"},
        # The size of the source, with bars of 9 pixels above and below.
        "versions": {"width": 96, "height": 72},
        "trials": {"n_choices": 2},
    }
    return Study.model_validate(content | changes)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Results:
    results = Results(tmp_path_factory.mktemp("finished"))
    make_stimuli(tiny_study(), results, 1)
    for noise in (EROSION, FLIPS):
        make_spoiled(tiny_study(), results, noise, 1)
    return results


def versions_of(folder: Results, condition: str) -> dict[str, np.ndarray]:
    """Read a version of all test clips as the folder's manifest names it."""
    manifest = read_table("manifest", folder.manifest)
    own = manifest[(manifest["condition"] == condition) & (manifest["split"] == "test")]
    return {
        clip_id: read_clip(folder.root / path).frames_thwc
        for clip_id, path in zip(own["clip_id"], own["path"], strict=True)
    }


def times(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_a_level_holds_the_test_clips_alone(finished: Results) -> None:
    own = read_table("manifest", finished.manifest)
    spoilt = read_table("manifest", EROSION.results(finished).manifest)
    test = own[own["split"] == "test"].reset_index(drop=True)
    assert list(spoilt["stimulus_id"]) == list(test["stimulus_id"])
    same = spoilt["sha256"] == test["sha256"]
    assert set(spoilt.loc[same, "condition"]) == {"body_background"}
    assert set(spoilt.loc[~same, "condition"]) == {"body_only", "background_only"}
    files = {path.name for path in EROSION.results(finished).stimuli.rglob("*.mp4")}
    assert files == {f"{clip_id}.mp4" for clip_id in test["clip_id"]}
    for row in spoilt.itertuples():
        path = EROSION.results(finished).root / row.path
        assert hashlib.sha256(path.read_bytes()).hexdigest() == row.sha256


def test_versions_are_made_of_the_spoiled_masks(finished: Results) -> None:
    originals = versions_of(finished, "body_background")
    shares = read_table("manifest", EROSION.results(finished).manifest).set_index("stimulus_id")
    for clip_id, frames in versions_of(EROSION.results(finished), "body_only").items():
        mask = read_masks(next(finished.masks.rglob(f"{clip_id}.npz"))).masks_thw
        eroded = np.stack(
            [ndimage.distance_transform_edt(one) > 0.15 * np.sqrt(one.sum()) for one in mask]
        )
        assert 0 < eroded.sum() < 0.9 * mask.sum()
        expected = originals[clip_id].copy()
        expected[:, 9:63][~eroded] = 0
        assert np.array_equal(frames, expected)
        share = shares.loc[f"{clip_id}__body_only", "body_fraction"]
        assert share == pytest.approx(eroded.mean() * 54 / 72)


def test_flips_show_the_scene_and_leave_no_background(finished: Results) -> None:
    folder = FLIPS.results(finished)
    original = versions_of(finished, "body_background")
    for clip_id, frames in versions_of(folder, "body_only").items():
        own = versions_of(finished, "body_only")[clip_id]
        picture = np.zeros(frames.shape[:3], bool)
        picture[:, 9:63] = True
        shown = (frames == original[clip_id]).all(axis=-1) & (original[clip_id] > 0).any(axis=-1)
        beside = picture & ~ndimage.binary_dilation((own > 0).any(axis=-1), iterations=2)
        assert 0.08 < shown[beside].mean() < 0.12
        assert not frames[~picture].any()
    # A grown mask with pixels everywhere hides everything, whatever the shape of the hole.
    for frames in versions_of(folder, "background_only").values():
        assert not frames.any()
    manifest = read_table("manifest", folder.manifest)
    hidden = manifest.loc[manifest["condition"] == "background_only", "hidden_fraction"]
    assert np.allclose(hidden, 54 / 72)


def test_what_is_there_is_not_made_again(finished: Results) -> None:
    before = times(finished.noise)
    make_spoiled(tiny_study(), finished, EROSION, 1)
    assert times(finished.noise) == before


def test_equal_runs_are_equal_and_other_seeds_are_not(finished: Results, tmp_path: Path) -> None:
    again = Results(tmp_path / "again")
    shutil.copytree(finished.root, again.root, ignore=shutil.ignore_patterns("noise"))
    made = make_spoiled(tiny_study(), again, FLIPS, 2)
    hashes = [
        list(read_table("manifest", folder.manifest)["sha256"])
        for folder in (FLIPS.results(finished), made)
    ]
    assert hashes[0] == hashes[1]
    other = make_spoiled(tiny_study(seed=4), again, FLIPS, 1)
    assert list(read_table("manifest", other.manifest)["sha256"]) != hashes[0]


def test_clips_draw_apart(finished: Results) -> None:
    masks = [read_masks(path).masks_thw for path in FLIPS.results(finished).masks.rglob("*.npz")]
    assert len(masks) == 2
    differ = (masks[0] ^ masks[1]).mean()
    # Two independent draws of 10 % differ in 18 %, and the persons besides.
    assert differ > 0.17


@pytest.mark.parametrize("noise", [NoiseLevel(k, 1.0) for k in ("erosion", "missing", "dilation")])
def test_all_versions_can_be_made_of_the_worst_masks(noise: NoiseLevel, tmp_path: Path) -> None:
    study = tiny_study(
        versions={"width": 96, "height": 72, "conditions": list(CONDITION_NAMES)},
    )
    results = Results(tmp_path)
    make_stimuli(study, results, 1)
    folder = make_spoiled(study, results, noise, 1)
    manifest = read_table("manifest", folder.manifest)
    assert set(manifest["condition"]) == set(CONDITION_NAMES)
    own = read_table("manifest", results.manifest).set_index("stimulus_id")["sha256"]
    same = manifest["sha256"] == manifest["stimulus_id"].map(own)
    assert {"body_background", "point_light"} <= set(manifest.loc[same, "condition"])
    if noise.kind != "dilation":
        assert not any(frames.any() for frames in versions_of(folder, "body_only").values())


def test_lenders_of_other_splits_come_along(tmp_path: Path) -> None:
    conditions = ["body_background", "body_only", "background_only", "swapped_background"]
    versions = {"width": 96, "height": 72, "conditions": conditions, "swap": "same_action"}
    study, results = tiny_study(versions=versions), Results(tmp_path)
    make_stimuli(study, results, 1)
    manifest = read_table("manifest", make_spoiled(study, results, EROSION, 1).manifest)
    borrowed = manifest[manifest["background_of"] != ""]
    assert set(manifest["split"]) > {"test"}
    assert set(borrowed["background_of"]) <= set(manifest["clip_id"])
    # The frames of networks need every version of every clip.
    assert (manifest.groupby("clip_id")["condition"].nunique() == len(conditions)).all()


def test_the_key_follows_stimuli_and_level(finished: Results) -> None:
    study = tiny_study()
    keys = [
        level_key(study, finished, EROSION),
        level_key(study, finished, NoiseLevel("erosion", 0.1)),
        level_key(study, finished, NoiseLevel("dilation", 0.15)),
        level_key(tiny_study(seed=4), finished, EROSION),
        level_key(tiny_study(versions={"width": 96, "height": 74}), finished, EROSION),
    ]
    assert len(set(keys)) == len(keys)
    assert level_key(study, finished, EROSION) == keys[0]


def test_a_lost_mask_is_filled_in_as_in_the_pipeline(tmp_path: Path) -> None:
    masks = np.zeros((20, 40, 60), bool)
    masks[:, 10:30, 20:35] = True
    own = tmp_path / "own.npz"
    write_masks(own, PersonMasks(masks, np.ones(20), {"source": "yolo"}))

    def spoil(fill_gaps: int) -> np.ndarray:
        letterbox = Letterbox((60, 40), (60, 40))
        job = SpoilJob(
            "a", own, tmp_path / f"{fill_gaps}.npz", "", "missing", 0.3, 1, letterbox, fill_gaps
        )
        spoil_masks(job)
        return read_masks(job.target).masks_thw

    empty = ~spoil(0).any(axis=(1, 2))
    assert empty.sum() == 6
    # A person who stands still is filled in exactly.
    assert np.array_equal(spoil(12), masks)


def test_masks_are_spoiled_at_the_size_of_the_picture(tmp_path: Path) -> None:
    large = np.zeros((1, 400, 600), bool)
    large[:, 100:300, 200:350] = True
    own = tmp_path / "own.npz"
    write_masks(own, PersonMasks(large, np.ones(1), {"source": "truth"}))
    letterbox = Letterbox.of((600, 400), (60, 60))
    spoil_masks(SpoilJob("a", own, tmp_path / "new.npz", "", "flips", 0.2, 1, letterbox, 0))
    worse = read_masks(tmp_path / "new.npz")
    assert worse.masks_thw.shape == (1, 40, 60)
    # At ten times the size, and shrunk, nothing would be left of them.
    assert 0.17 < (worse.masks_thw ^ large[:, 5::10, 5::10]).mean() < 0.23
    assert worse.provenance["spoiled"] == {"kind": "flips", "level": 0.2}


def test_a_torn_mask_is_named(finished: Results, tmp_path: Path) -> None:
    results = Results(tmp_path / "torn")
    shutil.copytree(finished.root, results.root, ignore=shutil.ignore_patterns("noise"))
    for path in results.masks.rglob("*.npz"):
        path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(StudyError, match=r"_00\d.* cannot be spoiled"):
        make_spoiled(tiny_study(), results, EROSION, 1)


def test_large_files_can_be_deleted(finished: Results, tmp_path: Path) -> None:
    results = Results(tmp_path / "few")
    shutil.copytree(finished.root, results.root)
    folder = EROSION.results(results)
    delete_stimuli(folder)
    assert folder.manifest.is_file()
    assert not list(folder.root.rglob("*.mp4")) + list(folder.root.rglob("*.npz"))
    # The originals are the study's.
    assert len(versions_of(folder, "body_background")) == 2


def test_levels_are_in_the_order_of_the_study() -> None:
    study = tiny_study(noise={"levels": {"shift": [0.2, 0.1], "flips": [0.05]}})
    assert noise_levels(study) == [
        NoiseLevel("shift", 0.1),
        NoiseLevel("shift", 0.2),
        NoiseLevel("flips", 0.05),
    ]


def test_the_sheet_has_a_row_per_level(finished: Results, tmp_path: Path) -> None:
    clips = pd.read_csv(finished.clips)
    clip_id = clips.loc[clips["split"] == "test", "clip_id"].iloc[0]
    heights = []
    for levels in ([EROSION], [EROSION, FLIPS]):
        target = tmp_path / f"{len(levels)}.png"
        draw_noise_sheet(tiny_study(), finished, levels, clip_id, target)
        heights.append(Image.open(target).height)
    # Above both stand the title and the study's own stimuli.
    assert heights[1] - heights[0] > 60
