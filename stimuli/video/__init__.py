"""Clips in and out: any video or photograph as RGB frames with exact times, and files of them.

A photograph is a clip of one frame that lasts a second.
"""

from stimuli.video.clip import PHOTO_SUFFIXES, VIDEO_SUFFIXES, Clip, Timing, is_photo
from stimuli.video.reading import count_frames, iter_frames, read_clip, read_timing
from stimuli.video.times import FrameTimes
from stimuli.video.writing import Written, write_clip

__all__ = [
    "PHOTO_SUFFIXES",
    "VIDEO_SUFFIXES",
    "Clip",
    "FrameTimes",
    "Timing",
    "Written",
    "count_frames",
    "is_photo",
    "iter_frames",
    "read_clip",
    "read_timing",
    "write_clip",
]
