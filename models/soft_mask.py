"""A DomainNet that gets only originals and learns by itself which pixels are body.

A small network turns the frame into a soft mask; the body stream sees what the mask keeps, the
background stream what it leaves, and each has a loss of its own. So no segmenter is needed at test.
"""

from __future__ import annotations

import itertools
from statistics import NormalDist
from typing import ClassVar

import numpy as np
import pandas as pd
import torch
from scipy.special import logit
from torch import Tensor, nn

from models.backbones import Normalize, as_input
from models.domainnet import DomainNet
from models.frames import FrameCache
from models.network import Network
from models.views import MASKS, Reading
from study.conditions import CONDITIONS
from study.fields import Model, SoftMask

# Channels at the frame's side, and at a half, a quarter, an eighth and a sixteenth of it.
WIDTHS = (8, 16, 32, 64, 64)
# Where the frame's brightness changes by this per pixel, an edge of the mask costs a third.
EDGE = 0.1
EPSILON = 1e-4
# From here on a pixel is body.
HALF = 0.5
# Unsupervised: logits per deviation of the frame's scores, so that masks cannot but be decided.
STEEPNESS = 8.0

# The name of the penalty among the terms of the loss.
PENALTY = "mask"


class SoftMaskNet(Network):
    """A mask head before a DomainNet.

    Supervised, the mask learns from the person masks of the training frames alone: the losses of
    the streams do not reach it, and the streams see its parts cut out sharply, at a half. Through
    a faint veil of the scene, which costs the mask little, the body stream would be one of bodies
    in name only: cut out softly, it was at chance on body-only clips with masks that agreed with
    the true ones by 0.67 (intersection over union). Unsupervised, it learns from these losses,
    held by three priors: its area, no edges where the frame has none, and no half-tones. Nothing
    of that says that it shall be the body: where the scene predicts the action, it finds a piece
    of the scene.

    Every version is read as it is: of body-only frames too it takes the mask.
    """

    trained_on: ClassVar[tuple[Reading, ...]] = ({"whole": "body_background"},)

    def __init__(self, settings: Model, n_classes: int, image_size: int) -> None:
        super().__init__(settings, n_classes, image_size)
        self.head = MaskHead(settings.soft_mask)
        self.parts = DomainNet(settings, n_classes, image_size)
        if settings.soft_mask.supervised:
            self.trained_on = ({**type(self).trained_on[0], MASKS: MASKS},)

    def readings(self, condition: str) -> dict[str, Reading]:
        """Say what it sees of a version: that version, as it is.

        Where a part is absent, both streams see what the mask makes of the version ("blank"), or
        the stream of the absent part is not read ("drop").
        """
        as_it_is = {"whole": condition}
        if self.parts.fusion.needs_all:
            return {"blank": as_it_is}
        present = {"body": "background", "background": "body", "": "whole"}
        return {"blank": as_it_is, "drop": {present[CONDITIONS[condition].lacks]: condition}}

    def forward(self, frames: dict[str, Tensor]) -> dict[str, Tensor]:
        """Score frames by the body that it finds, by the background, and by both.

        Parameters
        ----------
        frames : dict of str to Tensor
            "whole": (B, 3, S, S) in 0..1; in its place "body" or "background", of which that
            part alone is read; "masks" likewise, 1 on the body, in training where it is
            supervised.

        Returns
        -------
        dict of str to Tensor
            The scores (B, n_classes) of the parts read and "combined"; in training also the
            penalty "mask", a number.
        """
        stream, whole = next((name, seen) for name, seen in frames.items() if name != MASKS)
        logits = self.head(whole)  # (B, 1, S, S)
        mask = logits.sigmoid()
        seen = mask if not self.settings.soft_mask.supervised else (mask.detach() >= HALF).float()
        parts = {}
        if stream != "background":
            parts["body"] = seen * whole
        if stream != "body":
            parts["background"] = without(whole, seen)
        scores = self.parts(parts)
        if not self.training:
            return scores
        return {**scores, PENALTY: self._penalty(logits, mask, frames)}

    def masks(self, frames: Tensor) -> Tensor:
        """Return how much of each pixel it takes for body: (B, 3, S, S) to (B, 1, S, S)."""
        return self.head(frames).sigmoid()

    def pictures(self) -> dict[str, nn.Module]:
        """Return the streams of the two parts: what they see are the parts that it cuts out."""
        return self.parts.pictures()

    def _penalty(self, logits: Tensor, mask: Tensor, frames: dict[str, Tensor]) -> Tensor:
        settings = self.settings.soft_mask
        if settings.supervised:
            return settings.weight * unlike(logits, frames[MASKS][:, :1])
        return settings.weight * prior(mask, frames["whole"], settings)


