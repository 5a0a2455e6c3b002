"""A design and a specification to estimates, for as many responses as one likes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from analysis.mixed_effects.assemble import BinomialAssembly, FactorPlan, GaussianAssembly
from analysis.mixed_effects.design import ModelDesign
from analysis.mixed_effects.engine import Estimate, fit_binomial, fit_gaussian
from analysis.mixed_effects.families import BinomialFamily, log_binomial_coefficients
from analysis.mixed_effects.gaussian import GaussianArrays
from analysis.mixed_effects.laplace import BinomialArrays

Array = np.ndarray


@dataclass(frozen=True)
class Specification:
    """How a model was asked for; ``family`` is None for a gaussian model.

    ``nodes`` is the number of quadrature nodes: 0 first stage, 1 Laplace.
    """

    family: BinomialFamily | None
    reml: bool
    nodes: int

    @property
    def name(self) -> str:
        """Family and link in words."""
        if self.family is None:
            return "gaussian (identity)"
        floor = f", floor {self.family.floor:.3g}" if self.family.floor else ""
        return f"binomial ({self.family.link}{floor})"

    @property
    def method(self) -> str:
        """Estimation method in words."""
        if self.family is None:
            return "REML" if self.reml else "maximum likelihood"
        if self.nodes > 1:
            return f"maximum likelihood, adaptive Gauss-Hermite quadrature, {self.nodes} nodes"
        step = "Laplace approximation" if self.nodes == 1 else "first stage only, nAGQ = 0"
        return f"maximum likelihood ({step})"


class Estimator:
    """Fits one model to any response; the work on the design is done once.

    Parameters
    ----------
    design : ModelDesign
    specification : Specification
    """

    def __init__(self, design: ModelDesign, specification: Specification) -> None:
        self.design, self.specification = design, specification
        gaussian = specification.family is None
        self._assembly = GaussianAssembly(design) if gaussian else BinomialAssembly(design)
        self.scaling = self._assembly.scaling

    @property
    def plan(self) -> FactorPlan:
        """Which terms share a grouping factor."""
        return self._assembly.plan

    def arrays(self, response: Array) -> BinomialArrays | GaussianArrays:
        """The engine's arrays for a response (n_rows,)."""
        if self.specification.family is None:
            return self._assembly.arrays(response)
        return self._assembly.arrays(response, self.design.row_trials)

    def estimate(self, response: Array, start: Estimate | None = None) -> tuple[Estimate, float]:
        """Estimates in the table's units, and the log-likelihood with all constants.

        Parameters
        ----------
        response : (n_rows,) array
            Successes per row, or gaussian values.
        start : Estimate, optional
            Where to begin.
        """
        begin = None if start is None else self.scaling.to_standard(start)
        family, arrays = self.specification.family, self.arrays(response)
        if family is None:
            found = fit_gaussian(
                arrays, self.specification.reml, None if begin is None else begin.theta
            )
            shift = 2.0 * np.log(self.scaling.fixed).sum() if self.specification.reml else 0.0
            found = replace(found, deviance=found.deviance + float(shift))
            return self.scaling.to_original(found), -0.5 * found.deviance
        found = fit_binomial(arrays, family, self.specification.nodes, begin)
        constant = log_binomial_coefficients(response, self.design.row_trials)
        return self.scaling.to_original(found), constant - 0.5 * found.deviance
