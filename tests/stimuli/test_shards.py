"""Clips worked on in shards end as the same bytes as in one run, whatever happens to a shard."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import pytest

from stimuli import version_stage
from stimuli.datasets import find_sources
from stimuli.pipeline import StimuliSummary, make_stimuli
from stimuli.shards import (
    Shard,
    count_clips,
    make_masks_of_shard,
    make_stage_of_shard,
    make_versions_of_shard,
)
from study.config import Study, dump_study
from study.errors import StudyError
from study.fields import Masks, SyntheticData, Trials, Versions
from study.results import Results
from study.tables import read_table

REPOSITORY = Path(__file__).resolve().parents[2]


def _synthetic(n_frames: int = 3) -> Study:
    """Return a study whose versions need key points, and backgrounds of other clips."""
    return Study(
        name="tiny",
        title="t",
        seed=3,
        dataset=SyntheticData(
            kind="synthetic",
            n_actions=2,
            clips_per_action=4,
            width=96,
            height=54,
            n_frames=n_frames,
        ),
        masks=Masks(source="truth"),
        versions=Versions(
            width=80,
            height=60,
            conditions=["body_background", "background_only", "swapped_background", "point_light"],
        ),
        trials=Trials(n_choices=2),
    )


def _shards(count: int) -> list[Shard]:
    return [Shard(index, count) for index in range(1, count + 1)]


def _in_shards(study: Study, results: Results, count: int) -> StimuliSummary:
    for shard in _shards(count):
        make_masks_of_shard(study, results, 1, shard)
    for shard in _shards(count):
        make_versions_of_shard(study, results, 1, shard)
    return make_stimuli(study, results, 1)


def _files(results: Results) -> dict[str, bytes]:
    return {
        path.relative_to(results.root).as_posix(): path.read_bytes()
        for path in results.root.rglob("*")
        if path.is_file()
    }


def _without_times(index: bytes) -> list[dict[str, object]]:
    """Return the records of an index; keys made of the times of rendered files are left out."""
    records = [json.loads(line) for line in index.splitlines()]
    timed = ("hash", "examined", "version")
    return [
        {name: value for name, value in one.items() if name != "key" or one["kind"] not in timed}
        for one in records
    ]


def _times(paths: Iterable[Path]) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in paths}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("3", "expected NUMBER/HOW_MANY, as in 3/40"),
        ("three/4", "shard 'three/4'"),
        ("1/2/3", "shard '1/2/3'"),
        ("-1/4", "shard '-1/4'"),
        ("0/4", "shard 0/4: expected a number from 1"),
        ("5/4", "shard 5/4: expected a number from 1"),
        ("1/0", "shard 1/0: expected a number from 1"),
    ],
)
def test_nonsense_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(StudyError, match=complaint):
        Shard.parse(text)


@pytest.mark.parametrize(
    ("stage", "shard", "complaint"),
    [
        ("masks", None, "together, found --stage masks --shard None"),
        (None, "1/2", "together, found --stage None --shard 1/2"),
        ("sheets", "1/2", "--stage is 'sheets'; expected one of 'masks', 'versions'"),
    ],
)
def test_a_shard_needs_its_stage(
    tree: Study, tmp_path: Path, stage: str | None, shard: str | None, complaint: str
) -> None:
    with pytest.raises(StudyError, match=complaint):
        make_stage_of_shard(tree, Results(tmp_path / "results"), 1, stage, shard)
    assert not (tmp_path / "results").exists()


def test_a_stage_is_done_as_the_command_line_names_it(tree: Study, tmp_path: Path) -> None:
    results = Results(tmp_path / "results")
    for stage in ("masks", "versions"):
        journal, shard = make_stage_of_shard(tree, results, 1, stage, "1/1")
        assert (journal.name, shard) == (f"index-{stage}-1of1.jsonl", Shard(1, 1))
        assert journal.is_file()
    assert len(list(results.stimuli.rglob("*.mp4"))) == 18


def test_shards_have_every_clip_once_and_equally_many() -> None:
    assert Shard.parse("3/40") == Shard(3, 40)
    assert Shard(3, 40).name == "3of40"
    parts = [Shard(index, 7).part_of(range(100)) for index in range(1, 8)]
    assert sorted(item for part in parts for item in part) == list(range(100))
    assert {len(part) for part in parts} == {14, 15}


def test_clips_are_counted_as_they_are_listed(tree: Study, tmp_path: Path) -> None:
    for study in (tree, _synthetic()):
        results = Results(tmp_path / "results")
        assert count_clips(study, results) == len(find_sources(study, results)) == 8


def test_shards_one_of_them_killed_make_the_same_files_as_one_run(tmp_path: Path) -> None:
    study = _synthetic(n_frames=12)
    whole, parts = Results(tmp_path / "whole"), Results(tmp_path / "parts")
    make_stimuli(study, whole, 1)
    for shard in _shards(3):
        if shard.index == 2:
            _killed_at_first_file(study, parts, "masks", shard, parts.masks)
        make_masks_of_shard(study, parts, 2, shard)
    assert not list(parts.stimuli.rglob("*.mp4"))
    for shard in _shards(3):
        if shard.index == 2:
            _killed_at_first_file(study, parts, "versions", shard, parts.stimuli)
        make_versions_of_shard(study, parts, 1, shard)
    summary = make_stimuli(study, parts, 1)
    assert (summary.made, summary.kept) == (0, 32)
    expected, found = _files(whole), _files(parts)
    index = "stimuli/index.jsonl"
    assert _without_times(found.pop(index)) == _without_times(expected.pop(index))
    assert found == expected
    assert make_stimuli(study, parts, 1).made == 0


def _killed_at_first_file(
    study: Study, results: Results, stage: str, shard: Shard, folder: Path
) -> None:
    """Start a shard in a process of its own, and kill it when it has made a file."""
    study_file = results.root.parent / "study.toml"
    study_file.write_text(dump_study(study))
    script = results.root.parent / "shard.py"
    script.write_text(
        "import sys; from pathlib import Path\n"
        "from stimuli import shards\n"
        "from study.config import load_study; from study.results import Results\n"
        "if __name__ == '__main__':\n"
        "    work = getattr(shards, f'make_{sys.argv[3]}_of_shard')\n"
        "    shard = shards.Shard.parse(sys.argv[4])\n"
        "    work(load_study(sys.argv[1]), Results(Path(sys.argv[2])), 1, shard)\n"
    )
    before = _whole_files(folder)
    command = [sys.executable, str(script), str(study_file), str(results.root), stage, str(shard)]
    run = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(REPOSITORY)})
    end = time.monotonic() + 60
    while _whole_files(folder) == before and run.poll() is None and time.monotonic() < end:
        time.sleep(0.002)
    run.send_signal(signal.SIGKILL)
    assert run.wait() == -signal.SIGKILL, "the shard ended before it could be killed"


def _whole_files(folder: Path) -> set[Path]:
    return {*folder.rglob("[!.]*.npz"), *folder.rglob("[!.]*.mp4")}


@pytest.mark.parametrize("count", [1, 3, 11])
def test_broken_clips_are_left_out_as_in_one_run(tree: Study, tmp_path: Path, count: int) -> None:
    whole, parts = Results(tmp_path / "whole"), Results(tmp_path / "parts")
    make_stimuli(tree, whole, 1)
    _in_shards(tree, parts, count)
    assert _files(parts) == _files(whole)
    reasons = read_table("clips", parts.clips).set_index("clip_id")["reason"]
    assert set(reasons[reasons != ""].index) == {"run_b", "run_c"}


def test_a_shard_touches_nothing_of_the_others(tree: Study, tmp_path: Path) -> None:
    results = Results(tmp_path / "parts")
    first, second = _shards(2)
    make_masks_of_shard(tree, results, 1, first)
    half = [results.masks / "run" / ".partial-1-x.npz", results.stimuli / ".partial-2-x.mp4"]
    for path in half:
        path.write_bytes(b"half")
    before = _times(path for path in results.root.rglob("*") if path.is_file())
    make_masks_of_shard(tree, results, 1, second)
    make_versions_of_shard(tree, results, 1, second)
    assert before.items() <= _times(before).items()
    make_stimuli(tree, results, 1)
    assert not any(path.exists() for path in half)
    assert not list(results.stimuli.glob("index-*"))


def test_versions_wait_for_the_masks_of_all_shards(tree: Study, tmp_path: Path) -> None:
    results = Results(tmp_path / "parts")
    for shard in (Shard(1, 3), Shard(3, 3)):
        make_masks_of_shard(tree, results, 1, shard)
    with pytest.raises(StudyError, match=r"of 3 of 8 clips .* shard 2/3 has .*--shard 2/3") as said:
        make_versions_of_shard(tree, results, 1, Shard(1, 3))
    assert "the first 'run_b'" in str(said.value)
    make_masks_of_shard(tree, results, 1, Shard(2, 3))
    make_versions_of_shard(tree, results, 1, Shard(1, 3))
    (results.masks / "run" / "run_a.npz").unlink()
    with pytest.raises(StudyError, match=r"of 1 of 8 clips .* shard 1/3 has .*--shard 1/3"):
        make_versions_of_shard(tree, results, 1, Shard(3, 3))


def test_another_number_of_shards_keeps_what_was_done(tree: Study, tmp_path: Path) -> None:
    results, whole = Results(tmp_path / "parts"), Results(tmp_path / "whole")
    for shard in _shards(3):
        make_masks_of_shard(tree, results, 1, shard)
    made = _times(results.masks.rglob("*.npz"))
    assert len(made) == 7
    for shard in _shards(2):
        assert make_masks_of_shard(tree, results, 1, shard).read_text() == ""
    make_versions_of_shard(tree, results, 1, Shard(1, 2))
    versions = _times(results.stimuli.rglob("*.mp4"))
    assert versions
    make_stimuli(tree, results, 1)
    assert _times(made) == made
    assert _times(versions) == versions
    make_stimuli(tree, whole, 1)
    assert _files(results) == _files(whole)


def test_shards_after_a_whole_run_find_all_done(tree: Study, tmp_path: Path) -> None:
    results = Results(tmp_path / "parts")
    make_stimuli(tree, results, 1)
    before = _files(results)
    for shard in _shards(2):
        assert make_masks_of_shard(tree, results, 1, shard).read_text() == ""
        assert make_versions_of_shard(tree, results, 1, shard).read_text() == ""
    assert make_stimuli(tree, results, 1).made == 0
    assert _files(results) == before


def test_a_shard_renders_its_own_clips_alone(tmp_path: Path) -> None:
    results = Results(tmp_path / "parts")
    make_masks_of_shard(_synthetic(), results, 1, Shard(2, 4))
    assert len(list((results.sources / "video").rglob("*.mp4"))) == 2
    assert len(list(results.masks.rglob("*.npz"))) == 2


def test_a_repeated_shard_tries_again_what_may_pass(
    tree: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results, only = Results(tmp_path / "parts"), Shard(1, 1)
    with monkeypatch.context() as patched:
        patched.setattr("stimuli.bundles.examine", _out_of_memory)
        make_masks_of_shard(tree, results, 1, only)
    assert not results.masks.exists()
    make_masks_of_shard(tree, results, 1, only)
    assert len(list(results.masks.rglob("*.npz"))) == 7
    with monkeypatch.context() as patched:
        patched.setattr(version_stage, "make", _out_of_memory)
        make_versions_of_shard(tree, results, 1, only)
    assert not list(results.stimuli.rglob("*.mp4"))
    make_versions_of_shard(tree, results, 1, only)
    assert len(list(results.stimuli.rglob("*.mp4"))) == 18


def test_a_failure_that_may_pass_is_known_to_all_shards_and_tried_again_at_last(
    tree: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results, whole = Results(tmp_path / "parts"), Results(tmp_path / "whole")
    with monkeypatch.context() as patched:
        patched.setattr("stimuli.bundles.examine", _out_of_memory)
        make_masks_of_shard(tree, results, 1, Shard(2, 2))
    make_masks_of_shard(tree, results, 1, Shard(1, 2))
    with monkeypatch.context() as patched:
        patched.setattr(version_stage, "make", _out_of_memory)
        journal = make_versions_of_shard(tree, results, 1, Shard(1, 2))
    failures = [json.loads(line) for line in journal.read_text().splitlines()]
    assert {one["kind"] for one in failures} == {"failure"}
    assert all("memory" in one["reason"] and one["lasting"] is False for one in failures)
    make_versions_of_shard(tree, results, 1, Shard(1, 2))
    make_stimuli(tree, results, 1)
    make_stimuli(tree, whole, 1)
    assert _files(results) == _files(whole)


def _out_of_memory(job: object) -> None:
    raise MemoryError
