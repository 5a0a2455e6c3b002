"""What the networks of a study cost, from a few steps of each."""

from __future__ import annotations

from typing import Any

from cluster.counts import Counts
from cluster.gpus import GPUS, gpu_seconds
from cluster.measure import Measured
from cluster.options import PlanOptions
from cluster.step_costs import StepCost
from study.config import Model, Study

# Of a training's epoch: batches on which batch statistics are taken anew, and frames of each
# validation clip that are read (see `models.validation` and `models.inference`).
STATISTICS_BATCHES, FRAMES_PER_VALIDATION_CLIP = 10, 8
# A forward pass alone, of a step of training: the backward pass is two of them.
FORWARD_SHARE = 1 / 3
# Memory of the host beside a GPU: torch with CUDA, and batches on their way.
HOST_MB = 6000
# What the allocator takes beyond what is kept for the backward pass.
SLACK = 1.3
# bfloat16 where float32 was counted.
HALF = 0.5


def network_costs(
    study: Study, counts: Counts, measured: Measured, options: PlanOptions
) -> tuple[list[StepCost], list[str]]:
    """Return the steps of frames and networks, and what had to be assumed."""
    if measured.frames is None:
        return [], ["the networks are not in it"] if study.models else []
    found = measured.frames
    steps = [
        StepCost(
            step="frames",
            jobs=1,
            work_s=found["clip_frame_s"] * counts.frames_used,
            start_s=measured.start_s + found["setup_s"],
            memory_mb=found["peak_mb"],
            process_mb=measured.versions["peak_mb"],
            cores=options.cores_per_job,
            basis="measured",
            kept_bytes=(found["row_bytes"] + _masks_bytes(study)) * counts.frames_used,
            files=found["files"],
        )
    ]
    said = []
    for model in study.models:
        if model.name not in measured.networks:
            said.append(f"model {model.name} is not in it")
            continue
        network = NetworkOn(study, model, measured.networks[model.name], options)
        steps += _of_model(study, model, network, counts, measured)
    said += _where(measured, options)
    return steps + _of_all(study, counts, measured, steps), said


def _where(measured: Measured, options: PlanOptions) -> list[str]:
    """Say for which GPU networks are planned, and how their speed there is known."""
    here = sorted({found["device"] for found in measured.networks.values() if is_gpu(found)})
    said = [f"networks: measured on {name}" for name in here]
    if options.gpu is not None and not all(map(is_gpu, measured.networks.values())):
        gpu = GPUS[options.gpu]
        said.append(
            f"networks: counted operations at {options.share_of(options.gpu):g} of the peak of an "
            f"{gpu.title} ({gpu.tflops:g} TFLOP/s); assumed, not measured; small "
            "networks reach less"
        )
    if options.gpu is not None and here:
        said.append(f"--gpu {options.gpu} is for machines without a GPU; here one was measured")
    return said


def is_gpu(found: dict[str, Any]) -> bool:
    """Tell whether a network was measured on a GPU of CUDA."""
    return found["device"] not in ("cpu", "mps")


def _masks_bytes(study: Study) -> int:
    """Return the bytes per frame of the masks that saliency compares with, at every size."""
    chosen = [m for m in study.models if m.name in (study.saliency.models or [m.name])]
    sides = {study.training_of(model).image_size for model in chosen}
    return sum(side**2 for side in sides) if study.saliency.run else 0


class NetworkOn:
    """How fast a network is where it will run: as measured, or on a GPU by its data sheet.

    Attributes
    ----------
    found : dict
        See `cluster.measure_networks.measure_network`.
    image_s, read_s : float
        Seconds per image of training, and of reading all versions in all ways.
    how : dict
        Fields of `StepCost` that tell where it runs.
    """

    def __init__(
        self, study: Study, model: Model, found: dict[str, Any], options: PlanOptions
    ) -> None:
        self.found, self.training = found, study.training_of(model)
        self.image_s, self.read_s = found.get("image_s", 0.0), found["read_s"]
        is_cuda = is_gpu(found)
        self.how: dict[str, Any] = {
            "on_gpu": is_cuda,
            "cores": 1 if is_cuda else found["threads"],
            "basis": "measured",
            "memory_mb": found["peak_mb"] + self._further_mb(0 if is_cuda else 1),
            "gpu_mb": found.get("cuda_mb", 0.0),
        }
        if options.gpu is not None and not is_cuda:
            operations = (found.get("train_operations", 0.0), found["read_operations"])
            self.image_s, self.read_s = (
                gpu_seconds(each, options.gpu, options.share_of(options.gpu)) for each in operations
            )
            self.how = {
                "on_gpu": True,
                "cores": 1,
                "basis": "assumed",
                "memory_mb": HOST_MB,
                "gpu_mb": self._gpu_mb(),
            }

    def _further_mb(self, share: float) -> float:
        """Return what the frames of a step take that were not in the measured one."""
        further = self.training.batch_size - self.found.get("measured_batch", 0)
        return share * SLACK * further * self.found.get("saved_bytes", 0.0) / 1e6

    def _gpu_mb(self) -> float:
        """Return what weights, the optimizer's state and a step's frames take on a GPU."""
        frames = SLACK * HALF * self.training.batch_size * self.found.get("saved_bytes", 0.0)
        return (self.found["weights_bytes"] + self.found.get("state_bytes", 0) + frames) / 1e6

    def training_s(self, n_validation: int) -> float:
        """Return the seconds of one training.

        Parameters
        ----------
        n_validation : int
            Images that are read after every epoch.
        """
        training = self.training
        batches = training.batches_per_epoch + FORWARD_SHARE * STATISTICS_BATCHES
        epoch_s = batches * training.batch_size * self.image_s + n_validation * self.read_s
        return training.epochs * epoch_s


