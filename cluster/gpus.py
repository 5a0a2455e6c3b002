"""Published peaks of GPUs, and how long counted operations take on them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Gpu:
    """A GPU as its maker describes it.

    Attributes
    ----------
    title : str
    tflops : float
        Peak of dense matrix products, 10^12 operations per second, in bfloat16, the precision of
        `training.precision = "auto"` on CUDA.
    reached : float
        Share of that peak that convolutional networks are assumed to reach.
    memory_gb : int
    """

    title: str
    tflops: float
    reached: float
    memory_gb: int


# NVIDIA's data sheets: "Tesla V100" (2020; no bfloat16: the FP32 peak), "A100 80GB" (2021),
# "H100" (2023, SXM; half of what is given with sparsity), "L40S" (2023), and the Ada architecture's
# white paper (2022; RTX 4090, FP32 accumulation).
# What is reached: NVIDIA's own ResNet-50 in PyTorch trains some 2,500 images per second on an A100
# (DeepLearningExamples), 0.2 of its peak, of which 0.15 are taken to be left for a study's. Such
# networks wait for memory more than for arithmetic, so the others reach as much more or less as
# their memory is faster or slower (0.9, 2.0, 3.35, 0.86, 1.0 TB/s; FP32 moves twice the bytes).
GPUS: dict[str, Gpu] = {
    "v100": Gpu("V100 (FP32)", 15.7, 0.6, 32),
    "a100": Gpu("A100", 312.0, 0.15, 80),
    "h100": Gpu("H100 SXM", 989.4, 0.08, 80),
    "l40s": Gpu("L40S", 362.0, 0.055, 48),
    "rtx4090": Gpu("RTX 4090", 165.2, 0.14, 24),
}

# 10^9 operations per frame of 640 x 640 pixels, as Ultralytics' documentation lists them.
YOLO_GFLOPS = {
    "yolov8n-seg": 12.6,
    "yolov8s-seg": 42.6,
    "yolov8m-seg": 110.2,
    "yolov8l-seg": 220.5,
    "yolov8x-seg": 344.1,
    "yolo11n-seg": 10.4,
    "yolo11s-seg": 35.5,
    "yolo11m-seg": 123.3,
    "yolo11l-seg": 142.2,
    "yolo11x-seg": 319.0,
}
YOLO_SIDE = 640


def gpu_seconds(operations: float, gpu: str, utilisation: float) -> float:
    """Return how long so many operations take at a share of a GPU's peak.

    >>> round(gpu_seconds(312e12, "a100", 0.5), 3)
    2.0
    """
    return operations / (GPUS[gpu].tflops * 1e12 * utilisation)


def yolo_operations(weights_stem: str, image_size: int) -> float | None:
    """Return the operations per frame of an official YOLO network, None of one that is not known.

    They grow with the frame's area.
    """
    gflops = YOLO_GFLOPS.get(weights_stem)
    return None if gflops is None else gflops * 1e9 * (image_size / YOLO_SIDE) ** 2
