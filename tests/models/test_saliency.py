"""Where networks look, from a trained network to its table and pictures."""

from __future__ import annotations

import logging
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from models.network import Network
from models.saliency import COLUMNS, write_saliency
from models.streams import OneStream
from models.train import train_model
from stimuli.masks import PersonMasks, write_masks
from stimuli.video import read_clip
from study.config import Study
from study.errors import StudyError
from study.results import Results
from study.tables import read_table


@pytest.fixture
def masked(make_study: Callable[..., Study], results: Results) -> tuple[Study, Results]:
    """A study with two trained networks, and the masks of its squares."""
    study = make_study(epochs=1, batches_per_epoch=5)
    manifest = read_table("manifest", results.manifest).query("condition == 'body_only'")
    for row in manifest.itertuples():
        frames = read_clip(results.root / row.path).frames_thwc
        masks = frames[:, :-1, :, :].max(axis=3) > 60
        masks = np.pad(masks, ((0, 0), (0, 1), (0, 0)))
        path = results.masks / row.action / f"{row.clip_id}.npz"
        write_masks(path, PersonMasks(masks, np.ones(len(masks))))
    for name in ("whole", "parts"):
        train_model(study, results, name, 0)
    return study, results


def test_every_clip_version_and_stream_has_a_row(masked: tuple[Study, Results]) -> None:
    study, results = masked
    whole = pd.read_csv(write_saliency(study, results, "whole", 0))
    assert list(whole.columns) == COLUMNS
    assert len(whole) == 4 * 3
    parts = pd.read_csv(write_saliency(study, results, "parts", 0))
    seen = parts.groupby("condition")["stream"].unique().map(set).to_dict()
    assert seen == {
        "body_background": {"body", "background"},
        "body_only": {"body"},
        "background_only": {"background"},
    }
    # The square of 8 by 16 pixels, shrunk with its frame of 48 pixels to 32.
    assert parts["body_share"].to_numpy() == pytest.approx(8 * 16 / 48**2, rel=0.2)
    shares = pd.concat([whole, parts])["share_in_body"].dropna()
    assert shares.between(0, 1).all()
    assert len(shares) > 0


def test_pictures_are_of_the_clips_asked_for(masked: tuple[Study, Results]) -> None:
    study, results = masked
    fewer = study.saliency.model_copy(update={"pictures": 2, "conditions": ["body_background"]})
    study = study.model_copy(update={"saliency": fewer})
    table = pd.read_csv(write_saliency(study, results, "parts", 0))
    assert set(table["condition"]) == {"body_background"}
    with np.load(results.saliency_pictures("parts", 0), allow_pickle=False) as pictures:
        assert len(set(pictures["clip_id"])) == 2
        assert pictures["frame"].shape == (4, 32, 32, 3)
        assert pictures["heat"].max() <= 1
        # What the background stream sees is the background, not the original.
        is_body = pictures["stream"] == "body"
        assert pictures["frame"][is_body].mean() < pictures["frame"][~is_body].mean()


class Sightless(OneStream):
    """A network whose streams see no pictures."""

    def pictures(self) -> dict[str, Network]:
        return {}


def test_networks_without_pictures_are_passed_over_unless_named(
    masked: tuple[Study, Results],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    study, results = masked
    monkeypatch.setattr("models.baseline.Baseline.pictures", Sightless.pictures)
    with caplog.at_level(logging.INFO, logger="bodyscene"):
        table = pd.read_csv(write_saliency(study, results, "whole", 0))
    assert table.empty
    assert "do not see single pictures" in caplog.text
    named = study.saliency.model_copy(update={"models": ["whole"]})
    with pytest.raises(StudyError, match=r"leave it out of saliency\.models"):
        write_saliency(study.model_copy(update={"saliency": named}), results, "whole", 0)
