"""Measures and their uncertainty against plain computations and simulated truth."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.spatial.distance import jensenshannon
from sklearn.metrics import cohen_kappa_score

from analysis.alignment.ceilings import ceiling_of, half_weights
from analysis.alignment.compare import Comparison, compare, value_table
from analysis.alignment.confusions import confusion_measures
from analysis.alignment.measures import (
    ERROR_CONSISTENCY,
    ITEM_CORRELATION,
    RT_MARGIN,
    weighted_correlation,
    weighted_ranks,
)
from analysis.alignment.panel import Panel, make_panel
from analysis.alignment.pattern_ceiling import human_like, pattern_ceiling
from analysis.alignment.patterns import PATTERN_CORRELATION, PATTERN_DISTANCE, RANK_AGREEMENT
from analysis.alignment.resampling import draw_weights, half_steps, settle, unit_counts

CONDITIONS = ("body_background", "body_only", "background_only")
NETWORKS = ("baseline", "domainnet")
PAIRS = ((0, 1), (0, 2), (1, 2))


def as_panel(table: pd.DataFrame, margins: Mapping[str, pd.DataFrame] | None = None) -> Panel:
    networks = [name for name in NETWORKS if (table["group"] == name).any()]
    return make_panel(table, "human", networks, CONDITIONS, margins)


def value_of(measure, panel: Panel, network: str = "domainnet") -> np.ndarray:
    """The measure of a network and people, a row per version and one of all."""
    people, side = panel.people, panel.networks[network]
    ones = (np.ones((1, n)) for n in (side.n, people.n, len(panel.items)))
    w_side, w_people, w_items = ones
    return measure.rows(side, w_side, people, w_people, w_items)[:, 0]


@pytest.fixture(scope="module")
def table(world) -> pd.DataFrame:
    return world(n_people=15).draw(np.random.default_rng(1))


def test_item_correlation_is_that_of_the_means(table: pd.DataFrame) -> None:
    found = value_of(ITEM_CORRELATION, as_panel(table))
    means = table.groupby(["group", "condition", "clip_id"])["correct"].mean()
    expected = [
        np.corrcoef(means["human", name], means["domainnet", name])[0, 1] for name in CONDITIONS
    ]
    np.testing.assert_allclose(found, [*expected, np.mean(expected)])


def test_error_consistency_is_the_mean_over_pairs(table: pd.DataFrame) -> None:
    found = value_of(ERROR_CONSISTENCY, as_panel(table))
    for place, name in enumerate(CONDITIONS):
        rows = table[table["condition"] == name]
        wide = rows.pivot(index=["group", "observer"], columns="clip_id", values="correct")
        kappas = []
        for person in wide.loc["human"].to_numpy():
            seen = ~np.isnan(person)
            for network in wide.loc["domainnet"].to_numpy():
                kappas.append(cohen_kappa_score(person[seen], network[seen]))
        assert found[place] == pytest.approx(np.nanmean(kappas), abs=1e-6)


def test_confusions_are_compared_action_by_action(table: pd.DataFrame) -> None:
    panel = as_panel(table)
    correlation, distance = confusion_measures(panel.actions)
    errors = table[(table["correct"] == 0) & (table["condition"] == "body_only")]
    counts = errors.groupby(["group", "action", "response"]).size()
    pairs, weights, divergences = [], [], []
    for action in sorted(set(table["action"])):
        choices = table.loc[table["action"] == action, "choices"].iloc[0].split("|")
        foils = [label for label in choices if label != action]
        n, m = (
            np.array([counts.get((group, action, foil), 0) for foil in foils])
            for group in ("domainnet", "human")
        )
        if n.sum() and m.sum():
            weight = n.sum() * m.sum() / (n.sum() + m.sum())
            pairs.append(np.array([n / n.sum(), m / m.sum()]))
            weights.append(weight)
            divergences.append(jensenshannon(n / n.sum(), m / m.sum(), base=2) ** 2)
    cells = np.hstack(pairs)
    spread = np.cov(cells, aweights=np.repeat(weights, 4))
    expected = spread[0, 1] / np.sqrt(spread[0, 0] * spread[1, 1])
    assert value_of(correlation, panel)[1] == pytest.approx(expected)
    mean = np.average(divergences, weights=weights)
    assert value_of(distance, panel)[1] == pytest.approx(np.sqrt(mean))


def test_patterns(table: pd.DataFrame) -> None:
    panel = as_panel(table)
    means = table.groupby(["group", "condition"])["correct"].mean().unstack()[list(CONDITIONS)]
    a, b = means.loc["domainnet"], means.loc["human"]
    rms = 100 * np.sqrt(((a - b) ** 2).mean())
    assert value_of(PATTERN_DISTANCE, panel) == pytest.approx([rms])
    assert value_of(PATTERN_CORRELATION, panel) == pytest.approx([np.corrcoef(a, b)[0, 1]])
    # Tau a: pairs in the same order minus those in the other, of three; a tie is neither.
    orders = [np.sign((a.iloc[i] - a.iloc[j]) * (b.iloc[i] - b.iloc[j])) for i, j in PAIRS]
    assert value_of(RANK_AGREEMENT, panel) == pytest.approx([np.mean(orders)])


def test_times_are_compared_within_observers(table: pd.DataFrame) -> None:
    rng = np.random.default_rng(3)
    margins = table[table["group"] == "domainnet"][["observer", "clip_id", "condition"]]
    margins = margins.assign(margin=rng.normal(size=len(margins)))
    slow = table.copy()
    slow.loc[slow["observer"] == "human-seed3", "rt_s"] *= 7.0
    slow.loc[slow.index[:5], "rt_s"] = np.nan
    panel = as_panel(slow, {"domainnet": margins})
    right = slow[(slow["group"] == "human") & (slow["correct"] == 1) & slow["rt_s"].notna()]
    logs = np.log(right["rt_s"])
    own = logs - logs.groupby([right["observer"], right["condition"]]).transform("mean")
    expected, n = [], []
    for name in CONDITIONS:
        here = right["condition"] == name
        times = own[here].groupby(right["clip_id"]).mean()
        sure = margins[margins["condition"] == name].groupby("clip_id")["margin"].mean()
        both = pd.concat([times, sure], axis=1, join="inner")
        expected.append(stats.spearmanr(both.iloc[:, 0], both.iloc[:, 1])[0])
        n.append(len(both))
    found = value_of(RT_MARGIN, panel)
    np.testing.assert_allclose(found, [*expected, np.average(expected, weights=n)], atol=1e-6)
    lost = table[(table["group"] == "human")].head(5)["correct"].sum()
    assert panel.people.n_without_speed == lost


def test_whole_weights_are_copies() -> None:
    """A value of weight three is three equal values."""
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(2, 30))
    weights = rng.integers(0, 4, 30)
    copies = np.repeat(np.arange(30), weights)
    found = weighted_correlation(x[None], y[None], weights[None].astype(float))[0]
    assert found == pytest.approx(np.corrcoef(x[copies], y[copies])[0, 1])
    ranks = weighted_ranks(x[None], weights[None].astype(float))[0]
    np.testing.assert_allclose(ranks[copies], stats.rankdata(x[copies]))
    assert np.isnan(weighted_correlation(np.full((1, 9), 0.1), x[None, :9], np.ones((1, 9))))


def test_a_factor_on_the_weights_of_a_side_changes_nothing(table: pd.DataFrame) -> None:
    panel = as_panel(table)
    side, people = panel.networks["domainnet"], panel.people
    w = np.random.default_rng(5).integers(1, 9, (1, people.n)).astype(float)
    ones = np.ones((1, side.n)), np.ones((1, len(panel.items)))
    measures = [ERROR_CONSISTENCY, ITEM_CORRELATION, PATTERN_DISTANCE]
    for measure in [*measures, *confusion_measures(panel.actions)]:
        once = measure.rows(side, ones[0], people, w, ones[1])
        more = measure.rows(side, ones[0], people, 6 * w, 4 * ones[1])
        np.testing.assert_allclose(once, more, rtol=1e-5)


def test_draws_have_the_variance_of_a_two_way_mean() -> None:
    """Of a mean over observers by items whose three variances are known."""
    rng = np.random.default_rng(6)
    n, m, n_draws = 12, 30, 4000
    found, truth = [], 0.5**2 / n + 0.3**2 / m + 1.0**2 / (n * m)
    for _ in range(40):
        x = 0.5 * rng.normal(size=(n, 1)) + 0.3 * rng.normal(size=m) + rng.normal(size=(n, m))
        weights = draw_weights(m, {"human": n}, n_draws, rng)

        def mean(w, x=x):
            own, items = w.sides["human"], w.items
            total = own.sum(axis=1) * items.sum(axis=1)
            return np.sum((own @ x) * items, axis=1) / total

        drawn = {"everything": mean(weights)}
        drawn |= {source: mean(weights.only(source)) for source in ("human", "items")}
        found.append(settle(x.mean(), drawn, {"human": n, "items": m}, 0.95).se ** 2)
    assert np.mean(found) == pytest.approx(truth, rel=0.12)


def test_half_steps_are_whole_numbers_around_one() -> None:
    counts = unit_counts(3, 5000, np.random.default_rng(7))
    assert (counts.sum(axis=1) == 2).all()
    weights = half_steps(counts) / 4.0
    assert (weights * 4 == np.round(weights * 4)).all()
    np.testing.assert_allclose(weights, 0.5 + 0.5 * counts * 1.5)
    assert (half_steps(unit_counts(1, 4, np.random.default_rng(0))) == 1).all()


def test_ceiling_is_the_likeness_of_halves_and_of_one_with_the_others(table: pd.DataFrame) -> None:
    panel = as_panel(table)
    people = panel.people
    ceiling = ceiling_of(ITEM_CORRELATION, people, np.random.default_rng(8), n_splits=30)
    first = half_weights(15, 30, np.random.default_rng(8)).astype(bool)
    assert set(first.sum(axis=1)) == {7}
    rows = table[(table["group"] == "human") & (table["condition"] == "body_only")]
    wide = rows.pivot(index="observer", columns="clip_id", values="correct")
    splits = [wide[half].mean().corr(wide[~half].mean()) for half in first]
    assert ceiling.split_half[1] == pytest.approx(np.mean(splits))
    half = ceiling.split_half
    np.testing.assert_allclose(ceiling.reliability, 2 * half / (1 + half))
    each = [wide.loc[name].corr(wide.drop(index=name).mean()) for name in wide.index]
    with_itself = [wide.loc[name].corr(wide.mean()) for name in wide.index]
    assert ceiling.loo_low[1] == pytest.approx(np.nanmean(each))
    assert ceiling.loo_high[1] == pytest.approx(np.nanmean(with_itself))
    assert ceiling_of(ITEM_CORRELATION, as_panel(table).networks["domainnet"],
                      np.random.default_rng(0), 5) is not None  # fmt: skip


def test_correction_for_noise_recovers_the_correlation_of_truths(world) -> None:
    """Shared item effects of known weight: corrected, the correlation is theirs."""
    found = []
    for number in range(5):
        drawn = world(
            n_people=24, n_items=120, latin=False, share={"domainnet": 0.7},
            seeds={"domainnet": 40}, seed_spread=0.0, spread=1.5,
        ).draw(np.random.default_rng([9, number]))  # fmt: skip
        panel = as_panel(drawn)
        comparison = compare(panel, 20, 0.95, np.random.default_rng(0))
        values, _ = value_table(comparison, ITEM_CORRELATION, np.random.default_rng(number))
        row = values[values["condition"] == "all"].iloc[0]
        assert row["corrected"] > row["value"]
        found.append(row["corrected"])
    # Of the probabilities themselves, and of the network's known from forty answers an item.
    rng = np.random.default_rng(16)
    shared, own = 1.5 * rng.normal(size=(2, 1, 200_000))
    levels = np.array([[1.5], [1.0], [0.5]])
    p = 1 / (1 + np.exp(-(shared + levels)))
    q = 1 / (1 + np.exp(-(0.7 * shared + np.sqrt(0.51) * own + levels)))
    reliability = q.var(axis=1) / (q.var(axis=1) + (q * (1 - q)).mean(axis=1) / 40)
    truth = [np.corrcoef(*pair)[0, 1] for pair in zip(p, q, strict=True)] * np.sqrt(reliability)
    assert np.mean(found) == pytest.approx(np.mean(truth), abs=0.05)


def test_a_network_made_of_people_is_as_far_as_predicted(world) -> None:
    """A network with people's own chances: its distance is what the ceiling says."""
    distances, expected, p_values = [], [], []
    for number in range(40):
        rng = np.random.default_rng([10, number])
        drawn = world(share={"domainnet": 1.0}, seeds={"domainnet": 3}, seed_spread=0.0).draw(rng)
        panel = as_panel(drawn)
        like = human_like(panel.people, panel.networks["domainnet"], 400, 0.95, rng)
        distances.append(value_of(PATTERN_DISTANCE, panel)[0])
        expected.append(like.expected)
        p_values.append(like.share_farther)
    assert np.mean(distances) == pytest.approx(np.mean(expected), rel=0.15)
    assert np.mean(np.array(p_values) < 0.1) < 0.25


