"""Mixed models against lme4's numbers (tests/references/mixed_effects, made by reference.R)."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.mixed_effects import MixedModelResult, fit
from analysis.mixed_effects.estimation import Estimator
from analysis.mixed_effects.laplace import LaplaceDeviance

FOLDER = Path(__file__).parents[1] / "references" / "mixed_effects"
CASES = json.loads((FOLDER / "lme4.json").read_text())["cases"]
PROFILE = CASES.pop("profile")
WITH_MEANS = [name for name, case in CASES.items() if "means" in case]


@cache
def load(name: str) -> pd.DataFrame:
    table = pd.read_csv(FOLDER / f"{name}.csv")
    orders = {
        "condition": ["original", "body", "background"],
        "group": ["human", "baseline", "twostream"],
    }
    for column, order in orders.items():
        table[column] = pd.Categorical(table[column], order)
    return table


@cache
def fitted(name: str) -> MixedModelResult:
    case = CASES[name]
    options = {"reml": case["reml"]} if case["family"] == "gaussian" else {}
    if case["family"] == "binomial":
        options = {"link": case["link"], "n_agq": case["n_agq"]}
        options |= {"n_choices": 5} if case["link"].startswith("mafc") else {}
    return fit(case["formula"], load(case["data"]), family=case["family"], **options)


@pytest.mark.parametrize("name", CASES)
def test_likelihood(name: str) -> None:
    case, model = CASES[name], fitted(name)
    assert model.converged
    assert model.loglik == pytest.approx(case["loglik"], abs=2e-5)
    assert model.loglik > case["loglik_default"] - 1e-4
    assert model.aic == pytest.approx(case["aic"], abs=1e-4)
    assert model.bic == pytest.approx(case["bic"], abs=1e-4)
    assert model.singular == case["singular"]


@pytest.mark.parametrize("name", CASES)
def test_fixed_effects(name: str) -> None:
    case, table = CASES[name], fitted(name).fixed
    assert table["term"].tolist() == case["fixed_names"]
    se = np.array(case["se"])
    assert np.abs((table["estimate"] - case["fixed"]) / se).max() < 1e-3
    # lme4 takes its Hessian by differences of an iterated deviance: good to some 1e-3.
    np.testing.assert_allclose(table["se"], se, rtol=2e-3)


@pytest.mark.parametrize("name", CASES)
def test_random_effects(name: str) -> None:
    case, model = CASES[name], fitted(name)
    assert model.random["group"].tolist() == case["random_group"]
    np.testing.assert_allclose(
        model.random["variance"], case["random_variance"], rtol=2e-3, atol=1e-7
    )
    got = np.exp(model.fitted[:5]) if "log(" in case["formula"] else model.fitted[:5]
    want = np.exp(case["fitted"]) if "log(" in case["formula"] else case["fitted"]
    np.testing.assert_allclose(got, want, rtol=1e-4)


@pytest.mark.parametrize("name", CASES)
def test_conditional_modes(name: str) -> None:
    case, table = CASES[name], fitted(name).blups
    rows = table[table["term"] == "(Intercept)"].set_index("level").loc[case["blup_level"]]
    sd = np.array(case["blup_sd"])
    assert len(rows) == len(sd)
    np.testing.assert_allclose(rows["estimate"], case["blup"], atol=2e-3 * sd.max())
    np.testing.assert_allclose(rows["sd"], sd, rtol=2e-3)


def test_standard_errors_by_finer_differences() -> None:
    """Second differences of the deviance itself, which use no gradient of ours."""
    model = fitted("latin")
    arrays = Estimator(model.design, model.specification).arrays(model.response)
    deviance = LaplaceDeviance(arrays, model.specification.family, tolerance=1e-13)
    theta, beta = model.estimate.theta, model.estimate.beta
    point, k = np.concatenate([theta, beta]), len(theta)

    def value(shift: np.ndarray) -> float:
        moved = point + shift
        return deviance.mode(moved[:k], moved[k:]).deviance

    steps = 2e-3 * np.eye(len(point))
    curvature = np.array(
        [
            [
                (value(a + b) - value(a - b) - value(b - a) + value(-a - b)) / (4 * 2e-3**2)
                for b in steps
            ]
            for a in steps
        ]
    )
    se = np.sqrt(2 * np.diag(np.linalg.inv(curvature)))[k:]
    np.testing.assert_allclose(model.fixed["se"], se, rtol=1e-3)


def means_arguments(case: dict) -> dict:
    return {"specs": "condition", "by": "group" if "group" in case["means"] else None}


@pytest.mark.parametrize("name", WITH_MEANS)
def test_marginal_means(name: str) -> None:
    case, model = CASES[name], fitted(name)
    link = model.emmeans(**means_arguments(case))
    se = np.array(case["emmean_se"])
    assert np.abs((link["estimate"] - case["emmean"]) / se).max() < 1e-3
    np.testing.assert_allclose(link["se"], se, rtol=2e-3)
    if case["family"] == "binomial":
        response = model.emmeans(**means_arguments(case), scale="response")
        np.testing.assert_allclose(response["estimate"], case["prob"], rtol=1e-4)
        np.testing.assert_allclose(response["se"], case["prob_se"], rtol=2e-3)


@pytest.mark.parametrize("name", WITH_MEANS)
def test_contrasts(name: str) -> None:
    case, model = CASES[name], fitted(name)
    holm = model.contrasts(**means_arguments(case), adjust="holm")
    assert holm["contrast"].tolist() == case["contrast"]
    se = np.array(case["contrast_se"])
    assert np.abs((holm["estimate"] - case["contrast_estimate"]) / se).max() < 1e-3
    np.testing.assert_allclose(holm["se"], se, rtol=2e-3)
    np.testing.assert_allclose(holm["p"], case["p_holm"], rtol=0.05, atol=1e-3)
    tukey = model.contrasts(**means_arguments(case), adjust="tukey")
    np.testing.assert_allclose(tukey["p"], case["p_tukey"], rtol=0.05, atol=1e-3)
    if case["family"] == "binomial":
        response = model.contrasts(**means_arguments(case), adjust="none", scale="response")
        np.testing.assert_allclose(response["estimate"], case["prob_contrast"], atol=1e-4)
        np.testing.assert_allclose(response["se"], case["prob_contrast_se"], rtol=2e-3)


@pytest.mark.parametrize("name", WITH_MEANS)
def test_type_three(name: str) -> None:
    case, table = CASES[name], fitted(name).type_three()
    assert table["term"].tolist() == case["joint_term"]
    assert table["df"].tolist() == case["joint_df"]
    np.testing.assert_allclose(table["chisq"], case["joint_chisq"], rtol=5e-3, atol=5e-3)


def test_profile_intervals() -> None:
    table = fit(PROFILE["formula"], load(PROFILE["data"])).profile_intervals()
    np.testing.assert_allclose(table["ci_low"], PROFILE["ci_low"], atol=2e-3)
    np.testing.assert_allclose(table["ci_high"], PROFILE["ci_high"], atol=2e-3)
