"""Augmentation: deterministic, the same placement for all versions, black stays black."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from models.augment import Coloring, Placement, draw_coloring, draw_placement, place, recolor
from models.flow import decode, encode
from study.fields import Training

N, SIDE = 24, 16
STRONG = Training(color_jitter=0.8, blur=1.0, shift=0.25, flip=True)


def _bodies() -> Tensor:
    frames = torch.zeros(N, SIDE, SIDE, 3, dtype=torch.uint8)
    frames[:, 5:11, 6:9] = torch.randint(
        1, 256, (N, 6, 3, 3), generator=torch.Generator().manual_seed(3), dtype=torch.uint8
    )
    return frames


def _recolored(frames: Tensor, training: Training, seed: int) -> Tensor:
    return recolor(frames, draw_coloring(len(frames), training, np.random.default_rng(seed)))


def _placement(down: list[int], right: list[int], mirrored: list[bool]) -> Placement:
    return Placement(np.array(down), np.array(right), np.array(mirrored))


def test_place_shifts_and_mirrors_by_hand() -> None:
    frames = torch.zeros(3, 4, 4, 3, dtype=torch.uint8)
    frames[:, 1, 0] = 9
    moved = place(frames, _placement([0, 2, 0], [1, 0, -1], [False, True, False]))
    expected = torch.zeros_like(frames)
    expected[0, 1, 1] = 9
    expected[1, 3, 3] = 9
    # The third is shifted out of the frame.
    assert torch.equal(moved, expected)


def test_all_frames_of_a_clip_are_placed_alike() -> None:
    frames = torch.arange(2 * 3 * 4 * 4 * 3).view(2, 3, 4, 4, 3).to(torch.uint8)
    placement = _placement([1, -2], [0, 1], [True, False])
    moved = place(frames, placement)
    assert moved.shape == frames.shape
    for moment in range(3):
        assert torch.equal(moved[:, moment], place(frames[:, moment], placement))


def test_flow_keeps_its_meaning_when_frames_are_mirrored() -> None:
    motion = np.zeros((1, 4, 4, 2))
    motion[0, 1, 0] = (0.03, -0.01)
    placed = place(torch.from_numpy(encode(motion)), _placement([1], [0], [True]), flow=True)
    expected = np.zeros((1, 4, 4, 2))
    expected[0, 2, 3] = (-0.03, -0.01)
    # What comes in from outside does not move.
    np.testing.assert_allclose(decode(placed.numpy()), expected, atol=0.05 / 127)
    assert (placed[0, 0] == 128).all()


def test_versions_of_a_sample_are_placed_alike() -> None:
    bodies = _bodies()
    whole = torch.where(bodies > 0, bodies, torch.tensor(77, dtype=torch.uint8))
    placement = draw_placement(N, SIDE, STRONG, np.random.default_rng(0))
    assert placement.mirrored.any() and not placement.mirrored.all()
    assert np.abs(placement.down).max() == 4
    body, moved = place(bodies, placement), place(whole, placement)
    shown = body > 0
    assert shown.any()
    assert torch.equal(body[shown], moved[shown])
    assert set(moved[~shown].unique().tolist()) == {0, 77}


def test_nothing_is_placed_without_shift_and_flip() -> None:
    still = Training(shift=0.0, flip=False)
    bodies = _bodies()
    placement = draw_placement(N, SIDE, still, np.random.default_rng(0))
    assert torch.equal(place(bodies, placement), bodies)


def test_colors_change_as_torchvision_changes_them() -> None:
    from torchvision.transforms.v2 import functional

    frames = torch.rand(5, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(4)) * 0.5 + 0.1
    # Small enough that nothing is cut off at 0 or 1 on the way.
    factors = np.array([[1.2] * 5, [0.9] * 5, [0.7] * 5], np.float32)
    changed = recolor(frames, Coloring(factors, np.zeros(5, bool), 0.0))
    expected = functional.adjust_brightness(frames, 1.2)
    expected = functional.adjust_saturation(expected, 0.7)
    expected = functional.adjust_contrast(expected, 0.9)
    # Its weights of luminance have four digits, ours three.
    torch.testing.assert_close(changed, expected, atol=2e-3, rtol=0)


def test_black_stays_black_and_the_rest_changes() -> None:
    frames = _bodies().permute(0, 3, 1, 2).float() / 255
    changed = _recolored(frames, STRONG, 1)
    black = (frames == 0).all(dim=1, keepdim=True).expand_as(frames)
    assert (changed[black] == 0).all()
    different = (changed - frames).abs().amax(dim=(1, 2, 3))
    assert (different > 0.01).all()
    assert changed.min() >= 0 and changed.max() <= 1


@pytest.mark.parametrize("training", [STRONG, Training(color_jitter=0.3, blur=0.4)])
def test_equal_generators_give_equal_frames(training: Training) -> None:
    frames = torch.rand(N, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(2))
    first, again = (_recolored(frames, training, 5) for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, _recolored(frames, training, 6))


def test_rows_of_a_batch_are_changed_as_in_the_whole_batch() -> None:
    frames = torch.rand(N, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    coloring = draw_coloring(N, Training(blur=0.5), np.random.default_rng(1))
    whole = recolor(frames, coloring)
    torch.testing.assert_close(recolor(frames[6:10], coloring.rows(slice(6, 10))), whole[6:10])


def test_only_a_share_is_blurred_and_off_means_unchanged() -> None:
    # Blur is a share of the side: frames of a few pixels hardly have any.
    frames = torch.rand(200, 3, 128, 128, generator=torch.Generator().manual_seed(2))
    off = Training(color_jitter=0.0, blur=0.0)
    assert torch.equal(_recolored(frames, off, 1), frames)
    some = Training(color_jitter=0.0, blur=0.25)
    changed = _recolored(frames, some, 2)
    share = (changed != frames).flatten(1).any(dim=1).float().mean()
    assert 0.15 < share < 0.35


def test_blur_keeps_the_mean_of_an_even_frame() -> None:
    frames = torch.full((4, 3, 128, 128), 0.4)
    blurred = _recolored(frames, Training(color_jitter=0.0, blur=1.0), 2)
    torch.testing.assert_close(blurred, frames)
