"""The report: one HTML file that needs no other."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from analysis import legends
from analysis import report_tables as tables
from analysis.estimates import read_estimates
from analysis.groups import Group, groups_of
from analysis.sentences import answer, verdict
from study.conditions import CONDITIONS
from study.config import Study
from study.errors import StudyError
from study.files import write_text
from study.results import Results
from study.tables import read_table

# Photographs need no more than the width of the page on a sharp screen.
PICTURE_WIDTH = 1600
JPEG_QUALITY = 88


@dataclass(frozen=True)
class Picture:
    """A figure in the page: its number, its source as a data URI, and its legend."""

    number: int
    source: str
    legend: str


@dataclass(frozen=True)
class Material:
    """What the report is made of."""

    study: Study
    results: Results
    accuracy: pd.DataFrame
    distances: pd.DataFrame
    groups: list[Group]

    @property
    def main(self) -> list[Group]:
        """Groups of figures and answer."""
        return [group for group in self.groups if group.role != "supplement"]

    @property
    def chance(self) -> float:
        """One in the number of choices."""
        return 1.0 / self.study.trials.n_choices


def write_report(study: Study, results: Results) -> Path:
    """Write the report; estimates and figures come first.

    Returns
    -------
    Path
        The HTML file. It loads nothing; its links lead to files of the results folder.

    Raises
    ------
    StudyError
        When the estimates have not been made.
    """
    if not (results.analysis / "accuracy.csv").is_file():
        raise StudyError(f"{results.analysis}: no estimates yet; `bodyscene fit` makes them")
    accuracy = read_estimates(results, "accuracy")
    groups = groups_of(study, accuracy["group"])
    distances = read_estimates(results, "pattern_distance")
    material = Material(study, results, accuracy, distances, groups)
    environment = Environment(
        loader=PackageLoader("analysis", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("report.html.j2").render(
        study=study,
        n_participants=_n_participants(results),
        is_simulated=any(group.is_simulated for group in groups),
        pictures=_pictures(material),
        **_estimates(material),
        **_materials_and_methods(material),
    )
    write_text(results.report, page)
    return results.report


def _estimates(material: Material) -> dict[str, Any]:
    study, results, main = material.study, material.results, material.main
    conditions, confidence = study.versions.conditions, study.analysis.confidence
    supplements = [group for group in material.groups if group.role == "supplement"]
    contrasts = read_estimates(results, "contrasts")
    effects = read_estimates(results, "mixed_effects")
    caption = f"Share of right answers with {100 * confidence:.3g}\u00a0% intervals."
    others = (
        "Networks whose streams of absent parts are read in the other way, and simulated observers "
        "beside people: not in figures and model."
    )
    references = [group for group in material.groups if group.role == "observers"]
    return {
        "verdict": verdict(material.distances, main),
        "answer": answer(
            material.accuracy, material.distances, main, conditions, material.chance, confidence
        ),
        "accuracy": tables.accuracy_table(material.accuracy, main, conditions, caption),
        "methods": list(dict.fromkeys(material.accuracy["method"])),
        "supplement": tables.accuracy_table(material.accuracy, supplements, conditions, others),
        "distances": tables.distance_table(
            material.distances, main, "Distances of patterns, root mean square over versions."
        ),
        "supplement_distances": tables.distance_table(
            material.distances[
                material.distances["group"].isin([group.name for group in supplements])
            ],
            [*supplements, *references, *main],
            "Distances of patterns with the other reading.",
        ),
        "contrasts": tables.contrast_table(contrasts, main),
        "effects": tables.effects_table(effects, main),
        "random": tables.random_table(read_estimates(results, "random_effects"), main),
        "references": _reference_levels(material),
        "model_text": (results.analysis / "mixed_effects.txt").read_text(encoding="utf-8"),
    }


def _materials_and_methods(material: Material) -> dict[str, Any]:
    study, results = material.study, material.results
    clips = read_table("clips", results.clips)
    sheets = sorted(results.contact_sheets.glob("*.*")) if results.contact_sheets.is_dir() else []
    provenance: dict[str, Any] = {}
    if results.provenance.is_file():
        provenance = json.loads(results.provenance.read_text(encoding="utf-8"))
    balance = results.balance.read_text(encoding="utf-8") if results.balance.is_file() else ""
    notes = (results.analysis / "notes.txt").read_text(encoding="utf-8").splitlines()
    return {
        "splits": tables.split_table(clips),
        "left_out": tables.left_out_table(clips),
        "sheets": [(path.relative_to(results.root).as_posix(), path.stem) for path in sheets],
        "balance": balance.splitlines(),
        "notes": notes,
        "settings": tables.settings_table(study),
        "software": tables.software_table(provenance),
    }


def _reference_levels(material: Material) -> str:
    """Say what the intercept of the mixed-effects model stands for."""
    text = f"Reference levels: {material.main[0].label}" if len(material.main) > 1 else ""
    first = CONDITIONS[material.study.versions.conditions[0]].label
    return f"{text}, {first}." if text else f"Reference level: {first}."


def _n_participants(results: Results) -> int:
    return read_table("trials", results.trials)["participant"].nunique()


def _pictures(material: Material) -> dict[str, Picture]:
    """Return the figures that were made, by name, in the order of the page."""
    study, results, main = material.study, material.results, material.main
    conditions, confidence = study.versions.conditions, study.analysis.confidence
    data = {
        path.stem: pd.read_csv(path, keep_default_na=False, na_values=[""])
        for path in sorted(results.figures.glob("*.csv"))
    }
    accuracy = material.accuracy[material.accuracy["group"].isin([group.name for group in main])]
    written: dict[str, str] = {}
    if "accuracy" in data:
        written["accuracy"] = legends.accuracy_legend(
            accuracy, main, conditions, material.chance, confidence
        )
    if "pattern" in data:
        written["pattern"] = legends.pattern_legend(material.distances, main, confidence)
    if "stimuli" in data:
        written["stimuli"] = legends.stimuli_legend(data["stimuli"], conditions)
    if "learning_curves" in data:
        curves = data["learning_curves"]
        n_actions = read_table("manifest", results.manifest)["action"].nunique()
        trained = groups_of(study, curves["model"])
        written["learning_curves"] = legends.learning_legend(curves, trained, n_actions)
    return {
        name: Picture(number, _source(results.figures, name), text)
        for number, (name, text) in enumerate(written.items(), start=1)
    }


def _source(folder: Path, name: str) -> str:
    """Return a figure as a data URI: photographs as JPEG, drawings as SVG."""
    if name != "stimuli":
        return _data_uri("image/svg+xml", (folder / f"{name}.svg").read_bytes())
    content = np.frombuffer((folder / f"{name}.png").read_bytes(), np.uint8)
    picture = cv2.imdecode(content, cv2.IMREAD_COLOR)
    height, width = picture.shape[:2]
    if width > PICTURE_WIDTH:
        size_wh = (PICTURE_WIDTH, round(height * PICTURE_WIDTH / width))
        picture = cv2.resize(picture, size_wh, interpolation=cv2.INTER_AREA)
    _, encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return _data_uri("image/jpeg", encoded.tobytes())


def _data_uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
