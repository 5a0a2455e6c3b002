"""Differences in percentage points against Student, Welch and statsmodels, and their coverage."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import expit
from statsmodels.stats.weightstats import CompareMeans, ttost_paired

from analysis.bootstrap import two_way_variance
from analysis.groups import Group
from analysis.hypotheses.equivalence import equivalence_tests, two_one_sided
from analysis.hypotheses.points import contrast_points
from analysis.hypotheses.table import answers_of

PEOPLE = Group("human", "people", "observers", "black", "o")
NETWORK = Group("baseline", "baseline", "model", "black", "s")
BODY, BACKGROUND = ("human", "body_only"), ("human", "background_only")


def nested(n_observers: dict[str, int], seed: int = 3) -> pd.DataFrame:
    """Ten trials per observer and version, every trial with a clip of its own."""
    rng = np.random.default_rng(seed)
    rows = []
    for group, n in n_observers.items():
        for observer in range(n):
            for condition, level in (("body_only", 1.0), ("background_only", 0.2)):
                share = expit(level + rng.normal(0, 1.0))
                right = (rng.random(10) < share).astype(int)
                rows += [(group, f"{group}:{observer}", condition, int(hit)) for hit in right]
    table = pd.DataFrame(rows, columns=["group", "observer", "condition", "correct"])
    table["item"] = table["clip_id"] = [f"clip{k}" for k in range(len(table))]
    return table.assign(action="jump")


def by_observer(table: pd.DataFrame) -> pd.DataFrame:
    return table.groupby(["observer", "condition"])["correct"].mean().unstack()


def test_within_people_it_is_the_paired_t_test():
    table = nested({"human": 14})
    points = contrast_points(table, {BODY: 1.0, BACKGROUND: -1.0})
    shares = by_observer(table)
    expected = stats.ttest_rel(shares["body_only"], shares["background_only"])
    test = points.as_test(0.95)
    assert test["statistic"] == pytest.approx(expected.statistic)
    assert test["p"] == pytest.approx(expected.pvalue)
    assert points.df == expected.df
    interval = expected.confidence_interval(0.9)
    assert points.interval(0.9) == pytest.approx((100 * interval.low, 100 * interval.high))


def test_between_groups_it_is_welchs_t_test():
    table = nested({"human": 14, "baseline": 4})
    points = contrast_points(table, {BODY: 1.0, ("baseline", "body_only"): -1.0})
    shares = by_observer(table)["body_only"]
    is_human = shares.index.str.startswith("human")
    expected = stats.ttest_ind(shares[is_human], shares[~is_human], equal_var=False)
    assert points.as_test(0.95)["p"] == pytest.approx(expected.pvalue)
    assert points.df == pytest.approx(expected.df)


def test_equivalence_is_that_of_statsmodels():
    table = nested({"human": 20})
    shares = 100 * by_observer(table)
    points = contrast_points(table, {BODY: 1.0, BACKGROUND: -1.0})
    p, above, below = ttost_paired(shares["body_only"], shares["background_only"], -25.0, 25.0)
    found = two_one_sided(points, 25.0)
    assert found == pytest.approx((above[1], below[1]))
    answers = answers_of(
        table.assign(observer=table["observer"].str[6:]),
        [PEOPLE],
        ["body_only", "background_only"],
        0.2,
        0.95,
    )
    (finding,) = equivalence_tests(answers, 25.0)
    assert finding.p == pytest.approx(p)
    assert (finding.p_above, finding.p_below) == pytest.approx((above[1], below[1]))
    assert finding.statistic == pytest.approx(above[0] if above[1] > below[1] else below[0])
    assert (finding.ci_low, finding.ci_high) == pytest.approx(points.interval(0.9))


def test_equivalence_of_groups_is_that_of_statsmodels():
    table = nested({"human": 20, "baseline": 6})
    answers = answers_of(table, [PEOPLE, NETWORK], ["body_only"], 0.2, 0.95)
    (finding,) = equivalence_tests(answers, 30.0)
    shares = 100 * by_observer(table)["body_only"]
    is_human = shares.index.str.startswith("human")
    compare = CompareMeans.from_data(shares[is_human], shares[~is_human])
    p, *_ = compare.ttost_ind(-30.0, 30.0, usevar="unequal")
    assert finding.p == pytest.approx(p)
    assert finding.groups == "human - baseline"


@pytest.mark.parametrize(
    ("shift", "verdict"),
    [(0, "equivalent"), (3, "different, within the bounds"), (8, "different")],
)
def test_verdicts(shift: int, verdict: str):
    """Forty observers of forty trials each; all have nearly the same difference."""
    rows = [
        (f"o{o}", condition, int(k < 20 + (condition == "body_only") * shift + (o + s) % 2))
        for o in range(40)
        for s, condition in enumerate(("body_only", "background_only"))
        for k in range(40)
    ]
    table = pd.DataFrame(rows, columns=["observer", "condition", "correct"])
    table["group"], table["action"] = "human", "jump"
    table["clip_id"] = [f"c{k}" for k in range(len(table))]
    answers = answers_of(table, [PEOPLE], ["body_only", "background_only"], 0.2, 0.95)
    (finding,) = equivalence_tests(answers, 10.0)
    assert finding.estimate == pytest.approx(100 * shift / 40)
    assert finding.verdict == verdict


def crossed(rng: np.random.Generator, n_seeds: int, n_people: int = 28) -> pd.DataFrame:
    """People who see a third of the versions, networks that see all; clips differ by group."""
    parts = []
    for group, n in (("human", n_people), ("baseline", n_seeds)):
        o, i, v = np.meshgrid(range(n), range(36), range(2), indexing="ij")
        keep = np.ones(o.shape, bool) if group == "baseline" else (o + i) % 2 == v
        o, i, v = o[keep], i[keep], v[keep]
        eta = 0.8 + rng.normal(0, 0.5, n)[o] + rng.normal(0, 1.0, (36, 2))[i, v]
        eta = eta + rng.normal(0, 0.3, (n, 2))[o, v]
        table = pd.DataFrame({"group": group, "observer": [f"{group}:{k}" for k in o]})
        table["item"] = [f"clip{k}" for k in i]
        table["condition"] = np.where(v, "background_only", "body_only")
        parts.append(table.assign(correct=(rng.random(len(o)) < expit(eta)).astype(int)))
    return pd.concat(parts, ignore_index=True)


@pytest.mark.parametrize("n_seeds", [3, 10])
def test_coverage_with_crossed_observers_and_clips(n_seeds: int):
    """Both versions are equal on average in both groups; clips and observers are drawn anew."""
    rng = np.random.default_rng(8)
    weights = {
        "people": {BODY: 1.0, BACKGROUND: -1.0},
        "networks": {("baseline", "body_only"): 1.0, ("baseline", "background_only"): -1.0},
        "both": {
            BODY: 1.0,
            BACKGROUND: -1.0,
            ("baseline", "body_only"): -1.0,
            ("baseline", "background_only"): 1.0,
        },
    }
    covered: dict[str, list[bool]] = {name: [] for name in weights}
    for _ in range(120):
        table = crossed(rng, n_seeds)
        for name, contrast in weights.items():
            low, high = contrast_points(table, contrast).interval(0.95)
            covered[name].append(low <= 0.0 <= high)
    # 95 % within simulation error; three trainings may be cautious.
    for name, inside in covered.items():
        assert 0.90 <= np.mean(inside) <= 1.0, name
    assert np.mean(covered["people"]) <= 0.99


def test_variance_of_one_cell_is_the_two_way_one():
    rng = np.random.default_rng(5)
    grid = (rng.random((9, 14)) < expit(rng.normal(0, 1.5, (9, 1)) + rng.normal(0, 1.5, 14))) * 1.0
    o, i = np.meshgrid(range(9), range(14), indexing="ij")
    table = pd.DataFrame({"observer": o.ravel(), "item": i.ravel(), "correct": grid.ravel()})
    table["group"], table["condition"] = BODY
    points = contrast_points(table, {BODY: 1.0}, 0.2)
    assert points.estimate == pytest.approx(100 * (grid.mean() - 0.2))
    expected = 100 * np.sqrt(two_way_variance(grid, np.ones_like(grid)))
    assert points.se == pytest.approx(expected)


def test_cells_without_variation_still_have_a_variance():
    table = nested({"human": 5})
    table.loc[table["condition"] == "body_only", "correct"] = 1
    points = contrast_points(table, {BODY: 1.0})
    # Agresti & Coull over 50 clips: (50 + 2) / (50 + 4).
    share = 52 / 54
    assert points.estimate == 100.0
    assert points.se == pytest.approx(100 * np.sqrt(share * (1 - share) / 54))
    assert "human body_only all right" in points.note
    with pytest.raises(ValueError, match="baseline has no answer to body_only"):
        contrast_points(table, {("baseline", "body_only"): 1.0})
