"""What one does with a mixed model: formulas, bad input, prediction, simulation, comparison."""

from __future__ import annotations

import shutil
import warnings
from functools import cache

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from statsmodels.tools.sm_exceptions import ConvergenceWarning

from analysis.mixed_effects import Refitter, fit, likelihood_ratio_test
from analysis.mixed_effects.emmeans import adjust_p
from analysis.mixed_effects.formula import parse_formula


@cache
def trials(n_observers: int = 24, n_items: int = 30, floor: float = 0.0) -> pd.DataFrame:
    """Every observer sees every item in one of two versions."""
    rng = np.random.default_rng(31)
    observer = np.repeat(np.arange(n_observers), n_items)
    item = np.tile(np.arange(n_items), n_observers)
    version = (observer + item) % 2
    eta = 0.6 - 1.0 * version + rng.normal(0, 0.8, n_observers)[observer]
    eta += rng.normal(0, 0.6, n_items)[item]
    correct = rng.random(len(eta)) < floor + (1 - floor) * expit(eta)
    return pd.DataFrame(
        {
            "observer": [f"o{k:02d}" for k in observer],
            "item": [f"i{k:02d}" for k in item],
            "version": pd.Categorical(np.where(version, "body", "all"), ["all", "body"]),
            "correct": correct.astype(int),
            "rt_s": np.exp(rng.normal(0.1 - 0.1 * eta, 0.3)),
        }
    )


FORMULA = "correct ~ version + (1 | observer) + (1 | item)"


@cache
def model():
    return fit(FORMULA, trials())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("y ~ x + (1 + x | g)", [("1 + x", "g")]),
        ("y ~ x + (x || g)", [("1", "g"), ("0 + x", "g")]),
        ("y ~ x + (0 + x || g)", [("0 + x", "g")]),
        ("y ~ x + (1 | a/b)", [("1", "a"), ("1", "b:a")]),
        ("y ~ (1 | a:b) + x + (1|c)", [("1", "a:b"), ("1", "c")]),
    ],
)
def test_random_terms(text: str, expected: list) -> None:
    assert [(t.expression, t.group) for t in parse_formula(text).random] == expected


def test_spelling_of_r_is_understood() -> None:
    table = trials().assign(size=np.linspace(-1, 1, 720))
    squared = fit("correct ~ I(size^2) + factor(version) + (1 | observer)", table).fixed
    assert squared["term"].tolist() == ["(Intercept)", "I(size ** 2)", "C(version)body"]
    plain = fit(
        "correct ~ squared + version + (1 | observer)", table.assign(squared=table["size"] ** 2)
    )
    np.testing.assert_allclose(squared["estimate"], plain.fixed["estimate"], atol=1e-6)
    scaled = fit("correct ~ scale(size) + version + (1 | observer)", table).fixed
    raw = fit("correct ~ size + version + (1 | observer)", table).fixed
    np.testing.assert_allclose(
        scaled["z"], raw["z"] * [scaled["z"][0] / raw["z"][0], 1, 1], rtol=1e-3
    )


@pytest.mark.parametrize("unit", [1e4, 1e-4])
def test_units_of_a_covariate_do_not_matter(unit: float) -> None:
    table = trials().assign(size=np.random.default_rng(2).normal(3.0, 1.0, 720))
    formula = "{} ~ size + (1 + size | observer) + (1 | item)"
    other = table.assign(size=table["size"] * unit)
    for response, family in (("correct", "binomial"), ("log(rt_s)", "gaussian")):
        one = fit(formula.format(response), table, family=family)
        two = fit(formula.format(response), other, family=family)
        restricted = np.log(unit) if family == "gaussian" else 0.0
        assert two.loglik + restricted == pytest.approx(one.loglik, abs=1e-5)
        np.testing.assert_allclose(two.fixed["se"][1] * unit, one.fixed["se"][1], rtol=2e-3)


