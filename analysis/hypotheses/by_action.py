"""Body only against background only for every action, shrunken towards the mean of all actions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats
from scipy.special import expit

from analysis.groups import Group
from analysis.hypotheses.models import Fitted, fit_terms, pure_cells, random_terms, why_no_estimate
from analysis.hypotheses.table import BETWEEN, NAN, Answers, noted
from analysis.hypotheses.versions import PAIR

COLUMNS = [
    "group",
    "action",
    "contrast",
    "n_first",
    "n_second",
    "n_observers",
    "n_items",
    "n_dropped",
    "raw_pp",
    "raw_logit",
    "raw_low",
    "raw_high",
    "shrunken_logit",
    "ci_low",
    "ci_high",
    "shrunken_pp",
    "mean_logit",
    "sd_logit",
    "method",
    "note",
]
MODELLED = COLUMNS[COLUMNS.index("shrunken_logit") : COLUMNS.index("method")]
_LEAST_VARIANCE = 1e-6
GROUPING = (("action",), ("observer",), ("item",), ("observer", "condition"), ("item", "condition"))


@dataclass(frozen=True)
class Shrinkage:
    """How the actions' effects were estimated: the model, its slopes by action, and words."""

    fitted: Fitted
    has_slopes: bool
    note: str


def action_effects(answers: Answers) -> pd.DataFrame:
    """Return a row per group and action with the columns in `COLUMNS`.

    raw_pp : difference of shares correct; raw_logit : log odds ratio with half an answer added to
    every count (Haldane, 1956; Anscombe, 1956), raw_low and raw_high its interval by Woolf (1955),
    as if answers were independent. shrunken_logit : mean effect plus the action's conditional
    mode of ``(1 + version | action)``, its interval from the conditional variance plus that of
    the mean; shrunken_pp : the same for a median observer in percentage points. mean_logit and
    sd_logit : mean and standard deviation of the effects of actions.

    A singular fit goes on with uncorrelated slopes, then with equal effects of all actions; the
    note names what was used. Without a model, as in a group that is always right in a version,
    the shrunken columns are empty and the raw ones stand.
    """
    if not set(PAIR) <= set(answers.conditions):
        return pd.DataFrame(columns=COLUMNS)
    tables = [_one_group(answers, group) for group in answers.groups]
    tables = [table for table in tables if len(table)]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=COLUMNS)


def raw_effects(rows: pd.DataFrame, confidence: float) -> pd.DataFrame:
    """Return, by action, counts and the raw difference of the two versions of `PAIR`."""
    counts = rows.groupby(["action", "condition"])["correct"].agg(["sum", "size"]).unstack()
    counts = counts.reindex(columns=pd.MultiIndex.from_product([["sum", "size"], PAIR]))
    counts = counts.fillna(0)
    right, n = (counts[name].to_numpy(float) for name in ("sum", "size"))
    with np.errstate(invalid="ignore"):
        share = right / n
    log_odds = np.log((right + 0.5) / (n - right + 0.5))
    se = np.sqrt((1.0 / (right + 0.5) + 1.0 / (n - right + 0.5)).sum(axis=1))
    seen = (n > 0).all(axis=1)
    effect = np.where(seen, log_odds[:, 0] - log_odds[:, 1], np.nan)
    half = stats.norm.ppf(0.5 + confidence / 2.0) * se
    return pd.DataFrame(
        {
            "action": counts.index,
            "n_first": n[:, 0].astype(int),
            "n_second": n[:, 1].astype(int),
            "raw_pp": 100.0 * (share[:, 0] - share[:, 1]),
            "raw_logit": effect,
            "raw_low": effect - half,
            "raw_high": effect + half,
        }
    )