class MaskHead(nn.Module):
    """A small U-Net (Ronneberger et al., 2015), down to a sixteenth of the frame's side and back.

    Parameters
    ----------
    settings : SoftMask
        `area` is about the share of the frame that the mask covers before it has learnt anything.
        Unsupervised, logits are standardised over every frame: else the best mask of a given area
        is an even veil, through which the body stream sees everything, faintly.
    """

    def __init__(self, settings: SoftMask) -> None:
        super().__init__()
        self.standardized = not settings.supervised
        self.normalize = Normalize()
        n_in = (3, *WIDTHS[:-1])
        self.down = nn.ModuleList(
            _block(n, width, stride=1 if n == 3 else 2)
            for n, width in zip(n_in, WIDTHS, strict=True)
        )
        self.up = nn.ModuleList(
            _block(coarse + fine, fine, stride=1) for fine, coarse in itertools.pairwise(WIDTHS)
        )
        self.out = nn.Conv2d(WIDTHS[0], 1, 1, bias=False)
        share = min(max(settings.area, 0.01), 0.99)
        start = STEEPNESS * NormalDist().inv_cdf(share) if self.standardized else logit(share)
        self.threshold = nn.Parameter(torch.tensor(float(start)))

    def forward(self, frames: Tensor) -> Tensor:
        """Turn frames (B, 3, S, S) in 0..1 into logits of "body" (B, 1, S, S)."""
        levels = [self.normalize(frames)]
        for block in self.down:
            levels.append(block(levels[-1]))
        x = levels.pop()
        for block in reversed(self.up):
            finer = levels.pop()
            x = block(torch.cat([_resized(x, finer), finer], dim=1))
        z = self.out(x).float()
        if self.standardized:
            sd, mean = torch.std_mean(z, dim=(1, 2, 3), keepdim=True)
            z = STEEPNESS * (z - mean) / (sd + EPSILON)
        return z + self.threshold


def without(frames: Tensor, mask: Tensor) -> Tensor:
    """Take the masked part out of frames and put in what is around.

    The surround is averaged at ever coarser scales until it covers the hole, and comes in smoothly
    (pull-push; Gortler et al., 1996). A black hole would show the background stream the outline of
    the body, which tells the action.

    Parameters
    ----------
    frames : Tensor
        (B, 3, S, S).
    mask : Tensor
        (B, 1, S, S) in 0..1, 1 where the frame is taken out.

    Returns
    -------
    Tensor
        (B, 3, S, S).
    """
    return _filled(frames, 1 - mask)


def unlike(logits: Tensor, truth: Tensor) -> Tensor:
    """Return how unlike a predicted mask is to the true one: cross-entropy plus 1 - Dice.

    Both are (B, 1, S, S), the truth in 0..1; Dice is taken over the pixels of the batch, so that
    a frame without a body asks for an empty mask and no more.
    """
    entropy = nn.functional.binary_cross_entropy_with_logits(logits, truth)
    mask = logits.float().sigmoid()
    dice = (2 * (mask * truth).sum() + 1) / (mask.sum() + truth.sum() + 1)
    return entropy + 1 - dice


def prior(mask: Tensor, frames: Tensor, settings: SoftMask) -> Tensor:
    """Return how far masks (B, 1, S, S) are from what a body's might be, without knowing it.

    The sum of: the squared relative error of the mean area, per frame; the mask's gradient where
    the frame (B, 3, S, S) has none, weighed by exp(-gradient / EDGE) as for depth maps (Godard et
    al., 2017), times `smoothness`; and m (1 - m) as a share of what an even veil of that area has.
    """
    error = (mask.mean(dim=(1, 2, 3)) - settings.area) / max(settings.area, EPSILON)
    rough = 0.0
    for axis in (2, 3):
        edges = frames.diff(dim=axis).abs().mean(dim=1, keepdim=True)
        rough = rough + (mask.diff(dim=axis).abs() * torch.exp(-edges / EDGE)).mean()
    veil = max(settings.area * (1 - settings.area), EPSILON)
    undecided = (mask * (1 - mask)).mean() / veil
    return error.square().mean() + settings.smoothness * rough + undecided


@torch.inference_mode()
def mask_agreement(
    network: SoftMaskNet, cache: FrameCache, clips: pd.DataFrame, device: torch.device
) -> float:
    """Return the mean intersection over union of learnt and true masks, over frames.

    Masks are taken as body from a half on. One frame of each clip is looked at, the middle one.

    Parameters
    ----------
    network : SoftMaskNet
    cache : FrameCache
        Opened with the view of the masks.
    clips : DataFrame
        Rows of `cache.clips`.
    device : torch.device
        Where the network is.
    """
    network.eval()
    found = []
    for clip in clips.itertuples():
        position = np.array([clip.start + clip.n_frames // 2])
        frame = as_input(torch.from_numpy(cache.take("body_background", position)), device)
        learnt = network.masks(frame)[0, 0].cpu().numpy() >= HALF
        true = cache.take(MASKS, position)[0, ..., 0] >= 128
        union = (learnt | true).sum()
        found.append((learnt & true).sum() / union if union else 1.0)
    return float(np.mean(found))


def _block(n_in: int, n_out: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(n_in, n_out, 3, stride, padding=1, bias=False),
        nn.BatchNorm2d(n_out),
        nn.ReLU(inplace=True),
    )


def _resized(x: Tensor, like: Tensor) -> Tensor:
    return nn.functional.interpolate(x, like.shape[-2:], mode="bilinear", align_corners=False)


def _filled(frames: Tensor, known: Tensor) -> Tensor:
    """Fill frames where they are not known (0) from their coarser selves."""
    side = frames.shape[-1]
    coarse = nn.functional.avg_pool2d(known, 2, ceil_mode=True)
    mean = nn.functional.avg_pool2d(frames * known, 2, ceil_mode=True) / (coarse + EPSILON)
    behind = mean if side <= 2 else _filled(mean, coarse)
    return known * frames + (1 - known) * _resized(behind, frames)
