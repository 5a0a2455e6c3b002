"""How long simulated observers take: an ex-Gaussian, or a diffusion between two boundaries."""

from __future__ import annotations

import math

import numpy as np
from scipy.optimize import brentq

from study.fields import Observers

# Beyond, the diffusion is as good as deterministic, and the series loses digits.
MOST_LOGITS = 30.0
# Odd terms of the series; enough from 0.4 % of boundary squared on, before which nobody is done.
TERMS = np.arange(1, 160, 2)
SIGNS = np.where(TERMS % 4 == 1, 1.0, -1.0)
EARLIEST, LATEST = 0.004, 200.0


def reaction_time(settings: Observers, eta: float, rng: np.random.Generator) -> float:
    """Draw a reaction time, seconds, rounded to a tenth of a millisecond.

    Parameters
    ----------
    settings : Observers
        Says which model and its parameters.
    eta : float
        Logit of seeing the action; the ex-Gaussian does not depend on it.
    rng : numpy.random.Generator
    """
    if settings.rt_model == "diffusion":
        decision_s = decision_time(eta, settings.diffusion_boundary, rng.random())
        return round(settings.diffusion_non_decision_s + decision_s, 4)
    return _ex_gaussian(settings, rng)


def decision_time(eta: float, boundary: float, quantile: float) -> float:
    """Return a quantile of the first-passage time of a diffusion that starts half-way.

    Evidence starts at a/2 between the boundaries 0 and a and drifts by v per second with unit
    noise. It ends at the upper one with probability ``logistic(a v)`` (Ratcliff, 1978), so the
    drift that goes with a logit is ``v = eta / a``. Half-way, the time has the same distribution at
    both boundaries; what is left of it at t is ``cosh(a v / 2) * sum over odd k of +-(2 k pi / a^2)
    exp(-l_k t) / l_k`` with ``l_k = v^2 / 2 + (k pi / a)^2 / 2`` and alternating signs (Feller,
    1968, XIV.6, integrated). The series is solved for t, so the draw is exact, without time steps.

    Parameters
    ----------
    eta : float
        Logit, held within 30.
    boundary : float
        Distance of the boundaries, a.
    quantile : float
        0..1; a uniform draw gives a random time.

    Returns
    -------
    float
        Seconds.
    """
    logit = max(-MOST_LOGITS, min(MOST_LOGITS, eta))
    # In units of a^2 the boundary is 1 and the drift is the logit.
    rates = (logit**2 + (TERMS * math.pi) ** 2) / 2.0
    weights = math.cosh(logit / 2.0) * SIGNS * 2.0 * TERMS * math.pi / rates

    def left_minus_wanted(t: float) -> float:
        return float(weights @ np.exp(-rates * t)) - (1.0 - quantile)

    if left_minus_wanted(EARLIEST) <= 0.0:
        return EARLIEST * boundary**2
    if left_minus_wanted(LATEST) >= 0.0:
        return LATEST * boundary**2
    return boundary**2 * float(brentq(left_minus_wanted, EARLIEST, LATEST, xtol=1e-9))


def _ex_gaussian(settings: Observers, rng: np.random.Generator) -> float:
    """Draw from an ex-Gaussian distribution, seconds; nobody answers before the choices."""
    rt_s = 0.0
    while rt_s <= 0.0:
        rt_s = rng.normal(settings.rt_mu_s, settings.rt_sigma_s)
        rt_s += rng.exponential(settings.rt_tau_s)
    return round(rt_s, 4)
