"""What training costs: against a bare network, the prototype's loading, and one stream.

Run from the repository's root at a quiet moment:

    python -m benchmarks.training
    python -m benchmarks.training --backbone resnet50 --image-size 224 --device cuda --json out.json

Times are the least of several rounds of so many steps, in which all ways take turns: `bare` is the
same network, loss and optimizer on random tensors that lie on the device already; `real` is the
loop of `models.training_loop`, with drawing, reading, moving and recolouring of frames;
`prototype` opens one picture after the other by PIL in the loop, without workers, and resizes,
flips and jitters it there by torchvision's transforms. Frames are noise, written to disk for it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torchvision import transforms

from models.architectures import build_network
from models.batches import Batch
from models.devices import pick_device
from models.distributed import Processes
from models.frames import FrameCache
from models.learner import set_training_mode
from models.memory import peak_mib
from models.training_loop import TrainingLoop
from models.views import BLANK
from study.fields import Model, Training

N_CLASSES, N_CLIPS, N_FRAMES = 12, 4, 16
VERSIONS = ("body_background", "body_only", "background_only")
# The prototype's pictures were 640 x 360.
PICTURE_WH = (640, 360)


@dataclass
class Way:
    """One way to train: what makes its batches, and the loop that learns from them."""

    name: str
    loop: TrainingLoop
    batches: Iterator[Batch]
    least_s: float = float("inf")

    def round(self, n_steps: int) -> None:
        """Time some steps; the device has finished them when the clock stops."""
        start_s = time.perf_counter()
        for _ in range(n_steps):
            self.loop._step(next(self.batches))
        self.loop._look()
        self.least_s = min(self.least_s, (time.perf_counter() - start_s) / n_steps)


def frames_on_disk(folder: Path, side: int) -> FrameCache:
    """Write frames of noise as the cache's files are, and map them."""
    rng = np.random.default_rng(0)
    n = N_CLASSES * N_CLIPS * N_FRAMES
    frames = {}
    for version in VERSIONS:
        path = folder / f"{version}.npy"
        np.save(path, rng.integers(0, 256, (n, side, side, 3), dtype=np.uint8))
        frames[version] = np.load(path, mmap_mode="r")
    frames[BLANK] = np.zeros((1, side, side, 3), np.uint8)
    n_clips = N_CLASSES * N_CLIPS
    clips = pd.DataFrame(
        {
            "clip_id": [f"clip{index}" for index in range(n_clips)],
            "action": [f"action{index % N_CLASSES:02d}" for index in range(n_clips)],
            "split": "train",
            "start": np.arange(n_clips) * N_FRAMES,
            "n_frames": N_FRAMES,
        }
    )
    return FrameCache(clips, frames, {BLANK: np.zeros(n, int)})


def loop_for(
    architecture: str, options: argparse.Namespace, cache: FrameCache, device: torch.device
) -> TrainingLoop:
    """Build a training with the settings of the demo."""
    model = Model(name=architecture, architecture=architecture, backbone=options.backbone)
    training = Training(
        image_size=options.image_size,
        batch_size=options.batch_size,
        optimizer="adamw",
        lr=1e-4,
        flip=True,
        shift=0.1,
        compile=options.compile,
    )
    network = build_network(model, N_CLASSES, options.image_size, seed=0).to(device)
    facts = {"classes": sorted(cache.clips["action"].unique()), "seed": 0}
    loop = TrainingLoop(network, model, training, cache, facts, device, Processes())
    set_training_mode(network)
    return loop


def random_batches(loop: TrainingLoop) -> Iterator[Batch]:
    """Yield one batch of random tensors, which lies on the device, again and again."""
    n, side, device = loop.training.batch_size, loop.training.image_size, loop.device
    frames = {
        stream: torch.rand(n, side, side, 3, device=device).permute(0, 3, 1, 2)
        for stream in loop.network.trained_on[0]
    }
    labels = {"combined": torch.randint(N_CLASSES, (n,), device=device)}
    step = 0
    while True:
        yield Batch(step, frames, labels, {"combined": float(n)}, 1.0)
        step += 1


