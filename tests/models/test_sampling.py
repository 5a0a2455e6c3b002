"""Batches: every class, every clip of it and every frame of that as often as the others."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from models.sampling import BalancedSampler
from study.errors import StudyError

# Class b has one long clip; class a has a short clip and a photograph.
CLIPS = pd.DataFrame({"action": ["a", "b", "a"], "start": [0, 2, 102], "n_frames": [2, 100, 1]})


def test_classes_then_clips_then_frames_are_balanced() -> None:
    sampler = BalancedSampler(CLIPS, ["b", "a"])
    positions, labels = sampler.draw(20_000, np.random.default_rng(0))
    is_long = (positions >= 2) & (positions < 102)
    assert np.array_equal(labels, np.where(is_long, 0, 1))
    assert abs(is_long.mean() - 0.5) < 0.02
    assert abs((positions == 102).mean() - 0.25) < 0.02
    assert abs((positions == 0).mean() - 0.125) < 0.02
    assert len(np.unique(positions[is_long])) == 100


def test_spans_are_consecutive_and_stay_in_their_clip() -> None:
    sampler = BalancedSampler(CLIPS, ["a", "b"])
    positions, labels = sampler.draw(20_000, np.random.default_rng(1), at_once=4)
    assert positions.shape == (20_000, 4)
    long = positions[labels == 1]
    assert (np.diff(long, axis=1) == 1).all()
    # All 97 places of a span of 4 in 100 frames, and about as often.
    starts, counts = np.unique(long[:, 0], return_counts=True)
    assert starts.tolist() == list(range(2, 99))
    assert counts.min() > 0.5 * counts.mean()
    # Short clips are stretched: two frames twice each, a photograph four times.
    short = {tuple(row) for row in positions[labels == 0].tolist()}
    assert short == {(0, 0, 1, 1), (102, 102, 102, 102)}


def test_a_class_without_training_clip_is_named() -> None:
    with pytest.raises(StudyError, match="no training clip of 'c'"):
        BalancedSampler(CLIPS, ["a", "b", "c"])
