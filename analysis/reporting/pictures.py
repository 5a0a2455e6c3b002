"""The figures of a results folder: legends to read, and pictures to put into a page."""

from __future__ import annotations

import base64
from pathlib import Path

import cv2
import numpy as np

from analysis.figures import FIGURES
from analysis.reporting.content import Figure
from study.results import Results

# Photographs need no more than the width of the page on a sharp screen.
PHOTOGRAPHS = ("stimuli", "saliency_maps")
PICTURE_WIDTH = 1600
JPEG_QUALITY = 88
SUFFIXES = ("pdf", "svg", "png", "csv")


def made_figures(results: Results) -> dict[str, Figure]:
    """Return the figures that were made, by name, in their order; without a legend, its name."""
    found = {}
    for name in FIGURES:
        if all((results.figures / f"{name}.{suffix}").is_file() for suffix in ("svg", "png")):
            path = results.figures / f"{name}.txt"
            plain = f"{name.replace('_', ' ').capitalize()}."
            legend = path.read_text(encoding="utf-8").strip() if path.is_file() else plain
            found[name] = Figure(name, " ".join(legend.split(" ")))
    return found


def files_of(results: Results, name: str) -> list[str]:
    """Return the suffixes in which a figure is there."""
    return [suffix for suffix in SUFFIXES if (results.figures / f"{name}.{suffix}").is_file()]


def data_uri(folder: Path, name: str) -> str:
    """Return a figure as a data URI: photographs as JPEG, drawings as SVG."""
    if name not in PHOTOGRAPHS:
        return _encoded("image/svg+xml", (folder / f"{name}.svg").read_bytes())
    content = np.frombuffer((folder / f"{name}.png").read_bytes(), np.uint8)
    picture = cv2.imdecode(content, cv2.IMREAD_COLOR)
    height, width = picture.shape[:2]
    if width > PICTURE_WIDTH:
        size_wh = (PICTURE_WIDTH, round(height * PICTURE_WIDTH / width))
        picture = cv2.resize(picture, size_wh, interpolation=cv2.INTER_AREA)
    _, encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return _encoded("image/jpeg", encoded.tobytes())


def _encoded(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
