"""Example clips in all versions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from analysis.figures.frames import read_frame
from analysis.figures.material import Drawn, Material, NothingToDraw
from analysis.figures.style import DOUBLE_MM, new_figure
from analysis.sentences import listed
from study.conditions import CONDITIONS
from study.tables import read_table

N_EXAMPLES = 4
LABELS_MM, GAP_MM = 4.5, 0.4


def draw(material: Material) -> Drawn:
    """Make the figure of a study; its clips may lie elsewhere."""
    root, conditions = material.results.root, material.conditions
    examples = example_stimuli(read_table("manifest", material.results.manifest))
    missing = [path for path in examples["path"] if not (root / path).is_file()]
    if missing:
        raise NothingToDraw(f"{root / missing[0]} is not here")
    if examples.empty:
        raise NothingToDraw("there is no test clip")
    figure, data = stimuli_figure(examples, root, conditions)
    return Drawn(figure, data, stimuli_legend(data, conditions))


def example_stimuli(manifest: pd.DataFrame, n_actions: int = N_EXAMPLES) -> pd.DataFrame:
    """Choose test clips of actions spread evenly over their alphabetical order.

    The first clip of the first action, the second of the second and so on, because clips of one
    number may share a person.

    Returns
    -------
    DataFrame
        Rows of the manifest, and `frame`: the middle one, counted from 0.
    """
    test = manifest[manifest["split"] == "test"]
    actions = sorted(set(test["action"]))
    places = np.linspace(0, len(actions) - 1, min(n_actions, len(actions))).round().astype(int)
    chosen = []
    for turn, place in enumerate(places):
        clips = sorted(set(test.loc[test["action"] == actions[place], "clip_id"]))
        chosen.append(clips[turn % len(clips)])
    examples = test[test["clip_id"].isin(chosen)].sort_values(["action", "condition"])
    return examples.assign(frame=examples["n_frames"] // 2)


def stimuli_figure(
    examples: pd.DataFrame, root: Path, conditions: Sequence[str]
) -> tuple[Figure, pd.DataFrame]:
    """Draw a column per clip and a row per version.

    Parameters
    ----------
    examples : DataFrame
        See `example_stimuli`.
    root : Path
        The folder that the manifest's paths are relative to.
    conditions : sequence of str
    """
    clips = list(dict.fromkeys(examples["clip_id"]))
    aspect = float((examples["height"] / examples["width"]).iloc[0])
    cell_mm = (DOUBLE_MM - LABELS_MM) / N_EXAMPLES
    height_mm = (cell_mm * aspect + GAP_MM) * len(conditions) + LABELS_MM
    figure = new_figure(cell_mm * len(clips) + LABELS_MM, height_mm)
    figure.get_layout_engine().set(w_pad=0.01, h_pad=0.01, hspace=0.0, wspace=0.0)
    panels = figure.subplots(len(conditions), len(clips), squeeze=False)
    rows = examples.set_index(["clip_id", "condition"])
    for column, clip in enumerate(clips):
        for line, condition in enumerate(conditions):
            axes, row = panels[line, column], rows.loc[(clip, condition)]
            axes.imshow(
                read_frame(root / row["path"], int(row["frame"])), gid=f"{clip} {condition}"
            )
            axes.set_xticks([])
            axes.set_yticks([])
            axes.spines[:].set_visible(False)
        panels[0, column].set_title(
            str(rows.loc[(clip, conditions[0]), "action"]).replace("_", " ")
        )
    for line, condition in enumerate(conditions):
        panels[line, 0].set_ylabel(
            CONDITIONS[condition].label, color=CONDITIONS[condition].color, fontweight="bold"
        )
    columns = ["stimulus_id", "clip_id", "action", "condition", "frame", "path", "sha256"]
    return figure, examples[columns]


def stimuli_legend(examples: pd.DataFrame, conditions: Sequence[str]) -> str:
    """Legend of the example stimuli; `examples` is the figure's data."""
    clips = list(dict.fromkeys(examples["clip_id"]))
    labels = listed([CONDITIONS[name].label for name in conditions])
    return (
        f"Example stimuli. The middle frames of the test clips {listed(clips)} in each version "
        f"({labels})."
    )
