"""Weights: where they are sought, and that reading them runs no code."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest

from stimuli.segmentation import yolo
from stimuli.segmentation.weights import find_weights
from study.errors import StudyError
from study.fields import Masks


class _Creates:
    """Pickles into a call that creates a file when it is read."""

    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.witness),)


def test_missing_weights_say_where_to_get_them_and_where_to_put_them(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"none\.pt.*Get the official file from https.* put it at"):
        find_weights(tmp_path / "none.pt")


def test_a_name_that_is_not_official_suggests_those_that_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StudyError, match=r"Official names are, for instance, .*yolov8x-seg\.pt"):
        find_weights(Path("yolo8x-seg.pt"))
    with pytest.raises(StudyError) as of_official:
        find_weights(Path("yolov8x-seg.pt"))
    assert "for instance" not in str(of_official.value)


def test_other_formats_are_refused(tmp_path: Path) -> None:
    (tmp_path / "net.torchscript").write_bytes(b"")
    with pytest.raises(StudyError, match=r"ends in \.pt or \.onnx, found '\.torchscript'"):
        find_weights(tmp_path / "net.torchscript")


def test_weights_that_could_run_code_are_refused_and_run_none(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("ultralytics")
    witness, weights = tmp_path / "it_ran", tmp_path / "foreign.pt"
    torch.save({"model": _Creates(witness)}, weights)
    said = r"foreign\.pt \(SHA-256 [0-9a-f]{64}\): holds more .*mkdir.*masks\.trust_weights = true"
    with pytest.raises(StudyError, match=said):
        yolo.Segmenter(Masks(source="yolo", weights=weights, device="cpu"))
    assert not witness.exists()
    with pytest.raises(StudyError, match="not YOLO weights"):
        yolo.Segmenter(Masks(source="yolo", weights=weights, device="cpu", trust_weights=True))
    assert witness.exists(), "the file would have run code: the test above means something"


def test_layers_whose_settings_are_code_are_not_built(tmp_path: Path) -> None:
    """Ultralytics evaluates the name of an activation: a second way to run code."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("ultralytics")
    from ultralytics.nn.tasks import SegmentationModel

    witness, weights = tmp_path / "it_ran", tmp_path / "foreign.pt"

    class Builds:
        def __reduce__(self) -> tuple:
            code = f"__import__('os').mkdir({str(witness)!r})"
            layers = {"backbone": [], "head": [], "nc": 1, "activation": code}
            return SegmentationModel, ({**layers, "depth_multiple": 1, "width_multiple": 1},)

    torch.save({"model": Builds()}, weights)
    with pytest.raises(StudyError, match=r"foreign\.pt"):
        yolo.Segmenter(Masks(source="yolo", weights=weights, device="cpu"))
    assert not witness.exists()


def test_damaged_weights_are_named(tmp_path: Path) -> None:
    pytest.importorskip("ultralytics")
    for name in ("text.pt", "text.onnx"):
        (tmp_path / name).write_text("no network")
        with pytest.raises(StudyError, match=rf"{name}: not YOLO weights"):
            yolo.Segmenter(Masks(source="yolo", weights=tmp_path / name, device="cpu"))


def test_too_old_an_ultralytics_refuses_rather_than_trusts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ultralytics")
    from ultralytics.nn import tasks

    monkeypatch.delattr(tasks, "_SafeLoad")
    zipfile.ZipFile(tmp_path / "some.pt", "w").close()
    with pytest.raises(StudyError, match=r"too old to look safely.*trust_weights"):
        yolo.Segmenter(Masks(source="yolo", weights=tmp_path / "some.pt", device="cpu"))


@pytest.mark.real_data
def test_real_weights_need_no_trust_and_onnx_says_its_size(real_data: Path) -> None:
    pytest.importorskip("ultralytics")
    folder = real_data / "weights"
    yolo.Segmenter(Masks(source="yolo", weights=folder / "yolov8n-seg.pt", device="cpu"))
    onnx = Masks(source="yolo", weights=folder / "yolov8n-seg.onnx", device="cpu", image_size=320)
    with pytest.raises(StudyError, match=r"frames of 640 pixels; set masks\.image_size = 640"):
        yolo.Segmenter(onnx)
