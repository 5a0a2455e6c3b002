"""The whole report: which sections there are and what stands in each."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from analysis.reporting import tables
from analysis.reporting.architectures import network_sentences
from analysis.reporting.content import (
    Block,
    Document,
    Figure,
    Links,
    Paragraph,
    Section,
    Sentence,
    Table,
    fold,
    paragraph,
)
from analysis.reporting.findings import (
    accuracy_blocks,
    accuracy_sentences,
    audit_findings,
    model_blocks,
    power_findings,
    test_blocks,
)
from analysis.reporting.likeness import (
    distance_findings,
    likeness_blocks,
    verdict_sentences,
)
from analysis.reporting.material import Material
from analysis.reporting.methods import (
    exclusion_sentences,
    statistics_sentences,
    trial_sentences,
)
from analysis.reporting.networks import network_blocks
from analysis.reporting.noise import noise_blocks
from analysis.reporting.pictures import made_figures
from analysis.reporting.saliency import saliency_findings
from analysis.reporting.stimuli import clip_sentences, version_sentences
from study.conditions import MAIN_CONDITIONS
from study.tables import read_table

SIMULATED = (
    "The observers are simulated. No person took part: a psychometric model with accuracies given "
    "in the study file answered the participants’ lists. What is said about observers shows how "
    "the analysis works, not how people see."
)
# Where figures stand; others come last.
PLACES = {
    "accuracy": ("accuracy", "ablation"),
    "pattern": ("pattern", "pattern_space", "error_consistency", "reaction_times"),
    "model": ("interaction",),
    "actions": ("actions", "confusions"),
    "audit": ("audit",),
    "scores": ("reliability",),
    "saliency": ("saliency", "saliency_maps"),
    "noise": ("noise",),
    "power": ("power", "calibration"),
    "stimuli": ("stimuli",),
    "networks": ("learning_curves",),
}


def make_document(material: Material) -> Document:
    """Put the report together, from whatever has been made."""
    study = material.study
    figures = made_figures(material.results)
    is_simulated = any(group.is_simulated for group in material.groups)
    remark = " · observers simulated" if is_simulated else ""
    labels = [model.name.replace("_", " ") for model in study.models]
    sections = [*_results(material), *_methods(material), *_appendix(material)]
    placed = {name for names in PLACES.values() for name in names}
    rest = [figure for name, figure in figures.items() if name not in placed]
    sections.append(Section("figures", "Further figures", tuple(rest)))
    with_figures = [_with_figures(section, figures) for section in sections]
    return Document(
        title=study.title,
        kicker=f"Study “{study.name}”{remark}",
        warning=Paragraph((Sentence(SIMULATED),), "notice") if is_simulated else None,
        verdict=tuple(verdict_sentences(material, only_first=True)),
        answer=(*accuracy_sentences(material, _main(material)), *distance_findings(material)),
        sections=tuple(section for section in with_figures if section.blocks),
        labels=tuple(_capitals(label for label in labels if re.search(r"\d", label))),
    )


def _capitals(labels: Iterable[str]) -> list[str]:
    """Return names as they stand within a sentence and at its start."""
    return [form for label in labels for form in (label, label[0].upper() + label[1:])]


def _main(material: Material) -> list[str]:
    """Return the versions of the answer: of many, those of the paper."""
    own = [name for name in material.conditions if name in MAIN_CONDITIONS]
    return own if len(material.conditions) > len(MAIN_CONDITIONS) and own else material.conditions


def _results(material: Material) -> list[Section]:
    audit = paragraph(audit_findings(material), "list")
    likeness = "Likeness to the observers" if material.networks else "Likeness of observers"
    return [
        _section("accuracy", "Accuracy by version and group", accuracy_blocks(material)),
        _section("tests", "Tests", test_blocks(material)),
        _section("pattern", likeness, likeness_blocks(material)),
        _section("model", "Mixed-effects model", model_blocks(material)),
        _section("actions", "Actions", []),
        _section("scores", "Networks by every metric", network_blocks(material)),
        _section("saliency", "Where networks look", paragraph(saliency_findings(material), "list")),
        _section("noise", "When the masks are worse", noise_blocks(material)),
        _section("audit", "What the versions give away", audit),
        _section("power", "Power and calibration", paragraph(power_findings(material), "list")),
    ]


def _methods(material: Material) -> list[Section]:
    results = material.results
    sheets = sorted(results.contact_sheets.glob("*.*")) if results.contact_sheets.is_dir() else []
    items = [(path.relative_to(results.root).as_posix(), path.stem) for path in sheets]
    links = [Links(tuple((path, name.replace("_", " ")) for path, name in items))]
    clips = read_table("clips", results.clips)
    left_out = tables.left_out_table(clips)
    stimuli = [
        *paragraph([*clip_sentences(material), *version_sentences(material)]),
        tables.split_table(clips),
        *fold("Clips left out, with reasons", [left_out] if left_out else []),
        *fold(f"Contact sheets of {len(items)} actions", links if items else []),
    ]
    balance = results.balance.read_text(encoding="utf-8") if results.balance.is_file() else ""
    lines = [Sentence(line) for line in balance.splitlines()]
    trials = [*paragraph(trial_sentences(material)), *paragraph(lines, "list")]
    statistics = paragraph(statistics_sentences(material))
    return [
        _section("stimuli", "Methods: stimuli", stimuli),
        _section("trials", "Methods: trials and observers", trials),
        _section("networks", "Methods: networks", paragraph(network_sentences(material))),
        _section("statistics", "Methods: statistics", statistics),
        _section("data", "Methods: data and exclusions", _data(material)),
    ]


def _data(material: Material) -> list[Block]:
    notes = [line for line in material.text("notes.txt").splitlines() if line.strip()]
    blocks = paragraph(exclusion_sentences(material))
    flow = material.table("exclusions")
    if len(flow):
        blocks.append(tables.exclusions_table(flow))
    if not notes:
        every = "Every response row was used; no list is incomplete."
        return [*blocks, *([] if len(flow) else paragraph([Sentence(every)]))]
    blocks += paragraph([Sentence("What was left out or is missing:")])
    return [*blocks, *paragraph([Sentence(note) for note in notes], "list")]


def _appendix(material: Material) -> list[Section]:
    path = material.results.provenance
    provenance: dict[str, Any] = {}
    if path.is_file():
        provenance = json.loads(path.read_text(encoding="utf-8"))
    notes = material.table("alignment_notes")
    said = [Sentence(str(note)) for note in notes["note"]] if len(notes) else []
    settings: list[Table] = [tables.settings_table(material.study)]
    blocks = [
        *fold("All settings", settings),
        *fold("Software", [tables.software_table(provenance)]),
        *fold("What the measures of likeness left out", paragraph(said, "list")),
    ]
    return [_section("settings", "Settings and software", blocks)]


def _section(anchor: str, title: str, blocks: Sequence[Block]) -> Section:
    return Section(anchor, title, tuple(blocks))


def _with_figures(section: Section, figures: dict[str, Figure]) -> Section:
    """Put a section's figures before its tables, after its first sentences."""
    own = [figures[name] for name in PLACES.get(section.anchor, ()) if name in figures]
    if not own:
        return section
    text = [block for block in section.blocks[:1] if isinstance(block, Paragraph)]
    rest = section.blocks[len(text) :]
    blocks = (*text, *own, *rest) if section.anchor != "accuracy" else (*own, *section.blocks)
    return Section(section.anchor, section.title, blocks)
