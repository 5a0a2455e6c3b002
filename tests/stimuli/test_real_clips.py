"""Real clips through a real network; needs the real data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stimuli.examine import ExamineJob, examine
from stimuli.masks import read_masks
from stimuli.one_clip import make_versions_of_one_clip
from stimuli.segment import Segmenter, at_frame_size, unletterboxed
from stimuli.video import iter_frames, read_clip, read_timing
from study.fields import Masks, Versions

pytestmark = pytest.mark.real_data


def _off_px(mask_hw: np.ndarray, box_xyxy: np.ndarray) -> float:
    """Return the median distance of a mask's four sides from a box's."""
    ys, xs = np.nonzero(mask_hw)
    sides = np.array([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1])
    return float(np.median(np.abs(sides - box_xyxy)))


@pytest.mark.parametrize("name", ["salute_001", "cleaning_sweeping_001", "whistle_two_hands_001"])
def test_unletterboxed_masks_agree_with_the_boxes_of_the_large_network(
    real_data: Path, name: str
) -> None:
    raw = np.load(real_data / "clips" / "haa500" / "yolov8x_raw" / f"{name}.npz")
    size_wh = tuple(int(side) for side in raw["frame_size_wh"])
    off, off_naive = [], []
    for number in np.flatnonzero(raw["present"]):
        mask = raw["masks_letterboxed"][number]
        box = raw["boxes_xyxy_conf_class"][number, :4]
        off.append(
            _off_px(at_frame_size(unletterboxed(mask[np.newaxis], size_wh)[0], size_wh), box)
        )
        off_naive.append(_off_px(at_frame_size(mask, size_wh), box))
    assert np.median(off) <= 7
    if size_wh == (1280, 720):
        assert np.median(off_naive) > np.median(off)


@pytest.mark.parametrize("name", ["salute_001", "whistle_two_hands_001"])
def test_masks_of_the_small_network_agree_with_its_boxes(real_data: Path, name: str) -> None:
    pytest.importorskip("ultralytics")
    action = name.removesuffix("_001")
    path = real_data / "clips" / "haa500" / "video" / action / f"{name}.mp4"
    masks = Masks(source="yolo", weights=real_data / "weights" / "yolov8n-seg.pt")
    network = Segmenter(masks)
    timing = read_timing(path, None, 0.2)
    frames = list(iter_frames(path, timing))
    found = list(network.persons(frames))
    for frame, persons in zip(frames, found, strict=True):
        boxes = network._predict([frame[..., ::-1]])[0].boxes.xyxy.cpu().numpy()
        best = persons.instances[0]
        mask = at_frame_size(best.in_frame(persons.size_wh), timing.size_wh)
        assert mask.shape == frame.shape[:2]
        assert _off_px(mask, boxes[0]) <= 7


def test_one_real_clip_in_all_versions(real_data: Path, tmp_path: Path) -> None:
    pytest.importorskip("ultralytics")
    video = real_data / "clips" / "haa500" / "video" / "salute" / "salute_001.mp4"
    weights = real_data / "weights" / "yolov8n-seg.pt"
    settings = Versions(width=320, height=180, max_seconds=0.2)
    sheet = make_versions_of_one_clip(video, tmp_path, weights, settings, Masks(source="yolo"))
    assert sheet.is_file()
    names = {path.name for path in tmp_path.iterdir()}
    expected = {f"salute_001_{condition}.mkv" for condition in settings.conditions}
    assert names == {*expected, "salute_001_masks.npz", "salute_001_contact_sheet.png"}
    assert read_clip(tmp_path / "salute_001_body_only.mkv").frames_thwc.shape == (5, 180, 320, 3)
    assert read_masks(tmp_path / "salute_001_masks.npz").found.all()


def test_silhouettes_of_another_data_set_fit_their_clips(real_data: Path, tmp_path: Path) -> None:
    folder = real_data / "clips" / "weizmann"
    masks = Masks(source="files", path=real_data / "masks" / "weizmann")
    for video in sorted(folder.glob("*/*.avi")):
        action = video.parent.name
        target = tmp_path / f"{action}_{video.stem}.npz"
        found = examine(ExamineJob(video, action, video.stem, target, masks, None, 6.0))
        assert found["n_found"] == found["n_frames"]
