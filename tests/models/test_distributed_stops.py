"""Trainings that a cluster stops, or that lose a process, say so soon and lose nothing."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from models.stopping import StopRequest
from study.config import Study, dump_study
from study.results import Results

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

TRAIN = """
import logging, sys
from datetime import timedelta
from pathlib import Path
from models import distributed
from models.train import train_model
from study.config import load_study
from study.errors import StudyError
from study.results import Results

logging.basicConfig(level=logging.INFO, format="%(message)s")
distributed.STEP_PATIENCE = timedelta(seconds=float(sys.argv[3]))
try:
    train_model(load_study(Path(sys.argv[1])), Results(Path(sys.argv[2])), "parts", 0)
except StudyError as error:
    sys.exit(f"error: {error}")
"""

PATIENCE_S = 20.0


class Started:
    """Processes that train together, started without anyone who looks after them."""

    def __init__(self, study: Path, results: Results, count: int) -> None:
        self.results = results
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        here = {
            "OMP_NUM_THREADS": "1",
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port),
            "WORLD_SIZE": str(count),
        }
        command = [sys.executable, "-c", TRAIN, str(study), str(results.root), str(PATIENCE_S)]
        self.all = [
            subprocess.Popen(
                command,
                cwd=study.parent,
                env=os.environ | here | {"RANK": str(rank), "PYTHONPATH": f"{ROOT}:{study.parent}"},
                stderr=subprocess.PIPE,
                text=True,
            )
            for rank in range(count)
        ]

    def wait_for_epochs(self, n: int) -> None:
        """Return when the learning curve has so many more rows."""
        curve, end_s = self.results.learning_curve("parts", 0), time.monotonic() + 120
        while not curve.is_file() or curve.read_text().count("\n") < n + 1:
            assert time.monotonic() < end_s and self.all[0].poll() is None, self.all[0].stderr
            time.sleep(0.02)

    def ended(self, seconds: float = 120) -> list[tuple[int, str]]:
        """Wait for all; return how each ended and what it said."""
        said = [each.communicate(timeout=seconds)[1] for each in self.all]
        return [(each.returncode, text) for each, text in zip(self.all, said, strict=True)]


@pytest.fixture
def start(
    results: Results, make_study: Callable[..., Study], tmp_path: Path
) -> Iterator[Callable[[int], Started]]:
    study = make_study(epochs=30, batches_per_epoch=30, threads=1, keep="best", mixup=0.2)
    model = study.model("parts").model_copy(update={"backbone": "plain_net:Plain"})
    study = study.model_copy(update={"models": [model]})
    (tmp_path / "plain_net.py").write_bytes((HERE / "plain_net.py").read_bytes())
    file = tmp_path / "study.toml"
    file.write_text(dump_study(study))
    running: list[Started] = []

    def started(count: int) -> Started:
        running.append(Started(file, results, count))
        return running[-1]

    yield started
    for process in (process for each in running for process in each.all):
        process.kill()
        process.wait()


@pytest.mark.parametrize("count", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_stopped_by_the_cluster_it_goes_on_from_the_very_step(
    start: Callable[[int], Started], results: Results, count: int
) -> None:
    whole = start(count)
    assert [code for code, _ in whole.ended()] == [0] * count
    final = results.checkpoint("parts", 0)
    expected = final.read_bytes()
    final.unlink()
    results.learning_curve("parts", 0).unlink()
    stopped = start(count)
    stopped.wait_for_epochs(2)
    for process in stopped.all:
        process.send_signal(signal.SIGTERM)
    ends = stopped.ended()
    assert [code for code, _ in ends] == [128 + signal.SIGTERM] * count
    step = ends[0][1].split("stopped by the cluster at step ")[1].split(";")[0]
    assert int(step) >= 60
    resumed = start(count).ended()
    assert f"goes on after step {step}\n" in resumed[0][1]
    assert final.read_bytes() == expected


@pytest.mark.slow
@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGSTOP])
def test_the_others_say_that_one_is_lost(
    start: Callable[[int], Started], results: Results, by: signal.Signals
) -> None:
    whole = start(4)
    whole.ended()
    final = results.checkpoint("parts", 0)
    expected = final.read_bytes()
    final.unlink()
    results.learning_curve("parts", 0).unlink()
    broken = start(4)
    broken.wait_for_epochs(2)
    lost = broken.all.pop(2)
    lost.send_signal(by)
    lost_s = time.monotonic()
    for code, said in broken.ended():
        assert code == 1
        assert "of 4 lost another one" in said
        assert "it goes on from the state that was saved last" in said
    took_s = time.monotonic() - lost_s
    assert took_s < (10 if by == signal.SIGKILL else PATIENCE_S + 15)
    lost.kill()
    lost.communicate()
    assert [code for code, _ in start(4).ended()] == [0] * 4
    assert final.read_bytes() == expected


def test_work_that_may_be_left_is_left_at_once() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with StopRequest() as stop:
        assert stop.unless_it_comes(lambda: 3) == 3
        assert not stop.came
        start_s = time.monotonic()

        def long() -> int:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(30)
            return 4

        assert stop.unless_it_comes(long) is None
        assert time.monotonic() - start_s < 10
        assert stop.came
        # A second one, as srun and SLURM send it both, changes nothing.
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.unless_it_comes(lambda: 3) is None
    assert signal.getsignal(signal.SIGTERM) == before
