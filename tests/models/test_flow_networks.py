"""Networks with flow streams: what they see of each version, with and without a part."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.architectures import build_network, check_versions
from models.frames import FrameCache
from models.network import Network
from models.network_frames import open_for, views_of
from models.views import BLANK, LENT_BACKGROUND, flow_of
from study.errors import StudyError
from study.fields import Model, Training
from study.results import Results
from study.tables import read_table

N_CLASSES = 4


def _network(architecture: str, **settings: object) -> Network:
    model = Model(name="net", architecture=architecture, backbone="tiny", **settings)
    return build_network(model, N_CLASSES, 32, seed=0)


@pytest.fixture(scope="module")
def domainnet_flow() -> Network:
    return _network("domainnet_flow")


def test_baseline_flow_sees_every_version_and_its_flow() -> None:
    network = _network("baseline_flow")
    for condition in ("body_background", "body_only", "silhouette"):
        expected = {"plain": {"whole": condition, "flow": f"{condition}/flow"}}
        assert network.readings(condition) == expected
    assert not network.mixes_parts


def test_an_absent_part_has_no_motion(domainnet_flow: Network) -> None:
    readings = domainnet_flow.readings("body_only")
    assert readings["drop"] == {"body": "body_only", "body_flow": "body_only/flow"}
    assert readings["blank"] == readings["drop"] | {
        "background": BLANK,
        "background_flow": flow_of(BLANK),
    }


def test_wholes_are_read_by_their_parts(domainnet_flow: Network) -> None:
    body = {"body": "body_only", "body_flow": "body_only/flow"}
    assert domainnet_flow.readings("body_background")["drop"] == body | {
        "background": "background_only",
        "background_flow": "background_only/flow",
    }
    assert domainnet_flow.readings("swapped_background")["drop"] == body | {
        "background": LENT_BACKGROUND,
        "background_flow": flow_of(LENT_BACKGROUND),
    }
    assert domainnet_flow.readings("blurred_background") == {}


def test_each_stream_has_its_own_loss(domainnet_flow: Network) -> None:
    frames = {name: torch.rand(2, 3, 32, 32) for name in domainnet_flow.trained_on[0]}
    scores = domainnet_flow(frames)
    assert set(scores) == {"body", "background", "body_flow", "background_flow", "combined"}
    summed = sum(value for name, value in scores.items() if name != "combined")
    torch.testing.assert_close(scores["combined"], summed)
    with pytest.raises(StudyError, match="needs the version 'background_only'"):
        check_versions(domainnet_flow.settings, ["body_background", "body_only"])


def test_frames_are_opened_by_what_a_network_reads(results: Results) -> None:
    manifest = read_table("manifest", results.manifest)
    training = Training(image_size=32)
    plain = open_for(_network("baseline"), results, manifest, training)
    assert not [view for view in _stored(plain) if view.endswith("/flow")]
    network = _network("domainnet_flow")
    cache = open_for(network, results, manifest, training, to_train=True)
    conditions = list(manifest["condition"].unique())
    assert set(views_of(network, conditions, to_train=True)) <= set(cache.frames)
    assert set(_stored(cache)) - set(_stored(plain)) == {"body_only/flow", "background_only/flow"}
    for reading in network.readings("background_only").values():
        seen = {
            stream: torch.from_numpy(cache.take(view, np.arange(3))).permute(0, 3, 1, 2) / 255
            for stream, view in reading.items()
        }
        assert network(seen)["combined"].shape == (3, N_CLASSES)


def _stored(cache: FrameCache) -> list[str]:
    """Return the views that lie in files."""
    return [view for view in cache.frames if view.removesuffix("/flow") != BLANK]
