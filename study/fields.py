"""The sections of a study file, field by field, with what each means and may be."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from study.conditions import CONDITION_NAMES

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=40)]
ConditionName = Literal["body_background", "body_only", "background_only"]


def _expanded(path: Path) -> Path:
    """Replace ${VARIABLE} and ~; a variable that is not set is named."""
    text = os.path.expandvars(str(path))
    unset = re.findall(r"\$\{?(\w+)\}?", text)
    if unset:
        raise ValueError(f"the environment variable {unset[0]} is not set")
    return Path(text).expanduser()


def _pattern(text: str) -> str:
    """Check a regular expression that must name the group `action`."""
    try:
        names = re.compile(text).groupindex
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from error
    if "action" not in names:
        raise ValueError("the pattern must name a group, (?P<action>...)")
    return text


FilePath = Annotated[Path, AfterValidator(_expanded)]


class Section(BaseModel):
    """A table of the study file: unknown keys and wrong types are errors."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class SyntheticData(Section):
    """The embedded default: a procedural world of figures acting in scenes."""

    kind: Literal["synthetic"] = Field(description="this kind of data set")
    n_actions: int = Field(12, ge=2, le=16, description="how many of the world's actions")
    clips_per_action: int = Field(20, ge=3, le=999, description="clips of each action")
    width: int = Field(320, ge=64, le=1280, description="pixels")
    height: int = Field(180, ge=36, le=720, description="pixels")
    fps: float = Field(12.5, gt=0, le=60, description="frames per second")
    n_frames: int = Field(24, ge=1, le=1000, description="frames per clip")
    scene_validity: Share = Field(
        0.9,
        description="how well the scene predicts the action: with this probability a clip plays in "
        "its action's own scene, else in one drawn from all scenes; 0 is no relation",
    )
    figure_size: float = Field(
        0.6, ge=0.1, le=0.8, description="median standing height as a share of frame height"
    )
    camera_motion: bool = Field(True, description="whether some cameras pan, zoom or shake")


class SourceFolder(Section):
    """One folder of clips and how to read their names."""

    path: FilePath = Field(description="the folder; ${VARIABLE} and ~ are replaced")
    pattern: Annotated[str, AfterValidator(_pattern)] = Field(
        r"^(?P<action>[^/]+)/[^/]+$",
        description="regular expression over the path inside the folder; its group `action` is the "
        "action, an optional group `group` the recording session",
    )


class FolderData(Section):
    """Any folders of videos and photographs; a photograph is a clip of one frame."""

    kind: Literal["folder"] = Field(description="this kind of data set")
    folders: list[SourceFolder] = Field(min_length=1, description="where the clips are")
    actions: list[str] | None = Field(None, description="keep only these actions; default all")
    min_clips: int = Field(3, ge=1, description="an action with fewer usable clips is left out")
    max_clips: int | None = Field(
        None, ge=1, description="use at most so many usable clips of an action, the first by name"
    )


class Haa500Data(Section):
    """HAA500 in its own layout: ``video/CLASS/CLASS_NNN.mp4``."""

    kind: Literal["haa500"] = Field(description="this kind of data set")
    path: FilePath = Field(description="the folder that holds `video`")
    min_clips: int = Field(15, ge=1, description="an action with fewer usable clips is left out")
    max_clips: int | None = Field(15, ge=1, description="use the first so many usable clips")


Dataset = Annotated[SyntheticData | FolderData | Haa500Data, Field(discriminator="kind")]


class Split(Section):
    """Which clips train, validate and test."""

    by: Literal["order", "group"] = Field(
        "order",
        description="order: the first usable clips of an action validate, the next ones test, the "
        "rest train; group: whole recording sessions are held out",
    )
    validation_clips: int = Field(1, ge=0, description="per action, where `by` is order")
    test_clips: int = Field(1, ge=1, description="per action, where `by` is order")
    validation_groups: list[str] = Field([], description="sessions, where `by` is group")
    test_groups: list[str] = Field([], description="sessions, where `by` is group")

    @model_validator(mode="after")
    def _groups_are_named_and_apart(self) -> Split:
        if self.by == "group" and not self.test_groups:
            raise ValueError("by = 'group' needs test_groups, the sessions to test on")
        both = set(self.validation_groups) & set(self.test_groups)
        if both:
            raise ValueError(f"{sorted(both)} are both test_groups and validation_groups")
        return self


