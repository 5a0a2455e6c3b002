"""The frames of all stimuli at network size: made once, then mapped into memory.

Every view (a version, its flow, the masks, the blank frame) lies in a file of its own, as an array
(frames, S, S, channels). Row `i` of all of them shows the same moment of the same clip, so that
one position serves all streams of a network. This module knows nothing of torch.
"""

from __future__ import annotations

import mmap
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from models.flow import ZERO, FlowMethod
from models.frame_files import ViewFile, make_missing
from models.frame_views import Layout, has_black_blanks, view_file
from models.staging import map_nearby
from models.views import BLANK, LENT_BACKGROUND, flow_of
from study.conditions import CONDITIONS
from study.errors import StudyError
from study.results import Results
from study.tables import SPLITS


@dataclass(frozen=True)
class FrameCache:
    """Frames at network size.

    Attributes
    ----------
    clips : DataFrame
        clip_id, action, split, start (its first row), n_frames: a row per clip, the clips of a
        split beside each other.
    frames : dict of str to ndarray
        View -> (rows, S, S, 3) uint8 RGB (masks: one channel), read-only and read from disk as
        needed.
    rows : dict of str to ndarray of int
        For views whose rows are not the positions themselves, (N,): the row of each position.
    """

    clips: pd.DataFrame
    frames: dict[str, np.ndarray]
    rows: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def conditions(self) -> list[str]:
        """The versions, in the order of the manifest."""
        return [view for view in self.frames if view in CONDITIONS]

    @property
    def side(self) -> int:
        """Of the square frames, pixels."""
        return next(iter(self.frames.values())).shape[1]

    def take(self, view: str, positions: np.ndarray) -> np.ndarray:
        """Return the pixels of a view (see `models.views`) at some positions.

        The flow of a view is that from the frame before to this one (see `models.flow.encode`).
        Masks are 255 on the body, in all three channels.

        Parameters
        ----------
        view : str
        positions : ndarray of int
            (n,), or (n, T) for frames of clips.

        Returns
        -------
        ndarray of uint8
            (n, S, S, 3) or (n, T, S, S, 3), a copy.

        Raises
        ------
        StudyError
            For a view that these frames were not opened with.
        """
        if view not in self.frames:
            raise StudyError(
                f"the frames were opened without the view {view!r}; they have {list(self.frames)}"
            )
        if view in self.rows:
            positions = self.rows[view][positions]
        taken = np.take(self.frames[view], positions, axis=0)
        return taken if taken.shape[-1] == 3 else np.repeat(taken, 3, axis=-1)

    def of_split(self, split: str) -> pd.DataFrame:
        """Return the clips of one split."""
        return self.clips[self.clips["split"] == split].reset_index(drop=True)

    def let_go(self) -> None:
        """Take what was read so far out of this process; the system may keep it in its cache.

        Pages that are mapped from files count as memory of the process until they are let go, and
        a batch system may end it for them.
        """
        for held in self.frames.values():
            base: object = held
            while isinstance(base, np.ndarray):
                base = base.base
            if isinstance(base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
                base.madvise(mmap.MADV_DONTNEED)


def open_frames(
    results: Results,
    manifest: pd.DataFrame,
    side: int,
    views: Collection[str] = (),
    flow: FlowMethod | None = None,
) -> FrameCache:
    """Map the frames of all stimuli into memory, after making those that are not there yet.

    Parameters
    ----------
    results : Results
        Holds the stimuli, and for some views the masks.
    manifest : DataFrame
        See `study.tables.manifest_schema`; splits may be missing.
    side : int
        Of the square frames, in pixels.
    views : collection of str
        What is wanted besides all versions (see `models.views`). The blank frame needs not be
        named where it is black.
    flow : FlowMethod, optional
        Of the views of flow; default DIS.

    Raises
    ------
    StudyError
        When versions of a clip are missing or differ in length, when a stimulus is unreadable or
        has another number of frames than the manifest says, when masks are needed and missing, and
        when the disk has too little space.
    """
    plan = _plan(results, manifest, side, views, flow)
    plan.make_missing(results)
    mapped = map_nearby(plan.files)
    stored = {view: mapped[file.path] for view, file in plan.stored.items()}
    return FrameCache(plan.clips, stored | plan.constant, plan.rows)


def make_frames_ahead(
    results: Results,
    manifest: pd.DataFrame,
    side: int,
    views: Collection[str] = (),
    flow: FlowMethod | None = None,
) -> None:
    """Make the frames that `open_frames` would, without opening them: where others will."""
    _plan(results, manifest, side, views, flow).make_missing(results)


@dataclass(frozen=True)
class _Plan:
    """What frames are made of.

    Attributes
    ----------
    clips : DataFrame
    stored : dict of str to ViewFile
        By view; some share a file.
    constant : dict of str to ndarray
        Views that need no file.
    rows : dict of str to ndarray
        See `FrameCache`.
    """

    clips: pd.DataFrame
    stored: dict[str, ViewFile]
    constant: dict[str, np.ndarray]
    rows: dict[str, np.ndarray]

    @property
    def files(self) -> dict[Path, ViewFile]:
        return {file.path: file for file in self.stored.values()}

    def make_missing(self, results: Results) -> None:
        make_missing(results.frames, list(self.files.values()))


def _plan(
    results: Results,
    manifest: pd.DataFrame,
    side: int,
    views: Collection[str],
    flow: FlowMethod | None,
) -> _Plan:
    clips, conditions = _layout(manifest)
    layout = Layout(results, manifest, clips, side, flow or FlowMethod())
    wanted = list(dict.fromkeys([*conditions, *views]))
    constant = {flow_of(BLANK): np.full((1, side, side, 3), ZERO, np.uint8)}
    rows = {flow_of(BLANK): np.zeros(layout.n_frames, int)}
    if has_black_blanks(layout):
        constant[BLANK] = np.zeros((1, side, side, 3), np.uint8)
        rows[BLANK] = rows[flow_of(BLANK)]
    elif BLANK in wanted:
        rows[BLANK] = np.repeat(np.arange(len(clips)), clips["n_frames"])
    if layout.lent is not None:
        rows[LENT_BACKGROUND] = layout.lent
        wanted.append(LENT_BACKGROUND)
    stored = {view: view_file(view, layout) for view in wanted if view not in constant}
    return _Plan(clips, stored, constant, rows)


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
