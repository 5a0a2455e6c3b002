"""Where networks look, in sentences with their sources."""

from __future__ import annotations

from analysis.reporting.content import Sentence
from analysis.reporting.material import Material, sources_of
from analysis.saliency import saliency_sentences

FILE = "analysis/saliency.csv"


def saliency_findings(material: Material) -> list[Sentence]:
    """Say how much of each network's evidence lies inside the body; empty where nobody looked."""
    table = material.read(FILE)
    said = []
    for group in material.networks:
        own = table[table["group"] == group.name] if len(table) else table
        for stream in dict.fromkeys(own["stream"]) if len(own) else ():
            rows = own[own["stream"] == stream]
            label = group.label[0].upper() + group.label[1:]
            for text in saliency_sentences(
                rows, {group.name: label}, material.study.saliency.target
            ):
                source = material.settings()
                said.append(Sentence(text, (*sources_of(FILE, rows), source)))
    return said
