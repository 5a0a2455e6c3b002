"""Binomial response on the scale of the linear predictor: links, scores and weights.

For a success probability mu(eta) with m trials and k successes per row the engine needs the
log-likelihood, its first derivative (score), the expected information (Fisher weight, which is
what lme4's Laplace approximation uses), that weight's derivative, and the observed information.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, gammaln, log_expit, log_ndtr, ndtr, ndtri

Array = np.ndarray
LINKS = ("logit", "probit", "cloglog", "mafc_logit", "mafc_probit")
_TINY = 1e-300


@dataclass(frozen=True)
class Moments:
    """Per row: score, Fisher weight and its derivative, observed information."""

    score: Array
    weight: Array
    weight_slope: Array
    observed: Array


class BinomialFamily:
    """Binomial family with one of the links in ``LINKS``.

    Parameters
    ----------
    link : str
        ``mafc_logit`` and ``mafc_probit`` add a guessing floor:
        mu = floor + (1 - floor) g(eta), as in psychometric functions for forced choice.
    floor : float
        Guessing rate, 0 for the ordinary links.
    """

    def __init__(self, link: str = "logit", floor: float = 0.0) -> None:
        if link not in LINKS:
            raise ValueError(f"link must be one of {', '.join(LINKS)}; got {link!r}")
        if not 0.0 <= floor < 1.0:
            raise ValueError(f"floor must be at least 0 and below 1; got {floor}")
        if link.startswith("mafc") != (floor > 0):
            raise ValueError(f"link {link!r} with floor {floor}: a floor goes with the mafc links")
        self.link, self.floor = link, float(floor)
        self.base = link.removeprefix("mafc_")
        self.canonical = link == "logit"

    def mean(self, eta: Array) -> Array:
        """Success probability."""
        return self.floor + (1.0 - self.floor) * self._upper_lower(np.asarray(eta, float))[0]

    def mean_slope(self, eta: Array) -> Array:
        """d mean / d eta."""
        return (1.0 - self.floor) * self._slopes(np.asarray(eta, float))[0]

    def linear(self, mean: Array) -> Array:
        """Inverse of `mean`; probabilities at or below the floor go just above it."""
        g = np.clip((np.asarray(mean, float) - self.floor) / (1.0 - self.floor), 1e-10, 1 - 1e-10)
        if self.base == "logit":
            return np.log(g) - np.log1p(-g)
        return ndtri(g) if self.base == "probit" else np.log(-np.log1p(-g))

    def _upper_lower(self, eta: Array) -> tuple[Array, Array]:
        """g(eta) and 1 - g(eta), each without cancellation."""
        if self.base == "logit":
            return expit(eta), expit(-eta)
        if self.base == "probit":
            return ndtr(eta), ndtr(-eta)
        hazard = np.exp(np.minimum(eta, 600.0))
        return -np.expm1(-hazard), np.exp(-hazard)

    def _slopes(self, eta: Array) -> tuple[Array, Array]:
        """First and second derivative of g."""
        if self.base == "logit":
            upper, lower = self._upper_lower(eta)
            return upper * lower, upper * lower * (lower - upper)
        if self.base == "probit":
            density = np.exp(-0.5 * eta**2) / np.sqrt(2 * np.pi)
            return density, -eta * density
        hazard = np.exp(np.minimum(eta, 600.0))
        slope = hazard * np.exp(-hazard)
        return slope, slope * (1.0 - hazard)

    def log_likelihood(self, eta: Array, successes: Array, trials: Array) -> float:
        """Sum over rows, without binomial coefficients."""
        if self.canonical:
            softplus = np.maximum(eta, 0.0) + np.log1p(np.exp(-np.abs(eta)))
            return float(successes @ eta - trials @ softplus)
        return float(self.row_log_likelihood(eta, successes, trials).sum())

    def row_log_likelihood(self, eta: Array, successes: Array, trials: Array) -> Array:
        """Of each row (n,), without binomial coefficients."""
        upper, lower = self._log_probabilities(eta)
        return successes * upper + (trials - successes) * lower

    def _log_probabilities(self, eta: Array) -> tuple[Array, Array]:
        """Logarithms of the mean and of one minus the mean."""
        if self.canonical:
            return log_expit(eta), log_expit(-eta)
        if self.link == "probit":
            return log_ndtr(eta), log_ndtr(-eta)
        upper, lower = self._upper_lower(eta)
        mean, rest = self.floor + (1 - self.floor) * upper, (1 - self.floor) * lower
        return np.log(np.maximum(mean, _TINY)), np.log(np.maximum(rest, _TINY))

    def moments(self, eta: Array, successes: Array, trials: Array) -> Moments:
        """Score and weights of each row."""
        if self.canonical:
            mean = expit(eta)
            weight = trials * mean * (1.0 - mean)
            slope = weight * (1.0 - 2.0 * mean)
            return Moments(successes - trials * mean, weight, slope, weight)
        upper, lower = self._upper_lower(eta)
        mean, rest = self.floor + (1 - self.floor) * upper, (1 - self.floor) * lower
        first, second = (x * (1 - self.floor) for x in self._slopes(eta))
        # Far tails have no information left; the clip keeps ratios finite there.
        variance = np.maximum(mean * rest, 1e-14)
        ratio = first / variance
        residual = successes - trials * mean
        ratio_slope = second / variance - ratio**2 * (rest - mean)
        weight = trials * first * ratio
        weight_slope = trials * ratio * (2.0 * second - first * ratio * (rest - mean))
        return Moments(residual * ratio, weight, weight_slope, weight - residual * ratio_slope)


def log_binomial_coefficients(successes: Array, trials: Array) -> float:
    """Sum of log binomial coefficients, the constant that joins grouped and single trials."""
    failures = trials - successes
    return float(np.sum(gammaln(trials + 1) - gammaln(successes + 1) - gammaln(failures + 1)))
