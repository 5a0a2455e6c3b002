"""Figures of single analyses: what is drawn is what the tables say."""

from __future__ import annotations

import itertools

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from analysis.figures.ablation import ablation_figure, ablation_legend, differences
from analysis.figures.actions import action_shares, actions_figure, actions_legend
from analysis.figures.confusions import (
    confusion_shares,
    matrix_figure,
    pairs_figure,
    worst_pairs,
)
from analysis.figures.consistency import consistency_figure, consistency_legend, consistency_matrix
from analysis.figures.interaction import (
    interaction_figure,
    interaction_legend,
    model_means,
    pairs_shown,
    planned_contrasts,
)
from analysis.figures.material import NothingToDraw
from analysis.figures.pattern_space import pattern_space_figure, pattern_space_legend, plane
from analysis.figures.reaction_times import times_figure
from analysis.groups import Group
from analysis.reaction_times import reaction_time_tables
from analysis.sentences import NBSP
from study.conditions import CONDITION_NAMES, CONDITIONS, MAIN_CONDITIONS

PEOPLE = Group("human", "people", "observers", "#333333", "o")
BASELINE = Group("baseline", "baseline", "model", "#E69F00", "s")
DOMAINNET = Group("domainnet", "DomainNet", "model", "#CC79A7", "^")
GROUPS = [PEOPLE, BASELINE, DOMAINNET]
PAIR = ("body_only", "background_only")


def artist(figure: Figure, gid: str):
    """The one artist of that name, in any panel."""
    found = figure.findobj(lambda drawn: drawn.get_gid() == gid)
    assert len(found) == 1, gid
    return found[0]


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(matplotlib.text.Text)]


def plain(legend: str) -> str:
    return legend.replace(NBSP, " ")


def accuracies() -> pd.DataFrame:
    """A share of 0.5 has log odds 0, one of 0.8 log 4."""
    shares = {"human": (0.8, 0.5, 0.2), "baseline": (1.0, 0.2, 0.8), "domainnet": (0.8, 0.5, 0.0)}
    rows = [
        (group, condition, 99, share, max(share - 0.1, 0.0), min(share + 0.1, 1.0))
        for group, values in shares.items()
        for condition, share in zip(MAIN_CONDITIONS, values, strict=True)
    ]
    columns = ["group", "condition", "n_trials", "accuracy", "ci_low", "ci_high"]
    return pd.DataFrame(rows, columns=columns)


def interaction_tests() -> pd.DataFrame:
    rows = [
        ("chi-square", "human, baseline", "a, b", np.nan, np.nan, np.nan, 12.5, 4.0, 0.0004),
        ("logits", "human - baseline", "body_only - background_only", 2.5, 1.5, 3.5, 5.0, 8.0,
         0.01),
        ("logits", "human - domainnet", "body_only - background_only", -0.4, -1.0, 0.2, 1.0, 8.0,
         0.3),
        ("percentage points", "human - baseline", "body_background - body_only", 30.0, 20.0, 40.0,
         5.0, 8.0, 0.01),
    ]  # fmt: skip
    columns = ["unit", "groups", "conditions", "estimate", "ci_low", "ci_high", "statistic", "df"]
    return pd.DataFrame(rows, columns=[*columns, "p"]).assign(p_adjusted=0.02)


def test_without_a_model_log_odds_are_those_of_the_shares():
    means = model_means(pd.DataFrame(), accuracies()).set_index(["group", "condition"])
    assert means.loc[("human", "body_background"), "value"] == pytest.approx(np.log(4))
    assert means.loc[("human", "body_only"), "value"] == pytest.approx(0.0)
    pure = means[means["is_bounded"]]
    # Half an answer of 100 is added: odds of 99.5 to 0.5.
    assert pure["value"].tolist() == pytest.approx([np.log(199), -np.log(199)])
    assert set(means["source"]) == {"shares"}


