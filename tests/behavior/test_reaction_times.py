"""Reaction times of simulated observers against closed forms and a walk in small steps."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from behavior.reaction_times import decision_time, reaction_time
from study.fields import Observers


def moments(drift: float, boundary: float) -> tuple[float, float]:
    """Mean and variance of the decision time (Wagenmakers et al., 2007, equations 6 and 9)."""
    if drift == 0.0:
        return boundary**2 / 4, boundary**4 / 24
    y = -drift * boundary
    mean = boundary / (2 * drift) * (1 - math.exp(y)) / (1 + math.exp(y))
    top = 2 * y * math.exp(y) - math.exp(2 * y) + 1
    return mean, boundary / (2 * drift**3) * top / (math.exp(y) + 1) ** 2


@pytest.mark.parametrize("boundary", [0.8, 1.6, 3.0])
@pytest.mark.parametrize("eta", [-4.0, 0.0, 0.5, 2.0, 8.0, 20.0])
def test_decision_times_have_the_moments_of_the_diffusion(eta: float, boundary: float):
    # Midpoints of equal shares stand for a sample without noise.
    n = 4000
    times = np.array([decision_time(eta, boundary, (i + 0.5) / n) for i in range(n)])
    mean, variance = moments(abs(eta) / boundary, boundary)
    assert times.mean() == pytest.approx(mean, rel=2e-3)
    assert times.var() == pytest.approx(variance, rel=2e-2)


def test_decision_times_are_those_of_a_random_walk():
    boundary, eta, step_s, n = 1.2, 1.5, 2e-4, 3000
    rng = np.random.default_rng(0)
    place, time, times = np.full(n, boundary / 2), 0.0, []
    upper = 0
    while len(place):
        time += step_s
        place = place + eta / boundary * step_s + rng.normal(0, math.sqrt(step_s), len(place))
        over = (place <= 0) | (place >= boundary)
        upper += int((place >= boundary).sum())
        times += [time] * int(over.sum())
        place = place[~over]
    assert upper / n == pytest.approx(1 / (1 + math.exp(-eta)), abs=0.03)
    ours = [decision_time(eta, boundary, u) for u in rng.random(n)]
    # A walk in steps overshoots: it is late by about 0.58 sqrt(step) / drift-free speed.
    assert stats.ks_2samp(times, ours).statistic < 0.05


def test_infinite_logits_and_extreme_quantiles_have_a_time():
    for eta in (-math.inf, math.inf, 0.0):
        for quantile in (0.0, 1e-9, 1 - 1e-15):
            assert 0.0 < decision_time(eta, 1.6, quantile) < 100.0


def test_diffusion_answers_faster_where_the_action_is_seen_well():
    settings = Observers(rt_model="diffusion", diffusion_boundary=1.6, diffusion_non_decision_s=0.5)
    rng = np.random.default_rng(1)
    easy = [reaction_time(settings, 4.0, rng) for _ in range(500)]
    hard = [reaction_time(settings, 0.0, rng) for _ in range(500)]
    assert np.mean(easy) + 0.2 < np.mean(hard)
    assert min(easy + hard) > 0.5


def test_ex_gaussian_does_not_depend_on_the_logit():
    first = reaction_time(Observers(), -3.0, np.random.default_rng(2))
    assert reaction_time(Observers(), 3.0, np.random.default_rng(2)) == first
