"""PSNR and SSIM against closed forms and a plain computation, and what the web's quality costs."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from stimuli.video import Clip, read_clip, write_clip
from stimuli.video.loss import loss, ssim
from study.errors import StudyError

C1, C2 = 6.5025, 58.5225  # (0.01 * 255)^2 and (0.03 * 255)^2


def plain_ssim(first: np.ndarray, second: np.ndarray) -> float:
    """Return the SSIM window by window, as Wang et al. (2004) define it."""
    weights = np.exp(-((np.arange(11) - 5) ** 2) / (2 * 1.5**2))
    window = np.outer(weights, weights) / weights.sum() ** 2
    values = []
    for top in range(first.shape[0] - 10):
        for left in range(first.shape[1] - 10):
            x = first[top : top + 11, left : left + 11].astype(float)
            y = second[top : top + 11, left : left + 11].astype(float)
            mean_x, mean_y = (window * x).sum(), (window * y).sum()
            var_x, var_y = (window * (x - mean_x) ** 2).sum(), (window * (y - mean_y) ** 2).sum()
            cov = (window * (x - mean_x) * (y - mean_y)).sum()
            values.append(
                (2 * mean_x * mean_y + C1)
                * (2 * cov + C2)
                / ((mean_x**2 + mean_y**2 + C1) * (var_x + var_y + C2))
            )
    return float(np.mean(values))


def scene(n_frames: int, height: int, width: int) -> np.ndarray:
    """Return a soft scene that drifts under a camera's noise, (T, H, W, 3)."""
    rng = np.random.default_rng(5)
    ground = cv2.GaussianBlur(rng.uniform(0, 255, (height, width, 3)), (0, 0), 2)
    ground = 30 + (ground - ground.min()) * 195 / np.ptp(ground)
    frames = np.stack([np.roll(ground, 2 * n, axis=1) for n in range(n_frames)])
    return np.clip(frames + rng.normal(0, 2, frames.shape), 0, 255).astype(np.uint8)


def test_ssim_equals_the_plain_computation() -> None:
    rng = np.random.default_rng(0)
    first = rng.integers(0, 256, (18, 23)).astype(np.float32)
    for noise in (3, 30, 300):
        second = np.clip(first + rng.normal(0, noise, first.shape), 0, 255).astype(np.float32)
        assert ssim(first, second) == pytest.approx(plain_ssim(first, second), abs=1e-5)


def test_ssim_and_psnr_of_flat_pictures_have_a_closed_form() -> None:
    first = np.full((2, 20, 20, 3), 200, np.uint8)
    second = np.full((2, 20, 20, 3), 190, np.uint8)
    found = loss(first, second)
    assert found.psnr_db == pytest.approx(20 * np.log10(255 / 10))
    assert found.ssim == pytest.approx((2 * 200 * 190 + C1) / (200**2 + 190**2 + C1), abs=1e-6)


def test_nothing_is_lost_between_equal_clips() -> None:
    frames = scene(2, 32, 32)
    assert loss(frames, frames).psnr_db == np.inf
    assert loss(frames, frames).ssim == pytest.approx(1)


def test_clips_of_other_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        loss(scene(3, 16, 16), scene(2, 16, 16))


def test_web_quality_says_what_it_costs(tmp_path: Path) -> None:
    clip = Clip(scene(6, 96, 128), Fraction(25))
    written = write_clip(tmp_path / "web.mp4", clip, "web")
    again = write_clip(tmp_path / "again.mp4", clip, "web")
    lossless = write_clip(tmp_path / "lossless.mp4", clip)
    read = read_clip(tmp_path / "web.mp4").frames_thwc
    error = np.square(read.astype(float) - clip.frames_thwc).mean()
    assert written == again
    assert written.size == (tmp_path / "web.mp4").stat().st_size < lossless.size / 4
    assert written.psnr_db == pytest.approx(10 * np.log10(255**2 / error), abs=1e-6)
    assert 30 < written.psnr_db < 50
    grey = [cv2.cvtColor(f, cv2.COLOR_RGB2GRAY) for f in (read[0], clip.frames_thwc[0])]
    assert written.ssim == pytest.approx(plain_ssim(*grey), abs=0.01)
    assert (lossless.psnr_db, lossless.ssim) == (None, None)
    assert np.abs((read.astype(float) - clip.frames_thwc).mean(axis=(0, 1, 2))).max() < 0.5


def test_web_videos_are_what_browsers_play(tmp_path: Path) -> None:
    write_clip(tmp_path / "web.mp4", Clip(scene(40, 48, 64), Fraction(25)), "web")
    content = (tmp_path / "web.mp4").read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")
    with av.open(str(tmp_path / "web.mp4")) as container:
        codec = container.streams.video[0].codec_context
        assert (codec.name, codec.pix_fmt) == ("h264", "yuv420p")
        found = (codec.colorspace, codec.color_primaries, codec.color_trc, codec.color_range)
        assert found == (1, 1, 1, 1)  # BT.709 thrice, limited range


def test_web_videos_have_even_sides(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"a\.mp4: .*even width and height, found 33 x 32"):
        write_clip(tmp_path / "a.mp4", Clip(scene(2, 32, 33), Fraction(25)), "web")
    assert list(tmp_path.iterdir()) == []


def test_photographs_are_lossless_in_both_qualities(tmp_path: Path) -> None:
    clip = Clip(scene(1, 31, 33), Fraction(1))
    written = write_clip(tmp_path / "a.png", clip, "web")
    assert written == write_clip(tmp_path / "b.png", clip)
    assert np.array_equal(read_clip(tmp_path / "a.png").frames_thwc, clip.frames_thwc)


def test_other_qualities_are_listed(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="'lossless', 'web'"):
        write_clip(tmp_path / "a.mp4", Clip(scene(1, 32, 32), Fraction(25)), "best")
