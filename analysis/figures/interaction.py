"""Group by version on the logit scale, where the mixed-effects model looks for interactions."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from scipy.special import expit, logit

from analysis.figures.forest import draw_forest, forest_height_mm, zero_line
from analysis.figures.material import Drawn, Material, NothingToDraw
from analysis.figures.style import (
    DOUBLE_MM,
    FAINT,
    ONE_AND_HALF_MM,
    chance_line,
    group_handles,
    label_conditions,
    labels_mm,
    new_figure,
    note_simulated,
)
from analysis.groups import Group
from analysis.hypotheses.table import BETWEEN
from analysis.hypotheses.versions import PAIR
from analysis.legends import level, simulated_remark, with_interval
from analysis.sentences import MINUS, NBSP, p_equals, subject
from study.conditions import CONDITIONS

MODEL, SHARES = "model", "shares"
MAX_PAIRS = 6  # of versions, until only those that matter most are shown
TICKS = (0.01, 0.05, 0.2, 0.5, 0.8, 0.95, 0.99)


def draw(material: Material) -> Drawn:
    """Make the figure of a study."""
    conditions, groups = material.conditions, material.groups
    if len(groups) < 2 or len(conditions) < 2:
        raise NothingToDraw("an interaction needs two groups and two versions")
    accuracy = material.table("accuracy")
    means = model_means(material.optional("marginal_means"), accuracy)
    tests = material.optional("test_interaction")
    contrasts = planned_contrasts(tests, groups, conditions)
    figure, data = interaction_figure(means, contrasts, groups, conditions, material.chance)
    legend = interaction_legend(data, tests, groups, conditions, material.confidence)
    return Drawn(figure, data, legend)


def model_means(means: pd.DataFrame, accuracy: pd.DataFrame) -> pd.DataFrame:
    """Return log odds per group and version: the model's means, else those of the shares.

    A share of 0 or 1 has no log odds; half an answer is taken off (or added), as in Haldane (1956).
    A group that the model leaves out is shown by its shares.

    Parameters
    ----------
    means : DataFrame
        Columns group, condition, estimate, ci_low, ci_high (logits); may be empty.
    accuracy : DataFrame
        As `analysis.estimates.fit_study` writes it.

    Returns
    -------
    DataFrame
        Columns group, condition, value, ci_low, ci_high (logits), source ("model" or "shares"),
        is_bounded (whether the share is 0 or 1).
    """
    n = accuracy["n_trials"].to_numpy(float)
    least = 0.5 / (n + 1.0)
    found = accuracy[["group", "condition"]].copy()
    for name, column in (("value", "accuracy"), ("ci_low", "ci_low"), ("ci_high", "ci_high")):
        found[name] = logit(np.clip(accuracy[column].to_numpy(float), least, 1.0 - least))
    found["source"] = SHARES
    found["is_bounded"] = accuracy["accuracy"].isin([0.0, 1.0]).to_numpy()
    if means.empty:
        return found.reset_index(drop=True)
    modelled = means.rename(columns={"estimate": "value"}).assign(source=MODEL, is_bounded=False)
    rest = found[~found["group"].isin(modelled["group"])]
    return pd.concat([modelled[found.columns], rest], ignore_index=True)


def planned_contrasts(
    tests: pd.DataFrame, groups: Sequence[Group], conditions: Sequence[str]
) -> pd.DataFrame:
    """Return differences of differences, observers' less the network's, that are in logits.

    Parameters
    ----------
    tests : DataFrame
        See `analysis.hypotheses.table.Finding`; may be empty.

    Returns
    -------
    DataFrame
        Columns group (the network), row ("VERSION - VERSION"), value, ci_low, ci_high, p_adjusted.
    """
    columns = ["group", "row", "value", "ci_low", "ci_high", "p_adjusted"]
    if tests.empty:
        return pd.DataFrame(columns=columns)
    rows = tests[(tests["unit"] == "logits") & tests["groups"].str.contains(BETWEEN)]
    rows = rows.assign(
        group=rows["groups"].str.split(BETWEEN).str[-1], row=rows["conditions"]
    ).rename(columns={"estimate": "value"})
    shown = rows["row"].isin(pairs_shown(conditions))
    return rows.loc[shown & rows["group"].isin([g.name for g in groups]), columns]


def pairs_shown(conditions: Sequence[str]) -> list[str]:
    """Return all pairs of versions or, of many, those with the first one and the main pair."""
    pairs = list(combinations(conditions, 2))
    if len(pairs) > MAX_PAIRS:
        pairs = [pair for pair in pairs if conditions[0] in pair or pair == PAIR]
    return [BETWEEN.join(pair) for pair in pairs]


def interaction_figure(
    means: pd.DataFrame,
    contrasts: pd.DataFrame,
    groups: Sequence[Group],
    conditions: Sequence[str],
    chance: float,
) -> tuple[Figure, pd.DataFrame]:
    """Draw log odds over versions as a line per group and, if tested, the planned contrasts.

    Parameters
    ----------
    means : DataFrame
        See `model_means`.
    contrasts : DataFrame
        See `planned_contrasts`.
    groups : sequence of Group
    conditions : sequence of str
    chance : float

    Returns
    -------
    Figure, DataFrame
        The data: rows of kind "mean" and "contrast", logits.
    """
    pairs = [pair for pair in pairs_shown(conditions) if pair in set(contrasts["row"])]
    networks = [group for group in groups if group.name in set(contrasts["group"])]
    height_mm = max(
        76.0 + labels_mm(conditions), 26.0 + forest_height_mm(len(pairs), len(networks))
    )
    figure = new_figure(DOUBLE_MM if pairs else ONE_AND_HALF_MM, height_mm)
    widths = [1.35, 1.0] if pairs else [1.0]
    panels = figure.subplots(1, len(widths), width_ratios=widths, squeeze=False)[0]
    _draw_means(panels[0], means, groups, conditions)
    _logit_axis(panels[0], chance)
    if pairs:
        labels = [_pair_label(pair) for pair in pairs]
        draw_forest(panels[1], contrasts, pairs, labels, networks, "contrast")
        zero_line(panels[1])
        observers = next(group.label for group in groups if group.role == "observers")
        panels[1].set_xlabel("difference of differences (logits)")
        panels[1].set_title(f"{observers} {MINUS} network", loc="left")
    figure.legend(
        handles=group_handles(groups), loc="outside upper left", ncols=4, handletextpad=0.2
    )
    if any(group.is_simulated for group in groups):
        note_simulated(figure)
    parts = [means.assign(kind="mean", row=""), contrasts.assign(kind="contrast", condition="")]
    columns = ["kind", "group", "condition", "row", "value", "ci_low", "ci_high", "source"]
    columns += ["is_bounded", "p_adjusted"]
    data = pd.concat([part for part in parts if len(part)], ignore_index=True)
    return figure, data.reindex(columns=columns)


def interaction_legend(
    data: pd.DataFrame,
    tests: pd.DataFrame,
    groups: Sequence[Group],
    conditions: Sequence[str],
    confidence: float,
) -> str:
    """Legend; `data` is the figure's, `tests` the table of the interaction (may be empty)."""
    means = data[data["kind"] == "mean"].set_index(["group", "condition"]).sort_index()
    numbers = []
    for group in groups:
        parts = [
            f"{CONDITIONS[name].label} {with_interval(means.loc[(group.name, name)], 2)}"
            for name in conditions
            if (group.name, name) in means.index
        ]
        source = means.loc[group.name, "source"].iloc[0] if group.name in means.index else SHARES
        how = "marginal means of the model" if source == MODEL else "log odds of shares correct"
        numbers.append(f"{subject(group)} ({how}): {', '.join(parts)}")
    sure = level(confidence)
    text = (
        f"Group by version on the logit scale. Left: log odds of a right answer with {sure} "
        "intervals (logits; percentages at the right); parallel lines would be no interaction."
    )
    if (data["kind"] == "contrast").any():
        text += (
            " Right: difference between two versions in observers less that in each network, with "
            f"{sure} intervals; zero is the same difference in both."
        )
    if means["is_bounded"].any():
        text += (
            " Hollow marks: every answer was right, or every one wrong; half an answer is added."
        )
    return f"{text} {_omnibus(tests)}{'. '.join(numbers)}.{simulated_remark(groups)}"


