"""The YOLO network. The only file that imports ultralytics, and only when needed."""

from __future__ import annotations

import functools
import logging
import os
import zipfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stimuli.parallel import BatchError
from stimuli.segmentation.batches import in_batches
from stimuli.segmentation.person import Instance
from stimuli.segmentation.scaling import input_shape, to_network_scale, unletterboxed, with_bars
from stimuli.segmentation.weights import WEIGHTS_FOLDER, find_weights, refused
from study.errors import StudyError, missing_package
from study.fields import Masks

PERSON_CLASS = 0
# What the network is less sure of is noise; from here on a detection may continue a track.
LEAST_CONFIDENCE = 0.05
# The last bits of a network's output depend on how many frames it is given, so it is always given
# the same number. On a CPU more than two gain nothing.
CPU_BATCH = 2


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


class Segmenter:
    """A YOLO segmentation network that finds the persons of frames.

    Parameters
    ----------
    settings : Masks
        Weights, device, batch size, confidence and image size.
    threads : int
        CPU threads; several processes of one thread each are faster than one of several.

    Raises
    ------
    StudyError
        When the weights are missing, damaged, could run code, or take another image size.
    """

    def __init__(self, settings: Masks, threads: int = 1) -> None:
        self.settings = settings
        self.device = choose_device(settings.device)
        self.least_confidence = min(LEAST_CONFIDENCE, settings.confidence)
        path = find_weights(settings.weights).absolute()
        self._network = _loaded(path, settings.trust_weights)
        self._run_once(path)
        self._takes_squares = path.suffix == ".onnx" and not self._backend.dynamic
        self._check_image_size(path)
        self.batch_size = self._batch_size()
        # Only now: its first run makes the network take all cores.
        _torch().set_num_threads(threads)
        if path.suffix == ".onnx" and self.device == "cpu":
            self._backend.session = _onnx_session(path, threads)

    def scaled(self, frame_hwc: np.ndarray) -> np.ndarray:
        """Return an (H, W, 3) RGB frame at the network's scale, as `persons` takes it."""
        return to_network_scale(frame_hwc, self.settings.image_size)

    def persons(self, frames: Sequence[np.ndarray]) -> list[list[Instance]]:
        """Find the persons of frames that `scaled` returned, of whatever clips and sizes.

        Frames are batched with others that make an input of the same shape. Where a batch does
        not fit into the GPU's memory, it is halved.

        Returns
        -------
        list of list of Instance
            Of every frame, at the frame's own size, also those that are not sure.
        """
        by_shape: dict[tuple[int, int], list[int]] = defaultdict(list)
        for number, frame in enumerate(frames):
            by_shape[input_shape(frame, self._takes_squares)].append(number)
        found: list[list[Instance]] = [[] for _ in frames]
        for shape_hw, numbers in by_shape.items():
            of_shape = [frames[number] for number in numbers]
            work = functools.partial(self._persons_of_batch, shape_hw)
            results = in_batches(work, of_shape, self.batch_size, _lacks_memory)
            for number, persons in zip(numbers, results, strict=True):
                found[number] = persons
        return found

    def _persons_of_batch(
        self, shape_hw: tuple[int, int], batch: Sequence[np.ndarray], size: int
    ) -> list[list[Instance]]:
        inputs = [with_bars(frame, shape_hw)[..., ::-1] for frame in batch]
        inputs += [np.zeros_like(inputs[0])] * (size - len(batch))
        results = self._predict(inputs)[: len(batch)]
        return [_instances(*pair) for pair in zip(results, batch, strict=True)]

    def _predict(self, inputs_bgr: Sequence[np.ndarray]) -> list[Any]:
        return self._network.predict(
            list(inputs_bgr),
            classes=[PERSON_CLASS],
            conf=self.least_confidence,
            imgsz=self.settings.image_size,
            device=self.device,
            verbose=False,
            save=False,
        )

    @property
    def _backend(self) -> Any:
        return self._network.predictor.model.backend

    def _run_once(self, path: Path) -> None:
        """Run the network on nothing, which shows whether it is one for segmentation."""
        side = self.settings.image_size
        try:
            result = self._predict([np.zeros((side, side, 3), np.uint8)])[0]
        except Exception as error:  # whatever a foreign network may raise
            raise BatchError(f"{path}: not YOLO weights that can be used: {error}") from error
        if result.names.get(PERSON_CLASS) != "person":
            raise BatchError(
                f"{path}: expected a network whose first class is 'person', "
                f"found {result.names.get(PERSON_CLASS)!r}"
            )

    def _batch_size(self) -> int:
        if self._takes_squares:
            return 1
        return CPU_BATCH if self.device == "cpu" else self.settings.batch_size

    def _check_image_size(self, path: Path) -> None:
        if not self._takes_squares:
            return
        side = int(self._backend.imgsz[0])
        if side != self.settings.image_size:
            raise BatchError(
                f"{path}: exported for frames of {side} pixels; set masks.image_size = {side} "
                f"(found {self.settings.image_size}), or export it again with dynamic=True"
            )


