"""Optical flow by RAFT (Teed & Deng, 2020), torchvision's, with weights from a file."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torchvision.models.optical_flow import raft_large, raft_small

from models.devices import pick_device
from models.weights import read_weights
from study.errors import StudyError

PAIRS_AT_ONCE = 8
# RAFT halves its frames three times, and four times more for the coarsest of its correlations.
STRIDE, LEAST_SIDE = 8, 128

# The names of weights in the authors' repository, and torchvision's for the same layers.
AUTHORS_NAMES = (
    (r"^module\.", ""),
    (r"^fnet\.", "feature_encoder."),
    (r"^cnet\.", "context_encoder."),
    (r"_encoder\.conv1\.", "_encoder.convnormrelu.0."),
    (r"_encoder\.norm1\.", "_encoder.convnormrelu.1."),
    (r"_encoder\.conv2\.", "_encoder.conv."),
    (r"(layer\d\.\d)\.conv(\d)\.", r"\1.convnormrelu\2.0."),
    (r"(layer\d\.\d)\.norm(\d)\.", r"\1.convnormrelu\2.1."),
    (r"update_block\.encoder\.convc(\d)\.", r"update_block.motion_encoder.convcorr\1.0."),
    (r"update_block\.encoder\.convf(\d)\.", r"update_block.motion_encoder.convflow\1.0."),
    (r"update_block\.encoder\.conv\.", "update_block.motion_encoder.conv.0."),
    (r"\.gru\.conv([zrq])\.", r".recurrent_block.convgru1.conv\1."),
    (r"\.gru\.conv([zrq])(\d)\.", r".recurrent_block.convgru\2.conv\1."),
    (r"^update_block\.mask\.0\.", "mask_predictor.convrelu.0."),
    (r"^update_block\.mask\.2\.", "mask_predictor.conv."),
)


class Raft:
    """Finds flow by RAFT, small or large, whichever the weights are of.

    Parameters
    ----------
    weights : Path
        .safetensors or .pth: torchvision's, or those of the authors' repository.
    device : str
        As `training.device`.

    Raises
    ------
    StudyError
        When the file is missing, damaged, holds more than tensors, or is of another network.
    """

    def __init__(self, weights: Path, device: str = "auto") -> None:
        self.device = pick_device(device)
        self.network = load_raft(weights).to(self.device)

    @torch.inference_mode()
    def __call__(self, frames_thwc: np.ndarray) -> np.ndarray:
        """Find flow between frames (T, H, W, 3) uint8: (T - 1, H, W, 2), pixels."""
        height, width = frames_thwc.shape[1:3]
        frames = torch.from_numpy(frames_thwc).to(self.device).permute(0, 3, 1, 2)
        frames = _enlarged(frames.float() / 127.5 - 1)  # (T, 3, H', W') in -1..1
        parts = []
        for start in range(1, len(frames), PAIRS_AT_ONCE):
            later = frames[start : start + PAIRS_AT_ONCE]
            earlier = frames[start - 1 : start - 1 + len(later)]
            # As for DIS: from the later frame back, then turned round.
            parts.append(-self.network(later, earlier)[-1][..., :height, :width].cpu())
        return torch.cat(parts).permute(0, 2, 3, 1).numpy()


def load_raft(weights: Path) -> nn.Module:
    """Load RAFT small or large in evaluation mode; see `Raft`."""
    state = {
        _torchvision_name(name): value
        for name, value in read_weights(weights, field="training.flow_weights").items()
    }
    # The authors' blocks name the norm of a shortcut twice.
    large = any(name.startswith("mask_predictor.") for name in state)
    network = (raft_large if large else raft_small)(weights=None)
    wanted = network.state_dict()
    missing = [name for name in wanted if name not in state]
    wrong = [name for name in wanted if name in state and state[name].shape != wanted[name].shape]
    if missing or wrong:
        raise StudyError(
            f"training.flow_weights, {weights}: expected weights of torchvision's RAFT small or "
            f"large; {len(missing)} of {len(wanted)} are missing and {len(wrong)} of another "
            f"shape, first {(missing + wrong)[0]!r}"
        )
    network.load_state_dict({name: state[name] for name in wanted})
    return network.eval()


def _torchvision_name(name: str) -> str:
    for theirs, ours in AUTHORS_NAMES:
        name = re.sub(theirs, ours, name)
    return name


def _enlarged(frames: Tensor) -> Tensor:
    """Repeat the last row and column until the size is one that RAFT takes."""
    height, width = (max(LEAST_SIDE, -(-side // STRIDE) * STRIDE) for side in frames.shape[-2:])
    extra = (0, width - frames.shape[-1], 0, height - frames.shape[-2])
    return nn.functional.pad(frames, extra, mode="replicate")
