"""How much memory a training takes, and what to do when there is too little."""

from __future__ import annotations

import contextlib
import resource
import sys
from collections.abc import Iterator

import torch

from study.errors import StudyError
from study.fields import Training

MIB = 2**20
# How torch's allocator on the CPU says that there is no memory.
CPU_MARKS = ("can't allocate memory", "not enough memory")


def peak_mib(device: torch.device) -> float:
    """Return the most memory used so far: of the device on CUDA, else of this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / MIB
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / MIB if sys.platform == "darwin" else peak / 1024


@contextlib.contextmanager
def advice_on_memory(what: str, training: Training, device: torch.device) -> Iterator[None]:
    """Turn torch's errors for lack of memory into advice.

    Raises
    ------
    StudyError
        Names what was used, what there is, and the fields that lower it, with values.
    """
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and not _is_lack_of_memory(error):
            raise
        raise StudyError(f"{what}: {_found(device)}. {_advice(training, device)}") from error


def _is_lack_of_memory(error: RuntimeError) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or any(
        mark in str(error) for mark in CPU_MARKS
    )


def _found(device: torch.device) -> str:
    used = f"at most {peak_mib(device):.0f} MiB were in use before"
    if device.type == "cuda":
        free, total = (amount / MIB for amount in torch.cuda.mem_get_info(device))
        return f"out of memory on {device}: {used}, {free:.0f} of {total:.0f} MiB are free now"
    return f"out of memory on {device}: {used}"


def _advice(training: Training, device: torch.device) -> str:
    """Say which fields lower memory; what is kept for the backward pass grows with frames."""
    half, smaller = max(1, training.batch_size // 2), round(training.image_size * 0.7)
    ways = []
    if training.batch_size > 1:
        ways.append(f"training.batch_size = {half} (now {training.batch_size})")
    ways.append(f"training.image_size = {smaller} (now {training.image_size})")
    text = f"Either of {' and '.join(ways)} halves what a step needs beside the weights"
    if device.type == "cuda" and training.precision == "float32":
        text += "; so does training.precision = 'bfloat16'"
    return (
        text + ". With a smaller batch, lower training.lr alike. A smaller models.backbone, or "
        "several GPUs through torchrun, help too. Repeat the command to go on"
    )
