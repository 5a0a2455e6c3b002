"""How much memory networks take, and what to do when there is too little."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

import psutil
import torch

from study.errors import StudyError
from study.fields import Scoring, Training

MIB = 2**20
# How torch's allocators say that there is no memory, where the error has no class of its own: on
# the CPU, and ("out of memory") on MPS and in calls of CUDA itself.
MARKS = ("can't allocate memory", "not enough memory", "out of memory")


def peak_mib(device: torch.device) -> float:
    """Return the most memory used so far: of the device on CUDA, else of this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / MIB
    if os.name == "nt":
        return psutil.Process().memory_info().peak_wset / MIB
    # Windows has no such module.
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / MIB if sys.platform == "darwin" else peak / 1024


@contextlib.contextmanager
def advice_on_memory(what: str, advice: str, device: torch.device) -> Iterator[None]:
    """Turn torch's errors for lack of memory into advice.

    Parameters
    ----------
    what : str
        Which network of which seed.
    advice : str
        See `advice_for_training` and `advice_for_scoring`.
    device : torch.device

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
        raise StudyError(
            f"{what}: {_found(device)}. {advice}. Repeat the command to go on"
        ) from error


def _is_lack_of_memory(error: RuntimeError) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or any(mark in str(error) for mark in MARKS)


def _found(device: torch.device) -> str:
    used = f"at most {peak_mib(device):.0f} MiB were in use before"
    if device.type == "cuda":
        free, total = (amount / MIB for amount in torch.cuda.mem_get_info(device))
        return f"out of memory on {device}: {used}, {free:.0f} of {total:.0f} MiB are free now"
    return f"out of memory on {device}: {used}"


def advice_for_training(training: Training, device: torch.device) -> str:
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
        "several GPUs through torchrun or srun, help too"
    )


def advice_for_scoring(scoring: Scoring, n_frames: int) -> str:
    """Say which fields lower memory for a network that reads `n_frames` frames at once."""
    # As few as one clip are read at once, whatever the field says.
    if scoring.batch_size > n_frames:
        half = max(1, scoring.batch_size // 2)
        return (
            f"scoring.batch_size = {half} (now {scoring.batch_size}) halves what is needed beside "
            "the weights; no score depends on it"
        )
    return "Fewer frames at once are not possible (scoring.batch_size); use another training.device"
