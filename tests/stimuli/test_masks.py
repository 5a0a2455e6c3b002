"""Mask files: written and read back, and those of users."""

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
from stimuli.video import FrameTimes, Timing
from study.errors import StudyError


def _timing(n_frames: int, size_wh: tuple[int, int]) -> Timing:
    index = np.arange(n_frames)
    return Timing(FrameTimes.even(n_frames, Fraction(25)), index, n_frames, size_wh)


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
    timing = Timing(FrameTimes.even(3, Fraction(5)), np.array([1, 3, 4]), 6, (4, 4))
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
