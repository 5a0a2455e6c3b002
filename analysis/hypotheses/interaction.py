"""Whether networks differ from people in how versions differ."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd

from analysis.groups import Group
from analysis.hypotheses.models import (
    Fitted,
    PureCell,
    coded,
    fit_terms,
    linear_contrast,
    pure_cells,
    random_terms,
    why_no_estimate,
)
from analysis.hypotheses.points import Cell, contrast_points
from analysis.hypotheses.table import ALL_OF, BETWEEN, Answers, Finding, noted, t_test
from analysis.mixed_effects import likelihood_ratio_test

OMNIBUS = "group by version"
PLANNED = "planned interaction contrasts"
# One model of more groups takes many minutes, and says little: that some of them differ somehow.
MOST_GROUPS = 10


def group_by_version(answers: Answers) -> list[Finding]:
    """Test the interaction of group and version, then each network against people.

    The omnibus test is the likelihood ratio of the models with and without the interaction, both
    with the same random effects. A planned contrast is a difference of differences: the one
    between two versions in people less that in the network. A group without right and wrong
    answers in a version has no finite estimate: its contrasts are those of percentage points, and
    the models are of the others. Of more than `MOST_GROUPS` groups there is no joint model: the
    contrasts are those of percentage points.
    """
    names = [group.name for group in answers.groups]
    if len(names) < 2 or len(answers.conditions) < 2:
        return []
    rows = answers.rows(names, answers.conditions)
    pure = pure_cells(rows)
    kept = _estimable(rows, names, answers.conditions, pure)
    note = why_no_estimate(pure)
    model, findings = Fitted(None, "no model: fewer than two groups have finite estimates"), []
    if len(kept) > MOST_GROUPS:
        model = Fitted(None, f"no model: {len(kept)} groups, at most {MOST_GROUPS} go into one")
    elif len(kept) > 1:
        model, omnibus = _omnibus(answers, kept, note)
        findings.append(omnibus)
    if answers.observers is not None:
        for network in answers.networks:
            for pair in combinations(answers.conditions, 2):
                modelled = model if {answers.observers.name, network.name} <= set(kept) else None
                findings += _planned(answers, answers.observers, network, pair, modelled, pure)
    return findings


def _estimable(
    rows: pd.DataFrame, names: list[str], conditions: list[str], pure: list[PureCell]
) -> list[str]:
    """Keep the groups with right and wrong answers in every version."""
    n_versions = rows.groupby("group")["condition"].nunique()
    without = {cell.group for cell in pure}
    return [n for n in names if n not in without and n_versions[n] == len(conditions)]


def _omnibus(answers: Answers, kept: list[str], note: str) -> tuple[Fitted, Finding]:
    rows = coded(answers.rows(kept, answers.conditions), kept, answers.conditions)
    fitted = fit_terms("group * condition", rows, random_terms(rows))
    shared = {
        "hypothesis": "interaction",
        "family": OMNIBUS,
        "groups": ALL_OF.join(kept),
        "conditions": ALL_OF.join(answers.conditions),
        **answers.counts(kept, answers.conditions),
    }
    if fitted.result is None:
        return fitted, Finding(**shared, method=fitted.method, note=noted([fitted.note, note]))
    terms = [f"({t.term.expression} | {t.group})" for t in fitted.result.design.random]
    simpler = fit_terms("group + condition", rows, terms)
    if simpler.result is None or len(simpler.result.design.random) < len(terms):
        text = noted([simpler.note, note])
        return fitted, Finding(**shared, method="likelihood ratio", note=text)
    ratio = likelihood_ratio_test(simpler.result, fitted.result).iloc[-1]
    return fitted, Finding(
        **shared,
        unit="chi-square",
        statistic=float(ratio["chisq"]),
        df=float(ratio["df"]),
        p=float(ratio["p"]),
        method=f"likelihood ratio of the interaction in {fitted.method}",
        note=noted([fitted.note, note]),
    )


def _planned(
    answers: Answers,
    people: Group,
    network: Group,
    pair: tuple[str, str],
    fitted: Fitted | None,
    pure: list[PureCell],
) -> list[Finding]:
    """One difference of differences; none where somebody did not answer a version."""
    first, second = pair
    weights: dict[Cell, float] = {
        (people.name, first): 1.0,
        (people.name, second): -1.0,
        (network.name, first): -1.0,
        (network.name, second): 1.0,
    }
    both = [people.name, network.name]
    rows = answers.rows(both, pair)
    if len(rows.groupby(["group", "condition"])) < len(weights):
        return []
    points = contrast_points(rows, weights)
    shared = {
        "hypothesis": "interaction",
        "family": f"{PLANNED}, {BETWEEN.join(both)}",
        "groups": BETWEEN.join(both),
        "conditions": BETWEEN.join(pair),
        **answers.counts(both, pair),
        **points.as_columns(answers.confidence),
    }
    if fitted is None or fitted.result is None:
        own = [cell for cell in pure if cell.group in both]
        note = noted([why_no_estimate(own) or "no model", points.note])
        return [Finding(**shared | points.as_test(answers.confidence), note=note)]
    cells = pd.DataFrame(list(weights), columns=["group", "condition"])
    estimate = linear_contrast(fitted.result, cells, np.array(list(weights.values())))
    test = t_test(*estimate, points.df, answers.confidence)
    return [Finding(**shared | test, unit="logits", method=fitted.method, note=fitted.note)]
