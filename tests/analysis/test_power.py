"""Power and calibration as files: right, repeatable, resumable, and honest about failures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.power import run_calibration, run_power
from analysis.power.designs import Size, plan_of
from analysis.power.journal import BLOCK
from analysis.power.settings import read_question
from analysis.power.world import OUTCOME, Laboratory
from study.config import Study
from study.errors import StudyError
from study.results import Results
from tests.analysis.conftest import make_study

SMALL = {
    "participants": [12],
    "items": [18],
    "seeds": [1],
    "n_items": 18,
    "n_simulations": 50,
    "n_calibration": 50,
    "contrasts": ["people: body_only - background_only", "people - baseline: pattern"],
}
# Two people who see one version each leave the third version without answers.
SMALL_ALONE = SMALL | {"participants": [2], "contrasts": ["people: body_only - chance"]}
MODELS = [{"name": "baseline", "architecture": "baseline", "seeds": [0]}]


def small_study(**power: object) -> Study:
    return make_study(models=MODELS, power=SMALL | power)


@pytest.fixture(scope="module")
def powered(tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, Results]:
    """A small study with its power and calibration; tests only read it."""
    study, results = small_study(), Results(tmp_path_factory.mktemp("power"))
    run_power(study, results, processes=1)
    run_calibration(study, results, processes=1)
    return study, results


def files(results: Results) -> dict[str, bytes]:
    folder = results.root / "power"
    return {path.name: path.read_bytes() for path in sorted(folder.rglob("*.*")) if path.is_file()}


def test_tables_figures_and_sentences_are_written(powered: tuple[Study, Results]):
    _, results = powered
    folder = results.root / "power"
    for name in ("power", "calibration"):
        for suffix in ("pdf", "svg", "png", "csv"):
            assert (folder / "figures" / f"{name}.{suffix}").stat().st_size > 100
        assert (folder / f"{name}.txt").read_text(encoding="utf-8").count("\n") >= 1
    table = pd.read_csv(folder / "power.csv")
    assert table["is_own"].tolist() == [True, True]
    assert (table["n_simulations"] == 50).all()
    assert "body only − background only: power" in (folder / "power.txt").read_text()
    calibration = pd.read_csv(folder / "calibration.csv")
    assert set(calibration["method"]) == {"t", "z"}
    wide = calibration.pivot(index="target", columns="method", values="mean_width").dropna()
    assert (wide["t"] > wide["z"]).all()


def test_several_processes_give_the_same_bytes(powered: tuple[Study, Results], tmp_path: Path):
    study, results = powered
    other = Results(tmp_path)
    run_power(study, other, processes=2)
    run_calibration(study, other, processes=2)
    assert files(other) == files(results)


def test_finished_blocks_are_not_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    results = Results(tmp_path)
    run_power(small_study(n_simulations=2 * BLOCK), results)
    before = files(results)
    blocks = sorted((tmp_path / "power" / "blocks").rglob("*.csv"))
    assert len(blocks) == 2
    blocks[1].unlink()
    done: list[int] = []
    simulate = Laboratory.outcome
    monkeypatch.setattr(
        Laboratory, "outcome", lambda self, k: (done.append(k), simulate(self, k))[1]
    )
    run_power(small_study(n_simulations=2 * BLOCK), results)
    assert done == list(range(BLOCK, 2 * BLOCK))
    assert files(results) == before
    run_power(small_study(n_simulations=2 * BLOCK, alpha=0.01), results)
    assert len(done) == BLOCK  # the level of the tests changes no simulation
    run_power(small_study(n_simulations=BLOCK, item_by_group_sd=0.5), results)
    assert len(done) == 2 * BLOCK


def test_power_is_what_the_distribution_of_estimates_says(powered: tuple[Study, Results]):
    """Normal theory: power from the mean and spread of the estimates against the mean width."""
    study, results = powered
    question = read_question(study, results)
    laboratory = Laboratory(question.world(question.own))
    outcomes = pd.concat([laboratory.outcome(k) for k in range(50)], ignore_index=True)
    assert list(outcomes.columns) == OUTCOME
    own = outcomes[outcomes["target"] == "people: body_only - background_only"]
    # A small study may come out all right in a version; it is counted as a failure.
    own = own.dropna(subset="estimate")
    limit = stats.t.ppf(0.975, own["df"].iloc[0]) * own["se"].mean()
    expected = stats.norm.sf((limit - own["estimate"].mean()) / own["estimate"].std())
    table = pd.read_csv(results.root / "power" / "power.csv").set_index("target")
    found = table.loc["people: body_only - background_only", "power"]
    assert found == pytest.approx(expected, abs=0.12)
    assert own["se"].mean() == pytest.approx(own["estimate"].std(), rel=0.3)


def test_a_group_without_wrong_answers_is_a_failure_that_is_counted(tmp_path: Path):
    accuracy = {"baseline": dict.fromkeys(("body_background", "body_only"), 0.5)}
    accuracy["baseline"]["background_only"] = 0.9999
    results = Results(tmp_path)
    table = pd.read_csv(run_power(small_study(accuracy=accuracy), results)).set_index("target")
    own = table.loc["people - baseline: pattern"]
    assert own["n_separated"] == own["n_failed"] > 40
    assert own["power"] <= 1 - own["n_failed"] / own["n_simulations"]
    assert table.loc["people: body_only - background_only", "n_failed"] <= 1
    assert "count as effects that were not found" in (tmp_path / "power" / "power.txt").read_text()


def test_a_study_with_too_little_left_to_analyse_is_a_failure(tmp_path: Path):
    """People are always right; one training of one network alone has no random effect."""
    accuracy = {
        "people": dict.fromkeys(("body_background", "body_only", "background_only"), 0.9999)
    }
    accuracy["baseline"] = dict.fromkeys(accuracy["people"], 0.5)
    results = Results(tmp_path)
    table = pd.read_csv(run_power(small_study(accuracy=accuracy), results))
    assert (table["n_separated"] > 40).all()
    assert (table["power"] == 0).all()


def test_a_size_whose_people_do_not_see_every_version_is_named(tmp_path: Path):
    study = make_study(
        models=[], trials={"n_participants": 12, "design": "between"}, power=SMALL_ALONE
    )
    with pytest.raises(
        StudyError, match="2 participants and 18 clips: nobody would see background_only"
    ):
        run_power(study, Results(tmp_path))


def test_a_pilot_is_simulated_from_its_own_fit(fitted: Results, tmp_path: Path):
    study = make_study(power={"source": "pilot"})
    question = read_question(study, fitted)
    effects = pd.read_csv(fitted.analysis / "mixed_effects.csv").set_index("term")["estimate"]
    assert dict(question.truth.beta) == pytest.approx(effects.to_dict())
    assert question.plan.groups == ("people", "baseline", "domainnet")
    assert question.own == Size(12, 36, 3)
    variances = pd.read_csv(fitted.analysis / "random_effects.csv").set_index("group")["variance"]
    found = {name: matrix[0][0] for name, matrix in question.truth.covariances}
    assert found == pytest.approx(variances.to_dict())
    with pytest.raises(StudyError, match="no responses"):
        read_question(study, _without_responses(fitted, tmp_path))


def _without_responses(fitted: Results, folder: Path) -> Results:
    (folder / "manifest.csv").write_bytes(fitted.manifest.read_bytes())
    (folder / "trials.csv").write_bytes(fitted.trials.read_bytes())
    return Results(folder)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"analysis": {"formula": "correct ~ condition * age + (1 | observer)"}}, "age"),
        ({"split": {"by": "group", "test_groups": ["a"]}}, "power.n_items: missing"),
    ],
)
def test_what_cannot_be_simulated_is_named(changes: dict, words: str, tmp_path: Path):
    with pytest.raises(StudyError, match=words):
        read_question(make_study(**changes), Results(tmp_path))


@pytest.mark.slow
def test_intervals_hold_what_they_promise_and_nothing_is_found_where_nothing_is(tmp_path: Path):
    """Exact binomial bounds of 400 studies around 94-96 % and 4-6 %.

    Simulated clips are equally hard for both groups; in a study this small a formula that asks
    whether they are, as the default one does, is more cautious than that.
    """
    formula = "correct ~ group * condition + (1 | observer) + (1 | item)"
    power = SMALL | {"n_calibration": 400}
    study = make_study(models=MODELS, power=power, analysis={"formula": formula})
    table = pd.read_csv(run_calibration(study, Results(tmp_path), processes=2))
    own = table[table["method"] == study.analysis.inference]
    low, high = stats.binom.ppf([0.001, 0.999], 400, [0.94, 0.96]) / 400
    assert own["coverage"].between(low, high + 0.02).all()
    low, high = stats.binom.ppf([0.001, 0.999], 400, [0.04, 0.06]) / 400
    assert own["false_positive"].between(low, high).all()


def test_the_critical_p_value_has_the_false_positives_asked_for(powered: tuple[Study, Results]):
    study, results = powered
    table = pd.read_csv(results.root / "power" / "calibration.csv")
    blocks = sorted((results.root / "power" / "blocks").rglob("*.csv"))
    outcomes = [pd.read_csv(path) for path in blocks]
    target = "people: body_only - background_only"
    row = table[(table["target"] == target) & (table["method"] == "t")].iloc[0]
    found = [
        (own.loc[own["target"] == target, "p_t"] < row["p_critical"]).mean() for own in outcomes
    ]
    # 5 % of 50 studies, interpolated between two of them; the other world has the effect.
    assert min(found) == pytest.approx(study.power.alpha, abs=0.02)
    assert max(found) > 0.5


def test_streams_of_simulations_are_apart(make_world: Callable[..., Laboratory]):
    first, second = make_world(0).outcome(3), make_world(0).outcome(4)
    other = make_world(1).outcome(3)
    assert np.isfinite(first["estimate"].iloc[0])
    assert len({table["estimate"].iloc[0] for table in (first, second, other)}) == 3
    pd.testing.assert_frame_equal(make_world(0).outcome(3), first)


@pytest.fixture
def make_world(tmp_path: Path) -> Callable[..., Laboratory]:
    study = small_study()
    question = read_question(study, Results(tmp_path))
    assert question.plan == plan_of(study)

    def make(number: int) -> Laboratory:
        return Laboratory(replace(question.world(question.own), number=number))

    return make
