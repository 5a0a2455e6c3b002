"""Cohen's kappa of errors: by hand, by scikit-learn, and the published values."""

from __future__ import annotations

import json
import os
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score

from analysis.alignment import consistency_bounds, error_consistency, error_consistency_table
from study.errors import StudyError

PUBLISHED = json.loads(
    (Path(__file__).parents[2] / "references" / "error_consistency" / "published.json").read_text()
)


def random_answers(n_observers: int, n_items: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    share = rng.uniform(0.2, 0.9, n_items)
    return (rng.random((n_observers, n_items)) < share).astype(float)


def as_table(answers: np.ndarray, condition: str = "body_only") -> pd.DataFrame:
    """A row per answer that is not NaN."""
    observer, item = np.nonzero(~np.isnan(answers))
    return pd.DataFrame(
        {
            "observer": [f"o{k}" for k in observer],
            "stimulus_id": [f"s{k}" for k in item],
            "condition": condition,
            "correct": answers[observer, item].astype(int),
        }
    )


def test_by_hand() -> None:
    # 10 items: 5 both right, 2 only a, 1 only b, 2 both wrong; p = 0.7, q = 0.6.
    a = [1] * 7 + [0] * 3
    b = [1] * 5 + [0] * 2 + [1] + [0] * 2
    found = error_consistency(a, b)
    assert (found.observed, found.expected) == (pytest.approx(0.7), pytest.approx(0.54))
    assert found.kappa == pytest.approx((0.7 - 0.54) / 0.46)
    # They agree on at least 3 items (10 - 7 - 6 overlaps) and on at most 9.
    assert found.kappa_min == pytest.approx((0.3 - 0.54) / 0.46)
    assert found.kappa_max == pytest.approx((0.9 - 0.54) / 0.46)
    assert (found.n_shared, found.n_dropped, found.is_defined) == (10, 0, True)
    assert float(found) == found.kappa


def test_agrees_with_scikit_learn() -> None:
    answers = random_answers(12, 57)
    for a, b in combinations(answers, 2):
        assert error_consistency(a, b).kappa == pytest.approx(cohen_kappa_score(a, b), abs=1e-12)


def test_only_shared_items_count() -> None:
    a, b = random_answers(2, 60, seed=3)
    a[:7], b[5:12] = np.nan, np.nan
    found = error_consistency(a, b)
    assert (found.n_shared, found.n_dropped) == (48, 12)
    assert found.kappa == pytest.approx(cohen_kappa_score(a[12:], b[12:]))
    assert error_consistency([1, np.nan], [np.nan, 0]).n_shared == 0


@pytest.mark.parametrize("value", [0, 1])
def test_zero_by_zero_is_what_the_caller_says(value: int) -> None:
    same = np.full(9, value)
    found = error_consistency(same, same)
    assert np.isnan(found.kappa)
    assert np.isnan(found.kappa_min)
    assert not found.is_defined
    assert found.observed == found.expected == 1.0
    assert error_consistency(same, same, undefined=1.0).kappa == 1.0
    # One always right and one always wrong never agree, as expected: defined, and zero.
    assert error_consistency(same, 1 - same).kappa == 0.0


def test_bounds_are_reached_and_within_those_for_the_expected_agreement() -> None:
    n = 20
    for k, m in [(4, 15), (10, 10), (17, 18), (3, 2), (0, 7)]:
        a = np.arange(n) < k
        most, least = np.arange(n) < m, np.arange(n) >= n - m
        low, high = consistency_bounds(k / n, m / n)
        assert error_consistency(a, most).kappa == pytest.approx(high)
        assert error_consistency(a, least).kappa == pytest.approx(low)
        # Geirhos et al. (2020), for any accuracies with this expected agreement e.
        e = error_consistency(a, most).expected
        largest = 1 - np.sqrt(1 - 2 * e) if e < 0.5 else 1.0
        smallest = 0.0 if e < 0.5 else np.sqrt(2 * e - 1)
        assert (smallest - e) / (1 - e) <= low + 1e-12
        assert high <= (largest - e) / (1 - e) + 1e-12


def test_answers_that_are_none() -> None:
    with pytest.raises(StudyError, match=r"correct_b\[1\] is 2; expected 0, 1 or NaN"):
        error_consistency([0, 1], [1, 2])
    with pytest.raises(StudyError, match="3 items and correct_b 2"):
        error_consistency([0, 1, 1], [1, 0])
    with pytest.raises(StudyError, match="correct_a is not numeric"):
        error_consistency(["yes"], [1])
    with pytest.raises(StudyError, match="one axis"):
        error_consistency([[1, 0]], [[1, 0]])


def test_all_pairs_of_a_table_as_pairs_by_themselves() -> None:
    answers = random_answers(7, 45, seed=1)
    answers[np.random.default_rng(2).random(answers.shape) < 0.2] = np.nan
    table = error_consistency_table(as_table(answers), n_draws=0)
    rows = table[table["condition"] == "body_only"]
    assert len(rows) == 21
    for row in rows.itertuples():
        a, b = answers[int(row.observer_a[1:])], answers[int(row.observer_b[1:])]
        shared = ~np.isnan(a + b)
        assert row.n_shared == shared.sum()
        assert row.kappa == pytest.approx(cohen_kappa_score(a[shared], b[shared]), abs=1e-12)
        assert row.accuracy_a == pytest.approx(a[shared].mean())
        low, high = consistency_bounds(row.accuracy_a, row.accuracy_b)
        assert (row.kappa_min, row.kappa_max) == (pytest.approx(low), pytest.approx(high))
    assert table["ci_low"].isna().all()


def test_versions_are_not_thrown_together() -> None:
    """Two independent observers, both good in one version and bad in the other."""
    rng = np.random.default_rng(5)
    easy, hard = (rng.random((2, 400)) < share for share in (0.95, 0.2))
    parts = [as_table(easy.astype(float), "a"), as_table(hard.astype(float), "b").head(600)]
    table = error_consistency_table(pd.concat(parts), n_draws=0).set_index("condition")
    kappa, n = table["kappa"], table["n_shared"]
    assert n.to_dict() == {"a": 400, "b": 200, "all": 600}
    assert kappa["all"] == pytest.approx((2 * kappa["a"] + kappa["b"]) / 3)
    assert abs(kappa["all"]) < 0.1
    together = error_consistency(*np.hstack([easy, hard[:, :200]]).astype(float))
    assert together.kappa > 0.5


def test_pairs_with_little_or_nothing_in_common_are_there_without_kappa() -> None:
    answers = np.full((4, 30), np.nan)
    answers[0, :20], answers[1, 11:] = 1, random_answers(1, 19)[0]
    answers[2, :20], answers[3] = 1, random_answers(1, 30, seed=4)[0]
    table = error_consistency_table(as_table(answers), n_draws=0)
    rows = table[table["condition"] == "body_only"].set_index(["observer_a", "observer_b"])
    assert rows.loc[("o0", "o1"), "status"] == "too few shared items"
    assert rows.loc[("o0", "o2"), "status"] == "undefined: 0 / 0"
    assert rows.loc[("o0", "o3"), "kappa"] == 0.0
    assert rows["kappa"].isna().sum() == 3  # o1 and o2 share nine as well
    relaxed = error_consistency_table(as_table(answers), n_draws=0, min_shared=9, undefined=1.0)
    assert relaxed["kappa"].notna().all()


def test_what_is_left_out_is_counted_and_named() -> None:
    table = as_table(random_answers(3, 20)).assign(file="p.csv", extra="x")
    table["line"] = np.arange(len(table)) + 2
    table["correct"] = table["correct"].astype(float)
    twice = pd.concat([table, table.iloc[[4]].assign(line=99)], ignore_index=True)
    with pytest.raises(StudyError, match=r"1 trials stand twice .*p\.csv line 99"):
        error_consistency_table(twice, n_draws=0)
    twice.loc[7, "correct"] = np.nan
    found = error_consistency_table(twice, n_draws=0, repeated="first")
    assert set(found["n_dropped"]) == {2}
    notes = " ".join(found.attrs["notes"])
    assert "1 rows without an answer left out: p.csv line 9" in notes
    assert "1 second answers left out: p.csv line 99" in notes
    twice["correct"] = twice["correct"].astype(object)
    twice.loc[3, "correct"] = "yes"
    with pytest.raises(StudyError, match=r"'correct' holds 'yes'.*p\.csv line 5"):
        error_consistency_table(twice, repeated="first")
    with pytest.raises(StudyError, match="no column 'condition'"):
        error_consistency_table(table.drop(columns="condition"))
    with pytest.raises(StudyError, match="confidence = 95"):
        error_consistency_table(table, confidence=95)


def test_no_rows_and_one_observer_make_an_empty_table() -> None:
    table = as_table(random_answers(1, 20))
    for rows in (table, table.iloc[:0]):
        found = error_consistency_table(rows)
        assert found.empty
        assert "kappa" in found.columns


def test_intervals_are_those_of_a_plain_loop() -> None:
    """The same draws of items, one pair and one draw at a time."""
    answers = random_answers(4, 40, seed=6)
    n_draws = 200
    table = error_consistency_table(
        as_table(answers), n_draws=n_draws, rng=np.random.default_rng(8), confidence=0.9
    )
    places = np.argsort([f"s{k}" for k in range(40)])
    counts = np.random.default_rng(8).multinomial(39, np.full(40, 1 / 40), size=n_draws)
    rows = table[table["condition"] == "body_only"]
    for row in rows.itertuples():
        a, b = (answers[int(name[1:])][places] for name in (row.observer_a, row.observer_b))
        kappas = [cohen_kappa_score(a, b, sample_weight=count) for count in counts]
        low, high = np.quantile(kappas, [0.05, 0.95])
        assert (row.ci_low, row.ci_high) == (pytest.approx(low, abs=1e-6), pytest.approx(high))
    # Of one version alone, all versions together are the same.
    pooled = table[table["condition"] == "all"]
    np.testing.assert_allclose(pooled["ci_low"], rows["ci_low"], atol=1e-6)


def test_equal_calls_equal_bytes() -> None:
    table = as_table(random_answers(20, 50))
    shuffled = table.sample(frac=1, random_state=1)
    first, second = (error_consistency_table(t, n_draws=300) for t in (table, shuffled))
    assert first.to_csv() == second.to_csv()


@pytest.mark.slow
def test_intervals_cover() -> None:
    """Known kappa: with probability 0.3 b copies a, else both toss a coin of 0.7."""
    rng = np.random.default_rng(11)
    hits = 0
    for _ in range(400):
        a, own = rng.random((2, 120)) < 0.7
        b = np.where(rng.random(120) < 0.3, a, own)
        table = error_consistency_table(
            as_table(np.array([a, b], float)), n_draws=400, rng=rng
        ).iloc[0]
        hits += table["ci_low"] <= 0.3 <= table["ci_high"]
    assert 0.91 < hits / 400 < 0.98


@pytest.fixture(scope="module")
def human_responses() -> Path:
    """The trials of model-vs-human; see tests/references/error_consistency/README.md."""
    folder = os.environ.get("BODYSCENE_HUMAN_RESPONSES", "")
    if not folder or not Path(folder).is_dir():
        pytest.skip("BODYSCENE_HUMAN_RESPONSES does not name the trials of model-vs-human")
    return Path(folder)


@pytest.mark.parametrize("experiment", PUBLISHED)
def test_published_values(experiment: str, human_responses: Path) -> None:
    parts = [pd.read_csv(path) for path in sorted((human_responses / experiment).glob("*.csv"))]
    trials = pd.concat([part.rename(columns=str.lower) for part in parts], ignore_index=True)
    trials["item"] = trials["imagename"].str.rsplit("_", n=1).str[-1]
    trials["correct"] = (trials["object_response"] == trials["category"]).astype(int)
    table = error_consistency_table(trials, observer="subj", item="item", n_draws=0)
    rows = table[table["condition"] != "all"]
    expected = PUBLISHED[experiment]
    n = expected["n_observers"]
    assert len(rows) == n * (n - 1) // 2
    assert set(rows["n_shared"]) == {expected["n_items"]}
    assert rows["kappa"].mean() == pytest.approx(expected["mean_kappa"], abs=1e-5)
