"""The networks of a study and how they are trained."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from study.fields.base import FilePath, Name, Section, Share


class Training(Section):
    """How every network of the study is trained."""

    image_size: int = Field(224, ge=16, le=1024, description="side of the square input, pixels")
    batch_size: int = Field(
        32, ge=1, description="frames per step, of all devices together where there are several"
    )
    batches_per_epoch: int = Field(1000, ge=1, description="class-balanced batches")
    epochs: int = Field(100, ge=1, description="passes of so many batches")
    optimizer: Literal["sgd", "adamw"] = Field("sgd", description="torch.optim's")
    lr: float = Field(0.001, gt=0, description="learning rate (the peak, with a schedule)")
    momentum: Share = Field(0.9, description="sgd")
    weight_decay: float = Field(0.0, ge=0, description="of the optimizer")
    schedule: Literal["constant", "cosine"] = Field("constant", description="of the learning rate")
    label_smoothing: Share = Field(
        0.0, description="share of the target that is spread over all classes"
    )
    mixup: float = Field(
        0.0,
        ge=0,
        description="frames are mixed in pairs with a share drawn from Beta(mixup, mixup); 0: not",
    )
    max_gradient: float | None = Field(
        None, gt=0, description="gradients are clipped to this norm; default not clipped"
    )
    flip: bool = Field(False, description="mirror half of the training frames")
    color_jitter: float = Field(
        0.2, ge=0, le=1, description="largest relative change of brightness, contrast, saturation"
    )
    blur: Share = Field(0.1, description="share of training frames that are blurred")
    shift: float = Field(
        0.0, ge=0, le=0.5, description="largest shift of a training frame, share of its side"
    )
    keep: Literal["last", "best"] = Field(
        "last",
        description="which weights are scored: those after the last epoch, or those of the epoch "
        "with the best validation accuracy (mean over the versions that it reads as it was "
        "trained, DomainNet originals; of equals the earliest)",
    )
    patience: int | None = Field(
        None,
        ge=1,
        description="stop after so many epochs without a better validation accuracy; default never",
    )
    flow: Literal["dis", "raft"] = Field(
        "dis",
        description="optical flow of the flow streams: OpenCV's DIS, or torchvision's RAFT with "
        "`flow_weights`",
    )
    flow_weights: FilePath | None = Field(None, description="raft: weights, .pth or .safetensors")
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="of the computation; auto: bfloat16 on CUDA, float32 elsewhere"
    )
    compile: bool = Field(
        False, description="torch.compile: slower to start, faster per step on long CUDA trainings"
    )
    device: str = Field("auto", description="auto, cpu, cuda, cuda:N or mps")
    threads: int | None = Field(None, ge=1, description="CPU threads per network; default all")

    @model_validator(mode="after")
    def _raft_has_weights(self) -> Training:
        if self.flow == "raft" and self.flow_weights is None:
            raise ValueError("flow = 'raft' needs flow_weights, the file of its weights")
        return self


class SoftMask(Section):
    """How `soft_mask` learns which pixels are body."""

    supervised: bool = Field(
        True, description="by the person masks of the training clips; else by the two priors"
    )
    weight: float = Field(1.0, ge=0, description="of the masks' (or the priors') part of the loss")
    area: Share = Field(
        0.15, description="unsupervised: the share of the frame that the mask is drawn to"
    )
    smoothness: float = Field(
        1.0, ge=0, description="unsupervised: weight of edges of the mask where the frame has none"
    )


class Model(Section):
    """One network of the study, trained once per seed."""

    name: Name = Field(description="its name in tables and figures")
    architecture: str = Field(
        description="baseline, domainnet, or another of docs/models.md; or module:Class of one's "
        "own `models.network.Network`"
    )
    backbone: str = Field(
        "resnet50",
        description="tiny; a torchvision classifier of frames (resnet18, convnext_tiny, vit_b_16, "
        "...) or of clips (r3d_18, ...); timm:NAME; hf:FOLDER; NAME*FACTOR, with wider channels; "
        "or module:Class of one's own torch module",
    )
    weights: FilePath | None = Field(
        None,
        description="weights that every backbone starts from (.safetensors or a state dict in "
        ".pth); default from scratch",
    )
    train: Literal["all", "head"] = Field(
        "all", description="what learns: everything, or only the layers after the backbones"
    )
    seeds: list[int] = Field([0], min_length=1, description="one training each")
    losses: dict[str, float] = Field(
        {},
        description="weight of a term of the loss by name (of a stream, or combined); one that is "
        "not named weighs 1, 0 switches it off",
    )
    fusion: Literal["sum", "weights", "mlp", "product", "mixture"] = Field(
        "sum",
        description="how streams become one answer: sum of class scores; weights: learned, one "
        "per stream; mlp: on the concatenated features; product or mixture of the streams' "
        "probabilities",
    )
    temperature: dict[str, float] = Field(
        {}, description="by stream: its scores are divided by this before fusion; default 1"
    )
    blank_share: Share = Field(
        0.0,
        description="share of training frames of which one stream, drawn at random, sees the blank "
        "frame, so that it learns what an absent part looks like",
    )
    absent_part: Literal["blank", "drop"] = Field(
        "blank",
        description="several streams, on a version that lacks one part: the stream of that part "
        "sees the blank frame, or is not read; both are scored, this one is the headline",
    )
    soft_mask: SoftMask = SoftMask()
    frames_per_clip: int = Field(
        8, ge=1, description="video networks: frames of a clip that are read at once"
    )
    labels: FilePath | None = Field(
        None,
        description="pretrained: CSV of label, action: which of the weights' own categories stand "
        "for which action",
    )
    training: dict[str, Any] = Field(
        {}, description="fields of [training] that differ for this network"
    )

    @model_validator(mode="after")
    def _values_fit(self) -> Model:
        if len(set(self.seeds)) < len(self.seeds) or min(self.seeds) < 0:
            raise ValueError(f"seeds must be different numbers from 0 up, found {self.seeds}")
        wrong = {name: value for name, value in self.losses.items() if value < 0}
        if wrong:
            raise ValueError(f"losses must not be negative, found {wrong}")
        wrong = {name: value for name, value in self.temperature.items() if value <= 0}
        if wrong:
            raise ValueError(f"temperature must be above 0, found {wrong}")
        return self
