"""The true background from the frames that show it, where the body or the camera reveals it."""

from __future__ import annotations

import cv2
import numpy as np

from stimuli.holes import holes_of
from study.fields import Versions

from .camera import camera_path
from .plate import Plate, clean_plate
from .smooth import SIDEWAYS, SmoothFill, as_pixels, equal_holes, filled_smoothly

# The plate is tried on a ring of this width around the hole, in so many frames, where the truth is
# known: it must foretell the ring about as well as the harmonic fill does.
RING_PX, FRAMES_TRIED = 12, 8
# Errors of the plate relative to the harmonic fill's: up to the first it is used alone, from the
# second on not at all, between them mixed, so that a hair's breadth changes nothing.
TRUSTED, DISTRUSTED = 1.0, 1.5


def filled_from_other_frames(
    frames_thwc: np.ndarray, holes_thw: np.ndarray, persons_thw: np.ndarray, settings: Versions
) -> np.ndarray:
    """Fill with a clean plate of the scene, see `clean_plate`; where there is none, harmonically.

    The camera's motion is compensated. All pixels of the hole come from the plate in every frame,
    those that are not under the person too, so the fill does not move as the body does. What no
    frame reveals is filled harmonically inside the plate; under `hole` hull or box its hull or box,
    so that its outline tells no more than the study allows. In every frame a harmonic correction
    takes the plate to the colours at the rim of the hole (Poisson blending, Perez et al. 2003,
    doi:10.1145/882262.882269). A clip whose motion cannot be told, or whose plate foretells the
    surroundings of the hole worse than the harmonic fill, is filled harmonically.
    """
    plate = _complete_plate(frames_thwc, holes_thw, persons_thw, settings)
    trust = 0.0 if plate is None else _trust(frames_thwc, holes_thw, plate)
    if trust == 0:
        return filled_smoothly(frames_thwc, holes_thw, SIDEWAYS)
    filled = _from_plate(frames_thwc, holes_thw, plate)
    if trust == 1:
        return filled
    harmonic = filled_smoothly(frames_thwc, holes_thw, SIDEWAYS)
    return as_pixels(trust * filled.astype(np.float32) + (1 - trust) * harmonic)


def _complete_plate(
    frames_thwc: np.ndarray, holes_thw: np.ndarray, persons_thw: np.ndarray, settings: Versions
) -> Plate | None:
    """Return the plate without gaps, None where there is none."""
    path = camera_path(frames_thwc, persons_thw) if len(frames_thwc) > 1 else None
    plate = None if path is None else clean_plate(frames_thwc, persons_thw, path)
    if plate is None or not _complete(plate, holes_thw, persons_thw, settings):
        return None
    return plate


def _complete(
    plate: Plate, holes_thw: np.ndarray, persons_thw: np.ndarray, settings: Versions
) -> bool:
    """Fill what no frame reveals, in the plate; tell whether there was anything to fill it from."""
    # What lies behind the person takes the shape that the study asks for; what lies beyond the
    # edges of the frames is no part of that.
    behind = ~plate.revealed_hw & plate.laid_over(persons_thw)
    shaped = holes_of(behind[np.newaxis], settings)[0] & plate.laid_over(holes_thw)
    lacking = ~plate.revealed_hw | shaped
    if lacking.all():
        return False
    if lacking.any():
        fill = SmoothFill(lacking, SIDEWAYS)
        flat = plate.scene_hwc.reshape(-1, 3)
        flat[fill.hole_index] = fill.solve(flat[fill.rim_index])
    return True


def _from_plate(frames_thwc: np.ndarray, holes_thw: np.ndarray, plate: Plate) -> np.ndarray:
    """Put the plate into the holes, corrected to the rim of each."""
    filled = frames_thwc.copy()
    size_wh = (frames_thwc.shape[2], frames_thwc.shape[1])
    for hole, numbers in equal_holes(holes_thw):
        fill = SmoothFill(hole)
        for number in numbers:
            frame = filled[number].reshape(-1, 3)
            seen = plate.seen_from(number, size_wh).reshape(-1, 3)
            correction = fill.solve(frame[fill.rim_index] - seen[fill.rim_index])
            frame[fill.hole_index] = as_pixels(seen[fill.hole_index] + correction)
    return filled


def _trust(frames_thwc: np.ndarray, holes_thw: np.ndarray, plate: Plate) -> float:
    """Return the share of the plate in the fill, 0 to 1, from how well it foretells the rings."""
    numbers = np.flatnonzero(holes_thw.any(axis=(1, 2)))
    numbers = numbers[:: -(-len(numbers) // FRAMES_TRIED)]
    errors = np.array([_ring_errors(frames_thwc[n], holes_thw[n], plate, n) for n in numbers])
    with_plate, without = errors.sum(axis=0)
    ratio = with_plate / without if without else float(with_plate > 0) * DISTRUSTED
    return float(np.clip((DISTRUSTED - ratio) / (DISTRUSTED - TRUSTED), 0, 1))


def _ring_errors(
    frame_hwc: np.ndarray, hole_hw: np.ndarray, plate: Plate, number: int
) -> tuple[float, float]:
    """Return the summed errors of plate and harmonic fill on a ring around the hole.

    Both are fills of the hole and the ring from the ring's outer rim.
    """
    size_wh = (frame_hwc.shape[1], frame_hwc.shape[0])
    kernel = np.ones((2 * RING_PX + 1, 2 * RING_PX + 1), np.uint8)
    larger = cv2.dilate(hole_hw.astype(np.uint8), kernel).astype(bool)
    if larger.all():
        return 0.0, 0.0
    fill = SmoothFill(larger, SIDEWAYS)
    ring = ~hole_hw.ravel()[fill.hole_index]
    truth = frame_hwc.reshape(-1, 3).astype(np.float32)
    lacking = truth - plate.seen_from(number, size_wh).reshape(-1, 3)
    errors = [
        np.abs(values[fill.hole_index] - fill.solve(values[fill.rim_index]))[ring].sum()
        for values in (lacking, truth)
    ]
    return float(errors[0]), float(errors[1])
