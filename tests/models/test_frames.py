"""The frame cache: right pixels, aligned versions, whole or absent, safe to start together."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import models.frames
from models import frame_files
from models.flow import FlowMethod, decode
from models.frame_recipes import fit_square
from models.frames import make_frames_ahead, open_frames
from models.views import BLANK, LENT_BACKGROUND, MASKS, flow_of
from stimuli.letterbox import Letterbox
from stimuli.make import sidecar_of
from stimuli.masks import PersonMasks, write_masks
from stimuli.video import Clip, read_clip, write_clip
from study.errors import StudyError
from study.results import Results
from study.tables import read_table, write_table

SIDE = 32


def test_fit_square_centres_without_stretching() -> None:
    frame = np.full((20, 40, 3), 200, np.uint8)
    square = fit_square(frame, 32)
    assert square.shape == (32, 32, 3)
    assert (square[8:24] == 200).all()
    assert not square[:8].any() and not square[24:].any()


def test_rows_hold_the_same_moment_of_every_version(results: Results) -> None:
    manifest = read_table("manifest", results.manifest)
    cache = open_frames(results, manifest, SIDE)
    for clip in cache.clips.itertuples():
        rows = slice(clip.start, clip.start + clip.n_frames)
        for condition in cache.conditions:
            stimulus = manifest[
                (manifest["clip_id"] == clip.clip_id) & (manifest["condition"] == condition)
            ].iloc[0]
            source = read_clip(results.root / stimulus["path"]).frames_thwc
            expected = np.stack([fit_square(frame, SIDE) for frame in source])
            np.testing.assert_array_equal(cache.frames[condition][rows], expected)
            assert stimulus["action"] == clip.action and stimulus["split"] == clip.split
    assert cache.clips["n_frames"].sum() == len(cache.frames["body_only"])


def _with_swapped(manifest: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, str]]:
    """Add rows of swapped versions: every clip borrows of the one before it."""
    originals = manifest[manifest["condition"] == "body_background"]
    lender_of = dict(zip(originals["clip_id"], np.roll(originals["clip_id"], 1), strict=True))
    swapped = originals.assign(
        stimulus_id=originals["clip_id"] + "-swapped",
        condition="swapped_background",
        background_of=originals["clip_id"].map(lender_of),
    )
    return pd.concat([manifest, swapped], ignore_index=True), lender_of


def test_borrowed_backgrounds_are_found_in_the_lenders_frames(results: Results) -> None:
    manifest = read_table("manifest", results.manifest)
    assert LENT_BACKGROUND not in open_frames(results, manifest, SIDE).frames
    table, lender_of = _with_swapped(manifest)
    cache = open_frames(results, table, SIDE)
    clips = cache.clips.set_index("clip_id")
    for clip_id, clip in clips.iterrows():
        lender = clips.loc[lender_of[clip_id]]
        own = np.arange(clip["start"], clip["start"] + clip["n_frames"])
        theirs = cache.rows[LENT_BACKGROUND][own] - lender["start"]
        # Forwards, and back where the own clip is longer.
        expected = [*range(lender["n_frames"]), lender["n_frames"] - 2]
        assert theirs.tolist() == expected[: clip["n_frames"]]
        np.testing.assert_array_equal(
            cache.take(LENT_BACKGROUND, own),
            cache.take("background_only", lender["start"] + theirs),
        )


def test_views_that_need_what_is_not_there_are_named(results: Results) -> None:
    manifest = read_table("manifest", results.manifest)
    for view, said in {
        "silhouette": r"'silhouette' is no version",
        LENT_BACKGROUND: r"'swapped_background'",
        MASKS: r"bow_003\.npz: no such file.*`bodyscene stimuli`",
    }.items():
        with pytest.raises(StudyError, match=said):
            open_frames(results, manifest, SIDE, [view])
    with pytest.raises(StudyError, match="opened without the view 'masks'"):
        open_frames(results, manifest, SIDE).take(MASKS, np.array([0]))


def test_a_file_is_made_once_and_again_when_its_stimuli_change(results: Results) -> None:
    manifest = read_table("manifest", results.manifest)
    body_flow = flow_of("body_only")

    def files(table: pd.DataFrame, side: int, *views: str) -> dict[str, int]:
        open_frames(results, table, side, views)
        return {path.name: path.stat().st_ino for path in results.frames.glob("*.npy")}

    first = files(manifest, SIDE)
    assert files(manifest, SIDE) == first and len(first) == 3
    more = files(manifest, SIDE, body_flow)
    assert first.items() < more.items() and len(more) == 4, "flow leaves the frames alone"
    other = files(manifest, 16)
    assert more.items() < other.items() and len(other) == 7, "another size keeps its own files"
    body = manifest["condition"] == "body_only"
    changed = files(manifest.assign(sha256=manifest["sha256"].where(~body, "0" * 64)), SIDE)
    gone = {name.rpartition("-")[0] for name in other.keys() - changed.keys()}
    new = {name.rpartition("-")[0] for name in changed.keys() - other.keys()}
    assert gone == new == {f"{SIDE}px-body_only"}, "only the stale file should be made anew"


def test_positions_of_spans_give_frames_of_clips(results: Results) -> None:
    cache = open_frames(results, read_table("manifest", results.manifest), SIDE)
    spans = np.array([[5, 6, 7], [0, 1, 2]])
    taken = cache.take("body_only", spans)
    assert taken.shape == (2, 3, SIDE, SIDE, 3)
    np.testing.assert_array_equal(taken[0, 2], cache.frames["body_only"][7])
    taken[:] = 0


def test_a_test_split_alone_is_enough(results: Results) -> None:
    manifest = read_table("manifest", results.manifest)
    cache = open_frames(results, manifest[manifest["split"] == "test"], SIDE)
    assert len(cache.of_split("test")) == 4 and cache.of_split("train").empty


def test_blank_frames_are_black_where_versions_hide_by_black(results: Results) -> None:
    cache = open_frames(results, read_table("manifest", results.manifest), SIDE)
    assert not cache.take(BLANK, np.arange(5)).any()
    assert (cache.take(flow_of(BLANK), np.arange(5)) == 128).all()


@pytest.fixture
def letterboxed(tmp_path: Path) -> tuple[Results, pd.DataFrame, np.ndarray]:
    """Two clips of 40 x 40 in frames of 64 x 32: bars left and right; a body that moves."""
    results = Results(tmp_path)
    masks = np.zeros((3, 40, 40), bool)
    for t in range(3):
        masks[t, 10:30, 5 + 3 * t : 15 + 3 * t] = True
    rows = []
    for clip_id, color in {"one": (90, 40, 200), "two": (10, 220, 30)}.items():
        write_masks(results.masks / "jump" / f"{clip_id}.npz", PersonMasks(masks, np.ones(3)))
        box = Letterbox.of((40, 40), (64, 32))
        pictures = np.where(box.shrink_masks(masks)[..., None], np.uint8(250), np.uint8(color))
        path = results.stimuli / "body_only" / "jump" / f"{clip_id}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_clip(path, Clip(box.pad(pictures), Fraction(10)))
        sidecar_of(path).write_text(json.dumps({"settings": {"fill": "mean"}}))
        rows.append(
            {
                "clip_id": clip_id,
                "action": "jump",
                "condition": "body_only",
                "split": "train",
                "path": str(path.relative_to(tmp_path)),
                "n_frames": 3,
                "width": 64,
                "height": 32,
                "background_of": "",
                "sha256": clip_id * 16,
            }
        )
    return results, pd.DataFrame(rows), masks


def test_blank_frames_have_the_colour_that_hides_and_black_bars(
    letterboxed: tuple[Results, pd.DataFrame, np.ndarray],
) -> None:
    results, manifest, _ = letterboxed
    with pytest.raises(StudyError, match="without the view 'blank'"):
        open_frames(results, manifest, 64).take(BLANK, np.array([0]))
    blank = open_frames(results, manifest, 64, [BLANK]).take(BLANK, np.array([1, 4]))
    for frame, color in zip(blank, [(90, 40, 200), (10, 220, 30)], strict=True):
        # The picture is 32 x 32 in the middle of 64 x 32, which is in the middle of 64 x 64.
        expected = np.zeros((64, 64, 3), np.uint8)
        expected[16:48, 16:48] = color
        np.testing.assert_array_equal(frame, expected)


def test_masks_lie_over_the_body_of_the_frames(
    letterboxed: tuple[Results, pd.DataFrame, np.ndarray],
) -> None:
    results, manifest, masks = letterboxed
    cache = open_frames(results, manifest, 64, [MASKS])
    assert cache.frames[MASKS].shape == (6, 64, 64, 1), "one channel on disk"
    taken = cache.take(MASKS, np.array([4]))
    assert taken.shape == (1, 64, 64, 3)
    body = (cache.take("body_only", np.array([4]))[0] == 250).all(axis=-1)
    np.testing.assert_array_equal(taken[0] == 255, np.repeat(body[..., None], 3, axis=-1))
    assert body.sum() == pytest.approx(masks[1].sum() * (32 / 40) ** 2, rel=0.05)
    stale = next(results.frames.glob("64px-masks-*.npy"))
    write_masks(results.masks / "jump" / "one.npz", PersonMasks(~masks, np.ones(3)))
    assert (open_frames(results, manifest, 64, [MASKS]).take(MASKS, np.array([0]))[0, 20, 20]).all()
    assert not stale.exists()


def test_flow_of_a_version_follows_the_body(
    letterboxed: tuple[Results, pd.DataFrame, np.ndarray],
) -> None:
    results, manifest, _ = letterboxed
    view = flow_of("body_only")
    cache = open_frames(results, manifest, 64, [view], FlowMethod())
    flow = decode(cache.take(view, np.arange(3)))
    assert not flow[0].any()
    body = (cache.take("body_only", np.array([2]))[0] == 250).all(axis=-1)
    # Three of 40 pixels to the right, in a picture half as wide as the frame.
    dx, dy = flow[2][body].mean(axis=0)
    assert dx == pytest.approx(0.5 * 3 / 40, rel=0.3) and abs(dy) < 0.01
    shown = cache.take("body_only", np.array([2]))[0].any(axis=-1)
    assert not flow[2][~shown].any(), "nothing moves in the bars"


def test_flow_of_borrowed_backgrounds_runs_back_where_they_do(results: Results) -> None:
    table, _ = _with_swapped(read_table("manifest", results.manifest))
    view = flow_of(LENT_BACKGROUND)
    cache = open_frames(results, table, SIDE, [view])
    assert cache.frames[view].shape == cache.frames["body_only"].shape


def test_too_little_space_is_said_before_anything_is_made(
    results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = read_table("manifest", results.manifest)
    n_bytes = 3 * int(manifest.drop_duplicates("clip_id")["n_frames"].sum()) * SIDE * SIDE * 3
    usage = frame_files.shutil.disk_usage(results.root)
    monkeypatch.setattr(
        frame_files.shutil, "disk_usage", lambda _: usage._replace(free=n_bytes - 1)
    )
    with pytest.raises(StudyError, match=f"need {n_bytes} bytes"):
        open_frames(results, manifest, SIDE)
    assert [path.name for path in results.frames.iterdir()] == [".claims"]


def test_frames_cannot_be_written(results: Results) -> None:
    cache = open_frames(results, read_table("manifest", results.manifest), SIDE)
    with pytest.raises(ValueError, match="read-only"):
        cache.frames["body_only"][0] = 1


def test_a_stimulus_of_another_length_is_named_and_nothing_is_left(results: Results) -> None:
    manifest = read_table("manifest", results.manifest)
    clip = manifest["clip_id"] == manifest["clip_id"].iloc[0]
    manifest.loc[clip, "n_frames"] += 1
    with pytest.raises(StudyError, match=r"bow_001\.mp4: expected 4 frames .* found 3"):
        open_frames(results, manifest, SIDE)
    assert [path.name for path in results.frames.iterdir()] == [".claims"]


def test_versions_of_unequal_length_or_missing_are_named(results: Results) -> None:
    manifest = read_table("manifest", results.manifest)
    uneven = manifest.copy()
    uneven.loc[4, "n_frames"] += 1
    with pytest.raises(StudyError, match=r"clip 'bow_002', column 'n_frames'"):
        open_frames(results, uneven, SIDE)
    with pytest.raises(StudyError, match=r"clip 'bow_002', column 'n_frames'"):
        open_frames(results, manifest.drop(index=4), SIDE)


def test_processes_that_start_together_make_one_cache(results: Results) -> None:
    table = read_table("manifest", results.manifest)
    write_table("manifest", table, results.manifest)
    code = (
        "import sys, hashlib; from pathlib import Path\n"
        "from models.frames import open_frames\n"
        "from study.results import Results\n"
        "from study.tables import read_table\n"
        "results = Results(Path(sys.argv[1]))\n"
        "cache = open_frames(results, read_table('manifest', results.manifest), 32)\n"
        "print(sum(int(frames.sum()) for frames in cache.frames.values()))\n"
    )
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(results.root)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        for _ in range(2)
    ]
    sums = [run.communicate(timeout=60)[0].strip() for run in runs]
    assert sums[0] == sums[1] != ""
    assert len(list(results.frames.glob("*.npy"))) == 3


def test_what_a_killed_maker_began_another_one_makes(results: Results) -> None:
    """It is killed while it makes the first view; one that waits for it goes on."""
    code = (
        "import sys, time; from pathlib import Path\n"
        "from models import frame_files\n"
        "from models.frames import open_frames\n"
        "from study.results import Results\n"
        "from study.tables import read_table\n"
        "def stall(*_): print('begun', flush=True); time.sleep(60)\n"
        "frame_files.outcomes = stall\n"
        "results = Results(Path(sys.argv[1]))\n"
        "open_frames(results, read_table('manifest', results.manifest), 32)\n"
    )
    maker = subprocess.Popen(
        [sys.executable, "-c", code, str(results.root)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert maker.stdout is not None
    assert maker.stdout.readline().strip() == "begun"
    assert len(list(results.frames.glob(".partial-*"))) == 1
    threading.Timer(0.5, maker.kill).start()
    try:
        open_frames(results, read_table("manifest", results.manifest), SIDE)
    finally:
        maker.kill()
        maker.wait()
    assert len(list(results.frames.glob("*.npy"))) == 3
    assert not list(results.frames.glob(".partial-*"))


def test_a_maker_that_was_taken_over_keeps_its_hands_off(
    results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its machine hung; meanwhile another one makes the frames."""

    def hang(*_: object) -> Iterator[object]:
        claims = results.frames / ".claims"
        (claims / "claim-002.json").write_text((claims / "claim-001.json").read_text())
        return iter(())

    monkeypatch.setattr(frame_files, "outcomes", hang)
    with pytest.raises(StudyError, match="this folder of frames was taken over by process"):
        open_frames(results, read_table("manifest", results.manifest), SIDE)
    assert [path.name for path in results.frames.iterdir()] == [".claims"]


