"""The network that learns its own mask: what streams see, what priors ask for, what it learns."""

from __future__ import annotations

import pandas as pd
import pytest
import torch
from torch import Tensor

from models.architectures import build_network
from models.frames import FrameCache
from models.network_frames import views_of
from models.soft_mask import SoftMaskNet, mask_agreement, prior, unlike, without
from models.views import MASKS
from study.fields import Model, SoftMask

SIDE, N_CLASSES = 32, 3
CPU = torch.device("cpu")


def _network(**soft_mask: object) -> SoftMaskNet:
    model = Model(
        name="net", architecture="soft_mask", backbone="tiny", soft_mask=SoftMask(**soft_mask)
    )
    return build_network(model, N_CLASSES, SIDE, seed=0)


def _scenes(n: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Draw red discs on green stripes: frames (n, 3, S, S), masks (n, 1, S, S), classes (n,).

    The size of the disc tells the class, and so does the width of the stripes.
    """
    generator = torch.Generator().manual_seed(seed)
    classes = torch.randint(N_CLASSES, (n,), generator=generator)
    rows, columns = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    x, y = torch.randint(9, SIDE - 9, (2, n, 1, 1), generator=generator)
    near = (rows - y) ** 2 + (columns - x) ** 2 <= (5 + classes[:, None, None]) ** 2
    stripes = ((columns // (2 + classes[:, None, None])) % 2).float() * 0.4 + 0.2
    frames = torch.zeros(n, 3, SIDE, SIDE)
    frames[:, 1] = stripes.expand(n, SIDE, SIDE) * ~near
    frames[:, 0] = 0.8 * near
    noise = torch.rand(frames.shape, generator=generator) * 0.1
    return frames + noise, near[:, None].float(), classes


def _train(network: SoftMaskNet, n_steps: int, supervised: bool) -> None:
    # On frames as small as these a second thread costs more than it brings.
    torch.set_num_threads(1)
    optimizer = torch.optim.AdamW(network.parameters(), 0.004)
    network.train()
    for step in range(n_steps):
        frames, masks, classes = _scenes(24, seed=step)
        seen = {"whole": frames} | ({MASKS: masks.expand(-1, 3, -1, -1)} if supervised else {})
        outputs = network(seen)
        penalty = outputs.pop("mask")
        loss = penalty + sum(
            torch.nn.functional.cross_entropy(scores, classes) for scores in outputs.values()
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def _agreement(network: SoftMaskNet) -> float:
    """Return the mean intersection over union on new scenes, by `mask_agreement`."""
    frames, masks, _ = _scenes(40, seed=10_000)
    as_bytes = (frames.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).numpy()
    truth = (masks * 255).byte().permute(0, 2, 3, 1).numpy()
    clips = pd.DataFrame({"start": range(40), "n_frames": 1, "split": "validation"})
    cache = FrameCache(clips, {"body_background": as_bytes, MASKS: truth})
    return mask_agreement(network, cache, clips, CPU)


def test_it_needs_masks_to_train_and_none_to_read() -> None:
    conditions = ["body_background", "body_only"]
    supervised, alone = _network(), _network(supervised=False)
    assert views_of(supervised, conditions, to_train=True) == [*conditions, MASKS]
    assert views_of(supervised, conditions, to_train=False) == conditions
    assert views_of(alone, conditions, to_train=True) == conditions
    assert supervised.readings("body_only") == {
        "blank": {"whole": "body_only"},
        "drop": {"body": "body_only"},
    }
    both = {"whole": "body_background"}
    assert supervised.readings("body_background") == {"blank": both, "drop": both}
    outputs = supervised.eval()({"whole": torch.rand(2, 3, SIDE, SIDE)})
    assert set(outputs) == {"body", "background", "combined"}
    assert all(scores.shape == (2, N_CLASSES) for scores in outputs.values())
    alone = supervised({"background": torch.rand(2, 3, SIDE, SIDE)})
    assert set(alone) == {"background", "combined"}
    assert set(supervised.pictures()) == {"body", "background"}


def test_a_sharp_mask_shows_each_stream_its_part_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    network = _network().eval()
    frames, masks, _ = _scenes(2, seed=1)
    monkeypatch.setattr(network.head, "forward", lambda _: (masks - 0.5) * 200)
    seen: dict[str, Tensor] = {}
    monkeypatch.setattr(network.parts, "forward", lambda parts: seen.update(parts) or {})
    network({"whole": frames})
    body = masks.expand(-1, 3, -1, -1).bool()
    torch.testing.assert_close(seen["body"][body], frames[body])
    assert not seen["body"][~body].any()
    torch.testing.assert_close(seen["background"][~body], frames[~body])
    hole = seen["background"][:, 0][masks[:, 0].bool()]
    assert hole.max() < 0.15, "nothing of the red body is left in the background"


def test_a_hole_is_filled_with_what_is_around() -> None:
    frames = torch.full((1, 3, SIDE, SIDE), 0.25)
    frames[..., SIDE // 2 :] = 0.75
    mask = torch.zeros(1, 1, SIDE, SIDE)
    mask[..., 12:20, 4:10] = 1
    mask[..., 12:20, 22:28] = 1
    changed = frames.clone()
    changed[mask.expand_as(frames).bool()] = 9.0
    torch.testing.assert_close(without(changed, mask), frames, atol=0.05, rtol=0)
    torch.testing.assert_close(without(frames, torch.zeros_like(mask)), frames)
    # Sides that are not powers of two, and a frame that is all hole.
    odd = torch.rand(1, 3, 27, 27)
    assert without(odd, torch.ones(1, 1, 27, 27)).isfinite().all()


def test_masks_that_fit_cost_nothing() -> None:
    truth = torch.zeros(2, 1, 8, 8)
    truth[..., 2:5, 2:5] = 1
    sure = (truth - 0.5) * 100
    assert unlike(sure, truth) < 1e-3
    assert unlike(-sure, truth) > 10
    # At a half everywhere: log 2, and Dice of 18 pixels against 128 halves.
    even = unlike(torch.zeros_like(truth), truth).item()
    dice = (2 * 9 + 1) / (64 + 18 + 1)
    assert even == pytest.approx(0.6931 + 1 - dice, abs=1e-3)


def test_priors_draw_to_an_area_with_edges_where_the_frame_has_them() -> None:
    settings = SoftMask(supervised=False, area=0.25, smoothness=1.0)
    frames = torch.zeros(1, 3, 8, 8)
    frames[..., 4:, :4] = 1.0
    quarter = torch.zeros(1, 1, 8, 8)
    quarter[..., 4:, :4] = 1.0
    along_edges = prior(quarter, frames, settings).item()
    elsewhere = prior(quarter.roll(2, dims=3), frames, settings).item()
    assert along_edges == pytest.approx(0, abs=1e-3) and elsewhere > along_edges + 0.05
    # Twice the area: the relative error is 1; no edges; all decided.
    half = torch.zeros(1, 1, 8, 8)
    half[..., 4:, :] = 1.0
    twice = prior(half, frames, SoftMask(area=0.25, smoothness=0)).item()
    assert twice == pytest.approx(1, abs=1e-5)
    # A veil of the right area is no mask.
    veil = prior(torch.full((1, 1, 8, 8), 0.25), frames, settings).item()
    assert veil == pytest.approx(1, abs=1e-5)


def test_supervised_masks_do_not_learn_from_the_answers() -> None:
    frames, masks, classes = _scenes(4, seed=0)
    for network, learns in ((_network(), False), (_network(supervised=False), True)):
        outputs = network({"whole": frames, MASKS: masks})
        torch.nn.functional.cross_entropy(outputs["body"], classes).backward()
        assert (network.head.threshold.grad is not None) == learns


def test_the_supervised_mask_finds_the_body() -> None:
    network = _network()
    assert _agreement(network) < 0.3
    _train(network, n_steps=60, supervised=True)
    assert _agreement(network) > 0.85


def test_the_unsupervised_mask_has_the_area_that_it_is_drawn_to() -> None:
    network = _network(supervised=False, area=0.3)
    _train(network, n_steps=60, supervised=False)
    frames, _, _ = _scenes(40, seed=10_000)
    masks = network.eval().masks(frames)
    assert masks.mean().item() == pytest.approx(0.3, abs=0.06)
    assert (4 * masks * (1 - masks)).mean() < 0.4, "most of it is decided"
