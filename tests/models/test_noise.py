"""Networks on versions of spoiled masks: the right numbers, once, and only where masks matter."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import torch

from models import noise as noise_module
from models.architectures import build_network, network_facts
from models.checkpoint import WEIGHTS, read_checkpoint, save_checkpoint
from models.noise import score_noise
from stimuli.pipeline import make_stimuli
from stimuli.video import read_clip
from study.config import Study
from study.plan import make_plan
from study.results import Results
from study.tables import read_table

NETWORKS = [("whole", 0), ("parts", 0)]
SIDE = 32


def noisy_study(**noise: object) -> Study:
    training = {
        "image_size": SIDE, "batch_size": 8, "batches_per_epoch": 4, "epochs": 1, "lr": 0.003,
        "optimizer": "adamw", "device": "cpu", "threads": 2,
    }  # fmt: skip
    return Study.model_validate(
        {
            "name": "noisy",
            "title": "Spoiled masks",
            "seed": 2,
            "dataset": {
                "kind": "synthetic", "n_actions": 3, "clips_per_action": 4, "width": 96,
                "height": 54, "n_frames": 3,
            },
            "masks": {"source": "truth"},
            "versions": {"width": 96, "height": 54},
            "trials": {"n_choices": 2, "n_participants": 3},
            "training": training,
            "models": [
                {"name": "whole", "architecture": "baseline", "backbone": "tiny"},
                {"name": "parts", "architecture": "domainnet", "backbone": "tiny"},
            ],
            "noise": {"levels": {"erosion": [0.15], "shift": [0.5]}} | noise,
        }
    )  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Results:
    results, study = Results(tmp_path_factory.mktemp("noisy")), noisy_study()
    make_stimuli(study, results, 1)
    make_plan(study, results)
    manifest = read_table("manifest", results.manifest)
    for name, seed in NETWORKS:
        # Weights as they are drawn: what is tested does not depend on how good they are.
        facts = network_facts(study, study.model(name), manifest)
        network = build_network(study.model(name), len(facts["classes"]), SIDE, seed)
        weights = {f"{WEIGHTS}{key}": value for key, value in network.state_dict().items()}
        save_checkpoint(results.checkpoint(name, seed), facts, weights)
    return results


@pytest.fixture(scope="module")
def scored(trained: Results) -> Results:
    score_noise(noisy_study(), trained, NETWORKS, 1)
    return trained


@pytest.fixture
def fresh(trained: Results, tmp_path: Path) -> Results:
    """The trained study before any noise."""
    shutil.copytree(trained.root, tmp_path / "fresh", ignore=shutil.ignore_patterns("noise"))
    return Results(tmp_path / "fresh")


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of what makes stimuli and scores networks, as it is called."""
    called: list[str] = []

    def noted(what: str, work: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object) -> object:
            called.append(f"{what} {getattr(args[2], 'kind', args[2])}")
            return work(*args)

        return call

    for what in ("make_spoiled", "score_model"):
        monkeypatch.setattr(noise_module, what, noted(what, getattr(noise_module, what)))
    return called


def test_a_row_per_level_version_and_reading(scored: Results) -> None:
    for name, readings in (("whole", {"plain"}), ("parts", {"blank", "drop"})):
        table = pd.read_csv(scored.noise_curve(name, 0))
        assert list(table) == [
            "observer", "group", "kind", "level", "condition", "reading", "n", "accuracy", "top_1",
        ]  # fmt: skip
        assert set(table["reading"]) == readings
        levels = table[["kind", "level"]].drop_duplicates().to_numpy().tolist()
        assert levels == [["none", 0.0], ["erosion", 0.15], ["shift", 0.5]]
        assert len(table) == 3 * 3 * len(readings)
        assert (table["n"] == 3).all()


def test_level_0_is_the_study_itself(scored: Results) -> None:
    for name, _ in NETWORKS:
        table = pd.read_csv(scored.noise_curve(name, 0))
        responses = read_table("responses", scored.model_responses(name, 0))
        expected = responses.groupby(["group", "condition"])["correct"].mean()
        own = table[table["kind"] == "none"].set_index(["group", "condition"])["accuracy"]
        assert own.to_dict() == pytest.approx(expected.to_dict(), abs=1e-6)


def test_what_needs_no_mask_stays_as_it_was(scored: Results) -> None:
    own = pd.read_parquet(scored.logits("whole", 0)).set_index("stimulus_id")
    for kind, level in (("erosion", 0.15), ("shift", 0.5)):
        folder = scored.noise_level(kind, level)
        spoilt = pd.read_parquet(folder.logits("whole", 0)).set_index("stimulus_id")
        same = (spoilt == own.loc[spoilt.index]).drop(columns="reading").all(axis=1)
        assert same[same.index.str.endswith("body_background")].all()
        assert not same[same.index.str.endswith("body_only")].any()


