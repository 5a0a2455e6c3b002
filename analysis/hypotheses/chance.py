"""Each group in each version against chance."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats
from scipy.optimize import brentq
from scipy.special import expit

from analysis.bootstrap import exact_interval
from analysis.groups import Group
from analysis.hypotheses.models import fit_terms, random_terms
from analysis.hypotheses.points import contrast_points
from analysis.hypotheses.table import Answers, Finding, t_test
from analysis.mixed_effects import MixedModelResult

GROUPING = (("observer",), ("item",))
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(61)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()
_STEP = 1e-5


def against_chance(answers: Answers) -> list[Finding]:
    """Test, two-sided, whether the accuracy of each group in each version is 1 / k.

    The model of one cell is ``correct ~ 1 + (1 | observer) + (1 | item)``. Its intercept is the
    log odds of a median observer on a median clip, which lies below those of chance where clips
    differ and an average of 1 / k is reached by guessing: a network that always gives the same
    wrong answer to four clips of five is at chance. So the intercept is tested against the value
    at which the accuracy averaged over observers and clips is 1 / k (without variation that is the
    logit of 1 / k). Where all answers to each clip are alike, the test is the exact binomial one
    over clips: such answers count once, and a model has no finite variance of clips.

    Degrees of freedom are those of the difference in percentage points: the smallest number of
    levels less one leaves three trainings no chance to differ from anything.
    """
    return [
        _one_cell(answers, group, condition)
        for group in answers.groups
        for condition in answers.conditions
        if len(answers.rows([group.name], [condition]))
    ]


def _one_cell(answers: Answers, group: Group, condition: str) -> Finding:
    cell = ([group.name], [condition])
    rows = answers.rows(*cell)
    shared = {
        "hypothesis": "chance",
        "family": f"versions against chance, {group.name}",
        "groups": group.name,
        "conditions": condition,
        **answers.counts(*cell),
    }
    if rows["correct"].nunique() == 1:
        what = "right" if rows["correct"].iloc[0] else "wrong"
        return _exact(rows, answers, shared, f"every answer was {what}, so no model")
    if rows.groupby("item")["correct"].nunique().max() == 1:
        same = f"every {group.unit} was right in the same clips, so no model"
        return _exact(rows, answers, shared, same)
    terms = random_terms(rows, GROUPING)
    if not terms:
        return _exact(rows, answers, shared, f"one clip and one answer per {group.unit}")
    points = contrast_points(rows, {(group.name, condition): 1.0}, answers.chance)
    shared |= points.as_columns(answers.confidence)
    fitted = fit_terms("1", rows, terms)
    if fitted.result is None:
        return Finding(**shared | points.as_test(answers.confidence), note=fitted.note)
    test = t_test(
        *distance_from_chance(fitted.result, answers.chance), points.df, answers.confidence
    )
    unit = "logits above chance"
    return Finding(**shared | test, unit=unit, method=fitted.method, note=fitted.note)


def _exact(rows: pd.DataFrame, answers: Answers, shared: dict, note: str) -> Finding:
    """Binomial test with clips as trials, or observers where there is one clip."""
    unit = "item" if rows["item"].nunique() > 1 else "observer"
    # Several answers to one clip come here only where they are alike.
    n, n_right = rows[unit].nunique(), int(rows.groupby(unit)["correct"].mean().sum())
    interval = exact_interval(n_right, n, answers.confidence)
    found, low, high = (100.0 * (share - answers.chance) for share in (n_right / n, *interval))
    return Finding(
        **shared,
        estimate=found,
        unit="percentage points",
        p=float(stats.binomtest(n_right, n, answers.chance).pvalue),
        ci_low=low,
        ci_high=high,
        difference_pp=found,
        pp_low=low,
        pp_high=high,
        method=f"exact binomial test over {n} {'clips' if unit == 'item' else 'observers'}",
        note=note,
    )


def distance_from_chance(result: MixedModelResult, chance: float) -> tuple[float, float]:
    """Return how far the intercept is above the one that gives chance on average, and its SE.

    The standard error is by the delta method over intercept and standard deviations together.
    """
    theta = np.abs(result.estimate.theta)
    intercept = float(result.estimate.beta[0])
    free = theta > 1e-3
    # Of twice the negative log-likelihood, in (theta, intercept).
    hessian = result.estimate.hessian[np.ix_(np.append(free, True), np.append(free, True))]
    covariance = 2.0 * np.linalg.inv(hessian)
    null = _intercept_of(chance, theta)
    slopes = [
        (_intercept_of(chance, theta + _STEP * unit) - null) / _STEP
        for unit in np.eye(len(theta))[free]
    ]
    gradient = np.array([*(-np.array(slopes)), 1.0])
    return intercept - null, float(np.sqrt(gradient @ covariance @ gradient))


def _intercept_of(mean: float, sds: np.ndarray) -> float:
    """Return the log odds whose probability, averaged over normal effects, is `mean`."""
    spread = float(np.sqrt((sds**2).sum()))

    def excess(intercept: float) -> float:
        return float(_WEIGHTS @ expit(intercept + spread * _NODES)) - mean

    reach = 10.0 + 10.0 * spread
    return float(brentq(excess, -reach, reach))