def test_means_of_a_model_come_first_and_others_stay_shares():
    model = pd.DataFrame(
        {"group": "human", "condition": MAIN_CONDITIONS, "estimate": [1.0, 2.0, 3.0],
         "ci_low": 0.5, "ci_high": 3.5}
    )  # fmt: skip
    means = model_means(model, accuracies()).set_index(["group", "condition"])
    assert means.loc["human", "value"].tolist() == [1.0, 2.0, 3.0]
    assert means.loc["human", "source"].eq("model").all()
    assert means.loc["baseline", "source"].eq("shares").all()


def test_interaction_draws_lines_hollow_bounds_and_contrasts():
    means = model_means(pd.DataFrame(), accuracies())
    contrasts = planned_contrasts(interaction_tests(), GROUPS, MAIN_CONDITIONS)
    figure, data = interaction_figure(means, contrasts, GROUPS, MAIN_CONDITIONS, 0.2)
    line = artist(figure, "mean human")
    assert line.get_ydata() == pytest.approx([np.log(4), 0.0, -np.log(4)])
    assert to_hex(line.get_color()) == PEOPLE.color
    assert artist(figure, "chance").get_ydata() == pytest.approx([-np.log(4)] * 2)
    mark = artist(figure, "contrast baseline body_only - background_only")
    assert mark.get_xdata() == [2.5]
    # The contrast in percentage points has no place on an axis of logits.
    assert (data["kind"] == "contrast").sum() == 2
    hollow = [
        line for line in figure.axes[0].lines
        if to_hex(line.get_markerfacecolor()) == "#ffffff" and np.isfinite(line.get_ydata()).any()
    ]  # fmt: skip
    assert len(hollow) == 2
    legend = plain(interaction_legend(data, interaction_tests(), GROUPS, MAIN_CONDITIONS, 0.95))
    assert "Interaction: χ²(4) = 12.50, p < .001." in legend
    assert "People (log odds of shares correct): original 1.39 [0.85, 2.20]" in legend
    assert "Hollow marks" in legend


def test_of_many_versions_only_the_pairs_that_matter_are_shown():
    assert len(pairs_shown(MAIN_CONDITIONS)) == 3
    many = pairs_shown(CONDITION_NAMES)
    assert len(many) == len(CONDITION_NAMES)
    assert "body_only - background_only" in many
    assert "silhouette - point_light" not in many


def test_pattern_space_places_groups_and_shows_noise():
    single = pd.DataFrame(
        [("human", "p1", "body_only", 0.4), ("human", "p1", "background_only", 0.3),
         ("human", "p2", "body_only", 0.6)],
        columns=["group", "observer", "condition", "accuracy"],
    )  # fmt: skip
    ceiling = pd.DataFrame(
        {"group": ["baseline", "domainnet"], "distance_pp": [30.0, 4.0], "ci_low": [20.0, 0.0],
         "ci_high": [40.0, 9.0], "human_like_pp": [3.0, np.nan],
         "human_like_limit_pp": [6.0, np.nan], "p_human_like": [0.0005, np.nan]}
    )  # fmt: skip
    figure, data = pattern_space_figure(accuracies(), single, ceiling, GROUPS, PAIR, 0.2)
    place = artist(figure, "place baseline")
    assert (*place.get_xdata(), *place.get_ydata()) == (0.2, 0.8)
    # p2 has no answer to one of the versions, and so no place.
    assert artist(figure, "observers human").get_offsets().tolist() == [[0.4, 0.3]]
    assert artist(figure, "noise baseline").get_width() == 6.0
    assert not figure.findobj(lambda drawn: drawn.get_gid() == "noise domainnet")
    assert artist(figure, "distance domainnet").get_xdata() == [4.0]
    legend = plain(pattern_space_legend(data, GROUPS, PAIR, 0.95))
    assert "The baseline 30.0 [20.0, 40.0], noise alone up to 6.0, p < .001" in legend
    assert "baseline 20.0 % and 80.0 %" in legend


def test_the_plane_is_of_body_and_background_where_there_are_both():
    assert plane(CONDITION_NAMES) == PAIR
    assert plane(("body_background", "silhouette")) == ("body_background", "silhouette")
    with pytest.raises(NothingToDraw, match="two versions"):
        plane(("body_only",))


