"""Real clips through a real network; needs the real data."""

from __future__ import annotations

from pathlib import Path

import pytest

from stimuli.examine import ExamineJob, examine
from stimuli.masks import read_masks
from stimuli.one_clip import make_versions_of_one_clip
from stimuli.video import read_clip
from study.fields import Masks, Versions

pytestmark = pytest.mark.real_data


def test_one_real_clip_in_all_versions(real_data: Path, tmp_path: Path) -> None:
    pytest.importorskip("ultralytics")
    video = real_data / "clips" / "haa500" / "video" / "salute" / "salute_001.mp4"
    weights = real_data / "weights" / "yolov8n-seg.pt"
    settings = Versions(width=320, height=180, max_seconds=0.2)
    sheet = make_versions_of_one_clip(video, tmp_path, weights, settings, Masks(source="yolo"))
    assert sheet.is_file()
    names = {path.name for path in tmp_path.iterdir()}
    expected = {
        f"salute_001_{condition}.{suffix}"
        for condition in settings.conditions
        for suffix in ("mp4", "json")
    }
    assert names == {*expected, "salute_001_masks.npz", "salute_001_contact_sheet.png"}
    assert read_clip(tmp_path / "salute_001_body_only.mp4").frames_thwc.shape == (5, 180, 320, 3)
    assert read_masks(tmp_path / "salute_001_masks.npz").found.all()


def test_silhouettes_of_another_data_set_fit_their_clips(real_data: Path, tmp_path: Path) -> None:
    folder = real_data / "clips" / "weizmann"
    masks = Masks(source="files", path=real_data / "masks" / "weizmann")
    for video in sorted(folder.glob("*/*.avi")):
        action = video.parent.name
        target = tmp_path / f"{action}_{video.stem}.npz"
        found = examine(ExamineJob(video, action, video.stem, target, masks, None, 6.0))
        assert found["n_found"] == found["n_frames"]
