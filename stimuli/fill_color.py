"""The colour of what a version does not show."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from study.errors import check_one_of

BLACK, MIDDLE_GREY = 0, 128
# ITU-R BT.601, the luma weights of red, green and blue.
LUMA_RGB = np.array([0.299, 0.587, 0.114])


def fill_color(frames_thwc: np.ndarray, hidden_thw: np.ndarray, fill: str) -> np.ndarray:
    """Return one colour for all hidden pixels of a clip.

    Parameters
    ----------
    frames_thwc : ndarray of uint8
        (T, H, W, 3) RGB, the original frames.
    hidden_thw : ndarray of bool
        (T, H, W), what is hidden.
    fill : str
        black; grey: 128; mean: the mean colour of the hidden pixels of all frames, which keeps the
        clip's mean colour; matched: the grey with their mean luma (BT.601), which keeps its mean
        luma. Where nothing is hidden, mean and matched are middle grey.

    Returns
    -------
    ndarray of uint8
        (3,) RGB.

    Raises
    ------
    StudyError
        For another `fill`.
    """
    check_one_of("versions.fill", fill, FILLS)
    return np.asarray(FILLS[fill](frames_thwc, hidden_thw)).astype(np.uint8)


def _mean_rgb(frames_thwc: np.ndarray, hidden_thw: np.ndarray) -> np.ndarray:
    """Return the mean colour of the hidden pixels, as exact sums of whole numbers."""
    total, count = np.zeros(3, np.int64), 0
    for frame, hidden in zip(frames_thwc, hidden_thw, strict=True):
        # Frame by frame: the hidden pixels of a whole clip at once would be a copy of it.
        total += frame[hidden].sum(axis=0, dtype=np.int64)
        count += int(hidden.sum())
    return total / count if count else np.full(3, float(MIDDLE_GREY))


def _matched(frames_thwc: np.ndarray, hidden_thw: np.ndarray) -> np.ndarray:
    return np.full(3, np.rint(_mean_rgb(frames_thwc, hidden_thw) @ LUMA_RGB))


FILLS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "black": lambda frames_thwc, hidden_thw: np.full(3, BLACK),
    "grey": lambda frames_thwc, hidden_thw: np.full(3, MIDDLE_GREY),
    "mean": lambda frames_thwc, hidden_thw: np.rint(_mean_rgb(frames_thwc, hidden_thw)),
    "matched": _matched,
}
