"""What a picture is like without what is where: light, contrast, spectrum, motion, colours."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np

SIDE = 128
# Bands of spatial frequency, cycles per picture, an octave each, and orientations of each.
BAND_EDGES = (1, 2, 4, 8, 16, 32, 64)
N_ORIENTATIONS = 4
# Added before logarithms: power and motion of one grey level.
ONE_LEVEL = 1.0
COLOR_BINS = 4
# A region of fewer pixels has no colours to speak of.
LEAST_PIXELS = 10

LOW_LEVEL_BLOCKS = (2, (len(BAND_EDGES) - 1) * N_ORIENTATIONS, 2)
COLOR_BLOCKS = (6, COLOR_BINS**3)


def low_level_row(before_hwc: np.ndarray, now_hwc: np.ndarray, after_hwc: np.ndarray) -> np.ndarray:
    """Return mean luminance and contrast, spectral power, and motion energy of one moment.

    Power is the logarithm of the mean squared Fourier amplitude of the luma under a Hann window, in
    octaves of spatial frequency and four orientations. Motion energy is the logarithm of the mean
    (and of the root mean square) change of luma from frame to frame.

    Parameters
    ----------
    before_hwc, now_hwc, after_hwc : ndarray of uint8
        A frame and its neighbours; the frame itself where there are none.
    """
    before, now, after = (_small_luma(frame) for frame in (before_hwc, now_hwc, after_hwc))
    changes = np.abs([now - before, after - now])
    motion = [changes.mean(), np.sqrt(np.square(changes).mean())]
    light = [now.mean(), now.std()]
    return np.concatenate([light, _spectrum(now), np.log(np.add(motion, ONE_LEVEL))])


def color_row(picture_hwc: np.ndarray, region_hw: np.ndarray) -> np.ndarray:
    """Return means, deviations and a histogram of the colours in a region, wherever they are.

    CIE Lab; square roots of the shares of 4 x 4 x 4 bins. All unknown (NaN) in a region of fewer
    than `LEAST_PIXELS` pixels.
    """
    if np.count_nonzero(region_hw) < LEAST_PIXELS:
        return np.full(sum(COLOR_BLOCKS), np.nan)
    lab = cv2.cvtColor(picture_hwc, cv2.COLOR_RGB2LAB)[region_hw]
    place = lab.astype(int) * COLOR_BINS // 256
    index = (place[:, 0] * COLOR_BINS + place[:, 1]) * COLOR_BINS + place[:, 2]
    shares = np.bincount(index, minlength=COLOR_BINS**3) / len(lab)
    return np.concatenate([lab.mean(axis=0), lab.std(axis=0), np.sqrt(shares)])


def _small_luma(frame_hwc: np.ndarray) -> np.ndarray:
    small = cv2.resize(frame_hwc, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float64)


def _spectrum(luma_hw: np.ndarray) -> np.ndarray:
    window = np.hanning(SIDE)
    windowed = (luma_hw - luma_hw.mean()) * np.outer(window, window)
    power = np.square(np.abs(np.fft.fft2(windowed))) / SIDE**2
    cycles = np.fft.fftfreq(SIDE) * SIDE
    frequency = np.hypot(cycles[:, np.newaxis], cycles)
    turn = np.arctan2(cycles[:, np.newaxis], cycles) / np.pi * N_ORIENTATIONS
    orientation = np.rint(turn).astype(int) % N_ORIENTATIONS
    means = [
        power[(frequency >= low) & (frequency < high) & (orientation == number)].mean()
        for low, high in pairwise(BAND_EDGES)
        for number in range(N_ORIENTATIONS)
    ]
    return np.log(np.add(means, ONE_LEVEL))
