"""Metrics against scikit-learn, and by hand where it has no say."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk

from models.metrics import (
    calibration_error,
    classification_metrics,
    macro_averages,
    reliability_bins,
    top_accuracy,
)
from models.score_tables import Scores, score_tables
from study.errors import StudyError

N_BINS = 15


@pytest.fixture(scope="module")
def guesses() -> tuple[np.ndarray, np.ndarray]:
    """Log-probabilities (not scaled to sum to 1) of 12 classes; of the last two, one is never
    shown and one is never answered."""
    rng = np.random.default_rng(3)
    labels = rng.integers(11, size=400)
    labels[:20] = 10
    logits = rng.normal(size=(400, 12))
    logits[np.arange(400), labels] += rng.normal(1.5, 1.0, 400)
    logits[:, 10] -= 15
    scaled = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return scaled - rng.uniform(0, 2, (400, 1)), labels


def test_metrics_are_those_of_scikit_learn(guesses: tuple[np.ndarray, np.ndarray]) -> None:
    scores, labels = guesses
    found = classification_metrics(scores, labels, N_BINS)
    probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    answers = probabilities.argmax(axis=1)
    every, shown = np.arange(12), np.unique(labels)
    assert 11 in answers and 11 not in labels, "a class that is answered, not shown"
    assert 10 in labels and 10 not in answers, "a class that is shown, not answered"
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "y_pred contains classes not in y_true")
        balanced = sk.balanced_accuracy_score(labels, answers)
    precision, recall, f1, _ = sk.precision_recall_fscore_support(
        labels, answers, labels=shown, average="macro", zero_division=0
    )
    expected = {
        "top_1": sk.accuracy_score(labels, answers),
        "top_5": sk.top_k_accuracy_score(labels, probabilities, k=5, labels=every),
        "balanced_accuracy": balanced,
        "precision": precision,
        "recall": recall,
        "f1": f1,
        "log_loss": sk.log_loss(labels, probabilities, labels=every),
        "brier": sk.brier_score_loss(labels, probabilities, labels=every, scale_by_half=False),
    }
    for name, value in expected.items():
        assert found[name] == pytest.approx(value), name
    assert set(found) == {*expected, "ece"}


def test_calibration_by_a_plain_loop(guesses: tuple[np.ndarray, np.ndarray]) -> None:
    scores, labels = guesses
    probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    error = 0.0
    bins = reliability_bins(scores, labels, N_BINS)
    for m in range(N_BINS):
        inside = [
            (p.max(), p.argmax() == label)
            for p, label in zip(probabilities, labels, strict=True)
            if m / N_BINS < p.max() <= (m + 1) / N_BINS
        ]
        assert bins["n"][m] == len(inside)
        if inside:
            sure, right = np.mean([a for a, _ in inside]), np.mean([b for _, b in inside])
            assert (bins["confidence"][m], bins["accuracy"][m]) == pytest.approx((sure, right))
            error += len(inside) / len(labels) * abs(sure - right)
    assert calibration_error(bins) == pytest.approx(error)
    assert classification_metrics(scores, labels, N_BINS)["ece"] == pytest.approx(error)


def test_calibration_by_hand() -> None:
    # Sure to 0.8 twice and right once; sure to exactly 0.5, the upper edge of the first bin.
    scores = np.log([[0.8, 0.2], [0.2, 0.8], [0.5, 0.5]])
    bins = reliability_bins(scores, np.array([0, 0, 0]), 2)
    assert bins["n"].tolist() == [1, 2]
    assert bins["accuracy"].tolist() == [1.0, 0.5]
    np.testing.assert_allclose(bins["confidence"], [0.5, 0.8])
    assert calibration_error(bins) == pytest.approx((0.5 + 2 * 0.3) / 3)
    empty = reliability_bins(scores[:2], np.array([0, 0]), 2)
    assert empty["n"].tolist() == [0, 2] and np.isnan(empty["accuracy"][0])
    assert calibration_error(empty) == pytest.approx(0.3)


def test_certainty_stays_in_the_last_bin() -> None:
    scores = np.array([[0.0, -800.0], [-800.0, 0.0]])
    found = classification_metrics(scores, np.array([0, 0]), 10)
    assert found["ece"] == pytest.approx(0.5)
    assert found["log_loss"] == pytest.approx(400.0), "finite, however wrong"
    assert found["brier"] == pytest.approx(1.0)


def test_ties_go_to_the_first_class() -> None:
    scores = np.zeros((2, 7))
    assert top_accuracy(scores, np.array([0, 6]), 1) == 0.5
    assert top_accuracy(scores, np.array([4, 5]), 5) == 0.5
    assert top_accuracy(np.zeros((1, 3)), np.array([2]), 5) == 1.0


def test_what_is_never_answered_counts_as_zero() -> None:
    found = macro_averages(np.array([2, 2, 2]), np.array([0, 0, 1]))
    assert set(found.values()) == {0.0}


def test_tables_say_who_and_how_many() -> None:
    stimuli = pd.DataFrame(
        {
            "stimulus_id": list("abcd"),
            "clip_id": list("abcd"),
            "action": ["run", "run", "bow", "wave"],
            "condition": ["body_only", "body_background", "body_only", "body_only"],
            "group": "net",
            "reading": "plain",
        }
    )
    values = np.log([[0.7, 0.2, 0.1], [0.1, 0.7, 0.2], [0.1, 0.2, 0.7], [0.1, 0.2, 0.7]])
    scores = Scores(stimuli, values, ["run", "bow", "wave"])
    choices = pd.DataFrame(
        {"action": ["run", "bow"], "choice_1": ["run", "bow"], "choice_2": ["wave", "run"]}
    )
    tables = score_tables(scores, choices, "net-seed0", 5)
    metrics = tables.metrics.set_index(["condition", "metric"])[["value", "n"]]
    assert tuple(metrics.loc[("body_only", "accuracy_choices")]) == (1.0, 2)
    assert tuple(metrics.loc[("body_only", "top_1")]) == pytest.approx((2 / 3, 3))
    assert tuple(metrics.loc[("body_background", "accuracy_choices")]) == (0.0, 1)
    confusions = tables.confusions[tables.confusions["condition"] == "body_only"]
    assert confusions[["action", "response", "n"]].to_numpy().tolist() == [
        ["bow", "wave", 1],
        ["run", "run", 1],
        ["wave", "wave", 1],
    ]
    assert len(tables.reliability) == 2 * 5
    with pytest.raises(StudyError, match="'wave', which is not among its 2 classes"):
        score_tables(Scores(stimuli, values[:, :2], ["run", "bow"]), choices, "net", 5)
