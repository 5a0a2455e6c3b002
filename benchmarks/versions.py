"""Making versions from given masks: how fast, in how much memory, and how it scales.

    python -m benchmarks.versions speed --weights WEIGHTS CLIP...   against per-frame Telea
    python -m benchmarks.versions scaling                           1, 2 and 4 processes
    python -m benchmarks.versions repeat --clips 10000              a run that finds all done

`speed` makes the three versions of real clips at 640x360 on one thread. `telea` is the prototype's
method, OpenCV's Telea with radius 5 in every frame on the union hole, within this same pipeline;
`bound` only reads the clip and writes three versions of it that need no work. Times are the least
of the repeats by the clock. `scaling` and `repeat` use the synthetic world.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2

from stimuli.examine import ExamineJob, examine
from stimuli.letterbox import Letterbox
from stimuli.make import ClipFiles, MakeJob, make
from stimuli.masks import read_masks
from stimuli.pipeline import make_stimuli
from stimuli.video import read_clip, write_clip
from study.config import Study
from study.fields import Masks, SyntheticData, Trials, Versions
from study.files import sha256_of
from study.results import Results

TELEA = Versions(inpainting="telea")
OTHERS = {
    "harmonic": Versions(inpainting="harmonic"),
    "box, harmonic": Versions(inpainting="harmonic", hole="box"),
    "box, mirror": Versions(inpainting="mirror", hole="box"),
    "temporal": Versions(inpainting="temporal"),
}


def least_s(work: Callable[[], object], repeats: int) -> float:
    """Return the least time of some repeats, by the clock."""
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        work()
        times.append(time.perf_counter() - begin)
    return min(times)


def only_read_and_write(files: ClipFiles, settings: Versions, out: Path) -> None:
    """Read a clip and write it three times: what no way of making versions can do without."""
    letterbox = Letterbox.of(files.source_wh, (settings.width, settings.height))
    clip = read_clip(files.video, None, settings.max_seconds, size_wh=letterbox.picture_wh)
    for name in settings.conditions:
        write_clip(out / f"{name}.mp4", clip)


def with_masks(video: Path, weights: Path, out: Path) -> ClipFiles:
    """Find the person of a clip once."""
    target = out / f"{video.stem}.npz"
    masks = Masks(source="yolo", weights=weights)
    found = examine(ExamineJob(video, "", video.stem, target, masks, None, TELEA.max_seconds))
    return ClipFiles(
        clip_id=video.stem,
        action="",
        video=video,
        masks=target,
        source_wh=(found["width"], found["height"]),
        source_sha256=sha256_of(video),
        mask_sha256=found["mask_sha256"],
    )


def print_speed(videos: Sequence[Path], weights: Path, repeats: int) -> None:
    """Print frames per second of every method, and their ratio to Telea's."""
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        for video in videos:
            print_speed_of_clip(with_masks(video, weights, Path(folder)), Path(folder), repeats)
    most_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\nmost memory of the process, the network included: {most_mb:.0f} MB")


def print_speed_of_clip(files: ClipFiles, out: Path, repeats: int) -> None:
    """Print the lines of one clip."""
    targets = {name: out / f"{name}.mp4" for name in TELEA.conditions}
    jobs = {name: MakeJob(files, settings, targets) for name, settings in OTHERS.items()}
    telea = MakeJob(files, TELEA, targets)
    seconds = {"telea": least_s(partial(make, telea), 1)}
    seconds |= {name: least_s(partial(make, job), repeats) for name, job in jobs.items()}
    seconds["bound"] = least_s(partial(only_read_and_write, files, TELEA, out), repeats)
    n_frames = len(read_masks(files.masks).masks_thw)
    print(f"\n{files.clip_id}: {n_frames} frames")
    for name, taken in seconds.items():
        ratio, fps = seconds["telea"] / taken, n_frames / taken
        print(f"  {name:14} {1000 / fps:7.2f} ms/frame {fps:7.1f} fps {ratio:6.1f} x telea")


def synthetic_study(n_actions: int, clips: int, n_frames: int) -> Study:
    """Return a study of the synthetic world at the paper's size."""
    data = SyntheticData(
        kind="synthetic",
        n_actions=n_actions,
        clips_per_action=clips,
        width=640,
        height=360,
        n_frames=n_frames,
    )
    return Study(
        name="benchmark",
        title="t",
        seed=1,
        dataset=data,
        masks=Masks(source="truth"),
        versions=Versions(inpainting="harmonic"),
        trials=Trials(n_choices=2),
    )


def print_scaling() -> None:
    """Print the time of the whole stage with more and more processes."""
    study = synthetic_study(4, 12, 48)
    alone = None
    for processes in (1, 2, 4):
        with tempfile.TemporaryDirectory() as folder:
            results = Results(Path(folder))
            make_stimuli(study, results, 4)
            # Rendering and examining are done; the versions are asked for anew.
            changed = study.versions.model_copy(update={"dilation": 1.3})
            anew = study.model_copy(update={"versions": changed})
            taken = least_s(partial(make_stimuli, anew, results, processes), 1)
        alone = alone or taken
        print(f"{processes} processes: {taken:6.1f} s, {alone / taken:4.2f} times as fast as one")


def print_repeat(n_clips: int) -> None:
    """Print what a run costs that finds everything done."""
    study = synthetic_study(16, n_clips // 16, 1)
    small = {"width": 64, "height": 36}
    study = study.model_copy(
        update={
            "dataset": study.dataset.model_copy(update=small),
            "versions": study.versions.model_copy(update=small),
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        results = Results(Path(folder))
        first = least_s(partial(make_stimuli, study, results, os.cpu_count() or 1), 1)
        again = least_s(partial(make_stimuli, study, results, 1), 3)
    most_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{n_clips} clips: first {first:.1f} s, again {again:.2f} s", end="")
    print(f" ({1000 * again / n_clips:.2f} s per 1,000), most memory {most_mb:.0f} MB")


def main() -> None:
    """Print one part."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=("speed", "scaling", "repeat"))
    parser.add_argument("videos", nargs="*", type=Path)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--clips", type=int, default=10_000)
    options = parser.parse_intermixed_args()
    if options.part == "speed":
        print_speed(options.videos, options.weights, options.repeats)
    elif options.part == "scaling":
        print_scaling()
    else:
        print_repeat(options.clips)


if __name__ == "__main__":
    main()
