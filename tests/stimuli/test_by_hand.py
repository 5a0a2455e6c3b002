"""Exclusion lists and edited tables of clips."""

from __future__ import annotations

from pathlib import Path

import pytest

from stimuli.by_hand import read_choice_by_hand
from stimuli.datasets import Source
from study.errors import StudyError
from study.fields import Split


def _write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_an_exclusion_list_needs_no_reason(tmp_path: Path) -> None:
    file = _write(tmp_path / "out.csv", 'clip_id,reason\na_1,"blurred, dark"\na_2,\n')
    by_hand = read_choice_by_hand(Split(exclude=file))
    assert by_hand.why_excluded("a_1") == "excluded by hand: blurred, dark"
    assert by_hand.why_excluded("a_2") == "excluded by hand: no reason given"
    assert by_hand.why_excluded("a_3") == ""
    assert by_hand.splits is None
    bare = _write(tmp_path / "bare.csv", "clip_id\na_1\n")
    assert read_choice_by_hand(Split(exclude=bare)).why_excluded("a_1")


def test_an_edited_table_decides_but_not_over_unusable_clips(tmp_path: Path) -> None:
    file = _write(
        tmp_path / "clips.csv", "clip_id,split\na_1,test\na_2,none\na_3,train\na_4,train\n"
    )
    by_hand = read_choice_by_hand(Split(by="file", file=file))
    reasons = {"a_1": "", "a_2": "", "a_3": "", "a_4": "no person found", "a_5": ""}
    assert by_hand.splits_of(reasons) == {
        "a_1": ("test", ""),
        "a_2": ("none", "clips.csv leaves it out"),
        "a_3": ("train", ""),
        "a_4": ("none", "no person found"),
        "a_5": ("none", "clips.csv does not name it"),
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("clip\na_1\n", r"lacks the column 'clip_id', found \['clip'\]"),
        ("clip_id\na_1\na_1\n", "line 3: 'a_1' for the second time"),
        ("", "not a readable CSV table"),
    ],
)
def test_bad_lists_are_refused(tmp_path: Path, text: str, message: str) -> None:
    file = _write(tmp_path / "out.csv", text)
    with pytest.raises(StudyError, match=message):
        read_choice_by_hand(Split(exclude=file))


def test_a_missing_list_and_a_wrong_split_are_named(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"gone\.csv: no such file \(split\.exclude\)"):
        read_choice_by_hand(Split(exclude=tmp_path / "gone.csv"))
    file = _write(tmp_path / "clips.csv", "clip_id,split\na_1,testing\n")
    with pytest.raises(StudyError, match=r"column 'split', line 2: .* found 'testing'"):
        read_choice_by_hand(Split(by="file", file=file))


def test_clips_that_are_not_there_are_named(tmp_path: Path) -> None:
    file = _write(tmp_path / "out.csv", "clip_id\na_1\nb_1\nb_2\nb_3\nb_4\n")
    by_hand = read_choice_by_hand(Split(exclude=file))
    with pytest.raises(StudyError, match=r"names 'b_1', 'b_2', 'b_3' and 1 more, which"):
        by_hand.check([Source("a_1", "a", "", Path("a_1.mp4"))])