def test_correction_of_the_distance_takes_the_noise_out(world) -> None:
    far = {"human": (1.5, 1.0, 0.5), "domainnet": (1.5, 0.0, 0.5)}
    plain, corrected = [], []
    for number in range(30):
        rng = np.random.default_rng([11, number])
        drawn = world(levels=far, share={"domainnet": 1.0}, seeds={"domainnet": 3}).draw(rng)
        panel = as_panel(drawn)
        comparison = compare(panel, 150, 0.95, rng)
        values, _ = value_table(comparison, PATTERN_DISTANCE, rng)
        row = pattern_ceiling(comparison, values, rng).iloc[0]
        plain.append(row["distance_pp"])
        corrected.append(row["corrected_pp"])
        assert row["corrected_pp"] < row["distance_pp"]
    # One version differs by one logit among items of standard deviation one.
    eta = np.random.default_rng(0).normal(size=(2, 400_000)) * [[np.hypot(1, 0.3)], [1]]
    gap = np.mean(1 / (1 + np.exp(-(eta[0] + 1.0)))) - np.mean(1 / (1 + np.exp(-eta[0])))
    square = np.mean(np.sign(corrected) * np.square(corrected))
    truth = 100**2 * gap**2 / 3
    assert square == pytest.approx(truth, rel=0.3)
    assert np.mean(np.square(plain)) > square