@functools.lru_cache(maxsize=1)
def segmenter(settings_json: str, threads: int) -> Segmenter:
    """Return the segmenter of these settings, loaded once per process."""
    return Segmenter(Masks.model_validate_json(settings_json), threads)


def _loaded(path: Path, trusted: bool) -> Any:
    """Load weights; a `.pt` file by the restricted unpickler, see `stimuli.segmentation.weights`.

    Where ultralytics or torch is too old to have one, such a file is refused.
    """
    ultralytics = _ultralytics()
    from ultralytics.nn import tasks

    restricted = path.suffix == ".pt" and not trusted
    if path.suffix == ".pt" and not zipfile.is_zipfile(path):
        raise BatchError(f"{path}: not YOLO weights, or damaged: no file that torch has written")
    if restricted and not getattr(getattr(tasks, "_SafeLoad", None), "SUPPORTED", False):
        raise refused(path, ValueError("ultralytics or torch is too old to look safely"))
    tasks.SAFE_LOAD = restricted
    try:
        return ultralytics.YOLO(str(path), task="segment")
    except Exception as error:  # whatever unpickling a foreign file may raise
        if restricted and "outside the supported" in str(error):
            raise refused(path, error) from error
        said = f"{type(error).__name__}: {error}"
        raise BatchError(f"{path}: not YOLO weights that can be loaded: {said}") from error
    finally:
        tasks.SAFE_LOAD = False


def _instances(result: Any, frame_hwc: np.ndarray) -> list[Instance]:
    """Turn one frame's result into instances."""
    if result.masks is None:
        return []
    height, width = frame_hwc.shape[:2]
    masks = unletterboxed(result.masks.data.cpu().numpy(), (width, height)).astype(np.uint8)
    confidences = result.boxes.conf.cpu().numpy()
    found = [
        Instance.of(mask, float(confidence), frame_hwc)
        for mask, confidence in zip(masks, confidences, strict=True)
    ]
    return [instance for instance in found if instance is not None]


def _lacks_memory(error: Exception) -> bool:
    return isinstance(error, _torch().OutOfMemoryError)


def _onnx_session(path: Path, threads: int) -> Any:
    """Open the network with as many threads as this process may use, not with all cores."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _torch() -> Any:
    try:
        import torch
    except ModuleNotFoundError as error:
        raise missing_package("torch") from error
    return torch


def _ultralytics() -> Any:
    """Import ultralytics so that it neither phones home nor installs anything."""
    os.environ["YOLO_OFFLINE"] = "true"
    os.environ["YOLO_AUTOINSTALL"] = "false"
    os.environ.setdefault("YOLO_CONFIG_DIR", str(WEIGHTS_FOLDER.expanduser().parent))
    try:
        import ultralytics
    except ModuleNotFoundError as error:
        raise missing_package("ultralytics") from error
    logging.getLogger("ultralytics").setLevel(logging.ERROR)
    return ultralytics
