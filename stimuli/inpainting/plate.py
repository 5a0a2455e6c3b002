"""The clean plate: the scene without the person, put together from the frames that show it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .camera import corners_of, moved

# So many frames, evenly spaced, make the plate: neighbouring ones hardly differ.
MOST_FRAMES = 64
# A pixel is revealed where at least one of so many frames shows it.
REVEALED_IN = 8
# Masks now and then lose an arm or the whole person. Nothing is taken from near a person (in time,
# on either side, this share of the clip) nor from a frame with much less person than usual.
NEAR_SHARE = 1 / 8
LEAST_PERSON = 0.5
# Rows of the plate that are worked on at a time, which bounds the memory.
ROWS_AT_ONCE = 32
# A scene larger than so many pictures is more likely a wrong path than a wide pan.
MOST_PICTURES = 6.0
HIDDEN = np.int16(np.iinfo(np.int16).max)
# Brightness is compared at every so many pixels.
LEVEL_STEP_PX = 8
LEVEL_ROUNDS = 3


@dataclass(frozen=True)
class Plate:
    """The scene in the coordinates of the middle frame, shifted so that none are negative.

    Attributes
    ----------
    scene_hwc : ndarray of float32
        (h, w, 3); where nothing is revealed, 0.
    revealed_hw : ndarray of bool
        (h, w), where enough frames show the scene.
    to_scene_t33 : ndarray of float
        (T, 3, 3): pixels of frame t to pixels of the scene.
    is_still : bool
        Whether the scene has the very pixels of every frame.
    """

    scene_hwc: np.ndarray
    revealed_hw: np.ndarray
    to_scene_t33: np.ndarray
    is_still: bool

    def laid_over(self, masks_thw: np.ndarray) -> np.ndarray:
        """Return the pixels of the scene (h, w) that a mask of any frame covers."""
        if self.is_still:
            return masks_thw.any(axis=0)
        size_wh = self.revealed_hw.shape[::-1]
        covered = np.zeros(self.revealed_hw.shape, np.uint8)
        for mask, motion in zip(masks_thw, self.to_scene_t33, strict=True):
            covered |= cv2.warpPerspective(mask.astype(np.uint8), motion, size_wh)
        return covered > 0

    def seen_from(self, number: int, size_wh: tuple[int, int]) -> np.ndarray:
        """Return the scene as frame `number` would show it (H, W, 3) float32."""
        if self.is_still:
            return self.scene_hwc
        return cv2.warpPerspective(
            self.scene_hwc,
            self.to_scene_t33[number],
            size_wh,
            flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )


def clean_plate(
    frames_thwc: np.ndarray, persons_thw: np.ndarray, path_t33: np.ndarray
) -> Plate | None:
    """Take the median over the frames that show a pixel of the scene.

    Frames are first brought to one brightness, a shift per channel, because exposure changes.

    Parameters
    ----------
    frames_thwc : ndarray of uint8
        (T, H, W, 3) RGB.
    persons_thw : ndarray of bool
        (T, H, W).
    path_t33 : ndarray of float
        As from `camera_path`.

    Returns
    -------
    Plate or None
        None where the path takes in a scene of impossible size, or the person is found in too few
        frames.
    """
    height, width = persons_thw.shape[1:]
    numbers = _frames_to_use(persons_thw)
    if not len(numbers):
        return None
    is_still = bool((path_t33 == np.eye(3)).all())
    ends = np.concatenate([moved(corners_of((width, height)), motion) for motion in path_t33])
    first, last = np.floor(ends.min(axis=0)), np.ceil(ends.max(axis=0))
    scene_wh = tuple(int(side) for side in last - first + 1)
    if scene_wh[0] * scene_wh[1] > MOST_PICTURES * width * height:
        return None
    shift = np.eye(3)
    shift[:2, 2] = -first
    to_scene = shift @ path_t33
    layers = _Layers(frames_thwc, _hiding(persons_thw), to_scene, numbers, is_still)
    scene, revealed = _median_scene(layers, scene_wh)
    return Plate(scene, revealed, to_scene, is_still)


def _frames_to_use(persons_thw: np.ndarray) -> np.ndarray:
    """Return the numbers of frames that the plate is made of, none where they are too few."""
    areas = persons_thw.sum(axis=(1, 2))
    found = areas[areas > 0]
    usable = np.flatnonzero(areas >= LEAST_PERSON * np.median(found)) if len(found) else found
    if len(usable) * REVEALED_IN < len(areas):
        return usable[:0]
    chosen = np.linspace(0, len(usable) - 1, min(len(usable), MOST_FRAMES)).round().astype(int)
    return usable[chosen]


def _hiding(persons_thw: np.ndarray) -> np.ndarray:
    """Return where a frame may show the person, were its mask wrong and its neighbours' right."""
    reach = int(np.ceil(NEAR_SHARE * len(persons_thw) / 2))
    return np.stack(
        [
            persons_thw[max(0, number - reach) : number + reach + 1].any(axis=0)
            for number in range(len(persons_thw))
        ]
    )


