"""Where networks run: chosen and said aloud, never changed in silence."""

from __future__ import annotations

import contextlib
import logging

import torch

from study.errors import StudyError

log = logging.getLogger("bodyscene")


def pick_device(asked: str) -> torch.device:
    """Return the device that the study file asks for; "auto" prefers CUDA, then MPS, then CPU.

    Raises
    ------
    StudyError
        When the device is unknown or absent: there is no silent fall back to the CPU.
    """
    if asked == "auto":
        device = torch.device(_best_present())
        log.info("networks run on %s", _described(device))
        return device
    try:
        device = torch.device(asked)
    except RuntimeError as error:
        raise StudyError(f"training.device = {asked!r}; expected {_allowed()}") from error
    if not _is_present(device):
        raise StudyError(
            f"training.device = {asked!r}, but this machine (or this torch) has no such device; "
            f"found {_present()}. Use 'auto' for the best one present"
        )
    log.info("networks run on %s, as asked", _described(device))
    return device


def autocast(
    device: torch.device, precision: str = "auto"
) -> contextlib.AbstractContextManager[None]:
    """Compute as `training.precision` says; "auto" is bfloat16 where that is fast, on CUDA."""
    if precision == "bfloat16" or (precision == "auto" and device.type == "cuda"):
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return contextlib.nullcontext()


def _best_present() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _is_present(device: torch.device) -> bool:
    if device.type == "cuda":
        return (device.index or 0) < torch.cuda.device_count()
    if device.type == "mps":
        return torch.backends.mps.is_available()
    return device.type == "cpu"


def _present() -> list[str]:
    devices = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    return [*devices, *(["mps"] if torch.backends.mps.is_available() else []), "cpu"]


def _allowed() -> str:
    return "one of 'auto', 'cpu', 'cuda', 'cuda:N', 'mps'"


def _described(device: torch.device) -> str:
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    if device.type == "cpu":
        n_threads = torch.get_num_threads()
        return f"cpu ({n_threads} thread{'' if n_threads == 1 else 's'})"
    return str(device)
