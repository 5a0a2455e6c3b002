"""Training of one network from one seed, safe to kill at any moment."""

from __future__ import annotations

import logging
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from models.architectures import build_network, network_facts, trained_on
from models.augment import draw_placement, place, recolor
from models.backbones import as_input
from models.checkpoint import (
    WEIGHTS,
    load_weights,
    read_checkpoint,
    read_facts,
    restore_training,
    save_checkpoint,
    training_state,
)
from models.devices import autocast, pick_device
from models.frames import FrameCache, open_frames
from models.inference import Reader
from models.loss import loss_terms
from models.optimization import build_optimizer, learning_rate
from models.sampling import BalancedSampler
from study.config import Model, Study
from study.errors import StudyError
from study.fields import Training
from study.files import key_of, whole_file
from study.progress import progress
from study.results import Results
from study.steps import step_settings
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
        stops being a number, and when a checkpoint is damaged.
    """
    model = study.model(name)
    manifest = read_table("manifest", results.manifest)
    facts = network_facts(model, study.training, manifest)
    facts |= {"seed": seed, "key": _training_key(study, name, seed, manifest)}
    final = results.checkpoint(name, seed)
    if final.is_file() and read_facts(final).get("key") == facts["key"]:
        log.info("%s, seed %d: already trained, %s", name, seed, final)
        return final
    streams = trained_on(model, list(manifest["condition"].unique()))
    if study.training.threads is not None:
        torch.set_num_threads(study.training.threads)
    device = pick_device(study.training.device)
    cache = open_frames(results, manifest, study.training.image_size)
    run = _Run(study.training, model, streams, cache, facts, device)
    run.resume(_unfinished(final))
    run.to_the_end(_unfinished(final), results.learning_curve(name, seed))
    weights = {f"{WEIGHTS}{key}": value for key, value in run.network.state_dict().items()}
    save_checkpoint(final, facts, weights)
    _unfinished(final).unlink(missing_ok=True)
    return final


class _Run:
    """One training: the network and everything that changes while it learns."""

    def __init__(
        self,
        training: Training,
        model: Model,
        streams: dict[str, str],
        cache: FrameCache,
        facts: dict[str, Any],
        device: torch.device,
    ) -> None:
        self.training, self.model = training, model
        self.streams, self.cache = streams, cache
        self.facts, self.device = facts, device
        self.what = f"{model.name}, seed {facts['seed']}"
        seed = facts["seed"]
        self.network = build_network(model, len(facts["classes"]), seed).to(device)
        self.optimizer = build_optimizer(self.network, training)
        clips = cache.of_split("train")
        self.sampler = BalancedSampler(clips, facts["classes"], np.random.default_rng(seed))
        self.generator = torch.Generator().manual_seed(seed)
        self.curve: list[dict[str, float]] = []

    def resume(self, path: Path) -> None:
        """Go on from an unfinished checkpoint if there is one made of the same settings."""
        if not path.is_file():
            return
        if read_facts(path).get("key") != self.facts["key"]:
            log.info("%s: settings or stimuli changed; training starts afresh", self.what)
            return
        checkpoint = read_checkpoint(path)
        load_weights(self.network, checkpoint, self.facts)
        restore_training(checkpoint, self.optimizer, self.sampler.rng, self.generator)
        self.curve = checkpoint.facts["curve"]
        log.info("%s: goes on after epoch %d", self.what, len(self.curve))

    def to_the_end(self, checkpoint: Path, learning_curve: Path) -> None:
        """Train the epochs that are left, saving after each."""
        epochs = self.training.epochs
        _write_curve(learning_curve, self.curve)
        with progress(f"train {self.what}", epochs, "epochs") as advance:
            advance(len(self.curve))
            while len(self.curve) < epochs:
                self.curve.append(self._epoch(len(self.curve)))
                self._save(checkpoint)
                _write_curve(learning_curve, self.curve)
                advance(note=f"loss {self.curve[-1]['loss']:.3f}")

    def _save(self, path: Path) -> None:
        facts, tensors = training_state(
            self.network, self.optimizer, self.sampler.rng, self.generator
        )
        save_checkpoint(path, {**self.facts, **facts, "curve": self.curve}, tensors)

    def _epoch(self, epoch: int) -> dict[str, float]:
        """Train one epoch; return its row of the learning curve."""
        self.network.train()
        n_steps, batch_size = self.training.batches_per_epoch, self.training.batch_size
        sums: dict[str, Tensor] = {}
        start_s = time.perf_counter()
        for step in range(epoch * n_steps, (epoch + 1) * n_steps):
            lr = learning_rate(step, self.training)
            for name, value in self._step(lr).items():
                # Added up where they are: reading a number would wait for the device.
                sums[name] = sums.get(name, 0.0) + value
        means = {name: float(value) / n_steps for name, value in sums.items()}
        seconds = time.perf_counter() - start_s
        if not math.isfinite(means["loss"]):
            raise StudyError(
                f"{self.what}: the loss is {means['loss']} in epoch {epoch + 1}. The state after "
                "the epoch before is kept; try a smaller training.lr"
            )
        return {
            "epoch": epoch + 1,
            "step": (epoch + 1) * n_steps,
            **means,
            **self._validation_accuracy(),
            "lr": lr,
            "images_per_s": round(n_steps * batch_size / seconds, 1),
        }

    def _step(self, lr: float) -> dict[str, Tensor]:
        """Learn from one batch; return loss, its terms, and the share of right answers."""
        frames, labels = self._batch()
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        with autocast(self.device):
            scores = self.network(frames)
            terms = loss_terms(scores, labels)
        loss = sum(terms.values())
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        right = (scores["combined"].detach().argmax(dim=1) == labels).float().mean()
        shown = {f"loss_{name}": term.detach() for name, term in terms.items()}
        return {"loss": loss.detach(), **shown, "train_accuracy": right}

    def _batch(self) -> tuple[dict[str, Tensor], Tensor]:
        """Draw a batch: the same moments, moved alike, in the version of every stream."""
        training, n = self.training, self.training.batch_size
        positions, labels = self.sampler.draw(n)
        placement = draw_placement(n, training.image_size, training, self.generator)
        frames = {}
        for stream, condition in self.streams.items():
            seen = torch.from_numpy(self.cache.frames[condition][positions])  # (B, S, S, 3)
            seen = as_input(place(seen, placement), self.device)
            frames[stream] = recolor(seen, training, self.generator)
        return frames, torch.from_numpy(labels).to(self.device)

    def _validation_accuracy(self) -> dict[str, float]:
        reader = Reader(self.network, self.cache, self.device)
        found = reader.validation_accuracy(self.facts["classes"], self.model.absent_part)
        return {f"validation_{condition}": value for condition, value in found.items()}


def _training_key(study: Study, name: str, seed: int, manifest: pd.DataFrame) -> str:
    """Return a key of everything that the finished weights depend on."""
    learnt = manifest[manifest["split"] != "test"]
    return key_of(
        step_settings(study, "train", name),
        seed,
        learnt[["stimulus_id", "action", "split", "sha256"]].to_numpy().tolist(),
        sorted(manifest["action"].unique()),
    )


def _unfinished(final: Path) -> Path:
    """Return where the state after the last whole epoch is kept."""
    return final.with_name("unfinished.safetensors")


def _write_curve(path: Path, curve: list[dict[str, float]]) -> None:
    with whole_file(path) as partial:
        pd.DataFrame(curve).to_csv(partial, index=False, lineterminator="\n")
