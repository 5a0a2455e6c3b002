"""Simulated observers: what was asked for comes out, always marked, the same every time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from behavior.simulated import simulate_observers
from study.errors import StudyError
from study.tables import read_table

ACCURACY = {"body_background": 0.95, "body_only": 0.6, "background_only": 0.3}


@pytest.fixture(scope="module")
def median_observers(planned: Callable) -> pd.DataFrame:
    """4,500 answers of observers who, like the clips, are all median ones."""
    study, results = planned(45, 100, accuracy=ACCURACY, observer_sd=0.0, item_sd=0.0, lapse=0.04)
    return read_table("responses", simulate_observers(study, results))


def test_the_median_observer_has_the_accuracy_asked_for(median_observers: pd.DataFrame):
    for condition, rows in median_observers.groupby("condition"):
        test = stats.binomtest(int(rows["correct"].sum()), len(rows), ACCURACY[condition])
        assert len(rows) == 1500
        assert test.pvalue > 0.001, condition


def test_errors_fall_on_all_foils_alike(median_observers: pd.DataFrame):
    wrong = median_observers[median_observers["correct"] == 0]
    foils = [
        [label for label in choices.split("|") if label != action].index(response)
        for choices, action, response in zip(
            wrong["choices"], wrong["action"], wrong["response"], strict=True
        )
    ]
    counts = np.bincount(foils, minlength=4)
    assert counts.sum() > 1000
    assert stats.chisquare(counts).pvalue > 0.001


def test_reaction_times_are_ex_gaussian(median_observers: pd.DataFrame):
    rt_s = median_observers["rt_s"]
    # The study's defaults; scipy's K is tau / sigma.
    reference = stats.exponnorm(K=0.45 / 0.15, loc=0.9, scale=0.15)
    assert stats.kstest(rt_s, reference.cdf).pvalue > 0.001
    assert (rt_s > 0).all()


def test_observers_and_clips_differ_as_asked(planned: Callable):
    same = ACCURACY | {"body_background": 0.6, "background_only": 0.6}
    study, results = planned(60, 60, accuracy=same, observer_sd=1.0, item_sd=0.0, lapse=0.0)
    table = read_table("responses", simulate_observers(study, results))
    # Between observers the variance is that of the model, in excess of chance in 60 answers.
    shares = table.groupby("observer")["correct"].mean()
    eta = np.random.default_rng(0).normal(0.0, 1.0, 100_000)
    truth = 0.2 + 0.8 / (1 + np.exp(-eta))
    expected = truth.var() + np.mean(truth * (1 - truth)) / 60
    assert 0.6 < shares.var() / expected < 1.6
    # Clips do not differ: their shares vary by chance alone.
    by_clip = table.groupby("clip_id")["correct"].mean()
    assert by_clip.var() < 2 * truth.mean() * (1 - truth.mean()) / 60


def test_rows_are_marked_and_carry_no_time(median_observers: pd.DataFrame):
    assert set(median_observers["group"]) == {"simulated"}
    assert set(median_observers["time_utc"]) == {""}
    assert median_observers["observer"].nunique() == 45


def test_equal_runs_give_equal_bytes(planned: Callable):
    study, results = planned(6, 12)
    first = simulate_observers(study, results).read_bytes()
    assert simulate_observers(study, results).read_bytes() == first
    other = study.model_copy(update={"seed": 4})
    assert simulate_observers(other, results).read_bytes() != first


def test_answers_do_not_depend_on_who_comes_after(planned: Callable):
    study, results = planned(6, 12)
    all_rows = read_table("responses", simulate_observers(study, results))
    trials = pd.read_csv(results.trials, dtype={"participant": str})
    trials[trials["participant"].isin(["01", "02"])].to_csv(results.trials, index=False)
    fewer = read_table("responses", simulate_observers(study, results))
    assert set(fewer["observer"]) == {"01", "02"}
    pd.testing.assert_frame_equal(fewer, all_rows[all_rows["observer"].isin(["01", "02"])])


@pytest.mark.parametrize(
    ("observers", "said"),
    [
        ({"accuracy": ACCURACY | {"body_only": 0.1}}, r"observers\.accuracy\.body_only: expected"),
        ({"accuracy": ACCURACY | {"body_only": 1.0}}, r"found 1$"),
        ({"accuracy": {"body_only": 0.5}}, r"observers\.accuracy: missing background_only"),
    ],
)
def test_impossible_observers_are_refused(planned: Callable, observers: dict, said: str):
    study, results = planned(3, 6, **observers)
    with pytest.raises(StudyError, match=said):
        simulate_observers(study, results)
    assert not results.simulated_responses.exists()


def test_a_study_without_observers_says_so(planned: Callable):
    study, results = planned(3, 6, simulate=False)
    with pytest.raises(StudyError, match=r"observers\.simulate = false"):
        simulate_observers(study, results)
