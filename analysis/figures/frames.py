"""One frame of a stimulus, for the eye."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np

from study.errors import StudyError


def read_frame(path: Path, index: int) -> np.ndarray:
    """Return frame `index` of a video as RGB, shape (height, width, 3), uint8.

    Raises
    ------
    StudyError
        When the file cannot be read or is shorter.
    """
    try:
        with av.open(str(path)) as container:
            for position, frame in enumerate(container.decode(video=0)):
                if position == index:
                    return frame.to_ndarray(format="rgb24")
    except (av.FFmpegError, IndexError) as error:
        raise StudyError(f"{path}: cannot be read as a video: {error}") from error
    raise StudyError(f"{path}: has no frame {index}; the manifest says it does")
