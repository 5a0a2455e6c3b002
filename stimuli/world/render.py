"""From a recipe to pixels: the scene through the camera, the shadow, the figure and its mask."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .camera import CameraPath, draw_camera
from .canvas import Canvas
from .draws import named_generator
from .figure import FigurePainter
from .performance import Performance, draw_style, perform
from .person import draw_looks
from .recipe import ClipRecipe
from .scenes import paint_scene

_SHADOW_STRENGTH = 0.5
# The bones that cast the shadow, with their radii in standing heights.
_SHADOW_BONES = (
    ("pelvis", "chest", 0.075), ("left_shoulder", "right_shoulder", 0.04), ("head", "crown", 0.07),
    *((f"{s}_{a}", f"{s}_{b}", r) for s in ("left", "right") for a, b, r in (
        ("hip", "knee", 0.05), ("knee", "ankle", 0.035), ("heel", "toe", 0.03),
        ("shoulder", "elbow", 0.03), ("elbow", "hand", 0.025),
    )),
)  # fmt: skip


# The thirteen lights of Johansson (1973): head, shoulders, elbows, wrists, hips, knees, ankles.
KEYPOINTS = (
    "head",
    *(f"{side}_{joint}" for joint in ("shoulder", "elbow", "hand", "hip", "knee", "ankle")
      for side in ("left", "right")),
)  # fmt: skip


@dataclass(frozen=True)
class RenderedClip:
    """A clip with its ground truth.

    Attributes
    ----------
    frames_thwc
        (T, H, W, 3) uint8 RGB.
    backgrounds_thwc
        (T, H, W, 3) uint8 RGB: the same scene, camera, light and moving elements, without the
        figure and its shadow.
    masks_thw
        (T, H, W) bool: the pixels of which the figure covers half or more.
    keypoints_tkc
        (T, K, 2) float: x and y of `KEYPOINTS`, pixels, hidden ones too.
    """

    frames_thwc: NDArray[np.uint8]
    backgrounds_thwc: NDArray[np.uint8]
    masks_thw: NDArray[np.bool_]
    keypoints_tkc: NDArray[np.float64]


@dataclass(frozen=True)
class _Light:
    """Gains of red, green and blue (3,), and the side that the light comes from, (2,)."""

    tint: NDArray[np.float64]
    direction: NDArray[np.float64]


def render_clip(recipe: ClipRecipe) -> RenderedClip:
    """Render a clip: the same recipe gives the same bytes."""
    aspect = recipe.width / recipe.height
    camera = draw_camera(
        named_generator(recipe.seed, "camera", recipe.clip_id),
        recipe.n_frames, recipe.fps, aspect, recipe.camera_motion,
    )  # fmt: skip
    light = _draw_light(named_generator(recipe.seed, "light", recipe.clip_id))
    looks = draw_looks(named_generator(recipe.seed, "looks", recipe.person))
    style = draw_style(named_generator(recipe.seed, "style", recipe.clip_id))
    performance = perform(
        recipe.action, looks, style, camera,
        recipe.figure_size, recipe.n_frames, recipe.fps, aspect,
    )  # fmt: skip
    unit = recipe.height  # pixels per frame height
    joints = {name: p * unit - 0.5 for name, p in performance.screen.items()}
    painter = FigurePainter(
        looks,
        joints,
        performance.depth,
        performance.scale * unit,
        light.direction,
        light.tint,
    )
    backgrounds = _render_scene(recipe, camera, light)
    frames, masks = backgrounds.copy(), np.zeros(backgrounds.shape[:3], bool)
    for frame in range(recipe.n_frames):
        _cast_shadow(frames[frame], performance, frame, light.direction[0])
        masks[frame] = _place_figure(frames[frame], painter, frame)
    keypoints = np.stack([joints[name] for name in KEYPOINTS], axis=1)
    return RenderedClip(frames, backgrounds, masks, keypoints)


def _draw_light(rng: np.random.Generator) -> _Light:
    """Draw the light of a clip: the same for scene and figure, whatever the scene and action."""
    warmth = rng.uniform(-0.05, 0.05)
    gain = rng.uniform(0.86, 1.06)
    side = rng.choice((-1, 1)) * rng.uniform(0.3, 0.8)
    return _Light(
        tint=gain * np.array([1 + warmth, 1.0, 1 - warmth]),
        direction=np.array([side, -math.sqrt(1 - side**2)]),
    )


def _render_scene(recipe: ClipRecipe, camera: CameraPath, light: _Light) -> NDArray[np.uint8]:
    """Paint the scene once, then move its elements and the camera from frame to frame."""
    rng = named_generator(recipe.seed, "scene", recipe.clip_id)
    width, height = recipe.width, recipe.height
    still, animate = paint_scene(recipe.scene, rng, width / height, height)
    levels = np.arange(256)[:, None, None] * light.tint
    table = np.clip(np.rint(levels), 0, 255).astype(np.uint8)  # (256, 1, 3)
    frames = np.empty((recipe.n_frames, height, width, 3), np.uint8)
    for frame in range(recipe.n_frames):
        canvas = Canvas(still.image.copy(), still.unit, still.aspect, still.margin)
        animate(canvas, frame / recipe.fps)
        shot = _shoot(canvas, camera, frame, width, height)
        frames[frame] = cv2.LUT(shot, table.reshape(1, 256, 3))
    return frames


def _shoot(
    canvas: Canvas, camera: CameraPath, frame: int, width: int, height: int
) -> NDArray[np.uint8]:
    """Return what the camera sees of the scene."""
    top, left = round(canvas.margin * canvas.unit), (canvas.image.shape[1] - width) // 2
    if camera.is_still:
        return canvas.image[top : top + height, left : left + width]
    zoom = camera.zoom[frame]
    corner = camera.centre + camera.shift[frame] - camera.centre / zoom  # seen at the frame's 0, 0
    start = corner * canvas.unit + (left, top) - 0.5 + 0.5 / zoom
    matrix = np.array([[1 / zoom, 0, start[0]], [0, 1 / zoom, start[1]]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(
        canvas.image, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE
    )


def _cast_shadow(
    frame_hwc: NDArray[np.uint8], performance: Performance, frame: int, light_side: float
) -> None:
    """Darken the ground below the figure, less where the body is high above it."""
    height, width = frame_hwc.shape[:2]
    scale = performance.scale[frame] * height
    points = {
        name: p[frame] * height - [0.35 * light_side * performance.altitude[name][frame] * scale, 0]
        for name, p in performance.ground.items()
    }
    reach = 0.12 * scale
    corners = np.array(list(points.values()))
    x0, y0 = np.maximum(np.floor(corners.min(axis=0) - reach), 0).astype(int)
    x1, y1 = np.minimum(np.ceil(corners.max(axis=0) + reach), (width, height)).astype(int)
    if x1 <= x0 or y1 <= y0:
        return
    shadow = np.zeros((y1 - y0, x1 - x0), np.uint8)
    bones = []
    for start, end, radius in _SHADOW_BONES:
        altitude = performance.altitude[start][frame] + performance.altitude[end][frame]
        bones.append((255 * math.exp(-1.1 * max(altitude, 0.0)), start, end, radius))
    for darkness, start, end, radius in sorted(bones):
        ends = [tuple(map(int, np.round((points[j] - (x0, y0)) * 16))) for j in (start, end)]
        thickness = max(1, round(radius * scale))
        cv2.line(shadow, ends[0], ends[1], darkness, thickness, cv2.LINE_AA, 4)
    blurred = cv2.GaussianBlur(shadow, (0, 0), max(0.5, 0.018 * scale))
    gain = 1 - _SHADOW_STRENGTH / 255 * blurred[..., None].astype(np.float32)
    view = frame_hwc[y0:y1, x0:x1]
    view[:] = (view * gain).astype(np.uint8)


def _place_figure(
    frame_hwc: NDArray[np.uint8], painter: FigurePainter, frame: int
) -> NDArray[np.bool_]:
    """Draw the figure over the frame; return its mask (H, W)."""
    height, width = frame_hwc.shape[:2]
    mask = np.zeros((height, width), bool)
    left, top, right, bottom = painter.bounds(frame)
    x0, y0 = max(0, math.floor(left) - 1), max(0, math.floor(top) - 1)
    x1, y1 = min(width, math.ceil(right) + 2), min(height, math.ceil(bottom) + 2)
    if x1 <= x0 or y1 <= y0:
        return mask
    zoom = 2 if height >= 150 else 4
    layer = np.zeros(((y1 - y0) * zoom, (x1 - x0) * zoom, 4), np.uint8)
    painter.paint(frame, layer, zoom, x0, y0)
    small = cv2.resize(layer, (x1 - x0, y1 - y0), interpolation=cv2.INTER_AREA)
    alpha = small[..., 3:].astype(np.float32) / 255
    view = frame_hwc[y0:y1, x0:x1]
    view[:] = np.minimum(np.rint(view * (1 - alpha) + small[..., :3]), 255).astype(np.uint8)
    mask[y0:y1, x0:x1] = small[..., 3] >= 128
    return mask
