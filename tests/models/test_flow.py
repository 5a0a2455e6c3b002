"""Optical flow: known shifts found, whatever the threads; written and mirrored rightly."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torchvision.models.optical_flow import raft_small

from models.flow import (
    LIMIT,
    FlowMethod,
    decode,
    dis_flow,
    encode,
    estimator,
    flow_method,
    flow_pictures,
    inner_side,
    turned,
)
from models.flow_raft import Raft, load_raft
from study.errors import StudyError
from study.fields import Training

SHIFT = (6.0, -3.0)


@pytest.fixture(scope="module")
def moved() -> np.ndarray:
    """Three frames of 128 px: a texture that moves by SHIFT twice."""
    texture = np.random.default_rng(0).integers(0, 255, (160, 160, 3), dtype=np.uint8)
    texture = cv2.GaussianBlur(texture, (0, 0), 2)
    texture = cv2.normalize(texture, None, 0, 255, cv2.NORM_MINMAX)
    right, down = (int(step) for step in SHIFT)
    return np.stack([texture[16 - t * down :, 16 - t * right :][:128, :128] for t in range(3)])


def test_dis_finds_a_known_shift(moved: np.ndarray) -> None:
    flow = dis_flow(moved)
    assert flow.shape == (2, 128, 128, 2)
    inside = flow[:, 12:-12, 12:-12]
    np.testing.assert_allclose(np.median(inside, axis=(1, 2)), [SHIFT, SHIFT], atol=0.05)
    assert np.linalg.norm(inside - SHIFT, axis=-1).mean() < 0.2


def test_dis_does_not_depend_on_threads(moved: np.ndarray) -> None:
    before, found = cv2.getNumThreads(), []
    for threads in (1, 4):
        cv2.setNumThreads(threads)
        found.append(dis_flow(moved))
    cv2.setNumThreads(before)
    np.testing.assert_array_equal(*found)


@pytest.mark.real_data
def test_raft_finds_the_same_shift_as_dis(moved: np.ndarray, real_data: Path) -> None:
    raft = estimator(FlowMethod("raft", real_data / "weights" / "raft-small.pth", "cpu"))
    inside = raft(moved)[:, 16:-16, 16:-16]
    assert inside.shape[-1] == 2
    np.testing.assert_allclose(np.median(inside, axis=(1, 2)), [SHIFT, SHIFT], atol=0.5)
    # Sides that RAFT itself does not take.
    small = raft(moved[:2, :100, :70])
    assert small.shape == (1, 100, 70, 2)
    np.testing.assert_allclose(np.median(small[:, 20:80, 20:50], axis=(0, 1, 2)), SHIFT, atol=0.7)


def test_pictures_of_flow_are_in_shares_of_the_side(moved: np.ndarray) -> None:
    pictures = flow_pictures(moved, 64, dis_flow)
    assert pictures.shape == (3, 64, 64, 3)
    assert (pictures[0] == 128).all(), "the first frame has no motion"
    expected = np.array(SHIFT) / 128
    centre = decode(pictures)[1:, 8:-8, 8:-8]
    np.testing.assert_allclose(np.median(centre, axis=(0, 1, 2)), expected, atol=0.002)
    photo = flow_pictures(moved[:1], 64, dis_flow)
    assert photo.shape == (1, 64, 64, 3) and (photo == 128).all()


def test_motion_is_written_in_eight_bits() -> None:
    moves = np.array([[0, 0], [LIMIT, 0], [0, -LIMIT], [LIMIT / 127, 0], [3 * LIMIT, 4 * LIMIT]])
    assert encode(moves).tolist() == [
        [128, 128, 128],
        [255, 128, 255],
        [128, 1, 255],
        [129, 128, 129],
        # Cut to the limit along its direction: three and four fifths of 127.
        [204, 230, 255],
    ]
    small = np.random.default_rng(0).uniform(-LIMIT / 2, LIMIT / 2, (50, 2))
    np.testing.assert_allclose(decode(encode(small)), small, atol=LIMIT / 127 / 2 + 1e-7)


def test_mirrored_frames_have_the_turned_mirrored_flow(moved: np.ndarray) -> None:
    pictures = flow_pictures(moved, 64, dis_flow)
    mirrored = flow_pictures(np.ascontiguousarray(moved[:, :, ::-1]), 64, dis_flow)
    turned_pictures = pictures[:, :, ::-1].copy()
    turned_pictures[..., 0] = turned(turned_pictures[..., 0])
    difference = np.abs(turned_pictures[:, 8:-8, 8:-8].astype(int) - mirrored[:, 8:-8, 8:-8])
    assert difference.mean() < 1
    values = np.arange(1, 256, dtype=np.uint8)
    assert turned(values).tolist() == [256 - value for value in range(1, 256)]
    np.testing.assert_array_equal(turned(torch.from_numpy(values)).numpy(), turned(values))


def test_flow_is_found_on_larger_frames_than_the_networks() -> None:
    assert inner_side(224, (640, 360)) == 448
    assert inner_side(64, (640, 360)) == 256
    assert inner_side(64, (160, 120)) == 128, "not beyond the stimulus's own pixels"
    assert inner_side(224, (160, 120)) == 224


def test_raft_knows_both_ways_to_name_its_weights(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = raft_small(weights=None).eval()
    torch.save(network.state_dict(), tmp_path / "raft.pth")
    loaded = load_raft(tmp_path / "raft.pth").state_dict()
    assert all(torch.equal(value, loaded[name]) for name, value in network.state_dict().items())
    authors = {
        name.replace("feature_encoder.convnormrelu.0", "module.fnet.conv1")
        .replace("update_block.recurrent_block.convgru1", "module.update_block.gru"): value
        for name, value in network.state_dict().items()
    }  # fmt: skip
    assert authors.keys() != network.state_dict().keys()
    torch.save(authors, tmp_path / "authors.pth")
    loaded = load_raft(tmp_path / "authors.pth").state_dict()
    assert all(torch.equal(value, loaded[name]) for name, value in network.state_dict().items())


def test_other_weights_are_refused(tmp_path: Path) -> None:
    torch.save({"head.weight": torch.zeros(3)}, tmp_path / "other.pth")
    with pytest.raises(StudyError, match=r"flow_weights.*expected weights of torchvision's RAFT"):
        Raft(tmp_path / "other.pth", "cpu")
    with pytest.raises(StudyError, match=r"absent\.pth: no such file"):
        flow_method(Training(flow="raft", flow_weights=tmp_path / "absent.pth"))
    assert flow_method(Training()).tag == "dis"