def prototype_batches(loop: TrainingLoop, folder: Path) -> Iterator[Batch]:
    """Yield batches of pictures that are opened one by one, as the prototype did."""
    side, rng = loop.training.image_size, np.random.default_rng(0)
    pictures = []
    for index in range(64):
        picture = folder / f"{index}.jpg"
        noise = rng.integers(0, 256, (45, 80, 3), dtype=np.uint8)
        Image.fromarray(noise).resize(PICTURE_WH, Image.Resampling.BICUBIC).save(picture)
        pictures.append(picture)
    prepare = transforms.Compose(
        [
            transforms.Resize((side, side)),
            transforms.RandomHorizontalFlip(),
            transforms.ColorJitter(0.2, 0.2, 0.2),
            transforms.ToTensor(),
        ]
    )
    n, step = loop.training.batch_size, 0
    while True:
        frames = {}
        for stream in loop.network.trained_on[0]:
            chosen = [pictures[at] for at in rng.integers(len(pictures), size=n)]
            frames[stream] = torch.stack([prepare(Image.open(path)) for path in chosen])
        moved = {stream: each.to(loop.device) for stream, each in frames.items()}
        labels = {"combined": torch.randint(N_CLASSES, (n,)).to(loop.device)}
        yield Batch(step, moved, labels, {"combined": float(n)}, 1.0)
        step += 1


def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Let all ways take turns; return images per second and ratios."""
    device = pick_device(options.device)
    cache = frames_on_disk(folder, options.image_size)
    ways = {}
    with contextlib.ExitStack() as stack:
        for architecture in ("baseline", "domainnet"):
            make: dict[str, Callable[[TrainingLoop], Iterator[Batch]]] = {
                "bare": random_batches,
                "real": lambda loop: loop.batches.run(range(10**9)),
                "prototype": lambda loop: prototype_batches(loop, folder),
            }
            for way, batches_of in make.items():
                loop = loop_for(architecture, options, cache, device)
                batches = batches_of(loop)
                stack.callback(batches.close)
                name = f"{architecture}, {way}"
                ways[name] = Way(name, loop, batches)
        for way in ways.values():
            way.round(options.warm_up)
            way.least_s = float("inf")
        for _ in range(options.rounds):
            for way in ways.values():
                way.round(options.steps)
    return found(ways, options, device)


def found(
    ways: dict[str, Way], options: argparse.Namespace, device: torch.device
) -> dict[str, Any]:
    """Put the times in words and ratios."""
    seconds = {name: way.least_s for name, way in ways.items()}
    return {
        "device": str(device),
        "threads": torch.get_num_threads(),
        "backbone": options.backbone,
        "image_size": options.image_size,
        "batch_size": options.batch_size,
        "images_per_s": {
            name: round(options.batch_size / each, 1) for name, each in seconds.items()
        },
        "ms_per_step": {name: round(1e3 * each, 2) for name, each in seconds.items()},
        "real_of_bare": {
            name: round(seconds[f"{name}, bare"] / seconds[f"{name}, real"], 3)
            for name in ("baseline", "domainnet")
        },
        "domainnet_of_baseline": round(seconds["domainnet, real"] / seconds["baseline, real"], 3),
        "peak_mib": round(peak_mib(device), 0),
    }


def print_table(numbers: dict[str, Any]) -> None:
    """Print what was found."""
    print(
        f"{numbers['backbone']} at {numbers['image_size']} px, {numbers['batch_size']} frames per "
        f"step, {numbers['device']}, {numbers['threads']} threads"
    )
    for name, speed in numbers["images_per_s"].items():
        print(f"  {name:24} {speed:9.1f} images/s {numbers['ms_per_step'][name]:9.2f} ms per step")
    for name, ratio in numbers["real_of_bare"].items():
        print(f"  {name}: the real loop runs at {ratio:.3f} of the bare network (aim: 0.95)")
    ratio = numbers["domainnet_of_baseline"]
    print(f"  DomainNet's step costs {ratio:.2f} times the baseline's (aim: at most 2.05)")
    print(f"  most memory, of all networks here together: {numbers['peak_mib']:.0f} MiB")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--backbone", default="tiny")
    parser.add_argument("--image-size", type=int, default=64)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--warm-up", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        numbers = measure(options, Path(folder))
    print_table(numbers)
    if options.json is not None:
        options.json.write_text(json.dumps(numbers, indent=2) + "\n")


if __name__ == "__main__":
    main()