def _omnibus(tests: pd.DataFrame) -> str:
    if tests.empty:
        return ""
    rows = tests[(tests["unit"] == "chi-square") & tests["p"].notna()]
    if rows.empty:
        return ""
    row = rows.iloc[0]
    value = f"χ²({row['df']:.0f}){NBSP}={NBSP}{row['statistic']:.2f}"
    return f"Interaction: {value}, {p_equals(row['p'])}. "


def _pair_label(pair: str) -> str:
    first, second = (CONDITIONS[name].label for name in pair.split(BETWEEN))
    return f"{first} {MINUS}\n{second}"


def _draw_means(
    axes: Axes, means: pd.DataFrame, groups: Sequence[Group], conditions: Sequence[str]
) -> None:
    step = min(0.09, 0.6 / len(groups))
    for place, group in enumerate(groups):
        own = means[means["group"] == group.name].set_index("condition").reindex(conditions)
        x = np.arange(len(conditions)) + step * (place - (len(groups) - 1) / 2.0)
        axes.vlines(x, own["ci_low"], own["ci_high"], color=group.color, linewidth=1.0)
        axes.plot(
            x,
            own["value"],
            color=group.color,
            linewidth=1.0,
            linestyle="-" if group.role == "observers" else (0, (5, 1.5)),
            gid=f"mean {group.name}",
        )
        bounded = own["is_bounded"].eq(True)
        for hollow in (False, True):
            shown = own["value"].where(bounded == hollow)
            face = "white" if hollow else group.color
            axes.plot(
                x,
                shown,
                linestyle="",
                marker=group.marker,
                markersize=4.8,
                color=group.color,
                markerfacecolor=face,
            )
    axes.set_xlim(-0.5, len(conditions) - 0.5)
    label_conditions(axes, conditions)


def _logit_axis(axes: Axes, chance: float) -> None:
    """Logits at the left, the same as percentages at the right, and chance."""
    axes.set_ylabel("log odds of a right answer (logits)")
    axes.grid(axis="y", color=FAINT, linewidth=0.4)
    axes.set_axisbelow(True)
    shown = axes.get_ylim()
    axes.set_ylim(min(shown[0], float(logit(chance)) - 0.3), shown[1])
    chance_line(axes, chance, float(logit(chance)), side="left")
    right = axes.secondary_yaxis("right")
    low, high = axes.get_ylim()
    ticks = [float(logit(share)) for share in TICKS if low <= logit(share) <= high]
    right.yaxis.set_major_locator(FixedLocator(ticks))
    right.yaxis.set_minor_locator(NullLocator())
    right.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * expit(value):.0f} %"))
    right.tick_params(labelsize=6.0)
