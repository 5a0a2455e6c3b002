"""The whole way from clips to stimuli: repeatable, incremental, safe to end at any moment."""

from __future__ import annotations

import hashlib
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from stimuli.pipeline import make_stimuli
from stimuli.video import read_clip
from study.config import Study, dump_study
from study.errors import StudyError
from study.fields import (
    FolderData,
    Masks,
    SourceFolder,
    Split,
    SyntheticData,
    Trials,
    Versions,
)
from study.results import Results
from study.tables import read_table

REPOSITORY = Path(__file__).resolve().parents[2]
MakeVideo = Callable[..., Path]


def _synthetic(n_frames: int = 3, clips: int = 3, **versions: object) -> Study:
    return Study(
        name="tiny",
        title="t",
        seed=3,
        dataset=SyntheticData(
            kind="synthetic",
            n_actions=2,
            clips_per_action=clips,
            width=96,
            height=54,
            n_frames=n_frames,
        ),
        masks=Masks(source="truth"),
        versions=Versions(width=80, height=60, **versions),
        trials=Trials(n_choices=2),
    )


def _hashes(results: Results) -> dict[str, str]:
    """Return the hashes of tables, stimuli, masks and sheets."""
    files = [
        results.clips,
        results.manifest,
        *results.stimuli.rglob("*.mp4"),
        *results.stimuli.rglob("*.png"),
        *results.masks.rglob("*.npz"),
        *results.contact_sheets.rglob("*.png"),
    ]
    return {
        str(path.relative_to(results.root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


def _times(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Results:
    results = Results(tmp_path_factory.mktemp("finished"))
    summary = make_stimuli(_synthetic(), results, 1)
    assert summary.sentence() == (
        "18 stimuli from 6 clips of 2 actions: 18 made, 0 kept; 0 clips left out"
    )
    return results


def test_manifest_and_clips_are_true_to_the_files(finished: Results) -> None:
    manifest = read_table("manifest", finished.manifest)
    clips = read_table("clips", finished.clips)
    assert (
        clips.groupby("action")["split"].apply(list).tolist()
        == [["validation", "test", "train"]] * 2
    )
    assert len(manifest) == 18
    for row in manifest.itertuples():
        path = finished.root / row.path
        assert hashlib.sha256(path.read_bytes()).hexdigest() == row.sha256
        clip = read_clip(path)
        assert clip.frames_thwc.shape == (row.n_frames, row.height, row.width, 3)
        assert float(clip.fps) == row.fps
    hidden = manifest.pivot(index="clip_id", columns="condition", values="hidden_fraction")
    body = manifest.groupby("clip_id")["body_fraction"].first()
    picture_share = 80 * 45 / (80 * 60)
    assert (hidden["body_background"] == 0).all()
    assert np.allclose(hidden["body_only"] + body, picture_share, atol=0.005)
    assert (hidden["background_only"] > body).all()


def test_versions_show_what_they_should(finished: Results) -> None:
    manifest = read_table("manifest", finished.manifest).set_index("condition")
    of_clip = manifest[manifest["clip_id"] == manifest["clip_id"].iloc[0]]["path"]
    original, body, background = (
        read_clip(finished.root / of_clip[name]).frames_thwc.astype(int)
        for name in ("body_background", "body_only", "background_only")
    )
    for frames in (original, body, background):
        assert (frames[:, :7] == 0).all()
        assert (frames[:, -7:] == 0).all()
    person = body.any(axis=-1)
    assert np.array_equal(body[person], original[person])
    assert not np.array_equal(background[person], original[person])
    assert len(list(finished.contact_sheets.glob("*.png"))) == 2


def test_two_runs_give_the_same_bytes_whatever_the_number_of_processes(
    finished: Results, tmp_path: Path
) -> None:
    make_stimuli(_synthetic(), Results(tmp_path), 2)
    assert _hashes(Results(tmp_path)) == _hashes(finished)


def test_repeated_run_touches_nothing(finished: Results) -> None:
    before = _times(finished.root)
    summary = make_stimuli(_synthetic(), finished, 2)
    assert (summary.made, summary.kept) == (0, 18)
    assert _times(finished.root) == before


def test_changed_dilation_redoes_the_filled_version_alone(tmp_path: Path) -> None:
    results = Results(tmp_path)
    make_stimuli(_synthetic(), results, 1)
    before = _times(tmp_path)
    summary = make_stimuli(_synthetic(dilation=1.6), results, 1)
    assert (summary.made, summary.kept) == (6, 12)
    after = _times(tmp_path)
    changed = {path for path in after if before.get(path) != after[path]}
    kept = [path for path in changed if "/masks/" in path or "/sources/" in path]
    assert kept == []
    stimuli = {Path(path) for path in changed if path.endswith(".mp4")}
    assert len(stimuli) == 6
    assert {path.parents[1].name for path in stimuli} == {"background_only"}


def test_unwanted_files_are_removed(tmp_path: Path) -> None:
    results = Results(tmp_path)
    make_stimuli(_synthetic(clips=4), results, 1)
    stray = results.stimuli / "body_only" / ".partial-1234-x.mp4"
    stray.write_bytes(b"half")
    make_stimuli(_synthetic(conditions=["body_only", "body_background"]), results, 1)
    manifest = read_table("manifest", results.manifest)
    left = {path.relative_to(tmp_path).as_posix() for path in results.stimuli.rglob("*.*")}
    sidecars = {str(Path(path).with_suffix(".json")) for path in manifest["path"]}
    assert left == {*manifest["path"], *sidecars, "stimuli/index.jsonl"}
    assert len(manifest) == 12
    assert len(list((results.sources / "masks").rglob("*.npz"))) == 6


def test_deleted_or_shortened_stimulus_is_made_again(tmp_path: Path) -> None:
    results = Results(tmp_path)
    make_stimuli(_synthetic(), results, 1)
    before = _hashes(results)
    stimuli = sorted(results.stimuli.rglob("*.mp4"))
    stimuli[0].unlink()
    stimuli[1].write_bytes(stimuli[1].read_bytes()[:100])
    summary = make_stimuli(_synthetic(), results, 1)
    assert summary.made == 2
    assert _hashes(results) == before


def test_killed_run_is_finished_by_the_next(tmp_path: Path) -> None:
    """Kill a run with two processes at the first finished stimulus; then finish it."""
    study = _synthetic(n_frames=6, clips=4)
    (tmp_path / "study.toml").write_text(dump_study(study))
    results = Results(tmp_path / "killed")
    program = (
        "import sys; from pathlib import Path\n"
        "from stimuli.pipeline import make_stimuli\n"
        "from study.config import load_study; from study.results import Results\n"
        "if __name__ == '__main__':\n"
        "    make_stimuli(load_study(sys.argv[1]), Results(Path(sys.argv[2])), 2)\n"
    )
    script = tmp_path / "run.py"
    script.write_text(program)
    command = [sys.executable, str(script), str(tmp_path / "study.toml"), str(results.root)]
    run = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(REPOSITORY)})
    end = time.monotonic() + 60
    while not list(results.stimuli.rglob("[!.]*.mp4")) and time.monotonic() < end:
        time.sleep(0.01)
    run.send_signal(signal.SIGKILL)
    run.wait()
    assert not results.manifest.exists()
    time.sleep(0.5)  # the workers end with their parent
    make_stimuli(study, results, 1)
    make_stimuli(study, Results(tmp_path / "whole"), 1)
    assert _hashes(results) == _hashes(Results(tmp_path / "whole"))
    assert not list(results.root.rglob(".partial-*"))


def _folder_study(folder: Path, masks: Path, **fields: object) -> Study:
    return Study(
        name="own",
        title="t",
        seed=1,
        dataset=FolderData(kind="folder", folders=[SourceFolder(path=folder)], min_clips=1),
        split=Split(validation_clips=0, test_clips=1),
        masks=Masks(source="files", path=masks),
        versions=Versions(width=64, height=48, **fields),
        trials=Trials(n_choices=2),
    )


def _box_masks(path: Path, shape_thw: tuple[int, int, int], whole: bool = False) -> None:
    masks = np.zeros(shape_thw, bool)
    masks[:, 10:20, 10:20] = True
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, masks=masks | whole)


def test_bad_clips_are_left_out_with_their_reasons(
    make_video: MakeVideo, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clips, masks = tmp_path / "clips", tmp_path / "masks"
    good = make_video("clips/run/good.mp4")
    content = good.read_bytes()
    for name in ("full", "nobody", "other_masks", "no_masks", "truncated", "empty"):
        (clips / "run" / f"{name}.mp4").write_bytes(content)
    (clips / "run" / "truncated.mp4").write_bytes(content[: len(content) // 2])
    (clips / "run" / "empty.mp4").write_bytes(b"")
    make_video("clips/sit/text.mp4").write_bytes(b"no video")
    _box_masks(masks / "run" / "good.npz", (20, 48, 64))
    _box_masks(masks / "run" / "full.npz", (20, 48, 64), whole=True)
    _box_masks(masks / "run" / "other_masks.npz", (19, 48, 64))
    np.savez(masks / "run" / "nobody.npz", masks=np.zeros((20, 48, 64), bool))
    results = Results(tmp_path / "results")
    with caplog.at_level(logging.WARNING, "bodyscene"):
        summary = make_stimuli(_folder_study(clips, masks), results, 1)
    assert (summary.clips_used, summary.clips_left_out) == (1, 7)
    reasons = read_table("clips", results.clips).set_index("clip_id")["reason"]
    expected = {
        "good": "",
        "full": "nothing is left to fill it from",
        "nobody": "no person found in 20 of 20 frames",
        "other_masks": "(19, 48, 64), the clip has (20, 48, 64)",
        "no_masks": "no mask file: tried",
        "truncated": "cut off before its index",
        "empty": "the file is empty",
        "text": "text.mp4: ",
    }
    for clip_id, part in expected.items():
        assert part in reasons[clip_id]
    assert "action sit is left out" in caplog.text
    assert set(read_table("manifest", results.manifest)["clip_id"]) == {"good"}
    assert make_stimuli(_folder_study(clips, masks), results, 1).made == 0


def test_failed_clip_is_replaced_by_the_next(make_video: MakeVideo, tmp_path: Path) -> None:
    clips, masks = tmp_path / "clips", tmp_path / "masks"
    for name in ("a", "b"):
        make_video(f"clips/run/{name}.mp4")
        _box_masks(masks / "run" / f"{name}.npz", (20, 48, 64), whole=name == "a")
    results = Results(tmp_path / "results")
    make_stimuli(_folder_study(clips, masks), results, 1)
    clips_found = read_table("clips", results.clips).set_index("clip_id")
    assert clips_found["split"].to_dict() == {"a": "none", "b": "test"}
    _box_masks(masks / "run" / "a.npz", (20, 48, 64))
    make_stimuli(_folder_study(clips, masks), results, 1)
    mended = read_table("clips", results.clips).set_index("clip_id")
    assert mended["split"].to_dict() == {"a": "test", "b": "train"}


def test_photographs_become_photographs(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    for name in ("run/a.jpg", "sit/b.png"):
        path = tmp_path / "clips" / name
        path.parent.mkdir(parents=True)
        Image.fromarray(noise).save(path)
        _box_masks((tmp_path / "masks" / name).with_suffix(".npz"), (1, 48, 64))
    results = Results(tmp_path / "results")
    make_stimuli(_folder_study(tmp_path / "clips", tmp_path / "masks"), results, 1)
    manifest = read_table("manifest", results.manifest)
    assert manifest["path"].str.endswith(".png").all()
    assert (manifest["n_frames"] == 1).all()
    assert len(manifest) == 6


def test_no_action_left_is_an_error_that_says_why(make_video: MakeVideo, tmp_path: Path) -> None:
    make_video("clips/run/a.mp4")
    results = Results(tmp_path / "results")
    with pytest.raises(StudyError, match=r"clips\.csv: no action is left.*no mask file"):
        make_stimuli(_folder_study(tmp_path / "clips", tmp_path / "masks"), results, 1)
    assert isinstance(read_table("clips", results.clips), pd.DataFrame)


def test_missing_weights_stop_the_run_before_any_work(
    make_video: MakeVideo, tmp_path: Path
) -> None:
    make_video("clips/run/a.mp4")
    study = _folder_study(tmp_path / "clips", tmp_path)
    masks = Masks(source="yolo", weights=tmp_path / "none-seg.pt")
    results = Results(tmp_path / "results")
    with pytest.raises(StudyError, match=r"none-seg\.pt.*Get the official file"):
        make_stimuli(study.model_copy(update={"masks": masks}), results, 1)
    assert not results.clips.exists()
