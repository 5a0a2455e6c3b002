"""Frames through the network: batches, bundles of clips, and the second look."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from stimuli.bundles import examine_all
from stimuli.examine import ExamineJob, examine
from stimuli.masks import read_masks
from stimuli.parallel import BatchError, Failed
from stimuli.segmentation.batches import in_batches
from stimuli.segmentation.clip import follow
from stimuli.segmentation.person import Instance
from stimuli.segmentation.scaling import at_frame_size, input_shape, unletterboxed, with_bars
from stimuli.segmentation.turned import look_again, merged
from stimuli.segmentation.yolo import Segmenter
from stimuli.video import iter_frames, read_timing
from study.fields import Masks


class _Small:
    """Stands for a GPU that holds so many frames."""

    def __init__(self, most: int) -> None:
        self.most, self.sizes = most, []

    def __call__(self, batch: Sequence[int], size: int) -> list[int]:
        assert len(batch) <= size
        self.sizes.append(len(batch))
        if size > self.most:
            raise MemoryError("too many")
        return [10 * item for item in batch]


def _lacks_memory(error: Exception) -> bool:
    return isinstance(error, MemoryError)


@pytest.mark.parametrize("most", [1, 2, 3, 7, 16])
def test_batches_are_halved_until_they_fit(most: int) -> None:
    gpu = _Small(most)
    assert in_batches(gpu, range(37), 16, _lacks_memory) == [10 * item for item in range(37)]
    fitting = [size for size in gpu.sizes if size <= most]
    assert sum(fitting) == 37 and max(fitting) > most / 2


def test_no_memory_for_one_frame_is_an_error_of_the_whole_batch() -> None:
    with pytest.raises(BatchError, match="even for one frame"):
        in_batches(_Small(0), range(5), 4, _lacks_memory)


def test_other_errors_pass() -> None:
    def broken(batch: Sequence[int], size: int) -> list[int]:
        raise ValueError("something else")

    with pytest.raises(ValueError, match="something else"):
        in_batches(broken, range(5), 4, _lacks_memory)


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


@pytest.mark.parametrize("shape", [(360, 640), (480, 640), (635, 640), (640, 211), (64, 64)])
@pytest.mark.parametrize("square", [False, True])
def test_bars_are_put_on_and_cut_off_again(shape: tuple[int, int], square: bool) -> None:
    frame = np.random.default_rng(0).integers(0, 255, (*shape, 3), np.uint8)
    padded = with_bars(frame, input_shape(frame, square))
    assert all(side % 32 == 0 for side in padded.shape[:2]) or square
    for channel in range(3):
        cut = unletterboxed(padded[np.newaxis, ..., channel], shape[::-1])[0]
        assert np.array_equal(cut, frame[..., channel])


def _upright_only(frames: Sequence[np.ndarray]) -> list[list[Instance]]:
    """Find the light box, but only where it is higher than wide, as networks do."""
    found = []
    for frame in frames:
        box = Instance.of(frame[..., 0] > 200, 0.9, frame)
        stands = box is not None and box.crop_hw.shape[0] > box.crop_hw.shape[1]
        found.append([box] if stands else [])
    return found


def _frames(boxes: Sequence[tuple[int, int] | None]) -> list[np.ndarray]:
    """Draw a box of a width and height in every frame."""
    frames = []
    for box in boxes:
        frame = np.full((80, 120, 3), 60, np.uint8)
        if box is not None:
            frame[30 : 30 + box[1], 40 : 40 + box[0]] = 240
        frames.append(frame)
    return frames


def test_who_lies_down_is_found_in_turned_frames() -> None:
    frames = _frames([(12, 40)] * 4 + [(40, 12)] * 8 + [None] * 3)
    found = look_again(_upright_only, frames, _upright_only(frames), 0.25)
    for frame, persons in zip(frames, found, strict=True):
        masks = [person.in_frame((120, 80)) for person in persons]
        expected = frame[..., 0] > 200
        assert len(masks) == expected.any()
        assert all(np.array_equal(mask, expected) for mask in masks)


def test_a_second_look_costs_nothing_where_all_is_sure_and_little_where_it_does_not_help() -> None:
    looked_at: list[int] = []

    def count(frames: Sequence[np.ndarray]) -> list[list[Instance]]:
        looked_at.append(len(frames))
        return _upright_only(frames)

    sure = _frames([(12, 40)] * 30)
    look_again(count, sure, _upright_only(sure), 0.25)
    assert sum(looked_at) == 0
    empty = _frames([None] * 30)
    assert look_again(count, empty, _upright_only(empty), 0.25) == [[]] * 30
    assert sum(looked_at) == 6


def test_two_looks_at_one_person_give_one() -> None:
    box = np.ones((20, 20), bool)
    first, again = Instance(10, 10, box, 0.3), Instance(12, 10, box, 0.8)
    other = Instance(60, 10, box, 0.4)
    assert merged([first, other], [again]) == [again, other]
    assert merged([Instance(10, 10, box, 0.9), other], [again])[1:] == [other]


def test_persons_are_counted_where_sure_and_gaps_are_filled() -> None:
    frames = _frames([(12, 40)] * 9)
    persons = _upright_only(frames)
    persons[4] = []
    persons[6] = [*persons[6], Instance(90, 10, np.ones((30, 10), bool), 0.1)]
    persons[7] = [*persons[7], Instance(90, 10, np.ones((30, 10), bool), 0.6)]
    settings = Masks(source="yolo", fill_gaps=3)

    def nobody(frames: Sequence[np.ndarray]) -> list[list[Instance]]:
        return [[] for _ in frames]

    found = follow(nobody, frames, persons, (240, 160), settings)
    assert found.masks.n_persons.tolist() == [1, 1, 1, 1, 0, 1, 1, 2, 1]
    assert found.masks.found.all() and found.share_filled == pytest.approx(1 / 9)
    assert found.confidence == pytest.approx(0.9)
    truth = cv2.resize(frames[0][..., 0], (240, 160), interpolation=cv2.INTER_NEAREST) > 200
    assert (found.masks.masks_thw[4] != truth).mean() < 0.005
    bare = follow(nobody, frames, persons, (240, 160), Masks(source="yolo", fill_gaps=0))
    assert not bare.masks.found[4] and bare.share_filled == 0


def _photo_jobs(real_data: Path, target: Path, batch_size: int) -> dict[str, ExamineJob]:
    masks = Masks(
        source="yolo",
        weights=real_data / "weights" / "yolov8n-seg.pt",
        image_size=320,
        batch_size=batch_size,
        device="cpu",
    )
    photos = sorted((real_data / "images" / "willow7").glob("*/*.jpg"))[::9]
    return {
        photo.stem: ExamineJob(
            photo, "a", photo.stem, target / f"{photo.stem}.npz", masks, None, 6.0
        )
        for photo in photos
    }


@pytest.mark.real_data
def test_masks_do_not_depend_on_how_clips_are_bundled(real_data: Path, tmp_path: Path) -> None:
    pytest.importorskip("ultralytics")
    together = dict(examine_all(_photo_jobs(real_data, tmp_path / "together", 16), 1))
    two_by_two = dict(examine_all(_photo_jobs(real_data, tmp_path / "two", 2), 1))
    alone = {
        name: examine(job) for name, job in _photo_jobs(real_data, tmp_path / "one", 1).items()
    }
    assert len(alone) == 7 and sum(known["n_found"] for known in alone.values()) >= 6
    assert together == two_by_two == alone


@pytest.mark.real_data
def test_a_bad_photograph_fails_alone(real_data: Path, tmp_path: Path) -> None:
    pytest.importorskip("ultralytics")
    jobs = dict(list(_photo_jobs(real_data, tmp_path / "masks", 16).items())[:2])
    first = next(iter(jobs.values()))
    (tmp_path / "bad.jpg").write_text("no picture")
    bad = ExamineJob(tmp_path / "bad.jpg", "a", "bad", tmp_path / "b.npz", first.masks, None, 6.0)
    found = dict(examine_all({"bad": bad, **jobs}, 1))
    assert isinstance(found["bad"], Failed) and "bad.jpg" in found["bad"].reason
    assert {name for name, known in found.items() if not isinstance(known, Failed)} == set(jobs)


def _off_px(mask_hw: np.ndarray, box_xyxy: np.ndarray) -> float:
    """Return the median distance of a mask's four sides from a box's."""
    ys, xs = np.nonzero(mask_hw)
    sides = np.array([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1])
    return float(np.median(np.abs(sides - box_xyxy)))


@pytest.mark.real_data
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
        inner = unletterboxed(mask[np.newaxis], size_wh)[0]
        off.append(_off_px(at_frame_size(inner, size_wh), box))
        off_naive.append(_off_px(at_frame_size(mask, size_wh), box))
    assert np.median(off) <= 7
    if size_wh == (1280, 720):
        assert np.median(off_naive) > np.median(off)


@pytest.mark.real_data
@pytest.mark.parametrize("name", ["salute_001", "whistle_two_hands_001"])
def test_masks_of_the_small_network_agree_with_the_large_ones(real_data: Path, name: str) -> None:
    """Another network's masks of the same clip, found outside this project, are the reference."""
    pytest.importorskip("ultralytics")
    folder = real_data / "clips" / "haa500"
    raw = np.load(folder / "yolov8x_raw" / f"{name}.npz")
    video = folder / "video" / name.removesuffix("_001") / f"{name}.mp4"
    timing = read_timing(video, None, 0.2)
    settings = Masks(source="yolo", weights=real_data / "weights" / "yolov8n-seg.pt", device="cpu")
    network = Segmenter(settings)
    frames = [network.scaled(frame) for frame in iter_frames(video, timing)]
    found = follow(
        network.persons, frames, network.persons(frames), timing.size_wh, settings
    ).masks.masks_thw
    for number in np.flatnonzero(raw["present"][: len(found)]):
        inner = unletterboxed(raw["masks_letterboxed"][number][np.newaxis], timing.size_wh)[0]
        large = at_frame_size(inner, timing.size_wh)
        assert (found[number] & large).sum() / (found[number] | large).sum() > 0.85


@pytest.mark.real_data
def test_onnx_finds_what_the_torch_network_finds(real_data: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    video = real_data / "clips" / "haa500" / "video" / "salute" / "salute_001.mp4"
    found = []
    for suffix in ("pt", "onnx"):
        weights = real_data / "weights" / f"yolov8n-seg.{suffix}"
        settings = Masks(source="yolo", weights=weights, device="cpu")
        target = tmp_path / f"{suffix}.npz"
        examine(ExamineJob(video, "a", "b", target, settings, None, 0.1))
        found.append(read_masks(target).masks_thw)
    assert (found[0] & found[1]).sum() / (found[0] | found[1]).sum() > 0.95
