"""A fitted mixed model as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from analysis.mixed_effects.result import MixedModelResult


def summarise(model: MixedModelResult) -> str:
    """Sections as in lme4: method, fit, random effects, fixed effects, message."""
    gaussian = model.specification.family is None
    criterion = "REML log-likelihood" if gaussian and model.specification.reml else "logLik"
    lines = [
        f"Mixed model fitted by {model.specification.method}",
        f" Family: {model.specification.name}",
        f"Formula: {model.formula}",
        "",
        f"AIC {model.aic:.1f}   BIC {model.bic:.1f}   {criterion} {model.loglik:.4f}   "
        f"parameters {model.n_parameters}",
        "",
        "Random effects:",
        *_random_lines(model),
        _counts_line(model),
        "",
        "Fixed effects:",
        *_fixed_lines(model),
        "",
        f"Convergence: {model.message}",
    ]
    return "\n".join(lines)


def _random_lines(model: MixedModelResult) -> list[str]:
    rows = [("Groups", "Name", "Variance", "Std.Dev.", "Corr")]
    previous = None
    for row in model.random.itertuples(index=False):
        corr = " ".join(f"{value:5.2f}" for value in row.correlations)
        label = "" if row.group == previous else row.group
        rows.append((label, row.term, f"{row.variance:.6f}", f"{row.sd:.5f}", corr))
        previous = row.group
    return _align(rows, left=2)


def _counts_line(model: MixedModelResult) -> str:
    groups = {term.group: len(term.levels) for term in model.design.random}
    counts = "; ".join(f"{name}, {count}" for name, count in groups.items())
    dropped = f" ({model.n_dropped} dropped for missing values)" if model.n_dropped else ""
    return f"Rows: {model.n_rows}{dropped}; groups: {counts}"


def _fixed_lines(model: MixedModelResult) -> list[str]:
    rows = [("", "Estimate", "Std. Error", "z value", "Pr(>|z|)", "")]
    for row in model.fixed.itertuples(index=False):
        numbers = (f"{row.estimate:.6f}", f"{row.se:.6f}", f"{row.z:.3f}", f"{row.p:.3g}")
        rows.append((row.term, *numbers, _stars(row.p)))
    lines = _align(rows, left=1)
    return [*lines, "Signif.: *** < 0.001, ** < 0.01, * < 0.05, . < 0.1"]


def _stars(p: float) -> str:
    marks = ((0.001, "***"), (0.01, "**"), (0.05, "*"), (0.1, "."))
    return next((mark for limit, mark in marks if p < limit), "")


def _align(rows: list[tuple[str, ...]], left: int) -> list[str]:
    """Columns padded to their widest cell; the first ``left`` ones to the left."""
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    return [
        " ".join(
            cell.ljust(width) if k < left else cell.rjust(width)
            for k, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
