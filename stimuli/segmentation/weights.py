"""Weights of the segmenter: where they lie, and which files may be loaded.

A `.pt` file is a pickle, and a pickle can run any code while it is read. Lists of known hashes do
not solve this: official files are released again under the same name, and people train their own.
So every `.pt` file is read by torch's restricted unpickler, which builds tensors and the layers of
ultralytics and torch and refuses every other name before anything runs. `masks.trust_weights`
turns that off for a file whose origin is known. An `.onnx` file holds no code. Other formats are
refused.
"""

from __future__ import annotations

import difflib
import re
from pathlib import Path

from stimuli.parallel import BatchError
from study.errors import StudyError
from study.files import sha256_of

RELEASES = "https://github.com/ultralytics/assets/releases"
WEIGHTS_FOLDER = Path("~/.cache/bodyscene/weights")
SUFFIXES = (".pt", ".onnx")

# Segmentation networks of the Ultralytics releases that know the class "person" of COCO.
OFFICIAL_NAMES = (
    *(f"yolov8{size}-seg.pt" for size in "nsmlx"),
    *(f"yolov9{size}-seg.pt" for size in "ce"),
    *(f"yolo11{size}-seg.pt" for size in "nsmlx"),
    *(f"yolo26{size}-seg.pt" for size in "nsmlx"),
)


def find_weights(weights: Path) -> Path:
    """Return the weights file: the path itself, or a bare name in the weights folder.

    Raises
    ------
    StudyError
        When there is none, or it is of another format; says where to get it and where to put it.
    """
    tried = [weights]
    if weights.parent == Path():
        tried.append(WEIGHTS_FOLDER.expanduser() / weights)
    for path in tried:
        if path.is_file():
            return _of_known_format(path)
    raise StudyError(
        f"masks.weights = {str(weights)!r}: no such weights file "
        f"(tried {', '.join(str(path.absolute()) for path in tried)}).{_meant(weights)} Get the "
        f"official file from {RELEASES} and put it at {tried[-1].absolute()}, or give the path of "
        "yours in masks.weights."
    )


def refused(path: Path, error: BaseException) -> BatchError:
    """Return the error for a `.pt` file that holds more than tensors and layers."""
    return BatchError(
        f"{path} (SHA-256 {sha256_of(path)}): holds more than tensors and layers "
        f"({_refused_name(error)}), so reading it could run code on this computer, and it was not "
        "read. If you know where the file comes from, set masks.trust_weights = true."
    )


def _of_known_format(path: Path) -> Path:
    if path.suffix.lower() not in SUFFIXES:
        raise StudyError(
            f"masks.weights = {str(path)!r}: expected a file that ends in {' or '.join(SUFFIXES)}, "
            f"found {path.suffix or 'no suffix'!r}"
        )
    return path


def _meant(weights: Path) -> str:
    """Suggest official names for a bare name that is none."""
    if weights.parent != Path() or weights.name in OFFICIAL_NAMES:
        return ""
    close = difflib.get_close_matches(weights.name, OFFICIAL_NAMES, n=3, cutoff=0.5)
    return f" Official names are, for instance, {', '.join(close or OFFICIAL_NAMES[:5])}."


def _refused_name(error: BaseException) -> str:
    """Return what torch's unpickler stumbled over, without the long advice that it adds."""
    reason = " ".join(str(error.__cause__ or error).split())
    name = re.search(r"GLOBAL (\S+)", reason)
    return f"it names {name[1].rstrip('.')}" if name else reason[:200]
