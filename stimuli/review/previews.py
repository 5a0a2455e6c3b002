"""Small pictures of stimuli that any browser plays: evenly spaced moments side by side.

Stimuli are lossless RGB H.264, which browsers do not decode.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from stimuli.letterbox import Letterbox
from stimuli.parallel import Failed, outcomes
from stimuli.video import iter_frames, read_timing
from study.files import key_of, sweep_partial_files, whole_file

log = logging.getLogger("bodyscene")

LONGEST_SIDE = 192
MOST_MOMENTS = 12
WEBP_QUALITY = 70
# Part of every file's name: raise it when previews of equal stimuli come out different.
REVISION = 1


@dataclass(frozen=True)
class PreviewJob:
    """A preview to draw.

    Attributes
    ----------
    path : Path
        A stimulus, or the source of a clip that was left out.
    n_moments : int
        Pictures side by side; one is a still.
    tile_wh : tuple of int
        Size of each.
    target : Path
    fps, max_seconds : float, optional
        How a source is cut; a stimulus is shown as it is.
    """

    path: Path
    n_moments: int
    tile_wh: tuple[int, int]
    target: Path
    fps: float | None = None
    max_seconds: float | None = None


def tile_size(size_wh: tuple[int, int]) -> tuple[int, int]:
    """Return the size of a preview's pictures: the longer side is at most `LONGEST_SIDE`."""
    scale = min(1.0, LONGEST_SIDE / max(size_wh))
    return max(1, round(size_wh[0] * scale)), max(1, round(size_wh[1] * scale))


def n_moments(n_frames: int) -> int:
    """Return how many moments of a clip a preview shows."""
    return min(n_frames, MOST_MOMENTS)


def preview_name(
    sha256: str,
    n_shown: int,
    tile_wh: tuple[int, int],
    fps: float | None = None,
    max_seconds: float | None = None,
) -> str:
    """Return a file name that changes when the preview would come out different."""
    return f"{sha256[:16]}-{key_of(REVISION, n_shown, tile_wh, fps, max_seconds)[:6]}.webp"


def make_previews(jobs: Iterable[PreviewJob], folder: Path, processes: int) -> set[str]:
    """Draw the previews that are missing and remove those not asked for.

    Returns
    -------
    set of str
        Names of the files that are there; one that cannot be drawn is warned of.
    """
    sweep_partial_files(folder)
    wanted = {job.target.name: job for job in jobs}
    there = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    for name in there - set(wanted):
        (folder / name).unlink()
    missing = {name: job for name, job in wanted.items() if name not in there}
    return (there & set(wanted)) | _drawn(missing, processes)


def _drawn(missing: Mapping[str, PreviewJob], processes: int) -> set[str]:
    drawn = set()
    for name, outcome in outcomes(draw_preview, missing, processes, "previews"):
        if isinstance(outcome, Failed):
            log.warning("no preview of %s: %s", missing[name].path, outcome.reason)
        else:
            drawn.add(name)
    return drawn


def draw_preview(job: PreviewJob) -> None:
    """Draw one preview: `n_moments` letterboxed tiles from left to right, as WebP.

    Raises
    ------
    StudyError
        When the clip is damaged, or the disk is full.
    """
    timing = read_timing(job.path, job.fps, job.max_seconds)
    letterbox = Letterbox.of(timing.size_wh, job.tile_wh)
    # The middles of equal parts of the clip, so that both ends count alike.
    shares = (np.arange(job.n_moments) + 0.5) / job.n_moments
    wanted = [int(share * len(timing.shown_s)) for share in shares]
    tiles: dict[int, np.ndarray] = {}
    for number, frame_hwc in enumerate(iter_frames(job.path, timing)):
        if number in wanted:
            tiles[number] = letterbox.shrink(frame_hwc)
        if number == wanted[-1]:
            break
    _write_strip(letterbox.pad(np.stack([tiles[number] for number in wanted])), job.target)


def _write_strip(tiles_thwc: np.ndarray, target: Path) -> None:
    strip = cv2.cvtColor(np.concatenate(list(tiles_thwc), axis=1), cv2.COLOR_RGB2BGR)
    _, content = cv2.imencode(".webp", strip, [cv2.IMWRITE_WEBP_QUALITY, WEBP_QUALITY])
    with whole_file(target) as partial:
        partial.write_bytes(content.tobytes())
