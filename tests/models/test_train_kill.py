"""A training that is killed at any moment ends with the bytes of one that was not."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from models.train import train_model
from study.config import Study, dump_study
from study.results import Results

ROOT = Path(__file__).parents[2]

# Imports torch once; for every line that it reads, a process of its own trains until it is killed.
# "half": it kills itself in the middle of writing its fourth checkpoint.
SERVER = """
import os, signal, sys
from pathlib import Path
from models import checkpoint, training_loop
from models.train import train_model
from study.config import load_study
from study.results import Results

training_loop.LOOK_EVERY, training_loop.MINUTES_BETWEEN_SAVES = 3, 0.0
study, results = load_study(sys.argv[1]), Results(Path(sys.argv[2]))
save, n_saved = checkpoint.save_file, 0

def save_half(content, path, metadata):
    global n_saved
    n_saved += 1
    save(content, path, metadata=metadata)
    if n_saved == 4:
        os.truncate(path, path.stat().st_size // 2)
        os.kill(os.getpid(), signal.SIGKILL)

for line in sys.stdin:
    child = os.fork()
    if child == 0:
        if line.strip() == "half":
            checkpoint.save_file = save_half
        train_model(study, results, "parts", 0)
        os._exit(0)
    print(child, flush=True)
    print(os.waitpid(child, 0)[1], flush=True)
"""


@pytest.fixture
def study(make_study: Callable[..., Study]) -> Study:
    study = make_study(epochs=8, threads=1, keep="best", mixup=0.2)
    parts = study.model("parts").model_copy(update={"blank_share": 0.2})
    return study.model_copy(update={"models": [parts]})


@pytest.fixture
def server(study: Study, results: Results, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    file = tmp_path / "study.toml"
    file.write_text(dump_study(study))
    command = [sys.executable, "-c", SERVER, str(file), str(results.root)]
    running = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    yield running
    running.stdin.close()
    running.wait(timeout=60)


@pytest.mark.parametrize("n_kills", [3, pytest.param(20, marks=pytest.mark.slow)])
def test_killed_at_random_moments_the_final_file_is_the_same(
    n_kills: int, study: Study, results: Results, server: subprocess.Popen[str]
) -> None:
    start = time.monotonic()
    final = train_model(study, results, "parts", 0)
    seconds = time.monotonic() - start
    expected = final.read_bytes()
    rng, n_killed = random.Random(n_kills), 0
    while n_killed < n_kills:
        final.unlink(missing_ok=True)
        child = _start(server)
        time.sleep(rng.uniform(0, seconds / 3))
        n_killed += _kill(child, server, final)
    train_model(study, results, "parts", 0)
    assert final.read_bytes() == expected
    assert [path.name for path in final.parent.glob("*.safetensors")] == ["final.safetensors"]


def test_killed_while_it_writes_the_final_file_is_the_same(
    study: Study, results: Results, server: subprocess.Popen[str]
) -> None:
    final = train_model(study, results, "parts", 0)
    expected = final.read_bytes()
    final.unlink()
    _start(server, "half")
    assert int(server.stdout.readline()) == signal.SIGKILL
    halves = list(final.parent.glob(".partial-*-unfinished.safetensors"))
    assert len(halves) == 1
    assert train_model(study, results, "parts", 0).read_bytes() == expected
    assert [path.name for path in final.parent.glob("*.safetensors")] == ["final.safetensors"]


def _start(server: subprocess.Popen[str], how: str = "whole") -> int:
    """Start a training; return its process."""
    server.stdin.write(f"{how}\n")
    server.stdin.flush()
    return int(server.stdout.readline())


def _kill(child: int, server: subprocess.Popen[str], final: Path) -> bool:
    """Kill a training; return whether it had not ended by itself before, rightly then."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    status = int(server.stdout.readline())
    assert status == signal.SIGKILL or (status == 0 and final.is_file())
    return status == signal.SIGKILL
