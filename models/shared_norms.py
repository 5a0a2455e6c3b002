"""Batch normalisation by the whole batch, where each process holds some rows of it.

torch has that on CUDA, for its own layers. Here are the CPU, and layers of other packages that
do more than normalise.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn.modules.batchnorm import _BatchNorm

OF_TORCH = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


class _SumOfAll(torch.autograd.Function):
    """The sum over processes; each one's gradient is the sum of those of all who used the sum."""

    @staticmethod
    def forward(context: Any, values: Tensor) -> Tensor:
        total = values.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        total = gradient.clone()
        distributed.all_reduce(total)
        return total


class SharedBatchNorm(_BatchNorm):
    """Normalises by the mean and variance of the rows of all processes.

    Variances are means of squared distances from the mean of all rows (two sums over processes):
    the difference of mean squares would lose digits.

    Parameters
    ----------
    like : BatchNorm
        The layer to stand for; its weights, statistics and what it does afterwards are used here,
        under their old names.
    """

    def __init__(self, like: _BatchNorm) -> None:
        super().__init__(
            like.num_features, like.eps, like.momentum, like.affine, like.track_running_stats
        )
        self._parameters.update(like._parameters)
        self._buffers.update(like._buffers)
        # timm's layers drop and activate, too.
        self._modules.update(like._modules)
        self.training = like.training

    def forward(self, frames: Tensor) -> Tensor:
        """Normalise (B, C, ...)."""
        # Only training is done by all at once: whoever validates alone would wait for the others.
        seen = self._shared(frames) if self.training else super().forward(frames)
        for further in self.children():
            seen = further(seen)
        return seen

    def _shared(self, frames: Tensor) -> Tensor:
        values = frames.float()
        others = [axis for axis in range(values.ndim) if axis != 1]
        shape = [1, -1] + [1] * (values.ndim - 2)
        n_here = values.new_tensor([values.numel() / values.shape[1]])
        *_, n_all = sums = _SumOfAll.apply(torch.cat([values.sum(others), n_here]))
        mean = sums[:-1] / n_all.detach()
        centered = values - mean.view(shape)
        variance = _SumOfAll.apply(centered.square().sum(others)) / n_all.detach()
        if self.track_running_stats:
            self._remember(mean.detach(), variance.detach() * (n_all / (n_all - 1)).detach())
        seen = centered * (variance + self.eps).rsqrt().view(shape)
        if self.affine:
            seen = seen * self.weight.view(shape) + self.bias.view(shape)
        return seen.to(frames.dtype)

    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        """Move the running statistics towards a batch's, as torch does."""
        self.num_batches_tracked.add_(1)
        share = 1 / self.num_batches_tracked.item() if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(variance, share)

    def _check_input_dim(self, frames: Tensor) -> None:
        """Accept any number of dimensions, as torch's layer for several processes."""


def share_norms(module: nn.Module, device: torch.device) -> nn.Module:
    """Let the layers of a network that normalise by batches do so across processes.

    Parameters
    ----------
    module : Module
        Is changed.
    device : torch.device
        Where it will run.

    Returns
    -------
    Module
        The network, or what stands for it if it is such a layer itself; weights keep their names.
    """
    if isinstance(module, _BatchNorm):
        by_torch = device.type == "cuda" and isinstance(module, OF_TORCH)
        by_torch = by_torch and type(module).forward is _BatchNorm.forward
        if by_torch:
            return nn.SyncBatchNorm.convert_sync_batchnorm(module)
        return SharedBatchNorm(module)
    for name, child in module.named_children():
        setattr(module, name, share_norms(child, device))
    return module
