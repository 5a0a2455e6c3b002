"""What every test needs: few threads, and the slow and real-data tests only where asked for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "2")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run the tests that are marked slow too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--slow"):
        return
    skip = pytest.mark.skip(reason="slow: run with --slow")
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(skip)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real clips, photographs, masks and weights, or a skip."""
    folder = Path(os.environ.get("BODYSCENE_TEST_DATA", ""))
    if not os.environ.get("BODYSCENE_TEST_DATA") or not folder.is_dir():
        pytest.skip("BODYSCENE_TEST_DATA does not name a folder of real data")
    return folder
