"""The measures of a fill against values known otherwise, and the methods measured with them."""

from __future__ import annotations

import numpy as np
import pytest

from stimuli.holes import grown_masks, holes_of
from stimuli.inpainting import inpainted
from stimuli.inpainting.quality import boundary_visibility, psnr, ssim, texture_ratio
from stimuli.world import ACTIONS, WorldSettings, draw_recipe, render_clip
from study.fields import Versions


def _noisy(level: float, spread: float, shape: tuple[int, ...] = (2, 80, 100)) -> np.ndarray:
    """Return grey frames (T, H, W, 3) of independent noise."""
    grey = np.random.default_rng(3).normal(level, spread, shape)
    return np.repeat(np.rint(grey)[..., np.newaxis], 3, axis=-1).astype(np.uint8)


def _box(shape: tuple[int, ...] = (2, 80, 100)) -> np.ndarray:
    holes = np.zeros(shape, bool)
    holes[:, 25:55, 30:70] = True
    return holes


def test_psnr() -> None:
    a, holes = np.full((2, 80, 100, 3), 100, np.uint8), _box()
    b = a.copy()
    b[holes] = 110
    # A difference of 10: 20 log10(255 / 10); in a quarter of the pixels 6.02 dB better.
    assert psnr(a, b, holes) == pytest.approx(28.1308, abs=1e-4)
    a[~holes] = 0
    assert psnr(a, b, holes) == pytest.approx(28.1308, abs=1e-4)
    assert psnr(a, a, holes) == np.inf
    assert np.isnan(psnr(a, b, np.zeros_like(holes)))


def test_ssim_of_flat_pictures_compares_their_levels() -> None:
    a, b = np.full((1, 40, 40, 3), 100, np.uint8), np.full((1, 40, 40, 3), 150, np.uint8)
    everywhere = np.ones((1, 40, 40), bool)
    expected = (2 * 100 * 150 + 6.5025) / (100**2 + 150**2 + 6.5025)
    assert ssim(a, b, everywhere) == pytest.approx(expected, abs=1e-6)
    assert ssim(a, a, everywhere) == pytest.approx(1)


def test_ssim_agrees_with_scikit_image() -> None:
    metrics = pytest.importorskip("skimage.metrics")
    a, noise = _noisy(120, 30, (1, 60, 70)), _noisy(100, 20, (1, 60, 70))[:, ::-1]
    b = (0.7 * a + 0.3 * noise).astype(np.uint8)
    inner = np.zeros((1, 60, 70), bool)
    inner[:, 8:-8, 8:-8] = True
    _, full = metrics.structural_similarity(
        a[0, ..., 0].astype(float),
        b[0, ..., 0].astype(float),
        data_range=255,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        full=True,
    )
    assert ssim(a, b, inner) == pytest.approx(full[inner[0]].mean(), abs=1e-4)


def test_an_undisturbed_picture_has_no_visible_outline() -> None:
    assert boundary_visibility(_noisy(120, 10), _box()) == pytest.approx(1, abs=0.1)
    assert texture_ratio(_noisy(120, 10), _box()) == pytest.approx(1, abs=0.05)


def test_an_edge_is_visible_by_its_height() -> None:
    frames = _noisy(120, 2)
    frames[_box()] += 60
    # Independent normal noise of deviation 2 differs by 4 / sqrt(pi) = 2.26 on average.
    assert boundary_visibility(frames, _box()) == pytest.approx(60 / 2.26, rel=0.1)


def test_a_blurred_patch_lacks_texture() -> None:
    frames = _noisy(120, 10)
    frames[_box()] = 120
    assert texture_ratio(frames, _box()) == 0
    assert np.isnan(boundary_visibility(frames, np.zeros_like(_box())))


@pytest.fixture(scope="module", name="filled_world")
def filled_world_fixture() -> dict[str, tuple[float, float]]:
    """Return PSNR and visibility of every method over clips whose backgrounds are known."""
    world = WorldSettings(width=240, height=136, n_frames=12)
    shown = slice(None, None, 4)
    sums: dict[str, list[tuple[float, float]]] = {}
    for action in ACTIONS:
        clip = render_clip(draw_recipe(action, 1, ACTIONS, world, seed=5))
        persons = grown_masks(clip.masks_thw, 1.2)
        holes = holes_of(persons, Versions(hole="union"))
        for name in ("flat", "telea", "harmonic", "biharmonic", "temporal"):
            used = slice(None) if name == "temporal" else shown
            arguments = (array[used] for array in (clip.frames_thwc, holes, persons))
            filled = inpainted(*arguments, Versions(hole="union", inpainting=name))
            measured = (
                psnr(filled, clip.backgrounds_thwc[used], holes[used]),
                boundary_visibility(filled, holes[used]),
            )
            sums.setdefault(name, []).append(measured)
    return {name: tuple(np.mean(pairs, axis=0)) for name, pairs in sums.items()}


def test_smooth_fills_are_nearer_to_the_truth_than_telea(
    filled_world: dict[str, tuple[float, float]],
) -> None:
    assert filled_world["harmonic"][0] > filled_world["telea"][0] + 0.5
    assert filled_world["biharmonic"][0] > filled_world["telea"][0] - 0.5
    assert filled_world["telea"][0] > filled_world["flat"][0] + 3


def test_other_frames_are_nearer_to_the_truth_than_any_guess(
    filled_world: dict[str, tuple[float, float]],
) -> None:
    best_guess = max(filled_world[name][0] for name in ("telea", "harmonic", "biharmonic"))
    assert filled_world["temporal"][0] > best_guess + 1


def test_only_the_flat_fill_shows_its_outline(filled_world: dict[str, tuple[float, float]]) -> None:
    assert filled_world["flat"][1] > 10
    for name in ("telea", "harmonic", "biharmonic", "temporal"):
        assert filled_world[name][1] < 1.5, name
