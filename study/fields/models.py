"""The networks of a study and how they are trained."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from study.fields.base import Name, Section, Share


class Training(Section):
    """How every network of the study is trained."""

    image_size: int = Field(224, ge=16, le=1024, description="side of the square input, pixels")
    batch_size: int = Field(32, ge=1, description="frames per step")
    batches_per_epoch: int = Field(1000, ge=1, description="class-balanced batches")
    epochs: int = Field(100, ge=1, description="passes of so many batches")
    optimizer: Literal["sgd", "adamw"] = Field("sgd", description="torch.optim's")
    lr: float = Field(0.001, gt=0, description="learning rate (the peak, with a schedule)")
    momentum: Share = Field(0.9, description="sgd")
    weight_decay: float = Field(0.0, ge=0, description="of the optimizer")
    schedule: Literal["constant", "cosine"] = Field("constant", description="of the learning rate")
    flip: bool = Field(False, description="mirror half of the training frames")
    color_jitter: float = Field(
        0.2, ge=0, le=1, description="largest relative change of brightness, contrast, saturation"
    )
    blur: Share = Field(0.1, description="share of training frames that are blurred")
    shift: float = Field(
        0.0, ge=0, le=0.5, description="largest shift of a training frame, share of its side"
    )
    device: str = Field("auto", description="auto, cpu, cuda, cuda:N or mps")
    threads: int | None = Field(None, ge=1, description="CPU threads per network; default all")


class Model(Section):
    """One network of the study, trained once per seed."""

    name: Name = Field(description="its name in tables and figures")
    architecture: Literal["baseline", "domainnet"] = Field(
        description="baseline: one stream on originals; domainnet: body and background streams"
    )
    backbone: str = Field(
        "resnet50", description="tiny, or a torchvision ResNet: resnet18, resnet34, resnet50, ..."
    )
    seeds: list[int] = Field([0], min_length=1, description="one training each")
    absent_part: Literal["blank", "drop"] = Field(
        "blank",
        description="domainnet, on a version that lacks one part: the stream of that part sees "
        "the blank frame, or is not read; both are scored, this one is the headline",
    )

    @model_validator(mode="after")
    def _seeds_once(self) -> Model:
        if len(set(self.seeds)) < len(self.seeds) or min(self.seeds) < 0:
            raise ValueError(f"seeds must be different numbers from 0 up, found {self.seeds}")
        return self
