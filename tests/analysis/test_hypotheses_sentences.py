"""The tests of the paper in words."""

from __future__ import annotations

from typing import Any

import pytest

from analysis.groups import Group
from analysis.hypotheses import hypothesis_sentences
from analysis.hypotheses.equivalence import Equivalence
from analysis.hypotheses.table import Finding, as_table

GROUPS = [
    Group("human", "people", "observers", "black", "o"),
    Group("baseline", "baseline", "model", "black", "s"),
    Group("domainnet", "DomainNet", "model", "black", "^"),
]
MODEL = {"estimate": 1.02, "unit": "logits", "se": 0.11, "statistic": 9.3, "df": 27.0}
NO_MODEL = {"se": float("nan"), "statistic": float("nan")}
POINTS = {"difference_pp": 16.0, "pp_low": 12.0, "pp_high": 20.0}


def said(name: str, *findings: Finding) -> list[str]:
    sentences = hypothesis_sentences({name: as_table(findings)}, GROUPS, 0.95)
    return [text.replace("\u00a0", " ").replace("\u2212", "-") for text in sentences]


def finding(groups: str, conditions: str, **values: Any) -> Finding:
    return Finding("h", "family", groups, conditions, **(MODEL | POINTS | values))


@pytest.mark.parametrize(
    ("estimate", "p", "how"),
    [
        (1.02, 1e-9, "were more often right on body only than on background only"),
        (-1.02, 1e-9, "were less often right on body only than on background only"),
        (
            0.02,
            0.61,
            "were about as often right on body only as on background only, as far as can be told",
        ),
    ],
)
def test_people_on_body_and_background(estimate: float, p: float, how: str):
    row = finding("human", "body_only - background_only", estimate=estimate, p=p)
    shown = "< .001" if p < 0.001 else "= .610"
    assert said("test_versions", row) == [
        f"People {how} (b = {estimate:.2f}, SE = 0.11, t(27) = 9.30, p {shown}; "
        "16.0 percentage points, 95 % CI [12.0, 20.0])."
    ]


def test_chance_with_adjusted_p():
    rows = [
        finding("human", "body_only", p=0.001),
        finding("baseline", "body_background", p=0.04, df=4.25),
        finding("domainnet", "background_only", p=0.02, method="exact binomial test", **NO_MODEL),
    ]
    first, second, third = said("test_chance", *rows)
    assert first.startswith("People were above chance on body only (b = 1.02")
    assert "p = .001, adjusted p = .003" in first
    # 0.04 stays 0.04, the largest of three; 0.02 becomes 0.04.
    assert second.startswith("The baseline was above chance on originals")
    assert "t(4.2) = 9.30, p = .040;" in second
    assert third.startswith(
        "DomainNet was above chance on background only (exact binomial p = .020"
    )


def test_interaction():
    omnibus = Finding(
        "h", "a", "human, baseline", "x", unit="chi-square", statistic=53.5, df=4.0, p=1e-8
    )
    planned = finding("human - baseline", "body_only - background_only", p=0.2)
    first, second = said("test_interaction", omnibus, planned)
    assert first == (
        "People and the baseline differed in the effect of version (χ²(4) = 53.50, p < .001)."
    )
    assert second.startswith(
        "The difference body only - background only in people was not shown to differ from that "
        "in the baseline (b = 1.02"
    )


def test_a_test_that_was_not_made_says_why():
    omnibus = Finding("h", "a", "human, baseline", "x", note="no model: reason")
    (text,) = said("test_interaction", omnibus)
    assert text == "Group by version was not tested for people and the baseline: no model: reason."
    covariate = Finding("h", "a", "human", "all", note="fewer than three different values")
    (text,) = said("test_covariate", covariate)
    assert (
        text == "The size of the body was not tested in people: fewer than three different values."
    )


def test_equivalence_has_both_p_values_and_the_interval_that_goes_with_them():
    row = Equivalence(
        "h",
        "f",
        "human",
        "body_only - background_only",
        estimate=-1.2,
        ci_low=-3.4,
        ci_high=1.0,
        p=0.004,
        p_above=0.004,
        p_below=0.0002,
        bound_pp=5.0,
        verdict="equivalent",
    )
    assert said("test_equivalence", row) == [
        "People on body only and background only: equal within 5 percentage points "
        "(-1.2, 90 % CI [-3.4, 1.0]; p = .004 and p < .001)."
    ]


def test_covariate():
    whole = finding(
        "human", "all", unit="chi-square", statistic=12.0, df=3.0, p=0.007, se=float("nan")
    )
    slope = finding("human", "body_only", unit="logits per standard deviation of size", p=0.001)
    contrast = finding(
        "human",
        "body_only - background_only",
        p=0.0001,
        note="without the covariate 1.100 (SE 0.120); no variance found of item",
    )
    first, second, third = (said("test_covariate", row)[0] for row in (whole, slope, contrast))
    assert first == (
        "The size of the body in the picture mattered to people (χ²(3) = 12.00, p = .007)."
    )
    assert second.startswith("On body only, people: more often right with larger bodies (b = 1.02")
    assert third.endswith("without the covariate 1.100 (SE 0.120)).")
    assert "stays in people" in third
