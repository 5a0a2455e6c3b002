"""Ways of hiding a person: how fast, and how near to a background that is known.

Run from the repository's root; BODYSCENE_TEST_DATA adds real clips to the synthetic world's:

    python -m benchmarks.inpainting speed
    python -m benchmarks.inpainting quality

`speed` prints milliseconds per 640x360 frame of every method on the clip's own hole, and how many
times faster than Telea (radius 5) it is, everything on one thread, the best of several runs.
`quality` prints, for every method and hole, PSNR and SSIM inside the hole and how visible its
outline is (1 is not at all). On the synthetic world the truth is the clip without its figure. On
real clips the person's masks are moved aside, where the scene is seen: the hole is filled as if a
person were there, and what was there is the truth. Masks are found once and kept in a temporary
folder.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from stimuli.examine import ExamineJob, examine
from stimuli.holes import SHARED_HOLES, grown_masks, holes_of
from stimuli.inpainting import inpainted
from stimuli.inpainting.quality import boundary_visibility, psnr, ssim, texture_ratio
from stimuli.letterbox import Letterbox
from stimuli.masks import read_masks
from stimuli.video import read_clip
from stimuli.world import WorldSettings, draw_recipe, render_clip
from study.fields import Masks, Versions

METHODS = ("flat", "telea", "navier_stokes", "harmonic", "biharmonic", "mirror", "temporal")
HOLES = ("frame", *SHARED_HOLES)
# OpenCV's methods take a second per twenty frames: they are timed on so many.
TIMED_FRAMES = {"telea": 8, "navier_stokes": 8}
REAL_CLIPS = (
    "clips/haa500/video/salute/salute_001.mp4",
    "clips/haa500/video/whistle_two_hands/whistle_two_hands_001.mp4",
    "clips/haa500/video/cleaning_sweeping/cleaning_sweeping_001.mp4",
    "clips/yoga/trikonasana/S04_141804.mp4",
    "clips/yoga/childs_pose/S01_135405.mp4",
    "clips/yoga/parvatasana/S02_140424.mp4",
)
WORLD_ACTIONS = ("jumping_jack", "squatting", "waving", "walking", "kicking", "crawling")
# Frames that are measured; only methods that look at the whole clip are given all.
MOST_FRAMES = 8
WHOLE_CLIP = ("flat", "temporal")
SHIFT_STEP_PX = 8


@dataclass(frozen=True)
class Case:
    """A clip, the grown person in it, what is behind, and where (H, W) that is known."""

    name: str
    frames_thwc: np.ndarray
    persons_thw: np.ndarray
    truth_thwc: np.ndarray
    known_hw: np.ndarray


def world_cases(width: int, height: int, n_frames: int) -> Iterator[Case]:
    """Yield clips of the synthetic world."""
    world = WorldSettings(width=width, height=height, n_frames=n_frames)
    for action in WORLD_ACTIONS:
        clip = render_clip(draw_recipe(action, 1, WORLD_ACTIONS, world, seed=1))
        persons = grown_masks(clip.masks_thw, Versions().dilation)
        known = np.ones((height, width), bool)
        yield Case(f"world {action}", clip.frames_thwc, persons, clip.backgrounds_thwc, known)


def real_cases(data: Path) -> Iterator[Case]:
    """Yield real clips at 640x360, their masks found by the small YOLO."""
    folder = Path(tempfile.gettempdir()) / "bodyscene_inpainting"
    weights = data / "weights" / "yolov8n-seg.pt"
    settings, versions = Masks(source="yolo", weights=weights), Versions()
    for name in REAL_CLIPS:
        path, target = data / name, folder / f"{Path(name).stem}.npz"
        if not target.is_file():
            job = ExamineJob(path, "", path.stem, target, settings, None, versions.max_seconds)
            examine(job)
        masks = read_masks(target).masks_thw
        letterbox = Letterbox.of(masks.shape[:0:-1], (versions.width, versions.height))
        frames = read_clip(path, None, versions.max_seconds, letterbox.shrink).frames_thwc
        persons = grown_masks(letterbox.shrink_masks(masks), versions.dilation)
        near_person = cv2.dilate(persons.any(axis=0).astype(np.uint8), np.ones((25, 25)))
        yield Case(path.stem, frames, persons, frames, near_person == 0)


def moved_aside(case: Case) -> Case | None:
    """Move the masks sideways to where they hide least of the person; None if that is nowhere.

    Pixels near the real person belong to no hole: what is behind it is not known.
    """
    union, width = case.persons_thw.any(axis=0), case.known_hw.shape[1]
    free = {
        shift: int((_shifted(union, shift) & case.known_hw).sum())
        for shift in range(-width, width, SHIFT_STEP_PX)
    }
    shift = max(free, key=free.__getitem__)
    if free[shift] < union.sum() / 2:
        return None
    persons = _shifted(case.persons_thw, shift) & case.known_hw
    return replace(case, persons_thw=persons)


def _shifted(masks: np.ndarray, by_px: int) -> np.ndarray:
    """Move masks sideways; what leaves the picture is lost."""
    moved = np.roll(masks, by_px, axis=-1)
    gap = slice(0, by_px) if by_px >= 0 else slice(by_px, None)
    moved[..., gap] = False
    return moved


def time_case(case: Case, repeats: int) -> Iterator[dict[str, object]]:
    """Yield one row per method."""
    holes = holes_of(case.persons_thw, Versions())
    for method in METHODS:
        some = slice(TIMED_FRAMES.get(method))
        arguments = (case.frames_thwc[some], holes[some], case.persons_thw[some])
        seconds = []
        for _ in range(repeats):
            begin = time.perf_counter()
            inpainted(*arguments, Versions(inpainting=method))
            seconds.append(time.perf_counter() - begin)
        yield {
            "clip": case.name,
            "frames": len(holes),
            "hole": float(holes[0].mean()),
            "method": method,
            "ms": 1000 * min(seconds) / len(arguments[0]),
        }


def measure_case(case: Case) -> Iterator[dict[str, object]]:
    """Yield one row per method and hole."""
    some = slice(None, None, -(-len(case.frames_thwc) // MOST_FRAMES))
    truth = case.truth_thwc[some]
    for hole in HOLES:
        # A hull or box of moved masks may reach back to the person, who is no background.
        holes = holes_of(case.persons_thw, Versions(hole=hole)) & case.known_hw
        for method in METHODS:
            settings = Versions(hole=hole, inpainting=method, fill="grey")
            arguments = (case.frames_thwc, holes, case.persons_thw)
            if method in WHOLE_CLIP:
                filled = inpainted(*arguments, settings)[some]
            else:
                filled = inpainted(*(array[some] for array in arguments), settings)
            yield {
                "clip": case.name,
                "hole": hole,
                "method": method,
                "psnr": psnr(filled, truth, holes[some]),
                "ssim": ssim(filled, truth, holes[some]),
                "outline": boundary_visibility(filled, holes[some]),
                "texture": texture_ratio(filled, holes[some]),
            }


def print_speed(cases: list[Case], repeats: int) -> None:
    """Print milliseconds per frame, and how many times as fast as Telea, per clip and method."""
    rows = pd.DataFrame([row for case in cases for row in time_case(case, repeats)])
    table = rows.pivot(index=["clip", "frames", "hole"], columns="method", values="ms")
    table = table[list(METHODS)]
    print("ms per frame\n" + table.round(2).to_string())
    times = pd.DataFrame({name: table["telea"] / table[name] for name in METHODS})
    print("\ntimes as fast as telea\n" + times.round(1).to_string(), flush=True)


def print_quality(title: str, cases: list[Case]) -> None:
    """Print the means over clips per hole and method."""
    rows = pd.DataFrame([row for case in cases for row in measure_case(case)])
    means = rows.groupby(["hole", "method"], sort=False)[["psnr", "ssim", "outline", "texture"]]
    print(f"\n{title}, {len(cases)} clips\n" + means.mean().round(3).to_string(), flush=True)
    by_clip = rows[rows["hole"] == "union"].pivot(index="clip", columns="method", values="psnr")
    print("\nPSNR by clip, union\n" + by_clip[list(METHODS)].round(2).to_string(), flush=True)


def main() -> None:
    """Print the tables of one part."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=("speed", "quality"))
    parser.add_argument("--repeats", type=int, default=3, help="speed: the best of so many runs")
    options = parser.parse_args()
    # One thread for all: OpenCV's own, and by the environment the linear algebra's.
    cv2.setNumThreads(1)
    data = os.environ.get("BODYSCENE_TEST_DATA")
    real = list(real_cases(Path(data))) if data else []
    world = list(world_cases(640, 360, 24))
    if options.part == "speed":
        print_speed([*real, *world[:2]], options.repeats)
        return
    print_quality("Synthetic world, true backgrounds", world)
    aside = [case for case in map(moved_aside, real) if case is not None]
    if aside:
        print_quality("Real clips, masks moved aside", aside)


if __name__ == "__main__":
    main()
