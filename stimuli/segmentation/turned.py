"""A second look at frames in which the network is not sure of anybody, turned by a quarter.

Networks are trained on people who stand: somebody who lies is often missed, or found in part, and
found at once when the frame is turned. A few of the doubtful frames show whether turning helps;
only then are all of them looked at again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from stimuli.segmentation.person import Instance

# A frame is doubtful if nobody in it is surer than this; a person in a turned frame counts from
# here on, because what is turned looks like a person more often by accident.
SURE_ENOUGH = 0.5
PROBES = 3
QUARTERS = (1, 3)
SAME_PERSON = 0.5

FindPersons = Callable[[Sequence[np.ndarray]], list[list[Instance]]]


def look_again(
    find: FindPersons,
    frames: Sequence[np.ndarray],
    found: Sequence[list[Instance]],
    confidence: float,
) -> list[list[Instance]]:
    """Return the persons of a clip's frames, with those found in turned frames.

    Parameters
    ----------
    find : callable
        Frames (H, W, 3) -> their persons.
    frames : sequence of ndarray
    found : sequence of list of Instance
        The persons found in the frames as they are.
    confidence : float
        Least confidence asked for; where it is above `SURE_ENOUGH`, it takes its place.
    """
    enough = max(SURE_ENOUGH, confidence)
    doubtful = [number for number, persons in enumerate(found) if _surest(persons) < enough]
    improved = list(found)
    places = np.linspace(0, len(doubtful) - 1, min(PROBES, len(doubtful))).round().astype(int)
    probes = [doubtful[place] for place in places]
    looks = {turn: _turned(find, frames, probes, turn, enough) for turn in QUARTERS}
    gains = {
        turn: sum(max(0.0, _surest(look[n]) - _surest(found[n])) for n in probes)
        for turn, look in looks.items()
    }
    best = max(gains, key=gains.__getitem__)
    if gains[best] > 0:
        others = [number for number in doubtful if number not in probes]
        look = looks[best] | _turned(find, frames, others, best, enough)
        for number, persons in look.items():
            improved[number] = merged(found[number], persons)
    return improved


def merged(persons: Sequence[Instance], others: Sequence[Instance]) -> list[Instance]:
    """Join two looks at one frame; of two finds of one person the surer one stays."""
    kept: list[Instance] = []
    for one in sorted([*persons, *others], key=lambda one: -one.confidence):
        same_look = persons if any(one is person for person in persons) else others
        rivals = [other for other in kept if not any(other is mate for mate in same_look)]
        if all(one.covers(other) < SAME_PERSON for other in rivals):
            kept.append(one)
    return kept


def _turned(
    find: FindPersons,
    frames: Sequence[np.ndarray],
    numbers: Sequence[int],
    turn: int,
    enough: float,
) -> dict[int, list[Instance]]:
    """Return the sure persons of frames looked at turned, in the frames as they are."""
    turned = [np.ascontiguousarray(np.rot90(frames[number], turn)) for number in numbers]
    return {
        number: [
            person.turned_back(turn, frame.shape[1::-1])
            for person in persons
            if person.confidence >= enough
        ]
        for number, frame, persons in zip(numbers, turned, find(turned), strict=True)
    }


def _surest(persons: Sequence[Instance]) -> float:
    return max((person.confidence for person in persons), default=0.0)
