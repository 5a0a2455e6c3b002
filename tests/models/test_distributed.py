"""Several processes learn as one does."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from safetensors.torch import load_file
from torch import testing

from models.distributed import Processes, join_processes
from models.train import train_model
from study.config import Study, dump_study
from study.errors import StudyError
from study.results import Results

ROOT = Path(__file__).parents[2]

# Batch statistics are those of a process's own rows on a CPU: a network without them is comparable.
PLAIN = """
from torch import nn

class Plain(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 12, 5, stride=4), nn.GroupNorm(2, 12), nn.ReLU(), nn.Flatten()
        )
        self.n_features = 12 * 7 * 7

    def forward(self, frames):
        return self.layers(frames)
"""


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


def test_two_processes_learn_as_one_does(
    results: Results, make_study: Callable[..., Study], tmp_path: Path
) -> None:
    (tmp_path / "plain_net.py").write_text(PLAIN)
    # Blank frames make the number of frames that a term counts differ between the processes.
    study = make_study(epochs=2, threads=1, mixup=0.3, lr=1e-3)
    model = study.model("parts").model_copy(
        update={
            "backbone": "plain_net:Plain",
            "blank_share": 0.5,
            "losses": {"background": 0.5, "combined": 2.0},
        }
    )
    study = study.model_copy(update={"models": [model]})
    (tmp_path / "study.toml").write_text(dump_study(study))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        final = train_model(study, results, "parts", 0)
    alone, curve = load_file(final), pd.read_csv(results.learning_curve("parts", 0))
    final.unlink()
    run = _torchrun(tmp_path, "train", "study.toml", "--results", str(results.root))
    assert run.returncode == 0, run.stderr
    assert run.stderr.count("2 processes train together") == 1
    together = pd.read_csv(results.learning_curve("parts", 0))
    changing = ["images_per_s", "memory_mib"]
    pd.testing.assert_frame_equal(
        together.drop(columns=changing), curve.drop(columns=changing), rtol=1e-4
    )
    assert curve["loss"].iloc[1] < 0.95 * curve["loss"].iloc[0]
    for name, value in load_file(final).items():
        testing.assert_close(value, alone[name], rtol=1e-3, atol=1e-5)


def _torchrun(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    return subprocess.run(
        [*command, "-m", "bodyscene", *arguments],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": f"{ROOT}:{folder}"},
        capture_output=True,
        text=True,
        timeout=300,
    )
