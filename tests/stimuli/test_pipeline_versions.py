"""Every version through the whole pipeline, with sidecars, borrowed backgrounds and exclusions."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from stimuli.masks import read_masks
from stimuli.pipeline import make_stimuli
from stimuli.video import read_clip
from study.conditions import CONDITION_NAMES
from study.config import Study
from study.errors import StudyError
from study.fields import Masks, Split, SyntheticData, Trials, Versions
from study.files import sha256_of
from study.results import Results
from study.tables import read_table

SIZE = {"width": 96, "height": 54}


def _study(split: Split | None = None, **versions: object) -> Study:
    return Study(
        name="tiny",
        title="t",
        seed=3,
        dataset=SyntheticData(
            kind="synthetic", n_actions=3, clips_per_action=4, n_frames=3, **SIZE
        ),
        split=split or Split(),
        masks=Masks(source="truth"),
        versions=Versions(**SIZE, **versions),
        trials=Trials(n_choices=2),
    )


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Results:
    results = Results(tmp_path_factory.mktemp("everything"))
    study = _study(conditions=list(CONDITION_NAMES), inpainting="harmonic")
    make_stimuli(study, results, 1)
    return results


def _frames(results: Results, stimulus_id: str) -> np.ndarray:
    manifest = read_table("manifest", results.manifest).set_index("stimulus_id")
    return read_clip(results.root / manifest.loc[stimulus_id, "path"]).frames_thwc


def test_all_versions_of_all_clips_are_made(everything: Results) -> None:
    manifest = read_table("manifest", everything.manifest)
    assert manifest.groupby("condition").size().to_dict() == dict.fromkeys(CONDITION_NAMES, 12)
    for row in manifest.itertuples():
        assert sha256_of(everything.root / row.path) == row.sha256


def test_sidecars_say_how_a_stimulus_was_made(everything: Results) -> None:
    manifest = read_table("manifest", everything.manifest)
    for row in manifest.itertuples():
        sidecar = (everything.root / row.path).with_suffix(".json")
        content = json.loads(sidecar.read_text(encoding="utf-8"))
        assert content["stimulus"]["sha256"] == row.sha256
        assert content["source"]["sha256"] == row.source_sha256
        assert content["frames"] == {"n": row.n_frames, "fps": "25/2"}
        assert content.get("background_of", {}).get("clip_id", "") == row.background_of
        fills = row.condition in ("background_only", "swapped_background", "inpaint_control")
        assert ("inpainting" in content["settings"]) == fills
        assert ("masks" in content) == (row.condition not in ("body_background", "point_light"))


def test_luminance_and_contrast_are_those_of_the_pixels(everything: Results) -> None:
    manifest = read_table("manifest", everything.manifest)
    for row in manifest.groupby("condition").first().itertuples():
        luma = _frames(everything, row.stimulus_id) @ [0.299, 0.587, 0.114] / 255
        assert row.luminance == pytest.approx(luma.mean(), abs=0.003)
        assert row.contrast == pytest.approx(luma.std(axis=(1, 2)).mean(), abs=0.003)


def test_a_swapped_background_is_the_lenders(everything: Results) -> None:
    manifest = read_table("manifest", everything.manifest)
    swapped = manifest[manifest["condition"] == "swapped_background"]
    actions = swapped.set_index("clip_id")["action"]
    for row in swapped.itertuples():
        assert actions[row.background_of] != row.action
        made = _frames(everything, row.stimulus_id)
        own = _frames(everything, f"{row.clip_id}__body_background")
        lent = _frames(everything, f"{row.background_of}__background_only")
        mask = read_masks(everything.masks / row.action / f"{row.clip_id}.npz").masks_thw
        assert np.array_equal(made[mask], own[mask])
        assert np.array_equal(made[~mask], lent[~mask])


def test_point_lights_lie_on_the_person(everything: Results) -> None:
    manifest = read_table("manifest", everything.manifest)
    inside = []
    for row in manifest[manifest["condition"] == "point_light"].itertuples():
        dots = _frames(everything, row.stimulus_id)[..., 0] > 128
        mask = read_masks(everything.masks / row.action / f"{row.clip_id}.npz").masks_thw
        assert dots.any(axis=(1, 2)).all()
        inside.append(dots[mask].sum() / dots.sum())
    assert np.mean(inside) > 0.8


def test_a_clip_excluded_by_hand_is_left_out_and_another_takes_its_place(tmp_path: Path) -> None:
    results = Results(tmp_path / "results")
    make_stimuli(_study(), results, 1)
    before = read_table("clips", results.clips)
    out = before.loc[before["split"] == "test", "clip_id"].iloc[0]
    exclude = tmp_path / "exclude.csv"
    pd.DataFrame({"clip_id": [out], "reason": ["blurred"]}).to_csv(exclude, index=False)
    summary = make_stimuli(_study(Split(exclude=exclude)), results, 1)
    clips = read_table("clips", results.clips).set_index("clip_id")
    assert tuple(clips.loc[out, ["split", "reason"]]) == ("none", "excluded by hand: blurred")
    action = clips.loc[out, "action"]
    assert clips.loc[clips["action"] == action, "split"].tolist().count("test") == 1
    assert (summary.made, summary.clips_used) == (0, 11)
    assert not list(results.stimuli.rglob(f"{out}.*"))


def test_an_edited_table_of_clips_is_honoured(tmp_path: Path) -> None:
    results = Results(tmp_path / "results")
    make_stimuli(_study(), results, 1)
    table = read_table("clips", results.clips)
    table["split"] = ["test", "train", "none", "validation"] * 3
    edited = tmp_path / "edited.csv"
    table.to_csv(edited, index=False)
    make_stimuli(_study(Split(by="file", file=edited)), results, 1)
    again = read_table("clips", results.clips)
    assert again["split"].tolist() == table["split"].tolist()
    assert set(again.loc[again["split"] == "none", "reason"]) == {"edited.csv leaves it out"}


def test_a_list_of_other_clips_is_refused_before_any_work(tmp_path: Path) -> None:
    exclude = tmp_path / "exclude.csv"
    exclude.write_text("clip_id\nnobody_001\n")
    results = Results(tmp_path / "results")
    with pytest.raises(StudyError, match="names 'nobody_001', which the data set does not have"):
        make_stimuli(_study(Split(exclude=exclude)), results, 1)


def test_web_quality_is_smaller_and_its_loss_is_told(tmp_path: Path) -> None:
    results = Results(tmp_path)
    make_stimuli(_study(quality="web"), results, 1)
    manifest = read_table("manifest", results.manifest)
    row = manifest[manifest["condition"] == "body_background"].iloc[0]
    sidecar = json.loads((results.root / row["path"]).with_suffix(".json").read_text())
    assert 25 < sidecar["loss"]["psnr_db"] < 60
    assert 0.9 < sidecar["loss"]["ssim"] <= 1
