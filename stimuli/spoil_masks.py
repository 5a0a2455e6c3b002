"""The spoiled masks of many clips: made in parallel, kept where nothing changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stimuli.index import Index
from stimuli.letterbox import Letterbox
from stimuli.masks import PersonMasks, read_masks, write_masks
from stimuli.parallel import Failed, outcomes
from stimuli.segmentation.smoothing import fill_gaps
from stimuli.spoil import spoiled
from study.errors import StudyError
from study.files import key_of, sha256_of

# Raised when the same settings spoil a mask otherwise than before.
REVISION = 1
# Keeps these draws apart from the other uses of the study's seed.
STREAM = 0x5B


@dataclass(frozen=True)
class SpoilJob:
    """The masks of a clip, to be spoiled.

    Attributes
    ----------
    clip_id : str
    masks, target : Path
        The study's own masks, and where the spoiled ones go.
    mask_sha256 : str
        Of the study's own.
    kind : str
        A key of `stimuli.spoil.KINDS`.
    level : float
    seed : int
        The study's; with the clip and the kind it gives all draws.
    letterbox : Letterbox
        Masks are spoiled at the size at which versions are made of them: shrinking would average
        most of the noise away.
    fill_gaps : int
        Longest gap, in frames, that the study fills where its segmenter misses the person.
    """

    clip_id: str
    masks: Path
    target: Path
    mask_sha256: str
    kind: str
    level: float
    seed: int
    letterbox: Letterbox
    fill_gaps: int

    @property
    def key(self) -> str:
        """Change when the masks would come out different."""
        return key_of(
            REVISION,
            self.mask_sha256,
            [self.kind, self.level, self.seed],
            [self.letterbox.picture_wh, self.letterbox.frame_wh],
            self.fill_gaps,
        )


def spoil_masks(job: SpoilJob) -> dict[str, Any]:
    """Spoil the masks of one clip and write them at the size of the picture.

    Returns
    -------
    dict
        mask_sha256, and body_fraction: the share of the whole frame that they call person.
    """
    own = read_masks(job.masks)
    masks = job.letterbox.shrink_masks(own.masks_thw)
    # Without the level: a pixel that is flipped at 5 % is so at 10 %, and a shift keeps its way.
    draws = np.random.default_rng([job.seed, STREAM, int(key_of(job.clip_id, job.kind), 16)])
    worse = spoiled(masks, job.kind, job.level, draws)
    if job.kind == "missing":
        worse = _refilled(masks, worse, job.fill_gaps)
    provenance = {**own.provenance, "spoiled": {"kind": job.kind, "level": job.level}}
    write_masks(job.target, PersonMasks(worse, own.n_persons, provenance))
    return {
        "mask_sha256": sha256_of(job.target),
        "body_fraction": float(worse.mean()) * job.letterbox.picture_share,
    }


def spoil_all(
    jobs: Mapping[str, SpoilJob], index: Index, processes: int
) -> dict[str, dict[str, Any]]:
    """Spoil the masks that are missing or changed; return what `spoil_masks` says of all.

    Raises
    ------
    StudyError
        When a clip's masks are missing or unreadable, or the disk is full.
    """
    found, missing = {}, {}
    for name, job in jobs.items():
        record = index.get("spoiled", name, job.key)
        if record is not None and job.target.is_file():
            found[name] = record
        else:
            missing[name] = job
    for name, outcome in outcomes(spoil_masks, missing, processes, "spoiling masks"):
        if isinstance(outcome, Failed):
            raise StudyError(f"the masks of {name} cannot be spoiled: {outcome.reason}")
        found[name] = index.put("spoiled", name, jobs[name].key, **outcome)
    return found


def _refilled(masks_thw: np.ndarray, left_thw: np.ndarray, longest: int) -> np.ndarray:
    """Fill frames that lost their mask as the study does where its segmenter misses a person."""
    lost = masks_thw.any(axis=(1, 2)) & ~left_thw.any(axis=(1, 2))
    filled, _ = fill_gaps(left_thw, longest)
    return np.where(lost[:, np.newaxis, np.newaxis], filled, left_thw)
