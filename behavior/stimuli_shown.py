"""The clips of a session: found, whole, and the very ones that the study made."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
from PIL import Image

from behavior.folders import stills_folder
from behavior.stage import ClipToShow
from stimuli.video import is_photo, iter_frames, read_timing
from study.errors import StudyError
from study.files import sha256_of, whole_file
from study.progress import progress
from study.results import Results

log = logging.getLogger("bodyscene")
MAX_NAMED = 8


def check_stimuli(results: Results, manifest: pd.DataFrame, stimuli: Iterable[str]) -> None:
    """Compare the files of some stimuli with the manifest's hashes.

    Parameters
    ----------
    results : Results
    manifest : DataFrame
        See `study.tables.manifest_schema`, indexed by stimulus_id.
    stimuli : iterable of str

    Raises
    ------
    StudyError
        When a stimulus is not in the manifest, or a file is missing, unreadable or altered; names
        all of them.
    """
    wanted = sorted(set(stimuli))
    unknown = [name for name in wanted if name not in manifest.index]
    if unknown:
        raise StudyError(f"{results.manifest}: no {_listed(unknown)}, which the plan shows")
    rows = manifest.loc[wanted]
    paths = [results.root / path for path in rows["path"]]
    problems = []
    with (
        progress("Checking the stimuli", len(paths), "files") as advance,
        ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as threads,
    ):
        checked = threads.map(_problem_of, paths, rows["sha256"])
        for problem in checked:
            advance()
            problems += [problem] if problem else []
    if problems:
        raise StudyError(
            f"{len(problems)} of {len(paths)} stimuli are not as they were made: "
            f"{_listed(problems)}. Copy the folder {results.stimuli} again."
        )
    log.info("%d stimuli are as they were made.", len(paths))


def clips_to_show(
    results: Results, manifest: pd.DataFrame, stimuli: Iterable[str], still_s: float, most_s: float
) -> Mapping[str, ClipToShow]:
    """Return what a stage needs of each stimulus; clips longer than `most_s` seconds are cut."""
    clips = {}
    for name in sorted(set(stimuli)):
        row = manifest.loc[name]
        path = results.root / row["path"]
        fps = 0.0 if is_photo(path) else float(row["fps"])
        n_frames = int(row["n_frames"])
        if fps > 0:
            n_frames = max(1, min(n_frames, int(most_s * fps + 1e-6)))
        clips[name] = ClipToShow(name, path, fps, n_frames, min(still_s, most_s))
    return clips


def still_of(results: Results, manifest: pd.DataFrame, stimulus: str) -> Path:
    """Return a picture of the middle of a stimulus, made where it is missing."""
    row = manifest.loc[stimulus]
    source = results.root / row["path"]
    if is_photo(source):
        return source
    # The hash in the name: a stimulus made anew gets a new still.
    still = stills_folder(results) / f"{stimulus}-{row['sha256'][:8]}.png"
    if not still.is_file():
        timing = read_timing(source)
        middle = len(timing.times) // 2
        frame = next(frame for i, frame in enumerate(iter_frames(source, timing)) if i == middle)
        with whole_file(still) as partial:
            Image.fromarray(frame).save(partial)
    return still


def _problem_of(path: Path, sha256: str) -> str:
    try:
        return "" if sha256_of(path) == sha256 else f"{path} (altered)"
    except FileNotFoundError:
        return f"{path} (missing)"
    except OSError as error:
        return f"{path} (unreadable: {error.strerror})"


def _listed(names: list[str]) -> str:
    more = len(names) - MAX_NAMED
    return ", ".join(names[:MAX_NAMED]) + (f" and {more} more" if more > 0 else "")
