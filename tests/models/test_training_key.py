"""A network is trained again when what it sees changes, and not when other versions do."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from models.architectures import build_network
from models.checkpoint import read_facts
from models.network_frames import make_frames
from models.train import train_model
from models.training_key import training_key
from stimuli.masks import PersonMasks, write_masks
from study.config import Study
from study.errors import StudyError
from study.results import Results
from study.tables import read_table, write_table


@pytest.fixture
def manifest(drawn: Results) -> pd.DataFrame:
    return read_table("manifest", drawn.manifest)


def _with_model(study: Study, **fields: object) -> Study:
    model = study.model("parts").model_copy(update=fields)
    return study.model_copy(update={"models": [model]})


def _key(study: Study, results: Results, manifest: pd.DataFrame, name: str = "parts") -> str:
    network = build_network(study.model(name), 4, 32, seed=0)
    return training_key(study, results, network, 0, manifest)


def _changed(manifest: pd.DataFrame, condition: str, split: str) -> pd.DataFrame:
    """Return a manifest in which one stimulus is another one."""
    rows = (manifest["condition"] == condition) & (manifest["split"] == split)
    other = manifest.copy()
    other.loc[rows.idxmax(), "sha256"] = "0" * 64
    return other


def _with_version(manifest: pd.DataFrame) -> pd.DataFrame:
    """Add a version to the front that looks as the originals do."""
    added = manifest[manifest["condition"] == "body_background"]
    stimulus_id = added["clip_id"] + "-blurred_background"
    added = added.assign(condition="blurred_background", stimulus_id=stimulus_id)
    return pd.concat([added, manifest], ignore_index=True)


@pytest.mark.parametrize("kind", [{}, {"keep": "best"}])
def test_a_version_more_keeps_checkpoint_and_bytes(
    kind: dict[str, object],
    results: Results,
    manifest: pd.DataFrame,
    make_study: Callable[..., Study],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    study = make_study(epochs=1, **kind)
    final = train_model(study, results, "parts", 0)
    before, written_at = final.read_bytes(), final.stat().st_mtime_ns
    write_table("manifest", _with_version(manifest), results.manifest)
    with monkeypatch.context() as patch:
        patch.setattr("models.train.TrainingLoop", _never)
        train_model(study, results, "parts", 0)
    assert final.stat().st_mtime_ns == written_at
    # It is right to keep it: trained beside the new version, the same weights come out.
    final.unlink()
    assert train_model(study, results, "parts", 0).read_bytes() == before


def test_a_changed_version_that_it_sees_trains_it_again(
    results: Results, manifest: pd.DataFrame, make_study: Callable[..., Study]
) -> None:
    study = make_study(epochs=1)
    keys = []
    for other in (manifest, _changed(manifest, "body_only", "train")):
        write_table("manifest", other, results.manifest)
        for name in ("parts", "whole"):
            keys.append(read_facts(train_model(study, results, name, 0))["key"])
    # The baseline never sees bodies alone.
    assert keys[0] != keys[2] and keys[1] == keys[3]


@pytest.mark.parametrize(
    ("training", "counts"), [({}, False), ({"keep": "best"}, True), ({"patience": 2}, True)]
)
def test_validation_clips_count_where_they_decide(
    training: dict[str, object],
    counts: bool,
    results: Results,
    manifest: pd.DataFrame,
    make_study: Callable[..., Study],
) -> None:
    study = make_study(**training)
    key = _key(study, results, manifest)
    # Originals are read by their two parts, which decide.
    changed = _key(study, results, _changed(manifest, "background_only", "validation"))
    assert (changed != key) == counts
    assert _key(study, results, _changed(manifest, "body_background", "validation")) == key
    for condition in ("body_background", "body_only", "background_only"):
        assert _key(study, results, _changed(manifest, condition, "test")) == key
    fewer = manifest[manifest["clip_id"] != "bow_001"]
    assert (_key(study, results, fewer) != key) == counts
    # What counts is seen in the order of the clips, in whatever order the versions come.
    by_version = manifest.sort_values("condition", kind="stable")
    assert _key(study, results, by_version) == key
    assert _key(study, results, manifest.iloc[::-1]) != key


@pytest.mark.parametrize(
    ("architecture", "training", "counts"),
    [
        ("domainnet", {"keep": "best"}, False),
        ("domainnet_swapped", {"keep": "best"}, True),
        ("domainnet_swapped", {"patience": 2}, True),
        ("domainnet_swapped", {}, False),
    ],
)
def test_the_way_an_absent_part_is_read_counts_where_it_decides(
    architecture: str,
    training: dict[str, object],
    counts: bool,
    results: Results,
    manifest: pd.DataFrame,
    make_study: Callable[..., Study],
) -> None:
    keys = {
        _key(
            _with_model(make_study(**training), architecture=architecture, absent_part=way),
            results,
            manifest,
        )
        for way in ("blank", "drop")
    }
    assert (len(keys) == 2) == counts


def test_masks_count_for_networks_that_learn_from_them(
    results: Results, manifest: pd.DataFrame, make_study: Callable[..., Study]
) -> None:
    learnt = _with_model(make_study(), architecture="soft_mask")
    free = _with_model(
        make_study(),
        architecture="soft_mask",
        soft_mask=learnt.model("parts").soft_mask.model_copy(update={"supervised": False}),
    )
    keys = []
    for split, size in (("train", 2), ("train", 3), ("test", 3), ("test", 2)):
        clip = manifest[manifest["split"] == split].iloc[0]
        masks = np.zeros((clip["n_frames"], 8, 8), bool)
        masks[:, :size] = True
        path = results.masks / clip["action"] / f"{clip['clip_id']}.npz"
        write_masks(path, PersonMasks(masks, np.ones(len(masks), int)))
        keys.append([_key(study, results, manifest) for study in (learnt, free)])
    supervised, unsupervised = zip(*keys, strict=True)
    assert supervised[0] != supervised[1] and len(set(supervised[1:])) == 1
    assert len(set(unsupervised)) == 1


def test_what_does_not_learn_depends_on_no_clip(
    results: Results, manifest: pd.DataFrame, make_study: Callable[..., Study]
) -> None:
    study = make_study(keep="best")
    network = build_network(study.model("whole"), 4, 32, seed=0).requires_grad_(False)
    others = [
        manifest,
        _changed(manifest, "body_background", "train"),
        _changed(manifest, "body_background", "validation"),
    ]
    assert len({training_key(study, results, network, 0, other) for other in others}) == 1
    network.requires_grad_(True)
    assert len({training_key(study, results, network, 0, other) for other in others}) == 3


def test_a_class_without_a_training_clip_is_found_before_frames_are_made(
    results: Results, manifest: pd.DataFrame, make_study: Callable[..., Study]
) -> None:
    lost = (manifest["action"] == "jump") & (manifest["split"] == "train")
    write_table("manifest", manifest[~lost], results.manifest)
    study = make_study()
    with pytest.raises(StudyError, match="no training clip of 'jump'"):
        make_frames(study, results)
    with pytest.raises(StudyError, match="no training clip of 'jump'"):
        train_model(study, results, "whole", 0)
    assert not results.frames.exists()


def _never(*_: object, **__: object) -> None:
    raise AssertionError("trained again")
