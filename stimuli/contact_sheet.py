"""One picture per action to look at: a few clips, every version, a few moments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from stimuli.letterbox import Letterbox
from stimuli.masks import read_masks
from stimuli.video import read_clip
from study.conditions import CONDITIONS
from study.files import whole_file

CLIPS_SHOWN = 4
# Pictures side by side: with few versions several moments of each.
PICTURES_ACROSS, MOST_MOMENTS = 9, 3
SHEET_WIDTH = 1800
WIDEST_CELL = 320
GAP = 6
TITLE_HEIGHT, HEADER_HEIGHT, CAPTION_HEIGHT = 44, 28, 22
OUTLINE_RGB = (255, 230, 0)
INK, PAPER, GREY = (20, 20, 20), (255, 255, 255), (110, 110, 110)


@dataclass(frozen=True)
class SheetRow:
    """One clip on a sheet.

    Attributes
    ----------
    clip_id, caption : str
    versions : mapping of str to Path
        Condition to the finished file.
    masks : Path
        Drawn as an outline on the original.
    source_wh : tuple of int
        Size of the source.
    """

    clip_id: str
    caption: str
    versions: Mapping[str, Path]
    masks: Path
    source_wh: tuple[int, int]


@dataclass(frozen=True)
class SheetJob:
    """A contact sheet to draw; its `conditions` are its groups of columns, in order."""

    title: str
    conditions: Sequence[str]
    rows: Sequence[SheetRow]
    target: Path


@dataclass(frozen=True)
class Picture:
    """One moment of one version; the mask is outlined where there is one."""

    frame_hwc: np.ndarray
    time_s: float
    mask_hw: np.ndarray | None


def draw_sheet(job: SheetJob) -> None:
    """Draw one contact sheet and write it as a PNG."""
    # Row by row, condition by condition, moment by moment.
    rows = [_pictures_of_row(row, job.conditions) for row in job.rows]
    n_moments = max(len(pictures) for row in rows for pictures in row)
    n_columns = n_moments * len(job.conditions)
    height, width = rows[0][0][0].frame_hwc.shape[:2]
    cell_w = min(WIDEST_CELL, (SHEET_WIDTH - GAP) // n_columns - GAP)
    cell_wh = (cell_w, round(cell_w * height / width))
    row_height = cell_wh[1] + CAPTION_HEIGHT + GAP
    header = TITLE_HEIGHT + HEADER_HEIGHT
    sheet = Image.new(
        "RGB", (GAP + n_columns * (cell_w + GAP), header + len(rows) * row_height), PAPER
    )
    draw = ImageDraw.Draw(sheet)
    draw.text((GAP, 8), job.title, INK, _font(24))
    lefts = [GAP + n * n_moments * (cell_w + GAP) for n in range(len(job.conditions))]
    for left, condition in zip(lefts, job.conditions, strict=True):
        look = CONDITIONS[condition]
        draw.text((left, TITLE_HEIGHT), look.label, look.color, _font(18))
    for number, (row, groups) in enumerate(zip(job.rows, rows, strict=True)):
        top = header + number * row_height
        for left, pictures in zip(lefts, groups, strict=True):
            _paste(sheet, pictures, cell_wh, (left, top))
        draw.text((GAP, top + cell_wh[1] + 2), row.caption, GREY, _font(14))
    with whole_file(job.target) as partial:
        sheet.save(partial)


def _paste(
    sheet: Image.Image, pictures: list[Picture], cell_wh: tuple[int, int], left_top: tuple[int, int]
) -> None:
    """Put the moments of one version side by side."""
    draw = ImageDraw.Draw(sheet)
    left, top = left_top
    for picture in pictures:
        small = cv2.resize(picture.frame_hwc, cell_wh, interpolation=cv2.INTER_AREA)
        if picture.mask_hw is not None:
            # Outlined at the size it is seen at: a line drawn before would fade.
            small = _outlined(small, picture.mask_hw)
        sheet.paste(Image.fromarray(small), (left, top))
        if len(pictures) > 1:
            at = (left + 4, top + cell_wh[1] - 17)
            draw.text(
                at, f"{picture.time_s:.1f} s", PAPER, _font(12), stroke_width=2, stroke_fill=INK
            )
        left += cell_wh[0] + GAP


def _pictures_of_row(row: SheetRow, conditions: Sequence[str]) -> list[list[Picture]]:
    """Read the moments of all versions of one clip."""
    n_moments = max(1, min(MOST_MOMENTS, PICTURES_ACROSS // len(conditions)))
    return [_pictures(row, condition, n_moments) for condition in conditions]


def _pictures(row: SheetRow, condition: str, n_moments: int) -> list[Picture]:
    """Read the moments of one version of one clip."""
    clip = read_clip(row.versions[condition])
    moments = _moments(len(clip.frames_thwc), n_moments)
    masks = [None] * len(moments)
    if not CONDITIONS[condition].lacks:
        height, width = clip.frames_thwc.shape[1:3]
        letterbox = Letterbox.of(row.source_wh, (width, height))
        small = letterbox.shrink_masks(read_masks(row.masks).masks_thw[moments])
        masks = letterbox.pad(np.repeat(small[..., np.newaxis], 3, axis=-1))[..., 0]
    return [
        Picture(clip.frames_thwc[moment], float(clip.times_s[moment]), mask)
        for moment, mask in zip(moments, masks, strict=True)
    ]


def _moments(n_frames: int, n_moments: int) -> list[int]:
    """Choose moments a little inside both ends, and between."""
    shares = (np.arange(n_moments) + 0.5) / n_moments
    return sorted({int(share * n_frames) for share in shares})


def _outlined(frame_hwc: np.ndarray, mask_hw: np.ndarray) -> np.ndarray:
    """Draw a mask's outline on a smaller picture."""
    size_wh = (frame_hwc.shape[1], frame_hwc.shape[0])
    share = cv2.resize(mask_hw.astype(np.float32), size_wh, interpolation=cv2.INTER_AREA)
    contours, _ = cv2.findContours(
        (share >= 0.5).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE
    )
    return cv2.drawContours(frame_hwc, contours, -1, OUTLINE_RGB, 1)


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
