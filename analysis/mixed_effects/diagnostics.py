"""How well a mixed model describes its data: explained variance and simulated residuals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import kstest

from analysis.mixed_effects.simulate import simulate

if TYPE_CHECKING:
    from analysis.mixed_effects.result import MixedModelResult

Array = np.ndarray
_LINK_VARIANCE = {"logit": np.pi**2 / 3, "probit": 1.0, "cloglog": np.pi**2 / 6}


@dataclass(frozen=True)
class RSquared:
    """Share of variance from fixed effects alone and from fixed and random effects."""

    marginal: float
    conditional: float


def r_squared(model: MixedModelResult) -> RSquared:
    """R2 on the link scale.

    Nakagawa & Schielzeth (2013, Methods Ecol. Evol. 4), with the theoretical variance of the
    link's latent distribution; random slopes as Johnson (2014, Methods Ecol. Evol. 5), by the
    mean variance over rows.
    """
    fixed = float(np.var(model.design.fixed @ model.estimate.beta))
    random = 0.0
    for position, term in enumerate(model.design.random):
        lam = model.estimate.sigma * model.plan.shape.term_factor(model.estimate.theta, position)
        random += float(np.mean(np.sum((term.columns @ lam) ** 2, axis=1)))
    family = model.specification.family
    rest = model.estimate.sigma**2 if family is None else _LINK_VARIANCE[family.base]
    total = fixed + random + rest
    return RSquared(fixed / total, (fixed + random) / total)


@dataclass(frozen=True)
class ScaledResiduals:
    """Simulation residuals, uniform between 0 and 1 under the model.

    ``uniformity_p`` is that of a Kolmogorov-Smirnov test, ``dispersion`` the ratio of the
    response's variance around its expectation to the simulated one, with two-sided p.
    """

    values: Array
    uniformity_p: float
    dispersion: float
    dispersion_p: float


def scaled_residuals(
    model: MixedModelResult, rng: np.random.Generator, n_simulations: int = 250
) -> ScaledResiduals:
    """Rank of each response among responses simulated with new random effects.

    The idea is that of DHARMa (Hartig); ties of discrete responses are broken at random.
    """
    draws = simulate(model, rng, n_simulations)
    response = model.response
    below, equal = (draws < response).sum(axis=0), (draws == response).sum(axis=0)
    values = (below + rng.random(len(response)) * (equal + 1)) / (n_simulations + 1)
    centre = draws.mean(axis=0)
    spreads = ((draws - centre) ** 2).sum(axis=1)
    observed = float(((response - centre) ** 2).sum())
    share = (1 + (spreads >= observed).sum()) / (n_simulations + 1)
    return ScaledResiduals(
        values,
        float(kstest(values, "uniform").pvalue),
        observed / float(spreads.mean()),
        float(min(1.0, 2.0 * min(share, 1.0 - share + 1.0 / (n_simulations + 1)))),
    )
