"""What the shipped studies must show; minutes each, so run by hand: pytest --slow."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parents[1]


def accuracies(study: Path, folder: Path) -> pd.DataFrame:
    """Run a study; return its accuracies by group (rows) and version (columns)."""
    subprocess.run(
        [sys.executable, "-P", "-m", "bodyscene", "run", str(study), "--results", str(folder)],
        check=True,
    )
    table = pd.read_csv(folder / "analysis" / "accuracy.csv")
    return table.pivot(index="group", columns="condition", values="accuracy")


def one_seed(study: Path, folder: Path) -> Path:
    copy = folder / study.name
    copy.write_text(study.read_text().replace("seeds = [0, 1, 2]", "seeds = [0]"))
    return copy


@pytest.mark.slow
def test_the_papers_pattern_comes_out_where_the_scene_predicts_the_action(tmp_path: Path) -> None:
    found = accuracies(one_seed(ROOT / "studies" / "demo.toml", tmp_path), tmp_path / "out")
    baseline, domainnet = found.loc["baseline"], found.loc["domainnet"]
    assert baseline["body_background"] > 0.6
    assert baseline["background_only"] > 0.6
    assert baseline["body_only"] < 0.4
    assert domainnet["body_only"] > baseline["body_only"] + 0.3


@pytest.mark.slow
def test_reliance_on_the_background_is_gone_where_the_scene_says_nothing(tmp_path: Path) -> None:
    study = one_seed(ROOT / "studies" / "scenes_random.toml", tmp_path)
    found = accuracies(study, tmp_path / "out")
    baseline = found.loc["baseline"]
    # Nor can DomainNet read the action from the hole where the body was.
    assert found.loc["domainnet", "background_only"] < 0.4
    assert found.loc["domainnet", "body_background"] > 0.9
    assert baseline["background_only"] < 0.4
    assert baseline["body_background"] > baseline["background_only"] + 0.1


@pytest.mark.slow
@pytest.mark.real_data
def test_natural_clips_go_through_the_same_steps(tmp_path: Path, real_data: Path) -> None:
    accuracies(ROOT / "tests" / "real" / "clips.toml", tmp_path)
    clips = pd.read_csv(tmp_path / "clips.csv", keep_default_na=False)
    assert len(clips) == 10
    assert (clips["split"] == "test").sum() >= 6
    assert (clips.loc[clips["split"] == "none", "reason"] != "").all()
    assert (tmp_path / "report.html").is_file()
