"""The frames of all stimuli at network size: made once, then mapped into memory.

They lie in one array, (versions, frames, S, S, 3): row `i` of every version shows the same moment
of the same clip, so that one position serves all streams of a network. Where each clip lies follows
from the manifest, and the file's name holds a key of the manifest's hashes. This module knows
nothing of torch, so that the processes that fill the array start fast.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from stimuli.parallel import Failed, outcomes
from stimuli.partners import lent_frames
from stimuli.video import read_clip
from study.errors import StudyError
from study.files import key_of, whole_file
from study.results import Results
from study.tables import SPLITS

log = logging.getLogger("bodyscene")

STIMULI_PER_PROCESS = 40


@dataclass(frozen=True)
class FrameCache:
    """Frames at network size.

    Attributes
    ----------
    clips : DataFrame
        clip_id, action, split, start (its first row), n_frames: a row per clip, the clips of a
        split beside each other.
    frames : dict of str to ndarray
        Version -> (N, S, S, 3) uint8 RGB, read-only and read from disk as needed.
    lent : ndarray of int, optional
        (N,): for every frame, where the frame of another clip is whose background it shows when
        backgrounds are swapped.
    """

    clips: pd.DataFrame
    frames: dict[str, np.ndarray]
    lent: np.ndarray | None = None

    def of_split(self, split: str) -> pd.DataFrame:
        """Return the clips of one split."""
        return self.clips[self.clips["split"] == split].reset_index(drop=True)


@dataclass(frozen=True)
class _Job:
    """One stimulus to read and the bytes of the array that it fills."""

    source: Path
    target: Path
    offset: int
    n_frames: int
    side: int


def open_frames(results: Results, manifest: pd.DataFrame, side: int) -> FrameCache:
    """Map the frames of all stimuli into memory, after making them if they are not there yet.

    Parameters
    ----------
    results : Results
    manifest : DataFrame
        See `study.tables.manifest_schema`.
    side : int
        Of the square frames, in pixels.

    Raises
    ------
    StudyError
        When versions of a clip are missing or differ in length, when a stimulus is unreadable or
        has another number of frames than the manifest says, and when the disk is full.
    """
    clips, conditions = _layout(manifest)
    key = key_of(side, manifest[["stimulus_id", "split", "sha256"]].to_numpy().tolist())
    path = results.frames / f"{side}px-{key}.npy"
    with _one_at_a_time(results.frames):
        if not path.is_file():
            _build(path, manifest, clips, conditions, side, results.root)
            for stale in set(results.frames.glob(f"{side}px-*.npy")) - {path}:
                stale.unlink()
    array = np.load(path, mmap_mode="r")
    frames = dict(zip(conditions, array, strict=True))
    return FrameCache(clips, frames, _lent_positions(manifest, clips))


def fit_square(frame_hwc: np.ndarray, side: int) -> np.ndarray:
    """Shrink a frame into a black square without changing its proportions.

    Parameters
    ----------
    frame_hwc : ndarray of uint8
    side : int
        Pixels.

    Returns
    -------
    ndarray of uint8
        (side, side, 3).
    """
    height, width = frame_hwc.shape[:2]
    scale = side / max(height, width)
    fitted_wh = max(1, round(width * scale)), max(1, round(height * scale))
    square = np.zeros((side, side, 3), np.uint8)
    left, top = (side - fitted_wh[0]) // 2, (side - fitted_wh[1]) // 2
    square[top : top + fitted_wh[1], left : left + fitted_wh[0]] = cv2.resize(
        frame_hwc, fitted_wh, interpolation=cv2.INTER_AREA
    )
    return square


def _layout(manifest: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Place the clips one after the other; check that they have all versions, of one length."""
    conditions = list(manifest["condition"].unique())
    lengths = manifest.pivot(index="clip_id", columns="condition", values="n_frames")
    uneven = lengths.index[lengths.nunique(axis=1, dropna=False) != 1]
    if len(uneven):
        found = lengths.loc[uneven[0]].to_dict()
        raise StudyError(
            f"manifest, clip {uneven[0]!r}, column 'n_frames': expected the same number of frames "
            f"in all of {conditions}, found {found}"
        )
    clips = manifest.drop_duplicates("clip_id")[["clip_id", "action", "split", "n_frames"]]
    order = clips["split"].map(SPLITS.index).sort_values(kind="stable").index
    clips = clips.loc[order].reset_index(drop=True)
    return clips.assign(start=clips["n_frames"].cumsum() - clips["n_frames"]), conditions


def _lent_positions(manifest: pd.DataFrame, clips: pd.DataFrame) -> np.ndarray | None:
    """Place the borrowed backgrounds, where the manifest says that clips borrow."""
    borrowed = manifest[manifest["background_of"] != ""]
    if borrowed.empty:
        return None
    lender_of = borrowed.set_index("clip_id")["background_of"]
    place = clips.set_index("clip_id")
    positions = []
    for clip_id, n_frames in zip(clips["clip_id"], clips["n_frames"], strict=True):
        lender = place.loc[lender_of[clip_id]]
        positions.append(int(lender["start"]) + lent_frames(n_frames, int(lender["n_frames"])))
    return np.concatenate(positions)


def _build(
    path: Path,
    manifest: pd.DataFrame,
    clips: pd.DataFrame,
    conditions: list[str],
    side: int,
    root: Path,
) -> None:
    """Read every stimulus and write its frames to their place in the array."""
    shape = (len(conditions), int(clips["n_frames"].sum()), side, side, 3)
    start = clips.set_index("clip_id")["start"]
    with whole_file(path) as partial:
        header = _allocate(partial, shape)
        jobs = {
            row.stimulus_id: _Job(
                source=root / row.path,
                target=partial,
                offset=header
                + (conditions.index(row.condition) * shape[1] + int(start[row.clip_id]))
                * (side * side * 3),
                n_frames=row.n_frames,
                side=side,
            )
            for row in manifest.itertuples()
        }
        # With few stimuli each, starting more processes costs more than it saves.
        processes = max(1, min(os.cpu_count() or 1, len(jobs) // STIMULI_PER_PROCESS))
        for _, outcome in outcomes(_fill, jobs, processes, "frames at network size"):
            if isinstance(outcome, Failed):
                raise StudyError(outcome.reason)


def _allocate(path: Path, shape: tuple[int, ...]) -> int:
    """Write the header of an array and give the file its full length; return where data starts."""
    with path.open("wb") as target:
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(target, header)
        start = target.tell()
        target.truncate(start + int(np.prod(shape, dtype=np.int64)))
    return start


def _fill(job: _Job) -> None:
    """Write one stimulus; plain writes, since a mapped one on a full disk kills the process."""
    frames = read_clip(job.source, each=lambda frame: fit_square(frame, job.side)).frames_thwc
    if len(frames) != job.n_frames:
        raise StudyError(
            f"{job.source}: expected {job.n_frames} frames as in the manifest, found {len(frames)}"
        )
    with job.target.open("r+b") as target:
        target.seek(job.offset)
        target.write(frames.tobytes())


@contextlib.contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Let trainings that start together wait while one of them makes the frames."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.info("another process is making the frames in %s; waiting for it", folder)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
