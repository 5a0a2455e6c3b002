"""Which fields of the study file each step of the workflow depends on."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from study.config import Study
from study.errors import check_one_of
from study.fields import Model
from study.files import sha256_of, write_if_changed
from study.model_files import model_files
from study.results import Results

# Fields that say how to compute, not what: a change of them does not redo a step.
HOW_NOT_WHAT = {"masks": {"device", "batch_size"}, "training": {"device", "threads"}}

# Of a network. Their content counts, and not where they lie: a study may be moved.
FILES = {"weights", "labels", "flow_weights"}

SECTIONS: dict[str, tuple[str, ...]] = {
    "stimuli": ("seed", "dataset", "split", "masks", "versions"),
    # It makes further ways of hiding from the settings of the versions.
    "audit": ("seed", "audit", "versions"),
    "review": ("name", "title"),
    "frames": (),
    "plan": ("seed", "trials"),
    "train": ("training",),
    "score": ("scoring",),
    # Both read trained networks; the masks are spoiled and the versions made anew for the first.
    "noise": ("seed", "noise", "scoring", "versions", "masks"),
    "saliency": ("saliency",),
    # Simulated observers go through the session; its pages and screens change no answer.
    "simulate": ("seed", "observers"),
    "fit": ("analysis", "exclusions"),
    "power": ("seed", "trials", "observers", "analysis", "power"),
    "report": ("name", "title"),
}


def step_settings(study: Study, step: str, model: str | None = None) -> dict[str, Any]:
    """Return the JSON-able settings that one step depends on.

    Parameters
    ----------
    step : str
        A key of `SECTIONS`.
    model : str, optional
        For train and score: the network whose own settings are added (its seeds are not: every
        seed is a training of its own).
    """
    check_one_of("step", step, SECTIONS)
    content = study.model_dump(mode="json")
    settings = {name: content[name] for name in SECTIONS[step]}
    if step in ("stimuli", "review"):
        # The page shows what is excluded by hand, with the reasons.
        settings["files"] = {
            path.name: sha256_of(path)
            for path in (study.split.exclude, study.split.file, study.versions.inpaint_model)
            if path is not None and path.is_file()
        }
    if step == "frames":
        settings["networks"] = _what_networks_see(study)
    if step == "saliency":
        # Networks are looked at as they are read.
        settings["absent_part"] = {own.name: own.absent_part for own in study.models}
    if step == "noise":
        # Of spoiled stimuli only the scores of clips are kept.
        del settings["scoring"]["frame_logits"]
    for name, fields in HOW_NOT_WHAT.items():
        if isinstance(settings.get(name), dict):
            settings[name] = {k: v for k, v in settings[name].items() if k not in fields}
    if model is not None:
        settings |= _network_settings(study, study.model(model), to_train=step == "train")
    return settings


def _what_networks_see(study: Study) -> list[tuple[Any, ...]]:
    """Return what the frames depend on, once for all networks that see the same."""
    return sorted(
        {
            (
                model.architecture,
                training.image_size,
                training.flow,
                str(training.flow_weights),
                model.soft_mask.supervised,
            )
            for model in study.models
            for training in [study.training_of(model)]
        }
    )


def _network_settings(study: Study, own: Model, to_train: bool) -> dict[str, Any]:
    """Return what one network is trained with, or what it is and how it is read."""
    training, dropped = study.training_of(own), {"seeds", "training"}
    settings: dict[str, Any] = {}
    if to_train:
        dropped |= {"labels"}
        if training.keep == "last" and training.patience is None:
            # How an absent part is read matters to scoring, and to validation where it decides.
            dropped |= {"absent_part"}
        in_force = training.model_dump(mode="json")
        settings["training"] = _fields(in_force, HOW_NOT_WHAT["training"])
    settings["model"] = _fields(own.model_dump(mode="json"), dropped)
    settings["files"] = {file: sha256_of(path) for file, path in model_files(own).items()}
    if training.flow_weights is not None and training.flow_weights.is_file():
        settings["files"]["flow_weights"] = sha256_of(training.flow_weights)
    return settings


def _fields(content: Mapping[str, Any], dropped: Collection[str]) -> dict[str, Any]:
    """Return the fields that matter; of files the name, as their content is hashed."""
    return {
        key: _without_folder(value) if key in FILES else value
        for key, value in content.items()
        if key not in dropped
    }


def _without_folder(path: str | None) -> str | None:
    return None if path is None else Path(path).name


def write_step_settings(study: Study, results: Results) -> None:
    """Write the settings of every step; a file's time changes only if its content does."""
    names = [(step, step, None) for step in SECTIONS if step not in ("train", "score")]
    for model in study.models:
        names += [(f"{step}-{model.name}", step, model.name) for step in ("train", "score")]
    for name, step, model_name in names:
        text = json.dumps(step_settings(study, step, model_name), indent=2, sort_keys=True)
        write_if_changed(results.step(name), text + "\n")