def test_few_observers_widen_intervals() -> None:
    result = model()
    assert result.smallest_df == 23
    wide = result.fixed_table(df=result.smallest_df)
    np.testing.assert_allclose(
        (wide["ci_high"] - wide["estimate"]) / wide["se"], 2.0686576, rtol=1e-6
    )
    means = result.contrasts("version", df=23)
    assert means["p"][0] == pytest.approx(wide["p"][1], rel=1e-6)


def test_formula_parts() -> None:
    parsed = parse_formula("cbind(hits, n - hits) ~ a * log(b) - 1 + offset(o) + (1 | g)")
    assert parsed.response == ("hits", "n - hits")
    assert parsed.fixed == "a * log(b) - 1"
    assert parsed.offsets == ("o",)


@pytest.mark.parametrize("text", ["y ~ x", "x + (1 | g)", "~ x + (1 | g)", "y ~ (x + (1 | g)"])
def test_bad_formulas(text: str) -> None:
    with pytest.raises(ValueError, match=r"formula|parenthes"):
        parse_formula(text)


def test_counts_weights_and_trials_agree() -> None:
    single = model()
    keys = ["observer", "item", "version"]
    table = trials().copy()
    table["half"] = table["item"].str[1:].astype(int) % 3
    per_trial = fit("correct ~ version + (1 | observer)", table)
    grouped = table.groupby(["observer", "version"], observed=True)["correct"]
    counts = grouped.agg(["sum", "count"]).reset_index().rename(columns={"sum": "hits"})
    counts["misses"], counts["share"] = counts["count"] - counts["hits"], 0.0
    counts["share"] = counts["hits"] / counts["count"]
    by_counts = fit("cbind(hits, misses) ~ version + (1 | observer)", counts)
    by_weights = fit("share ~ version + (1 | observer)", counts, weights="count")
    for other in (by_counts, by_weights):
        np.testing.assert_allclose(other.fixed["se"], per_trial.fixed["se"], rtol=1e-5)
        np.testing.assert_allclose(other.fixed["estimate"], per_trial.fixed["estimate"], atol=1e-6)
    assert by_counts.loglik == pytest.approx(by_weights.loglik, abs=1e-6)
    shuffled = trials().sample(frac=1.0, random_state=1)[["correct", *keys]]
    assert fit(FORMULA, shuffled).loglik == pytest.approx(single.loglik, abs=1e-7)


def test_offset_moves_the_intercept() -> None:
    moved = fit(FORMULA, trials(), offset=np.full(len(trials()), 0.5))
    in_formula = fit(FORMULA + " + offset(shift)", trials().assign(shift=0.5))
    want = model().fixed["estimate"] - [0.5, 0.0]
    np.testing.assert_allclose(moved.fixed["estimate"], want, atol=1e-5)
    np.testing.assert_allclose(in_formula.fixed["estimate"], want, atol=1e-5)


def test_guessing_floor_is_not_mistaken_for_ability() -> None:
    table = trials(60, 60, floor=0.2)
    plain = fit(FORMULA, table).fixed["estimate"]
    floored = fit(FORMULA, table, link="mafc_logit", n_choices=5).fixed
    truth = np.array([0.6, -1.0])
    assert (np.abs(floored["estimate"] - truth) < 2.5 * floored["se"]).all()
    assert plain[1] > -0.85  # the effect squeezed by chance
    probit = fit(FORMULA, table, link="mafc_probit", floor=0.2)
    np.testing.assert_allclose(probit.fixed["z"], floored["z"], rtol=0.1)


def test_missing_values_are_dropped_and_counted() -> None:
    table = trials().copy()
    table.loc[[3, 10, 11], "rt_s"] = np.nan
    with pytest.warns(UserWarning, match=r"3 of 720 rows dropped.*rt_s"):
        result = fit("log(rt_s) ~ version + (1 | observer)", table, family="gaussian")
    assert (result.n_dropped, result.n_rows) == (3, 717)
    assert fit(FORMULA, table).n_dropped == 0  # rt_s is not used


