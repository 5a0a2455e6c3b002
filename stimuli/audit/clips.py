"""One audited clip: read what is needed of it, and describe every view of it in numbers, once."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from stimuli.audit.features import plain_row
from stimuli.audit.low_level import low_level_row
from stimuli.audit.views import (
    Moments,
    Seen,
    View,
    needs_whole_clip,
    views_of_body,
    views_of_hiding,
    with_way,
)
from stimuli.holes import grown_masks
from stimuli.letterbox import Letterbox
from stimuli.masks import read_masks
from stimuli.video import count_frames, iter_frames, read_timing
from study.fields import AuditedFill, Versions
from study.files import whole_file

# Half precision keeps three digits, and the cache small. What was just measured is rounded too,
# so that a run with the cache and one without are equal.
STORED = np.float16

Described = dict[View, np.ndarray]


@dataclass(frozen=True)
class ClipJob:
    """A clip to describe.

    Attributes
    ----------
    source, masks : Path
        The clip as it was found, and its masks as `write_masks` wrote them.
    source_wh : tuple of int
    stimuli : mapping of str to Path
        Condition to the version of the clip.
    background : Path, optional
        The same scene without the person, where that is known.
    settings : Versions
    ways : list of AuditedFill
        Ways of hiding the person.
    n_moments : int
    target : Path
        Where the numbers are kept.
    key : str
        Changes when the numbers would come out different.
    """

    source: Path
    masks: Path
    source_wh: tuple[int, int]
    stimuli: Mapping[str, Path]
    background: Path | None
    settings: Versions
    ways: list[AuditedFill]
    n_moments: int
    target: Path
    key: str


def describe(job: ClipJob) -> Described:
    """Return what the probes see of a clip, (moments, features) for every view.

    Raises
    ------
    StudyError
        When a file of the clip is missing or damaged.
    """
    known = _read_described(job.target, job.key)
    if known is not None:
        return known
    described = {view: np.stack(rows).astype(STORED) for view, rows in _views(job)}
    _write_described(job.target, job.key, described)
    return described


def moments_of(n_frames: int, n_moments: int) -> np.ndarray:
    """Return the frames in the middle of `n_moments` equal parts of a clip."""
    return ((np.arange(n_moments) + 0.5) * n_frames / n_moments).astype(int)


def _views(job: ClipJob) -> Seen:
    letterbox = Letterbox.of(job.source_wh, (job.settings.width, job.settings.height))
    for condition, path in job.stimuli.items():
        yield from _views_of_file(condition, condition, _around_moments(path, job.n_moments))
    if job.background is not None:
        triples = _around_moments(job.background, job.n_moments)
        shown = [[letterbox.pad(letterbox.shrink(f)[np.newaxis])[0] for f in t] for t in triples]
        yield from _views_of_file("true background", "", shown)
    if "background_only" in job.stimuli or "body_only" in job.stimuli:
        moments = _moments(job, letterbox)
        if "background_only" in job.stimuli:
            yield from views_of_hiding(moments, job.ways, job.settings)
        if "body_only" in job.stimuli:
            yield from views_of_body(moments)


def _views_of_file(picture: str, condition: str, triples: list[list[np.ndarray]]) -> Seen:
    """Yield a whole version: each moment is a frame between its neighbours."""
    yield (
        View("version", picture, "plain", condition),
        [plain_row(now) for _, now, _ in triples],
    )
    yield (
        View("version", picture, "low-level", condition),
        [low_level_row(*triple) for triple in triples],
    )


def _around_moments(path: Path, n_moments: int) -> list[list[np.ndarray]]:
    """Return the audited frames of a file, each between its neighbours."""
    n_frames = count_frames(path)
    moments = moments_of(n_frames, n_moments)
    near = np.clip(moments[:, np.newaxis] + [-1, 0, 1], 0, n_frames - 1)
    frames = _frames_at(path, None, None, near.ravel())
    return [[frames[place] for place in row] for row in near.tolist()]


def _moments(job: ClipJob, letterbox: Letterbox) -> Moments:
    masks = letterbox.shrink_masks(read_masks(job.masks).masks_thw)
    audited = moments_of(len(masks), job.n_moments)
    whole = any(needs_whole_clip(with_way(job.settings, way)) for way in job.ways)
    loaded = np.arange(len(masks)) if whole else np.unique(audited)
    frames = _frames_at(job.source, job.settings.fps, job.settings.max_seconds, loaded)
    return Moments(
        frames_thwc=np.stack([letterbox.shrink(frames[place]) for place in loaded.tolist()]),
        loaded=loaded,
        audited=np.searchsorted(loaded, audited),
        masks_thw=masks,
        grown_thw=grown_masks(masks, job.settings.dilation),
        letterbox=letterbox,
    )


def _frames_at(
    path: Path, fps: float | None, max_seconds: float | None, wanted: Iterable[int]
) -> dict[int, np.ndarray]:
    """Decode a clip up to the last frame wanted."""
    places = set(map(int, wanted))
    frames = {}
    for number, frame in enumerate(iter_frames(path, read_timing(path, fps, max_seconds))):
        if number in places:
            frames[number] = frame
        if number == max(places):
            break
    return frames


def _write_described(path: Path, key: str, described: Described) -> None:
    names = json.dumps([asdict(view) for view in described])
    arrays = {f"view_{number}": values for number, values in enumerate(described.values())}
    with whole_file(path) as partial:
        np.savez_compressed(partial, key=np.array(key), views=np.array(names), **arrays)


def _read_described(path: Path, key: str) -> Described | None:
    """Return what was kept for a clip; None where there is nothing or it is of another key."""
    try:
        with np.load(path, allow_pickle=False) as content:
            if str(content["key"]) != key:
                return None
            views = [View(**view) for view in json.loads(str(content["views"]))]
            return {view: content[f"view_{number}"] for number, view in enumerate(views)}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