class Masks(Section):
    """Where the person is in every frame."""

    source: Literal["truth", "files", "yolo"] = Field(
        description="truth: the synthetic world's own; files: mask files; yolo: YOLO segmentation"
    )
    path: FilePath | None = Field(
        None, description="files: folder of ACTION/CLIP.npz (key `masks`) or ACTION/CLIP.png"
    )
    weights: FilePath = Field(
        Path("yolov8x-seg.pt"), description="yolo: weights file by path, or an official name"
    )
    device: str = Field("auto", description="yolo: auto, cpu, cuda or cuda:N")
    batch_size: int = Field(16, ge=1, description="yolo: frames per forward pass")
    confidence: Share = Field(0.25, description="yolo: least confidence of a person")
    image_size: int = Field(640, ge=32, multiple_of=32, description="yolo: network input, pixels")
    persons: Literal["main", "exactly_one"] = Field(
        "main",
        description="main: follow the main person; exactly_one: leave a clip out unless every "
        "frame shows exactly one person",
    )
    min_visible: Share = Field(
        0.5, description="leave a clip out if the person is found in fewer of its frames"
    )

    @model_validator(mode="after")
    def _files_have_a_path(self) -> Masks:
        if self.source == "files" and self.path is None:
            raise ValueError("source = 'files' needs path, the folder of the mask files")
        return self


class Versions(Section):
    """How the versions of a clip are made."""

    conditions: list[ConditionName] = Field(
        list(CONDITION_NAMES), min_length=1, description="the versions to make"
    )
    width: int = Field(640, ge=32, le=4096, multiple_of=2, description="pixels, letterboxed")
    height: int = Field(360, ge=32, le=4096, multiple_of=2, description="pixels, letterboxed")
    fps: float | None = Field(
        None, gt=0, le=240, description="show so many frames per second; default the clip's own"
    )
    max_seconds: float = Field(6.0, gt=0, description="longer clips are cut")
    hole: Literal["union", "frame"] = Field(
        "union", description="what is hidden: the union of the clip's masks, or each frame's own"
    )
    dilation: float = Field(
        1.2, ge=1.0, le=3.0, description="linear growth of the hidden region over the person"
    )
    inpainting: Literal["telea", "navier_stokes"] = Field("telea", description="OpenCV's method")
    inpaint_radius: float = Field(5.0, gt=0, le=100, description="pixels")

    @model_validator(mode="after")
    def _conditions_once(self) -> Versions:
        if len(set(self.conditions)) < len(self.conditions):
            raise ValueError(f"conditions names a version twice: {self.conditions}")
        return self


class Trials(Section):
    """What people and networks choose from, and who sees what."""

    n_choices: int = Field(5, ge=2, le=10, description="labels to choose from; chance is 1 in that")
    n_participants: int = Field(28, ge=1, le=10_000, description="lists to write")
    design: Literal["latin_square", "blocked", "between"] = Field(
        "latin_square",
        description="latin_square: everyone sees each test clip once, versions balanced over "
        "people; blocked: all versions, in blocks; between: one version per person",
    )
    max_run: int = Field(2, ge=1, description="most trials of one version in a row")
    actions: Literal["all", "margin"] = Field(
        "all",
        description="all: every action; margin: the n_actions on which `margin_model` has the best "
        "margin on the validation clips",
    )
    n_actions: int | None = Field(None, ge=2, description="margin: how many actions")
    margin_model: str | None = Field(None, description="margin: name of a model of this study")

    @model_validator(mode="after")
    def _margin_is_complete(self) -> Trials:
        if self.actions == "margin" and (self.n_actions is None or self.margin_model is None):
            raise ValueError("actions = 'margin' needs n_actions and margin_model")
        return self


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


class Observers(Section):
    """Simulated observers: a psychometric model with lapses; always marked as simulated."""

    simulate: bool = Field(True, description="whether simulated observers do the lists at all")
    accuracy: dict[ConditionName, Share] = Field(
        {"body_background": 0.95, "body_only": 0.88, "background_only": 0.72},
        description="share correct of a median observer on a median clip, per version",
    )
    observer_sd: float = Field(0.5, ge=0, description="logits between observers")
    item_sd: float = Field(0.8, ge=0, description="logits between clips")
    lapse: Share = Field(0.01, description="share of trials answered at random")
    rt_mu_s: float = Field(0.9, gt=0, description="ex-Gaussian: mean of the normal part, seconds")
    rt_sigma_s: float = Field(0.15, gt=0, description="ex-Gaussian: its deviation, seconds")
    rt_tau_s: float = Field(0.45, gt=0, description="ex-Gaussian: mean of the tail, seconds")


class Analysis(Section):
    """Estimates, intervals and the mixed-effects model."""

    confidence: float = Field(0.95, gt=0.5, lt=1, description="of every interval")
    n_bootstrap: int = Field(2000, ge=100, description="draws of every bootstrap interval")
    formula: str = Field(
        "correct ~ group * condition + (1 | observer) + (1 | item)",
        description="the mixed-effects model, in lme4's formula syntax",
    )
