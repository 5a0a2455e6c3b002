"""Scoring: the right numbers for the right stimuli, in both ways of reading."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
import torch

from models.architectures import build_network
from models.backbones import as_input
from models.checkpoint import WEIGHTS, read_checkpoint
from models.frames import open_frames
from models.inference import Reader
from models.network import Network
from models.score import score_margins, score_model
from models.train import train_model
from models.trained import load_trained
from study.config import Study
from study.errors import StudyError
from study.fields import Scoring
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
    network = build_network(study.model("parts"), 4, 32, seed=5).eval()
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


@pytest.mark.parametrize("pooling", ["log_probability", "probability", "vote"])
def test_scores_do_not_depend_on_the_batch_size(
    trained: tuple[Study, Results], pooling: str
) -> None:
    study, results = trained
    loaded = load_trained(study, results, "parts", 0)
    clips = loaded.cache.of_split("test")
    readings = loaded.network.readings("body_only")
    found = []
    for batch_size in (1, 5, 1000):
        settings = Scoring(pooling=pooling, batch_size=batch_size)
        reader = Reader(loaded.network, loaded.cache, loaded.device, settings)
        found.append(reader.scores_by_reading(clips, readings))
    for reading in ("blank", "drop"):
        for other in found[1:]:
            np.testing.assert_allclose(other[reading], found[0][reading], rtol=1e-4, atol=1e-4)


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
    paths = [
        results.logits("parts", 0),
        results.model_responses("parts", 0),
        results.scores("parts", 0),
        results.score_confusions("parts", 0),
        results.reliability("parts", 0),
    ]
    before = [path.read_bytes() for path in paths]
    paths[0].unlink()
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
    trained: tuple[Study, Results], results: Results
) -> None:
    study, done = trained
    manifest = read_table("manifest", results.manifest)
    manifest = manifest[(manifest["split"] != "validation") | (manifest["action"] != "jump")]
    write_table("manifest", manifest, results.manifest)
    _copy_checkpoint(done, results, "whole")
    with pytest.raises(StudyError, match="margin of 'jump' needs a validation clip"):
        score_margins(study, results, "whole", 0)


def test_a_network_of_other_classes_is_refused(
    trained: tuple[Study, Results], results: Results
) -> None:
    study, done = trained
    manifest = read_table("manifest", results.manifest)
    write_table("manifest", manifest[manifest["action"] != "wave"], results.manifest)
    _copy_checkpoint(done, results, "whole")
    with pytest.raises(StudyError, match=r"classes differs .* it adds \['wave'\]"):
        score_model(study, results, "whole", 0)


def test_damaged_and_foreign_checkpoints_are_refused(
    trained: tuple[Study, Results], results: Results
) -> None:
    study, done = trained
    with pytest.raises(StudyError, match=r"no such checkpoint; train the network first"):
        score_model(study, results, "whole", 0)
    final = _copy_checkpoint(done, results, "whole")
    content = final.read_bytes()
    for length in (0, 5, len(content) // 2, len(content) - 1):
        final.write_bytes(content[:length])
        with pytest.raises(StudyError, match=r"final\.safetensors: not a whole checkpoint"):
            score_model(study, results, "whole", 0)
    final.write_bytes(pickle.dumps({"weights": 1}))
    with pytest.raises(StudyError, match=r"final\.safetensors: not a whole checkpoint"):
        score_model(study, results, "whole", 0)
    final.write_bytes(done.checkpoint("parts", 0).read_bytes())
    with pytest.raises(StudyError, match="architecture differs from the study's"):
        score_model(study, results, "whole", 0)


def test_a_finished_network_is_not_read_again(
    trained: tuple[Study, Results], monkeypatch: pytest.MonkeyPatch
) -> None:
    study, results = trained
    paths = (results.logits("whole", 0), results.model_responses("whole", 0))
    score_model(study, results, "whole", 0)
    before = [path.stat().st_mtime_ns for path in paths]
    monkeypatch.setattr("models.score_versions.load_trained", _never)
    score_model(study, results, "whole", 0)
    assert [path.stat().st_mtime_ns for path in paths] == before
    # What does not change a score does not ask for new ones.
    other = study.model_copy(update={"scoring": Scoring(calibration_bins=4, batch_size=3)})
    score_model(other, results, "whole", 0)
    assert len(pd.read_csv(results.reliability("whole", 0))) == 3 * 4
    pooled = study.model_copy(update={"scoring": Scoring(pooling="vote")})
    with pytest.raises(AssertionError, match="scored again"):
        score_model(pooled, results, "whole", 0)
    score_model(study, results, "whole", 0)


def test_a_stopped_scoring_goes_on_with_the_version_at_which_it_was(
    trained: tuple[Study, Results], results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, done = trained
    _copy_checkpoint(done, results, "parts")
    scored: list[str] = []
    real = Reader.scores_by_reading

    def counted(
        reader: Reader, clips: pd.DataFrame, readings: dict, noting: None
    ) -> dict[str, np.ndarray]:
        if len(scored) == 2:
            raise KeyboardInterrupt
        scored.append(readings["drop"].get("body", "no body"))
        return real(reader, clips, readings)

    monkeypatch.setattr(Reader, "scores_by_reading", counted)
    with pytest.raises(KeyboardInterrupt):
        score_model(study, results, "parts", 0)
    assert not results.logits("parts", 0).exists()
    kept = sorted(path.name for path in results.score_parts("parts", 0).iterdir())
    assert kept == ["body_background.parquet", "body_only.parquet"]

    scored.clear()
    score_model(study, results, "parts", 0)
    assert scored == ["no body"], "only the third version is scored"
    assert not results.score_parts("parts", 0).exists()
    assert results.logits("parts", 0).read_bytes() == done.logits("parts", 0).read_bytes()
    # A changed stimulus: only the versions that show it are scored again.
    manifest = read_table("manifest", results.manifest)
    changed = (manifest["condition"] == "background_only") & (manifest["split"] == "test")
    manifest.loc[changed, "sha256"] = "0" * 64
    write_table("manifest", manifest, results.manifest)
    scored.clear()
    score_model(study, results, "parts", 0)
    assert scored == ["body_only", "no body"], "the original is read by its two parts"


def test_metrics_are_those_of_the_logits(trained: tuple[Study, Results]) -> None:
    _, results = trained
    metrics = pd.read_csv(results.scores("parts", 0))
    responses = read_table("responses", results.model_responses("parts", 0))
    assert set(metrics["reading"]) == {"blank", "drop"}
    keys = ["group", "condition"]
    among = metrics[metrics["metric"] == "accuracy_choices"].set_index(keys)
    expected = responses.groupby(keys)["correct"].agg(["mean", "size"])
    assert among["value"].to_dict() == pytest.approx(expected["mean"].to_dict())
    assert among["n"].to_dict() == expected["size"].to_dict()
    logits = pd.read_parquet(results.logits("parts", 0)).set_index("reading").loc["drop"]
    own = logits[logits["stimulus_id"].str.endswith("-body_only")].set_index("stimulus_id")
    right = own.astype(float).idxmax(axis=1) == own.index.str.split("_").str[0]
    top = metrics[(metrics["metric"] == "top_1") & (metrics["group"] == "parts_drop")]
    assert top.set_index("condition")["value"]["body_only"] == pytest.approx(right.mean())
    confusions = pd.read_csv(results.score_confusions("parts", 0))
    assert (confusions.groupby(["group", "condition"])["n"].sum() == 4).all()


def test_a_network_with_one_way_to_read_answers_by_its_own_name(
    trained: tuple[Study, Results],
) -> None:
    """A fusion that needs all streams has no "drop", whatever `absent_part` asks for."""
    study, results = trained
    mlp = study.model("parts").model_copy(
        update={"name": "joined", "fusion": "mlp", "absent_part": "drop"}
    )
    study = study.model_copy(update={"models": [mlp]})
    train_model(study, results, "joined", 0)
    rows = read_table("responses", score_model(study, results, "joined", 0))
    assert set(rows["group"]) == {"joined"}


class _Clips(Network):
    """Says of a span of frames how bright its corner pixel is, one class per frame."""

    trained_on: ClassVar = ({"whole": "body_background"},)
    n_frames = 2

    def forward(self, frames: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        seen = frames["whole"]
        assert seen.shape[1:] == (2, 3, 32, 32)
        return {"combined": 10 * seen.mean(dim=(2, 3, 4))}


def test_networks_of_clips_read_spans(trained: tuple[Study, Results]) -> None:
    study, results = trained
    cache = open_frames(results, read_table("manifest", results.manifest), 32)
    network = _Clips(study.model("whole"), 2, 32)
    clips = cache.of_split("test")
    reader = Reader(network, cache, torch.device("cpu"), Scoring(batch_size=4))
    scores = reader.clip_scores(clips, {"whole": "body_background"})
    clip = clips.iloc[1]
    frames = cache.frames["body_background"][clip.start : clip.start + clip.n_frames] / 255
    levels = 10 * frames.mean(axis=(1, 2, 3))
    assert clip.n_frames == 4
    spans = np.log(np.exp(levels.reshape(2, 2)) / np.exp(levels.reshape(2, 2)).sum(1)[:, None])
    np.testing.assert_allclose(scores[1], spans.mean(axis=0), rtol=1e-4)


def test_an_error_while_reading_frames_is_raised(trained: tuple[Study, Results]) -> None:
    study, results = trained
    loaded = load_trained(study, results, "whole", 0)
    clips = loaded.cache.of_split("test").assign(start=10**9)
    reader = Reader(loaded.network, loaded.cache, loaded.device)
    with pytest.raises(IndexError):
        reader.clip_scores(clips, {"whole": "body_only"})


def _copy_checkpoint(source: Results, target: Results, name: str) -> Path:
    final = target.checkpoint(name, 0)
    final.parent.mkdir(parents=True)
    final.write_bytes(source.checkpoint(name, 0).read_bytes())
    return final


def _never(*_: object, **__: object) -> None:
    raise AssertionError("scored again")


def test_lack_of_memory_in_scoring_brings_advice(
    trained: tuple[Study, Results], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")

    study, results = trained
    # Another pooling: nothing that was scored before is of use.
    scoring = study.scoring.model_copy(update={"pooling": "vote", "batch_size": 50})
    monkeypatch.setattr(Reader, "scores_by_reading", fail)
    with pytest.raises(StudyError, match=r"out of memory on cpu.* scoring\.batch_size = 25"):
        score_model(study.model_copy(update={"scoring": scoring}), results, "whole", 0)
