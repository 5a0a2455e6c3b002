"""The versions of one clip, for a first look before there is a study."""

from __future__ import annotations

import logging
from pathlib import Path

from stimuli.contact_sheet import SheetJob, SheetRow, draw_sheet
from stimuli.examine import Examined, ExamineJob, examine
from stimuli.make import ClipFiles, MakeJob, make
from stimuli.segmentation.weights import find_weights
from stimuli.segmentation.yolo import choose_device
from stimuli.selection import unusable
from stimuli.video import is_photo
from study.errors import StudyError
from study.fields import Masks, Versions
from study.files import sha256_of

log = logging.getLogger("bodyscene")


def make_versions_of_one_clip(
    video: Path, out: Path, weights: Path, versions: Versions, masks: Masks
) -> Path:
    """Make the versions of one video or photograph.

    Parameters
    ----------
    video : Path
    out : Path
        Folder for CLIP_CONDITION.mp4 (or .png), CLIP_masks.npz and CLIP_contact_sheet.png.
    weights : Path
        Of the segmenter; takes the place of `masks.weights`.
    versions, masks
        Settings as in a study file; masks are found by YOLO whatever their source says.

    Returns
    -------
    Path
        The contact sheet.

    Raises
    ------
    StudyError
        When the video or the weights cannot be read, or nobody is found.
    """
    masks = masks.model_copy(update={"source": "yolo", "weights": find_weights(weights)})
    log.info("segmenting on %s", choose_device(masks.device))
    target = out / f"{video.stem}_masks.npz"
    examined = _examined(video, target, versions, masks)
    reason = unusable(examined, masks)
    if reason:
        raise StudyError(f"{video}: {reason}")
    source_wh = (examined.width, examined.height)
    suffix = ".png" if is_photo(video) else ".mp4"
    targets = {name: out / f"{video.stem}_{name}{suffix}" for name in versions.conditions}
    files = ClipFiles(
        clip_id=video.stem,
        action="",
        video=video,
        masks=target,
        source_wh=source_wh,
        source_sha256=sha256_of(video),
        mask_sha256=examined.mask_sha256,
    )
    make(MakeJob(files, versions, targets))
    sheet = out / f"{video.stem}_contact_sheet.png"
    row = SheetRow(video.stem, video.name, targets, target, source_wh)
    draw_sheet(SheetJob(video.stem, versions.conditions, [row], sheet))
    return sheet


def _examined(video: Path, target: Path, versions: Versions, masks: Masks) -> Examined:
    job = ExamineJob(
        video=video,
        action="",
        stem=video.stem,
        target=target,
        masks=masks,
        fps=versions.fps,
        max_seconds=versions.max_seconds,
        weights_sha256=sha256_of(masks.weights),
    )
    return Examined(**examine(job))
