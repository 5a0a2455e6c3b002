"""What the streams of a network see on a version of a clip."""

from __future__ import annotations

# The frame without any part: black, as the pixels are that a version blacks out.
BLANK = "blank"

# The background_only frames of the clip whose background a swapped version shows.
LENT_BACKGROUND = "lent background"

# Stream -> the version (or one of the above) that it sees; a stream that is left out is not read.
Reading = dict[str, str]
