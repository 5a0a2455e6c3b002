"""The main person, followed through a clip: detections frame by frame in, one person a frame out.

A track is continued by where the person should be by now, by the shape there, and by colours. Only
detections that are sure begin a track; unsure ones may continue it where nothing better is found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linear_sum_assignment

from stimuli.segmentation.person import Instance, color_likeness

# A person may be missed for so many frames and still be the same one.
LONGEST_GAP = 12
# Two instances are the same person if they overlap, or if the distance of their centres is below
# this share of their size for every frame between them, up to a few frames: in a crowd a longer
# reach would jump to somebody else.
FARTHEST_STEP = 0.75
LONGEST_REACH = 3
# Weight of the newest frame in the running means of motion and of colours.
NEWEST_STEP = 0.25
NEWEST_COLORS = 0.1
# Somebody half hidden seems to move as the rest disappears: such steps tell nothing of motion.
WHOLE_SIZE = 0.9
# Other colours make two instances unlike, but never quite: light may change between two frames.
LEAST_COLOR_WEIGHT = 0.1
# An unsure detection continues a track only where it fits well, and is no part of a sure person.
UNSURE_LIKENESS = 0.6
PART_OF_ANOTHER = 0.5
# A person who left, or was missed for long, is the same one later if dressed the same.
LONGEST_ABSENCE = 75
SAME_COLORS = 0.85
SAME_SIZE = 0.5


@dataclass
class Track:
    """One person over time: frame number to instance, in the order in which they were added."""

    instances: dict[int, Instance] = field(default_factory=dict)
    velocity_xy: np.ndarray = field(default_factory=lambda: np.zeros(2))
    colors: np.ndarray | None = None
    n_steps: int = 0

    @property
    def last(self) -> int:
        """The frame added last."""
        return next(reversed(self.instances))

    def add(self, number: int, instance: Instance) -> None:
        """Continue the track, and learn the person's motion and colours."""
        if self.instances:
            self._learn_motion(number, instance)
        if self.colors is None or instance.colors is None:
            self.colors = instance.colors
        else:
            self.colors = (1 - NEWEST_COLORS) * self.colors + NEWEST_COLORS * instance.colors
        self.instances[number] = instance

    def weight(self, sure: float) -> float:
        """Area times confidence, summed over the clip: who is large, sure and long in view."""
        certain = (one for one in self.instances.values() if one.confidence >= sure)
        return sum(one.area * one.confidence for one in certain)

    def likeness(self, instance: Instance, number: int) -> float:
        """Return how likely the instance continues the track: 0 (not) to 2."""
        before = self.instances[self.last]
        n_frames = abs(number - self.last)
        smaller, larger = sorted((before.size, instance.size))
        reach = FARTHEST_STEP * (smaller + larger) / 2 * min(n_frames, LONGEST_REACH)
        moved = self.velocity_xy * (number - self.last)
        distance = float(np.linalg.norm(before.center_xy + moved - instance.center_xy))
        nearness = max(0.0, 1 - distance / reach)
        overlap = before.overlap(instance, (round(moved[0]), round(moved[1])))
        alike = color_likeness(self.colors, instance.colors) ** 2
        return (overlap + nearness) * smaller / larger * max(alike, LEAST_COLOR_WEIGHT)

    def _learn_motion(self, number: int, instance: Instance) -> None:
        before = self.instances[self.last]
        smaller, larger = sorted((before.size, instance.size))
        if smaller < WHOLE_SIZE * larger:
            return
        self.n_steps += 1
        step = (instance.center_xy - before.center_xy) / (number - self.last)
        newest = max(NEWEST_STEP, 1 / self.n_steps)
        self.velocity_xy = (1 - newest) * self.velocity_xy + newest * step


