"""Whose background a clip gets."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from stimuli.datasets import Source
from stimuli.partners import cover, draw_lenders, lent_frames, mend_lenders
from study.errors import StudyError


def _sources(n_actions: int, n_clips: int) -> list[Source]:
    return [
        Source(f"a{action}_{clip}", f"a{action}", "", Path("x.mp4"))
        for action in range(n_actions)
        for clip in range(n_clips)
    ]


def _splits(sources: list[Source]) -> dict[str, str]:
    places = {"0": "validation", "1": "test"}
    return {s.clip_id: places.get(s.clip_id.split("_")[1], "train") for s in sources}


@pytest.mark.parametrize("seed", range(5))
def test_other_actions_lend_within_the_split_and_each_once(seed: int) -> None:
    sources = _sources(7, 6)
    splits = _splits(sources)
    lenders = draw_lenders(sources, splits, "other_action", seed)
    action_of = {source.clip_id: source.action for source in sources}
    assert set(lenders) == set(action_of)
    for borrower, lender in lenders.items():
        assert action_of[borrower] != action_of[lender]
        assert splits[borrower] == splits[lender]
    assert set(Counter(lenders.values()).values()) == {1}


def test_the_draw_follows_from_the_seed() -> None:
    sources = _sources(5, 4)
    draws = [draw_lenders(sources, _splits(sources), "other_action", seed) for seed in (1, 1, 2)]
    assert draws[0] == draws[1]
    assert draws[0] != draws[2]


def test_the_same_action_lends_another_clip_if_need_be_of_another_split() -> None:
    sources = _sources(3, 6)
    splits = _splits(sources)
    lenders = draw_lenders(sources, splits, "same_action", 1)
    for borrower, lender in lenders.items():
        assert borrower != lender
        assert borrower.split("_")[0] == lender.split("_")[0]
        if splits[borrower] == "train":
            assert splits[lender] == "train"


def test_an_action_with_most_of_the_clips_borrows_from_the_few_others() -> None:
    sources = [*_sources(1, 6), Source("b_0", "b", "", Path("x.mp4"))]
    splits = {source.clip_id: "train" for source in sources}
    lenders = draw_lenders(sources, splits, "other_action", 1)
    assert {lenders[f"a0_{clip}"] for clip in range(6)} == {"b_0"}
    assert lenders["b_0"].startswith("a0")


def test_nobody_to_borrow_from_is_an_error() -> None:
    alone = _sources(1, 3)
    splits = {source.clip_id: "train" for source in alone}
    with pytest.raises(StudyError, match="needs a clip of another action than 'a0', there is none"):
        draw_lenders(alone, splits, "other_action", 1)
    with pytest.raises(StudyError, match="needs another clip of 'a0'"):
        draw_lenders(alone[:1], splits, "same_action", 1)


def test_a_short_background_goes_back_and_forth_without_a_jump() -> None:
    assert lent_frames(9, 4).tolist() == [0, 1, 2, 3, 2, 1, 0, 1, 2]
    assert lent_frames(3, 10).tolist() == [0, 1, 2]
    assert lent_frames(3, 1).tolist() == [0, 0, 0]


def test_cover_fills_the_picture_and_keeps_proportions() -> None:
    wide = np.zeros((100, 300, 3), np.uint8)
    wide[:, 100:200] = 255
    covered = cover(wide, (50, 50))
    assert covered.shape == (50, 50, 3)
    assert (covered == 255).all()


def test_one_clip_out_changes_the_lenders_of_few() -> None:
    sources = _sources(20, 10)
    splits = _splits(sources)
    first = draw_lenders(sources, splits, "other_action", 1)
    out, mute = "a3_5", "a4_7"
    left = [source for source in sources if source.clip_id != out]
    mended = mend_lenders(first, left, splits, {out}, {mute}, "other_action", 1)
    action_of = {source.clip_id: source.action for source in sources}
    assert mended.keys() == action_of.keys() - {out}
    assert not {out, mute} & set(mended.values())
    changed = {clip for clip, lender in mended.items() if first[clip] != lender}
    assert changed == {clip for clip in mended if first[clip] in (out, mute)}
    for borrower, lender in mended.items():
        assert action_of[borrower] != action_of[lender]
        assert splits[borrower] == splits[lender]


def test_a_clip_that_moves_to_another_split_borrows_there() -> None:
    sources = _sources(6, 5)
    before = _splits(sources)
    first = draw_lenders(sources, before, "other_action", 2)
    now = before | {"a0_2": "test"}
    mended = mend_lenders(first, sources, now, {"a0_2"}, (), "other_action", 2)
    assert all(now[borrower] == now[lender] for borrower, lender in mended.items())
    assert sum(mended[clip] != first[clip] for clip in first) <= 2


def test_without_anyone_who_can_lend_it_is_said_who_needs_one() -> None:
    sources = _sources(2, 1)
    splits = {source.clip_id: "train" for source in sources}
    first = draw_lenders(sources, splits, "other_action", 1)
    with pytest.raises(StudyError, match=r"clip 'a0_0' needs a clip of another action"):
        mend_lenders(first, sources, splits, (), {"a1_0"}, "other_action", 1)
