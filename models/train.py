"""Training of one network from one seed, safe to kill at any moment."""

from __future__ import annotations

import logging
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor

from models.architectures import build_network, check_versions, network_facts
from models.checkpoint import WEIGHTS, read_facts, save_checkpoint
from models.devices import pick_device
from models.distributed import Processes, join_processes
from models.frames import FrameCache
from models.learner import learns
from models.memory import advice_for_training, advice_on_memory
from models.network import Network
from models.network_frames import make_for, open_for
from models.sampling import check_training_clips
from models.shared_norms import share_norms
from models.stopping import StopRequest
from models.training_key import training_key
from models.training_loop import TrainingLoop
from models.validation import check_can_decide
from study.config import Study
from study.fields import Training
from study.files import sweep_partial_files
from study.results import Results
from study.tables import read_table

log = logging.getLogger("bodyscene")


def train_model(study: Study, results: Results, name: str, seed: int) -> Path:
    """Train one network of a study from one seed, or go on where an earlier call was stopped.

    On a CPU an interrupted training ends with the same weights, to the bit, as one that ran
    through (with the same number of threads).

    Parameters
    ----------
    study : Study
    results : Results
        Holds the manifest and the stimuli; gets the checkpoints, and a learning curve with a row
        per epoch: loss and its terms, accuracy on training frames, on validation frames per
        version, learning rate, speed.
    name : str
        A model of the study.
    seed : int
        Initial weights, batches and augmentation follow from it.

    Returns
    -------
    Path
        The finished weights; at once if they are there and were made of the same settings and
        stimuli.

    Raises
    ------
    StudyError
        When a needed version, a class's training clips or the device is absent, when the loss
        stops being a number, when a checkpoint is damaged, and when another process is lost.
    Stopped
        After SIGTERM (see `models.stopping`), when the state is saved.
    """
    model = study.model(name)
    manifest = read_table("manifest", results.manifest)
    training = study.training_of(model)
    facts = network_facts(study, model, manifest)
    network = build_network(model, len(facts["classes"]), training.image_size, seed)
    key = training_key(study, results, network, seed, manifest)
    facts |= {"seed": seed, "key": key}
    final = results.checkpoint(name, seed)
    processes = join_processes(training.device)
    is_done = final.is_file() and read_facts(final).get("key") == facts["key"]
    # A shared folder may show a new file to one machine later than to another.
    if processes.from_first(is_done):
        log.info("%s, seed %d: already trained, %s", name, seed, final)
        return final
    check_versions(model, list(manifest["condition"].unique()))
    if learns(network):
        check_training_clips(manifest, facts["classes"])
    if training.threads is not None:
        torch.set_num_threads(training.threads)
    device = processes.device(pick_device(training.device))
    advice = advice_for_training(training, device)
    with (
        processes.losses_in_words(),
        advice_on_memory(f"{name}, seed {seed}", advice, device),
    ):
        network = _on_device(network, device, processes)
        cache = _frames(network, results, manifest, training, processes)
        if learns(network):
            loop = TrainingLoop(network, model, training, cache, facts, device, processes)
            kept, epoch = _trained(loop, results)
            facts["epoch"] = epoch
        else:
            log.info("%s, seed %d: nothing in it learns; it is saved as it is", name, seed)
            kept = network.state_dict()
        if processes.is_first:
            save_checkpoint(final, facts, {f"{WEIGHTS}{key}": value for key, value in kept.items()})
            _unfinished(final).unlink(missing_ok=True)
        processes.wait_for_all()
    return final


def _on_device(network: Network, device: torch.device, processes: Processes) -> Network:
    """Bring a network to its device, ready for several processes."""
    # Frames are of one size: the fastest way to convolve them is worth looking for.
    torch.backends.cudnn.benchmark = True
    if processes.are_several:
        network = share_norms(network, device)
    return network.to(device)


def _frames(
    network: Network,
    results: Results,
    manifest: pd.DataFrame,
    training: Training,
    processes: Processes,
) -> FrameCache:
    """Open the frames; with several processes the first one makes them."""
    if processes.is_first:
        make_for(network, results, manifest, training)
    processes.wait_for_all()
    return open_for(network, results, manifest, training, to_train=True)


def _trained(loop: TrainingLoop, results: Results) -> tuple[dict[str, Tensor], int]:
    """Train to the end; return the weights that are kept, and of which epoch they are."""
    name, seed = loop.model.name, loop.facts["seed"]
    check_can_decide(loop.training, len(loop.cache.of_split("validation")))
    unfinished = _unfinished(results.checkpoint(name, seed))
    if loop.processes.is_first:
        sweep_partial_files(unfinished.parent)
    loop.resume(unfinished)
    loop.processes.check_agreed("the step to go on from,", loop.state.step)
    with StopRequest() as stop:
        loop.to_the_end(unfinished, results.learning_curve(name, seed), stop)
    weights, epoch = loop.final_weights()
    if loop.processes.is_first:
        log.info("%s: kept the weights of epoch %d", loop.what, epoch)
    return weights, epoch


def _unfinished(final: Path) -> Path:
    """Return where the state after the last whole epoch is kept."""
    return final.with_name("unfinished.safetensors")
