"""Augmentation: deterministic, the same placement for all versions, black stays black."""

from __future__ import annotations

import pytest
import torch

from models.augment import Placement, draw_placement, place, recolor
from study.fields import Training

N, SIDE = 24, 16
STRONG = Training(color_jitter=0.8, blur=1.0, shift=0.25, flip=True)


def _bodies() -> torch.Tensor:
    frames = torch.zeros(N, SIDE, SIDE, 3, dtype=torch.uint8)
    frames[:, 5:11, 6:9] = torch.randint(
        1, 256, (N, 6, 3, 3), generator=torch.Generator().manual_seed(3), dtype=torch.uint8
    )
    return frames


def test_place_shifts_and_mirrors_by_hand() -> None:
    frames = torch.zeros(3, 4, 4, 3, dtype=torch.uint8)
    frames[:, 1, 0] = 9
    placement = Placement(
        torch.tensor([0, 2, 0]), torch.tensor([1, 0, -1]), torch.tensor([False, True, False])
    )
    moved = place(frames, placement)
    expected = torch.zeros_like(frames)
    expected[0, 1, 1] = 9
    expected[1, 3, 3] = 9
    # The third is shifted out of the frame.
    assert torch.equal(moved, expected)


def test_versions_of_a_sample_are_placed_alike() -> None:
    generator = torch.Generator().manual_seed(0)
    bodies = _bodies()
    whole = torch.where(bodies > 0, bodies, torch.tensor(77, dtype=torch.uint8))
    placement = draw_placement(N, SIDE, STRONG, generator)
    assert placement.mirrored.any() and not placement.mirrored.all()
    assert placement.down.abs().max() == 4
    body, moved = place(bodies, placement), place(whole, placement)
    shown = body > 0
    assert shown.any()
    assert torch.equal(body[shown], moved[shown])
    assert set(moved[~shown].unique().tolist()) == {0, 77}


def test_nothing_is_placed_without_shift_and_flip() -> None:
    still = Training(shift=0.0, flip=False)
    bodies = _bodies()
    placement = draw_placement(N, SIDE, still, torch.Generator().manual_seed(0))
    assert torch.equal(place(bodies, placement), bodies)


def test_black_stays_black_and_the_rest_changes() -> None:
    frames = _bodies().permute(0, 3, 1, 2).float() / 255
    changed = recolor(frames, STRONG, torch.Generator().manual_seed(1))
    black = (frames == 0).all(dim=1, keepdim=True).expand_as(frames)
    assert (changed[black] == 0).all()
    different = (changed - frames).abs().amax(dim=(1, 2, 3))
    assert (different > 0.01).all()
    assert changed.min() >= 0 and changed.max() <= 1


@pytest.mark.parametrize("training", [STRONG, Training(color_jitter=0.3, blur=0.4)])
def test_equal_generators_give_equal_frames(training: Training) -> None:
    frames = torch.rand(N, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(2))
    first, again = (recolor(frames, training, torch.Generator().manual_seed(5)) for _ in range(2))
    other = recolor(frames, training, torch.Generator().manual_seed(6))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_only_a_share_is_blurred_and_off_means_unchanged() -> None:
    # Blur is a share of the side: frames of a few pixels hardly have any.
    frames = torch.rand(200, 3, 128, 128, generator=torch.Generator().manual_seed(2))
    off = Training(color_jitter=0.0, blur=0.0)
    assert torch.equal(recolor(frames, off, torch.Generator().manual_seed(1)), frames)
    some = Training(color_jitter=0.0, blur=0.25)
    changed = recolor(frames, some, torch.Generator().manual_seed(1))
    share = (changed != frames).flatten(1).any(dim=1).float().mean()
    assert 0.15 < share < 0.35


def test_blur_keeps_the_mean_of_an_even_frame() -> None:
    frames = torch.full((4, 3, 128, 128), 0.4)
    blurred = recolor(
        frames, Training(color_jitter=0.0, blur=1.0), torch.Generator().manual_seed(1)
    )
    torch.testing.assert_close(blurred, frames)
