"""The figures of a study: PDF, SVG and PNG, each with the data that it shows."""

from __future__ import annotations

from analysis.figures.make import FIGURES, make_figures

__all__ = ["FIGURES", "make_figures"]
