"""The sections of a study file, field by field, with what each means and may be."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from study.conditions import MAIN_CONDITIONS

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=40)]
ConditionName = Literal[
    "body_background",
    "body_only",
    "background_only",
    "silhouette",
    "point_light",
    "blurred_background",
    "swapped_background",
    "inpaint_control",
]
HoleName = Literal["union", "frame", "hull", "box"]
InpaintingName = Literal[
    "telea",
    "navier_stokes",
    "harmonic",
    "biharmonic",
    "mirror",
    "temporal",
    "torchscript",
    "flat",
]


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
    """Which clips are used, and which of them train, validate and test."""

    by: Literal["order", "group", "file"] = Field(
        "order",
        description="order: the first usable clips of an action validate, the next ones test, the "
        "rest train; group: whole recording sessions are held out; file: as a table says",
    )
    file: FilePath | None = Field(
        None,
        description="where `by` is file: a CSV table of clip_id and split (train, validation, test "
        "or none), for instance the clips.csv of a run, edited; clips that it lacks are left out",
    )
    exclude: FilePath | None = Field(
        None,
        description="a CSV table of clips to leave out by hand: clip_id and, if you like, reason; "
        "the review page writes one",
    )
    validation_clips: int = Field(1, ge=0, description="per action, where `by` is order")
    test_clips: int = Field(1, ge=1, description="per action, where `by` is order")
    validation_groups: list[str] = Field([], description="sessions, where `by` is group")
    test_groups: list[str] = Field([], description="sessions, where `by` is group")

    @model_validator(mode="after")
    def _groups_are_named_and_apart(self) -> Split:
        if self.by == "group" and not self.test_groups:
            raise ValueError("by = 'group' needs test_groups, the sessions to test on")
        if self.by == "file" and self.file is None:
            raise ValueError("by = 'file' needs file, the table of clip_id and split")
        both = set(self.validation_groups) & set(self.test_groups)
        if both:
            raise ValueError(f"{sorted(both)} are both test_groups and validation_groups")
        return self


class Masks(Section):
    """Where the person is in every frame."""

    source: Literal["truth", "files", "yolo", "callable"] = Field(
        description="truth: the synthetic world's own; files: mask files; yolo: YOLO segmentation; "
        "callable: a Python function of yours"
    )
    path: FilePath | None = Field(
        None,
        description="files: folder of ACTION/CLIP.npz (key `masks`, if you like also `n_persons`) "
        "or ACTION/CLIP.png",
    )
    segmenter: str | None = Field(
        None,
        pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$",
        description="callable: module:function; it gets a clip's frames (T, H, W, 3) uint8 RGB and "
        "returns masks (T, H, W), nonzero on the person",
    )
    weights: FilePath = Field(
        Path("yolov8x-seg.pt"),
        description="yolo: weights file (.pt or .onnx) by path, or an official name",
    )
    trust_weights: bool = Field(
        False,
        description="yolo: load a .pt file even if it holds more than tensors and layers; such a "
        "file can run any code on this computer, so set this only for files whose origin you know",
    )
    keypoints: FilePath | None = Field(
        None,
        description="folder of ACTION/CLIP.npz (key `keypoints`, (T, K, 2 or 3): x, y in pixels of "
        "the source and visibility) for point_light; the synthetic world has its own",
    )
    device: str = Field("auto", description="yolo: auto, cpu, cuda or cuda:N")
    batch_size: int = Field(
        16, ge=1, description="yolo: frames per forward pass on a GPU (on a CPU it is 2)"
    )
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
    min_quality: Share = Field(
        0.0, description="leave a clip out if its mask quality (0 to 1, see clips.csv) is lower"
    )
    fill_gaps: int = Field(
        12, ge=0, description="yolo: frames in which the person may be missed and is filled in"
    )
    smooth: bool = Field(
        True, description="yolo: remove flicker over time and close small holes in the person"
    )

    @model_validator(mode="after")
    def _source_is_complete(self) -> Masks:
        if self.source == "files" and self.path is None:
            raise ValueError("source = 'files' needs path, the folder of the mask files")
        if self.source == "callable" and self.segmenter is None:
            raise ValueError("source = 'callable' needs segmenter, as module:function")
        return self


LeastHole = Annotated[list[Share], Field(min_length=2, max_length=2)]


def hole_name(hole: str, least_hole: list[float]) -> str:
    """Return a hole's name in tables: "union", or "box 60x90%" where that is the least size."""
    if hole != "box" or not any(least_hole):
        return hole
    return f"box {100 * least_hole[0]:.3g}x{100 * least_hole[1]:.3g}%"


