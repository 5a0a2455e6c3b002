"""Scoring: the right numbers for the right stimuli, in both ways of reading."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import torch

from models import inference
from models.architectures import build_network
from models.backbones import as_input
from models.checkpoint import WEIGHTS, read_checkpoint
from models.frames import open_frames
from models.score import score_margins, score_model
from models.train import train_model
from study.config import Study
from study.errors import StudyError
from study.results import Results
from study.tables import read_table, write_table


@pytest.fixture(scope="module")
def trained(drawn: Results, make_study: Callable[..., Study]) -> tuple[Study, Results]:
    study = make_study(epochs=4)
    for name in ("whole", "parts"):
        train_model(study, drawn, name, 0)
        score_model(study, drawn, name, 0)
    return study, drawn


def test_a_row_per_stimulus_and_reading(trained: tuple[Study, Results]) -> None:
    _, results = trained
    manifest = read_table("manifest", results.manifest)
    test = manifest[manifest["split"] == "test"]
    for name, readings in (("whole", ["plain"]), ("parts", ["blank", "drop"])):
        logits = pd.read_parquet(results.logits(name, 0))
        assert list(logits.columns) == ["stimulus_id", "reading", "bow", "jump", "reach", "wave"]
        for reading in readings:
            rows = logits[logits["reading"] == reading]
            assert list(rows["stimulus_id"]) == list(test["stimulus_id"])
        assert len(logits) == len(test) * len(readings)


def test_scores_are_means_of_frame_log_probabilities(trained: tuple[Study, Results]) -> None:
    study, results = trained
    manifest = read_table("manifest", results.manifest)
    network = build_network(study.model("parts"), 4, seed=5).eval()
    network.load_state_dict(read_checkpoint(results.checkpoint("parts", 0)).group(WEIGHTS))
    cache = open_frames(results, manifest, study.training.image_size)
    logits = pd.read_parquet(results.logits("parts", 0)).set_index(["stimulus_id", "reading"])
    clip = cache.of_split("test").iloc[2]
    rows = slice(clip.start, clip.start + clip.n_frames)

    def seen(condition: str) -> torch.Tensor:
        return as_input(
            torch.from_numpy(np.array(cache.frames[condition][rows])), torch.device("cpu")
        )

    black = torch.zeros_like(seen("body_only"))
    expected = {
        ("body_background", "drop"): {
            "body": seen("body_only"),
            "background": seen("background_only"),
        },
        ("body_only", "blank"): {"body": seen("body_only"), "background": black},
        ("body_only", "drop"): {"body": seen("body_only")},
        ("background_only", "blank"): {"body": black, "background": seen("background_only")},
    }
    with torch.inference_mode():
        for (condition, reading), frames in expected.items():
            scores = torch.log_softmax(network(frames)["combined"], dim=1).mean(dim=0)
            found = logits.loc[(f"{clip.clip_id}-{condition}", reading)].to_numpy(float)
            np.testing.assert_allclose(found, scores.numpy(), rtol=1e-3, atol=1e-4)


def test_batches_may_cut_clips(
    trained: tuple[Study, Results], monkeypatch: pytest.MonkeyPatch
) -> None:
    study, results = trained
    before = pd.read_parquet(results.logits("parts", 0))
    monkeypatch.setattr(inference, "FRAMES_PER_BATCH", 5)
    score_model(study, results, "parts", 0)
    after = pd.read_parquet(results.logits("parts", 0))
    pd.testing.assert_frame_equal(after, before, rtol=1e-4, atol=1e-4)


def test_answers_agree_with_logits_and_choices(trained: tuple[Study, Results]) -> None:
    _, results = trained
    rows = read_table("responses", results.model_responses("parts", 0))
    logits = pd.read_parquet(results.logits("parts", 0)).set_index(["reading", "stimulus_id"])
    assert set(rows["group"]) == {"parts", "parts_drop"}
    assert set(rows["observer"]) == {"parts-seed0"}
    for row in rows.itertuples():
        reading = "drop" if row.group == "parts_drop" else "blank"
        scores = logits.loc[(reading, row.stimulus_id), row.choices.split("|")]
        assert row.response == scores.astype(float).idxmax()
        assert row.correct == (row.response == row.action)
    for _, of_group in rows.groupby("group"):
        assert list(of_group["trial"]) == list(range(1, 13))
    assert rows["rt_s"].isna().all() and (rows["time_utc"] == "").all()


def test_networks_use_what_they_were_trained_on(trained: tuple[Study, Results]) -> None:
    _, results = trained
    share = {
        name: read_table("responses", results.model_responses(name, 0))
        .groupby(["group", "condition"])["correct"]
        .mean()
        for name in ("whole", "parts")
    }
    assert share["whole"]["whole", "body_background"] == 1
    assert share["parts"]["parts_drop", "background_only"] == 1
    assert share["parts"]["parts", "body_background"] == 1


def test_equal_scorings_give_equal_bytes(trained: tuple[Study, Results]) -> None:
    study, results = trained
    paths = [results.logits("parts", 0), results.model_responses("parts", 0)]
    score_model(study, results, "parts", 0)
    before = [path.read_bytes() for path in paths]
    score_model(study, results, "parts", 0)
    assert [path.read_bytes() for path in paths] == before


def test_only_actions_with_choices_are_asked(
    trained: tuple[Study, Results], monkeypatch: pytest.MonkeyPatch
) -> None:
    study, results = trained
    choices = read_table("choices", results.choices)
    monkeypatch.setattr(
        "models.score.read_table",
        lambda kind, path: choices.iloc[:2] if kind == "choices" else read_table(kind, path),
    )
    rows = read_table("responses", score_model(study, results, "whole", 0))
    assert set(rows["action"]) == {"bow", "jump"}
    assert len(pd.read_parquet(results.logits("whole", 0))) == 12


def test_margins_come_from_the_validation_clips(trained: tuple[Study, Results]) -> None:
    study, results = trained
    for name in ("whole", "parts"):
        margins = score_margins(study, results, name, 0).set_index("action")["margin"]
        assert list(margins.index) == ["bow", "jump", "reach", "wave"]
        # A sure and right network has positive margins.
        assert (margins > 0).sum() >= 3


def test_margins_without_validation_clips_name_the_action(
    trained: tuple[Study, Results], monkeypatch: pytest.MonkeyPatch
) -> None:
    study, results = trained
    manifest = read_table("manifest", results.manifest)
    manifest = manifest[(manifest["split"] != "validation") | (manifest["action"] != "jump")]
    monkeypatch.setattr("models.score.read_table", lambda *_: manifest)
    with pytest.raises(StudyError, match="margin of 'jump' needs a validation clip"):
        score_margins(study, results, "whole", 0)


def test_a_network_of_other_classes_is_refused(
    trained: tuple[Study, Results], results: Results
) -> None:
    study, done = trained
    manifest = read_table("manifest", results.manifest)
    write_table("manifest", manifest[manifest["action"] != "wave"], results.manifest)
    final = results.checkpoint("whole", 0)
    final.parent.mkdir(parents=True)
    final.write_bytes(done.checkpoint("whole", 0).read_bytes())
    with pytest.raises(StudyError, match=r"classes differs .* it adds \['wave'\]"):
        score_model(study, results, "whole", 0)
