"""The quality score: high for masks that fit, lower the worse they fit."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from stimuli.segmentation.quality import (
    Quality,
    area_jumps,
    edge_agreement,
    frames_to_look_at,
)


def _scene() -> tuple[np.ndarray, np.ndarray]:
    """Return a textured picture with a figure in it, and where the figure is."""
    rng = np.random.default_rng(3)
    noise = cv2.GaussianBlur(rng.integers(0, 255, (120, 160, 3), np.uint8), (0, 0), 2)
    picture = (noise.astype(int) // 2 + 30).astype(np.uint8)
    mask = np.zeros((120, 160), np.uint8)
    cv2.ellipse(mask, (80, 60), (20, 40), 0, 0, 360, 1, -1)
    picture[mask > 0] = np.array([200, 160, 130], np.uint8)
    return picture, mask > 0


def test_outlines_on_edges_agree_and_shifted_ones_less_the_further_they_are() -> None:
    picture, mask = _scene()
    shifted = [np.roll(mask, pixels, axis=1) for pixels in (0, 5, 25)]
    scores = [edge_agreement(one[np.newaxis], {0: picture}) for one in shifted]
    assert scores[0] > 0.9 and scores[0] > scores[1] + 0.1 and scores[2] < 0.3


def test_edges_are_judged_at_any_scale_of_the_frame() -> None:
    picture, mask = _scene()
    half = cv2.resize(picture, (80, 60), interpolation=cv2.INTER_AREA)
    assert edge_agreement(mask[np.newaxis], {0: half}) > 0.8


@pytest.mark.parametrize("fill", [False, True], ids=["nobody", "whole frame"])
def test_what_has_no_outline_is_not_judged(fill: bool) -> None:
    picture, _ = _scene()
    assert edge_agreement(np.full((1, 120, 160), fill), {0: picture}) == 1.0
    assert edge_agreement(np.full((1, 120, 160), fill), {}) == 1.0


def test_area_jumps_are_frames_unlike_both_neighbours() -> None:
    masks = np.zeros((10, 20, 20), bool)
    masks[:, :10, :10] = True
    assert area_jumps(masks) == 0.0
    masks[4, 5:10] = False  # half of the person is lost in one of the eight frames judged
    assert area_jumps(masks) == pytest.approx(1 / 8)
    masks[4] = masks[3]
    masks[5:] = False
    masks[5:, :16, :16] = True  # grows once and stays: no jump
    assert area_jumps(masks) == 0.0
    assert area_jumps(masks[:1]) == 0.0 and area_jumps(np.zeros((5, 4, 4), bool)) == 0.0


def test_the_score_is_the_geometric_mean_and_lies_within_0_and_1() -> None:
    assert Quality(1, 1, 0, 0, 0).mask_quality == 1
    assert Quality(0.5, 1, 0, 0, 0).mask_quality == pytest.approx(0.5**0.25)
    assert Quality(0.8, 0.9, 0.1, 0.2, 0.3).mask_quality == pytest.approx(
        (0.8 * 0.9 * 0.9 * 0.5) ** 0.25
    )
    assert Quality(0, 1, 0, 0, 1).mask_quality == 0


def test_a_few_frames_with_the_person_are_looked_at() -> None:
    found = np.zeros(100, bool)
    found[10:90] = True
    looked_at = frames_to_look_at(found)
    assert looked_at[0] == 10 and looked_at[-1] == 89 and len(looked_at) == 8
    assert frames_to_look_at(np.array([False, True])) == [1]
    assert frames_to_look_at(np.zeros(3, bool)) == []
