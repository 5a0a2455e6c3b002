"""Which figures a study has, and the making of them all."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import matplotlib

from analysis.figures import (
    ablation,
    accuracy,
    actions,
    calibration,
    checks,
    confusions,
    consistency,
    interaction,
    learning,
    noise,
    pattern,
    pattern_space,
    reaction_times,
    saliency,
    stimuli,
)
from analysis.figures.material import Drawn, Material, NothingToDraw, gather
from analysis.figures.style import STYLE, save_figure
from study.config import Study
from study.results import Results

log = logging.getLogger("bodyscene")

# In the order of a report.
MAKERS: dict[str, Callable[[Material], Drawn]] = {
    "stimuli": stimuli.draw,
    "accuracy": accuracy.draw,
    "interaction": interaction.draw,
    "pattern": pattern.draw,
    "pattern_space": pattern_space.draw,
    "error_consistency": consistency.draw,
    "actions": actions.draw,
    "confusions": confusions.draw,
    "reaction_times": reaction_times.draw,
    "ablation": ablation.draw,
    "learning_curves": learning.draw,
    "reliability": calibration.draw,
    "saliency": saliency.draw_shares,
    "saliency_maps": saliency.draw_maps,
    "noise": noise.draw,
    "audit": checks.draw_audit,
    "power": checks.draw_power,
    "calibration": checks.draw_calibration,
}
FIGURES = tuple(MAKERS)


def make_figures(study: Study, results: Results) -> list[Path]:
    """Draw every figure that the results allow; `analysis.estimates.fit_study` comes first.

    A figure without its material (clips that lie elsewhere, a table that was not made or has no
    rows) is passed over with a word in the log, and an old one of its name is removed.

    Returns
    -------
    list of Path
        NAME.pdf, .svg, .png, .csv and .txt (the draft legend) for the names in `FIGURES`.
    """
    paths: list[Path] = []
    material = gather(study, results)
    with matplotlib.rc_context(STYLE):
        for name, make in MAKERS.items():
            try:
                drawn = make(material)
            except NothingToDraw as reason:
                log.info("no figure %s: %s", name, reason)
                continue
            paths += save_figure(drawn.figure, drawn.data, results.figures, name, drawn.legend)
    if results.figures.is_dir():
        for name in FIGURES:
            for old in sorted(set(results.figures.glob(f"{name}.*")) - set(paths)):
                old.unlink()
    return paths
