"""Body only against background only, in people."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from analysis.groups import Group
from analysis.hypotheses.models import (
    Fitted,
    coded,
    fit_terms,
    linear_contrast,
    pure_cells,
    random_terms,
    why_no_estimate,
)
from analysis.hypotheses.points import contrast_points
from analysis.hypotheses.table import BETWEEN, Answers, Finding, noted, t_test

PAIR = ("body_only", "background_only")


def body_against_background(answers: Answers) -> list[Finding]:
    """Test whether people are more often right on the body alone than on the background alone.

    The model holds people's answers only: ``correct ~ condition`` with the random effects of
    `analysis.hypotheses.models`, over all versions. Without people there is no such test.
    """
    group = answers.observers
    if group is None or not set(PAIR) <= set(answers.rows([group.name], PAIR)["condition"]):
        return []
    rows = answers.rows([group.name], answers.conditions)
    shared = {
        "hypothesis": "versions",
        "family": "body only against background only",
        "groups": group.name,
        "conditions": BETWEEN.join(PAIR),
        **answers.counts([group.name], PAIR),
    }
    points = contrast_points(rows, {(group.name, PAIR[0]): 1.0, (group.name, PAIR[1]): -1.0})
    shared |= points.as_columns(answers.confidence)
    fitted, left_out = fit_versions(rows, group, answers.conditions, PAIR)
    if fitted.result is None:
        note = noted([fitted.note, left_out, points.note])
        return [Finding(**shared | points.as_test(answers.confidence), note=note)]
    cells = pd.DataFrame({"condition": PAIR})
    difference = linear_contrast(fitted.result, cells, np.array([1.0, -1.0]))
    test = t_test(*difference, points.df, answers.confidence)
    note = noted([fitted.note, left_out])
    return [Finding(**shared | test, unit="logits", method=fitted.method, note=note)]


def fit_versions(
    rows: pd.DataFrame, group: Group, conditions: Sequence[str], needed: Sequence[str] = ()
) -> tuple[Fitted, str]:
    """Fit one group's answers by version; versions that are all right or wrong are left out.

    Returns
    -------
    Fitted
        None in it where a version of `needed` has no finite estimate.
    str
        What was left out.
    """
    pure = pure_cells(rows)
    without = {cell.condition for cell in pure}
    shown = set(rows["condition"]) - without
    kept = [name for name in conditions if name in shown]
    if set(needed) & without or len(kept) < 2:
        return Fitted(None, "no model"), why_no_estimate(pure)
    data = coded(rows[rows["condition"].isin(kept)], [group.name], kept)
    return fit_terms("condition", data, random_terms(data)), why_no_estimate(pure)
