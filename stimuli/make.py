"""Make the versions of one clip and write them, losslessly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stimuli.letterbox import Letterbox
from stimuli.masks import read_masks
from stimuli.versions import VERSIONS
from stimuli.video import Clip, read_clip, write_clip
from study.fields import Versions
from study.files import key_of

# What changes every version of a clip.
FRAME_FIELDS = ("width", "height", "fps", "max_seconds")


@dataclass(frozen=True)
class MakeJob:
    """A clip of which some versions are to be made.

    Attributes
    ----------
    video, masks : Path
        The source, and its masks as `write_masks` wrote them.
    source_wh : tuple of int
        Size of the source.
    settings : Versions
    targets : mapping of str to Path
        Condition to the file to write.
    """

    video: Path
    masks: Path
    source_wh: tuple[int, int]
    settings: Versions
    targets: Mapping[str, Path]


@dataclass(frozen=True)
class MadeClip:
    """A version in memory: its frames, and the share of the whole frame that it hides."""

    clip: Clip
    hidden_fraction: float


def version_key(condition: str, source_sha256: str, mask_sha256: str, settings: Versions) -> str:
    """Return a key that changes when this version of the clip would come out different."""
    version = VERSIONS[condition]
    fields = {name: getattr(settings, name) for name in FRAME_FIELDS + version.depends_on}
    mask = mask_sha256 if version.needs_masks else ""
    return key_of(condition, version.revision, source_sha256, mask, fields)


def make(job: MakeJob) -> dict[str, dict[str, Any]]:
    """Make and write the versions asked for; return sha256, size and hidden share of each.

    Raises
    ------
    StudyError
        When the clip is damaged, leaves nothing to inpaint from, or the disk is full.
    """
    letterbox = Letterbox.of(job.source_wh, (job.settings.width, job.settings.height))
    needs_masks = any(VERSIONS[condition].needs_masks for condition in job.targets)
    clip = read_clip(job.video, job.settings.fps, job.settings.max_seconds, letterbox.shrink)
    if needs_masks:
        masks = letterbox.shrink_masks(read_masks(job.masks).masks_thw)
    else:
        masks = np.zeros(clip.frames_thwc.shape[:3], bool)
    # Every version is made before any is written: a clip that fails leaves no part of itself.
    made = {
        condition: make_version(condition, clip, masks, letterbox, job.settings)
        for condition in job.targets
    }
    return {
        condition: {
            "sha256": write_clip(job.targets[condition], version.clip),
            "size": job.targets[condition].stat().st_size,
            "hidden_fraction": version.hidden_fraction,
        }
        for condition, version in made.items()
    }


def make_version(
    condition: str, clip: Clip, masks_thw: np.ndarray, letterbox: Letterbox, settings: Versions
) -> MadeClip:
    """Make one version of pictures already at their size in the frame, and add the bars."""
    frames, hidden = VERSIONS[condition].make(clip.frames_thwc, masks_thw, settings)
    share = float(hidden.mean()) * letterbox.picture_share
    return MadeClip(Clip(letterbox.pad(frames), clip.fps), share)