def link(frames: Sequence[Sequence[Instance]], sure: float = 0.0) -> list[Track]:
    """Link the instances of successive frames into tracks, the best pairs of a frame together.

    Parameters
    ----------
    frames : sequence of sequences of Instance
    sure : float
        Confidence that begins a track; the others only continue one.
    """
    tracks: list[Track] = []
    for number, instances in enumerate(frames):
        alive = [track for track in tracks if number - track.last <= LONGEST_GAP]
        certain, unsure = _by_confidence(instances, sure)
        for instance in _continue(alive, certain, number, 0.0):
            tracks.append(Track())
            tracks[-1].add(number, instance)
        waiting = [track for track in alive if track.last != number]
        _continue(waiting, unsure, number, UNSURE_LIKENESS)
    return tracks


def main_person(frames: Sequence[Sequence[Instance]], sure: float = 0.0) -> list[Instance | None]:
    """Return the main person in every frame, None where not found.

    The main person is the one with the greatest area times confidence, summed over the clip.
    """
    tracks = link(frames, sure)
    if not tracks:
        return [None] * len(frames)
    main = max(tracks, key=lambda track: track.weight(sure))
    main = _with_absences(main, tracks)
    instances = _before_the_first(main, frames, sure) | main.instances
    return [instances.get(number) for number in range(len(frames))]


def _by_confidence(
    instances: Sequence[Instance], sure: float
) -> tuple[list[Instance], list[Instance]]:
    """Return the sure instances, and the unsure ones that are no part of these."""
    certain = [one for one in instances if one.confidence >= sure]
    unsure = [
        one
        for one in instances
        if one.confidence < sure
        and all(one.covers(another) < PART_OF_ANOTHER for another in certain)
    ]
    return certain, unsure


def _continue(
    tracks: Sequence[Track], instances: Sequence[Instance], number: int, least: float
) -> list[Instance]:
    """Add each instance to the track that it continues best; return those that continue none."""
    if not tracks or not instances:
        return list(instances)
    scores = np.array([[track.likeness(one, number) for one in instances] for track in tracks])
    scores[scores <= least] = 0
    taken = set()
    for old, new in zip(*linear_sum_assignment(-scores), strict=True):
        if scores[old, new] > 0:
            tracks[old].add(number, instances[new])
            taken.add(new)
    return [one for new, one in enumerate(instances) if new not in taken]


def _with_absences(main: Track, tracks: Sequence[Track]) -> Track:
    """Add the tracks that are the same person before or after an absence, nearest in time first."""
    joined = Track(dict(main.instances), colors=main.colors)
    others = [track for track in tracks if track is not main]
    while others:
        gaps = [_frames_between(joined, other) for other in others]
        nearest = int(np.argmin(gaps))
        if gaps[nearest] > LONGEST_ABSENCE:
            break
        other = others.pop(nearest)
        if _same_look(joined, other):
            joined.instances |= other.instances
    return Track(dict(sorted(joined.instances.items())), colors=main.colors)


def _frames_between(one: Track, other: Track) -> float:
    """Return how many frames lie between two tracks; endless if both are seen at a time."""
    ahead = min(other.instances) - max(one.instances)
    behind = min(one.instances) - max(other.instances)
    gap = max(ahead, behind)
    return gap if gap > 0 else np.inf


def _same_look(one: Track, other: Track) -> bool:
    if one.colors is None or other.colors is None:
        return False
    sizes = [
        float(np.median([instance.size for instance in track.instances.values()]))
        for track in (one, other)
    ]
    alike = color_likeness(one.colors, other.colors)
    return alike >= SAME_COLORS and min(sizes) >= SAME_SIZE * max(sizes)


def _before_the_first(
    main: Track, frames: Sequence[Sequence[Instance]], sure: float
) -> dict[int, Instance]:
    """Follow the person backwards from the first sure frame, through unsure detections."""
    backwards = Track()
    for number in reversed(main.instances):
        backwards.add(number, main.instances[number])
    first = backwards.last
    for number in range(first - 1, -1, -1):
        if backwards.last - number > LONGEST_GAP:
            break
        _continue([backwards], _by_confidence(frames[number], sure)[1], number, UNSURE_LIKENESS)
    return {number: one for number, one in backwards.instances.items() if number < first}
