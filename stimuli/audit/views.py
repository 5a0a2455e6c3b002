"""The pictures that are audited: whole versions, ways of hiding the person, and parts of both."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from stimuli.audit.features import plain_blocks, plain_row
from stimuli.audit.low_level import COLOR_BLOCKS, LOW_LEVEL_BLOCKS, color_row
from stimuli.audit.outlines import OUTLINE_BLOCKS, box_of, outline_row, rims
from stimuli.holes import holes_of
from stimuli.inpainting import LEAST_LEFT, inpainted
from stimuli.letterbox import Letterbox
from study.fields import AuditedFill, Versions

BLOCKS = {
    "plain": plain_blocks(),
    "outline": OUTLINE_BLOCKS,
    "color": COLOR_BLOCKS,
    "low-level": LOW_LEVEL_BLOCKS,
}
# Fills of one colour that depend on all frames of the clip.
COLORS_OF_CLIP = ("mean", "matched")


@dataclass(frozen=True)
class View:
    """What a probe looks at.

    Attributes
    ----------
    family : {"version", "hiding", "hole", "body"}
        A whole version as it was made; a way of hiding the person; part of a way of hiding; part
        of the body-only version.
    picture : str
        What is seen, in words.
    probe : str
        How it is seen, a key of `BLOCKS`.
    condition, hole, inpainting : str
        The version and the way that it belongs to, empty where that does not matter.
    """

    family: str
    picture: str
    probe: str
    condition: str = ""
    hole: str = ""
    inpainting: str = ""


# A row of features per moment.
Seen = Iterator[tuple[View, list[np.ndarray]]]


@dataclass(frozen=True)
class Moments:
    """A clip's picture at the audited moments, and its person in all frames.

    Attributes
    ----------
    frames_thwc : ndarray of uint8
        Original frames at the size of the picture, without bars: those of `loaded`.
    loaded : ndarray of int
        The frames that were read; they include the audited ones.
    audited : ndarray of int
        Their places among the loaded.
    masks_thw, grown_thw : ndarray of bool
        The person, and the grown person, in every frame of the clip.
    letterbox : Letterbox
    """

    frames_thwc: np.ndarray
    loaded: np.ndarray
    audited: np.ndarray
    masks_thw: np.ndarray
    grown_thw: np.ndarray
    letterbox: Letterbox

    def audited_of(self, all_thw: np.ndarray) -> np.ndarray:
        """Return the audited moments of something that is known of every frame."""
        return all_thw[self.loaded[self.audited]]


def needs_whole_clip(settings: Versions) -> bool:
    """Whether a frame is filled from other frames, or with a colour of the whole clip."""
    is_flat = settings.inpainting == "flat"
    return settings.inpainting == "temporal" or (is_flat and settings.fill in COLORS_OF_CLIP)


def with_way(settings: Versions, way: AuditedFill) -> Versions:
    """Return the settings with another way of hiding the person."""
    names = ("hole", "least_hole", "inpainting")
    return settings.model_copy(update={name: getattr(way, name) for name in names})


def views_of_hiding(moments: Moments, ways: list[AuditedFill], settings: Versions) -> Seen:
    """Yield every way of hiding the person, whole and in parts."""
    done: set[str] = set()
    for way in ways:
        chosen = with_way(settings, way)
        holes = holes_of(moments.grown_thw, chosen)
        if way.hole_name not in done:
            done.add(way.hole_name)
            yield from _views_of_hole(moments, moments.audited_of(holes), way.hole_name)
        yield from _views_of_fill(moments, holes, chosen)


def views_of_body(moments: Moments) -> Seen:
    """Yield the body's outline, the body without its edge, and the colours along the edge."""
    masks = moments.audited_of(moments.masks_thw)
    frames = moments.frames_thwc[moments.audited]
    edges = [rims(mask) for mask in masks]

    def view(picture: str, probe: str) -> View:
        return View("body", picture, probe, condition="body_only")

    yield view("outline of the body", "outline"), [outline_row(mask) for mask in masks]
    peeled = [mask & ~inside for mask, (_, inside, _) in zip(masks, edges, strict=True)]
    shown = [frame * mask[..., np.newaxis] for frame, mask in zip(frames, peeled, strict=True)]
    yield (
        view("body only, its rim peeled off", "plain"),
        [plain_row(_padded(moments, picture)) for picture in shown],
    )
    names = ("scene along the body", "rim of the body", "next rim inwards")
    for number, name in enumerate(names):
        pairs = zip(frames, edges, strict=True)
        yield view(name, "color"), [color_row(frame, edge[number]) for frame, edge in pairs]


