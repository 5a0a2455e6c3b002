"""Curves over segmentation noise: means, changes, what is left out, and what is drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.figures import noise as figure_module
from analysis.figures.material import Material, NothingToDraw
from analysis.groups import groups_of
from analysis.noise import KINDS, mean_change, noise_sentences, noise_table
from analysis.reporting import material as report_material
from analysis.reporting.noise import noise_findings
from analysis.reporting.tracing import trace
from study.config import Study
from study.fields.scoring import Noise
from study.files import write_text
from study.results import Results
from study.tables import read_table, write_table

LEVELS = {"erosion": [0.1, 0.05], "missing": [0.3]}
# Share of the answers to versions made of masks that are wrong from each level on.
WRONG = {("erosion", 0.05): 0.0, ("erosion", 0.1): 0.25, ("missing", 0.3): 1.0}

Made = tuple[Study, Results]


@pytest.fixture
def noisy(new_results: Callable[..., Made]) -> Made:
    """A study whose networks answer worse, level by level, in a way that is known."""
    study, results = new_results(noise={"levels": LEVELS})
    for model in study.models:
        for seed in model.seeds:
            own = read_table("responses", results.model_responses(model.name, seed))
            # All right before, so that changes are known.
            own = own.assign(response=own["action"], correct=1)
            write_table("responses", own, results.model_responses(model.name, seed))
            for (kind, level), share in WRONG.items():
                folder = results.noise_level(kind, level)
                table = _worse(own, share, model.name)
                write_table("responses", table, folder.model_responses(model.name, seed))
            write_text(results.noise_curve(model.name, seed), "")
    return study, results


def _worse(own: pd.DataFrame, share: float, name: str) -> pd.DataFrame:
    """Answer the first actions wrongly; the baseline needs no mask to read an original."""
    actions = sorted(own["action"].unique())
    wrong = own["action"].isin(actions[: round(share * len(actions))])
    if name == "baseline":
        wrong &= own["condition"] != "body_background"
    other = own["choices"].str.split("|").str[1]
    table = own.assign(response=own["action"].mask(wrong, other))
    return table.assign(correct=(~wrong).astype("int64"))


def test_every_kind_begins_with_the_study_itself(noisy: Made) -> None:
    table = noise_table(*noisy)
    for kind, levels in (("erosion", [0.0, 0.05, 0.1]), ("missing", [0.0, 0.3])):
        own = table[(table["kind"] == kind) & (table["group"] == "domainnet")]
        assert list(own["level"].unique()) == levels
        assert (own.loc[own["level"] == 0, "accuracy"] == 1).all()
    assert set(table["kind"]) == set(LEVELS)


def test_accuracies_and_changes_are_the_shares_put_in(noisy: Made) -> None:
    table = noise_table(*noisy).set_index(["group", "kind", "level", "condition"])
    for (kind, level), share in WRONG.items():
        for group, condition in (("domainnet", "body_background"), ("baseline", "body_only")):
            row = table.loc[(group, kind, level, condition)]
            assert row["accuracy"] == pytest.approx(1 - share)
            assert row["change_pp"] == pytest.approx(-100 * share)
            assert row[["n_observers", "n_items"]].tolist() == [3, 36]
        row = table.loc[("baseline", kind, level, "body_background")]
        assert row["change_pp"] == 0
        assert np.isnan(row["change_low"])
    row = table.loc[("domainnet", "erosion", 0.1, "body_only")]
    assert row["ci_low"] < 0.75 < row["ci_high"]
    assert row["change_low"] < -25 < row["change_high"] < 0


def test_one_observers_interval_is_that_of_a_mean_of_clips() -> None:
    rng = np.random.default_rng(3)
    change = rng.choice([-1.0, 0.0, 1.0], size=(1, 40), p=[0.4, 0.5, 0.1])
    mean, low, high = mean_change(change, 0.95)
    error = change.std(ddof=1) / np.sqrt(40)
    assert mean == pytest.approx(100 * change.mean())
    assert (low, high) == pytest.approx((mean - 196 * error, mean + 196 * error), abs=0.01)


def test_one_changed_answer_tells_nothing() -> None:
    change = np.zeros((3, 36))
    change[1, 7] = -1.0
    mean, low, high = mean_change(change, 0.95)
    assert mean == pytest.approx(-100 / 108)
    assert low < 0 < high


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(8)
    held = 0
    for _ in range(400):
        by_clip = rng.normal(0.5, 0.25, size=(1, 60)).clip(0, 1)
        by_seed = rng.normal(0.0, 0.05, size=(8, 1))
        change = -(rng.random((8, 60)) < by_clip + by_seed).astype(float)
        _, low, high = mean_change(change, 0.9)
        held += low <= -50 <= high
    # 90 %, give or take what 400 studies and few seeds allow.
    assert 0.82 < held / 400 < 0.96


def test_levels_and_networks_of_another_study_file_are_passed_over(noisy: Made) -> None:
    study, results = noisy
    fewer = study.noise.model_copy(update={"levels": {"missing": [0.3]}, "models": ["domainnet"]})
    table = noise_table(study.model_copy(update={"noise": fewer}), results)
    assert set(table["kind"]) == {"missing"}
    assert set(table["group"]) == {"domainnet", "domainnet_drop"}


def test_without_noise_there_is_no_row_and_no_figure(study: Study, fitted: Results) -> None:
    table = noise_table(study, fitted)
    assert table.empty
    assert "change_pp" in table
    with pytest.raises(NothingToDraw):
        figure_module.draw(Material(study, fitted, groups_of(study, ["baseline"])))


def test_every_kind_of_the_study_file_has_words() -> None:
    assert set(KINDS) == set(Noise().levels)


def _drawn(noisy: Made) -> Any:
    study, results = noisy
    results.analysis.mkdir(exist_ok=True)
    noise_table(study, results).to_csv(results.analysis / "noise.csv", index=False)
    groups = groups_of(study, ["baseline", "domainnet"])
    return figure_module.draw(Material(study, results, groups))


def test_the_figure_has_a_panel_per_kind_and_version(noisy: Made) -> None:
    drawn = _drawn(noisy)
    panels = drawn.figure.axes
    assert len(panels) == 2 * 3
    assert [axes.get_title(loc="left") for axes in panels[:2]] == ["erosion", "missing"]
    lines = {line.get_gid(): line for line in panels[0].get_lines()}
    assert list(lines["noise domainnet"].get_ydata()) == [1.0, 1.0, 0.75]
    assert list(lines["noise baseline"].get_ydata()) == [1.0, 1.0, 1.0]
    # Side by side around the level.
    places = [lines[f"noise {name}"].get_xdata() for name in ("baseline", "domainnet")]
    np.testing.assert_allclose(np.mean(places, axis=0), [0, 5, 10])
    assert [text.get_text() for text in panels[-2].get_xticklabels()] == ["0", "5", "10"]
    assert lines["chance"].get_ydata()[0] == pytest.approx(0.2)
    assert drawn.legend.count("points") == 2  # original: DomainNet alone, of both kinds


def test_a_version_that_nobody_reads_otherwise_is_not_drawn(noisy: Made) -> None:
    study, results = noisy
    only = study.noise.model_copy(update={"models": ["baseline"]})
    drawn = _drawn((study.model_copy(update={"noise": only}), results))
    assert set(drawn.data["condition"]) == {"body_only", "background_only"}


def test_sentences_speak_of_the_strongest_level(noisy: Made) -> None:
    study, results = noisy
    table = noise_table(study, results)
    network = groups_of(study, ["domainnet"])[0]
    said = [text for text, _ in noise_sentences(table, network, ["body_only"])]
    assert said[0].startswith("DomainNet with masks eroded by 10\u00a0% of the person’s size: 75.0")
    assert "(\u221225.0 points [" in said[0]
    # With all masks missing every answer changes alike: of that there is no interval.
    assert said[1:] == [
        "DomainNet with 30\u00a0% of the frames’ masks missing: 0.0\u00a0% of body-only clips "
        "right (\u2212100.0 points)."
    ]


def test_every_number_of_the_report_is_traced(noisy: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    study, results = noisy
    _drawn(noisy)
    shares = report_material.SHARE_COLUMNS | {
        "analysis/noise.csv": {"level", "accuracy", "ci_low", "ci_high"}
    }
    monkeypatch.setattr(report_material, "SHARE_COLUMNS", shares)
    accuracy = pd.DataFrame({"group": ["baseline", "domainnet"]})
    said = noise_findings(report_material.Material(study, results, accuracy))
    assert len(said) == 4  # two kinds for each network
    for sentence in said:
        numbers = trace(sentence)
        assert all(number.cell is not None for number in numbers)
        assert numbers