def test_errors_name_the_columns() -> None:
    table = trials().copy()
    with pytest.raises(KeyError, match="speed"):
        fit("correct ~ speed + (1 | observer)", table)
    with pytest.raises(KeyError, match="lab"):
        fit("correct ~ version + (1 | lab)", table)
    table["lab"], table["copy"], table["score"] = "one", table["version"], table["correct"] * 2
    with pytest.raises(ValueError, match="'lab' has one level"):
        fit("correct ~ version + (1 | lab)", table)
    with pytest.raises(ValueError, match=r"rank deficient.*copy"):
        fit("correct ~ version + copy + (1 | observer)", table)
    with pytest.raises(ValueError, match="'score' must be 0 or 1"):
        fit("score ~ version + (1 | observer)", table)
    table.loc[table["version"] == "all", "correct"] = 1
    with pytest.raises(ValueError, match=r"separation.*\(Intercept\)"):
        fit(FORMULA, table)
    with pytest.raises(ValueError, match="cannot be told from residuals"):
        fit("rt_s ~ version + (1 | observer:item)", table, family="gaussian")


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"family": "poisson"}, "family must be one of"),
        ({"link": "log"}, "link must be one of"),
        ({"engine": "julia"}, "engine must be one of"),
        ({"link": "mafc_logit"}, "floor"),
        ({"link": "mafc_logit", "n_choices": 1}, "n_choices"),
        ({"n_agq": 5}, "one scalar random term"),
    ],
)
def test_bad_options(options: dict, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        fit(FORMULA, trials(), **options)


def test_separation_by_a_covariate() -> None:
    year = np.random.default_rng(3).normal(2015.0, 3.0, 720)
    table = trials().assign(year=year, late=(year > 2016).astype(int))
    with pytest.raises(ValueError, match=r"separation.*year"):
        fit("late ~ year + (1 | observer)", table)
    table.loc[[5, 9], "late"] = 1 - table.loc[[5, 9], "late"]
    assert fit("late ~ year + (1 | observer)", table).n_rows == 720
    assert fit("correct ~ year + (1 | observer)", table).converged


def test_all_correct_observer_is_no_separation() -> None:
    table = trials().copy()
    table.loc[table["observer"] == "o00", "correct"] = 1
    assert fit(FORMULA, table).converged


def test_zero_variance_is_named() -> None:
    table = trials().assign(empty=np.tile(np.arange(6), 120))
    result = fit("correct ~ version + (1 | observer) + (1 | empty)", table)
    if not result.singular:
        pytest.fail("an item of pure noise should have no variance in this draw")
    assert "(Intercept) within empty is zero" in result.message
    assert result.random.set_index("group").loc["empty", "variance"] == 0


def test_predictions() -> None:
    result, table = model(), trials()
    np.testing.assert_allclose(result.predict(table), result.fitted, rtol=1e-12)
    np.testing.assert_allclose(result.predict(), result.fitted, rtol=1e-12)
    new = table.head(2).assign(observer="somebody")
    with pytest.raises(ValueError, match="somebody"):
        result.predict(new)
    fixed_only = result.predict(table.head(2), random=False, scale="link")
    estimate = result.fixed["estimate"]
    np.testing.assert_allclose(fixed_only, [estimate[0], estimate.sum()])
    by_item = result.predict(new, new_levels=True, scale="link") - fixed_only
    blups = result.blups.set_index(["group", "level"])["estimate"]
    np.testing.assert_allclose(by_item, blups.loc["item"].loc[["i00", "i01"]])


def test_simulation_refit_and_bootstrap() -> None:
    result, rng = model(), np.random.default_rng(8)
    draws = result.simulate(rng, n=3)
    assert draws.shape == (3, result.n_rows)
    assert set(np.unique(draws)) == {0.0, 1.0}
    again = Refitter(result)(result.response)
    assert again.loglik == pytest.approx(result.loglik, abs=1e-6)
    table = trials().assign(correct=draws[0].astype(int))
    refit = result.refit(draws[0])
    assert refit.loglik == pytest.approx(fit(FORMULA, table).loglik, abs=1e-5)
    boot = result.bootstrap(rng, n=40)
    intervals = boot.intervals().set_index("term")
    assert intervals.loc["versionbody", "ci_low"] < result.fixed["estimate"][1]
    assert intervals.loc["versionbody", "ci_high"] > result.fixed["estimate"][1]
    spread = boot.fixed["versionbody"].std()
    assert spread == pytest.approx(result.fixed["se"][1], rel=0.35)


def test_likelihood_ratio_test() -> None:
    smaller = fit("correct ~ 1 + (1 | observer) + (1 | item)", trials())
    table = likelihood_ratio_test(model(), smaller)
    assert table["n_parameters"].tolist() == [3, 4]
    assert table["chisq"][1] == pytest.approx(2 * (model().loglik - smaller.loglik))
    assert table["p"][1] < 1e-6
    one = fit("rt_s ~ version + (1 | observer)", trials(), family="gaussian")
    two = fit("rt_s ~ 1 + (1 | observer)", trials(), family="gaussian")
    with pytest.raises(ValueError, match="reml=False"):
        likelihood_ratio_test(one, two)


def test_profile_interval_of_gaussian_effect_contains_wald() -> None:
    result = fit("log(rt_s) ~ version + (1 | observer)", trials(), family="gaussian", reml=False)
    profile = result.profile_intervals(["versionbody"])
    np.testing.assert_allclose(profile["ci_low"], result.fixed["ci_low"][1], atol=2e-3)
    np.testing.assert_allclose(profile["ci_high"], result.fixed["ci_high"][1], atol=2e-3)


def test_explained_variance_and_residuals() -> None:
    result = model()
    share = result.r_squared()
    fixed = np.var(result.predict(random=False, scale="link"))
    random = result.random["variance"].sum()
    total = fixed + random + np.pi**2 / 3
    assert share.marginal == pytest.approx(fixed / total)
    assert share.conditional == pytest.approx((fixed + random) / total)
    good = result.scaled_residuals(np.random.default_rng(9))
    assert good.uniformity_p > 0.01
    assert good.dispersion == pytest.approx(1.0, abs=0.05)


def test_summary_names_what_matters() -> None:
    text = model().summary()
    for part in ("logit", FORMULA, "Std.Dev.", "observer, 24", "versionbody", "Pr(>|z|)"):
        assert part in text


def test_holm_steps_down() -> None:
    p = np.array([0.04, 0.01, 0.03])
    np.testing.assert_allclose(adjust_p(p, p, 3, "holm"), [0.06, 0.03, 0.06])


def test_statsmodels_agrees_on_a_linear_model() -> None:
    formula = "log(rt_s) ~ version + (1 | observer) + (1 | item)"
    ours = fit(formula, trials(), family="gaussian")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        theirs = fit(formula, trials(), family="gaussian", engine="statsmodels")
    assert theirs.loglik == pytest.approx(ours.loglik, abs=1e-3)
    np.testing.assert_allclose(theirs.fixed["se"], ours.fixed["se"], rtol=5e-3)
    with pytest.raises(ValueError, match="no correlated term"):
        fit("rt_s ~ (version | observer)", trials(), family="gaussian", engine="statsmodels")


@pytest.mark.skipif(shutil.which("Rscript") is None, reason="needs Rscript with lme4")
@pytest.mark.slow
@pytest.mark.parametrize("family", ["binomial", "gaussian"])
def test_lme4_agrees(family: str) -> None:
    formula = FORMULA if family == "binomial" else FORMULA.replace("correct", "log(rt_s)")
    ours = fit(formula, trials(), family=family)
    theirs = fit(formula, trials(), family=family, engine="lme4")
    assert theirs.loglik == pytest.approx(ours.loglik, abs=1e-4)
    assert theirs.fixed["term"].tolist() == ours.fixed["term"].tolist()
    np.testing.assert_allclose(theirs.fixed["se"], ours.fixed["se"], rtol=2e-3)
