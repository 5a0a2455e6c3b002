"""How sure networks are of the stimuli, and people's reaction times over it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from analysis.alignment.compare import Comparison, in_blocks
from analysis.alignment.measures import unit_means
from analysis.alignment.panel import Side
from analysis.alignment.resampling import Weights, as_found, settle
from analysis.groups import READINGS
from study.config import Study
from study.errors import StudyError
from study.results import Results

N_BINS = 5
SHAPE_COLUMNS = [
    "group", "reference", "condition", "bin", "margin_low", "margin_high", "margin", "rt_s",
    "ci_low", "ci_high", "n_items", "n_times", "n_without_time", "n_without_margin", "n_dropped",
]  # fmt: skip


def read_margins(
    study: Study, results: Results, groups: Sequence[str], responses: pd.DataFrame
) -> tuple[dict[str, pd.DataFrame], list[str]]:
    """Read the networks' logits; return margins per group and what was not there.

    The margin of a stimulus is the log-probability of the right label minus the largest of the
    other labels that were offered; both are logits of one softmax, so that other classes do not
    matter.

    Returns
    -------
    dict of str to DataFrame
        Group -> columns observer, clip_id, condition, margin.
    list of str
        Files that are missing.

    Raises
    ------
    StudyError
        When logits lack a label that was offered.
    """
    margins: dict[str, list[pd.DataFrame]] = {}
    notes = []
    for model in study.models:
        readings = {model.name: ("plain", model.absent_part)}
        readings |= {f"{model.name}_{way}": (way,) for way in READINGS}
        wanted = [group for group in readings if group in groups]
        for seed in model.seeds if wanted else []:
            path = results.logits(model.name, seed)
            if not path.is_file():
                notes.append(f"{path.name}: no such file; {model.name} seed {seed} has no margins")
                continue
            logits = pd.read_parquet(path)
            for group in wanted:
                own = logits[logits["reading"].isin(readings[group])]
                rows = responses[responses["group"] == group]
                rows = rows[rows["observer"] == f"{model.name}-seed{seed}"]
                margins.setdefault(group, []).append(margin_table(own, rows, path.name))
    return {group: pd.concat(parts, ignore_index=True) for group, parts in margins.items()}, notes


def margin_table(logits: pd.DataFrame, responses: pd.DataFrame, file: str) -> pd.DataFrame:
    """Return the margin of every stimulus that a network answered.

    Parameters
    ----------
    logits : DataFrame
        stimulus_id and a column per class, one row per stimulus.
    responses : DataFrame
        Rows of one network: observer, stimulus_id, clip_id, condition, action, choices.
    file : str
        Named in errors.
    """
    stimuli = responses.drop_duplicates("stimulus_id")
    scores = logits.set_index("stimulus_id")
    offered = sorted(set("|".join(stimuli["choices"]).split("|"))) if len(stimuli) else []
    unknown = [label for label in offered if label not in scores.columns]
    if unknown:
        raise StudyError(
            f"{file}: no column {unknown[0]!r}, a label that was offered; expected a column for "
            f"each of {', '.join(offered)}"
        )
    stimuli = stimuli[stimuli["stimulus_id"].isin(scores.index)]
    margins = []
    for row in stimuli.itertuples():
        others = [label for label in row.choices.split("|") if label != row.action]
        values = scores.loc[row.stimulus_id]
        margins.append(float(values[row.action]) - float(values[others].max()))
    table = stimuli[["observer", "clip_id", "condition"]].reset_index(drop=True)
    return table.assign(margin=np.array(margins, float))


def shape_table(comparison: Comparison) -> pd.DataFrame:
    """Return people's reaction time in fifths of every network's margin, columns `SHAPE_COLUMNS`.

    Items are sorted by their mean margin over trainings. rt_s is the geometric mean of right
    answers of an average observer: the version's mean log time plus the fifth's mean of what items
    add to it. The fifths are those of the data in all draws; without margins or times the table is
    empty.
    """
    panel, people = comparison.panel, comparison.panel.people
    rows = []
    for name, network in panel.networks.items():
        for c, condition in enumerate(panel.conditions):
            ones = np.ones((1, network.n))
            margin, has = unit_means(ones, network.speed[c], network.has_speed[c])
            usable = has[0] & people.has_speed[c].any(axis=0)
            if usable.sum() < N_BINS:
                continue
            counts = {
                "group": name,
                "reference": people.name,
                "condition": condition,
                "n_without_time": int((has[0] & ~usable).sum()),
                "n_without_margin": int((people.has_speed[c].any(axis=0) & ~usable).sum()),
                "n_dropped": people.answers.n_dropped + network.answers.n_dropped,
            }
            order = np.flatnonzero(usable)[np.argsort(margin[0][usable], kind="stable")]
            for number, items in enumerate(np.array_split(order, N_BINS), start=1):
                row = _fifth(comparison, people, network, c, items)
                inside = margin[0][items]
                rows.append(
                    counts
                    | row
                    | {
                        "bin": number,
                        "margin_low": inside.min(),
                        "margin_high": inside.max(),
                        "margin": inside.mean(),
                    }
                )
    return pd.DataFrame(rows).reindex(columns=SHAPE_COLUMNS)


def _fifth(
    comparison: Comparison, people: Side, network: Side, c: int, items: np.ndarray
) -> dict[str, float]:
    """Return the reaction time of some items in one version, with its interval."""
    speed, has = people.speed[c][:, items], people.has_speed[c][:, items]

    def mean_log(weights: Weights) -> np.ndarray:
        mean, known = unit_means(weights.sides[people.name], speed, has)
        share = weights.items[:, items] * known
        with np.errstate(invalid="ignore", divide="ignore"):
            return ((mean * share).sum(axis=1) / share.sum(axis=1))[None]

    drawn = in_blocks(comparison, network, mean_log)
    sizes = comparison.sizes | {"items": len(items)}
    found = mean_log(as_found(len(comparison.panel.items), comparison.panel.sizes))[0, 0]
    one = {source: draws[0] for source, draws in drawn.items()}
    estimate = settle(found, one, sizes, comparison.confidence)
    base = people.mean_log_rt[c]
    return {
        "rt_s": float(np.exp(base + estimate.value)),
        "ci_low": float(np.exp(base + estimate.ci_low)),
        "ci_high": float(np.exp(base + estimate.ci_high)),
        "n_items": len(items),
        "n_times": int(has.sum()),
    }
