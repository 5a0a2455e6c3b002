"""What segmentation noise costs networks, in sentences with their sources."""

from __future__ import annotations

from analysis.noise import noise_sentences
from analysis.reporting.content import Block, Sentence, fold, paragraph
from analysis.reporting.findings import MOST_OPEN
from analysis.reporting.material import Material, sources_of
from study.conditions import MAIN_CONDITIONS

FILE = "analysis/noise.csv"
ABOUT = (
    "The masks of the test clips were spoiled and the versions made anew, by the same code and "
    "settings; the networks, trained on good masks, were scored on them. Said here is the "
    "strongest noise of every kind; points are the difference from the study’s own stimuli."
)


def noise_blocks(material: Material) -> list[Block]:
    """Say what was done, and what the strongest noise of every kind costs each network.

    Empty where no mask was spoiled, or where that changed no answer.
    """
    said = noise_findings(material)
    if not said:
        return []
    listed = paragraph(said, "list")
    return [
        *paragraph([Sentence(ABOUT)]),
        *(fold(f"{len(said)} findings", listed) if len(said) > MOST_OPEN else listed),
    ]


def noise_findings(material: Material) -> list[Sentence]:
    """Say what the strongest noise of every kind costs each network."""
    table = material.read(FILE)
    if table.empty:
        return []
    return [
        Sentence(text, (*sources_of(FILE, rows), material.settings()))
        for group in material.networks
        for text, rows in noise_sentences(table, group, MAIN_CONDITIONS)
    ]
