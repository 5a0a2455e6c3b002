"""One person followed through made-up crowds: coloured boxes that cross, come and go."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stimuli.segmentation.person import Instance, color_likeness
from stimuli.segmentation.tracking import link, main_person
from stimuli.segmentation.yolo import Segmenter
from stimuli.video import iter_frames, read_timing
from study.fields import Masks

SIZE_WH = (200, 100)
RED, BLUE = (220, 30, 30), (30, 30, 220)


def _box(left: int, top: int, side: int, confidence: float = 0.9) -> Instance:
    return Instance(left, top, np.ones((side, side), bool), confidence)


class _Walker:
    """A box of one colour that walks."""

    def __init__(
        self,
        start: int,
        step: float,
        color: tuple[int, int, int],
        top: int = 30,
        width: int = 20,
    ) -> None:
        self.start, self.step, self.color = start, step, color
        self.top, self.width = top, width

    def mask(self, number: int) -> np.ndarray:
        mask = np.zeros(SIZE_WH[::-1], bool)
        left = round(self.start + self.step * number)
        mask[self.top : self.top + 40, max(0, left) : max(0, left + self.width)] = True
        return mask


def _scene(walkers: list[_Walker], n_frames: int) -> list[list[Instance | None]]:
    """Draw the walkers, the first nearest; return what is seen of each, None if too little."""
    frames = []
    for number in range(n_frames):
        hidden, seen = np.zeros(SIZE_WH[::-1], bool), []
        picture = np.full((*SIZE_WH[::-1], 3), 128, np.uint8)
        for walker in walkers:
            whole = walker.mask(number)
            visible = whole & ~hidden
            picture[visible] = walker.color
            enough = visible.sum() >= 0.3 * max(1, whole.sum())
            seen.append(Instance.of(visible, 0.9, picture) if enough else None)
            hidden |= whole
        frames.append(seen)
    return frames


def _ids(tracks: list, frames: list[list[Instance | None]]) -> list[set[int]]:
    """Return which walkers each track holds."""
    return [
        {
            who
            for number, one in track.instances.items()
            for who, seen in enumerate(frames[number])
            if one is seen
        }
        for track in tracks
    ]


@pytest.mark.parametrize("colors", [(RED, BLUE), (RED, RED)], ids=["dressed", "alike"])
def test_two_who_cross_are_not_swapped(colors: tuple) -> None:
    """They meet in the middle; the one behind is hidden for some ten frames."""
    walkers = [_Walker(20, 2.5, colors[0], width=36), _Walker(160, -2.5, colors[1])]
    frames = _scene(walkers, 46)
    assert 5 <= sum(seen[1] is None for seen in frames) <= 12
    tracks = link([[one for one in seen if one is not None] for seen in frames])
    assert sorted(map(sorted, _ids(tracks, frames))) == [[0], [1]]


def test_two_who_run_past_each_other_are_told_apart_by_their_motion() -> None:
    """Dressed alike and never hidden: where they pass, each is nearer to where the other was."""
    right, left = _Walker(20, 12, RED, top=20), _Walker(152, -12, RED, top=22)
    frames = [
        [Instance.of(walker.mask(number), 0.9) for walker in (right, left)] for number in range(12)
    ]
    tracks = link(frames)
    assert sorted(map(sorted, _ids(tracks, frames))) == [[0], [1]]


def test_same_place_other_clothes_is_another_person() -> None:
    """Somebody turns up where the main person was hidden, dressed differently, beside them."""
    frames = _scene([_Walker(80, 0, RED)], 10)
    frames += [[None]] * 4
    later = _scene([_Walker(84, 0, BLUE), _Walker(76, 0, RED, top=34)], 10)
    followed = main_person([[one for one in seen if one is not None] for seen in [*frames, *later]])
    assert [one is seen[1] for one, seen in zip(followed[14:], later, strict=True)] == [True] * 10


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


def test_who_leaves_and_comes_back_is_one_person_only_if_dressed_the_same() -> None:
    present = _scene([_Walker(20, 2, RED)], 20)
    back = {color: _scene([_Walker(150, -2, color)], 15) for color in (RED, BLUE)}
    for color, again in back.items():
        frames = [[one for one in seen if one] for seen in [*present, *([[]] * 30), *again]]
        found = [one is not None for one in main_person(frames)]
        assert found[:50] == [True] * 20 + [False] * 30
        assert all(found[50:]) == (color == RED) and any(found[50:]) == (color == RED)


def test_unsure_detections_continue_a_track_but_begin_none() -> None:
    sure, unsure = _box(50, 30, 30, 0.8), _box(51, 30, 30, 0.1)
    elsewhere = _box(150, 30, 30, 0.1)
    frames = [[unsure], [unsure], [sure], [unsure, elsewhere], [sure], [elsewhere]]
    assert main_person(frames, 0.25) == [unsure, unsure, sure, unsure, sure, None]
    assert main_person([[unsure]] * 5, 0.25) == [None] * 5


def test_a_part_of_somebody_sure_continues_no_track() -> None:
    """The main person is hidden by another; the other's own arm is no find of the main person."""
    main, other = _box(40, 20, 60), _box(60, 30, 40)
    arm = Instance(62, 32, np.ones((36, 36), bool), 0.2)
    found = main_person([[main, _box(64, 30, 40)], [other, arm], [main]], 0.25)
    assert found == [main, None, main]
    alone = main_person([[main], [arm], [main]], 0.25)
    assert alone[1] is arm, "without the other it would fit"


