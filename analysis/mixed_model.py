"""The study's mixed-effects model of single answers, and what it says about the versions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.groups import Group
from analysis.mixed_effects import MixedModelResult, fit

EFFECTS = ["term", "estimate", "se", "z", "df", "p", "ci_low", "ci_high"]
CONTRASTS = ["group", "contrast", "estimate", "se", "z", "df", "p", "ci_low", "ci_high"]
RANDOM = ["group", "term", "variance", "sd"]
MEANS = ["group", "condition", "estimate", "se", "ci_low", "ci_high"]


CLIPS_BY_GROUP = re.compile(r"\s*\+\s*\(\s*1\s*\|\s*(item:group|group:item)\s*\)")


@dataclass(frozen=True)
class MixedModelTables:
    """A fitted model as tables, or the reason why there is none.

    Attributes
    ----------
    effects : DataFrame
        Columns term, estimate (logits), se, z (estimate / se), df (degrees of freedom of Student's
        t, empty for the normal distribution), p (Wald), ci_low, ci_high.
    contrasts : DataFrame
        Differences between versions within each group, logits; p by Holm within the group.
    random : DataFrame
        Columns group (the grouping factor), term, variance, sd.
    means : DataFrame
        Log odds of every group in every version, by the model.
    text : str
        The summary, and before it what a reader must know.
    """

    effects: pd.DataFrame
    contrasts: pd.DataFrame
    random: pd.DataFrame
    means: pd.DataFrame
    text: str


def fit_mixed_model(
    responses: pd.DataFrame,
    groups: Sequence[Group],
    conditions: Sequence[str],
    formula: str,
    confidence: float,
    inference: str = "t",
) -> MixedModelTables:
    """Fit the model to the answers of the main groups.

    A group that answered everything (or nothing) right in a version is left out, because its
    effect has no finite estimate; the text says so.

    Parameters
    ----------
    responses : DataFrame
        Rows of `study.tables.responses_schema`; `clip_id` is the formula's `item`. Any further
        column may be named in the formula.
    groups : sequence of Group
        The first is the reference level.
    conditions : sequence of str
        Versions; the first is the reference level.
    formula : str
        In lme4's syntax.
    confidence : float
    inference : {"t", "z"}
        Tests and intervals by Student's t with `MixedModelResult.smallest_df` degrees of freedom,
        or by the normal distribution, which is a little too sure with few observers or clips.
    """
    kept, notes = estimable_groups(responses, groups)
    data = model_data(responses, [group.name for group in kept], conditions)
    formula = formula_for(formula, len(kept))
    try:
        if data.empty:
            raise ValueError("no group is left to fit it to")
        result = fit(formula, data, family="binomial")
        df = result.smallest_df if inference == "t" else None
        names = [group.name for group in kept]
        contrasts = _contrasts(result, names, confidence, df)
        means = _means(result, names, confidence, df)
    except (ValueError, KeyError) as error:
        # KeyError puts its text in quotes.
        reason = error.args[0] if error.args else str(error)
        notes.append(f"The model {formula} was not fitted: {reason}.")
        empty = [pd.DataFrame(columns=columns) for columns in (EFFECTS, CONTRASTS, RANDOM, MEANS)]
        return MixedModelTables(*empty, text="\n".join(notes) + "\n")
    if not result.converged:
        notes.append(f"Read the model with care: {result.message}.")
    if df is not None:
        notes.append(
            f"Tests and intervals of the tables are by Student's t with {df} degrees of freedom; "
            "p in the summary is by the normal distribution."
        )
    text = "\n".join([*notes, result.summary()]) + "\n"
    effects = _effects(result, confidence, df)
    return MixedModelTables(effects, contrasts, result.random[RANDOM], means, text)


def formula_for(formula: str, n_groups: int) -> str:
    """Return the formula without ``(1 | item:group)`` where there is one group.

    There it is the same as ``(1 | item)``: no answer can tell them apart.
    """
    return CLIPS_BY_GROUP.sub("", formula) if n_groups == 1 else formula


def estimable_groups(
    responses: pd.DataFrame, groups: Sequence[Group]
) -> tuple[list[Group], list[str]]:
    """Keep the groups with right and wrong answers in every version; say why others are not."""
    kept, notes = [], []
    for group in groups:
        rows = responses[responses["group"] == group.name]
        share = rows.groupby("condition")["correct"].mean()
        pure = share[(share == 0) | (share == 1)]
        if pure.empty:
            kept.append(group)
            continue
        cells = ", ".join(
            f"{condition} all {'right' if value else 'wrong'}" for condition, value in pure.items()
        )
        notes.append(
            f"{group.label} left out of the mixed-effects model: without right and wrong answers "
            f"in every version the effect has no finite estimate ({cells})."
        )
    return kept, notes


def model_data(
    responses: pd.DataFrame, groups: list[str], conditions: Sequence[str]
) -> pd.DataFrame:
    """Return the answers of these groups with the factors that a formula may name."""
    data = responses[responses["group"].isin(groups)].copy()
    present = [name for name in conditions if name in set(data["condition"])]
    data["item"] = data["clip_id"]
    # The same participant number may stand in two groups.
    data["observer"] = data["group"] + ":" + data["observer"]
    data["group"] = pd.Categorical(data["group"], groups)
    data["condition"] = pd.Categorical(data["condition"], present)
    return data


def _effects(result: MixedModelResult, confidence: float, df: int | None) -> pd.DataFrame:
    return result.fixed_table(confidence, df).assign(df=np.nan if df is None else float(df))[
        EFFECTS
    ]


def _means(
    result: MixedModelResult, groups: list[str], confidence: float, df: float | None
) -> pd.DataFrame:
    """Return the log odds of every group in every version, as far as the formula has both."""
    factors = ["group", "condition"] if len(groups) > 1 else ["condition"]
    if not all(name in result.design.formula.fixed for name in factors):
        return pd.DataFrame(columns=MEANS)
    means = result.emmeans(factors, level=confidence, df=df)
    if len(groups) == 1:
        means.insert(0, "group", groups[0])
    return means[MEANS].astype({"group": str, "condition": str})


def _contrasts(
    result: MixedModelResult, groups: list[str], confidence: float, df: int | None
) -> pd.DataFrame:
    """Compare the versions within each group, as far as the formula has these factors."""
    fixed = result.design.formula.fixed
    if "condition" not in fixed:
        return pd.DataFrame(columns=CONTRASTS)
    by = "group" if len(groups) > 1 and "group" in fixed else None
    contrasts = result.contrasts("condition", by=by, adjust="holm", level=confidence, df=df)
    if by is None:
        contrasts.insert(0, "group", groups[0] if len(groups) == 1 else "all")
    return contrasts.assign(df=np.nan if df is None else float(df))[CONTRASTS].astype(
        {"group": str}
    )
