"""Files of frames: one per view, whole or absent, made by one process tree of one machine.

A file's name tells its view and a key of all that its pixels depend on. So a further view, another
size of frames or another way to find flow leaves the files of the others as they are.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.frame_recipes import Place, Recipe, fill
from stimuli.parallel import Failed, outcomes
from study.claim import Claim
from study.errors import StudyError
from study.files import names_in, sweep_partial_files, whole_file
from study.machine import usable_cores
from study.writers import done_by_one

# With few clips each, starting more processes costs more than it saves.
CLIPS_PER_PROCESS = 40


@dataclass(frozen=True)
class ViewFile:
    """The file of one view.

    Attributes
    ----------
    path : Path
        FOLDER/STEM-KEY.npy.
    stem : str
        Files of the same stem and another key are out of date.
    shape : tuple of int
        (rows, S, S, C), uint8.
    recipes : dict of str to Recipe
        By clip, in the order of the rows.
    in_processes : bool
        Whether the clips are spread over processes; not where the work holds a GPU.
    """

    path: Path
    stem: str
    shape: tuple[int, int, int, int]
    recipes: dict[str, Recipe]
    in_processes: bool = True

    @property
    def n_bytes(self) -> int:
        """Size of the pixels."""
        return int(np.prod(self.shape, dtype=np.int64))


def make_missing(folder: Path, files: Sequence[ViewFile]) -> None:
    """Make the files that are not there yet, one after the other.

    Raises
    ------
    StudyError
        When a stimulus is unreadable or of another length, and when the disk has too little space
        (before anything is made).
    """

    def missing() -> list[ViewFile]:
        made = names_in(folder)
        return [file for file in files if file.path.name not in made]

    def make(claim: Claim) -> None:
        # Nobody else is writing here: what is left of a killed maker goes.
        sweep_partial_files(folder)
        to_make = missing()
        for file in to_make:
            for stale in folder.glob(f"{file.stem}-{'[0-9a-f]' * 16}.npy"):
                stale.unlink()
        _check_space(folder, to_make)
        for file in to_make:
            _make(file, claim)

    done_by_one(folder, f"{folder}: this folder of frames", lambda: not missing(), make)


def _make(file: ViewFile, claim: Claim) -> None:
    """Let every clip write its frames to its place in the array."""
    with whole_file(file.path) as partial:
        start = _allocate(partial, file.shape)
        row_bytes = int(np.prod(file.shape[1:]))
        n_rows = [recipe.n_rows for recipe in file.recipes.values()]
        first = itertools.accumulate(n_rows[:-1], initial=0)
        places = {
            name: Place(recipe, partial, start + row * row_bytes)
            for (name, recipe), row in zip(file.recipes.items(), first, strict=True)
        }
        many = min(usable_cores(), len(places) // CLIPS_PER_PROCESS)
        processes = max(1, many) if file.in_processes else 1
        for _, outcome in outcomes(fill, places, processes, f"frames {file.stem}"):
            if isinstance(outcome, Failed):
                raise StudyError(outcome.reason)
        # The file may be another maker's by now.
        claim.check()


def _allocate(path: Path, shape: tuple[int, ...]) -> int:
    """Write the header of an array and give the file its full length; return where data starts."""
    with path.open("wb") as target:
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(target, header)
        start = target.tell()
        target.truncate(start + int(np.prod(shape, dtype=np.int64)))
    return start


def _check_space(folder: Path, files: Sequence[ViewFile]) -> None:
    needed, free = sum(file.n_bytes for file in files), shutil.disk_usage(folder).free
    if needed > free:
        names = ", ".join(file.stem for file in files)
        raise StudyError(
            f"{folder}: the frames {names} need {needed} bytes ({needed / 1e9:.1f} GB), but the "
            f"disk has {free} ({free / 1e9:.1f} GB) left. Free some space, give another folder "
            "with --results, or choose a smaller training.image_size"
        )
