"""Several processes that train one network together, as torchrun or srun starts them.

Every process draws the same batch and learns from its rows of it; only the first one writes. All of
them must see the results folder, also those on other machines.

They talk in two ways: about gradients, where each step soon follows the other (NCCL on CUDA, else
Gloo); and, by Gloo alone, about what takes the first process long, or is no tensor.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import torch
from torch import distributed

from models.rendezvous import connect
from study.errors import StudyError
from study.launch import Launch, read_launch

log = logging.getLogger("bodyscene")

# Others wait so long while the first process makes frames, or validates.
PATIENCE = timedelta(hours=6)
# From step to step: for a slow disk, a state that is saved, a network that is compiled.
STEP_PATIENCE = timedelta(minutes=10)
# Most of Gloo's errors name a file of its source; those of a wait that was too long do not.
MARKS_OF_GLOO = ("gloo", "wait timeout", "caused pair closure")


@dataclass(frozen=True)
class Processes:
    """This process among those that train together.

    Attributes
    ----------
    rank : int
        Of this process; the first is 0.
    count : int
        Of processes.
    local_rank : int
        Of this process on its machine.
    patient : ProcessGroup or None
        What the processes talk by where they may have to wait long.
    """

    rank: int = 0
    count: int = 1
    local_rank: int = 0
    patient: distributed.ProcessGroup | None = field(default=None, compare=False, repr=False)

    @property
    def is_first(self) -> bool:
        """Whether this process writes."""
        return self.rank == 0

    @property
    def are_several(self) -> bool:
        return self.count > 1

    def rows(self, batch_size: int) -> slice:
        """Return this process's rows of a batch; they hold whole pairs (see `models.draws`).

        Raises
        ------
        StudyError
            When there are too few rows for all.
        """
        n_pairs = batch_size // 2
        edges = [2 * (n_pairs * rank // self.count) for rank in range(self.count)] + [batch_size]
        if self.are_several and n_pairs < self.count:
            raise StudyError(
                f"training.batch_size = {batch_size} is shared by {self.count} processes; expected "
                f"at least {2 * self.count}"
            )
        return slice(edges[self.rank], edges[self.rank + 1])

    def device(self, picked: torch.device) -> torch.device:
        """Return this process's own device, where the study file asks for CUDA."""
        if self.are_several and picked.type == "cuda":
            return torch.device("cuda", own_gpu(self.local_rank, torch.cuda.device_count()))
        return picked

    def wait_for_all(self) -> None:
        """Return when all processes have come here."""
        if self.are_several:
            distributed.barrier(group=self.patient)

    def add_up(self, values: torch.Tensor) -> torch.Tensor:
        """Return the sum of a tensor over all processes; the tensor is changed."""
        if self.are_several:
            distributed.all_reduce(values)
        return values

    def from_first(self, content: Any) -> Any:
        """Return what the first process gives here (plain Python values)."""
        if not self.are_several:
            return content
        box = [content]
        distributed.broadcast_object_list(box, 0, group=self.patient, device=torch.device("cpu"))
        return box[0]

    def check_agreed(self, what: str, value: Any) -> None:
        """Check that a value is the same here as in the first process.

        Raises
        ------
        StudyError
            When it differs, as it may where a shared folder shows machines different files.
        """
        first = self.from_first(value)
        if value != first:
            raise StudyError(
                f"process {self.rank + 1} of {self.count} has {what} {value}, the first one has "
                f"{first}; expected the same. The machines see different files in the results "
                "folder; wait a minute and repeat the command"
            )

    @contextlib.contextmanager
    def losses_in_words(self) -> Iterator[None]:
        """Say it plainly when another process is gone.

        Raises
        ------
        StudyError
            In place of the errors of Gloo and NCCL.
        """
        try:
            yield
        except RuntimeError as error:
            if not self.are_several or not _is_about_others(error):
                raise
            # A farewell would wait for the one that is gone.
            atexit.unregister(distributed.destroy_process_group)
            minutes = STEP_PATIENCE.total_seconds() / 60
            raise StudyError(
                f"process {self.rank + 1} of {self.count} lost another one, which ended or has "
                f"stood still for {minutes:g} minutes. That one's messages, or the cluster's "
                "(memory, time, a lost machine), say why. Repeat the command: it goes on from the "
                f"state that was saved last. Found: {str(error).strip().splitlines()[0]}"
            ) from error


class Vote:
    """Whether any process wants something; all of them hear it at the same step, the next one.

    The answers travel while the next step is computed, so that none has to wait for them.
    """

    def __init__(self, processes: Processes) -> None:
        self._processes = processes
        self._asked = torch.zeros(1)
        self._sent: distributed.Work | None = None

    def any(self, here: bool) -> bool:
        """Hand in this step's answer; return that of the step before (alone: this one's)."""
        if not self._processes.are_several:
            return here
        if self._sent is not None:
            self._sent.wait(STEP_PATIENCE)
        found = bool(self._asked.item())
        self._asked = torch.tensor([float(here)])
        self._sent = distributed.all_reduce(
            self._asked, group=self._processes.patient, async_op=True
        )
        return found


def own_gpu(local_rank: int, n_visible: int) -> int:
    """Return the number of a process's own GPU.

    A cluster shows each process all GPUs of its machine (--gres=gpu:4), or its own one alone
    (--gpus-per-task=1), which is number 0 then.

    Raises
    ------
    StudyError
        When there are fewer GPUs than processes.
    """
    if n_visible == 1:
        return 0
    if local_rank >= n_visible:
        raise StudyError(
            f"process {local_rank + 1} on this machine finds {n_visible} GPUs; expected one for "
            "each process. Start fewer processes on a machine, or ask for more GPUs "
            "(--gpus-per-task=1)"
        )
    return local_rank


def join_processes(asked: str) -> Processes:
    """Join the processes that torchrun or srun started; alone without them.

    Parameters
    ----------
    asked : str
        training.device.

    Raises
    ------
    StudyError
        When the processes do not find each other.
    """
    launch = read_launch(os.environ)
    if launch.count == 1:
        return Processes()
    if asked.startswith(("cuda", "auto")) and torch.cuda.is_available():
        torch.cuda.set_device(own_gpu(launch.local_rank, torch.cuda.device_count()))
    return Processes(launch.rank, launch.count, launch.local_rank, _joined(launch))


@functools.cache
def _joined(launch: Launch) -> distributed.ProcessGroup:
    """Connect all processes, once; return what they talk by where they may have to wait long."""
    patient = connect(launch, STEP_PATIENCE, PATIENCE)
    atexit.register(distributed.destroy_process_group)
    if launch.rank == 0:
        log.info("%d processes train together, started by %s", launch.count, launch.by)
    return patient


def _is_about_others(error: RuntimeError) -> bool:
    """Tell whether an error is of the talk between processes; Gloo's have no class of their own."""
    text = str(error).lower()
    return isinstance(error, distributed.DistError) or any(mark in text for mark in MARKS_OF_GLOO)
