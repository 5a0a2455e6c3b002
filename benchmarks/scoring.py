"""Scoring at the speed of the network: images/s, and memory over ten thousand clips.

    python -m benchmarks.scoring speed            baseline and DomainNet; --backbone, --size
    python -m benchmarks.scoring memory           --clips 10000

`speed` scores frames that lie in a memory-mapped file, as in a study, and gives in the same run
what the same network does on random tensors that are on the device already (the ratio is to be at
least 0.95), and the prototype's way: every image opened with PIL, resized and read by itself, with
no worker. Rates are the best of several rounds, in which the ways take turns. An image is a frame
of one version; DomainNet reads an original by two pictures. `memory` says how much memory the
process holds after every tenth of the clips: of its own, and mapped from the file, which the
system takes back when it needs it.
"""

from __future__ import annotations

import argparse
import io
import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import Tensor

from models.architectures import build_network
from models.devices import autocast, pick_device
from models.frames import FrameCache
from models.inference import Reader
from models.network import COMBINED, Network
from study.fields import Model, Scoring

CONDITIONS = ("body_background", "body_only", "background_only")
N_CLASSES = 121
ROUNDS = 7
# What the prototype read from disk.
STORED_WH = (640, 360)
CHANNEL_MEAN, CHANNEL_SD = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])


@dataclass(frozen=True)
class WatchedCache(FrameCache):
    """Frames that note the memory of the process as they are taken."""

    notes: list[tuple[int, float, float]] = field(default_factory=list)
    every: int = 10_000

    def take(self, view: str, positions: np.ndarray) -> np.ndarray:
        last = int(positions.ravel()[-1]) + 1
        if last // self.every > len(self.notes):
            self.notes.append((last, *memory_mib()))
        return super().take(view, positions)


def memory_mib() -> tuple[float, float]:
    """Return the memory of this process: its own, and pages mapped from files, MiB."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return tuple(int(status[name].split()[0]) / 1024 for name in ("RssAnon", "RssFile"))


def make_cache(folder: Path, n_clips: int, n_frames: int, side: int) -> dict[str, object]:
    """Write frames of noise; return the fields of a cache of test clips."""
    total = n_clips * n_frames
    rng = np.random.default_rng(0)
    frames = {}
    for name in CONDITIONS:
        path = folder / f"{name}.npy"
        array = np.lib.format.open_memmap(path, "w+", np.uint8, (total, side, side, 3))
        for start in range(0, total, 4096):
            part = array[start : start + 4096]
            part[:] = np.frombuffer(rng.bytes(part.size), np.uint8).reshape(part.shape)
        array.flush()
        del array
        frames[name] = np.asarray(np.load(path, mmap_mode="r"))
    frames["blank"] = np.zeros((1, side, side, 3), np.uint8)
    clips = pd.DataFrame(
        {
            "clip_id": [f"clip_{place:05d}" for place in range(n_clips)],
            "action": "action",
            "split": "test",
            "n_frames": n_frames,
            "start": np.arange(n_clips) * n_frames,
        }
    )
    return {"clips": clips, "frames": frames, "rows": {"blank": np.zeros(total, int)}}


def network_of(architecture: str, backbone: str, side: int, device: torch.device) -> Network:
    """Build a network with random weights."""
    model = Model(name="network", architecture=architecture, backbone=backbone)
    return build_network(model, N_CLASSES, side, seed=0).to(device).eval()


def images_per_s(work: Callable[[], int], device: torch.device) -> float:
    """Run a piece of work that returns its number of images."""
    start_s = time.perf_counter()
    n_images = work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return n_images / (time.perf_counter() - start_s)


@torch.inference_mode()
def on_random_tensors(network: Network, batch: dict[str, Tensor], n: int) -> int:
    """Read a batch (by stream) that is on the device already, over and over."""
    first = next(iter(batch.values()))
    for _ in range(-(-n // len(first))):
        with autocast(first.device):
            scores = network(batch)[COMBINED]
        torch.log_softmax(scores.float(), dim=1)
    return -(-n // len(first)) * len(first)


@torch.inference_mode()
def one_by_one(
    network: Network, streams: list[str], files: list[bytes], side: int, device: torch.device
) -> int:
    """Open, resize, normalise and read every image by itself; for every stream its own."""
    for content in files:
        seen = {}
        for stream in streams:
            image = Image.open(io.BytesIO(content)).convert("RGB").resize((side, side))
            values = (np.asarray(image, np.float32) / 255 - CHANNEL_MEAN) / CHANNEL_SD
            seen[stream] = torch.from_numpy(values.transpose(2, 0, 1))[None].to(device)
        network(seen)[COMBINED].softmax(dim=1).cpu()
    return len(files)


def stored_images(n: int) -> list[bytes]:
    """Return images as they lay on the prototype's disk."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 255, (n, 18, 32, 3), np.uint8)
    files = []
    for picture in coarse:
        content = io.BytesIO()
        Image.fromarray(picture).resize(STORED_WH).save(content, "PNG", compress_level=1)
        files.append(content.getvalue())
    return files


