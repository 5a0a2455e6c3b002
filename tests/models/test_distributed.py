"""Several processes learn as one does."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest
from safetensors.torch import load_file
from torch import testing

from models.distributed import Processes, join_processes, own_gpu
from models.rendezvous import connect
from models.train import train_model
from study.config import Study, dump_study
from study.errors import StudyError
from study.launch import Launch
from study.results import Results

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SLOW = pytest.mark.slow


def test_rows_are_shared_in_whole_pairs() -> None:
    for n_rows, count in ((16, 2), (10, 3), (7, 2)):
        rows = [Processes(rank, count).rows(n_rows) for rank in range(count)]
        assert [at for each in rows for at in range(n_rows)[each]] == list(range(n_rows))
        assert all(each.start % 2 == 0 for each in rows)
    assert Processes().rows(1) == slice(0, 1)
    with pytest.raises(StudyError, match=r"batch_size = 3 is shared by 2 processes; .* least 4"):
        Processes(0, 2).rows(3)


def test_alone_without_torchrun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert join_processes("auto") == Processes()
    assert Processes().from_first({"a": 1}) == {"a": 1}


@pytest.mark.parametrize(
    ("local_rank", "n_visible", "number"), [(0, 4, 0), (3, 4, 3), (0, 1, 0), (3, 1, 0)]
)
def test_own_gpu_among_all_or_alone(local_rank: int, n_visible: int, number: int) -> None:
    assert own_gpu(local_rank, n_visible) == number


@pytest.mark.parametrize("n_visible", [0, 2])
def test_fewer_gpus_than_processes(n_visible: int) -> None:
    with pytest.raises(StudyError, match=f"process 3 on this machine finds {n_visible} GPUs"):
        own_gpu(2, n_visible)


def test_a_first_machine_that_nobody_knows() -> None:
    launch = Launch(1, 2, 0, "srun", "no-such-machine.invalid", 23_456)
    with pytest.raises(StudyError, match=r"'no-such-machine.invalid'.*Set MASTER_ADDR"):
        connect(launch, timedelta(seconds=5), timedelta(seconds=5))


def test_a_port_that_is_taken() -> None:
    with socket.socket() as other:
        other.bind(("", 0))
        other.listen()
        port = other.getsockname()[1]
        launch = Launch(0, 2, 0, "srun", "127.0.0.1", port)
        with pytest.raises(StudyError, match=rf"1 of 2 .*{port} is taken .* MASTER_PORT"):
            connect(launch, timedelta(seconds=5), timedelta(seconds=5))


def test_a_process_that_never_comes() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    launch = Launch(1, 2, 0, "srun", "127.0.0.1", port)
    with pytest.raises(StudyError, match=rf"2 of 2 .*127.0.0.1:{port}.* GLOO_SOCKET_IFNAME"):
        connect(launch, timedelta(seconds=1), timedelta(seconds=1))


@pytest.mark.parametrize(
    "said",
    [
        "[../third_party/gloo/gloo/transport/tcp/pair.cc:547] Connection closed by peer [::1]:29",
        "Wait timeout",
        "Application timeout caused pair closure",
    ],
)
def test_a_lost_process_is_known_by_what_gloo_says(said: str) -> None:
    lost = pytest.raises(StudyError, match="2 of 4 lost another one")
    with lost, Processes(1, 4).losses_in_words():
        raise RuntimeError(said)
    with pytest.raises(RuntimeError, match="shapes"), Processes(1, 4).losses_in_words():
        raise RuntimeError("shapes differ")


@pytest.mark.parametrize("count", [2, pytest.param(4, marks=SLOW)])
@pytest.mark.parametrize("backbone", ["plain_net:Plain", pytest.param("tiny", marks=SLOW)])
@pytest.mark.parametrize("by", ["torchrun", pytest.param("srun", marks=SLOW)])
def test_several_processes_learn_as_one_does(
    results: Results,
    make_study: Callable[..., Study],
    tmp_path: Path,
    by: str,
    backbone: str,
    count: int,
) -> None:
    if by == "srun" and not _can_srun(count):
        pytest.skip("no SLURM here that starts so many tasks at once")
    (tmp_path / "plain_net.py").write_bytes((HERE / "plain_net.py").read_bytes())
    # Blank frames make the number of frames that a term counts differ between the processes. With
    # batch normalisation rounding grows with every step, on one process with two threads as well:
    # few steps keep it small, and no optimizer that divides gradients by their size.
    is_plain = backbone != "tiny"
    steps = {"lr": 1e-3} if is_plain else {"optimizer": "sgd", "lr": 1e-5, "batches_per_epoch": 4}
    study = make_study(epochs=2, threads=1, mixup=0.3, **steps)
    model = study.model("parts").model_copy(
        update={
            "backbone": backbone,
            "blank_share": 0.5,
            "losses": {"background": 0.5, "combined": 2.0},
        }
    )
    study = study.model_copy(update={"models": [model]})
    (tmp_path / "study.toml").write_text(dump_study(study))
    # Another test's, of another folder, which is gone.
    sys.modules.pop("plain_net", None)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        final = train_model(study, results, "parts", 0)
    alone, curve = load_file(final), pd.read_csv(results.learning_curve("parts", 0))
    final.unlink()
    run = _started(by, count, tmp_path, results)
    assert run.returncode == 0, run.stderr
    assert run.stderr.count(f"{count} processes train together, started by {by}") == 1
    together = pd.read_csv(results.learning_curve("parts", 0))
    changing = ["images_per_s", "memory_mib"]
    pd.testing.assert_frame_equal(
        together.drop(columns=changing), curve.drop(columns=changing), rtol=1e-4
    )
    if is_plain:
        assert curve["loss"].iloc[1] < 0.95 * curve["loss"].iloc[0]
    for name, value in load_file(final).items():
        testing.assert_close(value, alone[name], rtol=1e-3, atol=1e-5 if is_plain else 1e-4)


def _started(by: str, count: int, folder: Path, results: Results) -> subprocess.CompletedProcess:
    if by == "srun":
        command = ["srun", f"--ntasks={count}", "--kill-on-bad-exit=1", sys.executable]
    else:
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
        command.append(f"--nproc_per_node={count}")
    return subprocess.run(
        [*command, "-m", "bodyscene", "train", "study.toml", "--results", str(results.root)],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": f"{ROOT}:{folder}"},
        capture_output=True,
        text=True,
        timeout=300,
    )


def _can_srun(count: int) -> bool:
    if shutil.which("srun") is None:
        return False
    try:
        command = ["srun", "--immediate=20", f"--ntasks={count}", "hostname"]
        return subprocess.run(command, capture_output=True, timeout=60).returncode == 0
    except subprocess.TimeoutExpired:
        return False
