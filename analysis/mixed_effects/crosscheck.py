"""The same model by other software, where it is installed: statsmodels, or lme4 by Rscript.

Only fixed effects and the log-likelihood come back: enough to see whether two engines agree.
statsmodels has no correlated crossed terms, and its binomial model is a variational
approximation whose standard errors are far too small; lme4 is the one to trust.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.mixed_effects.design import ModelDesign
from analysis.mixed_effects.estimation import Specification

Array = np.ndarray
ENGINES = ("native", "statsmodels", "lme4")
_R_SCRIPT = Path(__file__).with_name("lme4.R")


@dataclass(frozen=True)
class CrossCheck:
    """``fixed`` has term, estimate and se; ``loglik`` is None where the engine has none."""

    engine: str
    fixed: pd.DataFrame
    loglik: float | None


def cross_check(
    engine: str, design: ModelDesign, specification: Specification, response: Array
) -> CrossCheck:
    """Fit by ``engine``.

    Raises
    ------
    ValueError
        If the engine cannot fit such a model.
    RuntimeError
        If it is not installed or fails.
    """
    if engine == "lme4":
        return _by_lme4(design, specification)
    if specification.family is None:
        return _by_statsmodels_linear(design, specification, response)
    return _by_statsmodels_binomial(design, specification, response)


def _by_lme4(design: ModelDesign, specification: Specification) -> CrossCheck:
    if shutil.which("Rscript") is None:
        raise RuntimeError("engine='lme4' needs Rscript with the package lme4 on the PATH")
    family = specification.family
    if family is not None and family.floor:
        raise ValueError(f"lme4 has no link {family.link!r} of its own")
    with tempfile.TemporaryDirectory() as folder:
        table, levels, out = (Path(folder) / name for name in ("data.csv", "levels.csv", "out.csv"))
        design.table.to_csv(table, index=False)
        _level_table(design.table).to_csv(levels, index=False)
        link = "gaussian" if family is None else family.link
        method = specification.nodes if family is not None else int(specification.reml)
        files = [str(path) for path in (table, levels, out)]
        command = ["Rscript", str(_R_SCRIPT), *files, design.formula.text, link, str(method)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"lme4 failed: {done.stderr.strip()[-500:]}")
        fixed = pd.read_csv(out)
    loglik = float(fixed.pop("loglik").iloc[0])
    return CrossCheck("lme4", fixed, loglik)


def _level_table(table: pd.DataFrame) -> pd.DataFrame:
    """Order of every factor's levels: column, level."""
    rows = [
        (name, level)
        for name in table.columns
        if isinstance(table[name].dtype, pd.CategoricalDtype)
        for level in table[name].cat.categories
    ]
    return pd.DataFrame(rows, columns=["column", "level"])


def _by_statsmodels_linear(
    design: ModelDesign, specification: Specification, response: Array
) -> CrossCheck:
    from statsmodels.regression.mixed_linear_model import MixedLM, VCSpec

    if (design.weights != 1).any():
        raise ValueError("statsmodels' MixedLM takes no weights")
    names, blocks = _independent_blocks(design)
    labels = [[[f"{name}.{k}" for k in range(b.shape[1])]] for name, b in blocks.items()]
    spec = VCSpec(names, labels, [[block] for block in blocks.values()])
    model = MixedLM(response - design.offset, design.fixed, np.zeros(design.n_rows), exog_vc=spec)
    # Its other optimisers report convergence with wrong variances where terms are crossed.
    found = model.fit(reml=specification.reml, method="powell")
    return CrossCheck(
        "statsmodels", _fixed_table(design, found.fe_params, found.bse_fe), float(found.llf)
    )


def _by_statsmodels_binomial(
    design: ModelDesign, specification: Specification, response: Array
) -> CrossCheck:
    from statsmodels.genmod.bayes_mixed_glm import BinomialBayesMixedGLM

    if specification.family.link != "logit" or (design.row_trials != 1).any():
        raise ValueError("statsmodels' binomial mixed model has single trials and a logit only")
    if design.offset.any():
        raise ValueError("statsmodels' binomial mixed model takes no offset")
    _, blocks = _independent_blocks(design)
    ident = np.repeat(np.arange(len(blocks)), [b.shape[1] for b in blocks.values()])
    random = np.hstack(list(blocks.values()))
    found = BinomialBayesMixedGLM(response, design.fixed, random, ident).fit_vb()
    return CrossCheck("statsmodels", _fixed_table(design, found.fe_mean, found.fe_sd), None)


def _independent_blocks(design: ModelDesign) -> tuple[list[str], dict[str, Array]]:
    """Z of each scalar term, (n, n_levels)."""
    blocks = {}
    for term in design.random:
        if term.columns.shape[1] > 1:
            raise ValueError(
                f"statsmodels has no correlated term such as ({term.term.expression} | "
                f"{term.group}) beside crossed ones"
            )
        block = np.zeros((design.n_rows, len(term.levels)))
        block[np.arange(design.n_rows), term.index] = term.columns[:, 0]
        blocks[f"{term.group} {term.names[0]}"] = block
    return list(blocks), blocks


def _fixed_table(design: ModelDesign, estimate: Array, se: Array) -> pd.DataFrame:
    return pd.DataFrame(
        {"term": list(design.fixed_names), "estimate": np.asarray(estimate), "se": np.asarray(se)}
    )
