"""Batch normalisation over several processes is torch's own over the whole batch."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import torch
from torch import nn

from models.shared_norms import SharedBatchNorm, share_norms

ROOT = Path(__file__).parents[2]

# Three processes with unequal shares of 13 rows; the reference is torch's layer on all of them.
COMPARE = """
import torch
from timm.layers import BatchNormAct2d
from torch import distributed, nn, testing
from models.shared_norms import share_norms

torch.set_num_threads(1)
distributed.init_process_group("gloo")
rank, count, edges = distributed.get_rank(), distributed.get_world_size(), [0, 3, 9, 13]

def build():
    torch.manual_seed(1)
    flat = [nn.Flatten(), nn.BatchNorm1d(16, momentum=None), nn.Linear(16, 3)]
    return nn.Sequential(nn.Conv2d(3, 4, 3), BatchNormAct2d(4), nn.Conv2d(4, 4, 3), *flat)

frames = torch.randn(13, 3, 6, 6, generator=torch.Generator().manual_seed(2))
whole = build()
there = share_norms(build(), torch.device("cpu"))
assert list(there.state_dict()) == list(whole.state_dict())
for _ in range(2):
    whole.zero_grad(), there.zero_grad()
    whole(frames).pow(3).sum().backward()
    there(frames[edges[rank] : edges[rank + 1]]).pow(3).sum().backward()
for mine, theirs in zip(there.parameters(), whole.parameters(), strict=True):
    distributed.all_reduce(mine.grad)
    testing.assert_close(mine.grad, theirs.grad, rtol=1e-4, atol=1e-4)
for mine, theirs in zip(there.buffers(), whole.buffers(), strict=True):
    testing.assert_close(mine, theirs)
testing.assert_close(there.eval()(frames), whole.eval()(frames))
distributed.barrier()
distributed.destroy_process_group()
"""


def test_gradients_and_statistics_are_those_of_the_whole_batch(tmp_path: Path) -> None:
    script = tmp_path / "compare.py"
    script.write_text(COMPARE)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=3"]
    run = subprocess.run(
        [*command, str(script)],
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr


def test_on_cuda_torch_has_its_own() -> None:
    cuda, cpu = torch.device("cuda"), torch.device("cpu")
    assert isinstance(share_norms(nn.BatchNorm2d(2), cuda), nn.SyncBatchNorm)
    network = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.BatchNorm1d(2)))
    weight = network[1][0].weight
    assert isinstance(share_norms(network, cpu)[1][0], SharedBatchNorm)
    assert network[1][0].weight is weight


def test_who_validates_alone_waits_for_nobody() -> None:
    """Without running statistics torch's layer uses those of the batch when it is read, too."""
    layer = nn.BatchNorm1d(2, track_running_stats=False)
    frames = torch.arange(8.0).view(4, 2)
    expected = layer.eval()(frames)
    # No processes were joined: whatever asks them raises.
    torch.testing.assert_close(SharedBatchNorm(layer).eval()(frames), expected)
