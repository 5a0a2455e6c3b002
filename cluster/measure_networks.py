"""What a network costs: steps of training, clips that are read, memory, operations, checkpoints."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from cluster.child import peak_mb
from cluster.measure_stimuli import LONG_S
from models.architectures import build_network
from models.checkpoint import training_state
from models.devices import autocast, pick_device
from models.distributed import Processes
from models.frames import FrameCache
from models.inference import Reader
from models.learner import learns, set_training_mode
from models.moments import moments_of
from models.network import Network
from models.network_frames import make_frames, open_for
from models.training_loop import TrainingLoop
from study.config import Model, Study
from study.results import Results
from study.tables import read_table

# Frames per step of the first look, from which follows how many the measured steps may have.
FIRST_BATCH = 2
LEAST_ROUNDS, MOST_ROUNDS = 2, 20
FRAMES_READ = 4


def measure_frames(study: Study, root: str) -> dict[str, Any]:
    """Make the frames of all networks of a small study.

    Returns
    -------
    dict
        clip_frame_s: seconds per frame of a clip, all views together, the least of two rounds
        (of one that is long);
        setup_s, building the networks; row_bytes per frame, and files.
    """
    results = Results(Path(root))
    n_frames = _n_frames(results)
    made, kept = [], []
    for _ in range(2):
        for old in results.frames.glob("*.npy") if results.frames.is_dir() else ():
            old.unlink()
        for seconds in (made, kept):
            start_s = time.perf_counter()
            make_frames(study, results)
            seconds.append(time.perf_counter() - start_s)
        if made[0] > LONG_S:
            break
    sizes = [path.stat().st_size for path in results.frames.glob("*.npy")]
    return {
        "clip_frame_s": max(0.0, min(made) - min(kept)) / n_frames,
        "setup_s": min(kept),
        "row_bytes": sum(sizes) / n_frames,
        "files": len(sizes),
    }


def measure_network(
    study: Study, root: str, name: str, n_classes: int, budget_s: float, for_other: bool = False
) -> dict[str, Any]:
    """Train and read one network of a small study whose stimuli and frames are made.

    Parameters
    ----------
    study : Study
    root : str
        Its results folder.
    name : str
        Of the model.
    n_classes : int
        Of the whole study.
    budget_s : float
        About how long the steps may take.
    for_other : bool
        Whether it is for a GPU that is named: then a first look at its operations is enough,
        unless this machine has one.

    Returns
    -------
    dict
        setup_s; image_s, seconds of training per image (or clip of a network of clips), at
        measured_batch; read_s, seconds per image of reading all versions in all ways;
        train_operations, read_operations per image; saved_bytes per image for the backward pass;
        step_mb, memory at the measured batch; cuda_mb; weights_bytes, state_bytes; device, threads.
    """
    started_s = time.perf_counter()
    results = Results(Path(root))
    model = study.model(name)
    training = study.training_of(model)
    if training.threads is not None:
        torch.set_num_threads(training.threads)
    device = pick_device(training.device)
    if for_other and device.type != "cuda":
        budget_s = 0.0
    network = build_network(model, n_classes, training.image_size, 0).to(device)
    manifest = read_table("manifest", results.manifest)
    cache = open_for(network, results, manifest, training, to_train=True)
    found = {
        "setup_s": time.perf_counter() - started_s,
        "device": _named(device),
        "threads": torch.get_num_threads(),
        "weights_bytes": _bytes_of(network.state_dict()),
    }
    if learns(network):
        found |= _trained(network, model, study, cache, device, budget_s)
    reader = Reader(network, cache, device, study.scoring, training.precision)
    return found | _read(reader, with_time=budget_s > 0)


def _trained(
    network: Network,
    model: Model,
    study: Study,
    cache: FrameCache,
    device: torch.device,
    budget_s: float,
) -> dict[str, Any]:
    """Time steps of training on as many frames as the time allows, at most the study's batch."""
    training = study.training_of(model)
    facts = {"classes": sorted(cache.clips["action"].unique()), "seed": 0}

    def loop_of(batch_size: int) -> TrainingLoop:
        smaller = training.model_copy(update={"batch_size": batch_size, "compile": False})
        return TrainingLoop(network, model, smaller, cache, facts, device, Processes())

    batch = min(FIRST_BATCH, training.batch_size)
    loop = loop_of(batch)
    with _steps(loop) as step:
        step()
        saved_bytes, operations = (amount / batch for amount in _looked_into(step))
        image_s = _timed(step) / batch
    larger = min(training.batch_size, int(budget_s / ((LEAST_ROUNDS + 1) * image_s)))
    if larger > batch:
        batch, loop = larger, loop_of(larger)
        with _steps(loop) as step:
            step()
            seconds = [_timed(step) for _ in range(LEAST_ROUNDS)]
            more = min(MOST_ROUNDS, int(budget_s / min(seconds))) - 2 * LEAST_ROUNDS
            seconds += [_timed(step) for _ in range(more)]
        image_s = min(seconds) / batch
    return {
        "image_s": image_s,
        "measured_batch": batch,
        "train_operations": operations,
        "saved_bytes": saved_bytes,
        "step_mb": peak_mb(),
        "cuda_mb": torch.cuda.max_memory_allocated(device) / 1e6 if device.type == "cuda" else 0.0,
        "state_bytes": _bytes_of(training_state(network, loop.optimizer)),
    }


