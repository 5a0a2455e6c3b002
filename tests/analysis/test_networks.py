"""Networks by every metric: averages over trainings, the figure of calibration, the report."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.figures import calibration
from analysis.figures.material import Material, NothingToDraw
from analysis.groups import groups_of, known_groups
from analysis.networks import COLUMNS, networks_table, read_reliability
from analysis.reporting.content import Fold, Paragraph
from analysis.reporting.material import Material as ReportMaterial
from analysis.reporting.networks import network_blocks
from analysis.reporting.tracing import trace
from study.config import Study
from study.results import Results
from tests.analysis.conftest import make_study, write_scores

# By seed.
TOP_1 = {"baseline": (0.5, 0.7, 0.75), "domainnet": (0.8, 0.8, 0.8)}


@pytest.fixture
def study() -> Study:
    return make_study()


@pytest.fixture
def scored(study: Study, tmp_path: Path) -> Results:
    """Score tables of two networks with three trainings each, and one that is not in the study."""
    results = Results(tmp_path)
    for name in TOP_1:
        for seed in range(3):
            write_scores(results, name, seed, [TOP_1[name][seed]] * 3)
    stale = pd.read_csv(results.scores("baseline", 0)).assign(observer="baseline-seed9", value=99.0)
    stale.to_csv(results.scores("baseline", 9), index=False)
    table = networks_table(study, results)
    results.analysis.mkdir()
    table.to_csv(results.analysis / "networks.csv", index=False)
    return results


def test_intervals_are_students(study: Study, scored: Results) -> None:
    table = networks_table(study, scored)
    assert list(table.columns) == COLUMNS
    row = table[(table["group"] == "baseline") & (table["metric"] == "top_1")].iloc[0]
    found = stats.ttest_1samp(TOP_1["baseline"], 0).confidence_interval(0.95)
    assert (row["n_seeds"], row["n_clips"], row["mean"]) == (3, 36, pytest.approx(0.65))
    assert row["ci_low"] == pytest.approx(found.low)
    assert row["ci_high"] == pytest.approx(min(found.high, 1.0))
    assert row["method"] == "t over 3 seeds"
    losses = table[table["metric"] == "log_loss"]
    assert (losses["ci_low"] == 0).all(), "cut at what the metric can be"
    assert (losses["ci_high"] > 2).all()


def test_no_interval_without_variation(study: Study, scored: Results) -> None:
    table = networks_table(study, scored)
    alike = table[(table["group"] == "domainnet") & (table["metric"] == "top_1")]
    assert alike["ci_low"].isna().all()
    assert set(alike["method"]) == {"3 seeds alike, no interval"}
    one = make_study(models=[{"name": "baseline", "architecture": "baseline", "seeds": [1]}])
    table = networks_table(one, scored)
    assert set(table["method"]) == {"one seed, no interval"} and set(table["n_seeds"]) == {1}
    assert set(table["group"]) == {"baseline"}


def test_nothing_scored_is_an_empty_table(study: Study, tmp_path: Path) -> None:
    table = networks_table(study, Results(tmp_path))
    assert list(table.columns) == COLUMNS and table.empty


def test_outside_networks_are_known(scored: Results) -> None:
    study = make_study(scoring={"outside": ["slowfast"]})
    table = pd.read_csv(scored.scores("baseline", 0))
    table = table.assign(observer="slowfast-seed0", group="slowfast")
    table.to_csv(scored.scores("slowfast", 0), index=False)
    assert "slowfast" in known_groups(study)
    assert [group.name for group in groups_of(study, ["slowfast", "baseline"])] == [
        "baseline",
        "slowfast",
    ]
    assert set(networks_table(study, scored)["group"]) == {"baseline", "domainnet", "slowfast"}


def test_bins_of_trainings_are_put_together(study: Study, scored: Results) -> None:
    bins = calibration.pooled_bins(read_reliability(study, scored))
    own = bins[(bins["group"] == "baseline") & (bins["condition"] == "body_only")]
    assert own["n"].tolist() == [0 + 6 + 12, 90]
    assert own["share"].sum() == pytest.approx(1.0)
    assert own["confidence"].tolist() == pytest.approx([0.4, 0.9])
    assert own["accuracy"].tolist() == pytest.approx([0.5, 0.8])


def test_the_figure_has_a_panel_per_network_and_version(study: Study, scored: Results) -> None:
    groups = groups_of(study, TOP_1)
    drawn = calibration.draw(Material(study, scored, groups))
    panels = drawn.figure.axes
    assert len(panels) == 6
    for axes in panels:
        (marks,) = [each for each in axes.collections if each.get_gid() == "bins"]
        np.testing.assert_allclose(marks.get_offsets(), [[0.4, 0.5], [0.9, 0.8]])
        small, large = marks.get_sizes()
        assert large > small
        assert [text.get_text() for text in axes.texts] == ["ECE 11.0\u00a0%"]
    titles = [axes.get_title(loc="left").replace("\n", " ") for axes in panels[:3]]
    assert titles == ["original", "body only", "background only"]
    assert "into 2 bins" in drawn.legend and "body only 11.0\u00a0%" in drawn.legend


def test_no_figure_without_scores(study: Study, tmp_path: Path) -> None:
    with pytest.raises(NothingToDraw):
        calibration.draw(Material(study, Results(tmp_path), groups_of(study, TOP_1)))


def test_every_printed_number_has_its_cell(study: Study, scored: Results) -> None:
    accuracy = pd.DataFrame({"group": list(TOP_1)})
    material = ReportMaterial(study, scored, accuracy)
    said, folded = network_blocks(material)
    assert isinstance(said, Paragraph) and isinstance(folded, Fold)
    texts = [sentence.text for sentence in said.sentences]
    assert len(texts) == 4
    assert "named the right one of all actions in 65.0\u00a0% [" in texts[0]
    assert "off by 11.0\u00a0% on original clips" in texts[1]
    for sentence in said.sentences:
        numbers = trace(sentence)
        assert numbers and all(number.cell is not None for number in numbers)
        assert {number.cell.column for number in numbers} <= {"mean", "ci_low", "ci_high"}
    (table,) = folded.blocks
    assert len(table.rows) == 6 and all(len(row) == len(table.head) for row in table.rows)
    assert table.rows[0][1:3] == ["90.0", "65.0"]


def test_a_study_without_scores_says_nothing(study: Study, tmp_path: Path) -> None:
    material = ReportMaterial(study, Results(tmp_path), pd.DataFrame({"group": list(TOP_1)}))
    assert network_blocks(material) == []
