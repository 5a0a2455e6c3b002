"""Several processes that train one network together, as torchrun starts them.

    torchrun --nproc_per_node 4 -m bodyscene train STUDY.toml

Every process draws the same batch and learns from its rows of it; only the first one writes. All of
them must see the results folder, also those on other machines.
"""

from __future__ import annotations

import atexit
import logging
import os
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
from torch import distributed

from study.errors import StudyError

log = logging.getLogger("bodyscene")

# Others wait so long while the first process makes frames, or validates.
PATIENCE = timedelta(hours=6)


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
        Of this process on its machine: the number of its GPU.
    """

    rank: int = 0
    count: int = 1
    local_rank: int = 0

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
            picked = torch.device("cuda", self.local_rank)
            torch.cuda.set_device(picked)
        return picked

    def wait_for_all(self) -> None:
        """Return when all processes have come here."""
        if self.are_several:
            distributed.barrier()

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
        distributed.broadcast_object_list(box, src=0)
        return box[0]


def join_processes(asked: str) -> Processes:
    """Join the processes that torchrun started; alone without it.

    Parameters
    ----------
    asked : str
        training.device: CUDA's processes talk by NCCL, others by Gloo.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        return Processes()
    processes = Processes(
        int(os.environ["RANK"]), count, int(os.environ.get("LOCAL_RANK", os.environ["RANK"]))
    )
    if not distributed.is_initialized():
        by_cuda = asked.startswith("cuda") or (asked == "auto" and torch.cuda.is_available())
        if by_cuda:
            torch.cuda.set_device(processes.local_rank)
        distributed.init_process_group("nccl" if by_cuda else "gloo", timeout=PATIENCE)
        atexit.register(distributed.destroy_process_group)
        if processes.is_first:
            log.info("%d processes train together (%s)", count, "NCCL" if by_cuda else "Gloo")
    return processes
