"""Make the versions of one clip and write them, each with a sidecar that says how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from stimuli.fill_color import fill_color
from stimuli.inpainting import NothingLeft
from stimuli.letterbox import Letterbox
from stimuli.masks import read_masks, read_provenance
from stimuli.measure import luminance_and_contrast
from stimuli.parallel import BatchError
from stimuli.partners import cover, lent_frames
from stimuli.point_light import at_picture_size, read_keypoints
from stimuli.versions import VERSIONS, Scene, person_filled_in
from stimuli.video import Clip, Written, read_clip, read_timing, write_clip
from study.errors import StudyError
from study.fields import Versions
from study.files import key_of, stamp_of, write_json

# What changes every version of a clip; the number is raised when frames are read otherwise.
FRAMES_REVISION = 2
FRAME_FIELDS = ("width", "height", "fps", "max_seconds", "quality")


@dataclass(frozen=True)
class ClipFiles:
    """A clip as files.

    Attributes
    ----------
    clip_id, action : str
    video, masks : Path
        The source, and its masks as `write_masks` wrote them.
    source_wh : tuple of int
        Size of the source.
    source_sha256, mask_sha256 : str
    keypoints : Path, optional
    """

    clip_id: str
    action: str
    video: Path
    masks: Path
    source_wh: tuple[int, int]
    source_sha256: str
    mask_sha256: str
    keypoints: Path | None = None


@dataclass(frozen=True)
class MakeJob:
    """A clip of which some versions are to be made.

    Attributes
    ----------
    clip : ClipFiles
    settings : Versions
    targets : mapping of str to Path
        Condition to the file to write.
    lender : ClipFiles, optional
        The clip whose background takes the place of its own, where a version needs one.
    blank_if_all_hidden : bool
        Show the fill colour alone where the person's hole covers the whole picture, in place of
        failing: for masks that are spoiled on purpose.
    """

    clip: ClipFiles
    settings: Versions
    targets: Mapping[str, Path]
    lender: ClipFiles | None = None
    blank_if_all_hidden: bool = False


@dataclass(frozen=True)
class CannotLend:
    """Why nothing was made of a clip for which nothing is to blame but its lender.

    Attributes
    ----------
    lender : str
        The clip whose background cannot be had.
    reason : str
    """

    lender: str
    reason: str


class LenderError(StudyError):
    """Another clip's background cannot be had."""


@dataclass(frozen=True)
class MadeClip:
    """A version in memory: its frames, and the share of the whole frame that it hides."""

    clip: Clip
    hidden_fraction: float


def version_settings(condition: str, settings: Versions) -> dict[str, Any]:
    """Return the JSON-able settings that change a version."""
    names = FRAME_FIELDS + VERSIONS[condition].depends_on
    content = settings.model_dump(mode="json", include=set(names))
    if content.get("inpaint_model"):
        content["inpaint_model"] = [content["inpaint_model"], stamp_of(settings.inpaint_model)]
    return content


def version_key(
    condition: str, clip: ClipFiles, lender: ClipFiles | None, settings: Versions
) -> str:
    """Return a key that changes when this version of the clip would come out different."""
    version = VERSIONS[condition]
    parts: list[Any] = [condition, FRAMES_REVISION, version.revision, clip.source_sha256]
    if "masks" in version.needs:
        parts.append(clip.mask_sha256)
    if "points" in version.needs:
        parts.append(stamp_of(clip.keypoints) if clip.keypoints else "")
    if "other" in version.needs and lender is not None:
        parts += [lender.clip_id, lender.source_sha256, lender.mask_sha256]
    return key_of(*parts, version_settings(condition, settings))


def lend_key(clip: ClipFiles, settings: Versions) -> str:
    """Return a key that changes when a clip might lend its background that could not before."""
    return key_of(
        [FRAMES_REVISION, clip.source_sha256, clip.mask_sha256],
        [
            [VERSIONS[name].revision, version_settings(name, settings)]
            for name in settings.conditions
            if "other" in VERSIONS[name].needs
        ],
    )


def make(job: MakeJob) -> dict[str, dict[str, Any]] | CannotLend:
    """Make and write the versions asked for, each with its sidecar; return what the index keeps.

    Returns
    -------
    dict or CannotLend
        Condition to sha256, size, hidden_fraction, luminance and contrast.

    Raises
    ------
    StudyError
        When the clip is damaged, leaves nothing to inpaint from, or the disk is full.
    """
    letterbox = Letterbox.of(job.clip.source_wh, (job.settings.width, job.settings.height))
    needs = frozenset().union(*(VERSIONS[condition].needs for condition in job.targets))
    clip = read_clip(
        job.clip.video,
        job.settings.fps,
        job.settings.max_seconds,
        size_wh=letterbox.picture_wh,
    )
    try:
        parts = _parts(job, letterbox, needs, len(clip.frames_thwc))
    except LenderError as error:
        return CannotLend(job.lender.clip_id, str(error))
    scene = Scene(clip.frames_thwc, *parts)
    # Every version is made before any is written: a clip that fails leaves no part of itself.
    made = {condition: _made(job, condition, clip, scene, letterbox) for condition in job.targets}
    return {condition: _write(job, condition, version) for condition, version in made.items()}