def test_scores_are_those_of_the_network_on_the_spoiled_files(scored: Results) -> None:
    study, folder = noisy_study(), scored.noise_level("shift", 0.5)
    manifest = read_table("manifest", folder.manifest).set_index(["clip_id", "condition"])
    classes = sorted(read_table("manifest", scored.manifest)["action"].unique())
    network = build_network(study.model("parts"), len(classes), SIDE, seed=9).eval()
    network.load_state_dict(read_checkpoint(scored.checkpoint("parts", 0)).group(WEIGHTS))
    logits = pd.read_parquet(folder.logits("parts", 0)).set_index(["stimulus_id", "reading"])

    def seen(clip_id: str, condition: str) -> torch.Tensor:
        frames = read_clip(folder.root / manifest.loc[(clip_id, condition), "path"]).frames_thwc
        # 96 x 54 fits into 32 x 18, with black above and below.
        small = np.zeros((len(frames), SIDE, SIDE, 3), np.uint8)
        for square, frame in zip(small, frames, strict=True):
            square[7:25] = cv2.resize(frame, (32, 18), interpolation=cv2.INTER_AREA)
        return torch.from_numpy(small).permute(0, 3, 1, 2).float() / 255

    for clip_id in manifest.index.get_level_values("clip_id").unique():
        # DomainNet reads an original by its two parts, which the masks make.
        parts = {"body": "body_only", "background": "background_only"}
        with torch.inference_mode():
            scores = network({name: seen(clip_id, shown) for name, shown in parts.items()})
        expected = torch.log_softmax(scores["combined"], dim=1).mean(dim=0)
        found = logits.loc[(f"{clip_id}__body_background", "drop"), classes].to_numpy(float)
        np.testing.assert_allclose(found, expected.numpy(), rtol=1e-3, atol=1e-4)


def test_what_is_scored_is_not_scored_again(scored: Results, calls: list[str]) -> None:
    before = scored.noise_curve("parts", 0).stat().st_mtime_ns
    score_noise(noisy_study(), scored, NETWORKS, 1)
    # Only the study's own stimuli, where `score_model` finds all done by itself.
    assert calls == ["score_model whole", "score_model parts"]
    assert scored.noise_curve("parts", 0).stat().st_mtime_ns == before


def test_scores_of_frames_are_those_of_the_study_alone(scored: Results, calls: list[str]) -> None:
    study = noisy_study()
    scoring = study.scoring.model_copy(update={"frame_logits": True})
    score_noise(study.model_copy(update={"scoring": scoring}), scored, NETWORKS, 1)
    assert calls == ["score_model whole", "score_model parts"]
    assert scored.frame_logits("parts", 0).is_file()
    assert not scored.noise_level("shift", 0.5).frame_logits("parts", 0).exists()


def test_a_stopped_run_goes_on_with_the_network_at_which_it_was(
    fresh: Results, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    study, work = noisy_study(), noise_module.score_model

    def stopped(study: Study, results: Results, name: str, seed: int) -> Path:
        if name == "parts" and results.root != fresh.root:
            raise KeyboardInterrupt
        return work(study, results, name, seed)

    with monkeypatch.context() as patch:
        patch.setattr(noise_module, "score_model", stopped)
        with pytest.raises(KeyboardInterrupt):
            score_noise(study, fresh, NETWORKS, 1)
    del calls[:]
    score_noise(study, fresh, NETWORKS, 1)
    assert calls[2:] == [
        "make_spoiled erosion", "score_model parts",
        "make_spoiled shift", "score_model whole", "score_model parts",
    ]  # fmt: skip


def test_deleted_stimuli_are_not_made_again_for_the_same_networks(
    fresh: Results, scored: Results, calls: list[str]
) -> None:
    study = noisy_study(keep_stimuli=False)
    score_noise(study, fresh, NETWORKS, 1)
    assert not list(fresh.noise.rglob("*.mp4"))
    assert (scored.noise / "levels.png").is_file()
    assert not (fresh.noise / "levels.png").exists()
    assert not [path for path in fresh.noise.rglob("*") if "frames" in path.parts]
    for name, seed in NETWORKS:
        curves = [results.noise_curve(name, seed).read_bytes() for results in (fresh, scored)]
        assert curves[0] == curves[1]
    del calls[:]
    score_noise(study, fresh, NETWORKS, 1)
    assert "make_spoiled erosion" not in calls
    # Another network needs them once more.
    fresh.noise_level("shift", 0.5).model_responses("whole", 0).unlink()
    score_noise(study, fresh, NETWORKS, 1)
    assert calls[-2:] == ["make_spoiled shift", "score_model whole"]
