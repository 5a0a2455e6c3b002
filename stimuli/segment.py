"""Persons by YOLO segmentation. The only file that imports ultralytics, and only when needed."""

from __future__ import annotations

import functools
import itertools
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from stimuli.parallel import BatchError
from stimuli.track import Instance
from study.errors import StudyError, missing_package
from study.fields import Masks

PERSON_CLASS = 0
OFFICIAL_WEIGHTS = "https://github.com/ultralytics/assets/releases"
WEIGHTS_FOLDER = Path("~/.cache/bodyscene/weights")


def find_weights(weights: Path) -> Path:
    """Return the weights file: the path itself, or a bare name in the weights folder.

    Raises
    ------
    StudyError
        When there is none; says where to get it and where to put it.
    """
    tried = [weights]
    if weights.parent == Path():
        tried.append(WEIGHTS_FOLDER.expanduser() / weights)
    for path in tried:
        if path.is_file():
            return path
    raise StudyError(
        f"masks.weights = {str(weights)!r}: no such weights file "
        f"(tried {', '.join(str(path.absolute()) for path in tried)}). Get the official file "
        f"from {OFFICIAL_WEIGHTS} and put it at {tried[-1].absolute()}, or give the path of yours "
        "in masks.weights."
    )


def choose_device(device: str) -> str:
    """Return the device that `auto` means on this machine, or the one that was asked for.

    Raises
    ------
    StudyError
        When a GPU is asked for that is not there.
    """
    torch = _torch()
    if device == "auto":
        return "cuda:0" if torch.cuda.is_available() else "cpu"
    known = ["cpu", "cuda", *(f"cuda:{n}" for n in range(torch.cuda.device_count()))]
    if device not in known or (device != "cpu" and not torch.cuda.is_available()):
        here = known if torch.cuda.is_available() else ["cpu"]
        raise StudyError(
            f"masks.device = {device!r} is not on this machine; expected one of {here}"
        )
    return device


def unletterboxed(masks_nhw: np.ndarray, size_wh: tuple[int, int]) -> np.ndarray:
    """Cut the padding off masks at the size of the network's input.

    Parameters
    ----------
    masks_nhw : ndarray
        Masks of one frame as the network gives them, the frame centred in them.
    size_wh : tuple of int
        Size of the frame.

    Returns
    -------
    ndarray
        (N, h, w): the frame's own area, still at the scale of the network.
    """
    height, width = masks_nhw.shape[1:]
    scale = min(width / size_wh[0], height / size_wh[1])
    inner_w, inner_h = round(size_wh[0] * scale), round(size_wh[1] * scale)
    # Half a pixel of padding goes to the right and to the bottom, as when it was added.
    left = round((width - inner_w) / 2 - 0.1)
    top = round((height - inner_h) / 2 - 0.1)
    return masks_nhw[:, top : top + inner_h, left : left + inner_w]


def at_frame_size(mask_hw: np.ndarray, size_wh: tuple[int, int]) -> np.ndarray:
    """Resize one mask to the frame: interpolated, then cut at one half, so outlines stay smooth."""
    return cv2.resize(mask_hw.astype(np.float32), size_wh, interpolation=cv2.INTER_LINEAR) >= 0.5


@dataclass(frozen=True)
class FramePersons:
    """The persons of one frame.

    Attributes
    ----------
    instances : list of Instance
        At the scale of the network, padding removed.
    size_wh : tuple of int
        Size of the frame at that scale.
    """

    instances: list[Instance]
    size_wh: tuple[int, int]


class Segmenter:
    """A YOLO segmentation network that finds the persons of frames.

    Parameters
    ----------
    settings : Masks
        Weights, device, batch size, confidence and image size.
    threads : int
        CPU threads; several processes of one thread each are faster than one of several.
    """

    def __init__(self, settings: Masks, threads: int = 1) -> None:
        self.settings = settings
        self.device = choose_device(settings.device)
        path = find_weights(settings.weights)
        try:
            self._network = _ultralytics().YOLO(str(path), task="segment")
            self._predict([np.zeros((64, 64, 3), np.uint8)])
        except StudyError:
            raise
        except Exception as error:  # whatever unpickling a foreign file may raise
            raise BatchError(f"{path}: not YOLO weights that can be loaded: {error}") from error
        # Only now: its first run makes the network take all cores.
        _torch().set_num_threads(threads)

    def persons(self, frames: Iterable[np.ndarray]) -> Iterator[FramePersons]:
        """Yield the persons of every (H, W, 3) RGB frame, masks at the network's scale."""
        frames = iter(frames)
        while batch := list(itertools.islice(frames, self.settings.batch_size)):
            yield from self._persons_of_batch(batch)

    def _persons_of_batch(self, batch: list[np.ndarray]) -> list[FramePersons]:
        results = self._predict([frame[..., ::-1] for frame in batch])
        return [_persons(result, _size_wh(batch[0])) for result in results]

    def _predict(self, batch_bgr: list[np.ndarray]) -> list[object]:
        return self._network.predict(
            batch_bgr,
            classes=[PERSON_CLASS],
            conf=self.settings.confidence,
            imgsz=self.settings.image_size,
            device=self.device,
            verbose=False,
            save=False,
        )


@functools.lru_cache(maxsize=1)
def segmenter(settings_json: str, threads: int) -> Segmenter:
    """Return the segmenter of these settings, loaded once per process."""
    return Segmenter(Masks.model_validate_json(settings_json), threads)


def _persons(result: object, size_wh: tuple[int, int]) -> FramePersons:
    """Turn one frame's result into instances."""
    if result.masks is None:
        return FramePersons([], size_wh)
    masks = unletterboxed(result.masks.data.cpu().numpy() > 0, size_wh)
    confidences = result.boxes.conf.cpu().numpy()
    found = (Instance.of(*pair) for pair in zip(masks, map(float, confidences), strict=True))
    inner_wh = (masks.shape[2], masks.shape[1])
    return FramePersons([instance for instance in found if instance is not None], inner_wh)


def _size_wh(frame_hwc: np.ndarray) -> tuple[int, int]:
    return frame_hwc.shape[1], frame_hwc.shape[0]


def _torch():
    import torch

    return torch


def _ultralytics():
    """Import ultralytics so that it neither phones home nor installs anything."""
    os.environ["YOLO_OFFLINE"] = "true"
    os.environ["YOLO_AUTOINSTALL"] = "false"
    os.environ.setdefault("YOLO_CONFIG_DIR", str(WEIGHTS_FOLDER.expanduser().parent))
    try:
        import ultralytics
    except ModuleNotFoundError as error:
        raise missing_package("ultralytics") from error
    return ultralytics
