"""Networks of the user as TorchScript files: the right kind, every wrong kind, little memory."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from stimuli.inpainting import inpainted
from study.errors import StudyError
from study.fields import Versions


def _noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)


def _fill(frames: np.ndarray, holes: np.ndarray, path: Path) -> np.ndarray:
    settings = Versions(inpainting="torchscript", inpaint_model=path)
    return inpainted(frames, holes, holes, settings)


HALF_GREY = "image * (1 - mask) + 0.5 * mask"
MakeNetwork = Callable[..., Path]
NETWORKS_MADE = itertools.count()


@pytest.fixture(name="make_network")
def make_network_fixture(tmp_path: Path) -> MakeNetwork:
    """Return a function that writes a TorchScript model which returns this expression."""
    torch = pytest.importorskip("torch")

    def make(returns: str, arguments: str = "image, mask") -> Path:
        # A class of its own for each: TorchScript keeps one definition per class and process.
        number = next(NETWORKS_MADE)
        module = type(f"Network{number}", (torch.jit.ScriptModule,), {})()
        module.define(f"def forward(self, {arguments}):\n    return {returns}\n")
        path = tmp_path / "network.pt"
        torch.jit.save(module, str(path))
        return path

    return make


def _with_network(path: Path, n_frames: int = 2, side: tuple[int, int] = (44, 60)) -> np.ndarray:
    frames = _noise(n_frames, *side, 3)
    holes = np.zeros((n_frames, *side), bool)
    holes[:, 10:30, 20:58] = True
    filled = _fill(frames, holes, path)
    assert np.array_equal(filled[~holes], frames[~holes])
    return filled[holes]


def test_a_network_fills_the_hole(make_network: MakeNetwork) -> None:
    # 11 frames are two batches; 44x60 is padded to 48x64.
    assert (_with_network(make_network(HALF_GREY), n_frames=11) == 128).all()


def test_a_network_sees_whole_eighths_and_colours_in_their_order(make_network: MakeNetwork) -> None:
    sides = "image * 0 + (image.size(2) * 1000 + image.size(3)) / 100000"
    # 48064 / 100000 of 255 is 122.56.
    assert (_with_network(make_network(sides)) == 123).all()
    path = make_network("image")
    frames = _noise(1, 20, 30, 3)
    holes = np.zeros((1, 20, 30), bool)
    holes[:, 5:15, 8:20] = True
    assert np.array_equal(_fill(frames, holes, path), frames)


def test_a_network_out_of_range_is_clipped(make_network: MakeNetwork) -> None:
    assert (_with_network(make_network("image * 0 + 7.0")) == 255).all()


@pytest.mark.parametrize(
    ("returns", "arguments", "found"),
    [
        ("image", "image", "it fails on these"),
        ("(image, mask)", "image, mask", "it returns tuple"),
        ("mask", "image, mask", r"shape \(2, 1, 48, 64\), expected \(2, 3, 48, 64\)"),
        ("image / 0.0", "image, mask", "not finite"),
    ],
)
def test_a_network_of_another_kind_is_refused(
    make_network: MakeNetwork, returns: str, arguments: str, found: str
) -> None:
    with pytest.raises(StudyError, match=f"network.pt: expected a model .*{found}"):
        _with_network(make_network(returns, arguments))


def test_a_file_that_is_no_network_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    with pytest.raises(StudyError, match="no such file"):
        _with_network(tmp_path / "none.pt")
    (tmp_path / "text.pt").write_text("hello")
    with pytest.raises(StudyError, match=r"text\.pt: expected a TorchScript file"):
        _with_network(tmp_path / "text.pt")


def test_too_little_memory_halves_the_batch(
    make_network: MakeNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = pytest.importorskip("torch")
    from stimuli.inpainting import torchscript

    tried, enough_for = [], 2
    run = torchscript._Network._run

    def with_little_memory(self: object, images: torch.Tensor, masks: torch.Tensor) -> object:
        tried.append(len(images))
        if len(images) > enough_for:
            raise torch.OutOfMemoryError("out of memory")
        return run(self, images, masks)

    monkeypatch.setattr(torchscript._Network, "_run", with_little_memory)
    assert (_with_network(make_network(HALF_GREY), n_frames=5) == 128).all()
    assert tried == [5, 4, 2, 2, 1]
    enough_for = 0
    with pytest.raises(StudyError, match="one picture of 60x44 pixels is too large"):
        _with_network(make_network(HALF_GREY))
