"""Contrasts by name, and the truths in which they are or are not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import expit, logit

from analysis.power.designs import Size, design_table, plan_of, sizes_to_try
from analysis.power.shares import mean_width, wilson_interval
from analysis.power.targets import cell_rows, default_contrasts, read_targets, wald_test
from analysis.power.truth import assumed_truth, draw_logits, null_truth
from analysis.power.world import plan_design
from study.errors import StudyError
from tests.analysis.conftest import make_study

FORMULA = "correct ~ group * condition + (1 | observer) + (1 | item)"
# Of people in observers.accuracy and of networks in power.accuracy, the study file's defaults.
PEOPLE = {"body_background": 0.95, "body_only": 0.88, "background_only": 0.72}
SIZE = Size(12, 20, 3)


def in_truth(contrast: str, formula: str = FORMULA, **power: object) -> np.ndarray:
    """Value of a contrast where the assumed accuracies are true."""
    study = make_study(power=power)
    plan = plan_of(study)
    design = plan_design(plan, SIZE, formula)
    cells = cell_rows(design.fixed_spec, plan.groups, plan.conditions)
    rows, shift = read_targets([contrast], plan)[0].rows(cells)
    return rows @ assumed_truth(study, plan, design).fixed(design.fixed_names) - shift


@pytest.mark.parametrize(
    ("contrast", "expected"),
    [
        ("people: body_only - background_only", [logit(0.88) - logit(0.72)]),
        ("people: body_only - chance", [logit(0.88) - logit(0.2)]),
        ("people - baseline: body_only", [logit(0.88) - logit(0.2)]),
        (
            "domainnet - baseline: body_only - body_background",
            [logit(0.625) - logit(0.6625) - (logit(0.2) - logit(0.525))],
        ),
        (
            "people - baseline: pattern",
            [
                logit(0.88) - logit(0.95) - (logit(0.2) - logit(0.525)),
                logit(0.72) - logit(0.95) - (logit(0.5) - logit(0.525)),
            ],
        ),
    ],
)
def test_a_contrast_is_the_difference_of_assumed_log_odds(contrast: str, expected: list[float]):
    assert in_truth(contrast) == pytest.approx(expected, abs=1e-9)


def test_contrasts_do_not_depend_on_how_the_formula_codes_them():
    other = "correct ~ 0 + group:condition + (1 | observer) + (1 | item)"
    contrast = "people - baseline: pattern"
    assert in_truth(contrast, other) == pytest.approx(in_truth(contrast), abs=1e-9)


def test_people_may_be_assumed_to_do_otherwise_than_simulated_observers():
    accuracy = {"people": dict.fromkeys(PEOPLE, 0.6)}
    accuracy |= dict.fromkeys(("baseline", "domainnet"), PEOPLE)
    value = in_truth("people: body_only - chance", accuracy=accuracy)
    assert value == pytest.approx([logit(0.6) - logit(0.2)])


@pytest.mark.parametrize(
    ("contrast", "words"),
    [
        ("body_only - chance", "expected GROUPS: VERSIONS"),
        ("people: body_only", "compares nothing"),
        ("human: body_only - chance", "'human' is no group"),
        ("people: silhouette - chance", "'silhouette' is no version"),
        ("people - baseline: body_only - chance", "one group"),
        ("people: body_only - body_only", "from itself"),
    ],
)
def test_a_wrong_contrast_is_named(contrast: str, words: str):
    with pytest.raises(StudyError, match=words) as error:
        read_targets([contrast], plan_of(make_study()))
    assert contrast in str(error.value)


def test_the_paper_s_questions_follow_the_study():
    names = default_contrasts(plan_of(make_study()))
    assert "people: body_only - background_only" in names
    assert "people - domainnet: pattern" in names
    alone = plan_of(make_study(models=[], versions={"conditions": ["body_only"]}))
    assert default_contrasts(alone) == ["people: body_only - chance"]


def test_a_missing_or_impossible_assumption_names_its_field():
    conditions = ["body_background", "silhouette"]
    study = make_study(versions={"conditions": conditions}, power={"accuracy": {}})
    plan = plan_of(study)
    with pytest.raises(StudyError, match=r"power.accuracy.baseline.body_background: missing"):
        assumed_truth(study, plan, plan_design(plan, SIZE, FORMULA))
    study = make_study(observers={"accuracy": {**PEOPLE, "body_only": 1.0}})
    with pytest.raises(StudyError, match=r"observers.accuracy.body_only = 1"):
        assumed_truth(study, plan_of(study), plan_design(plan_of(study), SIZE, FORMULA))


def test_where_nothing_is_tested_true_cells_move_as_little_as_possible():
    study = make_study()
    plan = plan_of(study)
    design = plan_design(plan, SIZE, FORMULA)
    truth = assumed_truth(study, plan, design)
    targets = list(read_targets(["people: body_only - background_only"], plan))
    null = null_truth(truth, design, plan, targets)
    cells = cell_rows(design.fixed_spec, plan.groups, plan.conditions)
    before = pd.Series(cells.to_numpy() @ truth.fixed(design.fixed_names), cells.index)
    after = pd.Series(cells.to_numpy() @ null.fixed(design.fixed_names), cells.index)
    mean = (logit(0.88) + logit(0.72)) / 2
    expected = before.copy()
    expected[[("people", "body_only"), ("people", "background_only")]] = mean
    assert after.to_numpy() == pytest.approx(expected.to_numpy(), abs=1e-9)


def test_drawn_deviations_have_the_sizes_asked_for():
    study = make_study(power={"seed_sd": 0.1, "item_by_group_sd": 0.7, "slope_sd": 0.4})
    plan, size = plan_of(study), Size(600, 6, 400)
    formula = "correct ~ group * condition + (1 + condition | observer) + (1 | item)"
    design = plan_design(plan, size, formula)
    truth = assumed_truth(study, plan, design)
    rng = np.random.default_rng(5)
    eta = draw_logits(truth, design, rng) - design.fixed @ truth.fixed(design.fixed_names)
    table = design.table.assign(eta=eta)
    first = table[table["condition"] == "body_background"]
    # Within a clip of a group only observers differ.
    sd = first.groupby(["group", "item"], observed=True)["eta"].std().groupby("group").mean()
    assert sd["people"] == pytest.approx(0.5, rel=0.1)
    assert sd["baseline"] == pytest.approx(0.1, rel=0.1)
    wide = table[table["group"] == "baseline"].pivot(
        index=["observer", "item"], columns="condition", values="eta"
    )
    slope = (wide["body_only"] - wide["body_background"]).groupby("observer").mean().std()
    assert slope == pytest.approx(0.4 * 0.1 / 0.5, rel=0.1)
    means = table[table["condition"] == "body_background"].groupby(["item", "group"], observed=True)
    by_item = means["eta"].mean().unstack()
    assert (by_item["people"] - by_item["baseline"]).abs().max() > 0.3


def test_lists_are_the_study_s_own_design():
    plan = plan_of(make_study())
    table = design_table(plan, SIZE)
    people = table[table["group"] == "people"]
    assert people.groupby("observer").size().tolist() == [20] * 12
    shown = people.groupby(["item", "condition"], observed=True).size().unstack()
    assert ((shown - 4).abs() <= 1).all().all()
    networks = table[table["group"] == "baseline"]
    assert len(networks) == 3 * 20 * 3
    assert not networks.duplicated(["observer", "item", "condition"]).any()


def test_one_number_varies_at_a_time():
    study = make_study(power={"participants": [8, 12], "items": [36, 50], "seeds": [3, 4]})
    own = Size(12, 36, 3)
    assert sizes_to_try(study, own) == [own, Size(8, 36, 3), Size(12, 50, 3), Size(12, 36, 4)]


def test_wald_tests_agree_with_z_t_and_chi_square():
    by_z, by_t = wald_test(np.array([0.9]), np.array([[0.16]]), 20)
    assert by_z == pytest.approx(2 * stats.norm.sf(0.9 / 0.4))
    assert by_t == pytest.approx(2 * stats.t.sf(0.9 / 0.4, 20))
    value = np.array([0.3, -0.5])
    by_z, _ = wald_test(value, np.diag([0.04, 0.09]), 20)
    assert by_z == pytest.approx(stats.chi2.sf(0.09 / 0.04 + 0.25 / 0.09, 2))


@pytest.mark.parametrize(("successes", "n"), [(0, 20), (20, 20), (7, 50), (1990, 2000)])
def test_wilson_interval_is_scipy_s(successes: int, n: int):
    expected = stats.binomtest(successes, n).proportion_ci(0.95, "wilson")
    assert wilson_interval(successes, n) == pytest.approx((expected.low, expected.high))


def test_widths_are_of_the_method_and_confidence():
    outcomes = pd.DataFrame({"se": [0.2, 0.4], "df": [10, 10]})
    assert mean_width(outcomes, 0.9, "z") == pytest.approx(2 * 0.3 * stats.norm.ppf(0.95))
    assert mean_width(outcomes, 0.9, "t") == pytest.approx(2 * 0.3 * stats.t.ppf(0.95, 10))


def test_assumed_accuracy_is_that_of_a_median_observer_and_clip():
    study = make_study()
    plan = plan_of(study)
    design = plan_design(plan, SIZE, FORMULA)
    truth = assumed_truth(study, plan, design)
    cells = cell_rows(design.fixed_spec, plan.groups, plan.conditions)
    shares = expit(cells.to_numpy() @ truth.fixed(design.fixed_names))
    found = pd.Series(shares, cells.index)["people"].to_dict()
    assert found == pytest.approx(PEOPLE)