@dataclass(frozen=True)
class _Layers:
    """The chosen frames, each laid over the scene."""

    frames_thwc: np.ndarray
    hiding_thw: np.ndarray
    to_scene_t33: np.ndarray
    numbers: np.ndarray
    is_still: bool

    def rows(self, top: int, n_rows: int, width: int) -> np.ndarray:
        """Return rows of all layers (N, n_rows, width, 3) int16; `HIDDEN`: one shows nothing."""
        layers = np.empty((len(self.numbers), n_rows, width, 3), np.int16)
        for layer, number in zip(layers, self.numbers, strict=True):
            frame, hiding = self.frames_thwc[number], self.hiding_thw[number]
            if self.is_still:
                layer[...], hides = frame[top : top + n_rows], hiding[top : top + n_rows]
            else:
                layer[...], hides = self._warped(number, top, (width, n_rows))
            layer[hides] = HIDDEN
        return layers

    def _warped(
        self, number: int, top: int, size_wh: tuple[int, int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return some rows of the scene as one frame shows them, and where it does not."""
        up = np.eye(3)
        up[1, 2] = -top
        motion = up @ self.to_scene_t33[number]
        frame = cv2.warpPerspective(
            self.frames_thwc[number],
            motion,
            size_wh,
            flags=cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REPLICATE,
        )
        # Interpolated and cut at nearly nothing hidden: no trace of the person gets in.
        shown = np.where(self.hiding_thw[number], 0, 255).astype(np.uint8)
        shown = cv2.warpPerspective(shown, motion, size_wh, flags=cv2.INTER_LINEAR)
        return frame, shown < 255


def _median_scene(layers: _Layers, scene_wh: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return the scene (h, w, 3) and where it is revealed (h, w)."""
    width, height = scene_wh
    levels = _levels(layers, scene_wh)
    least = -(-len(layers.numbers) // REVEALED_IN)
    scene = np.zeros((height, width, 3), np.float32)
    revealed = np.zeros((height, width), bool)
    for top in range(0, height, ROWS_AT_ONCE):
        n_rows = min(ROWS_AT_ONCE, height - top)
        rows = layers.rows(top, n_rows, width)
        values = np.where(rows == HIDDEN, HIDDEN, rows - levels[:, np.newaxis, np.newaxis])
        medians, counts = _medians(values)
        scene[top : top + n_rows] = medians
        revealed[top : top + n_rows] = counts >= least
    scene[~revealed] = 0
    return scene, revealed


def _medians(layers_nhwc: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the medians over the layers that show a pixel (h, w, 3), and how many do (h, w)."""
    ordered = np.sort(np.moveaxis(layers_nhwc, 0, -1), axis=-1)
    counts = (ordered[..., 0, :] != HIDDEN).sum(axis=-1)
    last = np.maximum(counts - 1, 0)[..., np.newaxis, np.newaxis]
    lower, upper = (
        np.take_along_axis(ordered, place, axis=-1)[..., 0].astype(np.float32)
        for place in (last // 2, last - last // 2)
    )
    return (lower + upper) / 2, counts


def _levels(layers: _Layers, scene_wh: tuple[int, int]) -> np.ndarray:
    """Return how much brighter every layer is than the scene (N, 3) int16."""
    width, height = scene_wh
    rows = [
        layers.rows(top, 1, width)[:, 0, ::LEVEL_STEP_PX]
        for top in range(LEVEL_STEP_PX // 2, height, LEVEL_STEP_PX)
    ]
    samples = np.concatenate(rows, axis=1).astype(np.float32)  # (N, points, 3)
    samples[samples == HIDDEN] = np.nan
    shown = ~np.isnan(samples[..., 0])
    levels = np.zeros((len(samples), 1, 3), np.float32)
    if not shown.any(axis=1).all():
        # A layer that shows nothing at all has no brightness; the others go uncompared too.
        return levels[:, 0].astype(np.int16)
    samples = samples[:, shown.any(axis=0)]
    for _ in range(LEVEL_ROUNDS):
        scene = np.nanmedian(samples - levels, axis=0)
        levels = np.nanmedian(samples - scene, axis=1, keepdims=True)
    return np.rint(levels[:, 0]).astype(np.int16)