@pytest.mark.slow
def test_false_positives_and_coverage(world) -> None:
    """Two networks alike in all but the draw: 5 % or fewer differences, intervals that cover."""
    p_values: dict[str, list[float]] = {}
    inside: dict[str, list[tuple[float, float, float]]] = {}
    n_worlds = 120
    for number in range(n_worlds):
        rng = np.random.default_rng([12, number])
        panel = as_panel(world(n_people=28).draw(rng))
        comparison = compare(panel, 250, 0.95, rng)
        measures = [ERROR_CONSISTENCY, ITEM_CORRELATION, PATTERN_DISTANCE]
        for measure in [*measures, confusion_measures(panel.actions)[0]]:
            values, tests = value_table(comparison, measure, rng)
            last = tests[tests["condition"] == "all"].iloc[0]
            p_values.setdefault(measure.name, []).append(last["p_value"])
            row = values[(values["condition"] == "all") & (values["group"] == "baseline")].iloc[0]
            inside.setdefault(measure.name, []).append((*row[["value", "ci_low", "ci_high"]],))
    for name, found in p_values.items():
        # 120 worlds: a true rate of 5 % shows 10 % or more in one of a hundred runs.
        assert np.mean(np.array(found) < 0.05) < 0.10, name
        value, low, high = np.array(inside[name]).T
        expected = value.mean()  # over worlds: what an interval is to cover
        assert np.mean((low <= expected) & (expected <= high)) > 0.90, name


