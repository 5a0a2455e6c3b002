"""The main person of a clip: what the network sees in its frames, followed and smoothed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stimuli.masks import PersonMasks
from stimuli.segmentation.person import Instance
from stimuli.segmentation.scaling import at_frame_size
from stimuli.segmentation.smoothing import fill_gaps, steadied, without_small_holes
from stimuli.segmentation.tracking import main_person
from stimuli.segmentation.turned import FindPersons, look_again
from study.fields import Masks


@dataclass(frozen=True)
class Found:
    """Masks of a clip, and what only the finder knows of them.

    Attributes
    ----------
    masks : PersonMasks
    confidence : float
        Mean confidence where the person was found; 1 where there is none.
    share_filled : float
        Share of the frames in which the person was missed and filled in.
    """

    masks: PersonMasks
    confidence: float = 1.0
    share_filled: float = 0.0


def follow(
    find: FindPersons,
    frames: Sequence[np.ndarray],
    persons: Sequence[list[Instance]],
    size_wh: tuple[int, int],
    settings: Masks,
) -> Found:
    """Make one mask a frame of the persons found in a clip.

    Parameters
    ----------
    find : callable
        Frames -> persons, for a second look at doubtful frames.
    frames : sequence of ndarray
        (h, w, 3) RGB at the network's scale.
    persons : sequence of list of Instance
        Those of every frame, at that scale.
    size_wh : tuple of int
        Size of the source, at which the masks are returned.
    settings : Masks
        Confidence, fill_gaps and smooth.

    Returns
    -------
    Found
        `n_persons` counts those found with the confidence asked for, in either look.
    """
    persons = look_again(find, frames, persons, settings.confidence)
    main = main_person(persons, settings.confidence)
    height, width = frames[0].shape[:2]
    small = np.zeros((len(frames), height, width), bool)
    for number, instance in enumerate(main):
        if instance is not None:
            small[number] = instance.in_frame((width, height))
    small, filled = fill_gaps(small, settings.fill_gaps)
    if settings.smooth:
        small = steadied(small)
        small = np.stack([without_small_holes(mask) for mask in small])
    masks = np.stack([at_frame_size(mask, size_wh) for mask in small])
    confidences = [one.confidence for one in main if one is not None]
    return Found(
        PersonMasks(masks, _n_persons(persons, settings.confidence)),
        float(np.mean(confidences)) if confidences else 0.0,
        float(filled.mean()),
    )


def _n_persons(persons: Sequence[list[Instance]], sure: float) -> np.ndarray:
    return np.array([sum(one.confidence >= sure for one in frame) for frame in persons])
