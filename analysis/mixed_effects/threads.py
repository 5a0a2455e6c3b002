"""BLAS threads for small matrices: one.

OpenBLAS wakes all its threads for products of a hundred rows. On an idle machine that gains
nothing, and beside other work, or in parallel refits, waiting for them makes a fit tens of times
slower. The thread count of the OpenBLAS that numpy's and scipy's wheels bring is set for the time
of a fit; with any other BLAS nothing is changed.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np
import scipy

_NAMES = (
    ("scipy_openblas_get_num_threads64_", "scipy_openblas_set_num_threads64_"),
    ("scipy_openblas_get_num_threads", "scipy_openblas_set_num_threads"),
)


@contextmanager
def one_blas_thread(active: bool = True) -> Iterator[None]:
    """Limit OpenBLAS to one thread inside the block, if ``active``."""
    controls = _controls() if active else ()
    before = [get() for get, _ in controls]
    try:
        for _, put in controls:
            put(1)
        yield
    finally:
        for count, (_, put) in zip(before, controls, strict=True):
            put(count)


@cache
def _controls() -> tuple[tuple[Callable[[], int], Callable[[int], None]], ...]:
    """Getter and setter of each bundled OpenBLAS."""
    found = []
    for package in (np, scipy):
        home = Path(package.__file__).parent
        folders = (home.with_name(f"{home.name}.libs"), home / ".dylibs")
        for path in (p for folder in folders for p in sorted(folder.glob("*openblas*"))):
            found.extend(_thread_functions(path))
    return tuple(found)


def _thread_functions(path: Path) -> list[tuple[Callable[[], int], Callable[[int], None]]]:
    try:
        library = ctypes.CDLL(str(path))
    except OSError:
        return []
    return [
        (getattr(library, get), getattr(library, put))
        for get, put in _NAMES
        if hasattr(library, get) and hasattr(library, put)
    ]