def _views_of_hole(moments: Moments, holes_mhw: np.ndarray, name: str) -> Seen:
    """Yield what there is whatever the hole is filled with: its outline, and what is around it."""
    frames = moments.frames_thwc[moments.audited]
    outline, outside = (
        View("hole", f"{what}: {name}", probe, "background_only", name)
        for what, probe in (("outline of the hole", "outline"), ("outside of the hole", "plain"))
    )
    yield outline, [outline_row(hole) for hole in holes_mhw]
    yield (
        outside,
        [
            plain_row(_padded(moments, frame), ~_padded_region(moments, hole))
            for frame, hole in zip(frames, holes_mhw, strict=True)
        ],
    )


def _views_of_fill(moments: Moments, holes_thw: np.ndarray, settings: Versions) -> Seen:
    """Yield the filled picture, and what fills the hole: where it is, and without its outline."""
    way = (settings.hole_name, settings.inpainting)
    holes = moments.audited_of(holes_thw)
    filled = _filled(moments, holes_thw, settings)
    for (family, what), look in LOOKS_AT_FILL.items():
        # A hole of one colour has no content: its inside says what its outline says.
        if settings.inpainting == "flat" and family == "hole":
            continue
        view = View(family, f"{what}: {', '.join(way)}", "plain", "background_only", *way)
        if filled is None:
            yield view, [np.full(sum(plain_blocks()), np.nan) for _ in holes]
        else:
            yield view, [look(moments, *pair) for pair in zip(filled, holes, strict=True)]


def _filled(moments: Moments, holes_thw: np.ndarray, settings: Versions) -> np.ndarray | None:
    """Return the audited moments without the person; None where nothing is left to fill from."""
    whole_clip = needs_whole_clip(settings)
    frames = moments.frames_thwc if whole_clip else moments.frames_thwc[moments.audited]
    places = moments.loaded if whole_clip else moments.loaded[moments.audited]
    holes = holes_thw[places]
    if 1 - holes.mean(axis=(1, 2)).max() < LEAST_LEFT:
        return None
    filled = inpainted(frames, holes, moments.grown_thw[places], settings)
    return filled[moments.audited] if whole_clip else filled


def _whole(moments: Moments, picture_hwc: np.ndarray, hole_hw: np.ndarray) -> np.ndarray:
    return plain_row(_padded(moments, picture_hwc))


def _inside(moments: Moments, picture_hwc: np.ndarray, hole_hw: np.ndarray) -> np.ndarray:
    return plain_row(_padded(moments, picture_hwc * hole_hw[..., np.newaxis]))


def _at_one_size(moments: Moments, picture_hwc: np.ndarray, hole_hw: np.ndarray) -> np.ndarray:
    """Look at a hole's content at the size of its box; its outline, place and size are not seen."""
    if not hole_hw.any():
        return np.full(sum(plain_blocks()), np.nan)
    box = box_of(hole_hw)
    return plain_row(picture_hwc[box], hole_hw[box])


# Family and words of a view, and how it looks at a filled picture and its hole.
LOOKS_AT_FILL: dict[tuple[str, str], Callable[[Moments, np.ndarray, np.ndarray], np.ndarray]] = {
    ("hiding", "background only"): _whole,
    ("hole", "inside of the hole"): _inside,
    ("hole", "inside, at one size"): _at_one_size,
}


def _padded(moments: Moments, picture_hwc: np.ndarray) -> np.ndarray:
    return moments.letterbox.pad(picture_hwc[np.newaxis])[0]


def _padded_region(moments: Moments, region_hw: np.ndarray) -> np.ndarray:
    """Return a region in the whole frame; the bars are not in it."""
    as_picture = np.repeat(region_hw[..., np.newaxis].astype(np.uint8), 3, axis=2)
    return _padded(moments, as_picture)[..., 0].astype(bool)
