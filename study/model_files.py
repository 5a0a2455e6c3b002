"""The files that a network is made of beside the study file: weights, labels, code, folders."""

from __future__ import annotations

import os
from pathlib import Path

from study.errors import StudyError
from study.fields import Model
from study.own_code import code_file, working_directory

TIMM = "timm:"
HUGGING_FACE = "hf:"


def is_own(name: str) -> bool:
    """Tell whether an architecture or a backbone is code of the user's, module:Class."""
    return ":" in name and not name.startswith((TIMM, HUGGING_FACE))


def hugging_face_folder(backbone: str) -> Path:
    """Return the folder of hf:FOLDER: absolute, or relative to the working directory.

    ~ and ${VARIABLE} are replaced.
    """
    named = Path(os.path.expandvars(backbone.removeprefix(HUGGING_FACE))).expanduser()
    return working_directory() / named


def model_files(model: Model) -> dict[str, Path]:
    """Return the files on whose content a network depends, as far as they are there.

    Returns
    -------
    dict
        A name that does not depend on where the file lies -> its path.
    """
    found = {
        f"{field}: {path.name}": path
        for field, path in (("weights", model.weights), ("labels", model.labels))
        if path is not None
    }
    for field in ("architecture", "backbone"):
        name = getattr(model, field)
        if is_own(name):
            try:
                path = code_file(f"models.{field}", name)
            except StudyError:
                # Steps that need no network must run where the code is not.
                continue
            found[f"{field}: {path.name}"] = path
    if model.backbone.startswith(HUGGING_FACE):
        folder = hugging_face_folder(model.backbone)
        for path in sorted([*folder.glob("*.json"), *folder.glob("*.safetensors")]):
            found[f"backbone: {path.name}"] = path
    return {name: path for name, path in found.items() if path.is_file()}
