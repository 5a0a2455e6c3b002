"""Clips of the synthetic world as files, so that they are read like any other data."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from stimuli.masks import PersonMasks, write_masks
from stimuli.point_light import write_keypoints
from stimuli.video import Clip, write_clip
from stimuli.world import ACTIONS, ClipRecipe, WorldSettings, draw_recipe, render_clip
from study.config import Study
from study.results import Results


@dataclass(frozen=True)
class RenderedFiles:
    """Where one rendered clip lies.

    Attributes
    ----------
    video, background : Path
        The clip, and the same scene without the person.
    masks, keypoints : Path
        The true masks and key points.
    """

    video: Path
    background: Path
    masks: Path
    keypoints: Path

    def all(self) -> set[Path]:
        """Return all four."""
        return {self.video, self.background, self.masks, self.keypoints}


@dataclass(frozen=True)
class RenderJob:
    """One clip to render."""

    recipe: ClipRecipe
    files: RenderedFiles


def render_jobs(study: Study, results: Results) -> dict[str, RenderJob]:
    """Draw the recipes of all clips of a synthetic study, by clip id."""
    data = study.dataset
    fields = set(WorldSettings.__dataclass_fields__)
    settings = WorldSettings(**data.model_dump(include=fields))
    actions = list(ACTIONS)[: data.n_actions]
    suffix = ".png" if data.n_frames == 1 else ".mp4"
    jobs = {}
    for action in actions:
        for index in range(1, data.clips_per_action + 1):
            recipe = draw_recipe(action, index, actions, settings, study.seed)
            jobs[recipe.clip_id] = RenderJob(recipe, _files_of(recipe, results.sources, suffix))
    return jobs


def render(job: RenderJob) -> None:
    """Render one clip with its masks and its clean background."""
    rendered = render_clip(job.recipe)
    fps = Fraction(job.recipe.fps).limit_denominator(1001)
    n_persons = np.ones(len(rendered.masks_thw), int)
    masks = PersonMasks(rendered.masks_thw, n_persons, {"source": "truth"})
    write_masks(job.files.masks, masks)
    write_keypoints(job.files.keypoints, rendered.keypoints_tkc)
    write_clip(job.files.background, Clip(rendered.backgrounds_thwc, fps))
    write_clip(job.files.video, Clip(rendered.frames_thwc, fps))


def _files_of(recipe: ClipRecipe, folder: Path, suffix: str) -> RenderedFiles:
    def at(kind: str, kind_suffix: str) -> Path:
        return folder / kind / recipe.action / f"{recipe.clip_id}{kind_suffix}"

    return RenderedFiles(
        at("video", suffix), at("backgrounds", suffix), at("masks", ".npz"), at("keypoints", ".npz")
    )
