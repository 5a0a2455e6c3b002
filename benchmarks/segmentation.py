"""What finding the person costs: the whole way from clip to stimuli beside the bare network.

    python benchmarks/segmentation.py CLIP WEIGHTS [--seconds 2] [--image-size 640] [--repeats 3]

Everything runs in one process with one thread for the network. `bare` is ultralytics' own
prediction on frames that are decoded already, in batches, and `bare, from the file` the same
reading the video by itself, as a laboratory would run it without this project; `examine` decodes,
finds, follows, smooths, judges and writes the masks; `versions` makes and writes the three versions
with a flat hole (or --inpainting). Times are the least of the repeats, of all threads of the
process together (decoders use several) and by the clock.
"""

from __future__ import annotations

import argparse
import itertools
import os
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import numpy as np

from stimuli.examine import ExamineJob, examine
from stimuli.make import ClipFiles, MakeJob, make
from stimuli.segmentation.yolo import PERSON_CLASS, Segmenter, segmenter
from stimuli.video import iter_frames, read_timing
from study.fields import Masks, Versions

BARE_BATCH = 16


def least(work: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Return the least processor time and the least time by the clock, seconds."""
    times = []
    for _ in range(repeats):
        clock, processor = time.perf_counter(), time.process_time()
        work()
        times.append((time.process_time() - processor, time.perf_counter() - clock))
    return tuple(np.min(times, axis=0))


def bare(network: Segmenter, frames_bgr: list[np.ndarray], settings: Masks) -> None:
    """Let ultralytics find the persons of decoded frames, and do nothing with them."""
    for start in range(0, len(frames_bgr), BARE_BATCH):
        network._network.predict(
            frames_bgr[start : start + BARE_BATCH],
            classes=[PERSON_CLASS],
            conf=settings.confidence,
            imgsz=settings.image_size,
            device="cpu",
            verbose=False,
            save=False,
        )


def bare_from_file(network: Segmenter, clip: Path, n_frames: int, settings: Masks) -> None:
    """Let ultralytics read the video and find the persons of its first frames."""
    found = network._network.predict(
        str(clip),
        classes=[PERSON_CLASS],
        conf=settings.confidence,
        imgsz=settings.image_size,
        device="cpu",
        verbose=False,
        save=False,
        stream=True,
    )
    for _ in itertools.islice(found, n_frames):
        pass


def main() -> None:
    """Print milliseconds per frame, and how much longer than the bare network each takes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clip", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--image-size", type=int, default=640)
    parser.add_argument("--inpainting", default="flat")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    settings = Masks(
        source="yolo", weights=arguments.weights, image_size=arguments.image_size, device="cpu"
    )
    network = segmenter(settings.model_dump_json(), 1)
    timing = read_timing(arguments.clip, None, arguments.seconds)
    frames = [np.ascontiguousarray(f[..., ::-1]) for f in iter_frames(arguments.clip, timing)]
    with TemporaryDirectory() as folder:
        masks = Path(folder) / "masks.npz"
        job = ExamineJob(arguments.clip, "a", "clip", masks, settings, None, arguments.seconds)
        known = examine(job)
        versions = Versions(inpainting=arguments.inpainting, max_seconds=arguments.seconds)
        files = ClipFiles("clip", "a", arguments.clip, masks, timing.size_wh, "", "", None)
        targets = {name: Path(folder) / f"{name}.mp4" for name in versions.conditions}
        parts = {
            "bare": lambda: bare(network, frames, settings),
            "bare, from the file": lambda: bare_from_file(
                network, arguments.clip, len(frames), settings
            ),
            "examine": lambda: examine(job),
            "versions": lambda: make(MakeJob(files, versions, targets)),
        }
        times = {name: least(work, arguments.repeats) for name, work in parts.items()}
    times["examine + versions"] = tuple(np.add(times["examine"], times["versions"]))
    print(
        f"{arguments.clip.name}: {len(frames)} frames of {timing.size_wh}, {known['n_found']} found"
    )
    for name, (processor_s, clock_s) in times.items():
        from_file = clock_s / times["bare, from the file"][1]
        print(
            f"{name:>20}: {1e3 * processor_s / len(frames):6.1f} ms/frame of processors, "
            f"{1e3 * clock_s / len(frames):6.1f} by the clock; "
            f"{processor_s / times['bare'][0]:.2f} and {clock_s / times['bare'][1]:.2f} times "
            f"bare, {from_file:.2f} times bare from the file"
        )


if __name__ == "__main__":
    main()
