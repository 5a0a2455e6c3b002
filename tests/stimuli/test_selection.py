"""Data sets become sources, sources become a selection with reasons."""

from __future__ import annotations

from pathlib import Path

import pytest

from stimuli.datasets import Source, find_sources, with_unique_ids
from stimuli.examine import Examined
from stimuli.selection import select_clips, unusable
from study.config import Study
from study.errors import StudyError
from study.fields import FolderData, Haa500Data, Masks, SourceFolder, Split, Trials
from study.results import Results


def _study(dataset: FolderData | Haa500Data, masks_path: Path) -> Study:
    return Study(
        name="s",
        title="t",
        seed=1,
        dataset=dataset,
        masks=Masks(source="files", path=masks_path),
        trials=Trials(n_choices=2),
    )


def _touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def _ids(study: Study, root: Path) -> list[tuple[str, str, str]]:
    sources = find_sources(study, Results(root))
    return [(source.clip_id, source.action, source.group) for source in sources]


def test_folders_are_read_by_their_pattern(tmp_path: Path) -> None:
    _touch(tmp_path, "run/S1_b.mp4", "run/S2_a.MOV", "sit/S1_c.jpg", "sit/notes.txt", "top.mp4")
    folder = SourceFolder(path=tmp_path, pattern=r"^(?P<action>[^/]+)/(?P<group>S\d)_")
    study = _study(FolderData(kind="folder", folders=[folder]), tmp_path)
    assert _ids(study, tmp_path) == [
        ("S1_b", "run", "S1"),
        ("S2_a", "run", "S2"),
        ("S1_c", "sit", "S1"),
    ]


def test_haa500_layout(tmp_path: Path) -> None:
    _touch(tmp_path, "video/salute/salute_002.mp4", "video/salute/salute_001.mp4", "raw/x/x.mp4")
    study = _study(Haa500Data(kind="haa500", path=tmp_path), tmp_path)
    assert [name for name, _, _ in _ids(study, tmp_path)] == ["salute_001", "salute_002"]


def test_clips_that_share_a_name_get_their_action_before_it() -> None:
    same = [Source("a", action, "", Path(action) / "a.mp4") for action in ("run", "sit")]
    other = Source("b", "run", "", Path("run/b.mp4"))
    assert [source.clip_id for source in with_unique_ids([*same, other])] == [
        "b",
        "run_a",
        "sit_a",
    ]


def test_clips_that_cannot_be_told_apart_are_an_error() -> None:
    same = [Source("a", "run", "", Path("run") / name) for name in ("a.mp4", "a.avi")]
    with pytest.raises(StudyError, match=r"run/a\.mp4 and run/a\.avi would both be clip 'run_a'"):
        with_unique_ids(same)


def test_missing_or_empty_data_sets_are_errors(tmp_path: Path) -> None:
    def study(path: Path, actions: list[str] | None = None) -> Study:
        folders = [SourceFolder(path=path)]
        return _study(FolderData(kind="folder", folders=folders, actions=actions), tmp_path)

    results = Results(tmp_path)
    with pytest.raises(StudyError, match="none: no such folder"):
        find_sources(study(tmp_path / "none"), results)
    with pytest.raises(StudyError, match="holds no clip"):
        find_sources(study(tmp_path), results)
    _touch(tmp_path, "run/a.mp4")
    with pytest.raises(StudyError, match=r"\['fly', 'sit'\].*found \['run'\]"):
        find_sources(study(tmp_path, ["sit", "fly", "run"]), results)


def _sources(n_clips: int, action: str = "run", group: str = "") -> list[Source]:
    names = [f"{action}{group}{number}" for number in range(n_clips)]
    return [Source(name, action, group, Path(name)) for name in names]


def _select(
    sources: list[Source], split: Split, min_clips: int, max_clips: int | None = None, bad: str = ""
) -> list[tuple[str, str]]:
    reasons = {source.clip_id: "bad" if source.clip_id == bad else "" for source in sources}
    return list(select_clips(sources, reasons, split, min_clips, max_clips).values())


def test_split_by_order_passes_over_unusable_clips() -> None:
    chosen = _select(_sources(5), Split(), 3, bad="run0")
    assert [part for part, _ in chosen] == ["none", "validation", "test", "train", "train"]
    assert chosen[0][1] == "bad"


def test_action_with_too_few_clips_is_left_out() -> None:
    chosen = _select(_sources(3) + _sources(3, "sit"), Split(), 3, bad="run1")
    assert chosen[0] == ("none", "only 2 usable clips, 3 needed")
    assert chosen[1] == ("none", "bad")
    assert [part for part, _ in chosen[3:]] == ["validation", "test", "train"]


def test_one_clip_per_action_can_be_for_testing_alone() -> None:
    split = Split(validation_clips=0, test_clips=1)
    assert _select(_sources(1), split, 1) == [("test", "")]


def test_surplus_clips_are_named() -> None:
    chosen = _select(_sources(5), Split(), 3, max_clips=3, bad="run0")
    assert chosen[-1] == ("none", "beyond the first 3 usable clips")
    assert [part for part, _ in chosen] == ["none", "validation", "test", "train", "none"]


def test_split_by_group_holds_sessions_out() -> None:
    split = Split(by="group", test_groups=["B"], validation_groups=["C"])
    both = [*_sources(2, group="A"), *_sources(1, group="B"), *_sources(1, group="C")]
    assert [part for part, _ in _select(both, split, 1)] == [
        "train",
        "train",
        "test",
        "validation",
    ]
    lacking = _select(_sources(2, group="A"), split, 1)
    assert lacking[0] == ("none", "its action has no test clip by the split into sessions")


def _examined(n_found: int, n_one_person: int) -> Examined:
    return Examined(20, 25.0, 64, 48, 2, n_one_person, n_found, 0.1, "0" * 64)


def test_reasons_of_unusable_clips() -> None:
    main, alone = (
        Masks(source="files", path=Path(), persons=persons) for persons in ("main", "exactly_one")
    )
    assert unusable(_examined(6, 6), main) == "no person found in 14 of 20 frames"
    assert unusable(_examined(0, 0), main) == "no person found in 20 of 20 frames"
    assert unusable(_examined(10, 3), main) == ""
    assert unusable(_examined(20, 17), alone) == "not exactly one person in 3 of 20 frames"
    assert unusable(_examined(20, 20), alone) == ""