class Versions(Section):
    """How the versions of a clip are made."""

    conditions: list[ConditionName] = Field(
        list(MAIN_CONDITIONS), min_length=1, description="the versions to make"
    )
    width: int = Field(640, ge=32, le=4096, multiple_of=2, description="pixels, letterboxed")
    height: int = Field(360, ge=32, le=4096, multiple_of=2, description="pixels, letterboxed")
    fps: float | None = Field(
        None,
        gt=0,
        le=240,
        description="show so many frames per second; default the clip's own frames and times",
    )
    max_seconds: float = Field(6.0, gt=0, description="longer clips are cut")
    quality: Literal["lossless", "web"] = Field(
        "lossless",
        description="lossless: people and networks get the same pixels; web: visually lossless "
        "videos that browsers play, a tenth of the size, with the loss in the sidecars",
    )
    hole: HoleName = Field(
        "box",
        description="what is hidden, in every frame: the box of the clip's masks, their convex "
        "hull, their union (the paper's prototype; its outline tells the pose), or (frame) each "
        "frame's own mask, which moves as the person does",
    )
    least_hole: LeastHole = Field(
        [0.0, 0.0],
        description="box: least width and height of the hole as shares of the picture, so that "
        "its size tells less of the pose",
    )
    dilation: float = Field(
        1.2, ge=1.0, le=3.0, description="linear growth of the hidden region over the person"
    )
    inpainting: InpaintingName = Field(
        "mirror",
        description="telea, navier_stokes: OpenCV's; harmonic: the smoothest fill, colours running "
        "on sideways; biharmonic: the same with the slopes at the rim; mirror: reflections of what "
        "is around, which go on with its texture and hide the hole best; temporal: the true "
        "background of other frames where they show it, else harmonic; torchscript: a network of "
        "yours; flat: the `fill` colour",
    )
    inpaint_radius: float = Field(
        5.0, gt=0, le=100, description="telea, navier_stokes: how far they look, pixels"
    )
    inpaint_model: FilePath | None = Field(
        None,
        description="torchscript: a file; it gets pictures (B, 3, H, W) in 0..1 and masks "
        "(B, 1, H, W), 1 in the hole, and returns pictures, as LaMa does",
    )
    fill: Literal["black", "grey", "mean", "matched"] = Field(
        "black",
        description="colour where a version shows nothing: black, middle grey, the clip's mean "
        "colour there, or the grey that keeps the clip's mean luminance",
    )
    blur: float = Field(
        0.05, gt=0, le=1, description="blurred_background: sigma as a share of the height"
    )
    swap: Literal["other_action", "same_action"] = Field(
        "other_action", description="swapped_background: whose clip lends the background"
    )
    dot_size: float = Field(
        0.02, gt=0, le=0.2, description="point_light: diameter as a share of the height"
    )

    @property
    def hole_name(self) -> str:
        """What the hole is called in tables."""
        return hole_name(self.hole, self.least_hole)

    @model_validator(mode="after")
    def _conditions_once(self) -> Versions:
        if len(set(self.conditions)) < len(self.conditions):
            raise ValueError(f"conditions names a version twice: {self.conditions}")
        if self.inpainting == "torchscript" and self.inpaint_model is None:
            raise ValueError("inpainting = 'torchscript' needs inpaint_model, the file")
        return self


class AuditedFill(Section):
    """One way of hiding the person that the audit compares with the study's own."""

    hole: HoleName = Field(description="as versions.hole")
    inpainting: InpaintingName = Field(description="as versions.inpainting")
    least_hole: LeastHole = Field([0.0, 0.0], description="as versions.least_hole")

    @property
    def hole_name(self) -> str:
        """What the hole is called in tables."""
        return hole_name(self.hole, self.least_hole)


class Audit(Section):
    """How much of the action the versions give away that they should not."""

    run: bool = Field(True, description="whether `bodyscene run` audits the stimuli")
    frames: int = Field(
        1,
        ge=1,
        le=50,
        description="moments of a clip that the probes see, spread evenly; of one, the middle",
    )
    max_clips: int = Field(
        1500, ge=10, description="of a larger data set so many clips, drawn evenly over actions"
    )
    folds: int = Field(
        5, ge=2, description="of the cross-validation by clip (by session where groups are known)"
    )
    n_permutations: int = Field(200, ge=0, description="for every p value")
    compare: list[AuditedFill] = Field(
        [
            AuditedFill(hole="union", inpainting="flat"),
            AuditedFill(hole="union", inpainting="telea"),
            AuditedFill(hole="box", inpainting="telea"),
            AuditedFill(hole="box", inpainting="harmonic"),
        ],
        description="other ways of hiding the person, audited beside the study's own",
    )


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
        {
            "body_background": 0.95,
            "body_only": 0.88,
            "background_only": 0.72,
            "silhouette": 0.8,
            "point_light": 0.75,
            "blurred_background": 0.92,
            "swapped_background": 0.85,
            "inpaint_control": 0.94,
        },
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
        "correct ~ group * condition + (1 | observer) + (1 | item) + (1 | item:group)",
        description="the mixed-effects model, in lme4's formula syntax; (1 | item:group), for "
        "clips that are harder for one group than another, is left out where there is one group",
    )
    equivalence_bound_pp: float = Field(
        5.0,
        gt=0,
        le=100,
        description="versions or groups count as equal if their accuracies differ by less, "
        "percentage points",
    )
    inference: Literal["t", "z"] = Field(
        "t",
        description="t: Student's t with the levels of the smallest grouping factor less one as "
        "degrees of freedom; z: the normal distribution, a little too sure with few observers",
    )