def test_a_difference_is_found_and_named(world) -> None:
    """DomainNet errs where people do, the baseline elsewhere and in another version."""
    drawn = world(
        n_people=28, n_items=60, spread=2.0,
        share={"baseline": 0.0, "domainnet": 1.0}, levels={"baseline": (1.5, -1.5, 1.5)},
        seeds={"baseline": 5, "domainnet": 5},
    ).draw(np.random.default_rng(13))  # fmt: skip
    comparison: Comparison = compare(as_panel(drawn), 300, 0.95, np.random.default_rng(14))
    for measure in (ERROR_CONSISTENCY, ITEM_CORRELATION, PATTERN_DISTANCE):
        _, tests = value_table(comparison, measure, np.random.default_rng(15))
        row = tests[tests["condition"] == "all"].iloc[0]
        assert (row["closer"], row["other"]) == ("domainnet", "baseline")
        assert row["p_value"] < 0.01
        assert (row["difference"] > 0) == measure.higher_is_closer


def test_a_source_of_one_unit_is_not_in_the_interval() -> None:
    rng = np.random.default_rng(0)
    people = rng.normal(0, 0.1, 4000)
    drawn = {"everything": people, "items": rng.normal(0, 0.3, 4000), "people": people}
    one = settle(0.0, drawn, {"items": 1, "people": 20}, 0.95)
    assert one.df == pytest.approx(19)
    assert one.se == pytest.approx(2 * people.std(), rel=0.1)
