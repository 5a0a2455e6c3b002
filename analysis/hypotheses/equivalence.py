"""Whether versions, or groups, are as good as equal: two one-sided tests."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

from scipy import stats

from analysis.hypotheses.points import METHOD, Cell, Points, contrast_points
from analysis.hypotheses.table import BETWEEN, NAN, Answers, Finding

VERSIONS = "equivalence of versions"
GROUPS = "equivalence of groups"


@dataclass(frozen=True)
class Equivalence(Finding):
    """Two one-sided tests (Schuirmann, 1987).

    Attributes
    ----------
    bound_pp : float
        Differences smaller than this count as none.
    p_above, p_below : float
        Of the difference not being above minus the bound, and not below the bound. The larger is
        `p`, and `statistic` is its own. `ci_low` and `ci_high` are at twice the error rate (90 %
        for a confidence of 95 %): equivalent where they lie within the bounds.
    verdict : str
        equivalent, different, "different, within the bounds", or undecided; without adjustment
        for other tests.
    """

    bound_pp: float = NAN
    p_above: float = NAN
    p_below: float = NAN
    verdict: str = ""


def equivalence_tests(answers: Answers, bound_pp: float) -> list[Finding]:
    """Test every two versions in each group, and every two groups in each version.

    Parameters
    ----------
    answers : Answers
    bound_pp : float
        Percentage points, above zero.
    """
    names = [group.name for group in answers.groups]
    pairs = [
        ((group, first), (group, second))
        for group in names
        for first, second in combinations(answers.conditions, 2)
    ]
    found = [_compare(answers, first, second, bound_pp, VERSIONS) for first, second in pairs]
    pairs = [
        ((first, condition), (second, condition))
        for condition in answers.conditions
        for first, second in combinations(names, 2)
    ]
    found += [_compare(answers, first, second, bound_pp, GROUPS) for first, second in pairs]
    return [finding for finding in found if finding is not None]


def two_one_sided(points: Points, bound_pp: float) -> tuple[float, float]:
    """Return the p values against a difference of at most -bound and of at least +bound."""
    above = stats.t.sf((points.estimate + bound_pp) / points.se, points.df)
    below = stats.t.cdf((points.estimate - bound_pp) / points.se, points.df)
    return float(above), float(below)


def _compare(
    answers: Answers, first: Cell, second: Cell, bound_pp: float, family: str
) -> Finding | None:
    groups = list(dict.fromkeys([first[0], second[0]]))
    conditions = list(dict.fromkeys([first[1], second[1]]))
    rows = answers.rows(groups, conditions)
    if len(rows.groupby(["group", "condition"])) < 2:
        return None
    points = contrast_points(rows, {first: 1.0, second: -1.0})
    shared = {
        "hypothesis": "equivalence",
        "family": family,
        "groups": BETWEEN.join(groups),
        "conditions": BETWEEN.join(conditions),
        "bound_pp": bound_pp,
        **answers.counts(groups, conditions),
        **points.as_columns(answers.confidence),
    }
    if points.se == 0.0:
        return Equivalence(**shared, method="no test", note=points.note)
    above, below = two_one_sided(points, bound_pp)
    low, high = points.interval(2.0 * answers.confidence - 1.0)
    nearest = -bound_pp if above > below else bound_pp
    return Equivalence(
        **shared,
        estimate=points.estimate,
        unit="percentage points",
        se=points.se,
        statistic=(points.estimate - nearest) / points.se,
        df=points.df,
        p=max(above, below),
        ci_low=low,
        ci_high=high,
        p_above=above,
        p_below=below,
        verdict=_verdict(points, max(above, below), answers.confidence),
        method=f"two one-sided tests, {METHOD}",
        note=points.note,
    )


def _verdict(points: Points, p: float, confidence: float) -> str:
    low, high = points.interval(confidence)
    within, apart = p < 1.0 - confidence, not low <= 0.0 <= high
    if within:
        return "different, within the bounds" if apart else "equivalent"
    return "different" if apart else "undecided"
