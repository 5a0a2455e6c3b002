"""Classifiers of images and of clips from a local folder of Hugging Face.

Only configurations that the installed `transformers` knows are built: no code of the folder runs,
weights are safetensors, and nothing is downloaded.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from models.public import CHANNEL_MEAN, CHANNEL_SD, PublicNetwork, Published, last_layer, take_out
from study.errors import StudyError, missing_package
from study.model_files import hugging_face_folder

log = logging.getLogger("bodyscene")


def folder_of(name: str) -> Path:
    """Return the folder that hf:FOLDER names, which must hold a configuration.

    Raises
    ------
    StudyError
        When there is none; says how to get it.
    """
    folder = hugging_face_folder(name)
    if not (folder / "config.json").is_file():
        raise StudyError(
            f"models.backbone = {name!r}: no config.json in {folder.absolute()}. Nothing is "
            "downloaded while a study runs: get the model's folder with `hf download NAME "
            "--local-dir FOLDER` and name FOLDER"
        )
    return folder


def takes_clips(name: str) -> bool:
    """Tell whether the folder's network reads clips; else it reads frames."""
    return type(_config(name)) in _transformers().AutoModelForVideoClassification._model_mapping


def build_hugging_face(
    name: str, image_size: int, n_frames: int, n_classes: int | None
) -> PublicNetwork:
    """Build the folder's classifier with its weights.

    Parameters
    ----------
    name : str
        hf:FOLDER.
    image_size, n_frames : int
        What is read at once.
    n_classes : int, optional
        0: without its last layer; default as the folder says.

    Raises
    ------
    StudyError
        When the folder holds no classifier in safetensors, when weights are missing or do not fit,
        or when the network reads clips of another size.
    """
    folder, transformers = folder_of(name), _transformers()
    _check_size(name, image_size, n_frames)
    kind = "Video" if takes_clips(name) else "Image"
    loader = getattr(transformers, f"AutoModelFor{kind}Classification")
    try:
        module, report = loader.from_pretrained(
            folder,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            output_loading_info=True,
        )
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise StudyError(
            f"models.backbone = {name!r}: expected a classifier of images or clips with weights in "
            f"safetensors: {error}"
        ) from error
    _check_complete(name, module, report["missing_keys"], n_classes)
    head = last_layer(module)
    if n_classes == 0:
        take_out(module, head)
    module.register_forward_hook(_scores)
    return PublicNetwork(module, (head,))


def published_in(name: str) -> Published:
    """Return what the folder says of its weights."""
    config, folder = _config(name), folder_of(name)
    processor = folder / "preprocessor_config.json"
    about: dict[str, Any] = {}
    if processor.is_file():
        about = json.loads(processor.read_text(encoding="utf-8"))
    return Published(
        source=str(folder),
        image_size=_side(config) or 224,
        mean=tuple(about.get("image_mean") or CHANNEL_MEAN),
        sd=tuple(about.get("image_std") or CHANNEL_SD),
        categories=tuple(label for _, label in sorted(config.id2label.items())),
    )


def _config(name: str) -> Any:
    folder = folder_of(name)
    try:
        return _transformers().AutoConfig.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
    except (OSError, ValueError, KeyError) as error:
        raise StudyError(
            f"models.backbone = {name!r}: {folder / 'config.json'} is not a configuration that "
            f"the installed transformers knows: {error}"
        ) from error


def _transformers() -> Any:
    """Import the package, which is optional and slow to load."""
    try:
        import transformers
    except ImportError as error:
        raise missing_package("transformers") from error
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    return transformers


def _check_complete(
    name: str, module: nn.Module, missing: Iterable[str], n_classes: int | None
) -> None:
    """Refuse weights that lack tensors; as a backbone, those after the backbone may be lacking."""
    lost = sorted(str(key) for key in missing)
    if n_classes == 0:
        after = [key for key in lost if not key.startswith(f"{module.base_model_prefix}.")]
        if after:
            log.info("%s: %s learnt anew", name, ", ".join(after[:5]))
        lost = sorted(set(lost) - set(after))
    if lost:
        raise StudyError(
            f"models.backbone = {name!r}: its weights lack {len(lost)} of the network's tensors, "
            f"such as {', '.join(lost[:5])}"
        )


def _check_size(name: str, image_size: int, n_frames: int) -> None:
    """Check what networks with learned positions are made for."""
    config, clips = _config(name), takes_clips(name)
    if clips != (n_frames > 1):
        reads = "clips, not frames" if clips else "frames, not clips"
        raise StudyError(
            f"models.backbone = {name!r} reads {reads}: networks of clips need architecture = "
            "'video', 'video_domainnet' or 'pretrained', and frames_per_clip of at least 2"
        )
    expected = {"frames_per_clip": getattr(config, "num_frames", None) if clips else None}
    expected["training.image_size"] = _side(config)
    found = {"frames_per_clip": n_frames, "training.image_size": image_size}
    for field, value in expected.items():
        if value is not None and value != found[field]:
            raise StudyError(
                f"models.backbone = {name!r} is made for {field} = {value}, found {found[field]}"
            )


def _side(config: Any) -> int | None:
    side = getattr(config, "image_size", None)
    return int(side[0]) if isinstance(side, (list, tuple)) else side


def _scores(module: nn.Module, inputs: tuple[Tensor], output: Any) -> Tensor:
    """Return the scores alone, as every other network does."""
    return output.logits
