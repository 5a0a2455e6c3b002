"""Figures of what was checked besides the answers: the leak audit, power and calibration."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from analysis.audit import SIGNIFICANT, audit_sentences, has_audit, own_way, read_audit
from analysis.figures.audit import audit_figure
from analysis.figures.material import Drawn, Material, NothingToDraw
from analysis.figures.power import calibration_figure, power_figure


def draw_audit(material: Material) -> Drawn:
    """Make the figure of `bodyscene audit`."""
    study, results = material.study, material.results
    if not has_audit(results):
        raise NothingToDraw(f"{results.audit} has no audit")
    accuracy = read_audit(results, "accuracy")
    if accuracy.empty:
        raise NothingToDraw("there are too few clips to audit")
    figure, data = audit_figure(accuracy, own_way(study))
    legend = (
        "What simple probes tell of the action from each version, from each way of hiding the "
        "person and from parts of the picture. Marks are the share of held-out clips whose action "
        f"is told, mean over actions, with {100 * material.confidence:.3g}\u00a0% intervals; "
        f"filled where better than chance (p < {SIGNIFICANT:g}, permutation). "
    )
    return Drawn(figure, data, legend + " ".join(audit_sentences(study, results)))


def draw_power(material: Material) -> Drawn:
    """Make the figure of `bodyscene power`."""
    table, sentences = _simulated(material, "power")
    figure, data = power_figure(table)
    legend = (
        "Power and width of intervals by size of the study. Above: share of simulated studies that "
        "find the effect, with its interval; below: mean width of intervals. The dotted line is "
        "the study itself, the dashed one 80\u00a0%. "
    )
    return Drawn(figure, data, (legend + sentences).strip())


def draw_calibration(material: Material) -> Drawn:
    """Make the figure of the model's calibration."""
    table, sentences = _simulated(material, "calibration")
    figure, data = calibration_figure(table, material.confidence, material.study.power.alpha)
    legend = (
        "Calibration of the study's own model. Left: share of intervals that hold the true value; "
        "right: share of tests that find an effect where there is none. The dashed line is what "
        "is promised, the band one point to either side. "
    )
    return Drawn(figure, data, (legend + sentences).strip())


def _simulated(material: Material, name: str) -> tuple[pd.DataFrame, str]:
    """Read a table of the simulations and what was said of it."""
    folder: Path = material.results.power
    path = folder / f"{name}.csv"
    if not path.is_file():
        raise NothingToDraw(f"{path} has not been made")
    words = folder / f"{name}.txt"
    said = words.read_text(encoding="utf-8").split("\n") if words.is_file() else []
    return pd.read_csv(path, keep_default_na=False, na_values=[""]), " ".join(said).strip()
