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
    sampler = BalancedSampler(CLIPS, ["b", "a"], np.random.default_rng(0))
    positions, labels = sampler.draw(20_000)
    is_long = (positions >= 2) & (positions < 102)
    assert np.array_equal(labels, np.where(is_long, 0, 1))
    assert abs(is_long.mean() - 0.5) < 0.02
    assert abs((positions == 102).mean() - 0.25) < 0.02
    assert abs((positions == 0).mean() - 0.125) < 0.02
    assert len(np.unique(positions[is_long])) == 100


def test_the_generator_state_is_all_that_a_draw_depends_on() -> None:
    first = BalancedSampler(CLIPS, ["a", "b"], np.random.default_rng(4))
    first.draw(10)
    state = first.rng.bit_generator.state
    expected = first.draw(10)
    second = BalancedSampler(CLIPS, ["a", "b"], np.random.default_rng(99))
    second.rng.bit_generator.state = state
    np.testing.assert_array_equal(second.draw(10), expected)


def test_a_class_without_training_clip_is_named() -> None:
    with pytest.raises(StudyError, match="no training clip of 'c'"):
        BalancedSampler(CLIPS, ["a", "b", "c"], np.random.default_rng(0))