def test_nobody_gives_no_person() -> None:
    assert main_person([[], [], []]) == [None, None, None]


def test_colors_are_alike_by_the_bhattacharyya_coefficient() -> None:
    one, other = np.array([0.5, 0.5, 0.0]), np.array([0.0, 0.5, 0.5])
    assert color_likeness(one, one) == pytest.approx(1)
    assert color_likeness(one, other) == pytest.approx(0.5)
    assert color_likeness(None, other) == 1


def test_instance_of_a_mask_comes_back_also_from_a_turned_frame() -> None:
    mask = np.zeros((9, 12), bool)
    mask[2:5, 3:9] = True
    mask[3, 4] = False
    instance = Instance.of(mask, 0.5)
    assert np.array_equal(instance.in_frame((12, 9)), mask)
    assert instance.overlap(instance) == 1.0
    assert Instance.of(np.zeros((3, 3), bool), 0.5) is None
    one_pixel = Instance.of(np.eye(1, 12, 5, dtype=bool).repeat(1, axis=0), 0.5)
    assert (one_pixel.left, one_pixel.top, one_pixel.area) == (5, 0, 1)
    for turn in (1, 2, 3):
        turned = np.ascontiguousarray(np.rot90(mask, turn))
        back = Instance.of(turned, 0.5).turned_back(turn, turned.shape[::-1])
        assert np.array_equal(back.in_frame((12, 9)), mask)


@pytest.mark.real_data
@pytest.mark.slow
def test_the_main_person_of_a_crowd_does_not_jump(real_data: Path) -> None:
    """A lifter in front of people who walk past: the place changes little from frame to frame."""
    pytest.importorskip("ultralytics")
    video = real_data / "clips" / "single" / "stgcn_clean_and_jerk.mp4"
    timing = read_timing(video, None, 2.4)
    weights = real_data / "weights" / "yolov8n-seg.pt"
    network = Segmenter(Masks(source="yolo", weights=weights))
    frames = [network.scaled(frame) for frame in iter_frames(video, timing)]
    found = main_person(network.persons(frames), 0.25)
    assert all(one is not None for one in found)
    centers = np.array([one.center_xy for one in found])
    steps = np.linalg.norm(np.diff(centers, axis=0), axis=1)
    assert steps.max() < 0.5 * np.median([one.size for one in found])
