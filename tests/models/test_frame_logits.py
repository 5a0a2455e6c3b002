"""Scores of single frames: the numbers that clips' scores are made of, whole or absent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch

from models import kept_frames
from models.architectures import build_network
from models.backbones import as_input
from models.checkpoint import WEIGHTS, read_checkpoint
from models.external import bring_into_study
from models.frames import open_frames
from models.inference import Reader
from models.kept_frames import KeptFrames, moments_table
from models.network import Network
from models.outside_files import read_outputs
from models.score import score_model
from models.train import train_model
from models.trained import load_trained
from study.conditions import MAIN_CONDITIONS
from study.config import Study
from study.errors import StudyError
from study.fields import Scoring
from study.results import Results
from study.tables import read_table, write_table

CLASSES = ["bow", "jump", "reach", "wave"]


@pytest.fixture(scope="module")
def trained(drawn: Results, make_study: Callable[..., Study]) -> tuple[Study, Results]:
    study = make_study(epochs=2)
    for name in ("whole", "parts"):
        train_model(study, drawn, name, 0)
    return study, drawn


@pytest.fixture
def here(
    trained: tuple[Study, Results], results: Results, monkeypatch: pytest.MonkeyPatch
) -> Results:
    """Results with the trained networks; groups are so small that there are several."""
    (results.root / "models").symlink_to(trained[1].root / "models")
    monkeypatch.setattr(kept_frames, "ROWS_AT_ONCE", 5)
    return results


def _by_frame(study: Study, **scoring: object) -> Study:
    return study.model_copy(update={"scoring": Scoring(frame_logits=True, **scoring)})


def _pooled(rows: pd.DataFrame, how: str) -> np.ndarray:
    """Pool the frames of one stimulus as the study file's reference says, by hand."""
    values = rows[CLASSES].to_numpy(float)
    if how == "log_probability":
        return values.mean(axis=0)
    mean = np.exp(values).mean(axis=0)
    if how == "probability":
        return np.log(mean)
    votes = np.bincount(values.argmax(axis=1), minlength=len(CLASSES))
    return np.log((votes + mean) / (len(values) + 1))


@pytest.mark.parametrize("pooling", ["log_probability", "probability", "vote"])
def test_clips_are_pooled_of_these_frames(
    pooling: str, trained: tuple[Study, Results], here: Results
) -> None:
    score_model(_by_frame(trained[0], pooling=pooling, batch_size=3), here, "parts", 0)
    frames = pd.read_parquet(here.frame_logits("parts", 0))
    who = ["stimulus_id", "reading"]
    assert list(frames.columns) == [*who, "frame", "n_frames", *CLASSES]
    assert all(frames[name].dtype == np.float32 for name in CLASSES)
    assert (frames["n_frames"] == 1).all()
    clips = pd.read_parquet(here.logits("parts", 0)).set_index(who)
    n_frames = read_table("manifest", here.manifest).set_index("stimulus_id")["n_frames"]
    found = dict(list(frames.groupby(who, sort=False)))
    assert set(found) == set(clips.index) and len(found) == 24
    for key, rows in found.items():
        assert list(rows["frame"]) == list(range(n_frames[key[0]]))
        np.testing.assert_allclose(
            _pooled(rows, pooling), clips.loc[key].to_numpy(float), rtol=2e-6, atol=2e-7
        )


def test_a_frame_is_scored_as_the_network_scores_it(
    trained: tuple[Study, Results], here: Results
) -> None:
    study = trained[0]
    score_model(_by_frame(study, frames_per_clip=2), here, "whole", 0)
    frames = pd.read_parquet(here.frame_logits("whole", 0))
    network = build_network(study.model("whole"), 4, 32, seed=5).eval()
    network.load_state_dict(read_checkpoint(here.checkpoint("whole", 0)).group(WEIGHTS))
    cache = open_frames(here, read_table("manifest", here.manifest), 32)
    starts = cache.clips.set_index("clip_id")["start"]
    # Of four frames the middles of two halves.
    assert set(frames["frame"]) == {1, 3}
    for row in frames.iloc[::5].to_dict("records"):
        clip_id, condition = row["stimulus_id"].split("-")
        pixels = cache.frames[condition][starts[clip_id] + row["frame"]]
        seen = as_input(torch.from_numpy(np.array(pixels)[None]), torch.device("cpu"))
        with torch.inference_mode():
            expected = torch.log_softmax(network({"whole": seen})["combined"], dim=1)[0]
        assert [row[name] for name in CLASSES] == pytest.approx(expected.tolist(), abs=1e-4)


def test_version_after_version_in_groups_of_one_reading(
    trained: tuple[Study, Results], here: Results
) -> None:
    score_model(_by_frame(trained[0]), here, "parts", 0)
    with pq.ParquetFile(here.frame_logits("parts", 0)) as content:
        groups = [content.read_row_group(i).to_pandas() for i in range(content.num_row_groups)]
    # 4 clips of 4 frames, in groups of 5, for each of 3 versions read in 2 ways.
    assert [len(group) for group in groups] == [5, 5, 5, 1] * 6
    shown = [
        (group["stimulus_id"].iloc[0].split("-")[1], group["reading"].iloc[0]) for group in groups
    ]
    expected = [(each, way) for each in MAIN_CONDITIONS for way in ("blank", "drop")]
    assert shown[::4] == expected
    assert all(group["reading"].nunique() == 1 for group in groups)


