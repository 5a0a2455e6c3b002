"""The networks in sentences: what each is, how it was trained, and how clips were read."""

from __future__ import annotations

import numpy as np

from analysis.reporting.content import Sentence
from analysis.reporting.material import Material
from analysis.sentences import listed
from study.fields import Model, Training

OPTIMIZERS = {"sgd": "SGD", "adamw": "AdamW"}
DOMAINNET = "a body and a background stream with a loss each and one of the answer"
WHAT = {
    "baseline": "one stream on originals",
    "baseline_wide": "one stream on originals, with channels widened until it has as many "
    "parameters as two",
    "mixed": "one stream on originals, body-only and background-only frames mixed",
    "baseline_flow": "a stream on originals and one on their optical flow",
    "domainnet": DOMAINNET,
    "domainnet_flow": "streams on body, background and the optical flow of each, with a loss each "
    "and one of the answer",
    "domainnet_random": "two streams that see body and background in an order drawn for every "
    "training frame",
    "domainnet_swapped": f"{DOMAINNET}; after training each stream sees the other’s part",
    "two_streams": "two streams on the same originals, with a loss each and one of the answer",
    "soft_mask": "a body and a background stream behind a mask that the network draws itself",
    "video": "one stream on spans of frames of originals",
    "video_domainnet": "a body and a background stream on spans of frames",
    "pretrained": "given weights with categories of their own, not trained here",
}
FUSIONS = {
    "weights": "streams are added with learned weights",
    "mlp": "the answer comes from a hidden layer on the features of all streams",
    "product": "the answer is the product of the streams’ probabilities",
    "mixture": "the answer is the mean of the streams’ probabilities",
}
POOLING = {
    "log_probability": "Outputs of frames were averaged over the clip as log-probabilities.",
    "probability": "Outputs of frames were averaged over the clip as probabilities.",
    "vote": "A clip’s answer is the vote of its frames.",
}


def network_sentences(material: Material) -> list[Sentence]:
    """Say which networks there are and how they were trained."""
    study = material.study
    if not study.models:
        return []
    labels = {group.name: group.label for group in material.groups}
    said = [_network(material, model, labels.get(model.name, model.name)) for model in study.models]
    said += _training(material, study.training)
    said.append(Sentence(POOLING[study.scoring.pooling]))
    if any(model.architecture == "domainnet" for model in study.models):
        said.append(Sentence(
            "DomainNet sees an original as its two parts, the body alone and the background with "
            "the body painted over, as in training; so on originals too it is given the person’s "
            "mask, which the baseline is not."
        ))  # fmt: skip
    return said


def _training(material: Material, training: Training) -> list[Sentence]:
    rate = np.format_float_positional(training.lr, trim="-")
    schedule = "constant" if training.schedule == "constant" else "falling along a cosine"
    momentum = f", momentum {training.momentum:g}" if training.optimizer == "sgd" else ""
    fields = ("epochs", "batches_per_epoch", "batch_size", "image_size", "lr", "momentum")
    text = (
        f"Training took {training.epochs} epochs of {training.batches_per_epoch:,} class-balanced "
        f"batches of {training.batch_size} frames of {training.image_size} × "
        f"{training.image_size} pixels with {OPTIMIZERS[training.optimizer]} (learning rate "
        f"{rate}, {schedule}{momentum})."
    )
    said = [Sentence(text, (material.settings(*[f"training.{name}" for name in fields]),))]
    extra = _extras(training)
    if extra:
        fields = ("label_smoothing", "mixup", "max_gradient", "patience")
        sources = (material.settings(*[f"training.{name}" for name in fields]),)
        said.append(Sentence(f"Besides, {listed(extra)}.", sources))
    return said


def _extras(training: Training) -> list[str]:
    """Say what of the training is not always there."""
    said = []
    if training.label_smoothing:
        said.append(f"labels were smoothed by {training.label_smoothing:g}")
    if training.mixup:
        said.append(f"frames were mixed in pairs (mixup, {training.mixup:g})")
    if training.max_gradient is not None:
        said.append(f"gradients were clipped to a norm of {training.max_gradient:g}")
    if training.patience is not None:
        said.append(
            f"training stopped after {training.patience} epochs without a better validation "
            "accuracy"
        )
    if training.keep == "best":
        said.append("the weights of the best epoch by validation accuracy were kept")
    return said


def _network(material: Material, model: Model, label: str) -> Sentence:
    place = material.study.models.index(model) + 1
    n = len(model.seeds)
    what = WHAT.get(model.architecture, f"`{model.architecture}`")
    start = "from given weights" if model.weights else "from scratch"
    if model.train == "head":
        start += ", only the layers after the backbones learn"
    parts = [f"{what}; {n} training{'s' * (n > 1)}", *_settings_of(model)]
    text = f"{label[0].upper() + label[1:]} (`{model.backbone}`, {start}): {'; '.join(parts)}."
    numbers = {f"models[{place}].seeds, their number": n}
    numbers |= {f"models[{place}].losses.{name}": value for name, value in model.losses.items()}
    numbers |= {f"models[{place}].blank_share": model.blank_share}
    numbers |= {f"100 models[{place}].blank_share": 100 * model.blank_share}
    temperatures = model.temperature.items()
    numbers |= {f"models[{place}].temperature.{name}": value for name, value in temperatures}
    numbers |= {
        f"models[{place}].training.{name}": value
        for name, value in model.training.items()
        if isinstance(value, int | float)
    }
    return Sentence(text, (material.settings(**numbers),))


def _settings_of(model: Model) -> list[str]:
    """Say what of a network differs from the plain one of its architecture."""
    said = []
    off = [name for name, weight in model.losses.items() if weight == 0]
    weighted = [f"{name} {weight:g}" for name, weight in model.losses.items() if weight > 0]
    if off:
        said.append(f"without the loss of {listed(off)}")
    if weighted:
        said.append(f"losses weighted ({', '.join(weighted)})")
    if model.fusion in FUSIONS:
        said.append(FUSIONS[model.fusion])
    if model.temperature:
        parts = [f"{name} {value:g}" for name, value in model.temperature.items()]
        said.append(f"temperatures: {', '.join(parts)}")
    if model.blank_share:
        said.append(
            f"one stream saw the blank frame in {100 * model.blank_share:g} % of training frames"
        )
    if "domainnet" in model.architecture:
        # On concatenated features no stream can be left out, whatever the study file asks for.
        is_blank = model.absent_part == "blank" or model.fusion == "mlp"
        blank = "sees the blank frame" if is_blank else "is not read"
        said.append(f"where a version lacks a part, the stream of that part {blank}")
    if model.architecture == "soft_mask":
        said.append(
            "the mask is learned from the person masks of the training clips"
            if model.soft_mask.supervised
            else "the mask is learned without person masks"
        )
    if model.training:
        parts = [f"{name} {value}" for name, value in model.training.items()]
        said.append(f"trained with {', '.join(parts)}")
    return said
