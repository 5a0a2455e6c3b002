"""Mask files, the exact removal of the network's padding, and the main person."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from stimuli.masks import (
    PersonMasks,
    find_mask_file,
    read_mask_file,
    read_masks,
    write_masks,
)
from stimuli.segment import at_frame_size, find_weights, unletterboxed
from stimuli.track import Instance, main_person
from stimuli.video import Timing
from study.errors import StudyError


def _timing(n_frames: int, size_wh: tuple[int, int]) -> Timing:
    index = np.arange(n_frames)
    return Timing(Fraction(25), index / 25, index, n_frames, size_wh)


def test_written_masks_come_back(tmp_path: Path) -> None:
    masks = np.random.default_rng(0).random((5, 17, 23)) < 0.5
    masks[2] = False
    written = PersonMasks(masks, np.array([1, 2, 0, 1, 1]), {"source": "yolo"})
    write_masks(tmp_path / "a.npz", written)
    write_masks(tmp_path / "b.npz", written)
    read = read_masks(tmp_path / "a.npz")
    assert np.array_equal(read.masks_thw, masks)
    assert read.n_persons.tolist() == [1, 2, 0, 1, 1]
    assert read.provenance == {"source": "yolo"}
    assert read.found.tolist() == [True, True, False, True, True]
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_mask_files_of_users(tmp_path: Path) -> None:
    masks = np.zeros((3, 12, 16), np.uint8)
    masks[:, 4:8, 4:8] = 255
    (tmp_path / "run" / "c").mkdir(parents=True)
    np.savez(tmp_path / "run" / "a.npz", masks=masks)
    cv2.imwrite(str(tmp_path / "run" / "b.png"), masks[0])
    for number in range(3):
        cv2.imwrite(str(tmp_path / "run" / "c" / f"{number}.png"), masks[number])
    for stem, n_frames in (("a", 3), ("b", 1), ("c", 3)):
        found = read_mask_file(find_mask_file(tmp_path, "run", stem), _timing(n_frames, (16, 12)))
        assert np.array_equal(found.masks_thw, masks[:n_frames] > 0)
        assert (found.n_persons == -1).all()


def test_masks_follow_the_moments_shown(tmp_path: Path) -> None:
    masks = np.zeros((6, 4, 4), bool)
    masks[[1, 3, 5], 0, 0] = True
    np.savez(tmp_path / "a.npz", masks=masks)
    timing = Timing(Fraction(5), np.arange(3) / 5, np.array([1, 3, 4]), 6, (4, 4))
    found = read_mask_file(tmp_path / "a.npz", timing)
    assert found.found.tolist() == [True, True, False]


def test_masks_of_another_clip_are_an_error(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", masks=np.zeros((3, 12, 16), bool))
    message = r"a\.npz: .*\(3, 12, 16\), the clip has \(4, 12, 16\)"
    with pytest.raises(StudyError, match=message):
        read_mask_file(tmp_path / "a.npz", _timing(4, (16, 12)))
    with pytest.raises(StudyError, match=r"\(3, 12, 16\), the clip has \(3, 16, 12\)"):
        read_mask_file(tmp_path / "a.npz", _timing(3, (12, 16)))


def test_unreadable_masks_are_errors(tmp_path: Path) -> None:
    (tmp_path / "text.npz").write_text("no masks")
    np.savez(tmp_path / "other.npz", mask=np.zeros((1, 2, 2)))
    np.savez(tmp_path / "nan.npz", masks=np.full((1, 2, 2), np.nan))
    timing = _timing(1, (2, 2))
    with pytest.raises(StudyError, match="not a readable npz"):
        read_mask_file(tmp_path / "text.npz", timing)
    with pytest.raises(StudyError, match="lacks the key 'masks'"):
        read_mask_file(tmp_path / "other.npz", timing)
    with pytest.raises(StudyError, match="4 NaN"):
        read_mask_file(tmp_path / "nan.npz", timing)
    with pytest.raises(StudyError, match=r"no mask file: tried .*run/z\.npz"):
        find_mask_file(tmp_path, "run", "z")


@pytest.mark.parametrize("size_wh", [(1280, 720), (480, 360), (853, 480), (333, 777)])
def test_unletterboxing_inverts_the_padding(size_wh: tuple[int, int]) -> None:
    """Pad a known box as the network's input is padded, centred, and get it back."""
    width, height = size_wh
    scale = min(640 / width, 640 / height)
    inner = (round(width * scale), round(height * scale))
    truth = np.zeros((height, width), np.float32)
    truth[height // 4 : height // 2, width // 3 : width // 2] = 1
    small = cv2.resize(truth, inner, interpolation=cv2.INTER_LINEAR)
    padded = np.zeros((1, 640, 640), bool)
    left, top = (640 - inner[0]) // 2, (640 - inner[1]) // 2
    padded[0, top : top + inner[1], left : left + inner[0]] = small > 0.5
    found = at_frame_size(unletterboxed(padded, size_wh)[0], size_wh)
    ys, xs = np.nonzero(found)
    expected = (height // 4, height // 2 - 1, width // 3, width // 2 - 1)
    assert np.abs(np.subtract((ys.min(), ys.max(), xs.min(), xs.max()), expected)).max() <= 2


def test_missing_weights_say_where_to_get_them_and_where_to_put_them(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"none\.pt.*Get the official file from https.* put it at"):
        find_weights(tmp_path / "none.pt")


def _box(left: int, top: int, side: int, confidence: float = 0.9) -> Instance:
    return Instance(left, top, np.ones((side, side), bool), confidence)


def test_main_person_is_the_largest_and_surest_over_the_clip() -> None:
    large, small = _box(0, 0, 20, 0.5), _box(60, 60, 18, 0.95)
    assert main_person([[large, small]] * 3) == [small] * 3
    assert main_person([[large, small], [large], [large]]) == [large] * 3


def test_main_person_is_followed_past_others_and_gaps() -> None:
    walker = [_box(10 * step, 40, 20) for step in range(8)]
    stander = [_box(30, 80, 12)] * 8
    frames = [[other, one] for one, other in zip(walker, stander, strict=True)]
    frames[3] = [stander[3]]
    found = main_person(frames)
    assert found[3] is None
    assert [found[number] for number in (0, 1, 2, 4, 5, 6, 7)] == [
        walker[number] for number in (0, 1, 2, 4, 5, 6, 7)
    ]


def test_nobody_gives_empty_masks() -> None:
    assert main_person([[], [], []]) == [None, None, None]


def test_instance_of_a_mask_comes_back() -> None:
    mask = np.zeros((9, 12), bool)
    mask[2:5, 3:9] = True
    mask[3, 4] = False
    instance = Instance.of(mask, 0.5)
    assert np.array_equal(instance.in_frame((12, 9)), mask)
    assert instance.overlap(instance) == 1.0
    assert Instance.of(np.zeros((3, 3), bool), 0.5) is None
