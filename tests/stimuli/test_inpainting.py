"""Every method of filling: against equations solved otherwise, known truths, and bad input."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from stimuli.fill_color import fill_color
from stimuli.inpainting import INPAINTERS, inpainted
from stimuli.inpainting.smooth import BIHARMONIC, SmoothFill
from study.errors import StudyError
from study.fields import Versions

ON_FRAMES = [name for name in INPAINTERS if name != "torchscript"]


def _noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def _texture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Return a picture of soft spots (H, W, 3), with corners that can be followed."""
    coarse = cv2.resize(_noise(height // 4, width // 4, 3, seed=seed), (width, height))
    return cv2.GaussianBlur(coarse, (0, 0), 1.0)


def _discs(shape: tuple[int, int], *discs: tuple[int, int, int]) -> np.ndarray:
    """Return the pixels in any of the discs (y, x, radius)."""
    ys, xs = np.mgrid[: shape[0], : shape[1]]
    return np.any([(ys - y) ** 2 + (xs - x) ** 2 <= r**2 for y, x, r in discs], axis=0)


HOLES = {
    "disc": _discs((44, 60), (22, 30, 15)),
    "at the edge": _discs((44, 60), (40, 30, 18)),
    "in the corner": _discs((44, 60), (0, 0, 25)),
    "one pixel": _discs((44, 60), (20, 30, 0)),
    "one pixel in the corner": _discs((44, 60), (43, 59, 0)),
    "two parts": _discs((44, 60), (20, 12, 9), (25, 45, 12)),
    "nearly all": ~_discs((44, 60), (22, 30, 6)),
}


def _fill(frames: np.ndarray, holes: np.ndarray, name: str, **settings: object) -> np.ndarray:
    return inpainted(frames, holes, holes, Versions(inpainting=name, **settings))


def _squares_made_smallest(hole: np.ndarray, name: str) -> np.ndarray:
    """Return the terms of the energy as a dense matrix over all pixels, pixel by pixel."""
    height, width = hole.shape
    rows = []
    for y in range(height):
        for x in range(width):
            around = [(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)]
            around = [(v, u) for v, u in around if 0 <= v < height and 0 <= u < width]
            if name == "biharmonic" and (hole[y, x] or any(hole[at] for at in around)):
                row = np.zeros(hole.shape)
                row[y, x] = len(around)
                for at in around:
                    row[at] = -1
                rows.append(row.ravel())
            for at in around:
                if at > (y, x) and (hole[y, x] or hole[at]):
                    row = np.zeros(hole.shape)
                    row[y, x], row[at] = 1, -1
                    along = 4 if at[0] == y else 1
                    weight = along if name == "harmonic" else 1 / BIHARMONIC.tension_px**2
                    rows.append(row.ravel() * np.sqrt(weight))
    return np.array(rows)


def _smoothest(picture: np.ndarray, hole: np.ndarray, name: str) -> np.ndarray:
    """Return the hole's pixels that make the energy smallest, by dense least squares."""
    terms = _squares_made_smallest(hole, name)
    inside = hole.ravel()
    known = terms[:, ~inside] @ picture.reshape(-1, 3)[~inside].astype(float)
    return np.linalg.lstsq(terms[:, inside], -known, rcond=None)[0]


@pytest.mark.parametrize("hole", HOLES.values(), ids=HOLES)
@pytest.mark.parametrize("name", ["harmonic", "biharmonic"])
def test_smooth_fills_solve_their_equation(hole: np.ndarray, name: str) -> None:
    picture = _texture(*hole.shape)
    filled = _fill(picture[np.newaxis], hole[np.newaxis], name)[0]
    exact = _smoothest(picture, hole, name).clip(0, 255)
    off = np.abs(filled[hole] - exact)
    assert off.mean() < 0.75
    assert off.max() < 6
    rim = cv2.dilate((~hole).astype(np.uint8), np.ones((3, 3))).astype(bool)[hole]
    assert off[rim].mean() < 0.6


def test_smooth_fills_give_back_what_is_smooth() -> None:
    ys, xs = np.mgrid[:60, :80]
    # Its second derivatives are 1/8 down and -1/32 along, which count four times.
    saddle = (4 * (ys - 30) ** 2 - (xs - 40) ** 2) / 64 + 100
    ramp = 2 * xs + ys
    hole = _discs((60, 80), (30, 40, 20))
    for name, plane in (("harmonic", saddle), ("harmonic", ramp), ("biharmonic", ramp)):
        picture = np.repeat(np.rint(plane)[..., np.newaxis], 3, axis=-1)
        picture = picture.clip(0, 255).astype(np.uint8)
        filled = _fill(picture[np.newaxis], hole[np.newaxis], name)[0]
        assert np.abs(filled[hole].astype(float) - picture[hole]).max() <= 2, name


def test_the_harmonic_fill_stays_between_the_colours_of_the_rim() -> None:
    hole = HOLES["at the edge"]
    picture = _noise(*hole.shape, 3)
    fill = SmoothFill(hole)
    rim = picture.reshape(-1, 3)[fill.rim_index].astype(float)
    filled = fill.solve(rim)
    assert (filled >= rim.min(axis=0) - 0.01).all()
    assert (filled <= rim.max(axis=0) + 0.01).all()


@pytest.mark.parametrize("hole", HOLES.values(), ids=HOLES)
@pytest.mark.parametrize("name", ON_FRAMES)
def test_only_the_hole_changes(hole: np.ndarray, name: str) -> None:
    frames = _noise(3, *hole.shape, 3)
    kept = frames.copy()
    holes = np.broadcast_to(hole, (3, *hole.shape))
    filled = _fill(frames, holes, name)
    assert filled.shape == frames.shape
    assert filled.dtype == np.uint8
    assert np.array_equal(filled[~holes], kept[~holes])
    assert np.array_equal(frames, kept)
    assert not np.array_equal(filled[holes], kept[holes])


@pytest.mark.parametrize("name", ON_FRAMES)
def test_one_shared_hole_is_as_good_as_copies_of_it(name: str) -> None:
    frames = _noise(20, 44, 60, 3)
    shared = np.broadcast_to(HOLES["disc"], (20, 44, 60))
    assert np.array_equal(_fill(frames, shared, name), _fill(frames, shared.copy(), name))


@pytest.mark.parametrize("name", ["telea", "navier_stokes", "harmonic", "biharmonic"])
def test_every_frame_has_its_own_hole(name: str) -> None:
    frames = _noise(3, 44, 60, 3)
    holes = np.stack([HOLES["disc"], np.zeros((44, 60), bool), HOLES["two parts"]])
    filled = _fill(frames, holes, name)
    assert np.array_equal(filled[1], frames[1])
    for number in (0, 2):
        alone = _fill(frames[[number]], holes[[number]], name)[0]
        assert np.array_equal(filled[number], alone)


@pytest.mark.parametrize("name", INPAINTERS)
def test_nothing_to_fill_changes_nothing(name: str, tmp_path: Path) -> None:
    frames = _noise(2, 20, 30, 3)
    filled = _fill(frames, np.zeros((2, 20, 30), bool), name, inpaint_model=tmp_path / "none.pt")
    assert np.array_equal(filled, frames)
    assert filled is not frames


def test_a_hole_that_leaves_nothing_is_refused() -> None:
    frames, holes = _noise(2, 20, 30, 3), np.zeros((2, 20, 30), bool)
    holes[1] = True
    with pytest.raises(StudyError, match="covers 100% of the picture"):
        _fill(frames, holes, "harmonic")


def test_masks_of_another_shape_are_refused() -> None:
    frames, holes = _noise(2, 20, 30, 3), np.ones((2, 20, 31), bool)
    with pytest.raises(StudyError, match=r"holes of shape \(2, 20, 31\)"):
        _fill(frames, holes, "harmonic")
    with pytest.raises(StudyError, match=r"persons of shape \(1, 20, 30\)"):
        inpainted(frames, holes[..., :30], np.ones((1, 20, 30), bool), Versions())


@pytest.mark.parametrize(
    ("fill", "expected"),
    # Luma of the mean: 0.299 * 30 + 0.587 * 90 + 0.114 * 150 = 78.9.
    [("black", 0), ("grey", 128), ("mean", (30, 90, 150)), ("matched", 79)],
)
def test_flat_colours(fill: str, expected: int | tuple[int, ...]) -> None:
    frames = np.full((2, 8, 8, 3), 255, np.uint8)
    holes = np.zeros((2, 8, 8), bool)
    holes[:, 2:4, 2:4] = True
    frames[0][holes[0]], frames[1][holes[1]] = (20, 80, 140), (40, 100, 160)
    filled = _fill(frames, holes, "flat", fill=fill)
    assert (filled[holes] == expected).all()
    assert fill_color(frames, np.zeros_like(holes), "mean").tolist() == [128, 128, 128]


@pytest.mark.parametrize("name", ["harmonic", "biharmonic", "temporal"])
def test_the_number_of_threads_changes_nothing(name: str) -> None:
    frames, _, persons = _walk(pan_px=1)
    before = cv2.getNumThreads()
    results = []
    for threads in (1, 4):
        cv2.setNumThreads(threads)
        results.append(_temporal_or(name, frames, persons))
    cv2.setNumThreads(before)
    assert np.array_equal(*results)


# --- the true background from other frames ---


def _walk(pan_px: int = 0, n_frames: int = 24) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return frames of a dark figure that walks, their true backgrounds and the figure's masks."""
    scene = _texture(120, 200 + pan_px * n_frames)
    crops = [scene[:, pan_px * number : pan_px * number + 200] for number in range(n_frames)]
    backgrounds = np.stack(crops)
    frames, persons = backgrounds.copy(), np.zeros(backgrounds.shape[:3], bool)
    for number in range(n_frames):
        left = 20 + number * 130 // n_frames
        persons[number, 40:110, left : left + 24] = True
        frames[number, 44:106, left + 4 : left + 20] = (10, 5, 0)
    return frames, backgrounds, persons


def _temporal_or(
    name: str, frames: np.ndarray, persons: np.ndarray, hole: str = "union"
) -> np.ndarray:
    settings = Versions(inpainting=name, hole=hole)
    return inpainted(frames, _shared(persons), persons, settings)


def _shared(persons: np.ndarray) -> np.ndarray:
    return np.broadcast_to(persons.any(axis=0), persons.shape)


def _error(filled: np.ndarray, truth: np.ndarray, where: np.ndarray) -> float:
    return float(np.abs(filled[where].astype(float) - truth[where]).mean())


@pytest.mark.parametrize("hole", ["union", "hull", "box"])
@pytest.mark.parametrize("pan_px", [0, 3])
def test_temporal_finds_the_background_that_other_frames_show(pan_px: int, hole: str) -> None:
    frames, truth, persons = _walk(pan_px)
    holes = _shared(persons)
    found = _error(_temporal_or("temporal", frames, persons, hole), truth, holes)
    guessed = _error(_temporal_or("harmonic", frames, persons), truth, holes)
    assert guessed > 15
    # A moving camera costs some sharpness: the scene is interpolated there and back.
    assert found < (0.5 if pan_px == 0 else 4)


def test_temporal_fill_stands_still_while_the_body_moves() -> None:
    frames, _, persons = _walk()
    filled = _temporal_or("temporal", frames, persons, hole="box")
    assert np.abs(np.diff(filled.astype(int), axis=0)).max() <= 1


def test_temporal_follows_the_exposure_of_every_frame() -> None:
    frames, truth, persons = _walk()
    gains = (0.8 + 0.3 * np.arange(24) / 24)[:, np.newaxis, np.newaxis, np.newaxis]
    frames, truth = ((0.8 * gains * clip).astype(np.uint8) for clip in (frames, truth))
    assert _error(_temporal_or("temporal", frames, persons), truth, _shared(persons)) < 5


def test_temporal_gives_the_part_that_no_frame_shows_the_shape_that_the_study_asks_for() -> None:
    frames, truth, persons = _walk()
    stays = persons | _discs((120, 200), (75, 90, 18))
    hole = np.zeros_like(stays)
    hole[:, 20:118, 5:195] = True
    corner = np.s_[:, 58:60, 73:75]  # in the disc's box, outside the disc
    filled = {
        name: inpainted(frames, hole, stays, Versions(inpainting="temporal", hole=name))
        for name in ("union", "box")
    }
    assert np.array_equal(filled["union"][corner], truth[corner])
    assert not np.array_equal(filled["box"][corner], truth[corner])


def test_temporal_completes_what_no_frame_shows() -> None:
    frames, truth, persons = _walk()
    stays = persons.copy()
    stays[:, 50:80, 60:80] = True
    filled = _temporal_or("temporal", frames, stays)
    never = _shared(stays) & stays.all(axis=0)
    assert _error(filled, truth, _shared(stays) & ~never) < 4
    steps = np.abs(np.diff(filled[0].astype(int), axis=1)).max(axis=-1)
    assert steps[50:80, 59].mean() <= 2 * steps[50:80, 90:120].mean()


def test_temporal_trusts_no_frame_in_which_the_person_was_missed() -> None:
    frames, truth, persons = _walk()
    missed = persons.copy()
    missed[6:10] = False
    filled = inpainted(frames, _shared(persons), missed, Versions(inpainting="temporal"))
    assert _error(filled, truth, _shared(persons)) < 0.5


def test_temporal_is_harmonic_where_the_motion_cannot_be_told() -> None:
    _, _, persons = _walk()
    frames = np.stack([_noise(120, 200, 3, seed=number) for number in range(24)])
    assert np.array_equal(
        _temporal_or("temporal", frames, persons), _temporal_or("harmonic", frames, persons)
    )


def test_temporal_is_harmonic_for_a_photograph() -> None:
    frames, _, persons = _walk(n_frames=1)
    hole = np.zeros_like(persons)
    hole[:, 20:118, 10:60] = True
    both = [
        inpainted(frames, hole, persons, Versions(inpainting=name, hole="box"))
        for name in ("temporal", "harmonic")
    ]
    assert np.array_equal(*both)
