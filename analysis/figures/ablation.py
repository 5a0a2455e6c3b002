"""What each network gains or loses in every version, compared with the baseline."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.figures.forest import draw_mark, zero_line
from analysis.figures.material import Drawn, Material, NothingToDraw
from analysis.figures.style import DOUBLE_MM, FAINT, new_figure, note_simulated
from analysis.groups import Group
from analysis.hypotheses.equivalence import GROUPS as FAMILY
from analysis.hypotheses.table import BETWEEN
from analysis.legends import level, simulated_remark, with_interval
from analysis.sentences import signed, subject
from study.conditions import CONDITIONS

COLUMNS = 4
ROW_MM = 7.0


def draw(material: Material) -> Drawn:
    """Make the figure of a study."""
    networks = material.networks
    if len(networks) < 2:
        raise NothingToDraw("an ablation needs two networks")
    baseline = baseline_of(material)
    others = [group for group in material.groups if group is not baseline]
    # Networks first: they are what is compared.
    others = sorted(others, key=lambda group: group.role == "observers")
    table = differences(material.table("test_equivalence"), baseline, others)
    if table.empty:
        raise NothingToDraw(f"nobody answered the same versions as {baseline.label}")
    figure = ablation_figure(table, baseline, others, material.conditions)
    legend = ablation_legend(table, baseline, others, material.conditions, material.confidence)
    return Drawn(figure, table, legend)


def baseline_of(material: Material) -> Group:
    """Return the first network of architecture "baseline", or else the first one."""
    names = [model.name for model in material.study.models if model.architecture == "baseline"]
    chosen = [group for group in material.networks if group.name in names]
    return (chosen or material.networks)[0]


def differences(tests: pd.DataFrame, baseline: Group, others: Sequence[Group]) -> pd.DataFrame:
    """Return accuracies less the baseline's.

    Parameters
    ----------
    tests : DataFrame
        See `analysis.hypotheses.equivalence.Equivalence`: the rows that compare groups.
    baseline : Group
    others : sequence of Group

    Returns
    -------
    DataFrame
        Columns group, baseline, condition, value, ci_low, ci_high, bound_pp (percentage points),
        n_observers, n_items.
    """
    columns = ["group", "baseline", "condition", "value", "ci_low", "ci_high", "bound_pp"]
    columns += ["n_observers", "n_items"]
    rows = tests[tests["family"] == FAMILY]
    parts = []
    for group in others:
        for names, sign in (((group, baseline), 1.0), ((baseline, group), -1.0)):
            own = rows[rows["groups"] == BETWEEN.join(side.name for side in names)]
            limits = sign * own[["pp_low", "pp_high"]].to_numpy(float)
            parts.append(
                own.assign(
                    group=group.name,
                    baseline=baseline.name,
                    condition=own["conditions"],
                    value=sign * own["difference_pp"],
                    ci_low=limits.min(axis=1, initial=np.inf),
                    ci_high=limits.max(axis=1, initial=-np.inf),
                )
            )
    return pd.concat(parts, ignore_index=True)[columns]


def ablation_figure(
    table: pd.DataFrame, baseline: Group, others: Sequence[Group], conditions: Sequence[str]
) -> Figure:
    """Draw a panel per version with a row per group.

    Parameters
    ----------
    table : DataFrame
        See `differences`.
    baseline : Group
    others : sequence of Group
        From top to bottom.
    conditions : sequence of str
    """
    shown = [name for name in conditions if name in set(table["condition"])]
    columns = min(COLUMNS, len(shown))
    lines = -(-len(shown) // columns)
    figure = new_figure(DOUBLE_MM, 16.0 + lines * (14.0 + ROW_MM * len(others)))
    grid = figure.subplots(lines, columns, squeeze=False, sharex=True, sharey=True)
    for axes in grid.ravel()[len(shown) :]:
        axes.set_axis_off()
    for axes, name in zip(grid.ravel(), shown, strict=False):
        own = table[table["condition"] == name].set_index("group")
        _draw_panel(axes, own, others, name)
    for place, axes in enumerate(grid.ravel()[: len(shown)]):
        is_lowest = place + columns >= len(shown)
        axes.tick_params(labelbottom=is_lowest)
        if is_lowest:
            axes.set_xlabel(f"difference from {baseline.label} (pp)")
    reach = 1.08 * float(table[["value", "ci_low", "ci_high"]].abs().max(axis=None))
    grid[0, 0].set_xlim(-reach, reach)
    if any(group.is_simulated for group in others):
        note_simulated(figure)
    return figure


def ablation_legend(
    table: pd.DataFrame,
    baseline: Group,
    others: Sequence[Group],
    conditions: Sequence[str],
    confidence: float,
) -> str:
    """Legend; `table` is the figure's data."""
    rows = table.set_index(["group", "condition"])
    said = []
    for group in others:
        parts = [
            f"{CONDITIONS[name].label} {with_interval(rows.loc[(group.name, name)], 1)}"
            for name in conditions
            if (group.name, name) in rows.index
        ]
        said.append(f"{subject(group)}: {', '.join(parts)}")
    return (
        f"Differences from {baseline.label} in every version. Accuracy less that of "
        f"{baseline.label}, percentage points, with {level(confidence)} intervals over "
        f"observers (or seeds) and clips. The grey band is {table['bound_pp'].iloc[0]:.3g} points "
        f"to either side. {'. '.join(said)}." + simulated_remark(others)
    )


def _draw_panel(axes: Axes, own: pd.DataFrame, others: Sequence[Group], condition: str) -> None:
    bound = float(own["bound_pp"].iloc[0])
    axes.axvspan(-bound, bound, color=FAINT, alpha=0.6, linewidth=0, zorder=0)
    zero_line(axes)
    for place, group in enumerate(others):
        if group.name not in own.index:
            continue
        row = own.loc[group.name]
        draw_mark(axes, place, row, group, f"difference {group.name} {condition}")
        axes.annotate(
            f"{'+' if row['value'] > 0 else ''}{signed(row['value'], 1)}",
            xy=(row["value"], place),
            xytext=(0, 4.5),
            textcoords="offset points",
            ha="center",
            fontsize=6.0,
        )
    axes.set_yticks(range(len(others)), [group.label for group in others])
    axes.set_ylim(len(others) - 0.5, -0.7)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color=FAINT, linewidth=0.4)
    axes.set_axisbelow(True)
    axes.set_title(CONDITIONS[condition].label, color=CONDITIONS[condition].color, loc="left")
