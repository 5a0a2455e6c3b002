"""The smallest synthetic world on which a whole study runs, for study files of tests."""

from __future__ import annotations

TINY_WORLD = """[dataset]
kind = "synthetic"
n_actions = 5
clips_per_action = 4
width = 96
height = 64
n_frames = 3
[split]
validation_clips = 1
test_clips = 1
[masks]
source = "truth"
[versions]
width = 96
height = 64
"""
