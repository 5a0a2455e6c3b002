"""What clips cost: masks, versions, tables and pages, by the code that makes them."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from cluster.child import peak_mb
from stimuli.datasets import find_sources
from stimuli.index import Index
from stimuli.pipeline import INDEX_NAME, make_stimuli
from stimuli.review import write_review
from stimuli.segmentation.yolo import Segmenter
from stimuli.stages import Batch, examine_clips, hash_files, render_synthetic
from stimuli.video import read_timing
from study.config import Study
from study.errors import StudyError
from study.results import Results
from study.tables import read_table

ROUNDS = 2
# What takes so long is not repeated: a warm-up would not show in it.
LONG_S = 15.0
# Of a results folder: what the stimuli leave there.
FOLDERS = ("sources", "masks", "stimuli", "contact_sheets", "review")


def measure_masks(study: Study, root: str) -> dict[str, Any]:
    """Find the person in the clips of a small study, one after the other, on one core.

    Returns
    -------
    dict
        render_s per clip; load_s, once per job; frame_s, the least over clips but the first;
        network_s, of that by the segmentation network; on_gpu; frames, the most of a clip; base_mb,
        memory before the first clip.

    Raises
    ------
    StudyError
        When no clip could be examined.
    """
    cv2.setNumThreads(1)
    results = Results(Path(root))
    # With so many processes each gets one core; clips that come alone stay in this one.
    batch = Batch(study, results, os.cpu_count() or 1, Index(results.stimuli / INDEX_NAME))
    one = Batch(study, results, 1, batch.index)
    start_s = time.perf_counter()
    render_synthetic(one)
    sources = find_sources(study, results)
    rendered_s = time.perf_counter() - start_s
    network, base_mb = _network(study, sources[0].path), peak_mb()
    hashes = hash_files(one, {source.clip_id: source.path for source in sources})
    seconds, frames, known = [], [], {}
    for source in sources:
        start_s = time.perf_counter()
        known = examine_clips(batch, [source], hashes)
        if known:
            seconds.append(time.perf_counter() - start_s)
            frames.append(known[source.clip_id].n_frames)
    if not frames:
        raise StudyError(f"no clip could be examined: {next(iter(batch.failures.values()))}")
    per_frame = [s / n for s, n in zip(seconds, frames, strict=True)]
    frame_s = min(per_frame[1:] or per_frame)
    return {
        "render_s": rendered_s / len(sources) if study.dataset.kind == "synthetic" else 0.0,
        "load_s": max(0.0, seconds[0] - frame_s * frames[0]),
        "frame_s": frame_s,
        "frames": max(frames),
        "base_mb": base_mb,
        **network,
    }


def _network(study: Study, clip: Path) -> dict[str, Any]:
    """Time the segmentation network alone, on a frame without anybody in it."""
    if study.masks.source != "yolo":
        return {"network_s": 0.0, "on_gpu": False}
    segmenter = Segmenter(study.masks)
    width, height = read_timing(clip).size_wh
    frames = [segmenter.scaled(np.zeros((height, width, 3), np.uint8))] * segmenter.batch_size
    segmenter.persons(frames)
    seconds = min(_seconds(lambda: segmenter.persons(frames)) for _ in range(ROUNDS))
    return {"network_s": seconds / len(frames), "on_gpu": segmenter.device != "cpu"}


def measure_versions(study: Study, root: str) -> dict[str, Any]:
    """Make all versions of the clips of a small study whose masks are found, on one core.

    Returns
    -------
    dict
        frame_s of all versions together, and gather_s and review_s per clip: the least of two
        rounds (of one that is long); base_mb, memory before the first clip; clips, frames in all,
        and the most of a clip; bytes and files by folder.
    """
    cv2.setNumThreads(1)
    results = Results(Path(root))
    base_mb = peak_mb()
    made, gathered, reviewed = [], [], []
    for _ in range(ROUNDS):
        for condition in study.versions.conditions:
            shutil.rmtree(results.stimuli / condition, ignore_errors=True)
        shutil.rmtree(results.review, ignore_errors=True)
        made.append(_seconds(lambda: make_stimuli(study, results, 1)))
        gathered.append(_seconds(lambda: make_stimuli(study, results, 1)))
        reviewed.append(_seconds(lambda: write_review(study, results, 1)))
        if made[0] > LONG_S:
            break
    manifest = read_table("manifest", results.manifest)
    clips = manifest.drop_duplicates("clip_id")
    n_frames = int(clips["n_frames"].sum())
    return {
        "base_mb": base_mb,
        "frame_s": max(0.0, min(made) - min(gathered)) / n_frames,
        "gather_s": min(gathered) / len(clips),
        "review_s": min(reviewed) / len(clips),
        "clips": len(clips),
        "actions": int(clips["action"].nunique()),
        "frames_in_all": n_frames,
        "frames": int(clips["n_frames"].max()),
        "disk": {name: disk_of(results.root / name) for name in FOLDERS},
    }


def _seconds(work: Callable[[], object]) -> float:
    start_s = time.perf_counter()
    work()
    return time.perf_counter() - start_s


def disk_of(folder: Path) -> dict[str, int]:
    """Return bytes and number of the files under a folder."""
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    return {"bytes": sum(sizes), "files": len(sizes)}
