"""A fitted mixed model: its tables, and what can be asked of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from analysis.mixed_effects import diagnostics, intervals, simulate, wald
from analysis.mixed_effects import emmeans as means
from analysis.mixed_effects.assemble import FactorPlan, effect_table
from analysis.mixed_effects.design import ModelDesign
from analysis.mixed_effects.engine import Estimate
from analysis.mixed_effects.estimation import Specification
from analysis.mixed_effects.summary import summarise

Array = np.ndarray


@dataclass(frozen=True)
class MixedModelResult:
    """A fitted mixed model.

    Attributes
    ----------
    design : ModelDesign
        Formula, table of the rows used and arrays.
    specification : Specification
    estimate : Estimate
        What the engine found, theta and Hessian included.
    response : (n,) array
        Successes per row, or gaussian values.
    loglik : float
        Log-likelihood (restricted for REML) with all constants.
    """

    design: ModelDesign
    specification: Specification
    plan: FactorPlan
    estimate: Estimate
    response: Array
    loglik: float

    @property
    def formula(self) -> str:
        """The formula as given."""
        return self.design.formula.text

    @property
    def n_rows(self) -> int:
        """Rows used."""
        return self.design.n_rows

    @property
    def n_dropped(self) -> int:
        """Rows left out for missing values."""
        return self.design.n_dropped

    @property
    def n_parameters(self) -> int:
        """Fixed effects, covariance parameters and, if gaussian, the residual variance."""
        gaussian = self.specification.family is None
        return len(self.estimate.beta) + len(self.estimate.theta) + int(gaussian)

    @property
    def aic(self) -> float:
        """Akaike's criterion."""
        return -2.0 * self.loglik + 2.0 * self.n_parameters

    @property
    def bic(self) -> float:
        """Schwarz's criterion, with the number of rows."""
        return -2.0 * self.loglik + np.log(self.n_rows) * self.n_parameters

    @property
    def converged(self) -> bool:
        """Whether the optimum was reached."""
        return self.estimate.converged

    @property
    def singular(self) -> bool:
        """Whether some random-effect covariance is at the boundary."""
        return self.estimate.singular

    @property
    def message(self) -> str:
        """How the fit ended, with the terms at the boundary by name."""
        parts = ["converged" if self.converged else "not converged"]
        if not self.converged:
            parts.append(
                f"a Newton step would still lower the deviance by {self.estimate.gain:.2g}"
                if self.estimate.hessian_definite
                else "the Hessian has a direction of descent"
            )
        if self.singular:
            parts.append(f"singular fit (boundary): {', '.join(self._singular_terms())}")
        return "; ".join(parts)

    @cached_property
    def vcov(self) -> pd.DataFrame:
        """Covariance of the fixed effects."""
        names = list(self.design.fixed_names)
        return pd.DataFrame(self.estimate.vcov, index=names, columns=names)

    @cached_property
    def fixed(self) -> pd.DataFrame:
        """Fixed effects: term, estimate, se, z, p (Wald), ci_low, ci_high (95 %)."""
        return self.fixed_table()

    @property
    def smallest_df(self) -> int:
        """Levels of the smallest grouping factor less one.

        A cautious choice of degrees of freedom for few observers, where intervals of the normal
        distribution are a little narrow.
        """
        return min(len(term.levels) for term in self.design.random) - 1

    def fixed_table(self, level: float = 0.95, df: float | None = None) -> pd.DataFrame:
        """Fixed effects as in `fixed`, with another level or with Student's t."""
        table = wald.wald_table(self.estimate.beta, np.sqrt(np.diag(self.estimate.vcov)), level, df)
        table.insert(0, "term", list(self.design.fixed_names))
        return table

    @cached_property
    def random_covariances(self) -> dict[str, pd.DataFrame]:
        """Covariance matrix of each random term; a second term of a group is ``group.1``."""
        out: dict[str, pd.DataFrame] = {}
        for position, term in enumerate(self.design.random):
            lam = self.plan.shape.term_factor(self.estimate.theta, position)
            repeat = sum(earlier.group == term.group for earlier in self.design.random[:position])
            key = f"{term.group}.{repeat}" if repeat else term.group
            names = list(term.names)
            matrix = self.estimate.sigma**2 * lam @ lam.T
            out[key] = pd.DataFrame(matrix, index=names, columns=names)
        return out

    @cached_property
    def random(self) -> pd.DataFrame:
        """Random effects: group, term, variance, sd, correlations with the terms above it."""
        rows = []
        for group, covariance in self.random_covariances.items():
            sds = np.sqrt(np.diag(covariance))
            with np.errstate(invalid="ignore", divide="ignore"):
                correlation = covariance.to_numpy() / np.outer(sds, sds)
            rows.extend(
                (group, term, sds[k] ** 2, sds[k], tuple(map(float, correlation[k, :k])))
                for k, term in enumerate(covariance.columns)
            )
        if self.specification.family is None:
            rows.append(("Residual", "", self.estimate.sigma**2, self.estimate.sigma, ()))
        return pd.DataFrame(rows, columns=["group", "term", "variance", "sd", "correlations"])

    @cached_property
    def blups(self) -> pd.DataFrame:
        """Conditional modes of the random effects: group, level, term, estimate, sd.

        ``sd`` is conditional on the fixed effects and variances, as lme4's condsd.
        """
        estimate = self.estimate
        return effect_table(self.design, self.plan, estimate.effects, estimate.effect_sds)

    @cached_property
    def linear_predictor(self) -> Array:
        """X beta + Z b + offset of every row used (n,)."""
        eta = self.design.fixed @ self.estimate.beta + self.design.offset
        for position, term in enumerate(self.design.random):
            shape = self.plan.shape.terms[position]
            part = slice(shape.start, shape.start + shape.width)
            effects = self.estimate.effects[shape.factor][:, part]
            eta = eta + np.einsum("nq,nq->n", term.columns, effects[term.index])
        return eta

    @property
    def fitted(self) -> Array:
        """Fitted means on the response scale (n,)."""
        family = self.specification.family
        return self.linear_predictor if family is None else family.mean(self.linear_predictor)

    def emmeans(
        self,
        specs: str | Sequence[str],
        by: str | Sequence[str] | None = None,
        scale: str = "link",
        level: float = 0.95,
        df: float | None = None,
    ) -> pd.DataFrame:
        """Estimated marginal means; see `analysis.mixed_effects.emmeans.marginal_means`."""
        return means.marginal_means(self, specs, by, scale, level, df)

    def contrasts(
        self,
        specs: str | Sequence[str],
        by: str | Sequence[str] | None = None,
        adjust: str = "holm",
        scale: str = "link",
        level: float = 0.95,
        df: float | None = None,
    ) -> pd.DataFrame:
        """Pairwise differences; see `analysis.mixed_effects.emmeans.pairwise_contrasts`."""
        return means.pairwise_contrasts(self, specs, by, adjust, scale, level, df)

    def type_three(self) -> pd.DataFrame:
        """Joint Wald test of each term; see `analysis.mixed_effects.wald.type_three_table`."""
        return wald.type_three_table(self)

    def predict(
        self,
        data: pd.DataFrame | None = None,
        random: bool = True,
        scale: str = "response",
        new_levels: bool = False,
        offset: Sequence[float] | None = None,
    ) -> Array:
        """Predicted means (n,); see `analysis.mixed_effects.simulate.predict`."""
        return simulate.predict(self, data, random, scale, new_levels, offset)

    def simulate(self, rng: np.random.Generator, n: int = 1, random: str = "new") -> Array:
        """Simulated responses (n, n_rows); see `analysis.mixed_effects.simulate.simulate`."""
        return simulate.simulate(self, rng, n, random)

    def refit(self, response: Array) -> MixedModelResult:
        """The same model for another response (n_rows,); `simulate.Refitter` for many."""
        return simulate.Refitter(self)(response)

    def profile(self, which: str | Sequence[str] = "all", level: float = 0.95) -> pd.DataFrame:
        """Profile intervals of all parameters; see `analysis.mixed_effects.intervals.profile`."""
        return intervals.profile(self, which, level)

    def profile_intervals(
        self, terms: list[str] | None = None, level: float = 0.95
    ) -> pd.DataFrame:
        """Profile intervals of fixed effects: term, estimate, ci_low, ci_high."""
        return intervals.profile_intervals(self, terms, level)

    def bootstrap(self, rng: np.random.Generator, n: int = 1000) -> intervals.Bootstrap:
        """Parametric bootstrap with its `intervals()`."""
        return intervals.parametric_bootstrap(self, rng, n)

    def r_squared(self) -> diagnostics.RSquared:
        """Nakagawa's marginal and conditional R2."""
        return diagnostics.r_squared(self)

    def scaled_residuals(
        self, rng: np.random.Generator, n_simulations: int = 250
    ) -> diagnostics.ScaledResiduals:
        """Residuals that are uniform if the model is right."""
        return diagnostics.scaled_residuals(self, rng, n_simulations)

    def summary(self) -> str:
        """The model as text, in the order that an lme4 user expects."""
        return summarise(self)

    def __str__(self) -> str:
        return self.summary()

    def _singular_terms(self) -> list[str]:
        names = []
        for group, covariance in self.random_covariances.items():
            scale = np.sqrt(np.diag(covariance)) / self.estimate.sigma
            zero = [t for t, s in zip(covariance.columns, scale, strict=True) if s < 1e-3]
            if zero:
                names.append(f"variance of {' and '.join(zero)} within {group} is zero")
            elif np.linalg.eigvalsh(covariance)[0] < 1e-6 * self.estimate.sigma**2:
                names.append(f"correlations within {group} ({', '.join(covariance.columns)})")
        return names
