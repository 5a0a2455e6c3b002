"""A segmenter of the user's: what it returns is checked, and its errors are named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stimuli.examine import ExamineJob, examine, examine_key
from stimuli.masks import read_masks
from stimuli.segmentation.own import load_segmenter, masks_of_own_segmenter, segmenter_sha256
from study.errors import StudyError
from study.fields import Masks

FRAMES = np.zeros((3, 8, 10, 3), np.uint8)


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest):
    """Return a function that writes a module of a name of its own into the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    name = "own_" + "".join(c if c.isalnum() else "_" for c in request.node.name)

    def write(code: str) -> str:
        (tmp_path / f"{name}.py").write_text("import numpy as np\n" + code)
        return name

    return write


def test_its_masks_are_used(module, make_video, tmp_path: Path) -> None:
    name = module(
        "def find(frames):\n"
        "    assert frames.dtype == np.uint8 and frames.ndim == 4\n"
        "    return (frames.min(axis=3) > 200) * 255\n"
    )
    video = make_video()
    masks = Masks(source="callable", segmenter=f"{name}:find")
    target = tmp_path / "masks.npz"
    found = examine(ExamineJob(video, "run", "clip", target, masks, None, 6.0))
    written = read_masks(target)
    assert found["n_found"] == found["n_frames"] == len(written.masks_thw)
    assert found["n_persons_max"] == -1 and found["mask_confidence"] == 1.0
    # The light square of the made video has a side of a fifth of its height.
    assert abs(written.masks_thw.sum(axis=(1, 2)) - 81).max() <= 20
    assert written.provenance["segmenter"] == f"{name}:find"
    assert written.provenance["segmenter_sha256"] == segmenter_sha256(f"{name}:find")


def test_a_change_of_its_code_changes_the_key(module, tmp_path: Path) -> None:
    name = module("def find(frames): return frames[..., 0]\n")
    masks = Masks(source="callable", segmenter=f"{name}:find")
    job = ExamineJob(tmp_path / "a.mp4", "run", "a", tmp_path / "a.npz", masks, None, 6.0)
    before = examine_key(job, "source")
    assert examine_key(job, "source") == before
    module("def find(frames): return frames[..., 1]\n")
    assert examine_key(job, "source") != before


def test_missing_modules_and_functions_are_named(module) -> None:
    with pytest.raises(StudyError, match=r"no module 'not_there'.*expected module:function"):
        load_segmenter("not_there:find")
    with pytest.raises(StudyError, match=r"no module 'not_there\.below'"):
        segmenter_sha256("not_there.below:find")
    name = module("find = 3\n")
    with pytest.raises(StudyError, match=r"expected a function, found int"):
        load_segmenter(f"{name}:find")
    with pytest.raises(StudyError, match=r"\.py has no function 'look'"):
        load_segmenter(f"{name}:look")


def test_a_module_that_fails_on_import_is_named(module) -> None:
    name = module("raise RuntimeError('no licence')\n")
    with pytest.raises(StudyError, match=r"importing .*\.py failed: RuntimeError: no licence"):
        load_segmenter(f"{name}:find")


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        ("frames[:2, ..., 0]", r"= \(3, 8, 10\), found \(2, 8, 10\)"),
        ("None", r"found \(\)"),
        ("frames[..., 0].astype(str)", "bool or numbers, found <U"),
        ("frames[..., 0] + [[[0]], [[0]], [[float('nan')]]]", "80 NaN values.*in frame 2"),
        ("1 / 0", "failed: ZeroDivisionError"),
    ],
)
def test_what_is_no_mask_is_refused(module, returned: str, said: str) -> None:
    name = module(f"def find(frames): return {returned}\n")
    with pytest.raises(StudyError, match=f"masks.segmenter = '{name}:find'.*{said}"):
        masks_of_own_segmenter(f"{name}:find", FRAMES)
