"""What a stream of a network may see: a version of a clip, its flow, its masks, or a stand-in.

A view is a name. The frame cache (`models.frames`) turns views and positions into pixels.
"""

from __future__ import annotations

# The frame without any part: the colour that a version shows where it hides something.
BLANK = "blank"

# The background_only frames of the clip whose background a swapped version shows.
LENT_BACKGROUND = "lent background"

# The person masks, white on black.
MASKS = "masks"

# The stream of networks that see a frame as it is, whatever they make of it inside.
WHOLE = "whole"

FLOW_MARK = "/flow"

# Stream -> the view that it sees; a stream that is left out is not read.
Reading = dict[str, str]


def flow_of(view: str) -> str:
    """Return the view of a version's optical flow, from the frame before."""
    return view + FLOW_MARK


def is_flow(view: str) -> bool:
    """Tell whether a view is the optical flow of another."""
    return view.endswith(FLOW_MARK)


def version_of(view: str) -> str:
    """Return the version (or the stand-in) that a view is of."""
    return view.removesuffix(FLOW_MARK)


def seen_by(reading: Reading, stream: str) -> str:
    """Return what a stream sees, or sees a part of; empty where that is nothing of the clip."""
    view = reading.get(stream, reading.get(WHOLE, ""))
    return "" if version_of(view) == BLANK else view


def blank_for(view: str) -> str:
    """Return the view without any part that stands in for another: of flow, no motion."""
    return flow_of(BLANK) if is_flow(view) else BLANK
