"""A private SLURM for each test that asks for one."""

from __future__ import annotations

import fcntl
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.slurm.local_cluster import LocalCluster, missing_for_a_cluster


@pytest.fixture
def turn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Skip where no SLURM can be started; else wait for the tests that have one."""
    missing = missing_for_a_cluster()
    if missing:
        pytest.skip(missing)
    # pytest-xdist's processes share the folder above their own: one cluster at a time is enough
    # for the cores of this machine.
    base = tmp_path_factory.getbasetemp()
    with (base.parent / "slurm.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture
def slurm(turn: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalCluster]:
    """A SLURM that just started, which this process and those it starts find."""
    # Sockets have short names: not below pytest's folders.
    with tempfile.TemporaryDirectory(prefix="slurm-") as folder:
        cluster = LocalCluster(Path(folder))
        try:
            cluster.start()
            for name, value in cluster.environment.items():
                monkeypatch.setenv(name, value)
            yield cluster
        finally:
            cluster.stop()
        assert cluster.processes() == []