@contextlib.contextmanager
def _steps(loop: TrainingLoop) -> Iterator[Callable[[], None]]:
    """Yield a function that does a step of training: as the loop's, without a look at losses."""
    set_training_mode(loop.network)
    with contextlib.closing(loop.batches.run(range(10**9))) as batches:

        def step() -> None:
            with autocast(loop.device, loop.training.precision):
                terms = loop.learner(next(batches))
            terms.pop("right")
            loop.optimizer.zero_grad(set_to_none=True)
            sum(terms.values()).backward()
            loop.optimizer.step()
            if loop.device.type == "cuda":
                torch.cuda.synchronize(loop.device)

        yield step


def _timed(step: Callable[[], None]) -> float:
    start_s = time.perf_counter()
    step()
    return time.perf_counter() - start_s


def _looked_into(step: Callable[[], None]) -> tuple[int, int]:
    """Do a step; return the bytes kept for its backward pass, and its operations."""
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    hooks = torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor)
    with hooks, FlopCounterMode(display=False) as counter:
        step()
    return sum(kept.values()), counter.get_total_flops()


def _read(reader: Reader, with_time: bool) -> dict[str, Any]:
    """Read a few frames of two clips in all versions and ways; a second round is timed."""
    network, cache = reader.network, reader.cache
    clips = cache.clips.head(2)
    few = reader.settings.model_copy(update={"frames_per_clip": FRAMES_READ})
    reader = dataclasses.replace(reader, settings=few)
    readings = {
        f"{condition} {way}": reading
        for condition in cache.conditions
        for way, reading in network.readings(condition).items()
    }
    n_images = len(moments_of(clips, network.n_frames, FRAMES_READ).clip)
    start_s = time.perf_counter()
    with FlopCounterMode(display=False) as counter:
        reader.scores_by_reading(clips, readings)
    if with_time:
        start_s = time.perf_counter()
        reader.scores_by_reading(clips, readings)
    return {
        "read_s": (time.perf_counter() - start_s) / n_images,
        "read_operations": counter.get_total_flops() / n_images,
        "frames_at_once": network.n_frames,
        "ways": len(readings),
    }


def _n_frames(results: Results) -> int:
    manifest = read_table("manifest", results.manifest)
    return int(manifest.drop_duplicates("clip_id")["n_frames"].sum())


def _bytes_of(tensors: dict[str, torch.Tensor]) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())


def _named(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)
