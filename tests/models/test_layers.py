"""Layers by name, their outputs, Grad-CAM and features."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from models.architectures import build_network
from models.features import write_features
from models.frames import open_frames
from models.layers import as_map, chosen_layers, last_map, layer_names, outputs_of
from models.network import Network
from models.saliency import grad_cam, share_inside
from models.train import train_model
from models.trained import Trained, load_trained
from study.config import Study
from study.errors import StudyError
from study.fields import Model
from study.results import Results
from study.tables import read_table

SIDE = 32


def _network(architecture: str = "baseline", backbone: str = "tiny", side: int = SIDE) -> Network:
    model = Model(name="network", architecture=architecture, backbone=backbone)
    return build_network(model, 4, side, seed=0).eval()


def test_layers_are_the_blocks_of_every_stream() -> None:
    blocks = ["stem", *(f"stages.{place}" for place in range(4))]
    assert layer_names(_network()) == [f"whole.backbone.{name}" for name in blocks]
    assert len(layer_names(_network("domainnet"))) == 2 * len(blocks)
    names = layer_names(_network(backbone="resnet18"))
    assert {"whole.backbone.conv1", "whole.backbone.layer4.1"} <= set(names)


def test_layers_are_chosen_by_pattern_and_unknown_ones_refused() -> None:
    network = _network("domainnet")
    assert chosen_layers(network, ["body.backbone.stages.?"]) == [
        f"body.backbone.stages.{place}" for place in range(4)
    ]
    with pytest.raises(StudyError, match=r"no layer 'hand\.\*' in network; .*body\.backbone\.stem"):
        chosen_layers(network, ["hand.*"])


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((2, 5, 7, 7), (2, 5, 7, 7)),  # a convolution
        ((2, 7, 7, 5), (2, 5, 7, 7)),  # Swin
        ((2, 50, 5), (2, 5, 7, 7)),  # ViT with its class token
        ((2, 49, 5), (2, 5, 7, 7)),
        ((2, 5), None),
    ],
)
def test_outputs_become_maps(shape: tuple[int, ...], expected: tuple[int, ...] | None) -> None:
    found = as_map(torch.zeros(shape))
    assert (None if found is None else tuple(found.shape)) == expected


def test_tokens_lie_row_by_row_after_the_class_token() -> None:
    tokens = torch.arange(10.0)[None, :, None]  # a class token and 3 x 3 places
    assert as_map(tokens)[0, 0].tolist() == [[1, 2, 3], [4, 5, 6], [7, 8, 9]]


@pytest.mark.parametrize(
    ("backbone", "side", "layer"),
    [
        ("tiny", 32, "stages.1"),  # 8 by 8 places; the next have 4 by 4
        ("resnet18", 64, "layer2"),
        ("resnet18", 224, "layer4"),
        # Read by its class token: after its last attention no other place matters.
        ("timm:vit_tiny_patch16_224", 224, "blocks.11.norm1"),
    ],
)
def test_the_last_map_is_the_last_layer_with_enough_places(
    backbone: str, side: int, layer: str
) -> None:
    assert last_map(_network(backbone=backbone, side=side), "whole") == f"whole.backbone.{layer}"


def test_grad_cam_is_the_class_activation_map_before_a_mean_and_a_linear_layer(
    trained_whole: Trained,
) -> None:
    # Zhou et al. (2016) is what Grad-CAM comes to there (Selvaraju et al., 2017, section 3.1).
    network, cache = trained_whole.network, trained_whole.cache
    positions = np.arange(3)
    layer = "whole.backbone.stages.3"
    heat = grad_cam(
        trained_whole, {"whole": "body_background"}, {"whole": layer}, positions, label=2
    )["whole"]
    frames = torch.from_numpy(cache.take("body_background", positions))
    frames = frames.permute(0, 3, 1, 2).float() / 255
    with torch.no_grad(), outputs_of(network, [layer]) as outputs:
        network({"whole": frames})
    weights: Tensor = network.whole.head.weight[2]
    activation = torch.relu(torch.einsum("c,tchw->thw", weights, outputs[layer]).detach())
    enlarged = torch.nn.functional.interpolate(activation[:, None], (SIDE, SIDE), mode="bilinear")
    expected = enlarged[:, 0].numpy()
    assert expected.max() > 0
    np.testing.assert_allclose(heat / heat.max(), expected / expected.max(), atol=1e-5)


def test_streams_that_see_the_blank_frame_have_no_map(trained_parts: Trained) -> None:
    layers = {name: last_map(trained_parts.network, name) for name in ("body", "background")}
    reading = {"body": "body_only", "background": "blank"}
    found = grad_cam(trained_parts, reading, layers, np.arange(2), label=None)
    assert set(found) == {"body"}
    assert found["body"].shape == (2, SIDE, SIDE)


def test_share_inside_is_the_mean_over_frames_with_evidence() -> None:
    heat = np.zeros((3, 2, 2))
    heat[0] = [[3, 1], [0, 0]]
    heat[1] = [[1, 1], [1, 1]]
    body = np.zeros((3, 2, 2), bool)
    body[:, 0, 0] = True
    share, without = share_inside(heat, body)
    assert share == pytest.approx((3 / 4 + 1 / 4) / 2)
    assert without == pytest.approx(1 / 3)
    assert np.isnan(share_inside(np.zeros((1, 2, 2)), body[:1])[0])


def test_features_are_means_over_places_and_frames(make_study, results: Results) -> None:
    study: Study = make_study(epochs=1, batches_per_epoch=2)
    train_model(study, results, "parts", 0)
    paths = write_features(study, results, "parts", 0, ["*.backbone.stages.1"])
    assert [path.name for path in paths] == [
        f"{stream}.backbone.stages.1.parquet" for stream in ("body", "background")
    ]
    table = pd.read_parquet(paths[0]).set_index("stimulus_id")
    # The body stream sees nothing of background_only, and on originals it sees body_only.
    assert set(table["condition"]) == {"body_background", "body_only"}
    trained = load_trained(study, results, "parts", 0)
    clip = trained.cache.of_split("test").iloc[1]
    positions = np.arange(clip["start"], clip["start"] + clip["n_frames"])
    frames = torch.from_numpy(trained.cache.take("body_only", positions))
    frames = frames.permute(0, 3, 1, 2).float() / 255
    stream = trained.network.streams["body"]
    with torch.no_grad():
        maps = stream.backbone.stages[1](
            stream.backbone.stages[0](stream.backbone.stem(stream.normalize(frames)))
        )
    expected = maps.mean(dim=(0, 2, 3)).numpy()
    for condition in ("body_background", "body_only"):
        found = table.drop(columns="condition").loc[f"{clip['clip_id']}-{condition}"]
        np.testing.assert_allclose(found.to_numpy(float), expected, rtol=1e-4)


@pytest.fixture
def trained_whole(make_study, results: Results) -> Trained:
    return _untrained(make_study(), results, "whole")


@pytest.fixture
def trained_parts(make_study, results: Results) -> Trained:
    return _untrained(make_study(), results, "parts")


def _untrained(study: Study, results: Results, name: str) -> Trained:
    """Give a network with its first weights the place of a trained one."""
    manifest = read_table("manifest", results.manifest)
    classes = sorted(manifest["action"].unique())
    model = study.model(name)
    network = build_network(model, len(classes), SIDE, seed=0).eval()
    cache = open_frames(results, manifest, SIDE)
    return Trained(model, 0, network, torch.device("cpu"), classes, cache, manifest)
