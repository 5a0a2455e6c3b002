"""One colour for the whole hole of the whole clip."""

from __future__ import annotations

import numpy as np

from stimuli.fill_color import fill_color
from study.fields import Versions


def filled_flat(
    frames_thwc: np.ndarray, holes_thw: np.ndarray, persons_thw: np.ndarray, settings: Versions
) -> np.ndarray:
    """Fill with the colour that `settings.fill` names."""
    filled = frames_thwc.copy()
    filled[holes_thw] = fill_color(frames_thwc, holes_thw, settings.fill)
    return filled
