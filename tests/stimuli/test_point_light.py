"""Files of key points."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from stimuli.letterbox import Letterbox
from stimuli.point_light import at_picture_size, read_keypoints, write_keypoints
from stimuli.video import read_timing
from study.errors import StudyError

MakeVideo = Callable[..., Path]


def test_points_of_the_frames_shown_are_read(tmp_path: Path, make_video: MakeVideo) -> None:
    timing = read_timing(make_video(), max_seconds=0.2)
    points = np.random.default_rng(0).uniform(0, 40, (20, 5, 2))
    write_keypoints(tmp_path / "a.npz", points)
    read = read_keypoints(tmp_path / "a.npz", timing)
    assert np.array_equal(read[..., :2], points[:5])
    assert (read[..., 2] == 1).all()


@pytest.mark.parametrize(
    ("shape", "message"), [((19, 5, 2), "expected .* with 20 frames"), ((20, 5), "have the shape")]
)
def test_points_of_another_clip_are_refused(
    tmp_path: Path, make_video: MakeVideo, shape: tuple[int, ...], message: str
) -> None:
    write_keypoints(tmp_path / "a.npz", np.zeros(shape))
    with pytest.raises(StudyError, match=message):
        read_keypoints(tmp_path / "a.npz", read_timing(make_video()))


def test_missing_and_foreign_files_are_named(tmp_path: Path, make_video: MakeVideo) -> None:
    timing = read_timing(make_video())
    with pytest.raises(StudyError, match="no such file of key points"):
        read_keypoints(tmp_path / "a.npz", timing)
    np.savez(tmp_path / "a.npz", poses=np.zeros(3))
    with pytest.raises(StudyError, match="with the key 'keypoints'"):
        read_keypoints(tmp_path / "a.npz", timing)


def test_points_move_with_the_picture() -> None:
    letterbox = Letterbox.of((200, 100), (50, 50))
    points = np.array([[[-0.5, -0.5, 1], [199.5, 99.5, 0]]])
    assert np.allclose(
        at_picture_size(points, (200, 100), letterbox)[0], [[-0.5, -0.5, 1], [49.5, 24.5, 0]]
    )
