"""The tables that `fit_study` writes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from analysis.estimates import fit_study, read_estimates
from study.config import Study
from study.results import Results

Made = tuple[Study, Results]


def shares_of(results: Results, pattern: str) -> pd.Series:
    """Shares of right answers to test clips, straight from the response files."""
    files = results.simulated_responses.parent.glob(pattern)
    table = pd.concat([pd.read_csv(path) for path in files])
    split = pd.read_csv(results.manifest).drop_duplicates("clip_id").set_index("clip_id")["split"]
    table = table[table["clip_id"].map(split) == "test"]
    return table.groupby(["group", "condition"])["correct"].mean()


def test_accuracies_are_those_in_the_files(fitted: Results):
    accuracy = read_estimates(fitted, "accuracy").set_index(["group", "condition"])
    expected = shares_of(fitted, "*.csv")
    assert len(accuracy) == 12
    assert accuracy["accuracy"].to_dict() == pytest.approx(expected.to_dict())
    assert (accuracy["ci_low"] <= accuracy["accuracy"]).all()
    assert (accuracy["accuracy"] <= accuracy["ci_high"]).all()
    assert accuracy.loc[("simulated", "body_only"), "n_observers"] == 12
    assert accuracy.loc[("baseline", "body_only"), "n_trials"] == 108
    # Observers, then the main networks, then other readings.
    order = list(dict.fromkeys(read_estimates(fitted, "accuracy")["group"]))
    assert order == ["simulated", "baseline", "domainnet", "domainnet_drop"]


def test_patterns_are_root_mean_squares_of_the_accuracies(fitted: Results):
    accuracy = read_estimates(fitted, "accuracy").pivot(
        index="group", columns="condition", values="accuracy"
    )
    distances = read_estimates(fitted, "pattern_distance")
    far = distances[distances["kind"] == "distance"].set_index("group")["value_pp"]
    for group in ("baseline", "domainnet", "domainnet_drop"):
        difference = accuracy.loc[group] - accuracy.loc["simulated"]
        assert far[group] == pytest.approx(100 * np.sqrt((difference**2).mean()))
    closer = distances[
        (distances["kind"] == "difference")
        & (distances["group"] == "domainnet")
        & (distances["other"] == "baseline")
    ].iloc[0]
    assert closer["value_pp"] == pytest.approx(far["domainnet"] - far["baseline"])
    # The fake networks are far apart by construction.
    assert closer["ci_high"] < 0


def test_the_mixed_model_holds_the_main_groups_only(fitted: Results):
    terms = read_estimates(fitted, "mixed_effects")["term"]
    assert not terms.str.contains("drop").any()
    assert "groupdomainnet:conditionbackground_only" in set(terms)
    assert set(read_estimates(fitted, "contrasts")["group"]) == {
        "simulated",
        "baseline",
        "domainnet",
    }
    assert "Laplace" in (fitted.analysis / "mixed_effects.txt").read_text()


def test_confusions_count_every_answer(fitted: Results):
    confusions = read_estimates(fitted, "confusions")
    baseline = confusions[confusions["group"] == "baseline"]
    assert baseline["n"].sum() == 324
    right = baseline[baseline["action"] == baseline["response"]]
    expected = shares_of(fitted, "baseline*.csv").mean()
    assert right["n"].sum() / 324 == pytest.approx(expected)


def test_equal_runs_give_equal_bytes(study: Study, fitted: Results):
    before = {path.name: path.read_bytes() for path in fitted.analysis.iterdir()}
    fit_study(study, fitted)
    assert {path.name: path.read_bytes() for path in fitted.analysis.iterdir()} == before
    assert {"accuracy.csv", "test_versions.csv", "error_consistency.csv"} <= set(before)


def test_people_alone(new_results: Callable[..., Made]):
    study, results = new_results(models=[])
    fit_study(study, results)
    assert set(read_estimates(results, "accuracy")["group"]) == {"simulated"}
    assert read_estimates(results, "pattern_distance").empty
    assert len(read_estimates(results, "mixed_effects")) == 3


def test_networks_alone_and_with_a_single_seed(new_results: Callable[..., Made]):
    models = [{"name": "baseline", "architecture": "baseline", "seeds": [4]}]
    study, results = new_results(models=models, observers={"simulate": False})
    fit_study(study, results)
    accuracy = read_estimates(results, "accuracy")
    assert accuracy["n_observers"].tolist() == [1, 1, 1]
    assert accuracy["method"].str.contains("one seed").all()
    assert read_estimates(results, "mixed_effects").empty
    assert "has one level" in (results.analysis / "mixed_effects.txt").read_text()


def test_people_are_the_reference_where_there_are_any(new_results: Callable[..., Made]):
    study, results = new_results(trials={"n_participants": 6})
    people = pd.read_csv(results.simulated_responses, dtype=str, keep_default_na=False)
    people["group"] = "human"
    people.to_csv(results.simulated_responses.with_name("people.csv"), index=False)
    fit_study(study, results)
    assert set(read_estimates(results, "pattern_distance")["reference"]) == {"human"}
    assert "simulated" not in set(read_estimates(results, "contrasts")["group"])
    assert "simulated" in set(read_estimates(results, "accuracy")["group"])


def test_covariates_of_the_stimuli_may_stand_in_the_formula(new_results: Callable[..., Made]):
    formula = "correct ~ hidden_fraction + (1 | observer) + (1 | item)"
    study, results = new_results(models=[], analysis={"formula": formula, "n_bootstrap": 100})
    fit_study(study, results)
    terms = read_estimates(results, "mixed_effects")["term"].tolist()
    assert terms == ["(Intercept)", "hidden_fraction"]
