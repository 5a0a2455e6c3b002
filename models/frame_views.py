"""Which file holds a view, and how each clip's part of it is made."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from models import flow as flow_module
from models.flow import FlowMethod, inner_side
from models.frame_files import ViewFile
from models.frame_recipes import BlankRecipe, FlowRecipe, MasksRecipe, Recipe, VersionRecipe
from models.views import BLANK, LENT_BACKGROUND, MASKS, is_flow, version_of
from stimuli.make import sidecar_of
from stimuli.partners import lent_frames
from study.errors import StudyError
from study.files import key_of, stamp_of
from study.results import Results

# Raised when the same stimuli give other frames than before.
REVISION = 2

BODY, BACKGROUND = "body_only", "background_only"


@dataclass(frozen=True)
class Layout:
    """A study's clips in the order of their rows, and all that their frames are made of.

    Attributes
    ----------
    results : Results
    manifest : DataFrame
    clips : DataFrame
        clip_id, action, split, start, n_frames.
    side : int
    flow : FlowMethod
    """

    results: Results
    manifest: pd.DataFrame
    clips: pd.DataFrame
    side: int
    flow: FlowMethod

    @property
    def n_frames(self) -> int:
        """Of all clips."""
        return int(self.clips["n_frames"].sum())

    @cached_property
    def lender_of(self) -> dict[str, str]:
        """Clip to the clip whose background it borrows; empty where one of these is not here."""
        borrowed = self.manifest[self.manifest["background_of"] != ""]
        lenders = dict(zip(borrowed["clip_id"], borrowed["background_of"], strict=True))
        known = set(self.clips["clip_id"])
        return lenders if set(lenders) == known and set(lenders.values()) <= known else {}

    @cached_property
    def lent(self) -> np.ndarray | None:
        """For every frame, where the frame of the other clip is; None where no clip borrows."""
        if not self.lender_of or BACKGROUND not in set(self.manifest["condition"]):
            return None
        place = self.clips.set_index("clip_id")
        positions = []
        for clip in self.clips.itertuples():
            lender = place.loc[self.lender_of[clip.clip_id]]
            positions.append(
                int(lender["start"]) + lent_frames(clip.n_frames, int(lender["n_frames"]))
            )
        return np.concatenate(positions)

    def of_version(self, condition: str) -> pd.DataFrame:
        """Return the rows of the manifest of one version, in the order of the clips."""
        rows = self.manifest[self.manifest["condition"] == condition].set_index("clip_id")
        if rows.empty:
            raise StudyError(
                f"the view {condition!r} is no version of this study; the manifest has "
                f"{list(self.manifest['condition'].unique())}"
            )
        return rows.loc[self.clips["clip_id"]]

    def masks_of(self, row: Any) -> Path:
        """Return the file of a clip's masks; `row` is one of `of_version`, by itertuples.

        Raises
        ------
        StudyError
            When it is missing.
        """
        path = self.results.masks / row.action / f"{row.Index}.npz"
        if not path.is_file():
            raise StudyError(
                f"{path}: no such file. The masks of all clips are needed (to learn masks, to see "
                "what is body, or where versions.fill is not black); `bodyscene stimuli` makes them"
            )
        return path


def view_file(view: str, layout: Layout) -> ViewFile:
    """Return the file of a view.

    Raises
    ------
    StudyError
        When the study has no such version, or masks are missing.
    """
    if view == MASKS:
        return _masks_file(layout)
    if view == BLANK:
        return _blank_file(layout)
    if is_flow(view):
        return _flow_file(view, layout)
    if view == LENT_BACKGROUND:
        _check_lent(layout)
        return _version_file(BACKGROUND, layout)
    return _version_file(view, layout)


def has_black_blanks(layout: Layout) -> bool:
    """Tell whether body-only frames are black where they hide something.

    The sidecars say how a study hides; stimuli without sidecars are taken to hide by black.
    """
    rows = layout.manifest[layout.manifest["condition"] == BODY]
    if rows.empty:
        return True
    sidecar = sidecar_of(layout.results.root / rows["path"].iloc[0])
    if not sidecar.is_file():
        return True
    settings = json.loads(sidecar.read_text(encoding="utf-8")).get("settings", {})
    return settings.get("fill", "black") == "black"


def _version_file(condition: str, layout: Layout) -> ViewFile:
    rows = layout.of_version(condition)
    recipes = {
        row.Index: VersionRecipe(layout.results.root / row.path, row.n_frames, layout.side)
        for row in rows.itertuples()
    }
    return _file(layout, condition, recipes, _content(rows))


def _flow_file(view: str, layout: Layout) -> ViewFile:
    version = version_of(view)
    lent = version == LENT_BACKGROUND
    if lent:
        _check_lent(layout)
    rows = layout.of_version(BACKGROUND if lent else version)
    recipes = dict(_flow_recipes(rows, layout, layout.lender_of if lent else {}))
    name = f"{version.replace(' ', '_')}-flow-{layout.flow.tag}"
    key = [_content(rows), list(layout.lender_of.items()) if lent else []]
    key += [flow_module.REVISION, flow_module.LIMIT, flow_module.LEAST_SIDE]
    return _file(layout, name, recipes, key, in_processes=layout.flow.name == "dis")


def _check_lent(layout: Layout) -> None:
    if layout.lent is None:
        raise StudyError(
            "the backgrounds that clips lend each other: expected the versions "
            "'swapped_background' of every clip and 'background_only' of every lender in the "
            "manifest"
        )


def _flow_recipes(
    rows: pd.DataFrame, layout: Layout, lender_of: Mapping[str, str]
) -> Iterator[tuple[str, Recipe]]:
    by_clip = {row.Index: row for row in rows.itertuples()}
    for row in by_clip.values():
        source, shown = row, None
        if lender_of:
            source = by_clip[lender_of[row.Index]]
            shown = tuple(lent_frames(row.n_frames, source.n_frames).tolist())
        yield (
            row.Index,
            FlowRecipe(
                layout.results.root / source.path,
                source.n_frames,
                row.n_frames,
                layout.side,
                inner_side(layout.side, (row.width, row.height)),
                layout.flow,
                shown,
            ),
        )


def _masks_file(layout: Layout) -> ViewFile:
    # Any version tells how large the stimuli are.
    rows = layout.of_version(layout.manifest["condition"].iloc[0])
    recipes = {
        row.Index: MasksRecipe(
            layout.masks_of(row), row.n_frames, (row.width, row.height), layout.side
        )
        for row in rows.itertuples()
    }
    # The manifest holds no hash of the masks, and hashing them would read them all.
    content = [
        [clip_id, recipe.n_rows, *recipe.frame_wh, stamp_of(recipe.source)]
        for clip_id, recipe in recipes.items()
    ]
    return _file(layout, "masks", recipes, content, channels=1)


def _blank_file(layout: Layout) -> ViewFile:
    rows = layout.of_version(BODY)
    recipes = {
        row.Index: BlankRecipe(
            layout.results.root / row.path,
            layout.masks_of(row),
            (row.width, row.height),
            layout.side,
        )
        for row in rows.itertuples()
    }
    return _file(layout, "blank", recipes, _content(rows))


def _content(rows: pd.DataFrame) -> list[list[Any]]:
    """Return what tells stimuli from others, in the order of their rows."""
    return rows.reset_index()[["clip_id", "n_frames", "sha256"]].to_numpy().tolist()


def _file(
    layout: Layout,
    name: str,
    recipes: Mapping[str, Recipe],
    content: Any,
    channels: int = 3,
    in_processes: bool = True,
) -> ViewFile:
    stem = f"{layout.side}px-{name}"
    n_rows = sum(recipe.n_rows for recipe in recipes.values())
    return ViewFile(
        path=layout.results.frames / f"{stem}-{key_of(REVISION, stem, content)}.npy",
        stem=stem,
        shape=(n_rows, layout.side, layout.side, channels),
        recipes=dict(recipes),
        in_processes=in_processes,
    )