def report_speed(options: argparse.Namespace) -> list[dict[str, object]]:
    """Print a line per architecture."""
    device = pick_device(options.device)
    files = stored_images(options.images)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        n_clips = -(-options.frames // 32)
        cache = FrameCache(**make_cache(Path(folder), n_clips, 32, options.size))
        for architecture in ("baseline", "domainnet"):
            rows.append(_speed(architecture, cache, files, device, options))
            print(
                "{architecture}, {backbone} at {size} px on {device}: {ours:.0f} images/s, "
                "{tensors:.0f} on random tensors (ratio {ratio:.3f}), {prototype:.0f} one by one "
                "(ours is {times:.1f} times that)".format(**rows[-1]),
                flush=True,
            )
    return rows


def _speed(
    architecture: str,
    cache: FrameCache,
    files: list[bytes],
    device: torch.device,
    options: argparse.Namespace,
) -> dict[str, object]:
    network = network_of(architecture, options.backbone, options.size, device)
    reading = next(iter(network.readings("body_background").values()))
    reader = Reader(network, cache, device, Scoring(batch_size=options.batch))
    clips, streams = cache.of_split("test"), list(reading)
    n_images = int(clips["n_frames"].sum())
    shape = (options.batch, 3, options.size, options.size)
    batch = {
        stream: torch.rand(shape, device=device).to(memory_format=torch.channels_last)
        for stream in streams
    }

    def ours() -> int:
        reader.clip_scores(clips, reading)
        return n_images

    ways = {
        "ours": ours,
        "tensors": lambda: on_random_tensors(network, batch, n_images),
        "prototype": lambda: one_by_one(network, streams, files, options.size, device),
    }
    best = dict.fromkeys(ways, 0.0)
    ratios = []
    for turn in range(options.rounds + 1):
        rates = {name: images_per_s(way, device) for name, way in ways.items()}
        if turn:  # the first round warms up
            best = {name: max(best[name], rate) for name, rate in rates.items()}
            ratios.append(rates["ours"] / rates["tensors"])
    return {
        "architecture": architecture, "backbone": options.backbone, "size": options.size,
        "device": str(device), **best, "ratio": best["ours"] / best["tensors"],
        "median_ratio": float(np.median(ratios)), "times": best["ours"] / best["prototype"],
    }  # fmt: skip


def report_memory(options: argparse.Namespace) -> list[dict[str, object]]:
    """Print the memory after every tenth of the clips."""
    device = pick_device(options.device)
    with tempfile.TemporaryDirectory() as folder:
        made = make_cache(Path(folder), options.clips, options.clip_frames, options.size)
        every = options.clips * options.clip_frames // 10
        cache = WatchedCache(**made, every=every)
        network = network_of("baseline", options.backbone, options.size, device)
        reader = Reader(network, cache, device, Scoring(batch_size=options.batch))
        start_s = time.perf_counter()
        scores = reader.clip_scores(cache.of_split("test"), {"whole": "body_background"})
        seconds = time.perf_counter() - start_s
    rows = [
        {"clips": frames // options.clip_frames, "own_mib": own, "mapped_mib": mapped}
        for frames, own, mapped in cache.notes
    ]
    for row in rows:
        print(
            "{clips:6d} clips: {own_mib:7.1f} MiB own, {mapped_mib:7.1f} MiB mapped".format(**row)
        )
    print(f"{len(scores)} clips of {options.clip_frames} frames in {seconds:.1f} s")
    return rows


def main() -> None:
    """Report speed or memory."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("what", choices=["speed", "memory"])
    parser.add_argument("--backbone", default="tiny")
    parser.add_argument("--size", type=int, default=None, help="default 64, for memory 32")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--frames", type=int, default=4096, help="per round")
    parser.add_argument("--images", type=int, default=100, help="one by one, per round")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--clips", type=int, default=10_000)
    parser.add_argument("--clip-frames", type=int, default=10)
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args()
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    report = {"speed": (report_speed, 64), "memory": (report_memory, 32)}[options.what]
    options.size = options.size or report[1]
    rows = report[0](options)
    if options.json is not None:
        options.json.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
