"""Mixed-effects models with lme4's formulas: binomial and gaussian, crossed random effects.

`fit` gives a `MixedModelResult`. The specification (formula, design, links) is apart from the
engine, which takes arrays and needs numpy and scipy only.
"""

from __future__ import annotations

from analysis.mixed_effects.crosscheck import CrossCheck
from analysis.mixed_effects.fitting import fit
from analysis.mixed_effects.result import MixedModelResult
from analysis.mixed_effects.simulate import Refitter
from analysis.mixed_effects.wald import likelihood_ratio_test

__all__ = ["CrossCheck", "MixedModelResult", "Refitter", "fit", "likelihood_ratio_test"]