def sidecar_of(stimulus: Path) -> Path:
    """Where the sidecar of a stimulus lies."""
    return stimulus.with_suffix(".json")


def make_version(
    condition: str, clip: Clip, scene: Scene, letterbox: Letterbox, settings: Versions
) -> MadeClip:
    """Make one version of pictures already at their size in the frame, and add the bars."""
    frames, hidden = VERSIONS[condition].make(scene, settings)
    share = float(hidden.mean()) * letterbox.picture_share
    return MadeClip(replace(clip, frames_thwc=letterbox.pad(frames)), share)


def _made(job: MakeJob, condition: str, clip: Clip, scene: Scene, letterbox: Letterbox) -> MadeClip:
    try:
        return make_version(condition, clip, scene, letterbox, job.settings)
    except NothingLeft:
        if not job.blank_if_all_hidden:
            raise
    blank = _blank(scene.frames_thwc, job.settings)
    return MadeClip(replace(clip, frames_thwc=letterbox.pad(blank)), letterbox.picture_share)


def _blank(frames_thwc: np.ndarray, settings: Versions) -> np.ndarray:
    """Return frames of the colour that a version shows where it hides something."""
    color = fill_color(frames_thwc, np.ones(frames_thwc.shape[:3], bool), settings.fill)
    return np.broadcast_to(color, frames_thwc.shape).copy()


def _parts(
    job: MakeJob, letterbox: Letterbox, needs: frozenset[str], n_frames: int
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """Return masks, another clip's background and key points, as far as they are needed."""
    settings, files = job.settings, job.clip
    masks = np.zeros((n_frames, *letterbox.picture_wh[::-1]), bool)
    other = points = None
    if "masks" in needs:
        masks = letterbox.shrink_masks(read_masks(files.masks).masks_thw)
    if "other" in needs:
        other = _lent_background(job, letterbox.picture_wh)
        other = other[lent_frames(n_frames, len(other))]
    if "points" in needs:
        timing = read_timing(files.video, settings.fps, settings.max_seconds)
        points = read_keypoints(files.keypoints, timing)
        points = at_picture_size(points, files.source_wh, letterbox)
    return masks, other, points


def _lent_background(job: MakeJob, size_wh: tuple[int, int]) -> np.ndarray:
    """Return another clip's background; what fails of it is not the borrower's failure."""
    try:
        return _background_of_lender(job, size_wh)
    except BatchError:
        raise
    except StudyError as error:
        raise LenderError(str(error)) from error


def _background_of_lender(job: MakeJob, size_wh: tuple[int, int]) -> np.ndarray:
    """Return the lender's frames without its person (T, h, w, 3)."""
    lender, settings = job.lender, job.settings
    clip = read_clip(
        lender.video, settings.fps, settings.max_seconds, lambda frame: cover(frame, size_wh)
    )
    masks = read_masks(lender.masks).masks_thw
    covered = np.stack([cover(mask.astype(np.uint8) * 255, size_wh) >= 128 for mask in masks])
    try:
        return person_filled_in(Scene(clip.frames_thwc, covered), settings)[0]
    except NothingLeft:
        if not job.blank_if_all_hidden:
            raise
        return _blank(clip.frames_thwc, settings)


def _write(job: MakeJob, condition: str, version: MadeClip) -> dict[str, Any]:
    written = write_clip(job.targets[condition], version.clip, job.settings.quality)
    luminance, contrast = luminance_and_contrast(version.clip.frames_thwc)
    record = {
        "sha256": written.sha256,
        "size": written.size,
        "hidden_fraction": version.hidden_fraction,
        "luminance": luminance,
        "contrast": contrast,
    }
    write_json(
        sidecar_of(job.targets[condition]), _sidecar(job, condition, version, written, record)
    )
    return record


def _sidecar(
    job: MakeJob, condition: str, version: MadeClip, written: Written, record: dict[str, Any]
) -> dict[str, Any]:
    """Say everything about a stimulus that somebody would need to make it again."""
    clip = version.clip
    content = {
        "stimulus": {"file": job.targets[condition].name, "condition": condition, **record},
        "source": {"file": job.clip.video.name, "sha256": job.clip.source_sha256},
        "settings": version_settings(condition, job.settings),
        "revision": VERSIONS[condition].revision,
        "frames": _frames(clip),
    }
    if "masks" in VERSIONS[condition].needs:
        content["masks"] = {"sha256": job.clip.mask_sha256, **read_provenance(job.clip.masks)}
    if "other" in VERSIONS[condition].needs:
        lender = job.lender
        content["background_of"] = {"clip_id": lender.clip_id, "sha256": lender.source_sha256}
    if written.psnr_db is not None:
        content["loss"] = {"psnr_db": written.psnr_db, "ssim": written.ssim}
    return content


def _frames(clip: Clip) -> dict[str, Any]:
    """Say how many frames there are and when each appears, exactly."""
    times = clip.times
    found: dict[str, Any] = {"n": len(times), "fps": str(times.fps)}
    if not times.is_even:
        found |= {"ticks": [int(tick) for tick in times.ticks], "time_base": str(times.time_base)}
    return found