def _of_model(
    study: Study, model: Model, network: NetworkOn, counts: Counts, measured: Measured
) -> list[StepCost]:
    """Return training and reading of one model, all seeds."""
    found, seeds, known_masks = network.found, len(model.seeds), measured.known_masks
    start_s = measured.start_s + found["setup_s"]
    n_validation = images_of(counts, "validation", FRAMES_PER_VALIDATION_CLIP, found)
    n_test = images_of(counts, "test", study.scoring.frames_per_clip, found)
    shared = {"jobs": seeds, "start_s": start_s, "model": model.name, **network.how}
    rows = found["ways"] * counts.used["test"]
    steps = [
        StepCost(
            step="train",
            work_s=seeds * network.training_s(n_validation) if network.image_s else 0.0,
            kept_bytes=seeds * found["weights_bytes"],
            # The state after the last epoch, and the next one while it is written.
            passing_bytes=2 * seeds * found.get("state_bytes", 0),
            files=3 * seeds,
            **shared,
        ),
        StepCost(
            step="score",
            work_s=seeds * n_test * network.read_s,
            # A number per class of every row, and the answers as text.
            kept_bytes=seeds * rows * (8 * counts.actions + 100),
            files=5 * seeds,
            **shared,
        ),
    ]
    if study.saliency.run and model.name in (study.saliency.models or [model.name]):
        frames = counts.used["test"] * study.saliency.frames_per_clip * counts.versions
        # The masks of all its clips are read, too.
        masks_s = counts.used["test"] * counts.probe.frames * known_masks["frame_s"]
        work_s = seeds * (frames * network.image_s + masks_s)
        steps.append(StepCost(step="saliency", work_s=work_s, files=2 * seeds, **shared))
    return steps


def images_of(counts: Counts, split: str, per_clip: int | None, found: dict[str, Any]) -> int:
    """Return how many images (spans of frames, of networks of clips) are read of a split."""
    frames = counts.probe.frames if per_clip is None else min(per_clip, counts.probe.frames)
    return round(counts.used[split] * max(1.0, frames / found["frames_at_once"]))


def _of_all(
    study: Study, counts: Counts, measured: Measured, steps: list[StepCost]
) -> list[StepCost]:
    """Return the steps that read several networks in one job."""
    scores = {each.model: each for each in steps if each.step == "score"}
    more = []
    if study.trials.actions == "margin" and study.trials.margin_model in scores:
        one = scores[study.trials.margin_model]
        n_clips = counts.used["validation"] / max(1, counts.used["test"]) / counts.versions
        more.append(_like(one, "margins", one.work_s * n_clips))
    if study.noise.run and scores:
        levels = sum(map(len, study.noise.levels.values()))
        frames = counts.used["test"] * counts.probe.frames
        made_s = frames * (measured.versions["frame_s"] + measured.frames["clip_frame_s"])
        read = [scores[name] for name in study.noise.models or scores if name in scores]
        largest = max(read, key=lambda each: each.memory_mb)
        bytes_per_frame = measured.versions["disk"]["stimuli"]["bytes"]
        bytes_per_frame /= measured.versions["frames_in_all"]
        more.append(
            _like(
                largest,
                "noise",
                levels * (made_s + sum(each.work_s for each in read)),
                kept_bytes=levels
                * frames
                * (bytes_per_frame + measured.frames["row_bytes"])
                * study.noise.keep_stimuli,
            )
        )
    return more


def _like(cost: StepCost, step: str, work_s: float, kept_bytes: float = 0.0) -> StepCost:
    """Return a step of one job that runs where another does."""
    changes = {"step": step, "jobs": 1, "work_s": work_s, "model": None, "passing_bytes": 0.0}
    return StepCost(**{**vars(cost), **changes, "kept_bytes": kept_bytes, "files": 0.0})
