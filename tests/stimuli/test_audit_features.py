"""What the probes see: known pictures give known numbers, and regions hide what is outside them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from stimuli.audit.features import CELL, N_ORIENTATIONS, SIDE, Features, plain_blocks, plain_row
from stimuli.audit.low_level import (
    BAND_EDGES,
    COLOR_BINS,
    color_row,
    low_level_row,
)
from stimuli.audit.low_level import N_ORIENTATIONS as N_SPECTRUM_ORIENTATIONS
from stimuli.audit.outlines import RIM_SHARE, box_of, outline_row, rims
from stimuli.audit.probes import probe

N_CELLS = (SIDE // CELL) ** 2


def grating(cycles_x: float, cycles_y: float, size: tuple[int, int] = (SIDE, SIDE)) -> np.ndarray:
    """A grey grating (H, W, 3)."""
    ys, xs = np.mgrid[: size[0], : size[1]]
    phase = 2 * np.pi * (cycles_x * xs / size[1] + cycles_y * ys / size[0])
    return np.repeat(
        np.rint(127 + 100 * np.sin(phase)).astype(np.uint8)[..., np.newaxis], 3, axis=2
    )


def orientations(row: np.ndarray) -> np.ndarray:
    return row[: N_CELLS * N_ORIENTATIONS].reshape(N_CELLS, N_ORIENTATIONS).mean(axis=0)


def test_gradients_have_their_orientation():
    assert orientations(plain_row(grating(8, 0))).argmax() == 0
    down = orientations(plain_row(grating(0, 8)))
    # 90 degrees lie between the middle bins of 9.
    assert set(np.argsort(down)[-2:]) == {4, 5}
    assert orientations(plain_row(np.full((30, 40, 3), 99, np.uint8))) == pytest.approx(0, abs=1e-6)


def test_color_is_the_mean_of_a_cell_where_it_is():
    picture = np.zeros((SIDE, SIDE, 3), np.uint8)
    picture[:CELL, -CELL:] = (255, 0, 0)
    color = plain_row(picture)[N_CELLS * N_ORIENTATIONS :].reshape(SIDE // CELL, SIDE // CELL, 3)
    # CIE Lab of red, scaled to bytes as OpenCV documents it: L * 255 / 100, a + 128, b + 128.
    assert color[0, -1] == pytest.approx([53.24 * 2.55, 80.09 + 128, 67.20 + 128], abs=1.5)
    assert color[-1, 0] == pytest.approx([0, 128, 128], abs=0.5)


def test_nothing_outside_a_region_is_seen():
    rng = np.random.default_rng(0)
    region = np.zeros((90, 160), bool)
    region[20:70, 30:120] = True
    one, other = rng.integers(0, 256, (2, 90, 160, 3), np.uint8)
    other[region] = one[region]
    rows = [plain_row(picture, region) for picture in (one, other)]
    assert np.array_equal(*rows, equal_nan=True)
    assert 0 < np.isnan(rows[0]).mean() < 1
    assert not np.array_equal(plain_row(one, ~region), plain_row(other, ~region), equal_nan=True)


def test_the_shape_of_a_region_says_nothing_by_itself():
    """Two shapes for two actions, laid over pictures that have nothing to do with them."""
    accuracies = []
    for number in range(12):
        rng = np.random.default_rng(number)
        rows = []
        for action in np.arange(60) % 2:
            small = rng.integers(0, 256, (6, 8, 3), np.uint8)
            picture = cv2.resize(small, (128, 96), interpolation=cv2.INTER_CUBIC)
            region = np.ones((96, 128), bool)
            tall, x, y = 60 if action else 30, rng.integers(30, 50), rng.integers(10, 30)
            region[y : y + tall, x : x + 90 - tall] = False
            rows.append(plain_row(picture, region))
        features = Features(np.stack(rows)[:, np.newaxis], plain_blocks())
        accuracies.append(probe(features, np.arange(60) % 2, [""] * 60).accuracy)
    standard_error = 0.5 / np.sqrt(60 * 12)
    assert np.mean(accuracies) == pytest.approx(0.5, abs=3 * standard_error)


def test_an_outline_is_its_box_and_area():
    region = np.zeros((100, 200), bool)
    region[20:60, 50:150] = True
    geometry = outline_row(region)[-6:]
    assert geometry == pytest.approx([0.5, 0.4, np.log(0.5), np.log(0.4), np.log(0.2), 1.0])
    assert box_of(region) == (slice(20, 60), slice(50, 150))
    assert np.isnan(outline_row(np.zeros((9, 9), bool))).all()


def test_rims_are_as_wide_as_they_should_be():
    mask = np.zeros((120, 160), bool)
    mask[20:100, 30:130] = True
    width = RIM_SHARE * np.sqrt(80 * 100)
    outside, inside, next_inside = rims(mask)
    ys, xs = np.mgrid[:120, :160]
    # Distance of a pixel of the rectangle to the nearest pixel outside, and the other way round.
    depth = np.minimum.reduce([ys - 19, 100 - ys, xs - 29, 130 - xs])
    away = np.hypot(np.clip(20 - ys, 0, None) + np.clip(ys - 99, 0, None),
                    np.clip(30 - xs, 0, None) + np.clip(xs - 129, 0, None))  # fmt: skip
    assert np.array_equal(inside, mask & (depth <= width))
    assert np.array_equal(next_inside, mask & (depth > width) & (depth <= 2 * width))
    assert np.array_equal(outside, ~mask & (away <= width))


def test_the_spectrum_has_its_peak_where_the_grating_is():
    n_bands = len(BAND_EDGES) - 1
    for band, cycles in enumerate((1.5, 3, 6, 12, 24, 48)):
        for orientation, (x, y) in enumerate(((1, 0), (np.sqrt(0.5), np.sqrt(0.5)), (0, 1))):
            frame = grating(cycles * x, cycles * y)
            power = low_level_row(frame, frame, frame)[2:-2].reshape(n_bands, -1)
            assert power.shape[1] == N_SPECTRUM_ORIENTATIONS
            assert np.unravel_index(power.argmax(), power.shape) == (band, orientation)


def test_light_contrast_and_motion_are_what_they_are():
    frame = np.full((50, 70, 3), 100, np.uint8)
    frame[:, :35] = 140
    still, moving = low_level_row(frame, frame, frame), low_level_row(frame, frame, frame + 10)
    assert still[:2] == pytest.approx([120, 20], abs=0.5)
    assert still[-2:] == pytest.approx([0, 0])
    # No change, then one of 10 levels.
    assert moving[-2:] == pytest.approx([np.log(1 + 5), np.log(1 + np.sqrt(50))], abs=1e-6)


def test_colors_do_not_depend_on_their_place():
    rng = np.random.default_rng(1)
    picture = rng.integers(0, 256, (40, 60, 3), np.uint8)
    region = np.zeros((40, 60), bool)
    region[5:20, 5:25] = True
    moved, there = np.roll(picture, (12, 9), (0, 1)), np.roll(region, (12, 9), (0, 1))
    assert color_row(moved, there) == pytest.approx(color_row(picture, region))
    assert np.square(color_row(picture, region)[6:]).sum() == pytest.approx(1)
    assert len(color_row(picture, region)) == 6 + COLOR_BINS**3
    assert np.isnan(color_row(picture, np.zeros((40, 60), bool))).all()
