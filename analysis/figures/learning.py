"""Learning curves of the networks: loss, and accuracy on training and validation frames."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.figures.material import Drawn, Material, NothingToDraw
from analysis.figures.style import (
    DOUBLE_MM,
    FAINT,
    INK,
    MUTED,
    ONE_AND_HALF_MM,
    chance_line,
    new_figure,
    percent_axis,
)
from analysis.groups import Group, groups_of
from analysis.sentences import listed, percent, subject
from study.conditions import CONDITIONS
from study.config import Study
from study.results import Results
from study.tables import read_table

VALIDATION = "validation_"


def draw(material: Material) -> Drawn:
    """Make the figure of a study."""
    curves = read_learning_curves(material.study, material.results)
    if curves.empty:
        raise NothingToDraw("no network was trained here")
    trained = groups_of(material.study, curves["model"])
    n_actions = read_table("manifest", material.results.manifest)["action"].nunique()
    figure, data = learning_figure(curves, trained, 1 / n_actions)
    return Drawn(figure, data, learning_legend(data, trained, n_actions))


def read_learning_curves(study: Study, results: Results) -> pd.DataFrame:
    """Put the curves of all networks together; those not trained here are passed over.

    Returns
    -------
    DataFrame
        Columns model, seed, epoch, loss, train_accuracy, and validation_CONDITION of the versions
        that were watched.
    """
    curves = []
    for model in study.models:
        for seed in model.seeds:
            path = results.learning_curve(model.name, seed)
            if path.is_file():
                curve = pd.read_csv(path)
                curve.insert(0, "model", model.name)
                curve.insert(1, "seed", seed)
                curves.append(curve)
    return pd.concat(curves, ignore_index=True) if curves else pd.DataFrame()


def learning_figure(
    curves: pd.DataFrame, groups: Sequence[Group], chance: float
) -> tuple[Figure, pd.DataFrame]:
    """Draw a column per network: the loss above, accuracies of single frames below.

    Thin lines are single seeds, thick ones their mean.

    Parameters
    ----------
    curves : DataFrame
        See `read_learning_curves`.
    groups : sequence of Group
        The networks, for their names.
    chance : float
        One in the number of actions.
    """
    shown = [group for group in groups if group.name in set(curves["model"])]
    figure = new_figure(DOUBLE_MM if len(shown) > 1 else ONE_AND_HALF_MM, 92.0)
    panels = figure.subplots(
        2, len(shown), sharex="col", sharey="row", squeeze=False, height_ratios=[1.0, 1.6]
    )
    lines = {"train_accuracy": ("training frames", MUTED)} | {
        name: (
            f"validation, {CONDITIONS[name.removeprefix(VALIDATION)].label}",
            CONDITIONS[name.removeprefix(VALIDATION)].color,
        )
        for name in curves.columns
        if name.removeprefix(VALIDATION) in CONDITIONS
    }
    for (top, bottom), group in zip(panels.T, shown, strict=True):
        own = curves[curves["model"] == group.name]
        _draw_seeds(top, own, "loss", "loss", INK)
        for name, (label, color) in lines.items():
            _draw_seeds(bottom, own, name, label, color)
        top.set_title(group.label, loc="left")
        top.grid(axis="y", color=FAINT, linewidth=0.4)
        percent_axis(bottom, "")
        chance_line(bottom, chance)
        bottom.set_xlabel("epoch")
    panels[0, 0].set_ylabel("training loss")
    panels[0, 0].set_ylim(bottom=0.0)
    panels[1, 0].set_ylabel("accuracy of single frames")
    handles, labels = panels[1, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    columns = ["model", "seed", "epoch", "loss", *lines]
    return figure, curves[columns]


def learning_legend(curves: pd.DataFrame, groups: Sequence[Group], n_actions: int) -> str:
    """Legend of the learning curves; `curves` is the figure's data."""
    labels = {group.name: subject(group) for group in groups}
    ends = []
    for model, own in curves.groupby("model", sort=False):
        last = own[own["epoch"] == own["epoch"].max()]
        shown = [name for name in last.columns if name.startswith("validation_")]
        parts = [
            f"{CONDITIONS[name.removeprefix('validation_')].label} {percent(last[name].mean())}"
            for name in shown
            if last[name].notna().any()
        ]
        parts = parts or ["no validation"]
        ends.append(f"{labels[model]}, epoch {own['epoch'].max()}: {listed(parts)}")
    return (
        "Learning curves. Above: training loss; below: share of single frames whose action is "
        f"named right among all {n_actions}, in training and in validation clips. Thin lines are "
        f"single seeds, thick lines their mean. {'. '.join(ends)}."
    )


def _draw_seeds(axes: Axes, curves: pd.DataFrame, column: str, label: str, color: str) -> None:
    by_epoch = curves.pivot(index="epoch", columns="seed", values=column).dropna(how="all")
    if by_epoch.shape[1] > 1:
        axes.plot(by_epoch.index, by_epoch, color=color, linewidth=0.6, alpha=0.45)
    marker = "o" if len(by_epoch) == 1 else ""
    axes.plot(
        by_epoch.index,
        by_epoch.mean(axis=1),
        color=color,
        linewidth=1.5,
        marker=marker,
        label=label,
        gid=f"mean {column}",
    )
