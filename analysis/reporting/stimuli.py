"""The stimuli in sentences: where clips are from, which are used, and how versions are made."""

from __future__ import annotations

import re

import pandas as pd

from analysis.reporting.content import Sentence, Source
from analysis.reporting.material import Material, counted
from analysis.sentences import listed
from study.config import Study
from study.fields import Haa500Data, SyntheticData
from study.tables import read_table

SPLITS = ("train", "validation", "test")
SPLIT_BY = {
    "order": "Of every action the first usable clips validate, the next ones test, and the rest "
    "train.",
    "group": "Whole recording sessions were held out to validate and to test.",
    "file": "Which clips train, validate and test was given as a table.",
}
MASKS = {
    "truth": "the renderer’s own masks",
    "files": "mask files given with the clips",
    "yolo": "YOLO segmentation of every frame",
    "callable": "a segmenter of the laboratory",
}
MADE = {
    "body_background": "the original",
    "body_only": "body only (every pixel outside the person is filled)",
    "background_only": "background only (the person is hidden and painted over)",
    "silhouette": "silhouette (the person’s outline, filled)",
    "point_light": "point light (dots on the joints)",
    "blurred_background": "blurred background",
    "swapped_background": "swapped background (the person before another clip’s background)",
    "inpaint_control": "inpainting elsewhere (a hole of the same shape beside the person)",
}
HOLES = {
    "union": "the union of the clip’s masks",
    "frame": "each frame’s own mask",
    "hull": "the convex hull of the clip’s masks",
    "box": "the box around the clip’s masks",
}


def clip_sentences(material: Material) -> list[Sentence]:
    """Say where the clips are from, how many are used, and why others are not."""
    clips = read_table("clips", material.results.clips)
    used = clips[clips["split"] != "none"]
    out = clips[clips["split"] == "none"]
    source, total = _clip_counts(clips), len(clips)
    text = f"Of {total} clips, {len(used)} of {used['action'].nunique()} actions were used: "
    parts = [f"{(used['split'] == name).sum()} to {_purpose(name)}" for name in SPLITS]
    said = [_data_set(material.study, material), Sentence(f"{text}{listed(parts)}.", (source,))]
    said.append(Sentence(SPLIT_BY[material.study.split.by]))
    if out.empty:
        return [*said, Sentence("No clip was left out.")]
    reasons = out["reason"].map(_reason).value_counts()
    parts = [f"{reason} ({n})" for reason, n in sorted(reasons.items())]
    n_out = f"{len(out)} clip{'s were' if len(out) > 1 else ' was'}"
    text = f"The other {n_out} left out: {'; '.join(parts)}."
    cells = {f"rows whose reason is “{reason}”": float(n) for reason, n in reasons.items()}
    return [*said, Sentence(text, (counted("clips.csv", "split=none", rows=len(out), **cells),))]


def version_sentences(material: Material) -> list[Sentence]:
    """Say how the versions are made."""
    study = material.study
    versions, masks = study.versions, study.masks
    found = f"People were found by {MASKS[masks.source]}"
    if masks.source == "yolo":
        found += f" (`{masks.weights.name}`, least confidence {masks.confidence:g})"
    one = masks.persons == "exactly_one"
    who = "clips with another number of people than one were left out" if one else (
        "in clips with several people the main one was followed"
    )  # fmt: skip
    made = listed([MADE[name] for name in versions.conditions])
    n = len(versions.conditions)
    pixels = f"{versions.width} × {versions.height} pixels"
    size = (
        f"Pictures are letterboxed to {pixels} and clips are cut after {versions.max_seconds:g} s"
    )
    fields = ("width", "height", "max_seconds", "dilation", "inpaint_radius")
    names = ["masks.confidence", *[f"versions.{name}" for name in fields]]
    source = material.settings(*names, **{"versions.conditions, their number": n})
    said = [
        Sentence(f"{found}; {who}.", (source,)),
        Sentence(f"Every clip has {n} version{'s' * (n > 1)}: {made}.", (source,)),
        Sentence(f"{size}; what a version does not show is {_fill(study)}.", (source,)),
    ]
    if {"background_only", "inpaint_control"} & set(versions.conditions):
        radius = f" with a radius of {versions.inpaint_radius:g} pixels"
        classic = versions.inpainting in ("telea", "navier_stokes")
        text = (
            f"To hide the person, {HOLES[versions.hole]}, grown by a factor of "
            f"{versions.dilation:g}, was filled in every frame by the method "
            f"“{versions.inpainting.replace('_', ' ')}”{radius if classic else ''}."
        )
        said.append(Sentence(text, (source,)))
    return said


def _data_set(study: Study, material: Material) -> Sentence:
    data = study.dataset
    if isinstance(data, SyntheticData):
        names = [f"dataset.{name}" for name in ("n_actions", "clips_per_action", "scene_validity")]
        text = (
            "The clips are of a synthetic world, in which figures act in scenes: "
            f"{data.n_actions} actions with {data.clips_per_action} clips each; with a "
            f"probability of {data.scene_validity:g} a clip plays in its action’s own scene, else "
            "in one drawn from all."
        )
        return Sentence(text, (material.settings(*names),))
    where = "from HAA500" if isinstance(data, Haa500Data) else "the laboratory’s own"
    least = f"actions with fewer than {data.min_clips} usable clips were left out"
    text = f"The clips are {where}; {least}."
    return Sentence(text, (material.settings("dataset.min_clips"),))


def _clip_counts(clips: pd.DataFrame) -> Source:
    used = clips[clips["split"] != "none"]
    splits = {f"rows with split={name}": float((used["split"] == name).sum()) for name in SPLITS}
    return counted(
        "clips.csv", "all rows", rows=len(clips), rows_with_a_split=len(used),
        different_actions_with_a_split=used["action"].nunique(), **splits,
    )  # fmt: skip


def _reason(text: str) -> str:
    """Return a reason without the numbers of its clip, which would make every one its own."""
    text = re.sub(r"\d+(?:\.\d+)?", "…", text.split(": ")[0])
    return text.replace("… of …", "too many") if "no person" in text else text


def _purpose(split: str) -> str:
    return {"train": "train the networks", "validation": "validate", "test": "test"}[split]


def _fill(study: Study) -> str:
    return {
        "black": "black",
        "grey": "middle grey",
        "mean": "the clip’s mean colour there",
        "matched": "the grey that keeps the clip’s mean luminance",
    }[study.versions.fill]