def test_the_same_bytes_again_and_none_where_nobody_asks(
    trained: tuple[Study, Results], here: Results
) -> None:
    study, path = trained[0], here.frame_logits("parts", 0)
    score_model(study, here, "parts", 0)
    assert not path.parent.exists()
    score_model(_by_frame(study), here, "parts", 0)
    before = path.read_bytes()
    path.unlink()
    score_model(_by_frame(study, batch_size=7), here, "parts", 0)
    assert path.read_bytes() == before
    here.logits("parts", 0).unlink()
    # Asked for no more: they stay, as long as they are of these weights and stimuli.
    score_model(study, here, "parts", 0)
    assert path.read_bytes() == before
    score_model(study.model_copy(update={"scoring": Scoring(pooling="vote")}), here, "parts", 0)
    assert not path.exists()


def test_added_later_the_numbers_of_clips_stay(
    trained: tuple[Study, Results], here: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = trained[0]
    score_model(study, here, "parts", 0)
    kept = [here.logits("parts", 0), here.model_responses("parts", 0), here.scores("parts", 0)]
    before = [(path.read_bytes(), path.stat().st_mtime_ns) for path in kept[:1]]
    others = [path.read_bytes() for path in kept[1:]]
    score_model(_by_frame(study), here, "parts", 0)
    assert [(path.read_bytes(), path.stat().st_mtime_ns) for path in kept[:1]] == before
    assert [path.read_bytes() for path in kept[1:]] == others
    monkeypatch.setattr(Reader, "scores_by_reading", _never)
    score_model(_by_frame(study), here, "parts", 0)


def test_it_goes_on_where_it_was_stopped_and_scores_only_what_changed(
    trained: tuple[Study, Results], here: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = _by_frame(trained[0])
    path, parts = here.frame_logits("parts", 0), here.frame_logit_parts("parts", 0)
    score_model(study, here, "parts", 0)
    expected = path.read_bytes()
    for kept in (path, here.logits("parts", 0)):
        kept.unlink()
    scored: list[str] = []
    real, stop_at = Reader.scores_by_reading, 2

    def counted(reader: Reader, clips: pd.DataFrame, readings: dict, noting: object) -> object:
        found = real(reader, clips, readings, noting)
        if len(scored) == stop_at:
            raise KeyboardInterrupt  # all rows of the third version are made, none is kept
        scored.append(readings["drop"].get("body", "no body"))
        return found

    monkeypatch.setattr(Reader, "scores_by_reading", counted)
    with pytest.raises(KeyboardInterrupt):
        score_model(study, here, "parts", 0)
    kept = ["body_background.parquet", "body_only.parquet"]
    assert not path.exists() and sorted(each.name for each in parts.iterdir()) == kept
    scored.clear()
    stop_at = 99
    score_model(study, here, "parts", 0)
    assert scored == ["no body"] and path.read_bytes() == expected and not parts.exists()
    manifest = read_table("manifest", here.manifest)
    changed = (manifest["condition"] == "background_only") & (manifest["split"] == "test")
    manifest.loc[changed, "sha256"] = "0" * 64
    write_table("manifest", manifest, here.manifest)
    scored.clear()
    score_model(study, here, "parts", 0)
    # The original is read by its two parts; the third version's rows come from the old table.
    assert scored == ["body_only", "no body"]
    pd.testing.assert_frame_equal(pd.read_parquet(path), _read(expected, path.parent))


def test_they_are_read_back_as_outputs_of_an_outside_network(
    trained: tuple[Study, Results], here: Results, caplog: pytest.LogCaptureFixture
) -> None:
    study = _by_frame(trained[0], outside=["again"])
    for name in ("whole", "parts"):
        score_model(study, here, name, 0)
        path = here.frame_logits(name, 0)
        bring_into_study(study, here, "again", dict.fromkeys(MAIN_CONDITIONS, path), "log")
        own, again = (pd.read_parquet(here.logits(each, 0)) for each in (name, "again"))
        own = own[own["reading"].isin(["plain", "blank"])]
        wanted = own.set_index("stimulus_id")[CLASSES].astype(float)
        found = again.set_index("stimulus_id").loc[wanted.index, CLASSES]
        np.testing.assert_allclose(found, wanted, rtol=2e-6, atol=2e-7)
        answers = [
            read_table("responses", here.model_responses(each, 0)) for each in (name, "again")
        ]
        answers = [rows[rows["group"].isin([name, "again"])] for rows in answers]
        by_stimulus = [rows.set_index("stimulus_id")["response"].to_dict() for rows in answers]
        assert by_stimulus[0] == by_stimulus[1] and len(by_stimulus[0]) == 12
    assert "body_only is read in 2 ways there: 'blank' is taken, and not 'drop'" in caplog.text


def test_a_foreign_class_may_be_called_reading(results: Results, tmp_path: Path) -> None:
    manifest = read_table("manifest", results.manifest)
    test = manifest[(manifest["split"] == "test") & (manifest["condition"] == "body_only")]
    scores = {"reading": 0.75, "bow": 0.25}
    path = tmp_path / "outputs.csv"
    test[["stimulus_id"]].assign(**scores).to_csv(path, index=False)
    found = read_outputs(path, "body_only", None, None, results.manifest)
    np.testing.assert_allclose(found["reading"], np.log(0.75))
    strange = test[["stimulus_id"]].assign(reading="plain", bow=1.0)
    strange.loc[strange.index[0], "stimulus_id"] = "nobody-body_only"
    strange.to_csv(path, index=False)
    with pytest.raises(StudyError, match=r"missing .*unknown \['nobody-body_only'\]"):
        read_outputs(path, "body_only", None, None, results.manifest)


class _Spans(Network):
    """Answers a span of three frames by the brightness of its first one's corner."""

    trained_on: ClassVar = ({"whole": "body_background"},)
    n_frames = 3

    def forward(self, frames: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        first = frames["whole"][:, 0].mean(dim=(1, 2, 3))
        return {"combined": torch.stack([first, -first], dim=1)}


def test_a_row_per_span_of_networks_of_clips(trained: tuple[Study, Results]) -> None:
    clips = pd.DataFrame({"clip_id": ["a", "b"], "start": [100, 104], "n_frames": [4, 2]})
    stimuli = pd.DataFrame({"clip_id": ["b", "a"], "stimulus_id": ["b-x", "a-x"]})
    study, results = trained
    cache = open_frames(results, read_table("manifest", results.manifest), 32)
    reader = Reader(_Spans(study.model("whole"), 2, 32), cache, torch.device("cpu"))
    table = moments_table(reader.moments(clips), clips, stimuli)
    # Four frames are covered by two spans; two frames are stretched to one span.
    assert table.to_numpy().tolist() == [["a-x", 0, 3], ["a-x", 1, 3], ["b-x", 0, 2]]
    noted: list[np.ndarray] = []
    test = cache.of_split("test")
    pooled = reader.scores_by_reading(
        test, {"plain": {"whole": "body_only"}}, lambda _, rows: noted.append(rows)
    )
    rows = np.concatenate(noted)
    shown = moments_table(reader.moments(test), test, test.assign(stimulus_id=test["clip_id"]))
    assert len(rows) == len(shown)
    for place, clip in enumerate(test.itertuples()):
        own = shown["stimulus_id"] == clip.clip_id
        for frame, scores in zip(shown["frame"][own], rows[own], strict=True):
            mean = cache.frames["body_only"][clip.start + frame].mean() / 255
            assert scores[0] - scores[1] == pytest.approx(2 * mean, rel=1e-4)
        np.testing.assert_allclose(rows[own].mean(axis=0), pooled["plain"][place], rtol=1e-5)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's own figures")
def test_scores_of_many_frames_do_not_fill_the_memory(tmp_path: Path) -> None:
    n_rows, n_classes, n_at_once = 400_000, 40, 200
    ids = pd.Series([f"clip_{index // 10:05d}-body_only" for index in range(n_rows)])
    shown = pd.DataFrame({"stimulus_id": ids, "frame": np.arange(n_rows) % 10, "n_frames": 1})
    classes = [f"class {index}" for index in range(n_classes)]
    rng = np.random.default_rng(0)
    kept = KeptFrames(tmp_path / "frames.parquet", tmp_path / "parts")
    memory = []
    with kept.writing("body_only", "key", shown, classes) as sink:
        for _ in range(n_rows // n_at_once):
            sink.add("plain", rng.random((n_at_once, n_classes), np.float32))
            memory.append(_own_memory_mib())
    kept.finish({"body_only": ids}, {"body_only": "key", "all": "key"})
    memory.append(_own_memory_mib())
    assert kept.path.stat().st_size > 50 * 2**20
    assert max(memory) - memory[len(memory) // 4] < 25
    with pq.ParquetFile(kept.path) as content:
        assert content.metadata.num_rows == n_rows


def test_an_action_called_as_a_column_is_named(
    trained: tuple[Study, Results], here: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = load_trained(trained[0], here, "whole", 0)
    renamed = replace(loaded, classes=["bow", "jump", "reading", "wave"])
    monkeypatch.setattr("models.score_versions.load_trained", lambda *_: renamed)
    with pytest.raises(StudyError, match=r"the action 'reading': .* another name than stimulus_id"):
        score_model(trained[0], here, "whole", 0)


def _read(content: bytes, folder: Path) -> pd.DataFrame:
    path = folder / "copy.parquet"
    path.write_bytes(content)
    return pd.read_parquet(path)


def _own_memory_mib() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024


def _never(*_: object, **__: object) -> None:
    raise AssertionError("scored again")
