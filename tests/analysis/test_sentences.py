"""Sentences with numbers."""

from __future__ import annotations

import pandas as pd
import pytest

from analysis.groups import Group
from analysis.sentences import (
    accuracy_sentence,
    distance_sentences,
    interval,
    listed,
    number,
    p_equals,
    p_value,
    percent_with_interval,
    signed,
    verdict,
)

PEOPLE = Group("simulated", "simulated observers", "observers", "black", "o")
BASELINE = Group("baseline", "baseline", "model", "black", "s")
DOMAINNET = Group("domainnet", "DomainNet", "model", "black", "^")


def plain(text: str) -> str:
    return text.replace("\u00a0", " ").replace("\u2212", "-")


def distances(value: float, low: float, high: float) -> pd.DataFrame:
    rows = [
        ("distance", "baseline", "simulated", "simulated", 30.0, 25.0, 35.0, 3),
        ("distance", "domainnet", "simulated", "simulated", 30.0 + value, 1.0, 60.0, 3),
        ("difference", "domainnet", "baseline", "simulated", value, low, high, 3),
        ("difference", "domainnet_drop", "baseline", "simulated", value, low, high, 3),
    ]
    columns = ["kind", "group", "other", "reference", "value_pp", "ci_low", "ci_high"]
    return pd.DataFrame(rows, columns=[*columns, "n_conditions"])


def test_numbers():
    row = pd.Series({"accuracy": 0.8541, "ci_low": 0.7, "ci_high": 1.0})
    assert plain(percent_with_interval(row)) == "85.4 % [70.0, 100.0]"
    assert [signed(value, 1) for value in (-1.25, 0.04, -0.04)] == ["\u22121.2", "0.0", "0.0"]
    assert [plain(p_value(p)) for p in (0.0004, 0.0312, 1.0)] == ["< .001", ".031", "1.000"]
    assert [listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"])] == [
        "a",
        "a and b",
        "a, b and c",
    ]


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        (
            (-12.0, -20.0, -4.0),
            "In the pattern of accuracies over versions, DomainNet is closer to the simulated "
            "observers than the baseline, by 12.0 percentage points [4.0, 20.0].",
        ),
        (
            (8.0, 2.0, 15.0),
            "In the pattern of accuracies over versions, the baseline is closer to the simulated "
            "observers than DomainNet, by 8.0 percentage points [2.0, 15.0].",
        ),
        (
            (-3.0, -9.0, 4.0),
            "Which is closer to the simulated observers in the pattern of accuracies over "
            "versions, DomainNet or the baseline, cannot be told: their distances differ by "
            "-3.0 [-9.0, 4.0] percentage points.",
        ),
    ],
)
def test_the_verdict_follows_the_interval(numbers: tuple[float, float, float], expected: str):
    said = verdict(distances(*numbers), [PEOPLE, BASELINE, DOMAINNET])
    assert [plain(sentence) for sentence in said] == [expected]


def test_numbers_in_apa_style():
    assert [number(value, 2, below_one=True) for value in (0.123, -0.5, 1.0, 0.999)] == [
        ".12",
        "\u2212.50",
        "1.00",
        "1.00",
    ]
    assert number(0.123, 2) == "0.12"
    assert plain(p_equals(0.0312)) == "p = .031"
    assert plain(p_equals(0.0001)) == "p < .001"
    assert plain(interval(-0.1, 1.2, 2, 0.9)) == "90 % CI [-0.10, 1.20]"


def test_accuracies_have_every_number_and_say_where_they_may_be_chance():
    accuracy = pd.DataFrame(
        {
            "group": ["simulated", "simulated", "baseline"],
            "condition": ["body_only", "background_only", "body_only"],
            "accuracy": [0.9, 0.7, 0.22],
            "ci_low": [0.8, 0.6, 0.15],
            "ci_high": [0.95, 0.8, 0.3],
        }
    )
    conditions = ["body_only", "background_only"]
    said = [accuracy_sentence(accuracy, group, conditions, 0.2) for group in (PEOPLE, BASELINE)]
    assert [plain(sentence) for sentence in said] == [
        "Simulated observers were right in 90.0 % [80.0, 95.0] of body-only clips and 70.0 % "
        "[60.0, 80.0] of background-only clips.",
        "The baseline was right in 22.0 % [15.0, 30.0] of body-only clips (not told from chance).",
    ]


def test_distances_of_all_networks_stand_in_one_sentence():
    said = distance_sentences(distances(-5, -9, -1), [PEOPLE, BASELINE])
    assert [plain(sentence) for sentence in said] == [
        "The distance of the pattern of accuracies from that of the simulated observers (root "
        "mean square over 3 versions) is 30.0 [25.0, 35.0] percentage points for the baseline."
    ]
    assert distance_sentences(distances(-5, -9, -1).iloc[:0], [PEOPLE, BASELINE]) == []
