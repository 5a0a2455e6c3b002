"""The tests of the paper on answers of known truth, and against statsmodels and scipy."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from scipy import integrate, stats
from scipy.special import expit, logit
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from analysis.groups import Group
from analysis.hypotheses import hypothesis_tables
from analysis.hypotheses.by_action import action_effects
from analysis.hypotheses.chance import against_chance, distance_from_chance
from analysis.hypotheses.covariate import body_size, with_body_size
from analysis.hypotheses.interaction import group_by_version
from analysis.hypotheses.models import random_terms
from analysis.hypotheses.table import COLUMNS, Answers, Finding, answers_of, as_table
from analysis.hypotheses.versions import body_against_background
from analysis.mixed_effects import fit
from study.config import Study

PEOPLE = Group("human", "people", "observers", "black", "o")
BASELINE = Group("baseline", "baseline", "model", "black", "s")
DOMAINNET = Group("domainnet", "DomainNet", "model", "black", "^")
CONDITIONS = ["body_background", "body_only", "background_only"]
# Of five answers, so many are right, for every observer and every clip alike.
FIFTHS = {"human": (4, 4, 3), "baseline": (4, 1, 3), "domainnet": (4, 3, 2)}


def balanced(groups: tuple[str, ...] = ("human", "baseline")) -> pd.DataFrame:
    """Answers in which neither observers nor clips differ, so that models are plain logistic."""
    rows = [
        (group, f"{o:02d}", f"clip{i:02d}", condition, int((o + 2 * i + shift) % 5 < right))
        for group in groups
        for o in range(10 if group == "human" else 5)
        for i in range(20)
        for shift, (condition, right) in enumerate(zip(CONDITIONS, FIFTHS[group], strict=True))
    ]
    table = pd.DataFrame(rows, columns=["group", "observer", "clip_id", "condition", "correct"])
    return table.assign(action="action" + table["clip_id"].str[-1])


def varied(
    rng: np.random.Generator,
    etas: tuple[float, ...],
    n_observers: int = 28,
    n_clips: int = 36,
    sds: tuple[float, float] = (0.5, 0.8),
    group: str = "human",
    conditions: list[str] = CONDITIONS,
) -> pd.DataFrame:
    """A Latin square of answers with effects of observers and clips."""
    o, i = (grid.ravel() for grid in np.meshgrid(range(n_observers), range(n_clips), indexing="ij"))
    version = (o + i) % len(conditions)
    eta = np.array(etas)[version]
    eta = eta + rng.normal(0, sds[0], n_observers)[o] + rng.normal(0, sds[1], n_clips)[i]
    table = pd.DataFrame({"group": group, "observer": [f"{k:02d}" for k in o]})
    table["clip_id"] = [f"clip{k:02d}" for k in i]
    table["action"] = [f"action{k // 3:02d}" for k in i]
    table["condition"] = np.array(conditions)[version]
    table["correct"] = (rng.random(len(o)) < expit(eta)).astype(int)
    return table


def prepare(table: pd.DataFrame, *groups: Group, conditions: list[str] = CONDITIONS) -> Answers:
    return answers_of(table, groups or [PEOPLE], conditions, 0.2, 0.95)


def test_chance_without_variation_is_logistic_regression_against_the_logit():
    answers = prepare(balanced(), PEOPLE, BASELINE)
    found = as_table(against_chance(answers)).set_index(["groups", "conditions"])
    for (group, condition), row in found.iterrows():
        cell = answers.rows([group], [condition])
        model = smf.glm("correct ~ 1", cell, family=sm.families.Binomial()).fit()
        assert row["estimate"] == pytest.approx(model.params.iloc[0] - logit(0.2), abs=1e-4)
        assert row["se"] == pytest.approx(model.bse.iloc[0], rel=1e-3)
        assert row["n_trials"] == len(cell)
    # Guessing exactly as often as chance says.
    assert found.loc[("baseline", "body_only"), "p"] > 0.99


def test_chance_is_that_of_the_average_not_of_the_median_clip():
    rng = np.random.default_rng(2)
    table = varied(rng, (-2.2,), 28, 60, (0.5, 1.6), conditions=["body_only"])
    rows = prepare(table).rows(["human"], ["body_only"])
    result = fit("correct ~ 1 + (1 | observer) + (1 | item)", rows)
    spread = np.sqrt((result.random["sd"] ** 2).sum())
    null = result.fixed["estimate"][0] - distance_from_chance(result, 0.2)[0]
    average, _ = integrate.quad(
        lambda x: expit(null + spread * x) * stats.norm.pdf(x), -12, 12, limit=200
    )
    assert average == pytest.approx(0.2, abs=1e-6)
    assert null < logit(0.2) - 0.2


@pytest.mark.slow
def test_false_positives_against_chance():
    """Clips differ widely, answers average at chance: the plain logit of 1 / k is no null here."""
    rng = np.random.default_rng(12)
    p_here, p_plain = [], []
    spread = np.hypot(0.5, 1.5)
    nodes, weights = np.polynomial.hermite_e.hermegauss(61)
    etas = np.linspace(-4, 0, 4001)
    means = expit(etas[:, None] + spread * nodes) @ (weights / weights.sum())
    eta = float(np.interp(0.2, means, etas))
    for _ in range(300):
        table = varied(rng, (eta,) * 3, 28, 80, (0.5, 1.5))
        answers = prepare(table[table["condition"] == "body_only"])
        p_here.append(against_chance(answers)[0].p)
        result = fit("correct ~ 1 + (1 | observer) + (1 | item)", answers.table)
        z = (result.fixed["estimate"][0] - logit(0.2)) / result.fixed["se"][0]
        p_plain.append(2 * stats.t.sf(abs(z), result.smallest_df))
    assert 0.02 <= np.mean(np.array(p_here) < 0.05) <= 0.09
    assert np.mean(np.array(p_plain) < 0.05) > 0.3


@pytest.mark.parametrize(("right", "n_right"), [(1, 20), (0, 0)])
def test_chance_where_all_answers_are_alike_is_exact_over_clips(right: int, n_right: int):
    table = balanced(("human",))
    table.loc[table["condition"] == "body_only", "correct"] = right
    found = as_table(against_chance(prepare(table))).set_index("conditions").loc["body_only"]
    assert found["p"] == pytest.approx(stats.binomtest(n_right, 20, 0.2).pvalue)
    low, high = proportion_confint(n_right, 20, 0.05, method="beta")
    expected = [100 * (np.nan_to_num(low) - 0.2), 100 * ((high if n_right < 20 else 1.0) - 0.2)]
    assert found[["ci_low", "ci_high"]].tolist() == pytest.approx(expected)
    assert "exact binomial test over 20 clips" in found["method"]
    assert f"every answer was {'right' if right else 'wrong'}" in found["note"]


def test_chance_with_a_single_training_is_exact():
    table = balanced(("baseline",)).query("observer == '00'")
    found = as_table(against_chance(prepare(table, BASELINE))).set_index("conditions")
    n_right = int(table.query("condition == 'background_only'")["correct"].sum())
    row = found.loc["background_only"]
    assert row["p"] == pytest.approx(stats.binomtest(n_right, 20, 0.2).pvalue)
    assert "every seed was right in the same clips" in row["note"]
    assert row["n_observers"] == 1


def test_trainings_that_agree_on_every_clip_count_once():
    table = balanced(("baseline",))
    table["correct"] = (table["clip_id"].str[-1].astype(int) < 4).astype(int)
    found = as_table(against_chance(prepare(table, BASELINE))).iloc[0]
    assert found["p"] == pytest.approx(stats.binomtest(8, 20, 0.2).pvalue)
    assert found["n_trials"] == 100
    # One answer among a hundred that differs: clips still are what there is of evidence.
    table.loc[0, "correct"] = 0
    found = as_table(against_chance(prepare(table, BASELINE))).iloc[0]
    by_clip = table.query("condition == 'body_background'").groupby("clip_id")["correct"].mean()
    assert found["p"] == pytest.approx(stats.ttest_1samp(by_clip, 0.2).pvalue, rel=0.1)
    assert "no bound to the variance of item" in found["note"]


def test_people_on_body_and_background_without_variation():
    (found,) = body_against_background(prepare(balanced(), PEOPLE, BASELINE))
    people = balanced(("human",))
    people["condition"] = pd.Categorical(people["condition"], CONDITIONS[::-1])
    model = smf.glm("correct ~ C(condition)", people, family=sm.families.Binomial()).fit()
    shift = model.params["C(condition)[T.body_only]"]
    assert found.estimate == pytest.approx(shift, abs=1e-3)
    assert found.se == pytest.approx(model.bse["C(condition)[T.body_only]"], rel=1e-3)
    assert found.difference_pp == pytest.approx(20.0)
    assert (found.n_trials, found.n_observers, found.n_items) == (400, 10, 20)


def test_people_on_body_and_background_with_variation():
    rng = np.random.default_rng(4)
    inside, estimates = [], []
    for _ in range(15):
        table = varied(rng, (3.0, 1.6, 0.6))
        (found,) = body_against_background(prepare(table))
        inside.append(found.ci_low < 1.0 < found.ci_high)
        estimates.append(found.estimate)
    # One logit by construction; the standard error of the mean of 15 is 0.06.
    assert np.mean(estimates) == pytest.approx(1.0, abs=0.15)
    assert sum(inside) >= 12
    shares = table.groupby("condition")["correct"].mean()
    expected = 100 * (shares["body_only"] - shares["background_only"])
    assert found.difference_pp == pytest.approx(expected)
    assert found.df >= 27
    assert "(1 | item:condition)" in found.method


def test_a_version_that_is_always_right_is_left_out_of_the_model_by_name():
    table = balanced(("human",))
    table.loc[table["condition"] == "body_background", "correct"] = 1
    (found,) = body_against_background(prepare(table))
    assert found.unit == "logits"
    assert "human body_background all right" in found.note
    table.loc[table["condition"] == "body_only", "correct"] = 1
    (found,) = body_against_background(prepare(table))
    assert found.unit == "percentage points"
    assert found.estimate == pytest.approx(40.0)
    assert "human body_only all right" in found.note


def test_interaction_without_variation_is_that_of_logistic_regression():
    table = balanced(("human", "baseline", "domainnet"))
    found = as_table(group_by_version(prepare(table, PEOPLE, BASELINE, DOMAINNET)))
    family = sm.families.Binomial()
    full = smf.glm("correct ~ group * condition", table, family=family).fit()
    plain = smf.glm("correct ~ group + condition", table, family=family).fit()
    omnibus = found.iloc[0]
    # Without the interaction, random effects take up a little of it.
    expected = plain.deviance - full.deviance
    assert 0.95 * expected < omnibus["statistic"] < 1.001 * expected
    assert omnibus["df"] == 4
    planned = found.iloc[1:].set_index(["groups", "conditions"])
    assert len(planned) == 6
    row = planned.loc[("human - baseline", "body_only - background_only")]
    expected = (logit(0.8) - logit(0.6)) - (logit(0.2) - logit(0.6))
    assert row["estimate"] == pytest.approx(expected, abs=1e-3)
    variances = [1 / (n * p * (1 - p)) for n, p in ((200, 0.8), (200, 0.6), (100, 0.2), (100, 0.6))]
    assert row["se"] == pytest.approx(np.sqrt(sum(variances)), rel=1e-2)
    assert row["difference_pp"] == pytest.approx(20 + 40)
    for _, rows in planned.groupby("family"):
        assert len(rows) == 3
        expected = multipletests(rows["p"], method="holm")[1]
        assert rows["p_adjusted"].to_numpy() == pytest.approx(expected)


def test_interaction_where_a_group_has_no_finite_estimate():
    table = balanced(("human", "baseline", "domainnet"))
    always = (table["group"] == "baseline") & (table["condition"] == "body_background")
    table.loc[always, "correct"] = 1
    found = as_table(group_by_version(prepare(table, PEOPLE, BASELINE, DOMAINNET)))
    assert found.iloc[0]["groups"] == "human, domainnet"
    assert "baseline body_background all right" in found.iloc[0]["note"]
    units = found.iloc[1:].groupby("groups")["unit"].unique()
    assert units["human - baseline"].tolist() == ["percentage points"]
    assert units["human - domainnet"].tolist() == ["logits"]
    assert found["p"].notna().all()


def test_body_size_is_the_standardised_log_odds_over_clips():
    table = balanced(("human",))
    rng = np.random.default_rng(1)
    share = dict(zip(sorted(set(table["clip_id"])), rng.uniform(0.02, 0.5, 20), strict=True))
    rows = prepare(table.assign(body_fraction=table["clip_id"].map(share))).table
    size = body_size(rows)
    by_clip = size.groupby(rows["item"]).first()
    expected = stats.zscore([np.log(share[clip] / (1 - share[clip])) for clip in by_clip.index])
    assert by_clip.to_numpy() == pytest.approx(expected)


def test_the_size_of_the_body_as_covariate():
    rng = np.random.default_rng(6)
    sizes = rng.normal(0, 1, 60)
    sizes = (sizes - sizes.mean()) / sizes.std()
    table = varied(rng, (2.0, 1.0, 0.5), 30, 60)
    place = table["clip_id"].str[4:].astype(int).to_numpy()
    # Bodies matter where they are seen alone, by one logit per standard deviation.
    eta = np.array((2.0, 1.0, 0.5))[[CONDITIONS.index(c) for c in table["condition"]]]
    eta = eta + (table["condition"] == "body_only").to_numpy() * sizes[place]
    eta = eta + rng.normal(0, 0.4, 60)[place]
    table["correct"] = (rng.random(len(table)) < expit(eta)).astype(int)
    table["body_fraction"] = expit(-2.0 + 0.5 * sizes[place])
    table.loc[table["clip_id"] == "clip00", "body_fraction"] = np.nan
    found = as_table(with_body_size(prepare(table)))
    whole = found.iloc[0]
    assert (whole["df"], whole["unit"]) == (3, "chi-square")
    assert whole["p"] < 0.001
    assert (found["n_dropped"] == 30).all()
    assert (found["n_items"] == 60).all()
    slopes = found[found["unit"].str.startswith("logits per")].set_index("conditions")
    assert slopes.loc["body_only", "ci_low"] < 1.0 < slopes.loc["body_only", "ci_high"]
    assert slopes.loc["body_only", "p_adjusted"] < 0.001
    assert slopes.loc["background_only", "ci_low"] < 0.0 < slopes.loc["background_only", "ci_high"]
    versions = found[found["unit"] == "logits"].set_index("conditions")
    assert len(versions) == 3
    row = versions.loc["body_background - background_only"]
    assert row["ci_low"] < 1.5 < row["ci_high"]
    assert "without the covariate" in row["note"]


def test_a_covariate_that_is_the_same_everywhere_is_named():
    table = balanced(("human",)).assign(body_fraction=0.2)
    (found,) = with_body_size(prepare(table))
    assert np.isnan(found.p)
    assert "fewer than three different values of body_fraction" in found.note
    assert with_body_size(prepare(balanced(("human",)))) == []


def answers_by_action(rng: np.random.Generator, effects: np.ndarray) -> pd.DataFrame:
    """Thirty observers see three clips of each action, half of them in each version."""
    pair = ["body_only", "background_only"]
    n_clips = 3 * len(effects)
    o, i = (grid.ravel() for grid in np.meshgrid(range(30), range(n_clips), indexing="ij"))
    version = (o + i) % 2
    eta = 0.5 + rng.normal(0, 0.5, len(effects))[i // 3] + rng.normal(0, 0.4, 30)[o]
    eta = eta + effects[i // 3] * np.where(version, -0.5, 0.5)
    table = pd.DataFrame({"group": "human", "observer": o.astype(str), "clip_id": i.astype(str)})
    table["action"] = [f"a{k // 3:02d}" for k in i]
    table["condition"] = np.array(pair)[version]
    return table.assign(correct=(rng.random(len(o)) < expit(eta)).astype(int))


def test_raw_effects_by_action_are_haldane_log_odds_ratios():
    rng = np.random.default_rng(7)
    table = answers_by_action(rng, rng.normal(0.8, 1.0, 12))
    found = action_effects(prepare(table)).set_index("action")
    counts = table.groupby(["action", "condition"])["correct"].agg(["sum", "size"])
    for action in ("a00", "a07"):
        (hits, n), (other, m) = (
            counts.loc[(action, name)] for name in ("body_only", "background_only")
        )
        ratio = sm.stats.Table2x2(np.array([[hits, n - hits], [other, m - other]]) + 0.5)
        row = found.loc[action]
        assert row["raw_logit"] == pytest.approx(ratio.log_oddsratio)
        expected = ratio.log_oddsratio_confint(0.05)
        assert (row["raw_low"], row["raw_high"]) == pytest.approx(expected)
        assert row["raw_pp"] == pytest.approx(100 * (hits / n - other / m))


def test_shrunken_effects_are_closer_to_the_truth_and_their_intervals_hold_it():
    rng = np.random.default_rng(9)
    errors, inside = [], []
    for _ in range(5):
        truth = rng.normal(0.8, 0.7, 16)
        found = action_effects(prepare(answers_by_action(rng, truth)))
        errors.append(
            ((found["shrunken_logit"] - truth) ** 2).mean()
            - ((found["raw_logit"] - truth) ** 2).mean()
        )
        inside += ((found["ci_low"] <= truth) & (truth <= found["ci_high"])).tolist()
        spread = found["shrunken_logit"].std()
        assert spread < found["raw_logit"].std()
    assert np.mean(errors) < 0
    assert 0.85 <= np.mean(inside) <= 1.0


def test_actions_that_do_not_differ_all_have_the_mean_effect():
    table = balanced(("human",))
    found = action_effects(prepare(table))
    assert found["shrunken_logit"].nunique() == 1
    assert (found["sd_logit"] == 0).all()
    assert found["note"].str.contains("is singular").all()
    assert found["note"].str.contains("every action has the mean effect").all()
    expected = logit(0.8) - logit(0.6)
    assert found["shrunken_logit"][0] == pytest.approx(expected, abs=1e-3)


def test_actions_of_a_group_without_finite_estimate_keep_their_raw_effects():
    table = balanced(("human",))
    table.loc[table["condition"] == "body_only", "correct"] = 1
    found = action_effects(prepare(table))
    assert found["shrunken_logit"].isna().all()
    assert found["raw_logit"].notna().all()
    assert found["note"].str.contains("human body_only all right").all()


def test_random_terms_are_those_that_the_answers_can_tell_apart():
    people = prepare(balanced(("human",))).table
    both = prepare(balanced(), PEOPLE, BASELINE).table
    assert random_terms(people) == [
        "(1 | observer)",
        "(1 | item)",
        "(1 | observer:condition)",
        "(1 | item:condition)",
    ]
    assert random_terms(both)[-2:] == ["(1 | item:group)", "(1 | item:group:condition)"]
    single = people[people["observer"] == "human:00"]
    assert random_terms(single) == ["(1 | item)"]
    assert random_terms(single[single["condition"] == "body_only"]) == []


def test_every_table_of_a_study_has_its_columns_and_counts(study: Study):
    table = balanced(("human", "baseline")).assign(body_fraction=0.2)
    left_out = table.iloc[:7]
    tables = hypothesis_tables(study, table.iloc[7:], [PEOPLE, BASELINE], left_out)
    assert set(tables) == {
        "test_chance",
        "test_versions",
        "test_interaction",
        "test_equivalence",
        "test_covariate",
        "action_effects",
    }
    for name, found in tables.items():
        assert len(found), name
        assert "n_dropped" in found
        if name.startswith("test"):
            assert set(COLUMNS) <= set(found.columns)
            assert (found["n_trials"] + found["n_dropped"] > 0).all()
    chance = tables["test_chance"].query("groups == 'human'")
    assert chance["n_dropped"].sum() == 7
    assert chance["n_trials"].sum() == 600 - 7
    bound = tables["test_equivalence"]["bound_pp"].unique().tolist()
    assert bound == [study.analysis.equivalence_bound_pp]
    again = hypothesis_tables(study, table.iloc[7:], [PEOPLE, BASELINE], left_out)
    for name, found in tables.items():
        pd.testing.assert_frame_equal(found, again[name])


def test_without_people_or_networks_there_is_less_to_test(study: Study):
    people = hypothesis_tables(study, balanced(("human",)), [PEOPLE])
    assert people["test_interaction"].empty
    assert list(people["test_interaction"].columns) == COLUMNS
    networks = hypothesis_tables(study, balanced(("baseline",)), [BASELINE])
    assert networks["test_versions"].empty
    assert len(networks["test_chance"]) == 3


def test_p_values_are_adjusted_within_their_family_and_missing_ones_do_not_count():
    p = [0.01, 0.04, 0.03]
    findings = [Finding("h", "one", "g", "c", p=value) for value in p]
    findings += [Finding("h", "two", "g", "c", p=0.04), Finding("h", "one", "g", "c")]
    table = as_table(findings)
    expected = multipletests(p, method="holm")[1]
    assert table["p_adjusted"][:3].to_numpy() == pytest.approx(expected)
    assert table["p_adjusted"][3] == 0.04
    assert np.isnan(table["p_adjusted"][4])