def consistency_pairs() -> pd.DataFrame:
    rows = [
        ("body_only", "human", "a", "baseline", "s0", 10, 0.2),
        ("body_only", "human", "b", "baseline", "s0", 10, 0.4),
        ("background_only", "human", "a", "baseline", "s0", 40, 0.62),
        ("background_only", "human", "b", "baseline", "s0", 20, np.nan),
        ("body_only", "human", "a", "human", "b", 10, 0.5),
        ("all", "human", "a", "baseline", "s0", 50, 9.0),
    ]
    columns = ["condition", "group_a", "observer_a", "group_b", "observer_b", "n_shared", "kappa"]
    return pd.DataFrame(rows, columns=columns)


def test_the_matrix_weighs_versions_by_shared_clips():
    matrix = consistency_matrix(consistency_pairs(), GROUPS[:2]).set_index(["group", "other"])
    # Mean over pairs 0.3 with 20 shared clips, 0.62 with 60.
    expected = (0.3 * 20 + 0.62 * 60) / 80
    assert matrix.loc[("human", "baseline"), "kappa"] == pytest.approx(expected)
    assert matrix.loc[("baseline", "human"), "kappa"] == pytest.approx(expected)
    assert matrix.loc[("human", "human"), "kappa"] == 0.5
    assert matrix.loc[("human", "baseline"), "n_pairs"] == 2
    assert np.isnan(matrix.loc[("baseline", "baseline"), "kappa"])


def test_consistency_shows_matrix_networks_and_ceiling():
    matrix = consistency_matrix(consistency_pairs(), GROUPS[:2])
    values = pd.DataFrame(
        [("all", "human", 0.5, 0.4, 0.6), ("all", "baseline", 0.2, 0.1, 0.3)],
        columns=["condition", "group", "value", "ci_low", "ci_high"],
    ).assign(reference="human")
    figure, data = consistency_figure(matrix, values, GROUPS[:2], PAIR)
    cells = artist(figure, "matrix").get_array()
    assert cells[0, 0] == 0.5
    assert np.ma.is_masked(cells[1, 1])
    assert {"0.50", "0.54", "–"} <= set(texts(figure))
    band = artist(figure, "ceiling all")
    assert (band.get_x(), band.get_width()) == (0.4, pytest.approx(0.2))
    assert artist(figure, "kappa baseline all").get_xdata() == [0.2]
    legend = plain(consistency_legend(data, GROUPS[:2], 0.95))
    assert "Mean of versions: baseline 0.20 [0.10, 0.30]." in legend
    assert "would reach: 0.50 [0.40, 0.60]." in legend


def answers(n_actions: int = 3) -> pd.DataFrame:
    """People mix up each action with the next; the baseline does so on body only alone."""
    rows = []
    for group, wrong in (("human", (1, 1)), ("baseline", (3, 0))):
        for condition, n_wrong in zip(PAIR, wrong, strict=True):
            for number in range(n_actions):
                # Of people, the first action is always right on body only.
                n = 0 if (group, condition, number) == ("human", "body_only", 0) else n_wrong
                next_one = f"act_{(number + 1) % n_actions:02d}"
                rows.append((group, condition, f"act_{number:02d}", f"act_{number:02d}", 4 - n))
                rows.append((group, condition, f"act_{number:02d}", next_one, n))
    table = pd.DataFrame(rows, columns=["group", "condition", "action", "response", "n"])
    return table[table["n"] > 0]


def test_actions_are_sorted_by_the_first_group_and_cells_are_shares():
    shares = action_shares(answers())
    assert shares["n_trials"].eq(4).all()
    figure, data = actions_figure(shares, GROUPS[:2], PAIR, 0.2)
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names == ["act 00", "act 01", "act 02"]
    assert artist(figure, "cells human").get_array().tolist() == [[1.0, 0.75], [0.75, 0.75],
                                                                  [0.75, 0.75]]  # fmt: skip
    assert artist(figure, "cells baseline").get_array()[:, 0].tolist() == [0.25] * 3
    assert {"25", "75", "100"} <= set(texts(figure))
    assert data["sorted_by"].iloc[0] == pytest.approx(0.25)
    legend = actions_legend(data, GROUPS[:2])
    assert "rests on 4 answers" in legend
    assert "most in act 00 (+25 points)" in legend


