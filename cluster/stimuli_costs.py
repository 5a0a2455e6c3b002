"""What the clips of a study cost, from what a few of them did."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from cluster.counts import Counts
from cluster.gpus import GPUS, gpu_seconds, yolo_operations
from cluster.measure import Measured
from cluster.options import PlanOptions
from cluster.step_costs import StepCost
from stimuli.bundles import PER_GPU
from study.config import Study
from study.fields import SyntheticData

# Of tables in memory, per clip: measured with 10,000 clips.
MB_PER_CLIP = 0.05
DEFAULT_GPU = "a100"
# Taken for a network that is neither here nor in Ultralytics' table: the paper's.
LARGEST_YOLO = "yolov8x-seg"
# On the GPU, with the libraries of CUDA.
SEGMENTER_GPU_MB = 6000


def stimuli_costs(
    study: Study, counts: Counts, measured: Measured, options: PlanOptions
) -> tuple[list[StepCost], list[str]]:
    """Return the steps up to finished stimuli, and what had to be assumed."""
    shards = math.ceil(counts.clips / (options.clips_per_shard or counts.clips))
    masks, said = _masks(study, counts, measured, options, shards)
    versions = _versions(counts, measured, options, shards)
    start_s, found = measured.start_s, measured.versions
    memory_mb = found["peak_mb"] + MB_PER_CLIP * counts.clips
    gather = StepCost(
        step="stimuli",
        jobs=1,
        work_s=found["gather_s"] * counts.clips_used,
        start_s=start_s,
        memory_mb=memory_mb,
        basis="measured",
        alone_s=masks.work_s + versions.work_s,
        **_disk(found, "contact_sheets", counts.actions / found["actions"]),
    )
    review = StepCost(
        step="review",
        jobs=1,
        work_s=found["review_s"] * counts.clips_used,
        start_s=start_s,
        memory_mb=memory_mb,
        process_mb=found["peak_mb"],
        cores=options.cores_per_job,
        basis="measured",
        **_disk(found, "review", counts.clips_used / found["clips"]),
    )
    return [masks, versions, gather, review], said


def _masks(
    study: Study, counts: Counts, measured: Measured, options: PlanOptions, shards: int
) -> tuple[StepCost, list[str]]:
    """Return what finding the person costs: as measured, or partly from counted operations."""
    found = measured.masks or measured.known_masks
    disk = _masks_disk(study, counts, measured)
    memory_mb = _memory_mb(found, counts)
    cost = StepCost(
        step="segment_shard" if study.masks.source == "yolo" else "masks_shard",
        jobs=shards,
        work_s=counts.frames * found["frame_s"] + counts.clips * found["render_s"],
        start_s=measured.start_s + found["load_s"],
        memory_mb=memory_mb,
        process_mb=memory_mb,
        cores=options.cores_per_job,
        basis="measured",
        **disk,
    )
    if study.masks.source != "yolo":
        return cost, []
    if measured.masks is not None and options.segment_ms is None:
        if found["on_gpu"]:
            return _replaced(cost, on_gpu=True, cores=PER_GPU, gpu_mb=SEGMENTER_GPU_MB), []
        if options.gpu is None:
            return cost, []
    network_s, said = _network_s(study, options)
    # Reading, following and smoothing stay on the cores, of which several feed one GPU.
    cores_s = max(0.0, found["frame_s"] - found["network_s"]) / PER_GPU
    frame_s = max(network_s, cores_s)
    said.append(
        f"segmentation: {1e3 * frame_s:.0f} ms per frame, the longer of {1e3 * network_s:.1f} ms "
        f"for the network and {1e3 * cores_s:.1f} ms for {PER_GPU} cores that read, follow and "
        "smooth"
    )
    if measured.masks is None:
        said.append("following and smoothing the person is not in it (it could not be measured)")
    work_s = counts.frames * frame_s
    return _replaced(
        cost,
        on_gpu=True,
        cores=PER_GPU,
        work_s=work_s,
        basis="assumed",
        gpu_mb=SEGMENTER_GPU_MB,
        memory_mb=cost.memory_mb + 3000,
    ), said


def _replaced(cost: StepCost, **changes: Any) -> StepCost:
    return StepCost(**{**vars(cost), **changes})


def _network_s(study: Study, options: PlanOptions) -> tuple[float, list[str]]:
    """Return the seconds per frame of the segmentation network on a GPU, and how they are known."""
    if options.segment_ms is not None:
        return options.segment_ms / 1e3, [f"segmentation network: {options.segment_ms:g} ms, told"]
    gpu, stem = options.gpu or DEFAULT_GPU, Path(study.masks.weights).stem
    operations = yolo_operations(stem, study.masks.image_size)
    if operations is None:
        stem = LARGEST_YOLO
        operations = yolo_operations(stem, study.masks.image_size)
    seconds = gpu_seconds(operations, gpu, options.share_of(gpu))
    return seconds, [
        f"segmentation network: {stem}'s published {operations / 1e9:.0f} GFLOP per frame, at "
        f"{options.share_of(gpu):g} of the peak of an {GPUS[gpu].title}; assumed, not measured"
    ]


def _versions(counts: Counts, measured: Measured, options: PlanOptions, shards: int) -> StepCost:
    found = measured.versions
    memory_mb = _memory_mb(found, counts)
    return StepCost(
        step="versions_shard",
        jobs=shards,
        work_s=counts.frames_used * found["frame_s"],
        start_s=measured.start_s,
        memory_mb=memory_mb,
        process_mb=memory_mb,
        cores=options.cores_per_job,
        basis="measured",
        kept_bytes=_per_frame(found, "stimuli") * counts.frames_used,
        files=found["disk"]["stimuli"]["files"] / found["clips"] * counts.clips_used,
    )


def _masks_disk(study: Study, counts: Counts, measured: Measured) -> dict[str, float]:
    """Every clip has masks, used or not; drawn clips are files, too."""
    found = measured.versions
    folders = ["masks", *(["sources"] if isinstance(study.dataset, SyntheticData) else [])]
    return {
        "kept_bytes": sum(_per_frame(found, name) for name in folders) * counts.frames,
        "files": sum(found["disk"][name]["files"] for name in folders)
        / found["clips"]
        * counts.clips,
    }


def _per_frame(found: dict[str, Any], folder: str) -> float:
    return found["disk"][folder]["bytes"] / found["frames_in_all"]


def _disk(found: dict[str, Any], folder: str, times: float) -> dict[str, float]:
    disk = found["disk"][folder]
    return {"kept_bytes": disk["bytes"] * times, "files": disk["files"] * times}


def _memory_mb(found: dict[str, Any], counts: Counts) -> float:
    """Return the memory of one process: what clips take grows with the longest of them."""
    longer = max(1.0, counts.probe.longest / found["frames"])
    return found["base_mb"] + (found["peak_mb"] - found["base_mb"]) * longer
