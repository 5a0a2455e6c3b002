"""Does the size of the body in the picture explain what the versions seem to do?"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
from scipy.special import logit

from analysis.groups import Group
from analysis.hypotheses.models import Fitted, fit_terms, linear_contrast
from analysis.hypotheses.points import contrast_points
from analysis.hypotheses.table import BETWEEN, Answers, Finding, noted, t_test
from analysis.hypotheses.versions import fit_versions
from analysis.mixed_effects import MixedModelResult, likelihood_ratio_test

COVARIATE = "body_fraction"
_LEAST = 1e-3


def body_size(rows: pd.DataFrame) -> pd.Series:
    """Return the standardised size of the body, one value per row.

    The share of the picture that is person is skewed and lies between 0 and 1, so it is the log
    odds of that share (kept 0.001 away from 0 and 1), with mean 0 and standard deviation 1 over
    clips.
    """
    by_clip = rows.groupby("item")[COVARIATE].mean().astype(float)
    size = pd.Series(logit(by_clip.clip(_LEAST, 1.0 - _LEAST)), by_clip.index)
    return rows["item"].map((size - size.mean()) / size.std(ddof=0))


def with_body_size(answers: Answers) -> list[Finding]:
    """Add the size of the body to each group's model of the versions.

    Per group: a likelihood-ratio test of size, alone and with the version; its slope in every
    version; and the differences of versions at mean size, beside what they are without it. Sizes
    are of clips, so slopes have the number of clips less two as degrees of freedom; differences
    have those of percentage points.
    """
    if COVARIATE not in answers.table:
        return []
    found: list[Finding] = []
    for group in answers.groups:
        found += _one_group(answers, group)
    return found


def _one_group(answers: Answers, group: Group) -> list[Finding]:
    rows = answers.rows([group.name], answers.conditions)
    known = rows[rows[COVARIATE].notna()]
    shared = {
        "hypothesis": "covariate",
        "groups": group.name,
        **answers.counts([group.name], answers.conditions, len(known)),
    }
    whole = {
        "family": f"size of the body, {group.name}",
        "conditions": "all",
    }
    if known.groupby("item")[COVARIATE].mean().nunique() < 3:
        note = f"fewer than three different values of {COVARIATE}: nothing to test"
        return [Finding(**shared, **whole, method="no test", note=note)]
    base, left_out = fit_versions(known, group, answers.conditions)
    if base.result is None:
        note = noted([base.note, left_out])
        return [Finding(**shared, **whole, method="no test", note=note)]
    full = _with_size(base.result, known)
    if full.result is None or full.note.startswith("without"):
        return [Finding(**shared, **whole, method="no test", note=full.note)]
    ratio = likelihood_ratio_test(base.result, full.result).iloc[-1]
    test = Finding(
        **shared,
        **whole,
        unit="chi-square",
        statistic=float(ratio["chisq"]),
        df=float(ratio["df"]),
        p=float(ratio["p"]),
        method=f"likelihood ratio of size and size by version in {full.method}",
        note=noted([full.note, left_out]),
    )
    slopes = _slopes(full, shared, answers.confidence)
    return [test, *slopes, *_differences(base.result, full, shared, known, answers.confidence)]


def _with_size(base: MixedModelResult, rows: pd.DataFrame) -> Fitted:
    """Fit the same rows and random effects with size by version."""
    kept = rows[rows["condition"].isin(base.design.table["condition"].cat.categories)].copy()
    kept["size"] = body_size(kept)
    kept["condition"] = pd.Categorical(
        kept["condition"], base.design.table["condition"].cat.categories
    )
    terms = [f"({term.term.expression} | {term.group})" for term in base.design.random]
    return fit_terms("condition * size", kept, terms)


def _slopes(full: Fitted, shared: dict, confidence: float) -> list[Finding]:
    found = []
    df = shared["n_items"] - 2.0
    for condition in full.result.design.table["condition"].cat.categories:
        cells = pd.DataFrame({"condition": [condition] * 2, "size": [1.0, 0.0]})
        slope = linear_contrast(full.result, cells, np.array([1.0, -1.0]))
        found.append(
            Finding(
                **shared,
                family=f"slope of the size of the body, {shared['groups']}",
                conditions=condition,
                **t_test(*slope, df, confidence),
                unit="logits per standard deviation of size",
                method=full.method,
                note=full.note,
            )
        )
    return found


def _differences(
    base: MixedModelResult, full: Fitted, shared: dict, rows: pd.DataFrame, confidence: float
) -> list[Finding]:
    """Differences of versions at mean size; the note says what they are without the covariate."""
    found = []
    for pair in combinations(full.result.design.table["condition"].cat.categories, 2):
        cells = pd.DataFrame({"condition": pair, "size": [0.0, 0.0]})
        weights = np.array([1.0, -1.0])
        contrast = dict(zip([(shared["groups"], name) for name in pair], weights, strict=True))
        df = contrast_points(rows, contrast).df
        test = t_test(*linear_contrast(full.result, cells, weights), df, confidence)
        plain, se = linear_contrast(base, cells[["condition"]], weights)
        found.append(
            Finding(
                **shared,
                family=f"versions at mean size of the body, {shared['groups']}",
                conditions=BETWEEN.join(pair),
                **test,
                unit="logits",
                method=full.method,
                note=noted([f"without the covariate {plain:.3f} (SE {se:.3f})", full.note]),
            )
        )
    return found