def test_eighty_actions_and_eight_versions_fit_a_page():
    rng = np.random.default_rng(0)
    cells = pd.MultiIndex.from_product(
        [[group.name for group in GROUPS], CONDITION_NAMES, [f"act_{k:02d}" for k in range(80)]],
        names=["group", "condition", "action"],
    ).to_frame(index=False)
    shares = cells.assign(n_trials=9, accuracy=rng.random(len(cells)))
    figure, data = actions_figure(shares, GROUPS, CONDITION_NAMES, 0.2)
    assert figure.get_figheight() * 25.4 <= 247.0
    labels = figure.axes[0].get_yticklabels()
    figure.draw_without_rendering()
    boxes = sorted((label.get_window_extent() for label in labels), key=lambda box: box.y0)
    overlaps = [low.y1 - high.y0 for low, high in itertools.pairwise(boxes)]
    # Letters have room above and below them in their box.
    assert max(overlaps) < 0.25 * boxes[0].height
    assert len(data) == len(shares)


def test_confusions_are_shares_of_the_answers_to_an_action():
    shares = confusion_shares(answers())
    figure = matrix_figure(shares, GROUPS[:2])
    cells = artist(figure, "cells human").get_array()
    # act 00: one of eight answers is act 01; act 01 with act 00 has no answer.
    assert cells[0, :2].tolist() == [0.875, 0.125]
    assert np.ma.is_masked(cells[1, 0])
    baseline = artist(figure, "cells baseline").get_array()
    assert baseline[2, 0] == pytest.approx(3 / 8)


def test_of_many_actions_the_worst_pairs_are_shown():
    shares = confusion_shares(answers(30))
    worst = worst_pairs(shares, GROUPS, n=5)
    assert len(worst) == 5 * len(GROUPS)
    assert (worst["action"] != worst["response"]).all()
    # Not the first action, which people mix up less.
    assert "act_00" not in set(worst["action"])
    assert worst.loc[worst["group"] == "human", "share"].tolist() == [0.25] * 5
    assert worst.loc[worst["group"] == "domainnet", "share"].isna().all()
    assert worst["mean_share"].tolist() == pytest.approx([(2 / 8 + 3 / 8) / 2] * 15)
    figure = pairs_figure(worst, GROUPS)
    assert artist(figure, "pairs baseline").get_xdata() == pytest.approx([3 / 8] * 5)
    assert "act 01 → act 02" in texts(figure)


def equivalence() -> pd.DataFrame:
    rows = [
        ("equivalence of groups", "human - baseline", "body_only", 30.0, 20.0, 40.0),
        ("equivalence of groups", "baseline - domainnet", "body_only", -25.0, -35.0, -10.0),
        ("equivalence of groups", "human - domainnet", "body_only", 5.0, 1.0, 9.0),
        ("equivalence of versions", "baseline", "body_only - background_only", 7.0, 1.0, 9.0),
    ]
    columns = ["family", "groups", "conditions", "difference_pp", "pp_low", "pp_high"]
    return pd.DataFrame(rows, columns=columns).assign(bound_pp=5.0, n_observers=6, n_items=36)


def test_differences_are_from_the_baseline_whatever_their_order_in_the_table():
    table = differences(equivalence(), BASELINE, [DOMAINNET, PEOPLE]).set_index("group")
    assert len(table) == 2
    assert table.loc["domainnet", ["value", "ci_low", "ci_high"]].tolist() == [25.0, 10.0, 35.0]
    assert table.loc["human", ["value", "ci_low", "ci_high"]].tolist() == [30.0, 20.0, 40.0]


