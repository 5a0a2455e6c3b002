"""The audit of a small synthetic study: every table, twice the same, and true to what is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from stimuli.audit import clips, run_audit
from stimuli.audit.clips import moments_of
from stimuli.pipeline import make_stimuli
from study.config import Study, load_study
from study.errors import StudyError
from study.results import Results
from study.tables import read_table, write_table

STUDY = """
name = "small"
title = "Small"
seed = 1
[dataset]
kind = "synthetic"
n_actions = 3
clips_per_action = 8
width = 128
height = 72
n_frames = 4
scene_validity = 0.0
figure_size = 0.7
[masks]
source = "truth"
[versions]
width = 128
height = 72
{versions}
[audit]
n_permutations = 39
{audit}
[[audit.compare]]
hole = "union"
inpainting = "flat"
[[audit.compare]]
hole = "box"
inpainting = "telea"
[trials]
n_choices = 3
"""


def small_study(folder: Path, versions: str = "", audit: str = "") -> Study:
    path = folder / "small.toml"
    path.write_text(STUDY.format(versions=versions, audit=audit))
    return load_study(path)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    prototype = 'hole = "union"\ninpainting = "telea"'
    return small_study(tmp_path_factory.mktemp("study"), prototype)


@pytest.fixture(scope="module")
def results(study: Study, tmp_path_factory: pytest.TempPathFactory) -> Results:
    results = Results(tmp_path_factory.mktemp("audited"))
    make_stimuli(study, results, 1)
    run_audit(study, results, 1)
    return results


def table(results: Results, name: str) -> pd.DataFrame:
    return pd.read_csv(results.audit / f"{name}.csv", keep_default_na=False)


def contents(results: Results) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in results.audit.glob("*.csv")}


def test_every_picture_has_a_row(results: Results):
    accuracy = table(results, "accuracy")
    seen = set(zip(accuracy["picture"], accuracy["probe"], strict=True))
    for picture in ("body_background", "body_only", "background_only", "true background"):
        assert {(picture, "plain"), (picture, "low-level")} <= seen
    for way in ("union, telea", "union, flat", "box, telea"):
        assert (f"background only: {way}", "plain") in seen
    for hole in ("union", "box"):
        assert (f"outline of the hole: {hole}", "outline") in seen
        assert (f"outside of the hole: {hole}", "plain") in seen
    assert ("inside of the hole: union, flat", "plain") not in seen
    assert {("outline of the body", "outline"), ("rim of the body", "color")} <= seen
    assert not accuracy.duplicated(["picture", "probe"]).any()
    assert accuracy["n_clips"].eq(24).all()
    assert accuracy["chance"].to_numpy() == pytest.approx(1 / 3, abs=1e-6)
    assert accuracy["p"].between(1 / 40, 1).all()
    assert (accuracy["ci_low"] <= accuracy["accuracy"]).all()
    assert (accuracy["accuracy"] <= accuracy["ci_high"]).all()


def test_the_predictions_are_behind_the_accuracies(results: Results):
    accuracy = table(results, "accuracy").set_index(["picture", "probe"])["accuracy"]
    predictions = table(results, "predictions")
    assert (predictions["correct"] == (predictions["action"] == predictions["predicted"])).all()
    by_action = predictions.groupby(["picture", "probe", "action"])["correct"].mean()
    again = by_action.groupby(["picture", "probe"]).mean()
    assert again.to_dict() == pytest.approx(accuracy.to_dict(), abs=1e-5)


def test_the_way_of_the_study_made_again_is_the_version_that_was_made(results: Results):
    predictions = table(results, "predictions")
    plain = predictions[predictions["probe"] == "plain"]
    made = plain[plain["picture"] == "background_only"]["predicted"]
    again = plain[plain["picture"] == "background only: union, telea"]["predicted"]
    assert made.tolist() == again.tolist()


def test_bodies_give_the_action_away_and_random_scenes_do_not(results: Results):
    accuracy = table(results, "accuracy").set_index(["picture", "probe"])
    assert accuracy.loc[("outline of the body", "outline"), "p"] <= 0.05
    assert accuracy.loc[("true background", "plain"), "p"] > 0.05


def test_ghosts_are_differences_to_truth_and_outside(results: Results):
    differences = table(results, "differences")
    accuracy = table(results, "accuracy").set_index(["picture", "probe"])["accuracy"]
    ghosts = differences[differences["meaning"] == "ghost of the body"]
    own = ghosts[ghosts["picture"] == "background_only"]
    assert set(own["reference"]) == {"true background", "outside of the hole: union"}
    box = ghosts[ghosts["picture"] == "background only: box, telea"]
    assert set(box["reference"]) == {"true background", "outside of the hole: box"}
    for row in differences.itertuples():
        expected = accuracy[row.picture, row.probe] - accuracy[row.reference, row.probe]
        assert row.difference == pytest.approx(expected, abs=1e-5)
        assert row.ci_low <= row.difference <= row.ci_high
    assert "scene inside the mask" in set(differences["meaning"])


def test_a_second_run_reads_no_clip_and_changes_nothing(
    study: Study, results: Results, monkeypatch: pytest.MonkeyPatch
):
    before = contents(results)

    def refuse(*_: object) -> None:
        raise AssertionError("a clip was read again")

    monkeypatch.setattr(clips, "iter_frames", refuse)
    run_audit(study, results, 1)
    assert contents(results) == before


@pytest.mark.slow
def test_processes_change_nothing(study: Study, results: Results):
    before = contents(results)
    for path in (results.audit / "features").rglob("*.npz"):
        path.unlink()
    run_audit(study, results, 2)
    assert contents(results) == before


def test_a_broken_cache_is_made_anew(study: Study, results: Results):
    before = contents(results)
    first, second = sorted((results.audit / "features").rglob("*.npz"))[:2]
    first.write_bytes(second.read_bytes()[:50])
    run_audit(study, results, 1)
    assert contents(results) == before


def test_fewer_clips_and_versions_may_be_audited(results: Results, tmp_path: Path):
    study = small_study(tmp_path, 'conditions = ["body_only"]', "max_clips = 12\nframes = 2")
    few = Results(tmp_path / "few")
    make_stimuli(study, few, 1)
    run_audit(study, few, 1)
    accuracy = table(few, "accuracy")
    assert set(accuracy["condition"]) == {"body_only", ""}
    assert accuracy["n_clips"].eq(12).all()
    predictions = table(few, "predictions")
    assert predictions.groupby("action")["clip_id"].nunique().tolist() == [4, 4, 4]


def test_too_few_clips_leave_empty_tables(
    study: Study, results: Results, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    lonely = Results(tmp_path / "lonely")
    found = read_table("clips", results.clips)
    one_each = found.groupby("action").head(1)
    write_table("clips", one_each.reset_index(drop=True), lonely.clips)
    write_table("manifest", read_table("manifest", results.manifest), lonely.manifest)
    run_audit(study, lonely, 1)
    assert table(lonely, "accuracy").empty
    assert "nothing is audited" in caplog.text


def test_without_stimuli_the_error_names_the_table(study: Study, tmp_path: Path):
    with pytest.raises(StudyError, match=r"clips\.csv: no such file"):
        run_audit(study, Results(tmp_path), 1)


def test_moments_are_spread_evenly_about_the_middle():
    assert moments_of(30, 1).tolist() == [15]
    assert moments_of(1, 3).tolist() == [0, 0, 0]
    assert moments_of(30, 3).tolist() == [5, 15, 25]
    assert np.ptp(moments_of(7, 50)) == 6


@pytest.mark.slow
@pytest.mark.real_data
def test_yoga_is_ranked_as_it_was_elsewhere(real_data: Path, tmp_path: Path):
    """A first try with other software found 0.86, 0.65, 0.58 and 0.44; chance is 0.17."""
    study = load_study(Path(__file__).parents[1] / "real" / "yoga.toml")
    results = Results(tmp_path)
    make_stimuli(study, results, 2)
    run_audit(study, results, 2)
    accuracy = table(results, "accuracy").set_index(["picture", "probe"])["accuracy"]
    assert accuracy["body_only", "plain"] == pytest.approx(0.86, abs=0.1)
    assert accuracy["background only: union, telea", "plain"] == pytest.approx(0.58, abs=0.1)
    assert accuracy["background only: union, flat", "plain"] > 0.6
    assert accuracy["background only: box, harmonic", "plain"] < 0.6
