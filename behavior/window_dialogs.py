"""What PsychoPy's dialogs need of the system; where it lacks, Qt would end the whole program."""

from __future__ import annotations

import os
import sys
from ctypes.util import find_library

from study.errors import StudyError

# Qt's plugin for X11 loads these, and Debian has each in a package of its own.
QT_LIBRARIES = {
    "xcb-cursor": "libxcb-cursor0",
    "xcb-icccm": "libxcb-icccm4",
    "xcb-image": "libxcb-image0",
    "xcb-keysyms": "libxcb-keysyms1",
    "xcb-render-util": "libxcb-render-util0",
    "xkbcommon-x11": "libxkbcommon-x11-0",
}


def make_dialogs_possible() -> None:
    """Undo or refuse what keeps Qt, which draws the dialogs, from starting.

    Raises
    ------
    StudyError
        When a library of the system is missing; the message names the packages.
    """
    # OpenCV names its own plugins of Qt as soon as it is imported; they fit no other Qt.
    if "cv2" in os.environ.get("QT_QPA_PLATFORM_PLUGIN_PATH", ""):
        del os.environ["QT_QPA_PLATFORM_PLUGIN_PATH"]
    if not sys.platform.startswith("linux") or os.environ.get("QT_QPA_PLATFORM", "xcb") != "xcb":
        return
    missing = [package for name, package in QT_LIBRARIES.items() if find_library(name) is None]
    if missing:
        raise StudyError(
            "the participant dialog needs packages that are missing on this computer: apt install "
            f"{' '.join(missing)}; or give the participant with --participant"
        )