class Power(Section):
    """What the power analysis and the calibration simulate."""

    source: Literal["assumed", "pilot"] = Field(
        "assumed",
        description="assumed: from the accuracies and deviations below and in `observers`; pilot: "
        "from the study's model, fitted to the answers in the results folder",
    )
    participants: list[Annotated[int, Field(ge=2, le=2000)]] = Field(
        [12, 20, 28, 40, 60], min_length=1, description="numbers of participants to try"
    )
    items: list[Annotated[int, Field(ge=2, le=5000)]] = Field(
        [],
        description="numbers of test clips to try; default half the study's own, its own, twice "
        "as many",
    )
    seeds: list[Annotated[int, Field(ge=1, le=200)]] = Field(
        [1, 3, 5, 10], min_length=1, description="trainings of each network to try"
    )
    n_items: int | None = Field(
        None, ge=2, description="the study's own number of test clips; default from the study file"
    )
    n_simulations: int = Field(500, ge=20, description="studies simulated per design")
    n_calibration: int = Field(2000, ge=20, description="studies simulated by the calibration")
    alpha: float = Field(0.05, gt=0, lt=0.5, description="level of every test, not adjusted")
    contrasts: list[str] = Field(
        [],
        description="what is tested, such as `people: body_only - background_only`, `people: "
        "body_only - chance`, `people - baseline: body_only` or `people - baseline: pattern` "
        "(group by version); default the questions of the paper",
    )
    accuracy: dict[str, dict[ConditionName, Annotated[float, Field(gt=0, lt=1)]]] = Field(
        {
            "baseline": {"body_background": 0.525, "body_only": 0.2, "background_only": 0.5},
            "domainnet": {"body_background": 0.6625, "body_only": 0.625, "background_only": 0.5},
        },
        description="assumed share correct by model name or architecture (and `people`, else "
        "observers.accuracy) and version, for a median observer on a median clip",
    )
    seed_sd: float | None = Field(
        None, ge=0, description="logits between trainings of a network; default observer_sd"
    )
    slope_sd: float = Field(
        0.3, ge=0, description="logits, of each random slope that the formula has"
    )
    item_by_group_sd: float = Field(
        0.0,
        ge=0,
        description="logits by which a clip is harder for one group than for another; the formula "
        "knows it only with (1 | item:group)",
    )


class Exclusions(Section):
    """Which people's answers are left out; rules of observers never touch networks."""

    by_hand: dict[str, str] = Field(
        {}, description='observers to leave out, each with the reason, e.g. `07 = "fell asleep"`'
    )
    catch_clips: list[str] = Field(
        [],
        description="clip_ids that only check attention: nobody's answers to them are analysed",
    )
    min_catch_accuracy: Share = Field(
        0.0, description="leave out who is right in a smaller share of the catch clips"
    )
    min_accuracy: Share = Field(
        0.0, description="leave out who is right in a smaller share of the originals"
    )
    min_rt_s: float = Field(
        0.0, ge=0, description="leave out answers faster than this, seconds from the choices"
    )
    max_rt_s: float | None = Field(
        None, gt=0, description="leave out answers slower than this, seconds; default none"
    )
    max_share_fast: Share = Field(
        1.0, description="leave out who answers a larger share of trials faster than min_rt_s"
    )

    @model_validator(mode="after")
    def _rules_fit(self) -> Exclusions:
        if self.max_rt_s is not None and self.max_rt_s <= self.min_rt_s:
            raise ValueError(f"max_rt_s = {self.max_rt_s} is not above min_rt_s = {self.min_rt_s}")
        if self.min_catch_accuracy > 0 and not self.catch_clips:
            raise ValueError("min_catch_accuracy needs catch_clips, the clips that it is about")
        if self.max_share_fast < 1 and self.min_rt_s == 0:
            raise ValueError("max_share_fast needs min_rt_s, below which an answer is fast")
        if len(set(self.catch_clips)) < len(self.catch_clips):
            raise ValueError(f"catch_clips names a clip twice: {self.catch_clips}")
        return self