def test_ablation_draws_a_panel_per_version_and_names_groups():
    others = [DOMAINNET, PEOPLE]
    table = differences(equivalence(), BASELINE, others)
    figure = ablation_figure(table, BASELINE, others, MAIN_CONDITIONS)
    assert [axes.get_title("left") for axes in figure.axes] == ["body only"]
    mark = artist(figure, "difference domainnet body_only")
    assert (*mark.get_xdata(), *mark.get_ydata()) == (25.0, 0)
    assert to_hex(mark.get_color()) == DOMAINNET.color.lower()
    assert {"+25.0", "+30.0", "DomainNet", "people"} <= set(texts(figure))
    legend = plain(ablation_legend(table, BASELINE, others, MAIN_CONDITIONS, 0.95))
    assert "DomainNet: body only 25.0 [10.0, 35.0]" in legend


def timed() -> pd.DataFrame:
    """Four observers and four clips; times are products of an observer's and a clip's factor."""
    rows = [
        ("human", f"p{o}", f"clip{i}", "body_only", 1, 1.5 ** (o - 1.5) * 1.2 ** (i - 1.5))
        for o in range(4)
        for i in range(4)
    ]
    rows += [
        ("human", "p0", "clip9", "body_only", 0, 60.0),
        ("human", "p0", "clip8", "body_only", 1, np.nan),
    ]
    columns = ["group", "observer", "clip_id", "condition", "correct", "rt_s"]
    return pd.DataFrame(rows, columns=columns)


def test_reaction_times_are_geometric_means_of_right_answers():
    tables = reaction_time_tables(timed(), GROUPS, MAIN_CONDITIONS, 0.95)
    row = tables["reaction_times"].iloc[0]
    assert len(tables["reaction_times"]) == 1
    assert row["rt_s"] == pytest.approx(1.0)
    assert (row["n_times"], row["n_without_time"]) == (16, 1)
    # Independent factors: the variances of both means add up, less that of single answers.
    o, i = np.log(1.5) * (np.arange(4) - 1.5), np.log(1.2) * (np.arange(4) - 1.5)
    parts = [np.var(part, ddof=1) / 4 for part in (o, i)]
    cells = np.add.outer(o, i).ravel()
    variance = max(sum(parts) - np.var(cells, ddof=1) / 16, *parts)
    half = 3.182446 * np.sqrt(variance)  # Student's t with 3 degrees of freedom
    assert np.log([row["ci_low"], row["ci_high"]]) == pytest.approx([-half, half], rel=1e-6)
    single = tables["reaction_times_by_observer"]
    assert single["rt_s"].tolist() == pytest.approx(1.5 ** (np.arange(4) - 1.5))


def test_reaction_times_are_drawn_by_version_and_over_margins():
    tables = reaction_time_tables(timed(), GROUPS, MAIN_CONDITIONS, 0.95)
    shape = pd.DataFrame(
        {"group": "baseline", "reference": "human", "condition": "body_only", "bin": [2, 1],
         "margin": [1.0, -1.0], "rt_s": [0.8, 1.2], "ci_low": [0.7, 1.0], "ci_high": [0.9, 1.5]}
    )  # fmt: skip
    slopes = pd.DataFrame({"group": ["baseline"], "condition": ["all"], "value": [-0.3]})
    figure, data = times_figure(
        *tables.values(), shape, slopes, PEOPLE, [BASELINE], MAIN_CONDITIONS
    )
    assert artist(figure, "mean body_only").get_ydata() == pytest.approx([1.0])
    points = artist(figure, "observers body_only").get_offsets()
    assert points[:, 1].tolist() == pytest.approx(1.5 ** (np.arange(4) - 1.5))
    line = artist(figure, "margin body_only")
    assert (line.get_xdata().tolist(), line.get_ydata().tolist()) == ([-1.0, 1.0], [1.2, 0.8])
    assert to_hex(line.get_color()) == CONDITIONS["body_only"].color.lower()
    assert "baseline, ρ = −0.30" in texts(figure)
    assert data["kind"].value_counts().to_dict() == {"observer": 4, "margin": 2, "version": 1}
