"""The guide to networks: its example runs, and it leaves nothing out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from models.architectures import ARCHITECTURES, architecture_of
from models.fusion import FUSIONS
from models.score import score_model
from models.train import train_model
from study.config import load_study
from study.fields import Model
from study.results import Results

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")


def test_the_network_of_the_guide_is_trained_and_scored(
    results: Results, make_study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "guide_networks.py").write_text(code)
    model = Model(name="own", architecture="guide_networks:SharedStream", backbone="tiny")
    study = make_study(epochs=1, batches_per_epoch=2).model_copy(update={"models": [model]})
    train_model(study, results, "own", 0)
    curve = results.learning_curve("own", 0).read_text()
    assert "loss_body" in curve
    assert score_model(study, results, "own", 0).is_file()


@pytest.mark.parametrize("name", [*ARCHITECTURES, *FUSIONS])
def test_the_guide_names_every_architecture_and_fusion(name: str) -> None:
    assert f"`{name}`" in GUIDE


def test_the_ablations_train_every_architecture_loss_and_fusion() -> None:
    study = load_study(ROOT / "studies" / "ablations.toml")
    of_clips_or_given = {"video", "video_domainnet", "pretrained"}
    assert {m.architecture for m in study.models} == set(ARCHITECTURES) - of_clips_or_given
    assert {m.fusion for m in study.models} == set(FUSIONS)
    assert {len(set(m.seeds)) for m in study.models} == {5}
    switched_off = {frozenset(m.losses) for m in study.models}
    assert {frozenset({"body", "background"}), frozenset({"combined"})} <= switched_off
    assert all(architecture_of(model) for model in study.models)