def test_frames_are_made_ahead_without_being_opened(
    results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = read_table("manifest", results.manifest)
    monkeypatch.setattr(models.frames, "map_nearby", None)
    make_frames_ahead(results, manifest, SIDE, [flow_of("body_only")])
    made = {path: path.stat().st_mtime_ns for path in results.frames.glob("*.npy")}
    monkeypatch.undo()
    assert len(open_frames(results, manifest, SIDE, [flow_of("body_only")]).frames) == 6
    assert {path: path.stat().st_mtime_ns for path in results.frames.glob("*.npy")} == made


def test_many_stimuli_are_spread_over_processes(
    results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = read_table("manifest", results.manifest)
    alone = open_frames(results, manifest, SIDE)
    expected = {name: frames.copy() for name, frames in alone.frames.items()}
    for made in results.frames.glob("*.npy"):
        made.unlink()
    monkeypatch.setattr(frame_files, "CLIPS_PER_PROCESS", 10)
    monkeypatch.setattr(frame_files, "usable_cores", lambda: 2)
    together = open_frames(results, manifest, SIDE)
    for name, frames in together.frames.items():
        np.testing.assert_array_equal(frames, expected[name])


def test_what_a_killed_maker_left_is_swept_and_finished_views_are_kept(results: Results) -> None:
    manifest = read_table("manifest", results.manifest)
    open_frames(results, manifest, SIDE)
    paths = sorted(results.frames.glob("*.npy"))
    kept = {path: path.stat().st_mtime_ns for path in paths[1:]}
    left = paths[0].with_name(f".partial-0123abcd-{paths[0].name}")
    paths[0].rename(left)
    open_frames(results, manifest, SIDE)
    assert not left.exists() and paths[0].is_file()
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
