"""How well the person is found: the pipeline and the bare network against masks made by hand.

    python benchmarks/mask_iou.py DATA WEIGHTS [--image-size 640]

DATA holds `masks/pennfudan`, `masks/coco128_person`, `masks/davis16`, and `clips/weizmann` with
`masks/weizmann`; what is missing is left out. The bare network takes, in every frame by itself, the
largest and surest person; the pipeline looks again, follows, fills and smooths.

Photographs
    `main`: the one person that is found, compared with the person drawn by hand that it overlaps
    most, because which of several is the main one nobody has drawn. `everybody`: all sure persons
    together, compared with all that are drawn. 0 where nobody is found.
Clips
    `IoU` with the one person drawn, 0 in frames where nobody is found; `found`, the share of frames
    with a mask. Two measures of steadiness are given for the truth too, whose own motion they
    contain: `steady`, the mean IoU of successive masks, and `jitter`, the mean absolute second
    difference of the logarithm of the area. `error jitter` is the mean change, from frame to frame,
    of the share of pixels that are wrong, relative to the person's area.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from stimuli.segmentation.clip import follow
from stimuli.segmentation.person import Instance
from stimuli.segmentation.scaling import at_frame_size
from stimuli.segmentation.turned import look_again
from stimuli.segmentation.yolo import Segmenter
from stimuli.video import read_clip
from study.fields import Masks


@dataclass(frozen=True)
class Drawn:
    """A picture or clip with masks drawn by hand: labels (T, H, W), 0 on the background."""

    frames_thwc: np.ndarray
    labels_thw: np.ndarray


@dataclass(frozen=True)
class Finder:
    """The network and the settings of the pipeline."""

    network: Segmenter
    settings: Masks

    def persons(self, frames: Sequence[np.ndarray]) -> list[list[Instance]]:
        """Return the persons of every frame by itself."""
        return self.network.persons(frames)

    def sure(self, persons: Sequence[Instance]) -> list[Instance]:
        """Return those persons that are as sure as the settings ask."""
        return [one for one in persons if one.confidence >= self.settings.confidence]


def photographs(folder: Path) -> Iterator[Drawn]:
    """Yield the pictures of a folder with `images` and `masks`."""
    for image in sorted((folder / "images").iterdir()):
        labels = cv2.imread(str(folder / "masks" / f"{image.stem}_mask.png"), cv2.IMREAD_UNCHANGED)
        frame = cv2.cvtColor(cv2.imread(str(image)), cv2.COLOR_BGR2RGB)
        yield Drawn(frame[np.newaxis], labels[np.newaxis])


def davis(folder: Path) -> Iterator[Drawn]:
    """Yield the clips of a folder with CLIP/frames and CLIP/masks."""
    for clip in sorted(path for path in folder.iterdir() if path.is_dir()):
        frames = [cv2.imread(str(file)) for file in sorted((clip / "frames").iterdir())]
        masks = [cv2.imread(str(file), 0) for file in sorted((clip / "masks").iterdir())]
        rgb = np.stack([cv2.cvtColor(frame, cv2.COLOR_BGR2RGB) for frame in frames])
        yield Drawn(rgb, np.stack(masks) > 127)


def weizmann(clips: Path, masks: Path) -> Iterator[Drawn]:
    """Yield the clips of 64 by 64 pixels; the network sees them enlarged."""
    for file in sorted(masks.glob("*/*.npz")):
        frames = read_clip((clips / file.parent.name / file.stem).with_suffix(".avi")).frames_thwc
        yield Drawn(frames, np.load(file)["masks"] > 0)


def iou(one: np.ndarray, other: np.ndarray) -> float:
    """Return intersection over union of two masks, 1 if both are empty."""
    union = np.count_nonzero(one | other)
    return np.count_nonzero(one & other) / union if union else 1.0


def joined(persons: Sequence[Instance], frame_hwc: np.ndarray, size_wh: tuple) -> np.ndarray:
    """Return one mask of several persons at the size of the source."""
    mask = np.zeros(frame_hwc.shape[:2], bool)
    for person in persons:
        mask |= person.in_frame(mask.shape[::-1])
    return at_frame_size(mask, size_wh)


def bare_main(finder: Finder, persons: Sequence[Instance]) -> list[Instance]:
    """Return the largest and surest person of a frame by itself, or nobody."""
    return sorted(finder.sure(persons), key=lambda one: -one.area * one.confidence)[:1]


def both(finder: Finder, drawn: Drawn) -> tuple[np.ndarray, np.ndarray, float, float]:
    """Return the masks of bare network and pipeline, and the IoU of everybody in frame 0."""
    size_wh = drawn.frames_thwc.shape[2:0:-1]
    frames = [finder.network.scaled(frame) for frame in drawn.frames_thwc]
    persons = finder.persons(frames)
    pairs = list(zip(persons, frames, strict=True))
    bare = np.stack([joined(bare_main(finder, p), f, size_wh) for p, f in pairs])
    pipeline = follow(finder.persons, frames, persons, size_wh, finder.settings).masks.masks_thw
    again = look_again(finder.persons, frames[:1], persons[:1], finder.settings.confidence)
    everybody = [
        iou(joined(finder.sure(found), frames[0], size_wh), drawn.labels_thw[0] > 0)
        for found in (persons[0], again[0])
    ]
    return bare, pipeline, *everybody


def best_match(mask_hw: np.ndarray, labels_hw: np.ndarray) -> float:
    """Return the IoU with the person drawn that the mask overlaps most; 0 where it is empty."""
    people = [labels_hw == label for label in np.unique(labels_hw) if label]
    return max(iou(mask_hw, person) for person in people) if mask_hw.any() else 0.0


def steadiness(masks_thw: np.ndarray) -> tuple[float, float]:
    """Return the mean IoU of successive masks, and the jitter of the area."""
    steady = float(np.mean([iou(*pair) for pair in itertools.pairwise(masks_thw)]))
    area = np.maximum(np.count_nonzero(masks_thw, axis=(1, 2)), 1)
    return steady, float(np.abs(np.diff(np.log(area), 2)).mean())


def error_jitter(masks_thw: np.ndarray, truth_thw: np.ndarray) -> float:
    """Return how much the wrong pixels change from frame to frame, in areas of the person."""
    wrong = masks_thw ^ truth_thw
    changed = np.count_nonzero(wrong[1:] ^ wrong[:-1], axis=(1, 2))
    return float((changed / np.count_nonzero(truth_thw[1:], axis=(1, 2))).mean())


def report_photographs(name: str, finder: Finder, pictures: Iterator[Drawn]) -> None:
    """Print the means over a set of photographs."""
    rows = []
    for drawn in pictures:
        bare, pipeline, all_bare, all_pipeline = both(finder, drawn)
        labels = drawn.labels_thw[0]
        rows.append(
            (best_match(bare[0], labels), best_match(pipeline[0], labels), all_bare, all_pipeline)
        )
    means = np.mean(rows, axis=0)
    print(
        f"{name}: {len(rows)} pictures; main: bare {means[0]:.3f}, pipeline {means[1]:.3f}; "
        f"everybody: bare {means[2]:.3f}, pipeline {means[3]:.3f}"
    )


def report_clips(name: str, finder: Finder, clips: Iterator[Drawn]) -> None:
    """Print the means over a set of clips."""
    rows: dict[str, list[tuple[float, ...]]] = {"bare": [], "pipeline": [], "truth": []}
    for drawn in clips:
        truth = drawn.labels_thw > 0
        bare, pipeline, *_ = both(finder, drawn)
        for who, masks in (("bare", bare), ("pipeline", pipeline), ("truth", truth)):
            ious = [iou(*pair) for pair in zip(masks, truth, strict=True)]
            found = masks.any(axis=(1, 2)).mean()
            jitter = error_jitter(masks, truth)
            rows[who].append((np.mean(ious), found, *steadiness(masks), jitter))
    for who, of_clips in rows.items():
        values = dict(
            zip(
                ("IoU", "found", "steady", "jitter", "error jitter"),
                np.mean(of_clips, 0),
                strict=True,
            )
        )
        said = ", ".join(f"{what} {value:.3f}" for what, value in values.items())
        print(f"{name}: {len(of_clips)} clips, {who}: {said}")


def main() -> None:
    """Print all tables that the data allow."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--image-size", type=int, default=640)
    arguments = parser.parse_args()
    settings = Masks(source="yolo", weights=arguments.weights, image_size=arguments.image_size)
    finder = Finder(Segmenter(settings), settings)
    masks = arguments.data / "masks"
    for name in ("pennfudan", "coco128_person"):
        if (masks / name).is_dir():
            report_photographs(name, finder, photographs(masks / name))
    if (masks / "davis16").is_dir():
        report_clips("davis16", finder, davis(masks / "davis16"))
    if (masks / "weizmann").is_dir():
        clips = weizmann(arguments.data / "clips" / "weizmann", masks / "weizmann")
        report_clips("weizmann", finder, clips)


if __name__ == "__main__":
    main()