def _one_group(answers: Answers, group: Group) -> pd.DataFrame:
    rows = answers.rows([group.name], PAIR)
    if rows["condition"].nunique() < 2:
        return pd.DataFrame(columns=COLUMNS)
    table = raw_effects(rows, answers.confidence)
    counts = answers.counts([group.name], PAIR)
    table["group"], table["contrast"] = group.name, BETWEEN.join(PAIR)
    for name in ("n_observers", "n_items", "n_dropped"):
        table[name] = counts[name]
    shrinkage = _fit(rows)
    table["method"], table["note"] = shrinkage.fitted.method, shrinkage.note
    return _shrunken(table, shrinkage, answers.confidence)[COLUMNS]


def _fit(rows: pd.DataFrame) -> Shrinkage:
    """Fit the richest model that is not singular in the actions."""
    pure = pure_cells(rows)
    if pure:
        return Shrinkage(Fitted(None, ""), False, why_no_estimate(pure))
    if rows["action"].nunique() < 3:
        return Shrinkage(Fitted(None, ""), False, "fewer than three actions: nothing to shrink to")
    data = rows.copy()
    data["version"] = np.where(data["condition"] == PAIR[0], 0.5, -0.5)
    rest = _other_terms(data)
    tried: list[str] = []
    for term in ("(1 + version | action)", "(1 + version || action)"):
        fitted = fit_terms("version", data, [term, *rest])
        if fitted.result is None:
            return Shrinkage(fitted, False, fitted.note)
        if _slopes_vary(fitted):
            return Shrinkage(fitted, True, noted([*tried, fitted.note]))
        tried.append(f"{term} is singular")
    fitted = fit_terms("version", data, ["(1 | action)", *rest])
    equal = "no variation between actions was found: every action has the mean effect"
    return Shrinkage(fitted, False, noted([*tried, equal, fitted.note]))


def _other_terms(data: pd.DataFrame) -> list[str]:
    """Return the random effects besides those of actions.

    Where an action has one clip, clips are actions, and only their slopes by version vary.
    """
    terms = [term for term in random_terms(data, GROUPING) if term != "(1 | action)"]
    by_clip = "(1 | item)" in terms
    return [term for term in terms if by_clip or term != "(1 | item:condition)"]


def _slope_covariance(fitted: Fitted) -> pd.DataFrame:
    """Return the covariance matrix of the actions' effects that holds their slopes."""
    matrices = fitted.result.random_covariances.items()
    return next(m for key, m in matrices if key.startswith("action") and "version" in m)


def _slopes_vary(fitted: Fitted) -> bool:
    return float(np.linalg.eigvalsh(_slope_covariance(fitted).to_numpy())[0]) > _LEAST_VARIANCE


def _shrunken(table: pd.DataFrame, shrinkage: Shrinkage, confidence: float) -> pd.DataFrame:
    """Add the columns of the model to the raw ones."""
    result = shrinkage.fitted.result
    if result is None:
        return table.assign(**dict.fromkeys(MODELLED, NAN))
    fixed = result.fixed.set_index("term")
    mean, se = fixed.loc["version", ["estimate", "se"]]
    modes = result.blups[result.blups["group"] == "action"]
    modes = modes.pivot(index="level", columns="term", values=["estimate", "sd"])
    modes = modes.reindex(table["action"].astype(str))
    effect, sd = np.full(len(table), mean), np.zeros(len(table))
    if shrinkage.has_slopes:
        effect = mean + modes["estimate", "version"].to_numpy()
        sd = modes["sd", "version"].to_numpy()
        between = float(np.sqrt(_slope_covariance(shrinkage.fitted).loc["version", "version"]))
    else:
        between = 0.0
    half = stats.norm.ppf(0.5 + confidence / 2.0) * np.sqrt(sd**2 + se**2)
    level = fixed.loc["(Intercept)", "estimate"] + modes["estimate", "(Intercept)"].to_numpy()
    return table.assign(
        shrunken_logit=effect,
        ci_low=effect - half,
        ci_high=effect + half,
        shrunken_pp=100.0 * (expit(level + effect / 2.0) - expit(level - effect / 2.0)),
        mean_logit=mean,
        sd_logit=between,
    )
