"""The loop of a training: steps, epochs, and the state that survives a kill at any moment."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import torch
from torch import Tensor, nn

from models.batches import Batch, Batches, trained_views
from models.checkpoint import (
    load_weights,
    read_checkpoint,
    read_facts,
    restore_optimizer,
    save_checkpoint,
    training_state,
)
from models.devices import autocast
from models.distributed import Processes, Vote
from models.draws import Drawer, clip_names
from models.frame_sources import frames_for
from models.frames import FrameCache
from models.inference import Reader
from models.learner import Learner, set_training_mode
from models.memory import peak_mib
from models.network import Network
from models.optimization import build_optimizer, learning_rate
from models.sampling import BalancedSampler
from models.stopping import Stopped, StopRequest
from models.training_log import Row, TrainingLog
from models.validation import (
    STATISTICS_BATCHES,
    best_epoch,
    estimate_statistics,
    is_over,
    validated,
)
from study.errors import StudyError
from study.fields import Model, Training
from study.progress import progress

log = logging.getLogger("bodyscene")

# Steps between two looks at the losses: each look waits for the device.
LOOK_EVERY = 50
# In long epochs the state is saved so often, too.
MINUTES_BETWEEN_SAVES = 10.0

BEST = "best/"


@dataclass
class Progress:
    """How far a training has come.

    Attributes
    ----------
    step : int
        Steps done.
    curve : list of dict
        A row per finished epoch.
    sums : dict of str to float
        Over the steps of the unfinished epoch: the loss, its terms, the share of right answers.
    seconds : float
        That the unfinished epoch took so far.
    best : dict of str to Tensor
        The weights of the best epoch so far, where they are wanted.
    """

    step: int = 0
    curve: list[Row] = field(default_factory=list)
    sums: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    best: dict[str, Tensor] = field(default_factory=dict)


class TrainingLoop:
    """One training: the network and everything that changes while it learns.

    Parameters
    ----------
    network : Network
        On `device`.
    model, training : Model, Training
    cache : FrameCache
    facts : dict
        What the checkpoints say of themselves; with `classes`, `seed` and `key`.
    device : torch.device
    processes : Processes
    """

    def __init__(
        self,
        network: Network,
        model: Model,
        training: Training,
        cache: FrameCache,
        facts: dict[str, Any],
        device: torch.device,
        processes: Processes,
    ) -> None:
        self.network, self.model, self.training = network, model, training
        self.cache, self.facts, self.device, self.processes = cache, facts, device, processes
        self.what = f"{model.name}, seed {facts['seed']}"
        self.optimizer = build_optimizer(network, training)
        sampler = BalancedSampler(cache.of_split("train"), facts["classes"])
        self.drawer = Drawer(sampler, network, model, training, facts["seed"])
        source = frames_for(device, cache, trained_views(network, self.drawer.blank_share > 0))
        rows = processes.rows(training.batch_size)
        self.batches = Batches(network, self.drawer, source, rows, device)
        self.learner = self._learner()
        self.state = Progress()
        self.vote = Vote(processes)
        # Of the steps that nobody has looked at: their losses and terms, by step.
        self._unseen: list[dict[str, Tensor]] = []

    def _learner(self) -> nn.Module:
        """Return what a step calls: compiled where asked, its gradients shared by all processes."""
        learner = Learner(self.network, self.model, self.training.label_smoothing)
        if self.training.compile:
            learner.network = torch.compile(self.network)
        if not self.processes.are_several:
            return learner
        # A term that is switched off leaves weights without a gradient.
        return nn.parallel.DistributedDataParallel(learner, find_unused_parameters=True)

    def resume(self, path: Path) -> None:
        """Go on from an unfinished checkpoint if there is one made of the same settings."""
        if not path.is_file():
            return
        if read_facts(path).get("key") != self.facts["key"]:
            log.info("%s: settings or stimuli changed; training starts afresh", self.what)
            return
        checkpoint = read_checkpoint(path)
        load_weights(self.network, checkpoint, self.facts)
        restore_optimizer(checkpoint, self.optimizer)
        done = {name: checkpoint.facts[name] for name in ("step", "curve", "sums", "seconds")}
        self.state = Progress(best=checkpoint.group(BEST), **done)
        log.info("%s: goes on after step %d", self.what, self.state.step)

    def to_the_end(self, checkpoint: Path, learning_curve: Path, stop: StopRequest) -> None:
        """Train what is left, saving after each epoch, within long ones, and when asked to stop.

        Raises
        ------
        Stopped
            When all processes know that one of them was asked to stop, and the state is saved.
        """
        state, training = self.state, self.training
        total = training.epochs * training.batches_per_epoch
        curve_log = TrainingLog(learning_curve, state.curve) if self.processes.is_first else None
        with contextlib.ExitStack() as stack:
            if curve_log is not None:
                stack.callback(curve_log.close)
            cuda = [self.device] if self.device.type == "cuda" else []
            stack.enter_context(torch.random.fork_rng(devices=cuda))
            batches = self.batches.run(range(state.step, total))
            stack.enter_context(contextlib.closing(batches))
            advance = stack.enter_context(self._progress())
            advance(len(state.curve))
            while not is_over(state.curve, training):
                self._epoch(batches, checkpoint, stop)
                self._save(checkpoint)
                if curve_log is not None:
                    curve_log.write(state.curve)
                advance(note=f"loss {state.curve[-1]['loss']:.3f}")

    def _progress(self) -> contextlib.AbstractContextManager[Callable[..., None]]:
        if self.processes.is_first:
            return progress(f"train {self.what}", self.training.epochs, "epochs")
        return contextlib.nullcontext(lambda n=1, note="": None)

    def final_weights(self) -> tuple[dict[str, Tensor], int]:
        """Return the weights that are kept, and of which epoch they are."""
        curve = self.state.curve
        if self.training.keep == "best":
            return self.state.best, best_epoch(curve)
        return self.network.state_dict(), len(curve)

    def _epoch(self, batches: Iterator[Batch], checkpoint: Path, stop: StopRequest) -> None:
        """Train (the rest of) an epoch and add its row to the curve."""
        state, n_steps = self.state, self.training.batches_per_epoch
        end = (len(state.curve) + 1) * n_steps
        set_training_mode(self.network)
        start_s = time.perf_counter() - state.seconds
        saved_s = time.monotonic()
        while state.step < end:
            self._step(next(batches))
            is_asked = self.vote.any(stop.came)
            if state.step % LOOK_EVERY == 0 or state.step == end or is_asked:
                self._look()
                state.seconds = time.perf_counter() - start_s
            if is_asked:
                self._leave(checkpoint)
            if time.monotonic() - saved_s > 60 * MINUTES_BETWEEN_SAVES and not self._unseen:
                self._save(checkpoint)
                saved_s = time.monotonic()
        found = self._validated(stop)
        if found is None:
            self._leave(checkpoint)
        state.curve.append(self._row() | found)
        state.sums, state.seconds = {}, 0.0
        self._keep_best()

    def _leave(self, checkpoint: Path) -> NoReturn:
        """Save the state and end the command."""
        self._save(checkpoint)
        if self.processes.is_first:
            log.warning(
                "%s: stopped by the cluster at step %d; it goes on from there",
                *(self.what, self.state.step),
            )
        raise Stopped

    def _step(self, batch: Batch) -> None:
        """Learn from one batch; note the loss, its terms, and the share of right answers."""
        state = self.state
        torch.manual_seed(self.drawer.layers_seed(batch.step, self.processes.rank))
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(batch.step, self.training)
        with autocast(self.device, self.training.precision):
            terms = self.learner(batch)
        right = terms.pop("right")
        loss = sum(terms.values())
        self.optimizer.zero_grad(set_to_none=True)
        # Gradients are averaged over processes, and each has its share of the sum.
        (loss * self.processes.count if self.processes.are_several else loss).backward()
        if self.training.max_gradient is not None:
            weights = [
                weight for group in self.optimizer.param_groups for weight in group["params"]
            ]
            nn.utils.clip_grad_norm_(weights, self.training.max_gradient)
        self.optimizer.step()
        state.step += 1
        shown = {f"loss_{name}": term.detach() for name, term in terms.items()}
        self._unseen.append({"loss": loss.detach(), **shown, "train_accuracy": right})

    def _look(self) -> None:
        """Add up the terms of the loss since the last look, and check them.

        Raises
        ------
        StudyError
            When a loss is no number; names the step and its clips.
        """
        if not self._unseen:
            return
        names = list(self._unseen[0])
        table = torch.stack([torch.stack(list(step.values())) for step in self._unseen])
        table = self.processes.add_up(table.float()).double().cpu()  # (steps, names)
        first = self.state.step - len(self._unseen)
        self._unseen = []
        losses = table[:, names.index("loss")]
        wrong = (~losses.isfinite()).nonzero().flatten().tolist()
        if wrong:
            self._stop(first + wrong[0], f"the loss is {losses[wrong[0]]}")
        for name, value in zip(names, table.sum(dim=0).tolist(), strict=True):
            self.state.sums[name] = self.state.sums.get(name, 0.0) + value

    def _stop(self, step: int, found: str) -> None:
        epoch, within = divmod(step, self.training.batches_per_epoch)
        clips = self.cache.clips
        names = clip_names(
            clips["clip_id"].tolist(), clips["start"].to_numpy(), self.drawer.at(step).positions
        )
        raise StudyError(
            f"{self.what}: {found} in epoch {epoch + 1}, step {within + 1} of "
            f"{self.training.batches_per_epoch}. Its batch is of the clips "
            f"{', '.join(sorted(set(names)))}. The last good state is kept; the "
            "same settings would end here again. Try a smaller training.lr, or "
            "training.max_gradient = 1.0 (with which it starts afresh)"
        )

    def _row(self) -> Row:
        """Return the epoch's row of the curve, as far as training tells it."""
        state, n_steps = self.state, self.training.batches_per_epoch
        return {
            "epoch": len(state.curve) + 1,
            "step": state.step,
            **{name: value / n_steps for name, value in state.sums.items()},
            "lr": learning_rate(state.step - 1, self.training),
            "images_per_s": round(n_steps * self.training.batch_size / state.seconds, 1),
            "memory_mib": round(peak_mib(self.device), 1),
        }

    def _validated(self, stop: StopRequest) -> Row | None:
        """Measure the network as it will be read; None when the first process was asked to stop."""
        total = self.training.epochs * self.training.batches_per_epoch
        # Frames beyond the last step's: the same after every epoch.
        steps = range(total, total + STATISTICS_BATCHES)
        with contextlib.closing(self.batches.run(steps)) as batches:
            estimate_statistics(self.network, batches, self.training.precision)
        found: Row | None = {}
        if self.processes.is_first:
            reader = Reader(
                self.network, self.cache, self.device, precision=self.training.precision
            )
            classes, absent_part = self.facts["classes"], self.model.absent_part
            found = stop.unless_it_comes(lambda: validated(reader, classes, absent_part))
        return self.processes.from_first(found)

    def _keep_best(self) -> None:
        state = self.state
        if self.training.keep == "best" and best_epoch(state.curve) == len(state.curve):
            weights = self.network.state_dict()
            state.best = {name: value.detach().cpu().clone() for name, value in weights.items()}

    def _save(self, path: Path) -> None:
        """Save the state of the training, if it is one to go on from."""
        if not self.processes.is_first:
            return
        state = self.state
        tensors = training_state(self.network, self.optimizer)
        finite = [value.isfinite().all() for value in tensors.values()]
        if not torch.stack(finite).all():
            self._stop(state.step - 1, "weights are no numbers any more")
        tensors |= {f"{BEST}{name}": value for name, value in state.best.items()}
        done = {name: getattr(state, name) for name in ("step", "curve", "sums", "seconds")}
        save_checkpoint(path, {**self.facts, **done}, tensors)
